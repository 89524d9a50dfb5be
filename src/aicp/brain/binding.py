"""From a play file and real rows to steps: every argument with its source, irreversible last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aicp.brain import slots as fills
from aicp.brain.brief import Brief
from aicp.brain.columns import own_columns
from aicp.brain.playbook import PlayFile, StepTemplate
from aicp.brain.slots import Slot
from aicp.brain.text import name_words
from aicp.toolkits.model import Resource, ToolSpec, UndoTier
from aicp.trust.plan import Provenance, Ref, Safeguard, Step

RANK = {
    UndoTier.T0: 0,
    UndoTier.T1: 0,
    UndoTier.T2: 1,
    UndoTier.T3: 2,
    UndoTier.T4: 3,
    UndoTier.T5: 4,
}
COUNTED = {"mail.draft": "mails", "calendar.add": "events", "table.update": "updates",
           "table.insert": "inserts", "table.delete": "deletes"}  # fmt: skip
Item = dict[str, Slot]


@dataclass(frozen=True, slots=True)
class Context:
    """What one play is bound with."""

    play: PlayFile
    brief: Brief
    table: Resource
    resources: tuple[Resource, ...]
    reads: Mapping[str, Mapping[str, Any]]
    tools: Mapping[str, ToolSpec]
    now: datetime

    @property
    def params(self) -> dict[str, Any]:
        """The objective's parameters over the play's defaults."""
        goal = self.brief.objective.goal if self.brief.objective else None
        said = goal.params if goal else {}
        return {k: said.get(k, p.default) for k, p in self.play.params.items()}

    @property
    def rows(self) -> list[Mapping[str, Any]]:
        return list(self.reads.get("rows", {}).get("rows", []))

    def guard(self, kind: str) -> Safeguard | None:
        return next((s for s in self.brief.safeguards if s.kind == kind), None)

    def account(self, toolkit: str) -> str:
        if toolkit == "table":
            return self.table.account
        return next((r.account for r in self.resources if r.toolkit == toolkit), "")

    def column(self, role: str) -> str:
        """The table's column for a role of the play: by kind, then by words of the name."""
        spec = self.play.columns.get(role)
        if spec is None:
            return ""
        fitting = [c for c in self.table.columns if not spec.kinds or c.kind in spec.kinds]
        if spec.words:
            plain = [c for c in fitting if c.kind in ("text", "enum") or spec.kinds]
            ordered = (c.name for w in spec.words for c in plain if w in name_words(c.name))
            return next(ordered, "")
        own = own_columns(fitting, fitting[0].kind) if fitting else []
        return own[0] if own else ""


@dataclass(slots=True)
class Bound:
    """The outcome of binding one play."""

    steps: tuple[Step, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    degraded: bool = False


@dataclass(slots=True)
class _Draft:
    template: StepTemplate
    tool: ToolSpec
    item: Item
    owner: int  # which item: references stay inside it


def bind(ctx: Context, items: Sequence[Item], notes: list[str]) -> Bound:
    """Steps for the items: template by template, then ordered by how far each can be undone."""
    drafts, degraded = _drafts(ctx, items, notes)
    drafts.sort(key=lambda d: RANK[d.tool.undo_tier])  # stable: groups stay together
    places = {(d.template.name, d.owner): n for n, d in enumerate(drafts, 1)}
    steps = tuple(_step(ctx, d, n, places) for n, d in enumerate(drafts, 1))
    made = Counter(COUNTED[s.tool_name] for s in steps if s.tool_name in COUNTED)
    touched = {d.item.get("gone.key", d.item["row.key"]).value for d in drafts}
    counts = {"rows": len(touched)} | dict(made)
    if ctx.play.binder == "duplicates":
        counts["groups"] = len({item["row.key"].value for item in items})
    return Bound(steps, counts, notes, degraded)


def _drafts(ctx: Context, items: Sequence[Item], notes: list[str]) -> tuple[list[_Draft], bool]:
    drafts: list[_Draft] = []
    degraded = False
    for template in ctx.play.steps:
        tool = ctx.tools.get(template.tool)
        if tool is None or not ctx.account(tool.toolkit):
            degraded = True
            notes.append(f"'{template.group}' is left out: {template.tool} is not connected.")
            continue
        ready = [(n, i) for n, i in enumerate(items) if all(need in i for need in template.needs)]
        drafts += [_Draft(template, tool, item, n) for n, item in ready]
        missing = len(items) - len(ready)
        if missing and template.optional:
            notes.append(f"'{template.group}' is left out for {missing} of {len(items)} rows: "
                         f"{', '.join(template.needs)} could not be found.")  # fmt: skip
    return drafts, degraded


def _step(ctx: Context, d: _Draft, seq: int, places: Mapping[tuple[str, int], int]) -> Step:
    args: dict[str, Any] = {}
    provenance: dict[str, Provenance] = {}
    for name, template in d.template.args.items():
        slot = fills.fill(template, d.item, ctx.play.id)
        args[name] = slot.value
        provenance[name] = slot.source
        provenance |= {f"{name}.{inner}": source for inner, source in slot.inner}
    refs = {name: _ref(d, name, ref, places) for name, ref in d.template.refs.items()}
    for name, ref in refs.items():
        provenance[name] = Provenance(source="output", where=f"step {ref.step}")
    return Step(
        seq=seq, tool=d.tool.ref, account=ctx.account(d.tool.toolkit), args=args, refs=refs,
        provenance=provenance, effect=fills.text(d.template.effect, d.item),
        mutates=d.tool.mutates, undo_tier=d.tool.undo_tier, undo=undo_words(d.tool),
        subject=fills.text(d.template.subject, d.item), group=d.template.group,
        expect_version=str(args.get("expect_version", "")),
        zone=str(d.item["zone"].value) if d.tool.toolkit == "mail" and "zone" in d.item else "",
    )  # fmt: skip


def undo_words(tool: ToolSpec) -> str:
    """The tool's own words: never better than what it declares."""
    residue = f" What stays: {tool.residue}." if tool.residue else ""
    return (tool.undo or "It cannot be taken back.") + residue


def _ref(d: _Draft, arg: str, ref: Mapping[str, str], places: Mapping[tuple[str, int], int]) -> Ref:
    """A reference to the same item's earlier step, with the domain the tool declares (A3.3)."""
    declared = d.tool.args_schema.get("properties", {}).get(arg)
    domain = dict(declared) if declared else {"type": "string", "minLength": 1, "maxLength": 200}
    return Ref(step=places[(ref["step"], d.owner)], path=ref["path"], domain=domain)
