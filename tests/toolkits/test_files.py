"""A connected folder among hostile names, links, full disks and other people (M4, TR-9, TR-11, I-3)."""

from __future__ import annotations

import io
import json
import os
import resource
import shutil
import socket
import zipfile
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aicp.toolkits.model import Call, Found, Outcome, UndoStatus
from aicp.toolkits.providers import Where, named, open_provider
from aicp.toolkits.providers.base import Connection, Provider, ProviderError
from aicp.toolkits.providers.local import folder_reads
from toolkits import world_files
from toolkits.worlds import apply


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path.resolve() / "files"
    made.mkdir()
    return made


def opened(root: Path) -> Provider:
    return open_provider(Connection("files", "files", {"path": str(root)}, root.parent / "work"))


def ask(root: Path, tool: str, **args) -> dict:
    return opened(root).read(Call(f"files.{tool}", args))


def do(root: Path, tool: str, key: str = "k", **args):
    return apply(opened(root), Call(f"files.{tool}", args, key))


def refused(root: Path, tool: str, **args) -> str:
    """The one sentence that refuses a call, before anything happened."""
    provider = opened(root)
    start = provider.state_hash()
    with pytest.raises(ProviderError) as refusal:
        provider.before(Call(f"files.{tool}", args, "refused"))
    assert provider.state_hash() == start
    assert "\n" not in refusal.value.message
    return refusal.value.message


OUTSIDE = ["..", "../secret", "a/../../secret", "/etc/passwd", "a//b", "./a", "a/.", "a\0b", "a/\ud800",
           "x" * 256, "/".join("d" * 200 for _ in range(30))]  # fmt: skip


@pytest.mark.parametrize("path", OUTSIDE)
def test_no_path_leads_out_of_the_folder(root: Path, path: str) -> None:
    (root.parent / "secret").write_text("secret")
    (root / "a").mkdir()
    (root / "mine").write_text("mine")
    for tool, args in {
        "write": {"path": path, "text": "x"},
        "delete": {"path": path},
        "move": {"path": "mine", "to": path},
        "folder": {"path": path},
        "archive": {"to": "z.zip", "paths": [path]},
    }.items():
        assert refused(root, tool, **args)
    for tool in ("read", "stat", "list", "duplicates"):
        with pytest.raises(ProviderError):
            ask(root, tool, path=path)
    assert (root.parent / "secret").read_text() == "secret"


def test_links_are_shown_and_never_followed(root: Path) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (root / "file").symlink_to(outside / "secret")
    (root / "folder").symlink_to(outside)
    (root / "mine").write_text("mine")
    assert [entry["kind"] for entry in ask(root, "list", recursive=True)["entries"]] == ["link", "link", "file"]  # fmt: skip
    for path in ("file", "folder/secret"):
        with pytest.raises(ProviderError):
            ask(root, "read", path=path)
        for tool in ("delete", "write", "redact", "mode"):
            more = {"write": {"text": "x"}, "redact": {"strings": ["s"]}, "mode": {"mode": "0600"}}
            assert refused(root, tool, path=path, **more.get(tool, {}))
    assert "link or a file" in refused(root, "move", path="mine", to="folder/mine")
    assert "is a link" in refused(root, "archive", to="all.zip", paths=["file"])
    assert (outside / "secret").read_text() == "secret"
    assert sorted(path.name for path in outside.iterdir()) == ["secret"]


def test_a_folder_that_becomes_a_link_at_the_last_moment_leads_nowhere(root: Path) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "a").write_bytes(b"same")
    (root / "sub").mkdir()
    (root / "sub/a").write_bytes(b"same")
    provider = opened(root)
    calls = [
        Call("files.delete", {"path": "sub/a"}, "k1"),
        Call("files.write", {"path": "sub/b", "text": "x"}, "k2"),
        Call("files.move", {"path": "sub/a", "to": "sub/c"}, "k3"),
    ]
    images = [provider.before(call) for call in calls]
    shutil.rmtree(root / "sub")
    (root / "sub").symlink_to(outside)
    for call, image in zip(calls, images, strict=True):
        with pytest.raises(ProviderError):
            provider.execute(call, image)
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == {"a": b"same"}


