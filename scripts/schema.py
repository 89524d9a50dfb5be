"""Write what is made from the one schema file: its lock file and row types. Run by `make schema`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import psycopg

from aicp.kernel import postgres
from aicp.schema.apply import LOGIN, apply, schema_sha256
from aicp.schema.python_rows import python_rows
from aicp.schema.row_types import model
from aicp.schema.shadow import expected
from aicp.schema.snapshot import Snapshot
from aicp.schema.typescript import typescript

SUPABASE = Path(__file__).parents[1] / "supabase"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="aicp-schema-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as somebody else when we are root
        home = Path(folder) / "data"
        cluster = postgres.start(home)
        try:
            apply(cluster.owner_url, password=cluster.app_password)
            for name, text in made(cluster.owner_url).items():
                (SUPABASE / name).write_text(text, encoding="utf-8")
        finally:
            postgres.stop(home)


def made(owner_url: str) -> dict[str, str]:
    """Every file that is made, by its name."""
    with psycopg.connect(owner_url) as conn:
        server = conn.info.server_version // 10000
    objects = expected(owner_url, login=LOGIN)
    rows = model(objects)
    return {
        "schema.lock.json": lock(objects, server),
        "types.ts": typescript(rows),
        "rows.py": python_rows(rows),
    }


def lock(objects: Snapshot, server: int) -> str:
    """The lock file: one object a line, so that a change of the schema is a readable change of it."""
    body = ",\n".join(
        f"  {json.dumps(key)}: {json.dumps(fields, sort_keys=True, ensure_ascii=False)}"
        for key, fields in sorted(objects.items())
    )
    return (
        f'{{\n "schema_sha256": "{schema_sha256()}",\n "server_version": {server},\n'
        f' "objects": {{\n{body}\n }}\n}}\n'
    )


if __name__ == "__main__":
    main()
