"""Where `bd` starts: one call, one exit code, never a traceback."""

from __future__ import annotations

import os
import sys

from aicp.issues.cli.options import Call, parse
from aicp.issues.errors import IssueError, Unanswered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def main() -> NoReturn:
    """Run `bd` and leave at once: taking ten thousand objects apart at exit costs 5 ms."""
    import gc

    gc.disable()  # a run is over before a collection could pay
    _open_streams()
    code = _flush(run(sys.argv[1:]))
    try:
        sys.stderr.flush()
    except OSError:
        os._exit(code)  # nobody to tell, and the code says it
    os._exit(code)


def _open_streams() -> None:
    """Give a caller who closed stdin, stdout or stderr an empty one (Python then has None)."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def _flush(code: int) -> int:
    """Send what is left of the answer; the exit code."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return code
    except OSError as error:
        lost = Unanswered(error.strerror)
        return _complain(lost.message, lost.hint, lost.exit_code, None)
    return code


def run(argv: list[str]) -> int:
    """Run one command line; returns its exit code (`bd help` lists them)."""
    json = "--json" in argv or os.environ.get("BD_JSON", "") in ("1", "true")
    try:
        return _dispatch(parse(argv))
    except IssueError as error:
        return _complain(
            error.message, error.hint, error.exit_code, error.as_dict() if json else None
        )
    except BrokenPipeError:
        return 0
    except KeyboardInterrupt:
        return _complain("interrupted; nothing was half-written", "", 130, None)
    except RecursionError:
        return _complain("an issue is nested too deeply to be shown", "look into .beads/", 1, None)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        text = f"{error.strerror or error}{where}; nothing was written"
        hint = "check the disk and the rights of .beads/, then run it again"
        wire = {
            "schema_version": 1,
            "error": text,
            "code": "io",
            "hint": hint,
            "exit_code": 1,
            "facts": {},
        }
        return _complain(text, hint, 1, wire if json else None)


def _dispatch(call: Call) -> int:
    if call.options.get("help") or not call.name:
        from aicp.issues.cli.shell import help_text

        sys.stdout.write(help_text(call.name))
        return 0
    from aicp.issues.cli.context import Context

    module, _, function = call.command.handler.partition(":")
    handler = getattr(_module(module), function)
    return handler(Context(call, os.environ, os.getcwd())) or 0


def _module(name: str) -> object:
    """The module of a command; only this one is imported."""
    full = f"aicp.issues.cli.{name}"
    __import__(full)
    return sys.modules[full]


def _complain(text: str, hint: str, code: int, wire: dict[str, object] | None) -> int:
    from aicp.issues.jsontext import dumps

    shown = dumps(wire) if wire else f"bd: {text}" + (f"\n    {hint}" if hint else "")
    try:
        sys.stderr.buffer.write((shown + "\n").encode("utf-8", "replace"))
        sys.stderr.flush()
    except OSError:
        return code
    return code


if __name__ == "__main__":
    main()
