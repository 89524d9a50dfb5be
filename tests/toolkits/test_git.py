"""A connected repository: its checkout stays as it is, and nothing in it runs (M7, TR-9, TR-11, I-3)."""

from __future__ import annotations

import json
import os
import re
from base64 import b64decode
from dataclasses import replace
from pathlib import Path
from subprocess import run

import pytest

from aicp.toolkits.model import Call, Found, UndoStatus
from aicp.toolkits.providers import Where, named, open_provider
from aicp.toolkits.providers.base import Connection, Provider, ProviderError
from aicp.toolkits.providers.local import confined
from toolkits.world_git import CHANGE, PATCH, READS, WHO, WRITES, git, make
from toolkits.worlds import apply

BRANCH, COMMIT, REQUEST = WRITES


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    made = tmp_path.resolve() / "repo"
    make(made)
    return made


def where(repo: Path) -> Where:
    return Where(lambda name: Path(name).resolve(), repo.parent / "data/work", {})


def opened(repo: Path) -> Provider:
    return open_provider(named("git", str(repo), where(repo)))


def ask(repo: Path, tool: str, **args) -> dict:
    return opened(repo).read(Call(f"git.{tool}", args))


def refused(repo: Path, call: Call) -> str:
    provider = opened(repo)
    start = provider.state_hash()
    with pytest.raises(ProviderError) as refusal:
        provider.before(call)
    assert provider.state_hash() == start
    assert "\n" not in refusal.value.message
    return refusal.value.message


def patched(repo: Path, **other) -> Call:
    return Call("git.apply_patch", CHANGE | other, "other")


def test_the_checkout_the_index_and_the_configuration_stay_as_they_are(repo: Path) -> None:
    watched = ["greet.py", "untracked", ".git/index", ".git/HEAD", ".git/config", ".git/logs/HEAD"]
    (repo / "staged").write_text("half")
    git(repo, "add", "staged")
    before = {name: ((repo / name).read_bytes(), (repo / name).stat().st_mtime_ns) for name in watched}  # fmt: skip
    provider = opened(repo)
    done = [apply(provider, call) for call in WRITES]
    for call in READS:
        provider.read(call)
    assert git(repo, "show", "fix/greeting:greet.py").endswith('return "Hello " + name')
    for step in reversed(done):
        provider.undo(*step)
    after = {name: ((repo / name).read_bytes(), (repo / name).stat().st_mtime_ns) for name in watched}  # fmt: skip
    assert after == before
    assert sorted(path.name for path in repo.iterdir()) == [".git", "greet.py", "staged", "untracked"]  # fmt: skip
    assert "error" not in git(repo, "fsck", "--strict")


def test_the_same_call_gives_the_same_commit_anywhere(repo: Path, tmp_path: Path) -> None:
    run(["cp", "-a", str(repo), str(tmp_path / "copy")], check=True)
    ids = set()
    for place in (repo, tmp_path.resolve() / "copy"):
        apply(opened(place), BRANCH)
        _, _, outcome = apply(opened(place), replace(COMMIT, key=str(place)))
        ids.add(outcome.data["commit"])
        shown = git(place, "log", "-1", "--format=%an <%ae> %aI %cn %cI%n%B", "fix/greeting")
        assert shown == f"{WHO['author']} {WHO['date']} Riley Chen {WHO['date']}\n{CHANGE['message']}"  # fmt: skip
    assert len(ids) == 1


def test_nothing_that_the_repository_configures_is_run(repo: Path, monkeypatch) -> None:
    trap, home = repo.parent / "trapped", repo.parent / "home"
    evil = f"touch {trap}; cat"
    home.mkdir()
    (home / ".gitconfig").write_text(f'[core]\n\tfsmonitor = "{evil}"\n[user]\n\tname = Home\n')
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_DIR", str(home))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", evil)
    for key in ("filter.evil.clean", "filter.evil.smudge", "filter.evil.process", "core.fsmonitor",
                "diff.evil.textconv", "diff.evil.command", "diff.external", "core.pager", "gpg.program"):  # fmt: skip
        git(repo, "config", key, evil)
    git(repo, "config", "filter.evil.required", "true")
    git(repo, "config", "commit.gpgSign", "true")
    (repo / ".gitattributes").write_text("*.py filter=evil diff=evil\n")
    hooks = repo / ".git/hooks"
    for name in ("post-commit", "reference-transaction", "post-checkout", "post-index-change", "pre-commit"):  # fmt: skip
        (hooks / name).write_text(f"#!/bin/sh\ntouch {trap}\n")
        (hooks / name).chmod(0o755)
    provider = opened(repo)
    for call in READS:
        provider.read(call)
    done = [apply(provider, call) for call in WRITES]
    for step in reversed(done):
        assert provider.undo(*step).status is UndoStatus.RESTORED
    assert not trap.exists()


