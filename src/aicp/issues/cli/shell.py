"""`bd help`, made from the table in `spec.py`."""

from __future__ import annotations

from aicp.issues.cli.context import Context
from aicp.issues.cli.spec import ALIASES, COMMANDS, GLOBAL, GROUPS, Option
from aicp.issues.errors import BadInput
from aicp.issues.nearest import did_you_mean

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


def _options(options: tuple[Option, ...]) -> str:
    rows = [(f"{', '.join(names)} {value}".rstrip(), does) for names, _, _, value, does in options]
    return "".join(f"  {left:<44} {does}\n" for left, does in rows)
