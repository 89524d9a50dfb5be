"""Hold the schema against rules that are data (`lint.toml`): row security, rights, indexes, bodies (PC-4)."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import psycopg
from psycopg import sql

from aicp.schema.snapshot import PLATFORM, is_platform

LEVELS = ("info", "warn", "error")
QUEUE = "queue"  # the library's own schema: not ours to judge, but who may reach into it is
PLATFORM_ROLES = ("postgres", "supabase_admin", "supabase_etl_admin", "supabase_read_only_user")

# What every query may speak of.
_WORDS = """
with space as (
    select oid, nspname as name from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'
      and nspname <> all (string_to_array(current_setting('aicp.ignored'), ','))
), tbl as (
    select c.*, s.name as schema, s.name || '.' || c.relname as name from pg_class c join space s on s.oid = c.relnamespace
    where c.relkind in ('r', 'p') and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
), fn as (
    select f.*, s.name as schema, s.name || '.' || f.proname || '(' || pg_get_function_identity_arguments(f.oid) || ')' as name
    from pg_proc f join space s on s.oid = f.pronamespace
    where not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = f.oid and d.deptype = 'e')
), policy as (
    select p.polname, p.polrelid as tableid, p.polcmd as command, p.polpermissive as permissive, p.polroles as roles,
           tbl.name, pg_get_expr(p.polqual, p.polrelid) as using_text, pg_get_expr(p.polwithcheck, p.polrelid) as check_text
    from pg_policy p join tbl on tbl.oid = p.polrelid
), app_role as (
    select oid, rolname as name, rolbypassrls as bypasses from pg_roles where rolname in ('anon', 'authenticated', 'service_role')
), login as (
    select * from pg_roles where rolname = current_setting('aicp.login')
)
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `needs` names an extension without which it cannot be checked."""

    id: str
    level: str
    says: str
    fix: str
    query: str
    needs: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One object that breaks a rule."""

    rule: str
    level: str
    object: str
    detail: str
    says: str
    fix: str


@dataclass(frozen=True, slots=True)
class LintReport:
    """What was found; what could not be checked, and why; what is known and left, with its reason."""

    findings: list[Finding]
    checked: int
    unchecked: dict[str, str] = field(default_factory=dict)
    ignored: list[dict[str, str]] = field(default_factory=list)

    def at(self, level: str) -> list[Finding]:
        """The findings of a level and above."""
        return [f for f in self.findings if LEVELS.index(f.level) >= LEVELS.index(level)]

    def as_dict(self) -> dict[str, Any]:
        return {
            "clean": not self.findings and not self.unchecked, "checked": self.checked,
            "findings": [asdict(finding) for finding in self.findings],
            "unchecked": self.unchecked, "ignored": self.ignored,
        }  # fmt: skip


@cache
def _file() -> dict[str, Any]:
    return tomllib.loads((files("aicp.schema") / "lint.toml").read_text(encoding="utf-8"))


def rules() -> list[Rule]:
    """The rules in the order of their file."""
    return [Rule(**entry) for entry in _file()["rule"]]


def lint(conn: psycopg.Connection[Any], *, login: str) -> LintReport:
    """Hold the connected database against every rule. Reads only; any login will do.

    Args:
        login: the login the product signs in as.
    """
    known = {(entry["rule"], entry["object"]): entry for entry in _file()["ignore"]}
    found: list[Finding] = []
    unchecked: dict[str, str] = {}
    for rule in rules():
        try:
            found += _broken(conn, rule, login)
        except psycopg.Error as error:  # a rule that cannot be asked has not passed
            unchecked[rule.id] = str(error).splitlines()[0]
    left = [
        entry
        for (rule, name), entry in known.items()
        if any((f.rule, f.object) == (rule, name) for f in found)
    ]
    return LintReport(
        [f for f in found if (f.rule, f.object) not in known], len(rules()) - len(unchecked), unchecked, left
    )  # fmt: skip


def _broken(conn: psycopg.Connection[Any], rule: Rule, login: str) -> list[Finding]:
    with conn.transaction(force_rollback=True):  # takes the settings, and an extension, back again
        platform = is_platform(conn)
        conn.execute(
            "select set_config('search_path', 'pg_catalog', true), set_config('aicp.login', %s, true),"
            " set_config('aicp.ignored', %s, true), set_config('aicp.platform_roles', %s, true)",
            (login, ",".join((QUEUE, *(PLATFORM if platform else ()))), ",".join(PLATFORM_ROLES if platform else ())),
        )  # fmt: skip
        if rule.needs:
            _with_extension(conn, rule.needs)
        rows = conn.execute(_WORDS + rule.query, prepare=False).fetchall()  # type: ignore[arg-type]  # our own file
    return sorted(
        (Finding(rule.id, rule.level, str(name), str(detail or ""), rule.says, rule.fix) for name, detail in rows),
        key=lambda finding: (finding.object, finding.detail),
    )  # fmt: skip


def _with_extension(conn: psycopg.Connection[Any], name: str) -> None:
    """Have an extension for this transaction, and its functions found."""
    conn.execute(
        sql.SQL("create extension if not exists {} schema public").format(sql.Identifier(name))
    )
    conn.execute(
        "select set_config('search_path', 'pg_catalog, ' || quote_ident(n.nspname), true)"
        " from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = %s",
        (name,),
    )
