"""`bd completion`: a short script for each shell, and the words that could come next.

The scripts know nothing of `bd`: at every TAB they ask `bd completion SHELL -- WORDS...`. When that has
nothing to offer, the shell completes file names.
"""

from __future__ import annotations

from aicp.issues.cli.context import Context, clean
from aicp.issues.cli.options import Call, is_option, table_of
from aicp.issues.cli.spec import ALIASES, COMMANDS, GROUPS, Option
from aicp.issues.config import KEYS
from aicp.issues.errors import BadInput, IssueError
from aicp.issues.graph import urgency
from aicp.issues.model import EDGES, KINDS, STATUSES, UNHEARD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aicp.issues.graph import Graph
    from aicp.issues.model import Issue

    Found = list[tuple[str, str]]  # a word and what it means

_BASH = """_bd() {
  local word
  COMPREPLY=()
  while IFS= read -r word; do COMPREPLY+=("$word"); done < <(
    bd completion bash -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _bd bd"""

_ZSH = """#compdef bd
_bd() {
  local -a found
  found=(${(f)"$(bd completion zsh -- "${(@)words[2,CURRENT]}" 2>/dev/null)"})
  if (( $#found )); then _describe 'bd' found; else _files; fi
}
if [[ ${funcstack[1]} == _bd ]]; then
  _bd "$@"
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
  compdef _bd bd
fi"""

_FISH = """function __bd_words
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -e words[1]
    set -l found (bd completion fish -- $words "$current" 2>/dev/null)
    if set -q found[1]
        printf '%s\\n' $found
    else
        __fish_complete_path "$current"
    end
end
complete -c bd -f -a '(__bd_words)'"""

_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
_VALUES = {
    "status": STATUSES, "type": KINDS, "priority": ("0", "1", "2", "3", "4"),
    "format": ("dot", "mermaid"), "direction": ("down", "up", "both"),
    "sort": ("priority", "created", "updated", "oldest", "title", "id"),
    "hash|sequential": ("hash", "sequential"),
}  # fmt: skip
_PLAIN = frozenset("._,:/@%+=-")  # beside letters and digits: what bash may insert as it is


def completion(context: Context) -> None:
    """`bd completion bash|zsh|fish`, and with a command line after it: what could come next."""
    shell, *line = context.call.words
    if shell not in _SCRIPTS:
        raise BadInput(f"no completion for {shell}", hint="one of: bash zsh fish")
    if not line:
        return context.put(_SCRIPTS[shell])
    words, cut = _glued(line) if shell == "bash" else (line, 0)
    found = candidates(words, lambda options: _graph(context, options))
    shown = [_shown(shell, clean(word), does, words[-1], cut) for word, does in found]
    return context.put("".join(f"{one}\n" for one in shown if one).encode("utf-8", "replace"))


def candidates(line: list[str], read: Callable[[dict[str, str]], Graph | None]) -> Found:
    """What the last word of a command line could become, whether it begins like that or not.

    Args:
        line: the words after `bd` up to the cursor; the last one may be "".
        read: the graph of the store that the options so far name, None when there is none.
    """
    *before, current = line
    seen = _Line(before)
    if seen.awaiting:
        return _values(seen, seen.awaiting, current, read)
    option, equals, value = current.partition("=")
    if equals and not seen.ended and option in seen.table:
        found = _values(seen, seen.table[option], value, read)
        return [(f"{option}={word}", does) for word, does in found]
    if current.startswith("-") and not seen.ended:
        return [(name, option[4]) for name, option in seen.table.items()]
    return [*_subcommands(seen), *_arguments(seen, read)]


class _Line:
    """What the words so far mean: a command, its options and arguments, or an option's open value."""

    def __init__(self, words: list[str]) -> None:
        self.group, self.name, self.ended = "", "", False
        self.words: list[str] = []
        self.options: dict[str, str] = {}
        self.awaiting: Option | None = None
        self.table = table_of(())
        for word in words:
            self._take(word)

    def _take(self, word: str) -> None:
        if self.awaiting:
            self.options[self.awaiting[1]] = word
            self.awaiting = None
        elif word == "--" and not self.ended:
            self.ended = True
        elif self.ended or not is_option(word):
            self._argument(word)
        else:
            name, equals, value = word.partition("=")
            option = self.table.get(name)
            if option and option[2] != "flag":
                self.awaiting = None if equals else option
                self.options.update({option[1]: value} if equals else {})

    def _argument(self, word: str) -> None:
        pair = f"{self.group} {word}".strip()
        name = ALIASES.get(pair, pair)
        if not self.words and (name in COMMANDS or name in GROUPS) and " " not in self.group:
            self.group = pair
            self.name = name if name in COMMANDS else ""
            self.table = table_of(COMMANDS[name].options if self.name else ())
        else:
            self.words.append(word)


