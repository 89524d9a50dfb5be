"""`--mode check`: the catalogue and the code held against each other; no network, no database (OB-5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from aicp.telemetry.audit.findings import Finding, Report
from aicp.telemetry.audit.sites import Odd, Site, odd_lines, sites
from aicp.telemetry.catalogue import Event, Field, Unsound, catalogue, fields
from aicp.telemetry.docs import current
from aicp.telemetry.redaction import Context, redact

AUDITOR = Context("00000000-0000-4000-8000-000000000000")


def check() -> Report:
    """Every static check. A catalogue that cannot be read is one finding, and nothing else is checked."""
    report = Report("check")
    try:
        events, known = catalogue(), fields()
    except Unsound as error:
        report.took("catalogue", 1, [Finding("catalogue", "src/aicp/telemetry/events", str(error))])
        return report
    found = sites()
    report.took("catalogue", len(events), unused(events, known))
    report.took("sites", len(found), named(found, events))
    report.took("coverage", len(events), covered(found, events))
    report.took("examples", len(events), examples(events))
    report.took("redaction", len(known), redacted(known, lambda value: redact(value, AUDITOR)))
    report.took("log-lines", len(found), [Finding("log-lines", o.where, o.why) for o in lines()])
    stale = current()
    report.took("generated", 1, [Finding("generated", stale, "is not what the catalogue makes; run `make telemetry`")] if stale else [])  # fmt: skip
    return report


def unused(events: Mapping[str, Event], known: Mapping[str, Field]) -> list[Finding]:
    """Fields that no event carries."""
    carried = {one.name for event in events.values() for one in event.fields}
    return [
        Finding("catalogue", f"fields.yaml {name}", "no event carries it")
        for name in sorted(known.keys() - carried)
    ]


def named(found: Sequence[Site], events: Mapping[str, Event]) -> list[Finding]:
    """Each recording names a catalogued event, with its required fields and no unknown one."""
    return [Finding("sites", site.where, why) for site in found if (why := _wrong(site, events))]


def _wrong(site: Site, events: Mapping[str, Event]) -> str:
    if site.event is None:
        return "its event's name is made at run time"
    event = events.get(site.event)
    if event is None:
        return f"there is no event {site.event}"
    if site.keys is None:
        return f"the context of {site.event} is made elsewhere, so it cannot be read"
    if lacking := sorted({one.name for one in event.required} - site.keys):
        return f"{site.event} lacks {', '.join(lacking)}"
    unknown = sorted(site.keys - {one.name for one in event.fields})
    return f"{site.event} has no field {', '.join(unknown)}" if unknown else ""


def covered(found: Sequence[Site], events: Mapping[str, Event]) -> list[Finding]:
    """Both ways: an event is recorded somewhere exactly when the catalogue says so."""
    recorded = {site.event for site in found}
    return [
        Finding(
            "coverage", f"{event.file} {name}",
            "is recorded nowhere" if event.emitted else "is recorded, and said not to be",
        )
        for name, event in events.items()
        if event.emitted != (name in recorded)
    ]  # fmt: skip


def examples(events: Mapping[str, Event]) -> list[Finding]:
    """Each event's own example is one of it."""
    return [
        Finding("examples", f"{event.file} {name}", why)
        for name, event in events.items()
        if (why := event.misfit(event.example))
    ]


def redacted(known: Mapping[str, Field], redact: Callable[[object], object]) -> list[Finding]:
    """What is personal or secret does not survive; what is neither is not damaged (OB-3)."""
    found = []
    for name, one in known.items():
        said = {name: one.example}
        survives = redact(said) == said
        if one.pii in ("pii", "secret") and survives:
            found.append(Finding("redaction", f"fields.yaml {name}", f"is {one.pii}, and passes as it is"))  # fmt: skip
        elif one.pii in ("none", "pseudonymous") and not survives:
            found.append(Finding("redaction", f"fields.yaml {name}", "is not personal, and is damaged"))  # fmt: skip
    return found


def lines() -> list[Odd]:
    """Log lines that pass the one way of logging by."""
    return odd_lines()
