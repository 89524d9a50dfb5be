"""docs/settings.md, written from the settings' own metadata.

Regenerate it with: python tests/architecture/settings_page.py > docs/settings.md
"""

from __future__ import annotations

from dataclasses import fields

from aicp.settings import Settings

HEAD = """# Settings

Every setting is read from the environment once, when a process starts. This page is made from
`src/aicp/settings.py`; after a change there: `python tests/architecture/settings_page.py > docs/settings.md`.

Any of them may come from a file instead: set `NAME_FILE` to its path, and what the file holds (without
the line end) is the value. Use that for the secret ones.

| setting | default | what it does |
|---|---|---|
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(_row(field) for field in fields(Settings))


def _row(field) -> str:
    meta = field.metadata
    default = f"`{field.default}`" if field.default else "none"
    secret = " **Secret.**" if meta["secret"] else ""
    return f"| `{meta['name']}` | {default} | {meta['doc']}{secret} |\n"


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201  its output is the page
