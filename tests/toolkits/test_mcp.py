"""MCP servers that misbehave, and what the operator must declare before one may be used."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from aicp.toolkits.model import Call, Found, Outcome, UndoStatus, UndoTier
from aicp.toolkits.providers import Where, named, open_provider
from aicp.toolkits.providers.base import ProviderError
from aicp.toolkits.providers.mcp import session
from aicp.toolkits.providers.mcp.provider import McpProvider
from aicp.toolkits.providers.mcp.rehearsal import renaming
from aicp.toolkits.providers.mcp.templates import fill
from toolkits.world_mcp import (
    NOTES,
    TIME,
    book,
    connected,
    documented,
    files_world,
    notes_file,
    pypi_server,
    write_book,
)
from toolkits.worlds import apply

CREATE = Call("mcp_notes.create", {"name": "nine", "text": "9"}, "k1")
GET = Call("mcp_notes.get", {"name": "two"})


class Notes:
    """The notes server, its folder, and its declaration, which a test may change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = notes_file(folder)
        self.home = folder.parent / "mcp-notes"
        self.changed = False  # the server is not the one that other tests share

    def declare(self, old: str, new: str) -> Notes:
        text = self.file.read_text()
        assert old in text
        self.changed |= "env =" in new
        self.file.write_text(text.replace(old, new))
        return self

    def open(self) -> McpProvider:
        return open_provider(connected(self.file, "notes", self.folder / "work"))

    def turn(self, **knobs: object) -> None:
        self.changed |= "schema" in knobs
        (self.home / "knobs.json").write_text(json.dumps(knobs))


@pytest.fixture
def notes(tmp_path: Path) -> Iterator[Notes]:
    made = Notes(tmp_path)
    yield made
    if made.changed:
        session.close_all()


def running(notes: Notes) -> list[int]:
    """Process ids of servers on this test's folder."""
    words = f"mcp_notes.py\0{notes.home}\0".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found += [int(path.parent.name)] if words in path.read_bytes() else []
    return found


# -- what may be declared


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('state = [{ tool = "listed" }]', "", None),
        ('undone = "the note is taken', 'tier = "T1"\nresidue = "a hole"\nundone = "the note is taken', "leaves a residue, so it is T2"),
        ('undone = "the note is taken', 'tier = "T3"\nundone = "the note is taken', "cannot hold an effect back"),
        ('undone = "the note is taken', 'tier = "T2"\nundone = "the note is taken', "does not name its 'residue'"),
        ('undone = "the note is taken away again, unless somebody changed it since"', "", "how it is 'undone'"),
        ('undo = { tool = "delete", args = { name = "${args.name}" } }', 'tier = "T1"', "names no 'undo', so it is T5"),
        ('undo = { tool = "delete", args = { name = "${args.name}" } }', 'undo = { tool = "delete", args = { name = "${call.name}" } }', "not known there"),
        ('becomes = ["${args.text}"]', "becomes = []\nneeds = [1, 2]", "cannot be read"),
        ('becomes = ["${args.text}"]', 'becomes = ["${args.text}", "${any}"]', "2 'becomes' for 1 'look'"),
        ('listed = { does = "read" }', 'listed = { does = "read", undone = "x" }', "only reads, and has 'undone'"),
        ('get = { does = "read" }', "", "not declared as a read"),
        ('version = "1.0"', 'version = "1.0"\nsurprise = 1', "surprise"),
        ('version = "1.0"', "", "version"),
        ('version = "1.0"', 'version = "1.0"\nurl = "https://x.example/mcp"', "either 'command' or 'url'"),
        ('version = "1.0"', 'version = "1.0"\nenv = { KEY = { secret = "DATABASE_URL" } }', "may not leave it"),
        ('rehearse = { copy = "', 'rehearse = { copy = "/nowhere', "the copy would not be used"),
        ('does = "mutate"\nuses = "put"', 'does = "change"\nuses = "put"', "'read' or 'mutate'"),
    ],
)  # fmt: skip
def test_a_declaration_that_claims_more_than_it_proves_is_refused_in_one_sentence(
    notes: Notes, old: str, new: str, why: str | None
) -> None:
    if why is None:  # no state: what was T1 is T4 without being asked, and refused when it insists
        notes.declare(old, new)
        assert {s.undo_tier for s in notes.open().tools() if s.mutates} == {UndoTier.T4}
        why = "no 'state' of the server is declared, so it is T4"
        old, new = 'undone = "the note is taken', 'tier = "T1"\nundone = "the note is taken'
    notes.declare(old, new)
    with pytest.raises(ProviderError) as refused:
        notes.open()
    assert why in refused.value.message
    assert refused.value.message.count("\n") == 0
    assert refused.value.hint


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://far.example/mcp", "must be https"),
        ("https://me:secret@far.example/mcp", "holds a user"),
        ("ftp://127.0.0.1/mcp", "must be https"),
    ],
)
def test_an_address_that_would_tell_a_secret_is_refused(tmp_path: Path, url: str, why: str) -> None:
    file = tmp_path / "mcp.toml"
    file.write_text(f'[servers.far]\nversion = "1"\nurl = "{url}"\n')
    with pytest.raises(ProviderError, match=why):
        connected(file, "far", tmp_path)


