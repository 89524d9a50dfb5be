"""`bd help` and `bd completion`, made from the table in `spec.py`."""

from __future__ import annotations

from aicp.issues.cli.context import Context
from aicp.issues.cli.spec import ALIASES, COMMANDS, GLOBAL, GROUPS, Option
from aicp.issues.errors import BadInput
from aicp.issues.model import KINDS, STATUSES
from aicp.issues.nearest import did_you_mean

_VALUES = {"status": STATUSES, "type": KINDS, "priority": ("0", "1", "2", "3", "4"),
           "format": ("dot", "mermaid"), "direction": ("down", "up", "both")}  # fmt: skip

_INTRO = """bd: the issue graph kept in git, in .beads/issues.jsonl

    bd init
    bd create "SEV1: API outage" -p 0 -t incident -l "incident,sev1"
    bd ready --tag ops
    bd close ops-k3f9a2x --reason "Mitigated"

Commands (bd help COMMAND says more):
"""
_EXITS = """
Exit codes: 0 ok, 1 error, 2 usage, 3 not found, 6 conflict, 8 timeout, 130 interrupted.
"""


def help_text(name: str) -> str:
    """Help for one command, or for all when the name is ""."""
    if not name:
        shown = [f"  {f'{n} {c.arguments}'.strip():<32}{c.summary}" for n, c in COMMANDS.items()]
        return _INTRO + "\n".join(shown) + "\n\nEverywhere:\n" + _options(GLOBAL) + _EXITS
    command = COMMANDS[name]
    own = f"\nOptions:\n{_options(command.options)}" if command.options else ""
    examples = "".join(f"  {line}\n" for line in command.examples)
    usage = f"bd {name} {command.arguments}".rstrip()
    head = f"{usage}\n    {command.summary}\n{own}"
    return f"{head}\nEverywhere:\n{_options(GLOBAL)}\nExamples:\n{examples}"


def help_(context: Context) -> None:
    """`bd help [COMMAND]`."""
    name = " ".join(context.call.words)
    name = ALIASES.get(name, name)
    if name in GROUPS and name not in COMMANDS:
        below = [help_text(one) for one in COMMANDS if one.startswith(f"{name} ")]
        return context.put("\n".join(below).rstrip("\n"))
    if name and name not in COMMANDS:
        raise BadInput(f"there is no command bd {name}", hint=did_you_mean(name, COMMANDS))
    return context.put(help_text(name).rstrip("\n"))


def completion(context: Context) -> None:
    """`bd completion bash|zsh|fish`."""
    shell = context.call.words[0]
    makers = {"bash": _bash, "zsh": _zsh, "fish": _fish}
    if shell not in makers:
        raise BadInput(f"no completion for {shell}", hint="one of: bash zsh fish")
    return context.put(makers[shell]())


def _options(options: tuple[Option, ...]) -> str:
    rows = [(f"{', '.join(names)} {value}".rstrip(), does) for names, _, _, value, does in options]
    return "".join(f"  {left:<44} {does}\n" for left, does in rows)


def _words() -> list[str]:
    return sorted({name.partition(" ")[0] for name in COMMANDS})


def _below(group: str) -> str:
    return " ".join(name.partition(" ")[2] for name in COMMANDS if name.startswith(f"{group} "))


def _flags(options: tuple[Option, ...]) -> str:
    return " ".join(name for option in (*options, *GLOBAL) for name in option[0])


def _bash() -> str:
    groups = "\n".join(f'    {one}) words="{_below(one)}" ;;' for one in sorted(GROUPS))
    flags = "\n".join(f'    "{n}") flags="{_flags(c.options)}" ;;' for n, c in COMMANDS.items())
    values = "\n".join(
        f'    --{name}) COMPREPLY=($(compgen -W "{" ".join(known)}" -- "$cur")); return ;;'
        for name, known in _VALUES.items()
    )
    return f"""_bd() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}}
  local one=${{COMP_WORDS[1]}} two=${{COMP_WORDS[2]}} words="" flags=""
  case $prev in
{values}
  esac
  case $one in
{groups}
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "{" ".join(_words())}" -- "$cur")); return
  fi
  if [ "$COMP_CWORD" -eq 2 ] && [ -n "$words" ]; then
    COMPREPLY=($(compgen -W "$words" -- "$cur")); return
  fi
  case "$one${{words:+ $two}}" in
{flags}
  esac
  case $cur in
    -*) COMPREPLY=($(compgen -W "$flags" -- "$cur")) ;;
    *) COMPREPLY=($(compgen -W "$(bd list 2>/dev/null | cut -d' ' -f1)" -- "$cur")) ;;
  esac
}}
complete -F _bd bd"""


def _zsh() -> str:
    return "#compdef bd\nautoload -U +X bashcompinit && bashcompinit\n" + _bash()


def _fish() -> str:
    out = ["complete -c bd -f"]
    for word in _words():
        summary = COMMANDS[word].summary if word in COMMANDS else f"{_below(word)}"
        out.append(f"complete -c bd -n __fish_use_subcommand -a {word} -d {_quoted(summary)}")
    out += [
        f"complete -c bd -n '__fish_seen_subcommand_from {group}' -a '{_below(group)}'"
        for group in sorted(GROUPS)
    ]
    for name, command in COMMANDS.items():
        seen = f"'__fish_seen_subcommand_from {name.rpartition(' ')[2]}'"
        for names, to, kind, _, does in command.options:
            spelled = " ".join(
                f"-l {n[2:]}" if n.startswith("--") else f"-s {n[1:]}" for n in names
            )
            takes = "" if kind == "flag" else f" -x -a '{' '.join(_VALUES.get(to, ()))}'"
            out.append(f"complete -c bd -n {seen} {spelled}{takes} -d {_quoted(does)}")
    for names, _, kind, _, does in GLOBAL:
        spelled = " ".join(f"-l {n[2:]}" if n.startswith("--") else f"-s {n[1:]}" for n in names)
        out.append(f"complete -c bd {spelled}{'' if kind == 'flag' else ' -r'} -d {_quoted(does)}")
    return "\n".join(out)


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