def _subcommands(seen: _Line) -> Found:
    if seen.words or " " in seen.group or (seen.group and seen.group not in GROUPS):
        return []
    start = f"{seen.group} ".lstrip()
    below = [name for name in COMMANDS if name.startswith(start)]
    heads = dict.fromkeys(name.removeprefix(start).partition(" ")[0] for name in below)
    return [(head, _summary(start + head)) for head in heads]


def _summary(name: str) -> str:
    if name in COMMANDS:
        return COMMANDS[name].summary
    return ", ".join(one.removeprefix(f"{name} ") for one in COMMANDS if one.startswith(f"{name} "))


def _arguments(seen: _Line, read: Callable[[dict[str, str]], Graph | None]) -> Found:
    if not seen.name:
        return []
    command, at = COMMANDS[seen.name], len(seen.words)
    if command.words[1] is not None and at >= command.words[1]:
        return []
    if seen.name == "help":
        return _subcommands(_Line(seen.words))
    if seen.name == "completion":
        return [(shell, f"what {shell} needs") for shell in _SCRIPTS] if not at else []
    if seen.name.startswith("config ") and not at:
        return list(KEYS.items())
    names = command.arguments.split()
    name = names[min(at, len(names) - 1)].strip("[]") if names else ""
    found: Found = []
    if name in ("ID", "ID...", "BLOCKED", "BLOCKER") or (at and names[0] == "ID..."):
        found += _ids(read(seen.options), seen.name)
    if at and names[-1] == "LABEL":
        found += _labels(read(seen.options))
    return [(word, does) for word, does in found if word not in seen.words]


def _values(
    seen: _Line, option: Option, typed: str, read: Callable[[dict[str, str]], Graph | None]
) -> Found:
    """Values of an option; of one that takes a list, the next after a comma."""
    _, to, kind, stands_for, does = option
    head = typed[: typed.rfind(",") + 1] if kind == "list" else ""
    if stands_for in ("ID", "TYPE:ID"):
        found = _ids(read(seen.options), "")
        if stands_for == "TYPE:ID":
            edge = typed[len(head) :].partition(":")[0]
            found = [(f"{edge}:{word}", said) for word, said in found] if ":" in typed else [
                (f"{one}:", does) for one in EDGES
            ]  # fmt: skip
    elif stands_for == "LABEL":
        found = _labels(read(seen.options))
    else:
        known = EDGES if seen.name.startswith("dep ") and to == "type" else None
        found = [(word, does) for word in known or _VALUES.get(to) or _VALUES.get(stands_for, ())]
    return [(head + word, said) for word, said in found]


def _ids(graph: Graph | None, command: str) -> Found:
    """Issues in the order of a queue; those that can be closed, or opened again, where that is asked."""
    fits: dict[str, Callable[[Issue], bool]] = {
        "close": lambda issue: not issue.done,
        "reopen": lambda issue: issue.done,
    }
    wanted = fits.get(command, lambda _: True)
    issues: Iterable[Issue] = [issue for issue in graph or () if wanted(issue)]
    if command == "restore" and graph:
        issues = [issue for issue in graph.by_id.values() if issue.status in UNHEARD]
    return [(issue.id, issue.title) for issue in sorted(issues, key=urgency)]


def _labels(graph: Graph | None) -> Found:
    used = sorted({label for issue in graph or () for label in issue.labels})
    return [(label, "label") for label in used]


def _graph(context: Context, options: dict[str, str]) -> Graph | None:
    """The graph the typed line is about; a store that is missing or damaged offers no issues."""
    folder = context.folder
    there = Context(Call("list", dict(options), []), context.env, folder)
    try:
        return there.book.snapshot().graph
    except (IssueError, OSError):
        return None


def _glued(line: list[str]) -> tuple[list[str], int]:
    """Bash splits words at = and : as well; put together, with how much of the last it replaces not."""
    words: list[str] = []
    joins = False
    for word in line:
        if words and (word in ("=", ":") or joins):
            words[-1] += word
        else:
            words.append(word)
        joins = word in ("=", ":")
    last = line[-1] if line[-1] not in ("=", ":") else ""
    return words, len(words[-1]) - len(last)


def _shown(shell: str, word: str, does: str, current: str, cut: int) -> str:
    """A candidate as the shell wants it; "" when it cannot be given to it."""
    if not word.isprintable():
        return ""
    told = "".join(letter if letter.isprintable() else " " for letter in does)
    if shell == "fish":
        return f"{word}\t{told}"
    if shell == "zsh":
        escaped = word.replace("\\", "\\\\").replace(":", "\\:")
        return f"{escaped}:{told}"
    safe = all(letter.isalnum() or letter in _PLAIN for letter in word)
    return word[cut:] if safe and word.startswith(current) else ""