@pytest.mark.parametrize(
    "word", ["--help", "-D", "--all", "--output=x", "", "a b", "a\nb", "a:b", "é", "a\0"]
)
def test_a_name_is_never_taken_for_an_option(repo: Path, word: str) -> None:
    for call in (
        Call("git.create_branch", {"branch": word, "from": "main"}),
        Call("git.create_branch", {"branch": "fine", "from": word}),
        patched(repo, branch=word),
        Call("git.open_merge_request", {"branch": word, "into": "main", "title": "x"}),
    ):
        assert refused(repo, call)
    for tool, args in {"log": {"ref": word}, "diff": {"from": word}, "show": {"path": "greet.py", "ref": word}}.items():  # fmt: skip
        with pytest.raises(ProviderError):
            ask(repo, tool, **args)
    assert not (repo / "x").exists()


@pytest.mark.parametrize("path", ["--output=x", ":(top)greet.py", "*", "\n", "x" * 4000])
def test_a_path_is_a_path_whatever_it_looks_like(repo: Path, path: str) -> None:
    assert ask(repo, "diff", path=path)["diff"] == ""
    with pytest.raises(ProviderError):
        ask(repo, "show", path=path)
    assert not (repo / "x").exists()


@pytest.mark.parametrize("path", ["../repo/greet.py", "/etc/passwd", "\0", "\ud800"])
def test_a_path_that_is_none_is_refused(repo: Path, path: str) -> None:
    for tool in ("show", "diff"):
        with pytest.raises(ProviderError) as refusal:
            ask(repo, tool, path=path)
        assert "\n" not in refusal.value.message


@pytest.mark.parametrize("name", ["main", "main/sub", "a..b", "a.lock", "a/", "HEAD.lock", "a//b"])
def test_a_branch_that_cannot_be_is_refused_beforehand(repo: Path, name: str) -> None:
    assert refused(repo, Call("git.create_branch", {"branch": name, "from": "main"}))
    assert "no commit" in refused(repo, Call("git.create_branch", {"branch": "b", "from": "gone"}))


ESCAPES = [
    PATCH.replace("greet.py", "../greet.py"),
    PATCH.replace("greet.py", ".git/config"),
    "diff --git a/.git/hooks/x b/.git/hooks/x\nnew file mode 100755\n--- /dev/null\n+++ b/.git/hooks/x\n@@ -0,0 +1 @@\n+x\n",
    "no patch at all",
    PATCH.replace("Helo", "Bonjour"),
    PATCH[:40],
]


@pytest.mark.parametrize("patch", ESCAPES)
def test_a_patch_that_does_not_apply_or_leads_out_is_refused(repo: Path, patch: str) -> None:
    apply(opened(repo), BRANCH)
    assert "does not apply" in refused(repo, patched(repo, patch=patch))
    objects = {path for path in (repo / ".git/objects").rglob("*") if path.is_file()}
    refused(repo, patched(repo, patch=patch))
    assert {path for path in (repo / ".git/objects").rglob("*") if path.is_file()} == objects


def test_looking_at_a_patch_leaves_no_object_behind(repo: Path) -> None:
    apply(opened(repo), BRANCH)
    objects = set((repo / ".git/objects").rglob("*"))
    opened(repo).before(COMMIT)
    assert set((repo / ".git/objects").rglob("*")) == objects


@pytest.mark.parametrize("other", [{"date": "yesterday"}, {"date": "2026-07-01T09:00:00"}, {"date": "1960-01-01T00:00:00+00:00"},
                                   {"author": "x"}, {"author": "a\nb <c@d>"}, {"author": "\ud800 <c@d>"}, {"message": "\ud800"}, {"patch": "\ud800"}])  # fmt: skip
def test_a_commit_without_a_sound_author_and_date_is_refused(repo: Path, other: dict) -> None:
    apply(opened(repo), BRANCH)
    assert refused(repo, patched(repo, **other))


