"""Opens a table by the form of its connection: a CSV file, SQLite, or PostgreSQL."""

from __future__ import annotations

from pathlib import Path

from aicp.toolkits.providers.base import Connection, ProviderError
from aicp.toolkits.providers.local.rows import Store
from aicp.toolkits.providers.local.settings import secret
from aicp.toolkits.providers.local.table_provider import TableProvider

_FORMS = 'give {"path": "/…/file.csv"}, {"path": …, "table": …} or {"url_setting": …, "table": …}'


def open_table(connection: Connection) -> TableProvider:
    """The provider of the table a connection names.

    Raises:
        ProviderError: the configuration names no table, or the table cannot be opened.
    """
    return TableProvider(connection, _store(connection))


def _store(connection: Connection) -> Store:
    config = connection.config
    if config.get("url") or config.get("url_setting"):
        from aicp.toolkits.providers.local.postgres_table import PostgresStore

        return PostgresStore(_url(config), _table(config))
    if not config.get("path"):
        raise ProviderError("the connection of the table names no file and no server", hint=_FORMS)
    path = Path(config["path"])
    if not path.is_absolute():
        raise ProviderError(f"{path} is not an absolute path", hint=_FORMS)
    if config.get("table"):
        from aicp.toolkits.providers.local.sqlite_table import SqliteStore

        return SqliteStore(path, _table(config), connection.work_dir)
    from aicp.toolkits.providers.local.csv_table import CsvStore

    return CsvStore(path, connection.work_dir, str(config.get("key", "")))


def _table(config: dict[str, str]) -> str:
    if not config.get("table"):
        raise ProviderError("the connection names a database but no table", hint=_FORMS)
    return config["table"]


def _url(config: dict[str, str]) -> str:
    if config.get("url_setting"):
        return secret(config["url_setting"])
    from psycopg.conninfo import conninfo_to_dict

    if "password" in conninfo_to_dict(config["url"]):
        raise ProviderError(
            "a connection never holds a password",
            hint="put the whole URL into an environment variable and name it in url_setting",
        )
    return config["url"]
