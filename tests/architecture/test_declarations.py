"""What the documents promise is what the code has."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from pathlib import Path

import pytest

import aicp
from aicp.errors import AicpError, BadInput
from aicp.settings import Settings, from_env
from architecture.settings_page import page

ROOT = Path(__file__).parents[2]
SOURCE = Path(aicp.__file__).parent
HEADINGS = ["Context", "Decision", "Consequences", "Alternatives", "Enforced by"]


def test_every_setting_is_documented_as_it_is() -> None:
    written = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    assert written == page(), "run: python tests/architecture/settings_page.py > docs/settings.md"
    for field in fields(Settings):
        assert f"`{field.metadata['name']}`" in written


# Read by their own parts: the child process of a table on PostgreSQL, the mail server's password, the client.
OWN = {"AICP_SMTP_PASSWORD", "AICP_URL", "AICP_TOKEN"}


def test_no_setting_is_read_past_the_settings() -> None:
    """An AICP_ name in the code is a field of Settings, or one of the few that are read late on purpose."""
    known = {field.metadata["name"] for field in fields(Settings)} | OWN
    named = {
        (name, path.relative_to(SOURCE).as_posix())
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for name in re.findall(r"\bAICP_[A-Z_]+\b", node.value)
    }
    unknown = sorted((n, where) for n, where in named if n.removesuffix("_FILE") not in known)
    assert unknown == []


def test_settings_come_from_the_environment_or_a_file_and_a_missing_file_is_said(
    tmp_path: Path,
) -> None:
    secret = tmp_path / "url"
    secret.write_text("postgresql://x\n")
    found = from_env({"DATABASE_URL_FILE": str(secret), "AICP_PORT": "1", "AICP_HOST": ""})
    assert (found.database_url, found.port, found.host) == ("postgresql://x", "1", "127.0.0.1")
    with pytest.raises(BadInput, match="DATABASE_URL_FILE points at"):
        from_env({"DATABASE_URL_FILE": str(tmp_path / "none")})
    for wrong in ("ten", "-1", "1.5", "٣x"):
        with pytest.raises(BadInput, match="AICP_PORT") as caught:
            from_env({"AICP_PORT": wrong}).integer("port")
        assert caught.value.hint


def test_every_decision_record_has_its_five_headings() -> None:
    records = [p for p in (ROOT / "docs/decisions").glob("*.md") if p.name != "README.md"]
    wrong = {
        path.name: found
        for path in records
        if not _has_all(
            found := re.findall(r"^#{2,3} (.+?)\s*$", path.read_text("utf-8"), re.MULTILINE)
        )
    }
    assert wrong == {}


def _has_all(found: list[str]) -> bool:
    return found == HEADINGS


def test_each_kind_of_error_is_one_row_of_the_table() -> None:
    """errors.py: status and exit code in its docstring are those of the classes (ux.md 7)."""
    from aicp import errors

    table = errors.__doc__ or ""
    rows = {m[1]: (int(m[2]), int(m[3])) for m in re.finditer(r"(\w+)\s+(\d+)\s+(\d{3})\s", table)}
    kinds = {
        name: (kind.exit_code, kind.status)
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, AicpError)
    }
    assert rows == kinds
    assert len(
        {
            kind.code
            for kind in vars(errors).values()
            if isinstance(kind, type) and issubclass(kind, AicpError)
        }
    ) == len(kinds)