def test_a_branch_that_somebody_works_on_is_left_alone(repo: Path, tmp_path: Path) -> None:
    assert "is checked out" in refused(repo, patched(repo, branch="main"))
    provider = opened(repo)
    made = apply(provider, BRANCH)
    git(repo, "worktree", "add", "--quiet", str(tmp_path / "beside"), "fix/greeting")
    assert "is checked out" in refused(repo, COMMIT)
    result = provider.undo(*made)
    assert result.status is UndoStatus.CONFLICT
    assert result.difference[0]["theirs"].endswith("beside")
    assert git(repo, "rev-parse", "fix/greeting")
    git(repo, "worktree", "remove", str(tmp_path / "beside"))
    assert provider.undo(*made).status is UndoStatus.RESTORED


def test_a_checkout_beside_the_main_one_shares_its_branches(repo: Path, tmp_path: Path) -> None:
    beside = tmp_path.resolve() / "beside"
    git(repo, "worktree", "add", "--quiet", "-b", "other", str(beside))
    apply(opened(beside), BRANCH)
    assert opened(beside).state_hash() == opened(repo).state_hash()
    assert ask(beside, "status")["branch"] == "other"
    apply(opened(beside), COMMIT)
    assert git(repo, "log", "-1", "--format=%s", "fix/greeting") == "Greet: mend a word"


def test_undo_names_what_stays_behind(repo: Path) -> None:
    provider = opened(repo)
    apply(provider, BRANCH)
    step = apply(provider, COMMIT)
    commit = step[2].data["commit"]
    git(repo, "update-ref", "refs/remotes/origin/fix", commit)
    result = provider.undo(*step)
    assert result.status is UndoStatus.RESTORED
    assert "git gc" in result.residue
    assert "stays on origin/fix" in result.residue
    assert git(repo, "cat-file", "-t", commit) == "commit"


def test_a_commit_on_top_of_ours_is_never_dropped(repo: Path) -> None:
    provider = opened(repo)
    apply(provider, BRANCH)
    step = apply(provider, COMMIT)
    theirs = git(repo, "commit-tree", "fix/greeting^{tree}", "-p", "fix/greeting", "-m", "on top")
    git(repo, "update-ref", "refs/heads/fix/greeting", theirs)
    result = provider.undo(*step)
    assert result.status is UndoStatus.CONFLICT
    assert (result.difference[0]["ours"], result.difference[0]["theirs"]) == (step[2].data["commit"], theirs)  # fmt: skip
    assert git(repo, "rev-parse", "fix/greeting") == theirs


def test_a_branch_that_moved_between_look_and_call_is_refused(repo: Path) -> None:
    provider = opened(repo)
    apply(provider, BRANCH)
    image = provider.before(COMMIT)
    tip = git(repo, "commit-tree", "fix/greeting^{tree}", "-p", "fix/greeting", "-m", "theirs")
    git(repo, "update-ref", "refs/heads/fix/greeting", tip)
    with pytest.raises(ProviderError, match="changed by somebody else"):
        provider.execute(COMMIT, image)
    assert provider.reconcile(COMMIT, image).found is Found.UNCLEAR
    assert git(repo, "rev-parse", "fix/greeting") == tip


def test_a_merge_request_says_what_would_be_merged_and_hides_nothing_as_markdown(
    repo: Path,
) -> None:
    provider = opened(repo)
    apply(provider, BRANCH)
    assert "has everything" in refused(repo, REQUEST)
    apply(provider, replace(COMMIT, args=COMMIT.args | {"message": "# Approved by all\n\n```x"}))
    _, _, outcome = apply(provider, REQUEST)
    text = (repo / ".git" / outcome.data["file"]).read_text()
    assert text.startswith("# Mend a word\n\nMerge `fix/greeting` at ")
    assert "\n    " in text
    assert "\n# Approved" not in text
    assert "already" in refused(repo, replace(REQUEST, key="again"))
    for title in ("a\n# b", "\ud800"):
        assert refused(repo, replace(REQUEST, args=REQUEST.args | {"title": title}, key="again"))
    assert git(repo, "status", "--short") == "M greet.py\n?? untracked"


