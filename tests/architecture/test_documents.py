"""The documents are true: what they name exists, and what exists is named where a reader looks for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
import pytest

from aicp.cli.main import COMMANDS, cli
from aicp.settings import Settings
from aicp.toolkits.model import ToolSpec
from aicp.toolkits.providers.local import folder_tools, git_tools
from aicp.toolkits.providers.local.calendar import LocalCalendar
from aicp.toolkits.providers.local.check import TOOLS as CHECKS
from aicp.toolkits.providers.local.inbox_tools import TOOLS as INBOX
from aicp.toolkits.providers.local.mail_tools import DRAFT, FOLDERS, SCHEDULE, SEND
from aicp.toolkits.providers.local.table_tools import table_tools

HOME = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md")
    for path in HOME.glob(pattern)
    if "readiness" not in path.parts
)
EVERY = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=[str(path.relative_to(HOME)) for path in DOCUMENTS]
)
GUIDE, MAP = HOME / "docs/missions.md", HOME / "ARCHITECTURE.md"
PATH = re.compile(r"`((?:src|tests|docs|scripts|supabase|bench|\.ci)/[\w./<>*-]*)`")
SHORT_PATH = re.compile(r"`((?:[a-z_]+/)+[\w-]+\.(?:py|js|toml|html))\b")
SETTING = re.compile(r"\b(AICP_[A-Z_]+|GOOGLE_API_KEY|DATABASE_URL)\b")
COMMAND = re.compile(
    r"(?:^|[`$(]|\s)aicp((?: +(?:--as|--data-dir) +\S+| +--[a-z]+)*(?: +[a-z][a-z-]*)+)"
)
ABSOLUTE = re.compile(r"(?:^|[\s`(\"'=])/([\w.-]+)", re.MULTILINE)
SERVED = {"api", "docs", "health", "login", "mcp", "missions", "openapi.json", "v1"}
ELSEWHERE = {"path", "var", "usr", "tmp"}  # a placeholder, and folders that every machine has
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|TBD|XXX|worktree|sub-?agents?)\b", re.IGNORECASE)


def code_of(text: str) -> str:
    """What stands in code blocks and between backticks."""
    blocks = re.findall(r"```.*?```", text, re.DOTALL)
    spans = re.findall(r"`[^`\n]+`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    return "\n".join([*blocks, *spans])


def targets() -> set[str]:
    """The targets of the Makefile that are said to be made."""
    return set(re.findall(r"^([a-z-]+):.*## ", (HOME / "Makefile").read_text(), re.MULTILINE))


def commands() -> dict[str, click.Command]:
    """Every command by its words: "mission approve"."""
    found: dict[str, click.Command] = {}
    for name, (where, _) in COMMANDS.items():
        module, attribute = where.split(":")
        command = getattr(import_module(module), attribute)
        found[name] = command
        if isinstance(command, click.Group):
            found |= {f"{name} {verb}": own for verb, own in command.commands.items()}
    return found


def slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(path: Path) -> set[str]:
    outside = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    return {slug(title) for title in re.findall(r"^#+ (.+)$", outside, re.MULTILINE)}


def links(path: Path) -> Iterator[str]:
    outside = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    yield from re.findall(r"\]\(([^)\s]+)\)", outside)


def rows(path: Path, section: str) -> list[list[str]]:
    """The cells of the first table of a section, without its head."""
    body = re.split(r"^## ", path.read_text().split(f"\n## {section}\n")[1], flags=re.MULTILINE)[0]
    lines = [line for line in body.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


@EVERY
def test_every_link_leads_somewhere(document: Path) -> None:
    broken = []
    for link in links(document):
        parts = urlsplit(link)
        if parts.scheme in ("https", "mailto"):
            continue
        to = (document.parent / unquote(parts.path)).resolve() if parts.path else document
        if not to.exists() or (parts.fragment and parts.fragment not in anchors(to)):
            broken.append(link)
    assert not broken


@EVERY
def test_every_make_target_that_is_named_exists(document: Path) -> None:
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", code_of(document.read_text()), re.MULTILINE))
    assert named <= targets()


@EVERY
def test_every_command_that_is_named_exists(document: Path) -> None:
    known, unknown = commands(), set()
    for said in COMMAND.findall(code_of(document.read_text())):
        words = re.sub(r"--(?:as|data-dir) +\S+|--[a-z]+", "", said).split()
        name = words[0]
        group = isinstance(known.get(name), click.Group)
        wanted = " ".join(words[:2]) if group and len(words) > 1 else name
        if wanted not in known:
            unknown.add(wanted)
    assert not unknown


@EVERY
def test_every_option_of_a_command_that_is_named_exists(document: Path) -> None:
    everywhere = {option for param in cli.params for option in param.opts}
    known, unknown = commands(), set()
    for line in re.findall(r"(?:^|`)aicp[^\n`]*", code_of(document.read_text()), re.MULTILINE):
        bare = re.sub(r'"[^"]*"', "", line)
        name = next((n for n in sorted(known, key=len, reverse=True) if f" {n}" in bare), "")
        own = {option for param in known[name].params for option in param.opts} if name else set()
        unknown |= {f"{name} {o}" for o in re.findall(r" (--[a-z-]+)", bare)
                    if o not in own | everywhere | {"--help", "--version"}}  # fmt: skip
    assert not unknown


@EVERY
def test_every_setting_that_is_named_is_read_somewhere(document: Path) -> None:
    known = {field.metadata["name"] for field in fields(Settings)}
    source = "\n".join(path.read_text() for path in (HOME / "src").rglob("*.py"))
    named = {name.removesuffix("_FILE") for name in SETTING.findall(document.read_text())}
    assert {name for name in named - known if f'"{name}"' not in source} == set()


@EVERY
def test_every_file_that_is_named_is_there(document: Path) -> None:
    text = document.read_text()
    named = {name for name in PATH.findall(text) if not {"<", "*"} & set(name)}
    assert {name for name in named if not (HOME / name).exists()} == set()
    short = set(SHORT_PATH.findall(text)) - named
    code = HOME / "src/aicp"
    roots = (HOME, HOME / "tests", code, *(path for path in code.iterdir() if path.is_dir()))
    assert {name for name in short if not any((root / name).exists() for root in roots)} == set()


@EVERY
def test_a_document_is_finished_and_names_no_place_of_one_machine(document: Path) -> None:
    text = document.read_text()
    assert set(ABSOLUTE.findall(text)) - SERVED - ELSEWHERE == set()
    assert UNFINISHED.findall(text) == []


def test_the_guide_lists_every_command_with_its_own_first_words() -> None:
    leaves = {n: c for n, c in commands().items() if not isinstance(c, click.Group)}
    told = {
        re.sub(r" +[A-Z\[].*", "", row[0].strip("`")): row[1] for row in rows(GUIDE, "Commands")
    }
    assert told.keys() == {f"aicp {name}" for name in leaves}
    for name, command in leaves.items():
        first = (command.help or "").strip().splitlines()[0]
        assert told[f"aicp {name}"] in {first, COMMANDS.get(name, ("", ""))[1]}, name


def test_the_guide_gives_every_tool_its_undo_tier() -> None:
    told = {
        (row[0], name) for row in rows(GUIDE, "Undo tiers") for name in re.findall(r"`(\w+\.\w+)`", row[2])
    }  # fmt: skip
    calendar: tuple[ToolSpec, ...] = LocalCalendar.tools(None)  # type: ignore[arg-type]
    tools = (*table_tools(exact=True), FOLDERS, DRAFT, SCHEDULE, SEND, *calendar, *INBOX, *CHECKS)
    git = (git_tools.CREATE_BRANCH, git_tools.APPLY_PATCH, git_tools.MERGE_REQUEST)
    tools += (*folder_tools.TOOLS, *git_tools.READS, *git, git_tools.run_tests(("make", "test")))
    assert told == {(tool.undo_tier.value, tool.name) for tool in tools}


def test_the_readme_begins_with_a_picture_and_the_two_commands() -> None:
    text = (HOME / "README.md").read_text()
    picture, block = text.index("!["), text.index("```bash")
    assert 0 < picture < block < text.index("\n## ")
    lines = text[block:].splitlines()[1:3]
    assert [line.split("#")[0].strip() for line in lines] == ["make demo", "make test"]


def test_the_map_has_every_folder_of_the_code_and_every_layer() -> None:
    code = "\n".join(row[0] for row in rows(MAP, "Code map"))
    folders = {p.name for p in (HOME / "src/aicp").iterdir() if any(p.glob("*.py"))}
    missing = {name for name in folders if f"`{name}/`" not in code}
    single = {p.name for p in (HOME / "src/aicp").glob("*.py")} - {"__init__.py"}
    assert missing | {name for name in single if f"`{name}`" not in code} == set()
    layers = re.search(
        r"^layers = \[(.*?)\]", (HOME / "pyproject.toml").read_text(), re.MULTILINE | re.DOTALL
    )
    assert layers is not None
    assert "\n".join(re.findall(r'"([^"]+)"', layers[1])) in MAP.read_text()


def test_the_map_has_every_decision() -> None:
    named = set(re.findall(r"docs/decisions/([\w-]+\.md)", MAP.read_text() + (HOME / "CONTRIBUTING.md").read_text()))  # fmt: skip
    assert named == {path.name for path in (HOME / "docs/decisions").glob("*.md")}


def test_the_contributor_learns_of_every_make_target_and_test_folder() -> None:
    text = (HOME / "CONTRIBUTING.md").read_text()
    assert {name for name in targets() if f"make {name}" not in text} == set()
    folders = {path.parent.name for path in (HOME / "tests").glob("*/test_*.py")}
    assert {name for name in folders if f"tests/{name}" not in text} == set()


def test_pictures_are_small_and_used() -> None:
    used = "\n".join(path.read_text() for path in DOCUMENTS)
    for picture in (HOME / "docs/images").iterdir():
        assert picture.stat().st_size < 200_000
        assert picture.name in used