def test_pipes_sockets_and_devices_are_never_opened(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "socket"))
        for name in ("pipe", "socket"):
            with pytest.raises(ProviderError, match="no regular file"):
                ask(root, "read", path=name)
            assert "no regular file" in refused(root, "delete", path=name)
            assert "special" in refused(root, "move", path=name, to="other")
        assert opened(root).describe().facts["special"] == 2
        with opened(root).rehearsal() as twin:
            assert twin.state_hash() == opened(root).state_hash()


@pytest.mark.parametrize("name", ["two\nlines", "tab\there", "bidi\u202egpj.exe", "\x1b[2J"])
def test_a_new_name_that_cannot_be_seen_is_refused_and_an_old_one_can_be_mended(
    root: Path, name: str
) -> None:
    (root / "plain").write_text("x")
    assert "cannot be seen" in refused(root, "write", path=name, text="x")
    assert "cannot be seen" in refused(root, "move", path="plain", to=name)
    (root / name).write_text("theirs")
    step = do(root, "move", path=name, to="mended")
    assert (root / "mended").read_text() == "theirs"
    assert opened(root).undo(*step).status is UndoStatus.RESTORED
    assert (root / name).read_text() == "theirs"


def test_a_name_that_is_no_text_is_listed_kept_and_cannot_be_named(root: Path) -> None:
    (root / os.fsdecode(b"\xff")).write_bytes(b"?")
    entries = ask(root, "list")["entries"]
    assert [(entry["path"], entry["usable"]) for entry in entries] == [("\\udcff", False)]
    json.dumps(entries).encode()
    assert opened(root).describe().facts["unusable"] == 1
    assert "not all text" in refused(root, "delete", path=os.fsdecode(b"\xff"))
    (root / "sub").mkdir()
    (root / os.fsdecode(b"\xff")).rename(root / os.fsdecode(b"sub/\xff"))
    assert "cannot be the name" in refused(root, "archive", to="z.zip", paths=["sub"])


@pytest.mark.parametrize("path", [".git/hooks/post-commit", "sub/.GIT/config", ".git"])
def test_what_belongs_to_git_is_not_written(root: Path, path: str) -> None:
    (root / ".git/hooks").mkdir(parents=True)
    (root / "sub").mkdir()
    (root / "hook").write_text("#!/bin/sh\n")
    assert "git itself" in refused(root, "write", path=path, text="x")
    assert "git itself" in refused(root, "move", path="hook", to=path)


def test_what_an_undo_could_not_bring_back_is_refused(root: Path) -> None:
    (root / "one").write_text("x")
    os.link(root / "one", root.parent / "elsewhere")
    for tool, more in (("delete", {}), ("write", {"text": "y"}), ("mode", {"mode": "0600"})):
        assert "hard link" in refused(root, tool, path="one", **more)
    (root / "tagged").write_text("x")
    try:
        os.setxattr(root / "tagged", "user.comment", b"mine")
    except OSError:
        pytest.skip("this file system has no attributes")
    assert "user.comment" in refused(root, "delete", path="tagged")
    step = do(root, "move", path="tagged", to="moved")
    assert opened(root).undo(*step).status is UndoStatus.RESTORED
    assert os.getxattr(root / "tagged", "user.comment") == b"mine"


def test_huge_and_deep_trees_are_refused_in_one_sentence(root: Path, monkeypatch) -> None:
    with (root / "sparse").open("wb") as file:
        file.truncate(3 << 30)
    for act in (lambda: opened(root).describe(), lambda: ask(root, "stat", path="sparse")):
        with pytest.raises(ProviderError, match="1 GiB"):
            act()
    assert len(ask(root, "read", path="sparse", length=10)["base64"]) > 0
    (root / "sparse").unlink()
    here = Path.cwd()
    os.chdir(root)
    for _ in range(1500):
        Path("d").mkdir()
        os.chdir("d")
    os.chdir(here)
    for act in (lambda: opened(root).describe(), lambda: ask(root, "stat", path="d")):
        with pytest.raises(ProviderError, match="nested more than 64 deep"):
            act()
    os.system(f"rm -rf '{root}/d'")
    monkeypatch.setattr(folder_reads, "MOST_ENTRIES", 3)
    for number in range(4):
        (root / str(number)).touch()
    with pytest.raises(ProviderError, match="more than 3 entries"):
        opened(root).state_hash()


