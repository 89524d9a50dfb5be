"""From what a person names (a file, a server) to connections a mission may use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from aicp.errors import BadInput, Forbidden
from aicp.toolkits.providers import Where, named
from aicp.toolkits.providers.base import Connection, ProviderError
from aicp.toolkits.providers.local.messages import address
from aicp.toolkits.providers.local.smtp import server_at


@dataclass(frozen=True, slots=True)
class Sources:
    """What a mission was given. Paths are absolute; see `aicp mission new --help`."""

    data: tuple[str, ...] = ()
    smtp: str = ""
    sender: str = ""
    mail_folder: str = ""
    delivered: str = ""
    calendar: str = ""
    connect: tuple[str, ...] = ()  # KIND:TARGET for everything else


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where paths may lead: below a root, and not into the system's own data folder.

    A root that lies inside the data folder itself stays open: the sandbox is one.
    """

    roots: tuple[Path, ...]
    private: Path

    def allow(self, real: Path) -> bool:
        return any(real.is_relative_to(root) for root in self.roots) and not self.own(real)

    def own(self, real: Path) -> bool:
        """Whether a path belongs to the system: its tokens, logs, evidence and held mails."""
        opened = (
            root
            for root in self.roots
            if root != self.private and root.is_relative_to(self.private)
        )
        return real.is_relative_to(self.private) and not any(
            real.is_relative_to(root) for root in opened
        )


# What a database URL may set: nothing that names files or services of the server's machine.
URL_PARAMETERS = frozenset({"sslmode", "connect_timeout", "application_name"})


