"""`aicp`: one word for each thing; groups load only when they are called, so that help is instant."""

from __future__ import annotations

import difflib
import json
import os
import shlex
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import click
from click.core import ParameterSource

from aicp.cli.edge import Verbs, here_of
from aicp.errors import AicpError

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("aicp.cli.demo:demo", "Run a real mission on a sandbox, and take it back."),
    "up": ("aicp.cli.up:up", "Start the system for real use."),
    "down": ("aicp.cli.up:down", "Stop the system."),
    "status": ("aicp.cli.status:status", "Everything on one screen."),
    "doctor": ("aicp.cli.doctor:doctor", "What is missing, and how to fix it."),
    "mission": ("aicp.cli.mission:mission", "Missions, from plain words to evidence."),
    "issues": ("aicp.cli.issues:issues", "The issue graph, as bd has it."),
    "kill": ("aicp.cli.limits:kill", "Stop calls at once."),
    "limits": (
        "aicp.cli.limits:limits",
        "Toolkits that rest, and how much of each quota is used.",
    ),
    "evidence": ("aicp.cli.evidence:evidence", "Verify evidence bundles."),
    "audit": ("aicp.cli.audit:audit", "Who decided and changed what, and the proof of it."),
    "mcp": ("aicp.cli.mcp:mcp", "MCP servers that missions may use."),
    "policy": ("aicp.cli.policy:policy", "What operators allow and forbid, in Cedar."),
    "people": ("aicp.cli.people:people", "Who may do what."),
    "secret": ("aicp.cli.secret:secret", "What connections sign in with."),
    "login": ("aicp.cli.people:login", "A one-time link into the console."),
    "sandbox": (
        "aicp.cli.sandbox:sandbox",
        "Fictional accounts to try toolkits on, without a key.",
    ),
    "redact": ("aicp.cli.redact:redact", "Take secrets and personal data out of JSON lines."),
    "dash": ("aicp.cli.dash:dash", "The dashboards as text."),
    "telemetry": ("aicp.cli.telemetry:telemetry", "Events, and whether they are as catalogued."),
    "db": ("aicp.cli.db:db", "The database schema."),
}


class Lazy(Verbs):
    """A group whose commands are imported when used; a wrong word suggests the right one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name][0].split(":")
        return getattr(import_module(module), name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Descriptions from the table above: no command is imported to print help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def unknown(self, ctx: click.Context, word: str) -> str:
        """`aicp approve` lacks its noun; anything else is a slip of the keyboard."""
        own = super().unknown(ctx, word)
        mission = self.get_command(ctx, "mission")
        if "Did you mean" in own or not isinstance(mission, click.Group):
            return own
        near = difflib.get_close_matches(word, mission.commands, n=1, cutoff=0.6)
        return f"{own} Did you mean 'aicp mission {near[0]}'?" if near else own


@click.group(
    cls=Lazy,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with: aicp demo",
)
@click.version_option(package_name="aicp")
@click.option(
    "--data-dir", envvar="AICP_DATA_DIR", default=".aicp", show_default=True, help="Data folder."
)
@click.option("--demo", "use_demo", is_flag=True, help="Speak to the demo's system.")
@click.option("--as", "as_email", metavar="EMAIL", default="", help="Act as this person.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def cli(ctx: click.Context, data_dir: str, use_demo: bool, as_email: str, debug: bool) -> None:
    """The AI Employee Control Plane: give a mission, approve its exact calls, take it all back."""
    folder = Path(data_dir) / "demo" if use_demo else Path(data_dir)
    os.environ["AICP_DATA_DIR"] = str(folder)
    words = ["aicp"]
    if ctx.get_parameter_source("data_dir") is not ParameterSource.DEFAULT:
        words += ["--data-dir", data_dir]
    words += ["--demo"] if use_demo else []
    ctx.obj = ctx.obj if ctx.obj is not None else {}
    ctx.obj |= {
        "data_dir": folder.expanduser().resolve(), "as": as_email, "debug": debug,
        "prefix": shlex.join(words),
    }  # fmt: skip
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        ctx.color = False


def main(argv: list[str] | None = None) -> NoReturn:
    """Entry point: our errors become one sentence and their exit code (ux.md 7)."""
    words = sys.argv[1:] if argv is None else argv
    seen: dict[str, Any] = {}
    sys.stdout = out = sys.stdout or open(os.devnull, "w")  # noqa: SIM115, PTH123  closed by the caller
    for stream in (sys.stdout, sys.stderr):  # a terminal that lacks a letter shows '?' for it
        with suppress(AttributeError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        code = cli.main(args=list(words), prog_name="aicp", obj=seen, standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        _leave_quietly()
    except SystemExit:
        if sys.stdout is not out:  # click wraps it, and exits 1, when the reader left
            _leave_quietly()
        raise
    except (click.exceptions.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except Exception as error:  # noqa: BLE001  the last resort: a sentence, never a traceback
        if seen.get("debug"):
            traceback.print_exc()
        known = error if isinstance(error, AicpError) else _internal(error)
        report(known, as_json="--json" in words, seen=seen)
        sys.exit(known.exit_code)
    sys.exit(code if isinstance(code, int) else 0)


def _leave_quietly() -> NoReturn:
    """The reader of our output left (`| head`): that is its right."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(0)


def _internal(error: Exception) -> AicpError:
    from aicp.telemetry.redaction import without_secrets

    said = without_secrets(f"{type(error).__name__}: {error}")
    return AicpError(
        f"something went wrong in the command itself ({said})",
        hint="run it again as `aicp --debug …` and report what it shows",
        code="internal",
    )


def report(error: AicpError, *, as_json: bool = False, seen: dict[str, Any] | None = None) -> None:
    """What, why, how to fix: on standard error, as JSON when --json was asked for."""
    if as_json:
        click.echo(json.dumps({"error": error.as_dict()}, default=str), err=True)
        return
    typed = here_of(seen).typed if seen and "data_dir" in seen else str
    click.echo(f"aicp: {typed(error.message)}", err=True)
    for reason in error.facts.get("reasons", [])[1:]:
        click.echo(f"      {reason}", err=True)
    if error.hint:
        click.echo(f"  fix: {typed(error.hint)}", err=True)
    if correlation := error.facts.get("correlation_id"):
        click.echo(f"  id:  {correlation}", err=True)


if __name__ == "__main__":
    main()
