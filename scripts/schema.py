"""Write what is made from the one schema file: its lock file. Run by `make schema`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import psycopg

from aicp.kernel import postgres
from aicp.schema.apply import LOGIN, apply, schema_sha256
from aicp.schema.shadow import expected

SUPABASE = Path(__file__).parents[1] / "supabase"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="aicp-schema-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as somebody else when we are root
        home = Path(folder) / "data"
        cluster = postgres.start(home)
        try:
            apply(cluster.owner_url, password=cluster.app_password)
            (SUPABASE / "schema.lock.json").write_text(lock(cluster.owner_url), encoding="utf-8")
        finally:
            postgres.stop(home)


def lock(owner_url: str) -> str:
    """The lock file: one object a line, so that a change of the schema is a readable change of it."""
    with psycopg.connect(owner_url) as conn:
        server = conn.info.server_version // 10000
    objects = expected(owner_url, login=LOGIN)
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
