"""A mission's document as text: one function for each part, lines out, nothing asked, nothing printed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from aicp.cli.render import (
    Look,
    bold,
    clean,
    dim,
    fields,
    quoted,
    section,
    table,
    tint,
    when,
    wrap,
)  # fmt: skip

Doc = dict[str, Any]
ICONS = {"completed": "✓", "in_progress": "▸", "ready": "▸", "blocked": "✗", "pending": "·"}
TIERS = {
    "T0": "no effect",
    "T1": "exact, proved by hash",
    "T2": "restored, with a named residue",
    "T3": "held, cancellable until it leaves",
    "T4": "only compensable",
    "T5": "irreversible",
}


def state_of(mission: Doc) -> str:
    """The one word for where a mission is: its run's state once it runs, else its status."""
    return mission["status"] if mission["run_state"] == "idle" else mission["run_state"]


def missions(rows: list[Doc], look: Look) -> Iterator[str]:
    """Missions as a table, nothing when there are none."""
    if not rows:
        return
    told = [
        (m["id"], m["stage"], state_of(m).replace("_", " "), m["owner"],
         f"{m['step']}/{m['steps']}" if m["steps"] else "", when(m["updated_at"], look, "%m-%d %H:%M"),
         m["title"])
        for m in rows
    ]  # fmt: skip
    head = ("ID", "STAGE", "STATE", "OWNER", "STEPS", "UPDATED", "TITLE")
    yield from table(told, head, look, paint={2: tint})


def header(mission: Doc, look: Look) -> Iterator[str]:
    """Who, where, how far, and what stops it."""
    yield f"{bold(mission['id'])}  {clean(mission['title'])}"
    if mission.get("stages"):
        yield "  " + "  ".join(
            f"{ICONS[s['status']]} {s['stage']}" for s in mission["stages"] if s["stage"] != "Home"
        )
    steps = f"{mission['step']} of {mission['steps']}" if mission["steps"] else ""
    coverage = mission["coverage_percent"]
    yield from fields(
        [
            ("state", state_of(mission).replace("_", " ")),
            ("stage", mission["stage"]),
            ("owner", mission["owner"]),
            ("issue", mission["issue"] or ""),
            ("coverage", "" if coverage is None else f"{coverage:.0f} %"),
            ("steps", steps),
            ("created", when(mission["created_at"], look)),
            ("finished", when(mission["completed_at"], look)),
            ("why", mission["blocking_reason"]),
        ],
        look,
    )


def brief(mission: Doc, look: Look) -> Iterator[str]:
    """The chips, each with its confidence and the words it came from; then all that is still open."""
    data = mission["brief"]
    yield from section(f"Brief  {dim('read by ' + clean(data['brain']))}")
    yield from wrap(quoted(mission["intent"]), look, indent=2)
    yield ""
    for chip in data["chips"]:
        yield from _chip(chip, look)
    for span in data["not_understood"]:
        yield from wrap(quoted(span["text"]), look, indent=2, bullet="not understood  ")
    for question in data["questions"]:
        options = f" ({', '.join(question['options'])})" if question["options"] else ""
        yield from wrap(
            f"{question['text']}{options}", look, indent=2, bullet=f"? {question['id']}  "
        )
    yield from _open(data, look)


def _chip(chip: Doc, look: Look) -> Iterator[str]:
    word = "accepted" if chip["accepted"] else chip["band"]
    name = f"  {chip['id']:<13} "
    lines = list(wrap(chip["text"], look, indent=len(name) + 14))
    yield name + tint(f"{word:<12}") + "  " + (lines[0].lstrip() if lines else "")
    yield from lines[1:]
    words = ", ".join(quoted(span["text"]) for span in chip["spans"]) or "no words: a default"
    for line in wrap(f"from {words}", look, indent=len(name) + 14):
        yield dim(line)


def _open(data: Doc, look: Look) -> Iterator[str]:
    if data["gaps"]:
        yield from section("To settle")
        for gap in data["gaps"]:
            yield from wrap(gap, look, indent=2, bullet="- ")
        return
    given = {ack["capacity"]: ack for ack in data["acknowledgements"]}
    yield from section("Safeguards acknowledged")
    yield from fields(
        [
            (name, f"{given[name]['name']}, {when(given[name]['at'], look)}" if name in given else "still needed")
            for name in ("owner", "governance")
        ],
        look,
    )  # fmt: skip


