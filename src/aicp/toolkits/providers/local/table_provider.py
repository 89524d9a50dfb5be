"""Every table tool over any store of rows: three kinds of change, one way to make and undo them.

A change takes the row with one key from `before` to `after`, where either may be absent. So the
same comparison serves to apply it once, to verify it, to find out whether it happened, and to
take it back only when nobody else touched the row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from aicp.toolkits.model import (
    BeforeImage,
    Call,
    Column,
    Found,
    Json,
    Outcome,
    Reconciled,
    Resource,
    ToolSpec,
    UndoResult,
    UndoStatus,
)
from aicp.toolkits.providers.base import Connection, ProviderError
from aicp.toolkits.providers.local.checked import checked
from aicp.toolkits.providers.local.done import Done
from aicp.toolkits.providers.local.duplicates import duplicates
from aicp.toolkits.providers.local.files import private_folder
from aicp.toolkits.providers.local.kinds import Kind, kind_of
from aicp.toolkits.providers.local.rows import Cells, Clash, Row, Store, View, version_of
from aicp.toolkits.providers.local.selection import Kinds, refuse_unknown, select
from aicp.toolkits.providers.local.table_tools import table_tools

_READS = {"table.select": select, "table.duplicates": duplicates}
FEW = 200  # distinct values shown as a list


class TableProvider:
    """One table."""

    def __init__(self, connection: Connection, store: Store) -> None:
        self.connection = connection
        self._store = store
        self._done = Done(connection.work_dir, store.name)
        self._tools = table_tools(exact=store.exact)

    def tools(self) -> tuple[ToolSpec, ...]:
        return self._tools

    def describe(self) -> Resource:
        with self._store.reading() as view:
            rows = view.rows()
            kinds = kinds_of(view, rows)
            columns = tuple(_column(name, kinds(name), rows) for name in view.columns)
            notes = {name: kinds(name).note for name in view.columns if kinds(name).note}
            key = view.key
        return Resource(
            toolkit="table",
            account=self.connection.account,
            title=f"{self.connection.account}: {len(rows)} rows, {len(columns)} columns",
            version=self._store.content_hash(),
            tools=tuple(tool.name for tool in self._tools),
            rows=len(rows),
            key=key,
            columns=columns,
            facts=self._store.facts | ({"notes": notes} if notes else {}),
        )

    def read(self, call: Call) -> Json:
        checked(self._tools, call, mutates=False)
        with self._store.reading() as view:
            rows = view.rows()
            return _READS[call.tool](rows, kinds_of(view, rows), view.columns, call.args)

    def before(self, call: Call) -> BeforeImage:
        """Try the change under the table's own rules, drop it, and keep what it would replace."""
        checked(self._tools, call, mutates=True)
        with self._store.trial() as view:
            row = _asked_row(view, call)
            image = view.image(row.key) if row else None
            key = _change(view, call)
            after = view.get(key)
            data = {
                "key": key,
                "key_column": view.key,
                "values": row.values if row else None,
                "image": image,
                "after": after.values if after else None,
                "after_version": version_of(after),
                "after_image": view.image(key) if call.tool == "table.insert" else None,
            }
        return BeforeImage(version_of(row), data)

    def execute(self, call: Call, before: BeforeImage) -> Outcome:
        checked(self._tools, call, mutates=True)
        known = self._done.outcome(call)
        if known is not None:
            return known
        with self._store.writing(before.data["key_column"]) as view:
            row = view.get(before.data["key"])
            if version_of(row) == before.version:
                _refuse_unexpected(row, call)
                self._apply(view, call, before)
                row = view.get(before.data["key"])
            elif not self._is_after(row, call, before):
                raise ProviderError(
                    f"row '{before.data['key']}' was changed by somebody else since it was read",
                    hint="read the row again and plan the change anew",
                )
            outcome = _outcome(row, before)
        self._done.remember(call, outcome)
        return outcome

    def verify(self, call: Call, before: BeforeImage, outcome: Outcome) -> tuple[str, ...]:
        checked(self._tools, call, mutates=True)
        row, key = self._row(before), before.data["key"]
        if self._is_after(row, call, before) or version_of(row) == outcome.version:
            return ()
        if row is None:
            return (f"row '{key}' is not there",)
        if before.data["after"] is None:
            return (f"row '{key}' is still there",)
        wrong = _difference(row, before.data["after"], before)
        return tuple(f"row '{key}': {d['field']} is {d['theirs']!r}" for d in wrong)

    def reconcile(self, call: Call, before: BeforeImage) -> Reconciled:
        checked(self._tools, call, mutates=True)
        known = self._done.outcome(call)
        if known is not None:
            return Reconciled(Found.DONE, known)
        row = self._row(before)
        if self._is_after(row, call, before):
            return Reconciled(Found.DONE, _outcome(row, before))
        if version_of(row) == before.version:
            return Reconciled(Found.NOT_DONE)
        why = f"row '{before.data['key']}' is neither what it was nor what the call would make it"
        return Reconciled(Found.UNCLEAR, why=why)

    def undo(self, call: Call, before: BeforeImage, outcome: Outcome) -> UndoResult:
        checked(self._tools, call, mutates=True)
        try:
            with self._store.writing(before.data["key_column"]) as view:
                result = self._undo(view, before, outcome)
        except Clash as clash:
            return UndoResult(UndoStatus.CONFLICT, why=f"{clash.message}; nothing was touched")
        if result.status in {UndoStatus.RESTORED, UndoStatus.ALREADY}:
            self._done.forget(call)
        return result

    def release(self, call: Call, outcome: Outcome) -> Outcome:  # noqa: ARG002, the protocol's form
        raise ProviderError(f"{call.tool} holds nothing back, so there is nothing to release")

    def reconcile_release(self, call: Call, outcome: Outcome) -> Reconciled:  # noqa: ARG002
        raise ProviderError(f"{call.tool} holds nothing back, so there is nothing to release")

    def state_hash(self) -> str:
        return self._store.content_hash()

    @contextmanager
    def rehearsal(self) -> Iterator[TableProvider]:
        with private_folder(self.connection.work_dir) as folder, self._store.copied() as store:
            yield TableProvider(replace(self.connection, work_dir=folder), store)

    def _apply(self, view: View, call: Call, before: BeforeImage) -> None:
        """A new row is the one the trial made: its generated key and defaults are fixed by now."""
        if call.tool == "table.insert":
            view.put_back(before.data["key"], before.data["after_image"])
        else:
            _change(view, call)

    def _row(self, before: BeforeImage) -> Row | None:
        with self._store.reading(before.data["key_column"]) as view:
            return view.get(before.data["key"])

    def _is_after(self, row: Row | None, call: Call, before: BeforeImage) -> bool:
        """Whether the row is what the call makes of it; with triggers: in the cells it sets."""
        after: Cells | None = before.data["after"]
        if row is None or after is None:
            return row is None and after is None
        if self._store.exact:
            return row.version == before.data["after_version"]
        asked = call.args.get("set") or call.args.get("values") or {}
        return row.version != before.version and all(row.values[c] == after[c] for c in asked)

    def _undo(self, view: View, before: BeforeImage, outcome: Outcome) -> UndoResult:
        key = before.data["key"]
        row = view.get(key)
        if version_of(row) == before.version:
            return UndoResult(UndoStatus.ALREADY)
        if version_of(row) not in {outcome.version, before.data["after_version"]}:
            why = f"row '{key}' was changed by somebody else since; nothing was touched"
            ours = outcome.data.get("values") or before.data["after"]
            return UndoResult(UndoStatus.CONFLICT, _difference(row, ours, before), why=why)
        if before.data["image"] is None:
            view.delete(key)
        else:
            view.put_back(key, before.data["image"])
        left = view.get(key)
        if version_of(left) == before.version:
            return UndoResult(UndoStatus.RESTORED)
        if self._store.exact:
            raise ProviderError(f"row '{key}' could not be restored exactly; nothing was touched")
        fields = ", ".join(d["field"] for d in _difference(left, before.data["values"], before))
        return UndoResult(UndoStatus.RESTORED, residue=f"a trigger of the table changed {fields}")