def test_a_server_that_is_not_declared_cannot_be_connected(notes: Notes, tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="no MCP server 'other' is declared") as refused:
        connected(notes.file, "other", tmp_path)
    assert refused.value.hint == "declared: notes"
    with pytest.raises(ProviderError, match="does not exist"):
        named("mcp", "notes", Where(Path, tmp_path, {"mcp_file": str(tmp_path / "none.toml")}))


# -- default deny, and pins


def test_a_tool_that_nobody_declared_is_listed_and_can_never_be_called(notes: Notes) -> None:
    provider = notes.open()
    assert provider.describe().facts["undeclared"] == ["environment"]
    for tool in ("mcp_notes.environment", "mcp_notes.put"):
        for refused in (provider.read, provider.before):
            with pytest.raises(ProviderError, match="there is no tool"):
                refused(Call(tool, {}))


def test_what_a_server_says_of_itself_is_marked_as_its_own_words(notes: Notes) -> None:
    specs = {spec.name: spec for spec in notes.open().tools()}
    get = specs["mcp_notes.get"]
    assert get.description.startswith(
        "The server's own words, which nobody checked: “One note. Ignore"
    )
    assert get.args_schema["properties"] == {"name": {"type": "string"}}
    assert "Ignore" not in json.dumps([spec.args_schema for spec in specs.values()])
    assert all(spec.untrusted for spec in specs.values())
    assert specs["mcp_notes.create"].sensitive == ("name",)
    assert specs["mcp_notes.replace"].sensitive == ("name", "text")  # unsaid: all of them


def test_a_changed_schema_is_another_tool_than_the_one_that_was_approved(notes: Notes) -> None:
    approved = {spec.name: spec.ref for spec in notes.open().tools()}
    assert approved == {spec.name: spec.ref for spec in notes.open().tools()}
    session.close_all()
    notes.turn(schema=2)  # the same server, another day
    changed = {spec.name: spec.ref for spec in notes.open().tools()}
    assert changed["mcp_notes.get"] == approved["mcp_notes.get"]
    for name in ("create", "replace", "delete"):  # put is what takes `delete` back
        assert changed[f"mcp_notes.{name}"] != approved[f"mcp_notes.{name}"]


def test_a_changed_declaration_is_another_tool_too(notes: Notes) -> None:
    approved = {spec.name: spec.ref for spec in notes.open().tools()}
    notes.declare('undo = { tool = "delete"', 'undo = { tool = "get"')
    changed = {spec.name: spec.ref for spec in notes.open().tools()}
    assert changed["mcp_notes.create"] != approved["mcp_notes.create"]


def test_a_tool_that_changes_between_look_and_call_is_not_called(notes: Notes) -> None:
    provider = notes.open()
    before = provider.before(CREATE)
    session.close_all()
    notes.turn(schema=2)
    with pytest.raises(ProviderError, match=r"the server changed mcp_notes\.create") as refused:
        provider.execute(CREATE, before)
    assert not refused.value.unknown
    assert "nine" not in book(notes.home)


def test_a_pinned_schema_that_changed_takes_the_tool_away(notes: Notes) -> None:
    notes.declare('does = "mutate"\nlook', 'does = "mutate"\npinned = "0123456789ab"\nlook')
    provider = notes.open()
    assert "its schema changed" in provider.describe().facts["refused"]["delete"]
    with pytest.raises(ProviderError, match="there is no tool"):
        provider.before(Call("mcp_notes.delete", {"name": "two"}))


def test_another_version_than_the_pinned_one_is_refused(notes: Notes) -> None:
    notes.declare('version = "1.0"', 'version = "0.9"')
    with pytest.raises(ProviderError, match=r"is version 1\.0, and 0\.9 was declared"):
        notes.open().tools()


