"""db: the database, its one schema file and its keeping; no ad hoc migrations (OP-3)."""

from __future__ import annotations

import click

from aicp.cli.database import connected, place, target, tell_everybody, url_parts
from aicp.cli.db_backup import backup, restore_drill
from aicp.cli.db_pool import pool
from aicp.cli.db_types import types
from aicp.cli.edge import Here, Verbs, json_option, lines, pass_here, put, say, suggest
from aicp.settings import Settings, from_env

DRIFT = 5  # a gate that is shut: nothing is deployed on a schema nobody wrote down (PC-4)


@click.group(cls=Verbs)
def db() -> None:
    """The database: its schema, backups that were tried, and its connections.

    \b
    Examples:
      aicp db apply
      aicp db diff
      aicp db lint
      aicp db types --lang typescript
      aicp db backup && aicp db restore-drill
      aicp db pool
    """


for verb in (types, backup, restore_drill, pool):
    db.add_command(verb)


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


@db.command()
@click.option(
    "--against",
    type=click.Choice(["shadow", "lock"]),
    default="shadow",
    show_default=True,
    help="A database built beside it for a moment, or the committed lock file.",
)
@click.option(
    "--supabase/--no-supabase",
    default=None,
    help="Leave out what Supabase itself keeps (default: look whether it is Supabase).",
)
@json_option
def diff(against: str, supabase: bool | None, as_json: bool) -> int:
    """What differs from the one schema file, roles included. Exit 0 clean, 5 drift (OP-3, PC-4).

    \b
    + is there and should not be, - is missing, ~ is other than written (expected → found). The shadow is
    built on the same server in a transaction that is rolled back; where the login may not make databases
    the lock file serves. Nothing is changed; drift is recorded as the event schema_drift_detected.

    \b
    Examples:
      aicp db diff
      aicp db diff --json | jq .changes
      AICP_OWNER_DATABASE_URL=postgresql://owner@db/app DATABASE_URL=postgresql://app@db/app aicp db diff
    """
    from aicp.schema.check import check
    from aicp.schema.diff import lines as told

    settings = from_env()
    with target(settings) as where:
        report = check(where.owner_url, login=where.login, platform=supabase, against=against)
        if report.changes:
            tell_everybody(
                where, settings, "schema_drift_detected",
                {"change_count": len(report.changes), "kinds": report.kinds,
                 "against": report.against, "fingerprint": report.fingerprint},
            )  # fmt: skip
    if as_json:
        put({"where": where.name, **report.as_dict()})
        return DRIFT if report.changes else 0
    lines(told(report.changes))
    for note in [*report.notes, *(f"not compared inside: {name}" for name in report.unchecked)]:
        say(note)
    if report.changes:
        count = len(report.changes)
        say(f"\n{count} difference{'s' * (count > 1)} on {where.name}: drift (OP-3)")
        say(
            "fix: take them back, or write them into the schema file and deploy that; no ad hoc migrations"
        )
        return DRIFT
    say(f"clean: {where.name} is what the schema file makes; fingerprint {report.fingerprint[:16]}")
    return 0


@db.command()
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warn", "info"]),
    default="warn",
    show_default=True,
    help="The lowest level that makes the exit code 5.",
)
@json_option
def lint(fail_on: str, as_json: bool) -> int:
    """Hold the schema, its rights and the product's login against rules. Exit 0 clean, 5 findings (PC-4).

    \b
    A rule that cannot be checked here (one needs the extension plpgsql_check) is said, and never counts
    as passed. Nothing is changed.

    \b
    Examples:
      aicp db lint
      aicp db lint --fail-on error
      aicp db lint --json | jq .findings
    """
    from aicp.schema.lint import lint as hold

    with target(from_env()) as where, connected(where) as conn:
        report = hold(conn, login=where.runs_as)
    code = DRIFT if report.at(fail_on) else 0
    if as_json:
        put({"where": where.name, **report.as_dict()})
        return code
    for found in report.findings:
        click.echo(
            f"{found.level:<5} {found.rule:<22} {found.object}{'  ' + found.detail if found.detail else ''}"
        )
        click.echo(f"      {found.says}. fix: {found.fix}")
    for rule, why in report.unchecked.items():
        click.echo(f"not checked: {rule} ({why})")
    say(
        f"findings: {len(report.findings)}, by {report.checked} rules on {where.name};"
        f" not checked: {len(report.unchecked)}; known and right as they are: {len(report.ignored)}"
    )
    return code


def apply_outside(settings: Settings) -> tuple[bool, str]:
    """Apply as the owner, and let the product's own login take on its roles."""
    from aicp.schema.apply import LOGIN
    from aicp.schema.apply import apply as apply_schema

    owner = settings.owner_database_url or settings.database_url
    app = url_parts(settings.database_url)
    if app.get("user") and app["user"] != url_parts(owner).get("user"):
        return apply_schema(owner, login=app["user"], password=app.get("password", "")), place(
            owner
        )
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
