"""Words from the command line, sorted into a command, its options and its arguments."""

from __future__ import annotations

from aicp.issues.cli.spec import ALIASES, COMMANDS, GLOBAL, GROUPS, IGNORED, Command, Option
from aicp.issues.errors import BadInput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Call:
    """What was asked for. `name` is "" for `bd` alone; options that were not given are absent."""

    __slots__ = ("name", "options", "words")

    def __init__(self, name: str, options: dict[str, Any], words: list[str]) -> None:
        self.name, self.options, self.words = name, options, words

    @property
    def command(self) -> Command:
        return COMMANDS[self.name]


def parse(argv: list[str]) -> Call:
    """Sort the words.

    Raises:
        BadInput: an unknown command or option (suggests the right one), or too many or few words.
    """
    options: dict[str, Any] = {}
    at = 0
    while at < len(argv) and is_option(argv[at]):
        at = _option(table_of(()), argv, at, options, "bd")
    name, at = _command(argv, at)
    words: list[str] = []
    table = table_of(COMMANDS[name].options if name else ())
    while at < len(argv):
        if argv[at] == "--":
            words += argv[at + 1 :]
            break
        if is_option(argv[at]):
            at = _option(table, argv, at, options, name)
        else:
            words.append(argv[at])
            at += 1
    if name and not options.get("help"):
        _count(name, words)
    return Call(name, options, words)


def is_option(word: str) -> bool:
    """`-x…` or `--x…`; a text that merely starts with a dash is an argument."""
    return len(word) > 1 and word[0] == "-" and word.lstrip("-")[:1].isalpha() and " " not in (
        word.partition("=")[0]
    )  # fmt: skip


def table_of(own: tuple[Option, ...]) -> dict[str, Option]:
    """Every spelling of a command's options and of those that work everywhere."""
    table = {name: option for option in GLOBAL for name in option[0]}
    table.update((name, option) for option in own for name in option[0])
    return table


def _command(argv: list[str], at: int) -> tuple[str, int]:
    if at >= len(argv):
        return "", at
    pair = " ".join(argv[at : at + 2])
    for name, used in ((pair, 2), (argv[at], 1)):
        name = ALIASES.get(name, name)  # noqa: PLW2901 - the word, as it is called here
        if name in COMMANDS:
            return name, at + min(used, len(argv) - at)
    raise _unknown_command(argv, at)


def _unknown_command(argv: list[str], at: int) -> BadInput:
    from aicp.issues.nearest import nearest

    word = argv[at]
    if word in GROUPS:
        known = [name for name in COMMANDS if name.startswith(f"{word} ")]
        asked = " ".join(argv[at : at + 2])
        best = nearest(asked, known) if len(argv) > at + 1 else ""
        hint = f"did you mean: bd {best}" if best else "one of: " + ", ".join(known)
        return BadInput(f"there is no command bd {asked}", hint=hint)
    best = nearest(word, [*COMMANDS, *ALIASES])
    hint = f"did you mean: bd {ALIASES.get(best, best)}" if best else "bd help lists them"
    return BadInput(f"there is no command bd {word}", hint=hint)


def _option(
    table: dict[str, Option], argv: list[str], at: int, options: dict[str, Any], name: str
) -> int:
    """Take one option with its value; returns where the next word is."""
    word, equals, value = argv[at].partition("=")
    if word in IGNORED:
        return at + 1
    option = table.get(word)
    if option is None and not word.startswith("--") and word[:2] in table:
        word, equals, value = word[:2], "=", argv[at][2:]  # -p1
        option = table[word]
    if option is None:
        raise _unknown_option(table, word, name)
    if option[2] == "flag":
        if equals:
            raise BadInput(f"{word} takes no value")
        options[option[1]] = True
        return at + 1
    if not equals:
        if at + 1 >= len(argv):
            raise BadInput(f"{word} needs a value: {word} {option[3]}", hint=option[4])
        value = argv[at + 1]
    _keep(options, option, word, value)
    return at + (1 if equals else 2)


def _keep(options: dict[str, Any], option: Option, word: str, value: str) -> None:
    _, name, kind, _, _ = option
    if kind == "list":
        options.setdefault(name, []).append(value)
    elif kind == "number":
        if not value.isdigit():
            raise BadInput(f"{word} takes a number, not {value!r}")
        options[name] = int(value)
    else:
        options[name] = value


def _unknown_option(table: dict[str, Option], word: str, name: str) -> BadInput:
    from aicp.issues.nearest import nearest

    command = f"bd {name}" if name not in ("", "bd") else "bd"
    best = nearest(word, [one for one in table if one.startswith("--")])
    hint = f"did you mean {best}?" if best else f"{command} --help lists them"
    return BadInput(f"{command} has no option {word}", hint=hint)


def _count(name: str, words: list[str]) -> None:
    command = COMMANDS[name]
    fewest, most = command.words
    if fewest <= len(words) and (most is None or len(words) <= most):
        return
    wanted = f"bd {name} {command.arguments}".strip()
    if name == "create" and len(words) > 1:
        raise BadInput(
            "the title is more than one word", hint=f'put it in quotes: "{" ".join(words)}"'
        )
    what = "is missing" if len(words) < fewest else f"takes no argument {words[-1]!r}"
    text = f"{command.arguments} is missing" if len(words) < fewest else f"bd {name} {what}"
    example = command.examples[0] if command.examples else wanted
    raise BadInput(f"{text}: {wanted}", hint=f"for example: {example}")