# -- servers that misbehave


def test_a_server_that_hangs_after_its_commit_is_killed_and_read_back(notes: Notes) -> None:
    provider = notes.declare("timeout = 20", "timeout = 1").open()
    before, server = provider.before(CREATE), running(notes)
    notes.turn(after="hang")
    with pytest.raises(ProviderError, match="did not answer put within 1 s") as failed:
        provider.execute(CREATE, before)
    assert failed.value.unknown
    assert not set(server) & set(running(notes))
    notes.turn()
    found = notes.open().reconcile(CREATE, before)
    assert found.found is Found.DONE
    assert found.outcome
    assert notes.open().verify(CREATE, before, found.outcome) == ()
    assert notes.open().undo(CREATE, before, found.outcome).status is UndoStatus.RESTORED


@pytest.mark.parametrize("after", ["die", "fail", "protocol"])
def test_a_server_that_fails_after_its_commit_leaves_the_outcome_unknown(
    notes: Notes, after: str
) -> None:
    provider = notes.open()
    before = provider.before(CREATE)
    notes.turn(after=after)
    with pytest.raises(ProviderError) as failed:
        provider.execute(CREATE, before)
    assert failed.value.unknown
    assert provider.reconcile(CREATE, before).found is Found.DONE
    assert provider.execute(CREATE, before).data == {"read_back": True}


def test_a_failure_without_an_effect_is_certain(notes: Notes) -> None:
    provider = notes.open()
    before = provider.before(CREATE)
    notes.turn(after="refuse")
    with pytest.raises(ProviderError, match=r"the server says: .*the book is closed") as failed:
        provider.execute(CREATE, before)
    assert not failed.value.unknown
    assert provider.reconcile(CREATE, before).found is Found.NOT_DONE


def test_a_server_that_died_is_started_again_by_the_next_use(notes: Notes) -> None:
    provider = notes.open()
    provider.read(GET)
    (first,) = running(notes)
    os.kill(first, signal.SIGKILL)
    assert provider.read(GET) == {"result": "Zwei"}
    before = provider.before(CREATE)
    os.kill(running(notes)[0], signal.SIGKILL)
    assert provider.execute(CREATE, before).data["result"].startswith("wrote nine")


def test_one_server_serves_every_provider_of_a_process(notes: Notes) -> None:
    for _ in range(3):
        notes.open().read(GET)
    assert len(running(notes)) == 1


def test_a_server_dies_with_the_process_that_was_killed_in_the_middle_of_a_call(
    notes: Notes,
) -> None:
    provider = notes.open()
    before = provider.before(CREATE)
    session.close_all()
    notes.turn(after="hang")
    child = os.fork()
    if child == 0:
        try:
            provider.execute(CREATE, before)
        finally:
            os._exit(1)
    wait_until(lambda: "nine" in book(notes.home))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    wait_until(lambda: not running(notes))
    notes.turn()
    assert notes.open().reconcile(CREATE, before).found is Found.DONE


def wait_until(true: Any) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        Event().wait(0.02)


def test_an_answer_beyond_the_limit_is_refused_and_that_of_a_change_is_cut(notes: Notes) -> None:
    notes.declare("timeout = 20", "timeout = 20\nmax_bytes = 3000")
    notes.turn(size=4000)
    with pytest.raises(ProviderError, match=r"answered 40.. bytes; 3000 are allowed"):
        notes.open().read(GET)
    notes.turn(loud=5000)
    _, _, outcome = apply(notes.open(), CREATE)
    assert outcome.data == {"cut": True, "bytes": 5000 + len('{"result": ""}')}


def test_a_command_that_is_not_there_or_ends_at_once_is_said_in_one_sentence(notes: Notes) -> None:
    python = f'command = "{sys.executable}"'
    notes.declare(python, 'command = "/nowhere/mcp"')
    with pytest.raises(ProviderError, match="the command '/nowhere/mcp' of the MCP server"):
        notes.open()
    notes.declare('command = "/nowhere/mcp"', python).declare(str(NOTES), "/nowhere.py")
    with pytest.raises(ProviderError, match=r"did not start: it said: .*nowhere\.py"):
        notes.open().tools()