def kinds_of(view: View, rows: Sequence[Row]) -> Kinds:
    """Looks up the kind of a column, found once for each content of the table."""
    known: dict[str, Kind] = view.memo.setdefault("kinds", {})

    def find(name: str) -> Kind:
        if name not in known:
            known[name] = kind_of(name, (row.values[name] for row in rows))
        return known[name]

    return find


def _asked_row(view: View, call: Call) -> Row | None:
    """The row the call is about (None for an insert), with every name in the call checked."""
    values = call.args.get("set") or call.args.get("values") or {}
    refuse_unknown(view.columns, list(values))
    if call.tool == "table.insert":
        return None
    fixed = sorted(view.fixed.intersection(values))
    if fixed:
        raise ProviderError(
            f"column '{fixed[0]}' names the row or is made by the table, so it cannot be set",
            hint="delete the row and insert it anew",
        )
    row = view.get(call.args["key"])
    if row is None:
        raise ProviderError(
            f"there is no row with {view.key} '{call.args['key'][:80]}'",
            hint="select the rows first and use their keys",
        )
    _refuse_unexpected(row, call)
    return row


def _refuse_unexpected(row: Row | None, call: Call) -> None:
    expected = call.args.get("expect_version")
    if expected and version_of(row) != expected:
        raise ProviderError(
            f"row '{call.args['key'][:80]}' was changed since it was read for the plan",
            hint="read the row again and plan the change anew",
        )


def _change(view: View, call: Call) -> str:
    """Make the change in the view; the key of the row it is about."""
    if call.tool == "table.insert":
        return view.insert(call.args["values"])
    if call.tool == "table.update":
        view.update(call.args["key"], call.args["set"])
    else:
        view.delete(call.args["key"])
    return call.args["key"]


def _outcome(row: Row | None, before: BeforeImage) -> Outcome:
    data = {"key": before.data["key"], "values": row.values if row else None}
    return Outcome(data, version_of(row))


def _difference(row: Row | None, ours: Cells | None, before: BeforeImage) -> tuple[Json, ...]:
    """{"field", "ours", "theirs"} for each cell that is not as we left it."""
    name, key = before.data["key_column"], before.data["key"]
    if row is None or ours is None:
        present = row.key if row else None
        return ({"field": name, "ours": None if ours is None else key, "theirs": present},)
    fields = [*ours, *(column for column in row.values if column not in ours)]
    return tuple(
        {"field": field, "ours": ours.get(field), "theirs": row.values.get(field)}
        for field in fields
        if ours.get(field) != row.values.get(field)
    )


def _column(name: str, kind: Kind, rows: Sequence[Row]) -> Column:
    cells = [row.values[name] for row in rows]
    filled = [cell for cell in cells if cell is not None and cell.strip()]
    distinct = list(dict.fromkeys(filled))
    low = high = ""
    if kind.ordered:
        read = [(value, cell) for cell in distinct if (value := kind.read(cell)) is not None]
        low = min(read, key=lambda pair: pair[0])[1] if read else ""
        high = max(read, key=lambda pair: pair[0])[1] if read else ""
    return Column(
        name,
        kind.name,
        nulls=len(cells) - len(filled),
        distinct=len(distinct),
        values=tuple(sorted(distinct)) if len(distinct) <= FEW else (),
        minimum=low,
        maximum=high,
    )