def readiness(mission: Doc, look: Look) -> Iterator[str]:
    """Coverage with its parts and gaps, the connections with their scopes, what was read."""
    covered = coverage_of(mission)
    if covered:
        yield from section(f"Coverage  {covered['percent']:.0f} %  {dim('85 % opens the plan')}")
        rows = [
            (p["name"], f"{p['percent']:.0f} %", f"{p['weight']:.2f}", "; ".join(p["gaps"]))
            for p in covered["parts"]
        ]
        yield from table(rows, ("PART", "COVERED", "WEIGHT", "GAPS"), look, indent=2, wraps=True)
    yield from connections(mission, look)
    if mission["inspections"]:
        yield from section("Read, and nothing else touched")
        rows = [
            (r["account"], r["rows"], "" if r["matched"] is None else r["matched"], r["purpose"])
            for r in mission["inspections"]
        ]
        yield from table(rows, ("ACCOUNT", "ROWS", "MATCHED", "WHY"), look, indent=2, wraps=True)


def coverage_of(mission: Doc) -> Doc | None:
    """What the Prepare stage measured, None before it did."""
    output = next((s["output"] for s in mission["stages"] if s["stage"] == "Prepare"), None)
    return (output or {}).get("coverage")


def connections(mission: Doc, look: Look) -> Iterator[str]:
    yield from section("Connections")
    rows = [
        (c["account"], c["toolkit"], c["rows"] or "", _scopes(c["scopes"]), c["problem"] or "ok")
        for c in mission["connections"]
    ]
    head = ("ACCOUNT", "TOOLKIT", "ROWS", "GRANTED (USED*)", "STATE")
    yield from table(rows, head, look, indent=2, paint={4: tint})


def _scopes(scopes: Doc) -> str:
    """The granted scopes, the used ones starred."""
    return " ".join(f"{s}*" if s in scopes["used"] else s for s in scopes["granted"]) or "none"


def plays(mission: Doc, look: Look) -> Iterator[str]:
    """The ranked plays, each with why it ranks there, its tiers and its rehearsal."""
    for offer in mission["plays"]:
        yield from _play(offer, look)


def _play(offer: Doc, look: Look) -> Iterator[str]:
    play, rehearsal = offer["play"], offer["rehearsal"]
    chosen = "  (chosen)" if offer["selected"] else ""
    yield from section(f"{offer['rank']}  {clean(play['title'])}{chosen}")
    yield from wrap(play["summary"], look, indent=3)
    yield from fields(
        [
            ("score", f"{play['score']:.2f}  = " + " + ".join(
                f"{t['name']} {t['value']:.2f} × {t['weight']:.2f}" for t in play["terms"])),
            ("why", play["rationale"]),
            ("risk", f"{play['risk'].replace('_', ' ')} (impact {play['impact']}, reversibility {play['reversibility']})"),
            ("affects", counts(play["affected"])),
            ("undo", tier_counts(play["steps"])),
            ("rehearsed", rehearsed(rehearsal)),
        ],
        look, indent=3,
    )  # fmt: skip
    for name, steps in grouped(play["steps"]):
        yield from wrap(f"{name} ({tier_counts(steps)})", look, indent=3, bullet=f"{len(steps)} × ")
    for note in play["notes"]:
        yield from wrap(note, look, indent=3, bullet="! ")


def rehearsed(rehearsal: Doc) -> str:
    """What the rehearsal came to; steps that stay (T4, T5) are named, not counted as taken back."""
    if rehearsal.get("exact") and rehearsal.get("dry"):
        return f"{rehearsal['dry']} of {rehearsal['steps']} steps were checked only, not tried: there is no copy to try them on"
    if rehearsal.get("exact") and rehearsal.get("stays"):
        seqs = ", ".join(str(seq) for seq in rehearsal["stays"])
        return (
            f"as declared: {rehearsal['undone']} of {rehearsal['steps']} steps taken back on a copy;"
            f" what step {seqs} does stays, as its tier says"
        )
    if rehearsal.get("exact"):
        return f"exact: {rehearsal['steps']} steps done and taken back on a copy, state hash equal"
    return f"FAILED at step {rehearsal.get('at', '?')}: {rehearsal.get('why', 'the state did not come back')}"


