"""A git repository: read, branched, patched, tested and proposed for merging; never pushed.

Its state is what this connection can change: the refs, the merge requests, the test reports. The
checkout that somebody works in, its index and its files are only ever looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace as with_fields
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aicp.kernel.canonical import sha256
from aicp.toolkits.model import (
    BeforeImage,
    Call,
    Json,
    Outcome,
    Resource,
    ToolSpec,
    UndoResult,
    UndoStatus,
)
from aicp.toolkits.providers import Where
from aicp.toolkits.providers.base import Connection, ProviderError
from aicp.toolkits.providers.local import git_plans, git_reads, git_tests, git_tools
from aicp.toolkits.providers.local.changes import Changing, Place, State, shown
from aicp.toolkits.providers.local.checked import checked
from aicp.toolkits.providers.local.files import private_folder, read_bytes, remove
from aicp.toolkits.providers.local.git_command import Git
from aicp.toolkits.providers.local.git_commits import commit
from aicp.toolkits.providers.local.git_copy import copied
from aicp.toolkits.providers.local.git_plans import HEADS
from aicp.toolkits.providers.local.git_requests import write_request
from aicp.toolkits.providers.local.messages import call_id

_READS: dict[str, Callable[[Git, Json], Json]] = {
    "git.status": git_reads.status,
    "git.log": git_reads.log,
    "git.diff": git_reads.diff,
    "git.show": git_reads.show,
}
REQUEST, TESTS = "merge-request:", "tests:"


def named(target: str, where: Where) -> Connection:
    """The connection that `--connect git:/a/repository` means.

    Raises:
        ProviderError: there is no repository with a working tree.
    """
    path = where.inside(target)
    git_dir = _git_dir(path, where)
    common = git_dir
    if (git_dir / "commondir").is_file():
        inner = (git_dir / "commondir").read_text().strip()
        common = where.inside(str((git_dir / inner).resolve()))
    tests = git_tests.declared(common)
    config: dict[str, Any] = {"path": str(path), "git_dir": str(git_dir), "common": str(common)}
    if tests:
        config |= {"tests": list(tests.command), "tests_seconds": tests.seconds}
    made = Connection("git", f"git {path.name}", config, where.work_dir)
    LocalGit(made).state_hash()
    return made


def _git_dir(path: Path, where: Where) -> Path:
    inner = path / ".git"
    if inner.is_file():  # a checkout beside the main one
        said = read_bytes(inner).decode("utf-8", "replace").strip().removeprefix("gitdir: ")
        return where.inside(str((path / said).resolve()))
    if not inner.is_dir():
        raise ProviderError(
            f"{path} is not the top of a git checkout", hint="write git:/path/to/repository"
        )
    return where.inside(str(inner))


class LocalGit(Changing):
    """The repository of one connection."""

    def __init__(self, connection: Connection) -> None:
        config = connection.config
        places = [Path(str(config.get(name, ""))) for name in ("path", "git_dir", "common")]
        if not all(place.is_absolute() and place.resolve() == place for place in places):
            raise ProviderError(
                "the git connection needs real, absolute paths of a repository", hint="connect it anew"
            )  # fmt: skip
        tree, git_dir, self._common = places
        super().__init__(connection, str(self._common))
        self._git_dir, self._git = git_dir, Git(git_dir, tree)
        self._tests = git_tests.words_of(config.get("tests", ()), config.get("tests_seconds", 600))
        own = (git_tools.run_tests(self._tests.command),) if self._tests else ()
        writes = (git_tools.CREATE_BRANCH, git_tools.APPLY_PATCH, git_tools.MERGE_REQUEST)
        self._tools: tuple[ToolSpec, ...] = (*git_tools.READS, *writes, *own)

    def tools(self) -> tuple[ToolSpec, ...]:
        return self._tools

    def describe(self) -> Resource:
        branches = [name for name, _, _ in git_reads.refs(self._git) if name.startswith(HEADS)]
        return Resource(
            toolkit="git",
            account=self.connection.account,
            title=f"{self.connection.account}: {len(branches)} branches",
            version=self.state_hash(),
            tools=tuple(tool.name for tool in self._tools),
            rows=len(branches),
            key="branch",
            facts={"tests": list(self._tests.command) if self._tests else []},
        )

    def read(self, call: Call) -> Json:
        checked(self._tools, call, mutates=False)
        return _READS[call.tool](self._git, call.args)

    def verify(self, call: Call, before: BeforeImage, outcome: Outcome) -> tuple[str, ...]:
        wrong = super().verify(call, before, outcome)
        if call.tool == "git.run_tests" and outcome.data.get("passed") is False:
            return (*wrong, f"the tests failed with exit status {outcome.data['exit']}")
        return wrong

    def state_hash(self) -> str:
        lines = [
            " ".join(ref).encode("utf-8", "surrogateescape") for ref in git_reads.refs(self._git)
        ]
        lines += [
            f"{path.name} {sha256(read_bytes(path))}".encode()
            for folder in (self._requests, self._reports)
            for path in sorted(folder.glob("[!.]*"))
        ]
        return sha256(b"\n".join(lines))

    @contextmanager
    def rehearsal(self) -> Iterator[LocalGit]:
        """On a repository with the same refs that borrows the objects: no size is too large.

        The test command is not run there: nobody has approved it yet.
        """
        with private_folder(self.connection.work_dir) as folder:
            twin = copied(self._git, self._git_dir, self._common, folder.resolve() / "copy")
            config = {**self.connection.config, "git_dir": str(twin), "common": str(twin), "rehearsal": True}  # fmt: skip
            yield LocalGit(with_fields(self.connection, config=config, work_dir=folder / "work"))

    @property
    def _requests(self) -> Path:
        return self._common / "aicp" / "merge-requests"

    @property
    def _reports(self) -> Path:
        return self._common / "aicp" / "tests"

    def _file(self, name: str) -> Path:
        kind, _, what = name.partition(":")
        folder, end = (self._requests, "md") if f"{kind}:" == REQUEST else (self._reports, "json")
        return folder / f"{quote(what, safe='')}.{end}"

    def _look(self, name: str) -> State:
        if name.startswith("refs/"):
            return git_plans.look(self._git, name)
        path = self._file(name)
        if name.startswith(TESTS):
            return {"kind": "report"} if git_tests.read_report(path) else None
        return {"kind": "file", "sha256": sha256(read_bytes(path))} if path.exists() else None

    def _plan(self, call: Call) -> tuple[Place, ...]:
        if call.tool == "git.create_branch":
            return (git_plans.new_branch(self._git, call.args),)
        if call.tool == "git.apply_patch":
            return (git_plans.new_commit(self._git, call.args, self._committed),)
        if call.tool == "git.open_merge_request":
            return (self._new_request(call.args),)
        if not self.connection.config.get("rehearsal"):
            git_tests.require_confinement(self.connection.work_dir)
        tip = git_reads.commit_of(self._git, call.args["ref"])
        return (Place(f"{TESTS}{call_id(call)}", None, {"kind": "report"}, {"commit": tip}),)

    def _new_request(self, args: Json) -> Place:
        name = REQUEST + args["branch"]
        if self._look(name) is not None:
            raise ProviderError(
                f"there is a merge request for {shown(args['branch'])} already",
                hint=f"take {self._file(name)} away first",
            )
        return git_plans.new_request(self._git, args, name)

    def _make(self, call: Call, places: Sequence[Place]) -> None:
        place = places[0]
        if call.tool == "git.run_tests":
            self._run_tests(place)
        elif call.tool == "git.open_merge_request":
            if git_plans.branch(self._git, call.args["branch"])["id"] != place.extra["tip"]:
                raise ProviderError(f"the branch {shown(call.args['branch'])} moved on since it was read")  # fmt: skip
            write_request(self._file(place.name), place.extra["text"])
        else:
            self._set_ref(call, place)

    def _run_tests(self, place: Place) -> None:
        tip = place.extra["commit"]
        report: Json = {"commit": tip, "passed": None, "exit": None, "output": ""}
        if self._tests and not self.connection.config.get("rehearsal"):
            report = git_tests.run(self._git, tip, self._tests, self.connection.work_dir)
        git_tests.write_report(self._file(place.name), report)

    def _set_ref(self, call: Call, place: Place) -> None:
        was, becomes = (place.was or {}).get("id", ""), (place.becomes or {}).get("id", "")
        if call.tool == "git.apply_patch":
            made = self._committed(was, call.args, keep=True)
            if made != becomes:
                raise ProviderError("the patch gives another commit than the one that was planned")
        self._move_ref(place.name, becomes, was, f"aicp: {call.tool}")

    def _move_ref(self, name: str, new: str, old: str, why: str) -> None:
        """Compare and swap; a ref that is there already was moved by the same call, killed late."""
        words = (
            ("--no-deref", "-m", why, name, new, old) if new else ("--no-deref", "-d", name, old)
        )
        status, _, complaint = self._git.ask("update-ref", *words)
        if status != 0 and (self._look(name) or {}).get("id", "") != new:
            raise ProviderError(
                f"the branch could not be moved: {complaint}", hint="look at it again"
            )

    def _take_back(self, call: Call, places: Sequence[Place]) -> UndoResult:
        place = places[0]
        if not place.name.startswith("refs/"):
            remove(self._file(place.name))
            return UndoResult(UndoStatus.RESTORED, residue=self._residue(call, place))
        if where := git_plans.checked_out(self._git, place.name):
            row = {"field": f"{place.name}: checked out", "ours": "", "theirs": where}
            why = f"the branch is checked out in {shown(where)}; nothing was touched"
            return UndoResult(UndoStatus.CONFLICT, (row,), why=why)
        residue = self._residue(call, place)
        ours, was = (place.becomes or {}).get("id", ""), (place.was or {}).get("id", "")
        self._move_ref(place.name, was, ours, f"aicp: undo of {call.tool}")
        return UndoResult(UndoStatus.RESTORED, residue=residue)

    def _residue(self, call: Call, place: Place) -> str:
        """What stays behind: what the tool declares, and copies that somebody pushed."""
        declared = next(tool.residue for tool in self._tools if tool.name == call.tool)
        if call.tool != "git.apply_patch" or place.becomes is None:
            return declared
        said = self._git.word(
            "for-each-ref", "--format=%(refname:short)", f"--contains={place.becomes['id']}", "refs/remotes"
        )  # fmt: skip
        pushed = ", ".join(said.split()[:3])
        return (
            f"{declared}; it was pushed by somebody, and stays on {pushed}" if pushed else declared
        )

    def _committed(self, tip: str, args: Json, *, keep: bool = False) -> str:
        objects = self._common / "objects"
        return commit(self._git, tip, args, self.connection.work_dir, objects, keep=keep)

    def _data(self, places: Sequence[Place]) -> Json:
        place = places[0]
        if place.name.startswith(TESTS):
            return git_tests.read_report(self._file(place.name)) or {}
        if place.name.startswith(REQUEST):
            return {"file": f"aicp/merge-requests/{self._file(place.name).name}", "commit": place.extra["tip"]}  # fmt: skip
        return {"branch": place.name.removeprefix(HEADS), "commit": (place.becomes or {}).get("id", "")}  # fmt: skip
