"""db: the database schema, applied once; no ad hoc migrations (OP-3)."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import click

from aicp.cli.edge import Here, Verbs, json_option, pass_here, put, say, suggest
from aicp.settings import Settings, from_env


@click.group(cls=Verbs)
def db() -> None:
    """The database schema.

    \b
    Example:
      aicp db apply
    """


@db.command()
@json_option
@pass_here
def apply(here: Here, as_json: bool) -> None:
    """Make roles, queue and tables, once; a database of another schema is refused (exit 6).

    \b
    Works on DATABASE_URL, with AICP_OWNER_DATABASE_URL when another login owns the schema; without
    either on the embedded server of the data folder.

    \b
    Examples:
      aicp db apply
      AICP_OWNER_DATABASE_URL=postgresql://owner@db/app DATABASE_URL=postgresql://app@db/app aicp db apply
    """
    from aicp.schema.apply import schema_sha256

    settings = from_env()
    outside = settings.owner_database_url or settings.database_url
    made, where = apply_outside(settings) if outside else _embedded(settings)
    if as_json:
        put({"applied": made, "where": where, "schema_sha256": schema_sha256()})
        return
    did = "applied to" if made else "was there already, unchanged, on"
    click.echo(f"schema {schema_sha256()[:16]} {did} {where}")
    say("roles: anon, authenticated, service_role; queue: schema queue; tables: schema public")
    suggest(here, "aicp up")


def apply_outside(settings: Settings) -> tuple[bool, str]:
    """Apply as the owner, and let the product's own login take on its roles."""
    from aicp.schema.apply import LOGIN
    from aicp.schema.apply import apply as apply_schema

    owner = settings.owner_database_url or settings.database_url
    app = urlsplit(settings.database_url)
    if settings.database_url and app.username and app.username != urlsplit(owner).username:
        login, password = unquote(app.username), unquote(app.password or "")
        return apply_schema(owner, login=login, password=password), place(owner)
    return apply_schema(owner, login=LOGIN), place(owner)


def _embedded(settings: Settings) -> tuple[bool, str]:
    """Apply on the embedded server; one that was not running is stopped again."""
    from aicp.kernel import postgres
    from aicp.schema.apply import apply as apply_schema

    ran = postgres.running(settings.data_dir) is not None
    cluster = postgres.start(settings.data_dir)
    try:
        made = apply_schema(cluster.owner_url, password=cluster.app_password)
    finally:
        if not ran:
            postgres.stop(settings.data_dir)
    return made, f"the embedded server of {settings.data_dir}"


def place(url: str) -> str:
    """Host, port and database of a URL; never its login or password."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.hostname or 'local socket'}{port}{parts.path}"