def grouped(steps: Iterable[Doc]) -> list[tuple[str, list[Doc]]]:
    """Neighbouring steps of one group (or tool) under its name."""

    def key(step: Doc) -> str:
        return step.get("group") or step["tool"].split("@")[0]

    return [(name, list(members)) for name, members in groupby(steps, key)]


def counts(affected: Doc) -> str:
    return ", ".join(f"{number} {name}" for name, number in affected.items()) or "nothing"


def tier_counts(steps: Iterable[Doc]) -> str:
    """`6 × T1 exact, 2 × T3 held …`, in the order of the tiers."""
    found = Counter(step["undo_tier"] for step in steps if step.get("mutates", True))
    return ", ".join(f"{found[t]} × {t} {TIERS[t]}" for t in sorted(found)) or "nothing to undo"


def sheet(approval: Doc, look: Look, *, whole: bool) -> Iterator[str]:
    """The approval sheet: everything a person must see before deciding (TR-8).

    Args:
        whole: every single call; otherwise the calls counted by group.
    """
    asked, mission = approval["approval"], approval["mission"]
    yield from section(f"Approval sheet  {mission['id']}  {clean(mission['title'])}")
    yield from wrap(approval["what"], look, indent=2)
    yield from fields(_sheet_fields(approval, look), look)
    yield from section("Safeguards that every call must keep")
    for guard in approval["safeguards"]:
        yield from wrap(guard["text"], look, indent=2, bullet="- ")
    for note in approval["notes"]:
        yield from wrap(note, look, indent=2, bullet="! ")
    yield from _changes(approval["changes"], look)
    yield from _unnamed(approval.get("unnamed", []), look)
    yield from _calls(approval["steps"], look, whole=whole)
    yield ""
    yield f"  digest  {bold(asked['digest'])}"


def _unnamed(values: list[Doc], look: Look) -> Iterator[str]:
    """Values from untrusted content that the approver has to name, and where they come from."""
    if not values:
        return
    yield from section("Values from untrusted content: name each that is right (--name VALUE)")
    rows = [
        (one["value"], ", ".join(dict.fromkeys(one["arguments"])), ", ".join(map(str, one["steps"])), one["first_seen"])
        for one in values
    ]  # fmt: skip
    yield from table(rows, ("VALUE", "AS", "STEPS", "FIRST SEEN"), look, indent=2, wraps=True)


def _sheet_fields(approval: Doc, look: Look) -> list[tuple[str, Any]]:
    asked, risk, undo = approval["approval"], approval["risk"], approval["undo"]
    no_return = undo["point_of_no_return"]
    decided = [f"{d['decision']} by {d['name']} ({d['capacity']})" for d in asked["decisions"]]
    handed = [f"{d['capacity']} from {d['from']} to {d['to']}" for d in asked["delegations"]]
    return [
        ("affects", counts(approval["affected"])),
        ("risk", f"{risk['risk'].replace('_', ' ')} (impact {risk['impact']}, reversibility {risk['reversibility']})"),
        ("scopes", ", ".join(approval["scopes"])),
        ("undo", ", ".join(f"{n} × {t} {TIERS[t]}" for t, n in undo["tiers"].items()) or "read only"),
        ("no return", "none" if no_return is None else f"from step {no_return} on"),
        ("needs", " and ".join(asked["required"])),
        ("decided", "; ".join(decided)),
        ("delegated", "; ".join(handed)),
        ("missing", asked["missing"]),
        ("state", f"{asked['status']} {asked['status_reason']}".strip()),
        ("expires", when(asked["expires_at"], look)),
    ]  # fmt: skip


def _changes(changes: list[Doc] | None, look: Look) -> Iterator[str]:
    """What is different from the plan that was asked for before."""
    if changes is None:
        return
    yield from section(f"Since the last request  {len(changes) or 'nothing'} changed")
    rows = [(c["kind"], c["what"], c["name"], c["was"], c["now"]) for c in changes]
    yield from table(rows, ("CHANGE", "OF", "WHICH", "WAS", "IS NOW"), look, indent=2, wraps=True)