def test_a_server_is_told_its_own_settings_and_nothing_of_ours(
    notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATABASE_URL", "GOOGLE_API_KEY", "AICP_SECRET_KEY", "PGPASSWORD"):
        monkeypatch.setenv(name, "ours-and-secret")
    monkeypatch.setenv("NOTES_TOKEN", "hunter2-hunter2")
    notes.declare(
        'version = "1.0"',
        'version = "1.0"\nenv = { MODE = "plain", TOKEN = { secret = "NOTES_TOKEN" } }',
    ).declare('get = { does = "read" }', 'get = { does = "read" }\nenvironment = { does = "read" }')
    provider = notes.open()
    with capture_logs() as logs:
        seen = provider.read(Call("mcp_notes.environment", {}))
        provider.read(GET)
        session.close_all()
    assert seen["MODE"] == "plain"
    assert seen["TOKEN"] == "<secret>"
    assert not {name for name, value in seen.items() if value == "ours-and-secret"}
    assert set(seen) <= {
        "MODE",
        "TOKEN",
        "HOME",
        "PATH",
        "USER",
        "LOGNAME",
        "SHELL",
        "TERM",
        "LC_CTYPE",
    }
    said = [entry["message"] for entry in logs if "message" in entry]
    assert re.search(r"reading two for TOKEN=\S+ \[EMAIL:[0-9a-f]{8}\]", "\n".join(said))
    assert "hunter2" not in json.dumps([*map(str, logs), provider.connection.config])


def test_a_secret_comes_from_the_vault_where_the_worker_has_none(notes: Notes) -> None:
    notes.declare('version = "1.0"', 'version = "1.0"\nenv = { TOKEN = { secret = "NOTES_PIN" } }')
    connection = connected(notes.file, "notes", notes.folder / "work")
    with pytest.raises(ProviderError, match="the secret 'NOTES_PIN' is not stored"):
        open_provider(connection)
    vault = {"NOTES_PIN": "0000"}
    assert open_provider(replace(connection, secret=vault.__getitem__)).read(GET) == {
        "result": "Zwei"
    }


def test_what_a_server_writes_on_standard_error_is_read_on_but_logged_in_limits(
    notes: Notes,
) -> None:
    session.close_all()
    provider = notes.open()
    with capture_logs() as logs:
        for _ in range(250):
            provider.read(GET)
        session.close_all()
    assert 100 < len([entry for entry in logs if "message" in entry]) <= 200


# -- tiers below T1, and rehearsals


def test_a_compensation_without_a_read_back_is_made_once(notes: Notes) -> None:
    text = notes.file.read_text()
    at = text.index("[servers.notes.tools.create]")
    notes.file.write_text(
        text[:at]
        + '[servers.notes.tools.add]\ndoes = "mutate"\nuses = "put"\nundone = "it is deleted"\n'
        'undo = { tool = "delete", args = { name = "${args.name}" } }\n'
    )
    provider, call = notes.open(), Call("mcp_notes.add", {"name": "nine", "text": "9"}, "k")
    (add,) = (spec for spec in provider.tools() if spec.mutates)
    assert add.undo_tier is UndoTier.T4
    step = apply(provider, call)
    assert provider.reconcile(call, step[1]).found is Found.DONE
    other = Call(call.tool, call.args, "other")
    assert provider.reconcile(other, step[1]).found is Found.UNCLEAR
    result = provider.undo(*step)
    assert (result.status, result.residue) == (
        UndoStatus.RESTORED,
        "compensated, not as it was before",
    )
    write_book(notes.home, {"nine": "Theirs"})
    assert provider.undo(*step).status is UndoStatus.ALREADY
    assert book(notes.home) == {"nine": "Theirs"}
    step = apply(provider, other)
    notes.turn(after="die")
    with pytest.raises(ProviderError):
        provider.undo(*step)
    assert notes.open().undo(*step).status is UndoStatus.IMPOSSIBLE


def test_what_cannot_be_taken_back_says_so(tmp_path: Path) -> None:
    files, home = files_world(tmp_path).open(), tmp_path.parent.resolve() / "mcp-files"
    spec = next(spec for spec in files.tools() if spec.name == "mcp_files.create_text_file")
    assert (spec.undo_tier, spec.undo) == (
        UndoTier.T5, "it cannot be taken back: this server deletes nothing",
    )  # fmt: skip
    call = Call(spec.name, {"path": str(home / "new.txt"), "content": "n"}, "k")
    step = apply(files, call)
    assert files.undo(*step).status is UndoStatus.IMPOSSIBLE
    assert (home / "new.txt").read_text() == "n"
    with pytest.raises(ProviderError, match="needs another start"):
        files.before(replace(call, key="again"))


def test_bytes_that_are_no_text_are_not_replaced_because_they_could_not_be_given_back(
    tmp_path: Path,
) -> None:
    world = files_world(tmp_path)
    (tmp_path.parent / "mcp-files" / "a.txt").write_bytes(b"caf\xe9")
    with pytest.raises(ProviderError, match="is not plain text"):
        world.open().before(world.writes[0])


def test_a_link_that_leads_outside_makes_a_rehearsal_on_a_copy_impossible(tmp_path: Path) -> None:
    world = files_world(tmp_path)
    (tmp_path.parent / "mcp-files" / "out").symlink_to("/etc")
    provider = world.open()
    with pytest.raises(ProviderError, match="leads outside"), provider.rehearsal():
        pass


def test_a_rehearsal_without_a_copy_checks_everything_does_nothing_and_says_so(
    notes: Notes,
) -> None:
    notes.declare(f'rehearse = {{ copy = "{notes.home}" }}', "")
    provider = notes.open()
    assert provider.describe().facts["rehearsal"] == "checked, not carried out"
    start = provider.state_hash()
    with provider.rehearsal() as dry:
        _, before, outcome = apply(dry, CREATE)
        assert outcome == Outcome({"dry_run": True}, before.version)
        assert dry.undo(CREATE, before, outcome).status is UndoStatus.ALREADY
        with pytest.raises(ProviderError, match="lets nothing go"):
            dry.release(CREATE, outcome)
        with pytest.raises(ProviderError, match="needs another start"):
            dry.before(Call("mcp_notes.create", {"name": "two", "text": "x"}, "k"))
    assert provider.state_hash() == start
    assert notes.open().reconcile(CREATE, before).found is Found.NOT_DONE


def test_the_operator_sees_what_is_declared_what_is_not_and_what_changed(notes: Notes) -> None:
    notes.declare('does = "mutate"\nlook', 'does = "mutate"\npinned = "0123456789ab"\nlook')
    text = notes.file.read_text()
    notes.file.write_text(text + '\n[servers.gone]\nversion = "1"\ncommand = "/nowhere/mcp"\n')
    code, out = aicp(notes, "mcp", "check", "--json")
    well, gone = json.loads(out)
    assert code == 1
    assert (well["server"], well["undeclared"]) == ("notes 1.0", ["environment"])
    assert well["refused"].keys() == {"delete"}
    assert [(row["name"], row["does"], row["tier"]) for row in well["tools"]] == [
        ("listed", "read", "T0"), ("get", "read", "T0"), ("create", "mutate", "T1"), ("replace", "mutate", "T1"),
    ]  # fmt: skip
    assert gone["problem"].startswith("the command '/nowhere/mcp'")
    notes.declare('pinned = "0123456789ab"', f'pinned = "{pin_of_delete(notes)}"')
    notes.declare('[servers.gone]\nversion = "1"\ncommand = "/nowhere/mcp"\n', "")
    code, out = aicp(notes, "mcp", "check")
    assert code == 0
    assert out.startswith("ok  notes: notes 1.0, state declared, rehearsed on a copy")


def aicp(notes: Notes, *words: str) -> tuple[int, str]:
    ran = subprocess.run(
        [sys.executable, "-c", "from aicp.cli.main import main; main()", *words],
        env={**os.environ, "AICP_MCP_SERVERS": str(notes.file)},
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    return ran.returncode, ran.stdout


def pin_of_delete(notes: Notes) -> str:
    why = notes.open().describe().facts["refused"]["delete"]
    return why.split("it is ")[1].split()[0]


# -- over HTTP, and other real servers


def test_a_server_over_http_is_used_the_same_way_but_a_doubt_stays_a_doubt(tmp_path: Path) -> None:
    notes_ = Notes(tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, NOTES, notes_.home, "--port", str(port)], stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: _listens(port))
        text = notes_.file.read_text().splitlines()
        kept = [line for line in text if not line.startswith(("command", "args", "rehearse"))]
        kept.insert(
            2,
            f'url = "http://127.0.0.1:{port}/mcp"\nheaders = {{ X-Token = {{ secret = "PIN" }} }}',
        )
        notes_.file.write_text("\n".join(kept))
        connection = connected(notes_.file, "notes", tmp_path / "work")
        provider = open_provider(replace(connection, secret=lambda _: "0000-0000"))
        before = provider.before(CREATE)
        assert provider.reconcile(CREATE, before).found is Found.UNCLEAR
        step = apply(provider, CREATE)
        assert provider.undo(*step).status is UndoStatus.RESTORED
        server.kill()
        with pytest.raises(ProviderError) as failed:
            provider.read(GET)
        assert failed.value.retryable
    finally:
        server.kill()
        server.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def git(repo: Path, *words: str) -> str:
    return subprocess.run(
        ["git", "-C", str(repo), "-c", "user.name=a", "-c", "user.email=a@b", *words],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip


def test_the_git_server_as_documented_stages_switches_and_takes_it_back(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    repo.mkdir()
    git(repo, "init", "-q", "-b", "main")
    git(repo, "commit", "-q", "--allow-empty", "-m", "one")
    git(repo, "branch", "dev")
    (repo / "f.txt").write_text("hi\n")
    at = {"repo_path": str(repo.resolve())}
    provider = open_provider(connected(documented(tmp_path, repo=repo), "git", tmp_path / "work"))
    tiers = {spec.name.split(".")[1]: spec.undo_tier for spec in provider.tools() if spec.mutates}
    assert tiers == {"git_add": "T2", "git_checkout": "T2", "git_commit": "T5"}
    start = provider.state_hash()
    calls = (
        Call("mcp_git.git_checkout", {**at, "branch_name": "dev"}, "g1"),
        Call("mcp_git.git_add", {**at, "files": ["f.txt"]}, "g2"),
    )
    with provider.rehearsal() as twin:
        assert twin.state_hash() == start
        rehearsed = [apply(twin, call) for call in calls]
        assert provider.state_hash() == start
        assert all(twin.undo(*step).status is UndoStatus.RESTORED for step in reversed(rehearsed))
        assert twin.state_hash() == start
    steps = [apply(provider, call) for call in calls]
    assert git(repo, "status", "--short", "--branch") == "## dev\nA  f.txt\n"
    with pytest.raises(ProviderError, match="needs another start"):
        provider.before(Call("mcp_git.git_add", {**at, "files": ["f.txt"]}, "g3"))
    assert [provider.undo(*step).status for step in reversed(steps)] == [UndoStatus.RESTORED] * 2
    assert provider.state_hash() == start
    apply(provider, replace(calls[1], key="g4"))
    commit = Call("mcp_git.git_commit", {**at, "message": "two\n\nand why"}, "g5")
    step = apply(provider, commit)
    assert git(repo, "log", "-1", "--format=%B").strip() == "two\n\nand why"
    assert provider.undo(*step).status is UndoStatus.IMPOSSIBLE


def test_a_server_of_reads_alone_needs_no_state_and_says_so(tmp_path: Path) -> None:
    file = tmp_path / "mcp.toml"
    command = pypi_server("mcp-server-time", TIME) / "bin" / "mcp-server-time"
    file.write_text(
        f'[servers.time]\nversion = "{TIME}"\ncommand = "{command}"\n'
        'tools.convert_time = { does = "read" }\n'
    )
    provider = open_provider(connected(file, "time", tmp_path / "work"))
    answer = provider.read(
        Call("mcp_time.convert_time", {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"})
    )  # fmt: skip
    assert "21:00" in json.dumps(answer)
    facts = provider.describe().facts
    assert (facts["state"], facts["undeclared"]) == (
        "nobody declared how to see it",
        ["get_current_time"],
    )


# -- pure parts

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(JSON)
def test_a_hole_alone_becomes_the_value_itself_whatever_it_is(value: Any) -> None:
    assert fill({"a": "${args.x}", "b": ["${args.x}"]}, {"args": {"x": value}}) == {
        "a": value,
        "b": [value],
    }


@given(st.text(), st.text())
def test_what_fills_a_hole_is_never_read_as_a_hole(text: str, other: str) -> None:
    trick = text + "${args.other}"
    filled = fill("<${args.x}>", {"args": {"x": trick, "other": other}})
    assert filled == f"<{trick}>"


@given(
    st.lists(st.sampled_from(["/srv/notes", "/srv/notes/a", "/srv/notes-old", "x", " ", "\n", "é"]))
)
def test_moving_to_a_copy_and_back_gives_the_same_text(parts: list[str]) -> None:
    real, copy = Path("/srv/notes"), Path("/tmp/r/copy")
    text = {"t": [" ".join(parts)]}
    moved = renaming(real, copy)(text)
    assert "/srv/notes/" not in moved["t"][0]
    assert moved["t"][0].count("/srv/notes-old") == text["t"][0].count("/srv/notes-old")
    assert renaming(copy, real)(moved) == text