def connections(
    sources: Sources, *, bounds: Bounds, hold_seconds: int, work_dir: Path, tenant: str,
    own: Mapping[str, str] | None = None, settings: Mapping[str, str] | None = None,
) -> list[Connection]:  # fmt: skip
    """The connections behind the sources.

    Args:
        tenant: whose mail folder is used when none is named; tenants never share one.
        own: a user's own providers by name (AICP_PROVIDERS).
        settings: what the kinds of `connect` may look up.

    Raises:
        BadInput: a source is not of a known form.
        Forbidden: a path lies outside the folders this server may touch.
    """
    found = [_table(source, bounds, work_dir) for source in sources.data]
    if sources.smtp or sources.mail_folder:
        found.append(_mail(sources, bounds, hold_seconds, work_dir, tenant))
    if sources.calendar:
        path = _inside(sources.calendar, bounds)
        found.append(Connection("calendar", path.name, {"path": str(path)}, work_dir))
    where = Where(lambda name: _inside(name, bounds), work_dir, settings or {})
    found += [_named(source, where, own) for source in sources.connect]
    names = [connection.account for connection in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadInput(f"two sources have the name {twice[0]}", hint="rename one of the files")
    return found


def _named(source: str, where: Where, own: Mapping[str, str] | None) -> Connection:
    kind, _, target = source.partition(":")
    try:
        return named(kind, target, where, own)
    except ProviderError as error:
        raise BadInput(error.message, hint=error.hint) from None


def _table(source: str, bounds: Bounds, work_dir: Path) -> Connection:
    head, _, table = source.partition("#")
    if head.startswith(("postgresql://", "postgres://")):
        return _postgres(head, table, work_dir)
    if head.startswith("sqlite:///"):
        head = head.removeprefix("sqlite://")
    path = _inside(head, bounds)
    if path.suffix.lower() in (".sqlite", ".sqlite3", ".db"):
        if not table:
            raise BadInput(
                f"{path.name} is a database: which table?", hint=f"write {path.name}#accounts"
            )
        return Connection(
            "table", f"{path.name}#{table}", {"path": str(path), "table": table}, work_dir
        )
    return Connection("table", path.name, {"path": str(path)}, work_dir)


def _postgres(url: str, table: str, work_dir: Path) -> Connection:
    if not table:
        raise BadInput("the database URL names no table", hint="write postgresql://…/crm#accounts")
    try:
        parts = urlsplit(url)
        asked = parse_qs(parts.query)
        secret = parts.password or "password" in asked
    except ValueError:
        raise BadInput(
            "the source is not a database URL", hint="write postgresql://host/crm#accounts"
        ) from None
    if secret:
        raise BadInput(
            "the database URL holds a password, which would be stored with the mission",
            hint="use ~/.pgpass or PGPASSWORD of the server, and leave it out of the URL",
        )
    if unknown := sorted(asked.keys() - URL_PARAMETERS):
        raise BadInput(
            f"the database URL may not set {unknown[0]}",
            hint=f"use {', '.join(sorted(URL_PARAMETERS))}",
        )
    return Connection("table", f"postgres#{table}", {"url": url, "table": table}, work_dir)


def _mail(
    sources: Sources, bounds: Bounds, hold_seconds: int, work_dir: Path, tenant: str
) -> Connection:
    server = _server(sources.smtp)
    _check_mail(sources, server)
    own = work_dir / "mail" / tenant
    folder = _inside(sources.mail_folder, bounds) if sources.mail_folder else own
    config: dict[str, Any] = {
        "folder": str(folder),
        "smtp": server.place,
        "user": server.user,
        "starttls": server.starttls,
        "sender": sources.sender,
        "hold_seconds": hold_seconds,
        "password_setting": "AICP_SMTP_PASSWORD",
    }
    if sources.delivered:
        config["delivered"] = str(_inside(sources.delivered, bounds))
    return Connection("mail", f"smtp {server.place}" if server.place else "mail", config, work_dir)


@dataclass(frozen=True, slots=True)
class _Server:
    place: str = ""  # host:port
    user: str = ""
    starttls: bool = False


def _server(smtp: str) -> _Server:
    """`host:port`, or `smtp[+starttls]://[user@]host:port`; the password is the server's setting.

    Raises:
        BadInput: it is of another form, holds a password, or would send one in the clear.
    """
    if "://" not in smtp:
        return _Server(smtp)
    hint = "write smtp+starttls://user@mail.example.com:587"
    try:
        parts = urlsplit(smtp)
        place, user = f"{parts.hostname or ''}:{parts.port or ''}", unquote(parts.username or "")
    except ValueError:
        raise BadInput(f"'{smtp[:80]}' is not a mail server", hint=hint) from None
    if parts.scheme not in ("smtp", "smtp+starttls") or parts.path.strip("/") or parts.query:
        raise BadInput(f"'{smtp[:80]}' is not a mail server", hint=hint)
    if parts.password is not None:
        raise BadInput(
            "the mail server's URL holds a password, which would be stored with the mission",
            hint="set AICP_SMTP_PASSWORD where the server and workers run, and leave it out of the URL",
        )
    secure = parts.scheme == "smtp+starttls"
    if user and not secure and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise BadInput("the password would travel in the clear", hint=hint)
    return _Server(place, user, secure)


def _check_mail(sources: Sources, server: _Server) -> None:
    try:
        if server.place:
            server_at(server.place)
    except ProviderError as error:
        raise BadInput(error.message, hint="write --smtp mail.example.com:587") from None
    try:
        if sources.sender:
            address(sources.sender)
    except ProviderError:
        raise BadInput(
            f"{sources.sender[:80]!r} is not a sender address",
            hint='write "Riley Chen <riley@example.com>"',
        ) from None


def _inside(name: str, bounds: Bounds) -> Path:
    """The real path, refused outside the allowed folders (links are followed first)."""
    path = Path(name)
    if not path.is_absolute():
        raise BadInput(
            f"'{name}' is not an absolute path", hint="the command line sends absolute paths"
        )
    try:
        real = path.resolve()
    except (OSError, ValueError, RuntimeError):  # a NUL, half a character, a link to itself
        raise BadInput(
            f"{name!r} is not a path that can be followed", hint="correct the path"
        ) from None
    if bounds.own(real):
        raise Forbidden(
            f"{path} belongs to this system itself", hint="name a file outside its data folder"
        )
    if not bounds.allow(real):
        raise Forbidden(
            f"{path} lies outside the folders this server may touch",
            hint=f"start the server with AICP_FILE_ROOTS={real.parent}",
        )
    return real