def markdown(approval: Doc, look: Look) -> Iterator[str]:
    """The whole sheet as Markdown: facts, safeguards, then every call with every argument."""
    asked, mission = approval["approval"], approval["mission"]
    yield f"# Approval sheet {asked['id']}: {clean(mission['title'])}"
    yield ""
    yield clean(approval["what"])
    yield ""
    for name, value in _sheet_fields(approval, look):
        if value:
            yield f"- **{name}**: {clean(str(value))}"
    yield f"- **digest**: `{asked['digest']}`"
    yield from _listed("Safeguards", [guard["text"] for guard in approval["safeguards"]])
    yield from _listed("Notes", approval["notes"])
    changed = [
        f"{c['kind']} {c['what']} {c['name']}: {c['was'] or 'nothing'} → {c['now'] or 'nothing'}"
        for c in approval["changes"] or []
    ]
    yield from _listed("Since the last request", changed)
    yield "\n## Calls"
    for step in approval["steps"]:
        yield f"\n### {step['seq']}. {clean(step['subject'] or step['effect'])}"
        yield f"\n`{step['tool']}` on `{step['account']}`, undo {step['undo_tier']}: {clean(step['undo'])}"
        yield f"\n{clean(step['effect'])}"
        arguments = step["args"] | {
            f"{n} (from step {r['step']})": r["path"] for n, r in step["refs"].items()
        }
        body = json.dumps(arguments, indent=2, ensure_ascii=False)
        yield "\n".join(["", *(f"    {line}" for line in body.splitlines())])


