"""db backup, db restore-drill: a copy of everything, and the proof that it can be restored (PC-4)."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aicp.cli.database import Target, target, tell_everybody
from aicp.cli.edge import Here, json_option, pass_here, put, say, suggest
from aicp.errors import AicpError, NotFound
from aicp.settings import from_env

if TYPE_CHECKING:
    from aicp.schema.backup import Backup

folder_option = click.option(
    "--to", "folder", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
    help="Where backups are (default: backups/ in the data folder).",
)  # fmt: skip


@click.command()
@folder_option
@click.option("--keep", type=int, metavar="N", help="Remove all but the newest N afterwards.")
@json_option
@pass_here
def backup(here: Here, folder: Path | None, keep: int | None, as_json: bool) -> None:
    """Dump the database into a file, with a list of what it must contain beside it.

    \b
    The system may keep running. The list (rows and a digest of each table, the schema's fingerprint)
    is of the same moment as the dump.

    \b
    Examples:
      aicp db backup
      aicp db backup --to /mnt/backups --keep 7
    """
    from aicp.schema import backup as backups

    settings = from_env()
    place = (folder or settings.data_dir / "backups").resolve()
    with target(settings) as where:
        try:
            made = backups.back_up(where.owner_url, place, login=where.login, at=datetime.now(UTC))
        except AicpError as error:
            _note(where, "backup", None, 0.0, error.message)
            tell_everybody(where, settings, "backup_failed", {"reason": error.reason_code})
            raise
        _note(where, "backup", made, made.seconds, "")
        tell_everybody(
            where, settings, "backup_completed",
            {"size_bytes": made.size_bytes, "seconds": made.seconds, "fingerprint": made.fingerprint},
            status="success",
        )  # fmt: skip
    gone = backups.prune(place, keep) if keep is not None else []
    if as_json:
        put(_shown(made) | {"removed": [str(path) for path in gone]})
        return
    click.echo(f"{made.file}")
    say(
        f"{made.size_bytes / 1e6:.1f} MB, {made.rows} rows in {len(made.tables)} tables, {made.seconds:.1f} s"
    )
    if gone:
        say(f"removed {len(gone)} older ones")
    suggest(here, "aicp db restore-drill")


@click.command("restore-drill")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@folder_option
@json_option
def restore_drill(file: Path | None, folder: Path | None, as_json: bool) -> int:
    """Restore a backup beside the database, hold it to its list, and drop it again.

    Without FILE the newest backup is taken. Exit 1 when the restored copy is not what was backed up.

    \b
    Examples:
      aicp db restore-drill
      aicp db restore-drill /mnt/backups/aicp-20261101T020000Z.dump --json
    """
    from aicp.schema import backup as backups
    from aicp.schema.drill import drill

    settings = from_env()
    there = [file] if file else backups.backups((folder or settings.data_dir / "backups").resolve())
    if not there:
        raise NotFound("there is no backup yet", hint="make one: aicp db backup")
    with target(settings) as where:
        done = drill(where.owner_url, backups.read(there[-1].resolve()), login=where.login)
        _note(where, "drill", done.backup, done.seconds, "; ".join(done.problems))
        if done.problems:
            tell_everybody(
                where, settings, "restore_drill_failed", {"problems": len(done.problems)}
            )
        else:
            tell_everybody(
                where, settings, "restore_drill_completed",
                {"seconds": done.seconds, "fingerprint": done.backup.fingerprint}, status="success",
            )  # fmt: skip
    if as_json:
        put(_shown(done.backup) | {"drill_seconds": done.seconds, "problems": done.problems})
    else:
        say(f"restored {done.backup.file.name} beside the database in {done.seconds:.1f} s")
        for problem in done.problems:
            click.echo(problem)
        if not done.problems:
            click.echo(
                f"{done.backup.rows} rows in {len(done.backup.tables)} tables, each as it was backed up"
            )
    return 1 if done.problems else 0


def _shown(made: Any) -> dict[str, Any]:
    return asdict(made) | {"file": str(made.file), "rows": made.rows}


def _note(where: Target, kind: str, made: Backup | None, seconds: float, problem: str) -> None:
    """Keep the result where health reads it."""
    from aicp.schema.backups import Result, keep

    name, size, schema = (
        (made.file.name, made.size_bytes, made.fingerprint) if made else ("", 0, "")
    )
    keep(where.owner_url, Result(kind, name, size, seconds, schema, problem, datetime.now(UTC)))