@contextmanager
def disk_that_ends_at(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_the_disk_breaks_off_leaves_nothing(root: Path) -> None:
    (root / "old").write_bytes(b"a" * 500_000)
    provider = opened(root)
    start = provider.state_hash()
    for call in (
        Call("files.write", {"path": "new", "text": "x" * 500_000}, "k1"),
        Call("files.write", {"path": "old", "text": "x" * 500_000}, "k2"),
        Call("files.delete", {"path": "old"}, "k3"),  # its bytes do not fit into the trash
    ):
        image = provider.before(call)
        with disk_that_ends_at(100_000), pytest.raises(ProviderError) as failure:
            provider.execute(call, image)
        assert not failure.value.unknown
        assert provider.state_hash() == start
        assert [path.name for path in root.iterdir()] == ["old"]
        assert provider.reconcile(call, image).found is Found.NOT_DONE
    apply(provider, call)
    assert list(root.iterdir()) == []


@contextmanager
def nobody() -> Iterator[Path]:
    """A folder whose files a user without rights works on."""
    with TemporaryDirectory() as made:
        folder = Path(made).resolve()
        folder.chmod(0o777)
        privileged = os.geteuid() == 0
        if privileged:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            if privileged:
                os.seteuid(0)


def test_missing_rights_are_one_sentence_and_change_nothing() -> None:
    with nobody() as folder:
        root = folder / "files"
        (root / "shut").mkdir(parents=True)
        (root / "shut/a").write_text("x")
        (root / "unreadable").write_text("x")
        (root / "unreadable").chmod(0)
        (root / "shut").chmod(0o555)
        provider = opened(root)
        for call in (
            Call("files.delete", {"path": "shut/a"}, "k1"),
            Call("files.write", {"path": "shut/b", "text": "x"}, "k2"),
        ):
            image = provider.before(call)
            with pytest.raises(ProviderError, match="may not be read or written"):
                provider.execute(call, image)
        with pytest.raises(ProviderError, match="may not be read or written"):
            provider.before(Call("files.mode", {"path": "unreadable", "mode": "0600"}, "k3"))
        with pytest.raises(ProviderError, match="may not be read or written"):
            provider.describe()
        assert [path.name for path in (root / "shut").iterdir()] == ["a"]
        (root / "shut").chmod(0o755)


def test_a_place_that_was_taken_meanwhile_is_not_overwritten(root: Path) -> None:
    (root / "a").write_text("mine")
    provider = opened(root)
    calls = [
        Call("files.move", {"path": "a", "to": "b"}, "k1"),
        Call("files.write", {"path": "b", "text": "x"}, "k2"),
        Call("files.archive", {"to": "b.zip", "paths": ["a"]}, "k3"),
    ]
    images = [provider.before(call) for call in calls]
    (root / "b").write_text("theirs")
    (root / "b.zip").write_text("theirs")
    for call, image in zip(calls, images, strict=True):
        with pytest.raises(ProviderError, match="changed by somebody else"):
            provider.execute(call, image)
        assert provider.reconcile(call, image).found is Found.UNCLEAR
    assert {path.name: path.read_text() for path in root.iterdir()} == {
        "a": "mine", "b": "theirs", "b.zip": "theirs",
    }  # fmt: skip


def test_a_plan_is_bound_to_the_version_that_was_read(root: Path) -> None:
    (root / "a").write_text("as planned")
    version = ask(root, "stat", path="a")["version"]
    (root / "a").write_text("as it is now")
    for tool, more in (("delete", {}), ("write", {"text": "x"}), ("move", {"to": "b"})):
        assert "changed since" in refused(root, tool, path="a", expect_version=version, **more)


def test_even_a_touched_file_is_not_put_back(root: Path) -> None:
    (root / "a").write_text("old")
    step = do(root, "write", path="a", text="new")
    os.utime(root / "a", ns=(1, 1))
    result = opened(root).undo(*step)
    assert result.status is UndoStatus.CONFLICT
    assert [row["field"] for row in result.difference] == ["a: modified"]
    assert (root / "a").read_text() == "new"


def test_undo_without_its_trash_says_so_and_touches_nothing(root: Path) -> None:
    (root / "a").write_text("old")
    step = do(root, "delete", path="a")
    shutil.rmtree(root.parent / "work/trash")
    assert opened(root).undo(*step).status is UndoStatus.IMPOSSIBLE
    assert list(root.iterdir()) == []


def test_spoiled_trash_is_never_put_back(root: Path) -> None:
    (root / "a").write_text("old")
    step = do(root, "delete", path="a")
    (kept,) = (path for path in (root.parent / "work/trash").rglob("*") if path.is_file())
    assert kept.stat().st_mode & 0o077 == 0
    kept.write_text("bad")
    with pytest.raises(ProviderError, match="could not be written exactly"):
        opened(root).undo(*step)
    assert list(root.iterdir()) == []


def test_reading_gives_text_in_stretches_that_end_at_letters_and_base64_for_the_rest(
    root: Path,
) -> None:
    text = "aé漢😀\r\n" * 50
    (root / "text").write_bytes(text.encode())
    found, at = "", 0
    while at is not None:
        part = ask(root, "read", path="text", offset=at, length=7)
        found, at = found + part["text"], part["next"]
    assert found == text
    for data in (b"nul\0", b"\xff\xfe", "é".encode()[:1]):
        (root / "binary").write_bytes(data)
        assert b64decode(ask(root, "read", path="binary")["base64"]) == data


def test_duplicates_are_files_of_the_same_bytes_and_not_names_of_one_file(root: Path) -> None:
    for name, data in {"a": b"same", "b": b"same", "c": b"diff", "e1": b"", "e2": b""}.items():
        (root / name).write_bytes(data)
    os.link(root / "a", root / "z")
    found = ask(root, "duplicates")
    assert [[f["path"] for f in group["files"]] for group in found["groups"]] == [["a", "b"]]
    assert found["bytes"] == 4
    assert found["groups"][0]["files"][1]["version"] == ask(root, "stat", path="b")["version"]


def test_redaction_takes_every_occurrence_and_nothing_else(root: Path) -> None:
    data = b"\xef\xbb\xbfsecretive secret\r\n\tsecret\n" + "Zoë".encode()
    (root / "a").write_bytes(data)
    step = do(root, "redact", path="a", strings=["secret", "secretive", "Zoë"], by="#")
    assert (root / "a").read_bytes() == b"\xef\xbb\xbf# #\r\n\t#\n#"
    assert opened(root).undo(*step).status is UndoStatus.RESTORED
    assert (root / "a").read_bytes() == data


def test_a_redaction_that_would_leave_a_string_is_refused(root: Path) -> None:
    (root / "a").write_text("sesecretcret")
    assert "still hold" in refused(root, "redact", path="a", strings=["secret"], by="")
    assert "still hold" in refused(root, "redact", path="a", strings=["secret"], by="[secret]")
    assert "none of" in refused(root, "redact", path="a", strings=["absent"])
    (root / "a").write_bytes("secret".encode("utf-16"))
    assert "not UTF-8" in refused(root, "redact", path="a", strings=["secret"])


def test_an_archive_holds_exactly_what_was_named(root: Path) -> None:
    world_files.make(root / "w")
    do(root, "archive", to="z.zip", paths=["w/notes", "w/twin-b"])
    with zipfile.ZipFile(io.BytesIO((root / "z.zip").read_bytes())) as packed:
        assert packed.testzip() is None
        names = ["w/notes/deep/a", "w/notes/old\nname", "w/twin-b"]
        assert packed.namelist() == names
        assert packed.read("w/twin-b") == (root / "w/twin-b").read_bytes()
        assert packed.getinfo("w/twin-b").external_attr >> 16 & 0o777 == 0o604
    (root / "w/link2").symlink_to("notes")
    assert "link" in refused(root, "archive", to="all.zip", paths=["w"])


def test_a_call_that_changes_nothing_or_lacks_its_folder_is_refused(root: Path) -> None:
    (root / "a").write_text("x")
    (root / "a").chmod(0o640)
    assert "already" in refused(root, "write", path="a", text="x")
    assert "already" in refused(root, "mode", path="a", mode="0640")
    assert "is not there" in refused(root, "write", path="no/b", text="x")
    (root / "hollow").mkdir()
    assert "no file" in refused(root, "archive", to="z.zip", paths=["hollow"])
    assert "into itself" in refused(root, "move", path="a", to="a/b")
    assert "nothing at" in refused(root, "delete", path="b")
    assert "once" in refused(root, "write", path="b")
    assert "once" in refused(root, "write", path="b", text="x", base64="eA==")
    assert "well-formed" in refused(root, "write", path="b", base64="eA=")


def test_a_folder_is_connected_by_name_unless_it_holds_our_own_data(root: Path) -> None:
    where = Where(lambda name: Path(name).resolve(), root / "data/work", {})
    with pytest.raises(ProviderError, match="this system's own data"):
        named("files", str(root), where)
    with pytest.raises(ProviderError, match="not a folder"):
        named("files", str(root / "missing"), where)
    (root.parent / "link").symlink_to(root)
    made = named("files", str(root.parent / "link"), replace(where, work_dir=root.parent / "work"))
    assert (made.account, made.config) == ("files files", {"path": str(root)})
    (root / "a").write_text("x")
    assert open_provider(made).describe().rows == 1


NAMES = st.sampled_from(["a", "b", "sub/a", "sub/c", "new/a", "link", "sub", "new"])
FILE_CALLS = st.one_of(
    st.builds(lambda p, t: ("files.write", {"path": p, "text": t}), NAMES, st.sampled_from(["", "x", "é"])),
    st.builds(lambda p, q: ("files.move", {"path": p, "to": q}), NAMES, NAMES),
    st.builds(lambda p: ("files.delete", {"path": p}), NAMES),
    st.builds(lambda p: ("files.folder", {"path": p}), NAMES),
    st.builds(lambda p, m: ("files.mode", {"path": p, "mode": m}), NAMES, st.sampled_from(["0600", "0444"])),
    st.builds(lambda p: ("files.archive", {"to": "z.zip", "paths": [p]}), NAMES),
)  # fmt: skip


def picture(root: Path) -> dict[str, tuple]:
    """Names, bytes, modes and times as another program sees them."""
    return {
        str(path.relative_to(root)): (
            (seen := path.lstat()).st_mode,
            (path.read_bytes(), seen.st_mtime_ns) if path.is_file() and not path.is_symlink() else (),
        )
        for path in sorted(root.rglob("*"))
    }  # fmt: skip


@given(st.lists(FILE_CALLS, max_size=7))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_undo_at_every_prefix_of_any_sequence_restores_names_bytes_modes_and_times(calls) -> None:
    with TemporaryDirectory() as folder:
        root = Path(folder).resolve() / "files"
        (root / "sub").mkdir(parents=True)
        (root / "a").write_text("a")
        (root / "sub/a").write_text("sub")
        (root / "link").symlink_to("a")
        provider, done, pictures = opened(root), [], [picture(root)]
        for number, (tool, args) in enumerate(calls):
            try:
                done.append(apply(provider, Call(tool, args, f"k{number}")))
            except ProviderError:
                assert picture(root) == pictures[-1], "a refused call left something behind"
                continue
            pictures.append(picture(root))
        while done:
            pictures.pop()
            assert provider.undo(*done.pop()).status is UndoStatus.RESTORED
            assert picture(root) == pictures[-1]


def test_an_outcome_names_the_version_that_a_later_look_finds(root: Path) -> None:
    _, _, outcome = do(root, "write", path="a", text="x")
    assert isinstance(outcome, Outcome)
    assert outcome.version == ask(root, "stat", path="a")["version"] == outcome.data["version"]