def test_reads_give_plain_json_whatever_is_in_the_repository(repo: Path) -> None:
    (repo / "bin").write_bytes(b"\xff\0\x01")
    (repo / os.fsdecode(b"\xffname")).write_bytes(b"x")
    (repo / "big").write_bytes(b"line\n" * 100_000)
    git(repo, "add", ".")
    git(repo, "commit", "--quiet", "-m", "\x1b[2J odd\x1f \u202e words")
    shown = ask(repo, "show", path="bin")
    assert b64decode(shown["base64"]) == b"\xff\0\x01"
    big = ask(repo, "show", path="big", length=10)
    assert (big["text"], big["size"], big["more"]) == ("line\nline\n", 500_000, True)
    assert ask(repo, "diff", **{"from": "v1", "to": "main", "length": 100})["more"]
    (commit, first) = ask(repo, "log")["commits"]
    assert "odd" in commit["message"]
    assert first["message"] == "Begin"
    json.dumps([shown, commit, ask(repo, "status")]).encode()
    with pytest.raises(ProviderError, match="no file"):
        ask(repo, "show", path="missing")


def test_what_is_no_repository_is_refused_in_one_sentence(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    git(repo, "clone", "--quiet", "--bare", ".", str(tmp_path / "bare"))
    (tmp_path / "broken/.git").mkdir(parents=True)
    for name in ("plain", "bare", "missing", "broken"):
        with pytest.raises(ProviderError) as refusal:
            opened(tmp_path / name)
        assert "\n" not in refusal.value.message


def test_a_git_folder_outside_the_allowed_places_is_refused(repo: Path, tmp_path: Path) -> None:
    inner = tmp_path.resolve() / "allowed"
    inner.mkdir()
    (inner / ".git").write_text(f"gitdir: {repo}/.git\n")

    def inside(name: str) -> Path:
        if not Path(name).resolve().is_relative_to(inner):
            raise ProviderError("outside")
        return Path(name).resolve()

    with pytest.raises(ProviderError, match="outside"):
        named("git", str(inner), replace(where(repo), inside=inside))
    config = {"path": str(inner), "git_dir": str(inner / "link"), "common": str(repo / ".git")}
    (inner / "link").symlink_to(repo / ".git")
    with pytest.raises(ProviderError, match="real, absolute"):
        open_provider(Connection("git", "x", config, tmp_path / "work"))


# -- the owner's test command --------------------------------------------------------------------


def declare(repo: Path, command: list[str], seconds: int = 30) -> None:
    (repo / ".git/aicp.toml").write_text(f"[tests]\ncommand = {json.dumps(command)}\nseconds = {seconds}\n")  # fmt: skip


@pytest.fixture
def tested(repo: Path) -> Path:
    if not confined.possible(repo, {"PATH": os.environ["PATH"]}):
        pytest.skip("this machine cannot confine a command")
    declare(repo, ["grep", "-q", "Hello", "greet.py"])
    return repo


def run_of(ref: str, key: str = "t") -> Call:
    return Call("git.run_tests", {"ref": ref}, key)


def outcome_of(repo: Path, ref: str = "main"):
    provider = opened(repo)
    call = run_of(ref)
    image = provider.before(call)
    outcome = provider.execute(call, image)
    return outcome, provider.verify(call, image, outcome)


def test_the_tests_of_a_patched_branch_pass_and_those_of_main_fail(tested: Path) -> None:
    provider = opened(tested)
    for call in (BRANCH, COMMIT):
        apply(provider, call)
    start = provider.state_hash()
    step = apply(provider, run_of("fix/greeting"))
    assert step[2].data["passed"] is True
    assert provider.execute(step[0], step[1]) == step[2]
    assert opened(tested).reconcile(step[0], step[1]).outcome == step[2]
    assert provider.undo(*step).status is UndoStatus.RESTORED
    assert provider.state_hash() == start
    outcome, problems = outcome_of(tested)
    assert outcome.data["passed"] is False
    assert problems == ("the tests failed with exit status 1",)
    assert (tested / "greet.py").read_text() == "# in the middle of something\n"


def test_without_a_declaration_there_is_no_such_tool(repo: Path) -> None:
    assert "git.run_tests" not in {tool.name for tool in opened(repo).tools()}
    assert "no tool" in refused(repo, run_of("main"))


def test_the_command_is_the_owners_and_part_of_what_is_approved(tested: Path) -> None:
    (spec,) = (tool for tool in opened(tested).tools() if tool.name == "git.run_tests")
    assert "`grep -q Hello greet.py`" in spec.description
    assert spec.mutates
    assert spec.untrusted
    assert set(spec.args_schema["properties"]) == {"ref"}
    (tested / ".aicp.toml").write_text('[tests]\ncommand = ["true"]\n')
    git(tested, "add", ".")
    git(tested, "commit", "--quiet", "-m", "another command")
    assert outcome_of(tested)[0].data["passed"] is False
    connection = opened(tested).connection
    declare(tested, ["true"])
    (same,) = (t for t in open_provider(connection).tools() if t.name == "git.run_tests")
    (other,) = (t for t in opened(tested).tools() if t.name == "git.run_tests")
    assert same.ref == spec.ref != other.ref


def test_the_command_can_change_nothing_and_reaches_nobody(tested: Path) -> None:
    mine = tested.parent / "mine"
    mine.write_text("mine")
    (tested.parent / "data").mkdir(exist_ok=True)
    (tested.parent / "data/token").write_text("secret")
    script = f"""
    touch new && echo wrote
    touch {Path(__file__).parent}/touched
    echo x > {mine}; rm -rf {tested} {mine}; cat {tested.parent}/data/token
    mount -o remount,rw /; unshare -Urm mount -o remount,rw /
    kill -9 {os.getpid()}; (exec 3<>/dev/tcp/127.0.0.1/1); wc -l < /proc/net/route
    env | grep -c SECRET; ls /dev | tr '\\n' ' '; echo x > /dev/null && echo x > /dev/shm/x; exit 0
    """
    declare(tested, ["bash", "-c", script])
    os.environ["A_SECRET"] = "x"
    try:
        outcome, problems = outcome_of(tested)
    finally:
        del os.environ["A_SECRET"]
    said = outcome.data["output"]
    assert problems == ()
    assert said.startswith("wrote\n")
    devices = "fd full null random shm stderr stdin stdout urandom zero "
    assert said.endswith(f"\n0\n0\n{devices}")  # no route, no secret, no disk
    # /tmp is empty in there, everything else cannot be written
    why = re.search(r"touched': (.+)", said)
    assert why is not None
    assert why[1] in ("Read-only file system", "No such file or directory")
    assert not (Path(__file__).parent / "touched").exists()
    assert "secret" not in said
    assert mine.read_text() == "mine"
    assert git(tested, "status", "--short") == "M greet.py\n?? untracked"


def test_a_command_that_does_not_end_is_ended_with_all_it_started(tested: Path) -> None:
    declare(tested, ["sh", "-c", "echo begun; sleep 60 & sleep 60"], seconds=1)
    outcome, problems = outcome_of(tested)
    assert outcome.data["output"] == "begun\n\nstopped after 1 seconds"
    assert problems == ("the tests failed with exit status -1",)


def test_a_flood_of_words_is_cut_and_a_missing_program_is_a_failed_test(tested: Path) -> None:
    declare(tested, ["sh", "-c", "yes | head -c 1000000; printf 'end\\000\\377'"])
    assert outcome_of(tested)[0].data["output"].endswith("end\ufffd\ufffd")
    assert len(outcome_of(tested)[0].data["output"]) <= 64 << 10
    git(tested, "update-ref", "refs/heads/other", "main")
    declare(tested, ["no-such-program"])
    call = run_of("main", "missing")
    provider = opened(tested)
    image = provider.before(call)
    assert provider.execute(call, image).data["passed"] is False


def test_a_rehearsal_runs_no_code_since_nobody_approved_it(tested: Path) -> None:
    with opened(tested).rehearsal() as twin:
        step = apply(twin, run_of("main"))
        assert (step[2].data["passed"], step[2].data["output"]) == (None, "")
        assert twin.undo(*step).status is UndoStatus.RESTORED


def test_an_edited_report_is_not_believed(tested: Path) -> None:
    provider = opened(tested)
    call = run_of("main")
    image = provider.before(call)
    provider.execute(call, image)
    (report,) = (tested / ".git/aicp/tests").iterdir()
    report.write_text(report.read_text().replace('"passed": false', '"passed": true'))
    with pytest.raises(ProviderError, match="was edited"):
        opened(tested).undo(call, image, provider.execute(call, image))


@pytest.mark.parametrize("text", ["[tests]", "tests = 1", "[tests]\ncommand = 'make'", "[tests]\ncommand = []", "\xff",
                                  "[tests]\ncommand = ['x']\nseconds = 0", "[tests]\ncommand = [1]"])  # fmt: skip
def test_a_declaration_that_is_not_of_its_form_is_refused(repo: Path, text: str) -> None:
    (repo / ".git/aicp.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(ProviderError, match=r"aicp\.toml") as refusal:
        opened(repo)
    assert "\n" not in refusal.value.message
