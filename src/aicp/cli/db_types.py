"""db types: rows of the database as types of a language."""

from __future__ import annotations

from pathlib import Path

import click

from aicp.cli.database import connected, target
from aicp.cli.edge import say
from aicp.errors import NotFound
from aicp.settings import from_env

STALE = 5  # as with drift: what was generated is not what is there


@click.command()
@click.option("--lang", type=click.Choice(["python", "typescript"]), required=True)
@click.option(
    "--check",
    "file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write nothing; exit 5 when FILE is not what would be written.",
)
def types(lang: str, file: Path | None) -> int:
    """Types of the rows of every table and view, for supabase-js or as Python dataclasses.

    \b
    TypeScript in the shape of `supabase gen types` (Row, Insert, Update, Relationships, Enums); Python as
    frozen dataclasses for psycopg's class_row. A column that the schema limits to some words has them as
    its type.

    \b
    Examples:
      aicp db types --lang typescript > supabase/types.ts
      aicp db types --lang python --check supabase/rows.py
    """
    from aicp.schema.python_rows import python_rows
    from aicp.schema.row_types import model
    from aicp.schema.snapshot import snapshot
    from aicp.schema.typescript import typescript

    with target(from_env()) as where, connected(where) as conn:
        rows = model(snapshot(conn, login=where.login))
    text = typescript(rows) if lang == "typescript" else python_rows(rows)
    if file is None:
        click.echo(text, nl=False)
        return 0
    try:
        known = file.read_text(encoding="utf-8")
    except OSError as error:
        raise NotFound(
            f"{file} cannot be read ({error.strerror})",
            hint=f"aicp db types --lang {lang} > {file}",
        ) from None
    if known == text:
        say(f"{file} is current")
        return 0
    say(f"{file} is not what {where.name} has now\n  fix: aicp db types --lang {lang} > {file}")
    return STALE
