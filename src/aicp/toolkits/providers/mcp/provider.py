"""Tools of one MCP server under our rules: looked at before and after, called once, taken back.

Servers know no idempotency keys, so a repeat is recognised by our own memory and by reading back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from aicp.kernel.canonical import sha256
from aicp.toolkits.model import (
    BeforeImage,
    Call,
    Found,
    Json,
    Outcome,
    Reconciled,
    Resource,
    ToolSpec,
    UndoResult,
    UndoStatus,
    UndoTier,
)
from aicp.toolkits.providers.base import Connection, Provider, ProviderError
from aicp.toolkits.providers.dry import DryRun
from aicp.toolkits.providers.local.checked import checked
from aicp.toolkits.providers.local.done import Done
from aicp.toolkits.providers.local.files import locked
from aicp.toolkits.providers.mcp.answers import looked, state_of, version_of
from aicp.toolkits.providers.mcp.declared import server_called
from aicp.toolkits.providers.mcp.form import Server, Tool
from aicp.toolkits.providers.mcp.rehearsal import copied
from aicp.toolkits.providers.mcp.server import Listing, ToolFailed, remote
from aicp.toolkits.providers.mcp.session import HIDDEN
from aicp.toolkits.providers.mcp.specs import Offer, offer
from aicp.toolkits.providers.mcp.templates import ANY, PRESENT, fill, fits, holes

LOST = "�"  # what a server gives for bytes that are no text: they could not be given back


class Handle(Protocol):
    """A server that can be listed, read and changed; see server.Remote."""

    name: str

    def listing(self) -> Listing: ...
    def read(self, tool: str, args: Json) -> Json: ...
    def change(self, tool: str, args: Json) -> Json: ...
    def where(self, folder: str) -> Path: ...


class McpProvider:
    """One declared server."""

    def __init__(self, connection: Connection, handle: Handle | None = None) -> None:
        """Open it; the server is started when this process has none yet.

        Args:
            handle: the server of a rehearsal; None: the declared one itself.

        Raises:
            ProviderError: the declaration is refused, a secret or the command is missing, or the
                server does not start or is of another version.
        """
        self.connection = connection
        name, file = str(connection.config.get("server", "")), connection.config.get("file", "")
        self._declared: Server = server_called(Path(str(file)), name)
        self._server: Handle = handle or remote(name, self._declared, connection)
        self._target = f"mcp {file}#{name}"
        self._done = Done(connection.work_dir, self._target)
        self._listing = self._server.listing()
        self._offer: Offer = offer(name, self._declared, self._listing)

    def tools(self) -> tuple[ToolSpec, ...]:
        return self._offer.tools

    def describe(self) -> Resource:
        listing, offered = self._listing, self._offer
        return Resource(
            toolkit=self.connection.toolkit,
            account=self.connection.account,
            title=self._declared.title or f"MCP server {self._server.name}",
            version=self.state_hash(),
            tools=tuple(tool.name for tool in offered.tools),
            facts={
                "server": f"{listing.name} {listing.version}",
                "state": "declared" if self._declared.state else "nobody declared how to see it",
                "rehearsal": "on a copy" if self._declared.rehearse else "checked, not carried out",
                "undeclared": list(offered.undeclared),
                "refused": offered.refused,
            },
        )

    def read(self, call: Call) -> Json:
        checked(self.tools(), call, mutates=False)
        return self._server.read(self._uses(call), call.args)

    def before(self, call: Call) -> BeforeImage:
        tool = self._tool(call)
        seen = self._look(tool, call)
        facts = {"args": call.args}
        for reading, wanted, found in zip(tool.look, tool.needs, seen, strict=False):
            if not fits(wanted, found, facts):
                there = "there is none" if found is None else "there is something else already"
                raise ProviderError(
                    f"{call.tool} needs another start: by {reading.tool} {there}",
                    hint="read what is there, and choose the tool that fits",
                )
        if tool.undo and any(lost in str(found) for found in seen for lost in (LOST, HIDDEN)):
            raise ProviderError(
                f"what {call.tool} would replace is not plain text that could be given back",
                hint="change it by other means",
            )
        return BeforeImage(version_of(seen), {"seen": seen})

    def execute(self, call: Call, before: BeforeImage) -> Outcome:
        tool = self._tool(call)
        known = self._done.outcome(call)
        if known is not None:
            return known
        with locked(self.connection.work_dir, self._target):
            self._unchanged(call)
            outcome = self._first_time(tool, call, before)
        self._done.remember(call, outcome)
        return outcome

    def verify(self, call: Call, before: BeforeImage, outcome: Outcome) -> tuple[str, ...]:
        tool = self._tool(call)
        if not tool.look:
            return ()  # the declaration has no read-back; its tier is T4 or T5 for that
        seen = self._look(tool, call)
        if tool.becomes:
            facts = self._facts(call, before, outcome)
            pairs = zip(tool.look, tool.becomes, seen, strict=True)
            wrong = [
                reading.tool for reading, wanted, found in pairs if not fits(wanted, found, facts)
            ]
            return tuple(f"{name} does not show what {call.tool} promised" for name in wrong)
        if version_of(seen) == outcome.version:
            return ()
        return (f"what {call.tool} left is not there any more",)

    def reconcile(self, call: Call, before: BeforeImage) -> Reconciled:
        tool = self._tool(call)
        known = self._done.outcome(call)
        if known is not None:
            return Reconciled(Found.DONE, known)
        if not tool.look:
            why = f"nothing is declared by which {call.tool} could be read back"
            return Reconciled(Found.UNCLEAR, why=why)
        seen = self._look(tool, call)
        if self._is_done(tool, call, before, seen):
            return Reconciled(Found.DONE, Outcome({"read_back": True}, version_of(seen)))
        if version_of(seen) != before.version:
            why = f"what {call.tool} touches is neither as it was nor surely as the call leaves it"
            return Reconciled(Found.UNCLEAR, why=why)
        if self._declared.url:
            why = "the server is not on this machine and may still be at it"
            return Reconciled(Found.UNCLEAR, why=why)
        return Reconciled(Found.NOT_DONE)

    def undo(self, call: Call, before: BeforeImage, outcome: Outcome) -> UndoResult:
        tool = self._tool(call)
        if tool.undo is None or self._spec(call).undo_tier is UndoTier.T5:
            return UndoResult(UndoStatus.IMPOSSIBLE, why=f"{call.tool} cannot be taken back")
        with locked(self.connection.work_dir, self._target):
            if tool.look:
                result = self._restore(tool, call, before, outcome)
            else:
                result = self._compensate(tool, call, outcome)
        if result.status in (UndoStatus.RESTORED, UndoStatus.ALREADY):
            self._done.forget(call)
        return result

    def release(self, call: Call, outcome: Outcome) -> Outcome:  # noqa: ARG002, the protocol's form
        raise ProviderError(f"{call.tool} holds nothing back, so there is nothing to release")

    def reconcile_release(self, call: Call, outcome: Outcome) -> Reconciled:  # noqa: ARG002
        raise ProviderError(f"{call.tool} holds nothing back, so there is nothing to release")

    def state_hash(self) -> str:
        """Over what is declared as state; where nothing is, a constant, and `describe` says so."""
        if not self._declared.state:
            return sha256(self._target.encode())
        return state_of(self._server, self._declared.state)

    @contextmanager
    def rehearsal(self) -> Iterator[Provider]:
        """On a copy when the declaration says how; else everything is checked and nothing is done."""
        if self._declared.rehearse is None:
            yield DryRun(self)
            return
        folder = Path(self._declared.rehearse.copy_of)
        with copied(self.connection, self._server.name, self._declared, folder) as (private, copy):
            yield McpProvider(private, copy)

    def _first_time(self, tool: Tool, call: Call, before: BeforeImage) -> Outcome:
        seen = self._look(tool, call)
        if version_of(seen) != before.version:
            if tool.look and self._is_done(tool, call, before, seen):
                return Outcome({"read_back": True}, version_of(seen))
            raise ProviderError(
                f"what {call.tool} touches was changed by somebody else since it was read",
                hint="read it again and plan the change anew",
            )
        try:
            data = self._server.change(self._uses(call), call.args)
        except ToolFailed as error:
            raise self._after_failure(tool, call, before, error) from None
        return Outcome(data, self._version_after(tool, call, data))

    def _version_after(self, tool: Tool, call: Call, data: Json) -> str:
        if not tool.look:
            return version_of(data)
        try:
            return version_of(self._look(tool, call))
        except ProviderError as error:  # it is done, and cannot be seen now
            raise ProviderError(error.message, hint=error.hint, unknown=True) from None

    def _after_failure(
        self, tool: Tool, call: Call, before: BeforeImage, error: ToolFailed
    ) -> ProviderError:
        """The server's word that it failed counts when reading back shows that nothing changed."""
        try:
            same = bool(tool.look) and version_of(self._look(tool, call)) == before.version
        except ProviderError:
            same = False
        return ProviderError(error.message, hint=error.hint, unknown=not same)

    def _unchanged(self, call: Call) -> None:
        """The server is the one that was approved, at this very moment; this also wakes a dead one."""
        now = offer(self._server.name, self._declared, self._server.listing())
        spec = next((tool for tool in now.tools if tool.name == call.tool), None)
        if spec is None or spec.ref != self._spec(call).ref:
            raise ProviderError(
                f"the server changed {call.tool} since it was read",
                hint="look at what changed with `aicp mcp check`, and plan anew",
            )

    def _restore(self, tool: Tool, call: Call, before: BeforeImage, outcome: Outcome) -> UndoResult:
        seen = self._look(tool, call)
        if version_of(seen) == before.version:
            return UndoResult(UndoStatus.ALREADY)
        if version_of(seen) != outcome.version and not self._is_done(tool, call, before, seen):
            theirs = {"field": call.tool, "ours": outcome.version, "theirs": version_of(seen)}
            why = (
                f"what {call.tool} touched was changed by somebody else since; nothing was touched"
            )
            return UndoResult(UndoStatus.CONFLICT, (theirs,), why=why)
        self._inverse(tool, self._facts(call, before, outcome))
        if version_of(self._look(tool, call)) == before.version:
            return UndoResult(UndoStatus.RESTORED, residue=tool.residue)
        if self._spec(call).undo_tier is UndoTier.T4:
            return UndoResult(UndoStatus.RESTORED, residue="compensated, not as it was before")
        why = "the inverse was called, and what was there before is not there again"
        return UndoResult(UndoStatus.IMPOSSIBLE, why=why)

    def _compensate(self, tool: Tool, call: Call, outcome: Outcome) -> UndoResult:
        """Without a read-back our own memory says whether it was done, or begun and interrupted."""
        began, ended = _undoing(call, "began"), _undoing(call, "ended")
        if self._done.outcome(ended):
            return UndoResult(UndoStatus.ALREADY)
        if self._done.outcome(began):
            why = "an earlier attempt was interrupted, and nothing is declared to read it back by"
            return UndoResult(UndoStatus.IMPOSSIBLE, why=why)
        self._done.remember(began, Outcome())
        try:
            self._inverse(tool, {"args": call.args, "outcome": outcome.data})
        except ProviderError as error:
            if not error.unknown and not isinstance(error, ToolFailed):
                self._done.forget(began)  # it certainly did nothing
            raise
        self._done.remember(ended, Outcome())
        return UndoResult(UndoStatus.RESTORED, residue="compensated, not as it was before")

    def _inverse(self, tool: Tool, facts: Json) -> None:
        assert tool.undo is not None  # noqa: S101, only called where there is one
        self._server.change(tool.undo.tool, fill(tool.undo.args, facts))

    def _is_done(self, tool: Tool, call: Call, before: BeforeImage, seen: list[Any]) -> bool:
        """Whether the world is as the call leaves it; never true where that cannot be told."""
        if not tool.becomes or any(hole.startswith("outcome.") for hole in holes(tool.becomes)):
            return False
        if all(wanted in (PRESENT, ANY) for wanted in tool.becomes):
            return False  # anybody's change would look like that
        facts = self._facts(call, before, Outcome())
        return version_of(seen) != before.version and all(
            fits(wanted, found, facts) for wanted, found in zip(tool.becomes, seen, strict=True)
        )

    def _facts(self, call: Call, before: BeforeImage, outcome: Outcome) -> Json:
        return {"args": call.args, "before": before.data["seen"], "outcome": outcome.data}

    def _look(self, tool: Tool, call: Call) -> list[Any]:
        return looked(self._server, tool.look, {"args": call.args})

    def _tool(self, call: Call) -> Tool:
        checked(self.tools(), call, mutates=True)
        return self._declared.tools[_action(call)]

    def _spec(self, call: Call) -> ToolSpec:
        return next(tool for tool in self.tools() if tool.name == call.tool)

    def _uses(self, call: Call) -> str:
        return self._declared.server_tool(_action(call))


def _action(call: Call) -> str:
    return call.tool.split(".", 1)[1]


def _undoing(call: Call, word: str) -> Call:
    return Call(call.tool, call.args, f"{call.key}#undo-{word}" if call.key else "")
