"""demo: one real mission on a sandbox of this machine, from plain words to undone, with proof.

Nothing is staged: the same server, worker, database, mail server and files as for real use. It exits 0
only if every line of the proof holds.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import click

from aicp import client
from aicp.cli.up import start_detached, stop
from aicp.client import Client
from aicp.errors import Conflict, TimedOut
from aicp.settings import from_env

INTENT = (
    "Win back our 20 best manufacturing accounts (over $50k ARR) that went quiet in Q2; warm advisory"
    " e-mails, no promotion, send only Tue–Thu 9–17 recipient time, skip the do-not-contact list."
)
OWNER, DELEGATE = "riley@home.example", "gabriela@home.example"
PATIENCE = 120.0  # seconds for any one stage
Doc = dict[str, Any]


@click.command()
@click.option("--intent", default=INTENT, help="Another mission on the same sandbox.")
@click.option(
    "--composio",
    is_flag=True,
    help="A mission on mail, contacts and chat instead: fictional accounts behind Composio's protocol.",
)
@click.option("--fast", is_flag=True, help="Print only headings and the proof.")
def demo(intent: str, composio: bool, fast: bool) -> None:
    """Run a real mission on a sandbox, and take it back.

    \b
    Makes a CRM table, a calendar and a mail server in .aicp/demo, runs the mission through every
    stage, undoes it, and proves that nothing is left. The system stays up; `aicp --demo down` ends it.

    \b
    Examples:
      aicp demo
      aicp demo --intent "Normalise the phone numbers of all accounts in Germany"
      aicp demo --composio
    """
    if composio and intent != INTENT:
        raise click.UsageError("--composio flies a ready plan; it takes no --intent")
    from aicp.cli import demo_composio

    settings = from_env()
    home = settings.data_dir if settings.data_dir.name == "demo" else settings.data_dir / "demo"
    settings = replace(settings, data=str(home), file_roots="", database_url="")
    out = Printer(details=not fast)
    try:
        stage = set_up(settings, out, composio=composio)
        if composio:
            mission = demo_composio.fly(stage, out)
        else:
            proof = _fly(stage, intent, out)
            _prove(stage, proof, out)
            mission = proof.mission
    except BaseException:
        stop(home)
        raise
    _what_next(stage, mission, out)


@dataclass(frozen=True)
class Stage:
    """The sandbox and the two people who act in it."""

    home: Path
    sandbox: Path
    made: Doc
    owner: Client
    delegate: Client
    began: float
    composio: str = ""  # address of the sandbox that speaks Composio's protocol


@dataclass(frozen=True)
class Proof:
    """What was measured before, in the middle and after."""

    mission: str
    before: str
    changed: str
    after: str
    held: int
    doc: Doc
    held_files: int
    verified: list[Doc]


class Printer:
    """Plain lines, aligned; bold headings on a terminal only."""

    def __init__(self, *, details: bool) -> None:
        self.details = details
        self.began = time.monotonic()

    def heading(self, name: str, text: str = "") -> None:
        stamp = f"{time.monotonic() - self.began:6.1f} s"
        click.echo(
            f"\n{click.style(f'{name:<9}', bold=True)} {text:<70} {click.style(stamp, dim=True)}"
        )

    def line(self, label: str, text: str) -> None:
        if self.details:
            click.echo(f"  {label:<11} {text}")

    def always(self, label: str, text: str) -> None:
        click.echo(f"  {label:<11} {text}")


def set_up(settings: Any, out: Printer, *, composio: bool = False) -> Stage:
    """A fresh sandbox, and the system on it.

    Args:
        composio: with the sandbox of Composio's protocol beside it.
    """
    from aicp.cli.supervise import free_port
    from aicp.toolkits.sandbox import create, state_hash

    home: Path = settings.data_dir
    stop(home)
    shutil.rmtree(home / "sandbox", ignore_errors=True)
    smtp = free_port("127.0.0.1", 2525)
    made = create(home / "sandbox", today=date.today(), smtp_port=smtp)  # noqa: DTZ011  the user's day
    options = [f"--sandbox={smtp}"]
    port = free_port("127.0.0.1", 8790) if composio else 0
    if composio:
        shutil.rmtree(home / "composio", ignore_errors=True)
        options.append(f"--composio={port}")
    start_detached(settings, options)
    url = client.running(home)["url"]
    out.heading("SYSTEM", f"database, server and worker at {url}")
    out.line("sandbox", f"{home / 'sandbox'}")
    out.line("", f"accounts.csv, calendar.ics, and a mail server on 127.0.0.1:{smtp}")
    out.line("state", f"sha256 {state_hash(home / 'sandbox')}")
    owner = Client(client.find(home, as_email=OWNER))
    delegate = Client(client.find(home, as_email=DELEGATE))
    address = f"http://127.0.0.1:{port}" if composio else ""
    return Stage(home, home / "sandbox", made, owner, delegate, out.began, address)


def _fly(stage: Stage, intent: str, out: Printer) -> Proof:
    from aicp.toolkits.sandbox import state_hash

    before = state_hash(stage.sandbox)
    mission = _define(stage, intent, out)
    _prepare(stage, mission, out)
    _plan(stage, mission, out)
    _approve(stage, mission, out)
    doc = _execute(stage, mission, out)
    changed, held_files = (
        state_hash(stage.sandbox),
        len(list((stage.sandbox / "mail/held").glob("*.eml"))),
    )
    held = sum(1 for s in doc["run"]["steps"] if s["hold"] and s["hold"]["state"] == "held")
    _evidence(stage, mission, out)
    doc = _undo(stage, mission, out)
    verified = stage.owner.post(f"/api/missions/{mission}/evidence/verification")
    return Proof(
        mission, before, changed, state_hash(stage.sandbox), held, doc, held_files, verified
    )


def _define(stage: Stage, intent: str, out: Printer) -> str:
    config = stage.made["connections"]["mail"]["config"]
    made = stage.owner.post(
        "/api/missions",
        {
            "intent": intent, "data": [stage.made["accounts"]], "calendar": stage.made["calendar"],
            "smtp": config["smtp"], "sender": config["sender"], "mail_folder": config["folder"],
            "delivered": config["delivered"],
        },
    )  # fmt: skip
    mission = made["id"]
    doc = until(stage, mission, lambda d: d["brief"] is not None)
    out.heading("DEFINE", f"{mission}   read by: {_brain(doc)}")
    out.line("words", f"“{doc['intent']}”")
    for chip in doc["brief"]["chips"]:
        words = ", ".join(f"‹{span['text']}›" for span in chip["spans"]) or "default"
        out.line(chip["kind"], f"{chip['text']}")
        out.line("", click.style(f"{chip['band']} · from {words} · {chip['rule']}", dim=True))
    for span in doc["brief"]["not_understood"]:
        out.line("not taken", f"‹{span['text']}›")
    for question in doc["brief"]["questions"]:
        out.always("question", question["text"])
    for who, name in ((stage.owner, "owner"), (stage.delegate, "governance delegate")):
        who.post(f"/api/missions/{mission}/acknowledgements")
        out.line("ack", f"safeguards acknowledged by the {name}")
    return mission


def _prepare(stage: Stage, mission: str, out: Printer) -> None:
    doc = until(stage, mission, lambda d: d["stage"] not in ("Define", "Prepare"))
    out.heading("PREPARE", f"coverage {doc['coverage_percent']:.0f} % (85 % opens the gate)")
    output = next(s["output"] for s in doc["stages"] if s["stage"] == "Prepare")
    parts = ", ".join(f"{p['name']} {p['percent']:.0f} %" for p in output["coverage"]["parts"])
    out.line("parts", parts)
    for connection in doc["connections"]:
        rows = f"{connection['rows']} rows, " if connection["rows"] else ""
        out.line(
            "connected",
            f"{connection['account']}: {rows}scopes {', '.join(connection['scopes']['granted'])}",
        )
    for read in doc["inspections"]:
        counts = f"{read['rows']} rows" + (
            f" of {read['matched']} matching" if read["matched"] else ""
        )
        out.line("read", f"{read['tool']} {read['account']}: {counts} · {read['purpose']}")


def _plan(stage: Stage, mission: str, out: Printer) -> None:
    doc = until(stage, mission, lambda d: bool(d["plays"]))
    out.heading("PLAN", f"{len(doc['plays'])} plays, ranked by counted facts")
    for offer in doc["plays"]:
        play, rehearsal = offer["play"], offer["rehearsal"]
        tiers = _tiers(play["steps"])
        proof = (
            "undo rehearsed: exact" if rehearsal["exact"] else f"rehearsal: {rehearsal.get('why')}"
        )
        out.always(
            f"play {offer['rank']}",
            f"{play['title']}   score {play['score']:.2f}   risk {play['risk']}",
        )
        out.line("", f"{play['summary']}")
        out.line("", click.style(f"{tiers} · {proof} · {play['rationale']}", dim=True))
    stage.owner.post(f"/api/missions/{mission}/plan", {"rank": 1})
    out.line("chosen", "play 1, by the owner")


def _approve(stage: Stage, mission: str, out: Printer) -> None:
    doc = until(stage, mission, lambda d: d["approval"] is not None)
    sheet = doc["approval"]
    out.heading(
        "APPROVE",
        f"risk {sheet['risk']['risk']}: needs the {' and the '.join(sheet['approval']['required'])}",
    )
    out.line("what", sheet["what"])
    out.line("affected", ", ".join(f"{n} {name}" for name, n in sheet["affected"].items()))
    out.line("safeguards", "; ".join(guard["text"].rstrip(".") for guard in sheet["safeguards"]))
    out.line("scopes", ", ".join(sheet["scopes"]))
    no_return = sheet["undo"]["point_of_no_return"]
    out.line(
        "undo",
        f"{counted(sheet['undo']['tiers'])}; point of no return: {no_return or 'none while the mails are held'}",
    )
    out.always("digest", sheet["approval"]["digest"])
    for who, name in ((stage.owner, "owner"), (stage.delegate, "governance delegate")):
        answer = who.post(
            f"/api/missions/{mission}/approval",
            {"digest": sheet["approval"]["digest"], "rationale": "read in full"},
        )
        out.line("approved", f"by the {name}")
        if answer["complete"]:
            break


def _execute(stage: Stage, mission: str, out: Printer) -> Doc:
    out.heading("EXECUTE", "every call through the gate, one after the other")
    shown: set[int] = set()

    def show(doc: Doc) -> bool:
        for step in doc["run"]["steps"]:
            if step["state"] == "done" and step["seq"] not in shown:
                shown.add(step["seq"])
                out.line(f"{step['seq']:>3} {step['undo_tier']}", _step(step))
        return doc["stage"] == "Reflect"

    return until(stage, mission, show)


def _evidence(stage: Stage, mission: str, out: Printer) -> None:
    bundle = stage.owner.get(f"/api/missions/{mission}/evidence")[-1]
    out.heading("EVIDENCE", f"{bundle['artifact_count']} files sealed")
    out.always("manifest", bundle["manifest_sha256"])
    for artifact in bundle["artifacts"]:
        out.line("", f"{artifact['sha256'][:16]}  {artifact['size']:>8} bytes  {artifact['name']}")


def _undo(stage: Stage, mission: str, out: Printer) -> Doc:
    stage.owner.post(f"/api/missions/{mission}/undo", {"reason": "the demo takes everything back"})
    over = ("undone", "undo_stopped")
    doc = until(stage, mission, lambda d: d["run_state"] in over and len(d["bundles"]) > 1)
    steps = doc["undo"][0]["steps"]
    counts = {
        status: sum(s["status"] == status for s in steps) for status in {s["status"] for s in steps}
    }
    told = ", ".join(f"{n} {status}" for status, n in sorted(counts.items()))
    out.heading("UNDO", f"{len(steps)} steps taken back, last first: {told}")
    return doc


def _prove(stage: Stage, proof: Proof, out: Printer) -> None:
    """Each line is a measurement; one that fails fails the demo."""
    delivered = sum(1 for p in (stage.sandbox / "inbox").rglob("*") if p.is_file())
    left = len(list((stage.sandbox / "mail/held").glob("*.eml")))
    calls = [s for s in proof.doc["run"]["steps"] if s["state"] == "done"]
    undone = proof.doc["undo"][0]["steps"]
    checks = [
        (proof.changed != proof.before, f"the mission changed the sandbox: {proof.changed[:16]}…"),
        (len(calls) == len(proof.doc["run"]["steps"]) > 0, f"{len(calls)} approved calls, each made once"),
        (proof.held == proof.held_files, f"{proof.held} mails were held, none had left"),
        (all(s["status"] in ("restored", "already") for s in undone), f"{len(undone)} steps undone"),
        (proof.after == proof.before, f"state before = after: {proof.after[:16]}…"),
        (delivered == 0 and left == 0, f"mails that left: {delivered}; still held: {left}"),
        (not any(b["damage"] for b in proof.verified) and bool(proof.verified),
         f"{len(proof.verified)} evidence bundles re-hashed, no byte changed"),
        (not proof.doc["findings"], f"findings: {len(proof.doc['findings'])}"),
    ]  # fmt: skip
    out.heading("PROOF")
    for held, text in checks:
        out.always(
            click.style("holds", fg="green") if held else click.style("FAILS", fg="red"), text
        )
    if not all(held for held, _ in checks):
        raise Conflict("the demo's proof does not hold", hint=f"look into {stage.home / 'logs'}")


def _what_next(stage: Stage, mission: str, out: Printer) -> None:
    url = stage.owner.place.url
    link = url + stage.owner.post("/api/login-link")["path"]
    called = program()
    out.heading("NEXT")
    out.always("console", url)
    out.always("sign in", f"{link}   (once, within 30 minutes)")
    for words in (
        f"{called} --demo mission show {mission}",
        f"{called} --demo evidence verify {mission}",
        f'{called} demo --intent "Normalise the phone numbers of all accounts in Germany"',
    ):
        out.always("try", words)
    out.always("stop", f"{called} --demo down")


def until(
    stage: Stage, mission: str, ready: Callable[[Doc], bool], *, blocked: bool = False
) -> Doc:
    """The mission's document once it is as wanted.

    Args:
        blocked: it is blocked meanwhile, by what is being waited for.

    Raises:
        Conflict: the mission is blocked and nobody will mend it here.
        TimedOut: it took longer than two minutes.
    """
    deadline = time.monotonic() + PATIENCE
    doc: Doc = {}
    while time.monotonic() < deadline:
        doc = stage.owner.get(f"/api/missions/{mission}")
        if ready(doc):
            return doc
        if doc["status"] == "blocked" and not blocked:
            raise Conflict(f"the mission is blocked in {doc['stage']}: {doc['blocking_reason']}")
        time.sleep(0.1)
    raise TimedOut(f"the mission is still in {doc.get('stage')} after {PATIENCE:.0f} seconds")


def _step(step: Doc) -> str:
    verdicts = step["verdicts"]
    post = "as planned" if not verdicts.get("post") else "; ".join(verdicts["post"])
    told = f"gate {verdicts.get('gate', '?')} · {len(verdicts.get('safeguards', []))} safeguards · read back {post}"
    hold = f" · held until {step['hold']['due_at'][:16]}Z" if step["hold"] else ""
    return f"{step['tool']:<15} {step['subject'][:40]:<40} {step['ms']:>6} ms  {told}{hold}"


def _tiers(steps: list[Doc]) -> str:
    return counted(Counter(step["undo_tier"] for step in steps if step["mutates"]))


def counted(tiers: Mapping[str, int]) -> str:
    return ", ".join(f"{tier} × {count}" for tier, count in sorted(tiers.items()))


def _brain(doc: Doc) -> str:
    brain = doc["brief"]["brain"]
    return "rules planner, no language model" if brain == "rules" else brain


def program() -> str:
    """How this program was called, as it may be typed again."""
    name = Path(sys.argv[0])
    if name.suffix == ".py":  # python -m
        return "aicp"
    try:
        return str(name.relative_to(Path.cwd())) if name.is_absolute() else str(name)
    except ValueError:
        return "aicp"
