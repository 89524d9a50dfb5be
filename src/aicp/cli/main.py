"""`aicp`: one word for each thing; groups load only when they are called, so that help is instant."""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from aicp.errors import AicpError

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("aicp.cli.demo:demo", "Run a real mission on a sandbox, and take it back."),
    "up": ("aicp.cli.up:up", "Start the system for real use."),
    "down": ("aicp.cli.up:down", "Stop the system."),
    "status": ("aicp.cli.status:status", "Everything on one screen."),
    "doctor": ("aicp.cli.doctor:doctor", "What is missing, and how to fix it."),
    "mission": ("aicp.cli.mission:mission", "Missions, from plain words to evidence."),
    "evidence": ("aicp.cli.evidence:evidence", "Verify evidence bundles."),
    "people": ("aicp.cli.people:people", "Who may do what."),
    "login": ("aicp.cli.people:login", "A one-time link into the console."),
    "db": ("aicp.cli.db:db", "The database schema."),
}


class Lazy(click.Group):
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
@click.pass_context
def cli(ctx: click.Context, data_dir: str, use_demo: bool, as_email: str) -> None:
    """The AI Employee Control Plane: give a mission, approve its exact calls, take it all back."""
    folder = Path(data_dir) / "demo" if use_demo else Path(data_dir)
    os.environ["AICP_DATA_DIR"] = str(folder)
    ctx.obj = {"data_dir": folder.expanduser().resolve(), "as": as_email}


def main() -> None:
    """Entry point: our errors become one sentence and their exit code (ux.md 7)."""
    try:
        sys.exit(cli.main(standalone_mode=False) or 0)
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except AicpError as error:
        report(error)
        sys.exit(error.exit_code)


def report(error: AicpError) -> None:
    """What, why, how to fix: on standard error, as JSON when --json was asked for."""
    if "--json" in sys.argv:
        click.echo(json.dumps({"error": error.as_dict()}, default=str), err=True)
        return
    click.echo(f"aicp: {error.message}", err=True)
    for reason in error.facts.get("reasons", [])[1:]:
        click.echo(f"      {reason}", err=True)
    if error.hint:
        click.echo(f"  fix: {error.hint}", err=True)
    if correlation := error.facts.get("correlation_id"):
        click.echo(f"  id:  {correlation}", err=True)


def as_json(value: Any) -> str:
    return json.dumps(value, indent=2, default=str, ensure_ascii=False)


if __name__ == "__main__":
    main()