def _listed(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield f"\n## {title}\n"
        yield from (f"- {clean(line)}" for line in lines)


def _calls(steps: list[Doc], look: Look, *, whole: bool) -> Iterator[str]:
    yield from section(f"{len(steps)} calls, exactly these")
    if not whole:
        for name, members in grouped(steps):
            yield from wrap(
                f"{name} ({tier_counts(members)})", look, indent=2, bullet=f"{len(members)} × "
            )
        return
    rows = [
        (s["seq"], s["tool"].split("@")[0], s["account"], s["undo_tier"], f"{s['subject']}: {s['effect']}".lstrip(": "))
        for s in steps
    ]  # fmt: skip
    yield from table(rows, ("#", "TOOL", "ACCOUNT", "UNDO", "EFFECT"), look, indent=2, wraps=True)


def arguments(approval: Doc, look: Look) -> Iterator[str]:
    """Every argument of every call, to the letter, and where each value comes from."""
    for step in approval["steps"]:
        yield from section(
            f"{step['seq']}  {step['tool']}  {clean(step['account'])}  {clean(step['subject'])}"
        )
        for name, value in step["args"].items():
            told = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            for i, line in enumerate(told.splitlines() or [""]):
                yield from wrap(line, look, indent=2, bullet=f"{name}  " if i == 0 else "    ")
        for name, ref in step["refs"].items():
            yield from wrap(
                f"from step {ref['step']}, {ref['path']}", look, indent=2, bullet=f"{name}  "
            )
        for name, origin in step["provenance"].items():
            trust = "" if origin["trusted"] else " (untrusted content)"
            for line in wrap(
                f"{name}: {origin['source']}, {origin['where']}{trust}", look, indent=4
            ):
                yield dim(line)


def run(mission: Doc, look: Look) -> Iterator[str]:
    """Every call of the plan, done or not, with its verdicts and its hold."""
    steps = mission["run"]["steps"]
    if not steps:
        return
    yield from section(
        f"Run  {mission['run']['state']}  {mission['run']['cursor']} of {len(steps)}"
    )
    rows = [
        (s["seq"], s["tool"], s["undo_tier"], s["state"], _verdict(s), hold(s["hold"], look), s["subject"])
        for s in steps
    ]  # fmt: skip
    head = ("#", "TOOL", "UNDO", "STATE", "VERDICT", "HOLD", "SUBJECT")
    yield from table(rows, head, look, indent=2, paint={3: tint})


def _verdict(step: Doc) -> str:
    """What the gate and the read-back said, or what went wrong."""
    if step["error"]:
        return step["error"]
    told = step["verdicts"]
    post = "; ".join(told.get("post") or ())
    words = [f"gate {told['gate']}"] if told.get("gate") else []
    return ", ".join(
        [*words, *([post] if post else []), *(["reconciled"] if step["reconciled"] else [])]
    )


def hold(held: Doc | None, look: Look) -> str:
    if held is None:
        return ""
    if held["state"] == "held":
        return f"until {when(held['due_at'], look, '%m-%d %H:%M')}"
    return f"{held['state']} {held['error']}".strip()


def to_take_back(mission: Doc, look: Look, *, to_step: int = 0) -> Iterator[str]:
    """What an undo would touch, last step first, with how far each can be taken back."""
    steps = (s for s in reversed(mission["run"]["steps"]) if s["seq"] > to_step)
    done = [s for s in steps if s["state"] in ("done", "unknown")]
    yield from section(f"{len(done)} steps are taken back, the last one first")
    for name, members in grouped(done):
        yield from wrap(
            f"{name} ({tier_counts(members)})", look, indent=2, bullet=f"{len(members)} × "
        )
    left = [s for s in done if s["hold"] and s["hold"]["state"] == "released"]
    if left:
        yield from wrap(
            f"{len(left)} effects have left already and stay", look, indent=2, bullet="! "
        )


def undo(mission: Doc, look: Look) -> Iterator[str]:
    """The newest undo run step by step, with what somebody else changed in between."""
    if not mission["undo"]:
        return
    last = mission["undo"][0]
    known = {s["seq"]: s for s in mission["run"]["steps"]}
    what = "Undo, tried on copies" if last["dry_run"] else "Undo"
    yield from section(f"{what}  {last['state']}  {when(last['requested_at'], look)}")
    rows = [
        (s["seq"], known.get(s["seq"], {}).get("tool", ""), known.get(s["seq"], {}).get("undo_tier", ""),
         s["status"], s["residue"] or s["why"], known.get(s["seq"], {}).get("subject", ""))
        for s in last["steps"]
    ]  # fmt: skip
    head = ("#", "TOOL", "UNDO", "RESULT", "RESIDUE OR REASON", "SUBJECT")
    yield from table(rows, head, look, indent=2, paint={3: tint})
    for step in last["steps"]:
        yield from _difference(step, look)


def _difference(step: Doc, look: Look) -> Iterator[str]:
    if not step["difference"]:
        return
    yield from section(f"Step {step['seq']}: somebody else changed this since")
    rows = [
        (d.get("field", ""), d.get("ours", ""), d.get("theirs", "")) for d in step["difference"]
    ]
    yield from table(rows, ("FIELD", "WE LEFT", "NOW"), look, indent=2, wraps=True)


def findings(mission: Doc, look: Look) -> Iterator[str]:
    """What was refused, or was not as it should be."""
    if not mission["findings"]:
        return
    yield from section(f"Findings  {len(mission['findings'])}")
    rows = [(when(f["at"], look, "%H:%M:%S"), f["rule"], f["message"]) for f in mission["findings"]]
    yield from table(rows, ("AT", "RULE", "WHAT"), look, indent=2, wraps=True)


def bundles(rows: list[Doc], look: Look) -> Iterator[str]:
    """Sealed evidence: when, why, how much, under which hash."""
    if not rows:
        return
    yield from section("Evidence")
    told = [
        (when(b["created_at"], look), b["occasion"], b["artifact_count"], b["manifest_sha256"])
        for b in rows
    ]
    yield from table(told, ("SEALED", "OCCASION", "FILES", "MANIFEST SHA-256"), look, indent=2)


def damage(checked: list[Doc]) -> Iterator[str]:
    """One line for each bundle, and one for each stretch of bytes that is not as it was sealed."""
    for bundle in checked:
        name = f"{bundle['occasion']:<9}  {bundle['manifest_sha256'][:16]}"
        if not bundle["damage"]:
            yield f"  {tint('ok')}    {name}  {bundle['artifact_count']} files, every byte as sealed"
        for wrong in bundle["damage"]:
            yield f"  {tint('fail')}  {name}  {clean(wrong['name'])}: {clean(wrong['part'])}"


def whole(mission: Doc, look: Look) -> Iterator[str]:
    """Everything there is to a mission, in the order of its stages."""
    yield from header(mission, look)
    if mission["brief"]:
        yield from brief(mission, look)
    yield from readiness(mission, look)
    yield from plays(mission, look)
    if mission["approval"]:
        yield from sheet(mission["approval"], look, whole=False)
    yield from run(mission, look)
    yield from undo(mission, look)
    yield from findings(mission, look)
    yield from bundles(mission["bundles"], look)
