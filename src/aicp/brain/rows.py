"""Items for plays that take each row by itself: mails, follow-ups, a new owner."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from email_validator import EmailNotValidError, validate_email

from aicp.brain import slots as fills
from aicp.brain.binding import Context, Item
from aicp.brain.sendtime import Spread
from aicp.brain.slots import Slot
from aicp.trust.plan import Provenance
from aicp.trust.windows import zone_of

CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]")
LONGEST_NAME = 200
ANY_TIME = {"weekdays": [1, 2, 3, 4, 5, 6, 7], "from": "00:00", "until": "23:59", "zone": "UTC"}
SHOWN = 5  # row keys named in a note


class Skipped:
    """Rows left out, by reason: named in the notes, never silently."""

    def __init__(self) -> None:
        self.rows: dict[str, list[str]] = {}

    def add(self, why: str, key: str) -> None:
        self.rows.setdefault(why, []).append(key)

    def notes(self) -> list[str]:
        return [
            f"{len(keys)} row{'s' * (len(keys) > 1)} left out, {why}: {', '.join(keys[:SHOWN])}"
            f"{' and others' if len(keys) > SHOWN else ''}."
            for why, keys in self.rows.items()
        ]


def row_items(ctx: Context, notes: list[str]) -> list[Item]:
    """Slots for each row that can be served; the others are named in the notes."""
    skipped = Skipped()
    items = [item for item in _basic(ctx, skipped) if _mailable(ctx, item, skipped)]
    items = _capped(ctx, items, notes)
    if any(s.tool == "mail.schedule" for s in ctx.play.steps):
        items = _timed(ctx, items, skipped, notes)
    _follow_ups(ctx, items)
    notes += skipped.notes()
    return items


def _basic(ctx: Context, skipped: Skipped) -> Iterator[Item]:
    roles = {role: ctx.column(role) for role in ctx.play.columns}
    for row in ctx.rows:
        key = str(row["key"])
        if CONTROL.search(key):
            skipped.add("their key holds control characters", repr(key))
            continue
        yield _row_slots(ctx, row, roles)


def common(ctx: Context, row: Mapping[str, Any]) -> Item:
    """What every step about a row may name."""
    account, key = ctx.table.account, str(row["key"])
    policy = Provenance(source="policy", where="the mission's table")
    return {
        "row.key": fills.cell(account, key, ctx.table.key or "key", key),
        "row.version": fills.formula(f"version of {account} row {key} when it was read", str(row["version"])),
        "table": Slot(account, policy),
    }  # fmt: skip


def _row_slots(ctx: Context, row: Mapping[str, Any], roles: Mapping[str, str]) -> Item:
    account, key = ctx.table.account, str(row["key"])
    item = common(ctx, row)
    for role, column in roles.items():
        value = row["values"].get(column)
        if column and value not in (None, ""):
            item[role] = fills.cell(account, key, column, str(value).strip())
    zone_column = next((c.name for c in ctx.table.columns if c.kind == "timezone"), "")
    item["zone"] = fills.cell(account, key, zone_column, str(row["values"].get(zone_column) or ""))
    template = Provenance(source="template", where=f"play {ctx.play.id}")
    item.setdefault("name", item["row.key"])
    item["greeting"] = item.get("person") or item["name"]
    item["sender"] = item.get("owner") or Slot("Your account team", template)
    item["due_clause"] = _clause(item, "due", ", due on {due}", ctx.play.id)
    item["amount_clause"] = _clause(item, "amount", ", over {amount}", ctx.play.id)
    _owner(ctx, row, item)
    return item


def _clause(item: Item, role: str, template: str, play: str) -> Slot:
    """A piece of text that is there only when its cell is."""
    return fills.fill(template if role in item else "", item, play)


def _owner(ctx: Context, row: Mapping[str, Any], item: Item) -> None:
    column, to = ctx.params.get("column"), ctx.params.get("to")
    if not column or not to or "to" not in ctx.play.params:
        return
    before = str(row["values"].get(column) or "")
    if before == to:
        return
    source = Provenance(source="intent", where=f"'{to}' in the words of the objective")
    item["set.owner"] = Slot({column: to}, source, ((column, source),))
    item["before"] = fills.cell(ctx.table.account, str(row["key"]), column, before or "nobody")
    item["after"] = Slot(to, source)


def _mailable(ctx: Context, item: Item, skipped: Skipped) -> bool:
    """Whether the row's mail is complete and harmless; header injection ends here."""
    key = item["row.key"].value
    if "set.owner" not in item and "to" in ctx.play.params:
        skipped.add("they have this owner already", key)
        return False
    if not any(s.tool.startswith("mail.") for s in ctx.play.steps):
        return not _unsafe_name(item, skipped)
    address = item.get("email")
    if address is None:
        skipped.add("no e-mail address", key)
    elif not _valid(address.value):
        skipped.add("the e-mail address is not a valid one", key)
    elif not _unsafe_name(item, skipped):
        return _texts(ctx, item, skipped)
    return False


def _unsafe_name(item: Item, skipped: Skipped) -> bool:
    for role in ("name", "greeting", "sender"):
        value = str(item[role].value)
        if CONTROL.search(value) or len(value) > LONGEST_NAME:
            skipped.add("a name holds line breaks or is far too long", item["row.key"].value)
            return True
    return False


def _valid(address: str) -> bool:
    if CONTROL.search(address) or any(c in address for c in ",;<>"):
        return False
    try:
        # Reserved domains (example, test) are for trying things out, and a mail server decides.
        validate_email(
            address,
            check_deliverability=False,
            globally_deliverable=False,
            test_environment=True,
            allow_smtputf8=False,  # nor can the mail toolkit write to such an address
        )
    except EmailNotValidError:
        return False
    return True


def _texts(ctx: Context, item: Item, skipped: Skipped) -> bool:
    message = ctx.params.get("message")
    if message:
        source = Provenance(source="intent", where="the quoted words of the intent")
        item["message"] = Slot(message, source)
    body = ctx.play.texts["message_body" if message else "body"]
    item["text.subject"] = fills.fill(ctx.play.texts["subject"], item, ctx.play.id)
    item["text.body"] = fills.fill(body.strip() + "\n", item, ctx.play.id)
    tone = ctx.guard("tone")
    said = f"{item['text.subject'].value}\n{item['text.body'].value}".lower()
    for word in tone.params.get("forbid", []) if tone else []:
        if re.search(rf"(?<!\w){re.escape(word.lower())}(?!\w)", said):
            skipped.add(
                f"their mail would say '{word}', which the tone rule forbids", item["row.key"].value
            )
            return False
    return True


def _capped(ctx: Context, items: list[Item], notes: list[str]) -> list[Item]:
    """One mail for an address; never more recipients than the cap."""
    unique: dict[str, Item] = {}
    for item in items:
        name = item["email"].value.lower() if "text.body" in item else item["row.key"].value
        unique.setdefault(name, item)
    if len(unique) < len(items):
        notes.append(
            f"{len(items) - len(unique)} rows share an address with another row: one mail each."
        )
    kept = list(unique.values())
    cap = ctx.guard("budget")
    most = cap.params.get("max_recipients") if cap else None
    if most is not None and len(kept) > most:
        notes.append(
            f"{len(kept)} rows fit, but {cap.text if cap else ''} The first {most} are taken."
        )
        return kept[:most]
    return kept


def _timed(ctx: Context, items: Sequence[Item], skipped: Skipped, notes: list[str]) -> list[Item]:
    """Each mail's first allowed moment, spread by the rate."""
    guard = ctx.guard("window")
    window = guard.params if guard else ANY_TIME
    spread = Spread(_gap(ctx))
    earliest = _earliest(ctx)
    timed: list[Item] = []
    for item in items:
        zone = _zone(window, item)
        if zone is None:
            skipped.add("their time zone is missing or unknown", item["row.key"].value)
            continue
        moment = spread.first(earliest, window, zone)
        if moment is None:
            skipped.add("the send window never opens for them", item["row.key"].value)
            continue
        where = f"first moment in the send window from {earliest.isoformat()} in {zone.key}"
        item["send.not_before"] = fills.formula(where, moment.isoformat())
        timed.append(item)
    _late(ctx, timed, notes)
    return timed


def _hold_seconds(ctx: Context) -> int:
    """What the brief says, else what the mail connection is set to, else the play's own default."""
    goal = ctx.brief.objective.goal if ctx.brief.objective else None
    said = goal.params.get("hold_seconds") if goal else None
    set_to = next((r.facts.get("hold_seconds") for r in ctx.resources if r.toolkit == "mail"), None)
    default = ctx.params.get("hold_seconds")
    return int(next((v for v in (said, set_to, default) if v is not None), 0))


def _zone(window: Mapping[str, Any], item: Item) -> ZoneInfo | None:
    said = item["zone"].value if window["zone"] == "recipient" else window["zone"]
    return zone_of(str(said)) if said else None


def _gap(ctx: Context) -> timedelta:
    guard = ctx.guard("rate")
    if guard is None or guard.params.get("toolkit") != "mail":
        return timedelta()
    count, seconds = (
        guard.params.get("count", guard.params["per_minute"]),
        guard.params.get("seconds", 60),
    )
    return timedelta(seconds=max(1, -(-seconds // max(1, count))))


def _earliest(ctx: Context) -> datetime:
    """Now plus the hold, or the start date of the brief when that is later."""
    hold = _hold_seconds(ctx)
    earliest = ctx.now + timedelta(seconds=hold)
    starts = [c.data["start"] for c in ctx.brief.chips_of("timeline") if c.data.get("start")]
    days = [datetime.fromisoformat(day).replace(tzinfo=UTC) for day in starts]
    return max([earliest, *days]).replace(microsecond=0)


def _late(ctx: Context, items: Sequence[Item], notes: list[str]) -> None:
    for chip in ctx.brief.chips_of("timeline"):
        due = chip.data.get("due")
        late = [i for i in items if due and i["send.not_before"].value[:10] > due]
        if late:
            notes.append(f"{len(late)} mails would leave after {due} ('{chip.text}'), because the send "
                         "window opens later.")  # fmt: skip


def _follow_ups(ctx: Context, items: Sequence[Item]) -> None:
    """Free slots from the calendar, or the same time some days after the mail; the row's note."""
    free = list(ctx.reads.get("slots", {}).get("slots", []))
    days = timedelta(days=int(ctx.params.get("followup_days") or 0))
    for n, item in enumerate(items):
        if n < len(free):
            item["slot.start"] = fills.formula(
                f"free slot {n + 1} of the calendar", free[n]["start"]
            )
            item["slot.end"] = fills.formula(f"free slot {n + 1} of the calendar", free[n]["end"])
        elif "slots" not in ctx.reads and days:
            _later(ctx, item, days)
        _touch(ctx, item)


def _later(ctx: Context, item: Item, days: timedelta) -> None:
    sent = item.get("send.not_before")
    start = (datetime.fromisoformat(sent.value) if sent else ctx.now.replace(microsecond=0)) + days
    where = f"{days.days} days after the mail"
    item["slot.start"] = fills.formula(where, start.isoformat())
    item["slot.end"] = fills.formula(where, (start + timedelta(minutes=30)).isoformat())


def _touch(ctx: Context, item: Item) -> None:
    """What the row says afterwards: a line in its notes, and the day of the touch."""
    key, day = item["row.key"].value, ctx.now.date().isoformat()
    values: dict[str, str] = {}
    inner: list[tuple[str, Provenance]] = []
    note = ctx.column("note")
    if note:
        old = item.get("note")
        line = f"Win-back mail scheduled on {day}"
        values[note] = f"{old.value}; {line}" if old else line
        where = f"play {ctx.play.id}" + (f" after {old.source.where}" if old else "")
        inner.append((note, Provenance(source="template", where=where, trusted=old is None)))
    touch = ctx.column("touch")
    if touch:
        values[touch] = day
        inner.append((touch, Provenance(source="formula", where="the day of planning")))
    if values:
        whole = Provenance(source="template", where=f"play {ctx.play.id}, row {key}",
                           trusted=all(p.trusted for _, p in inner))  # fmt: skip
        item["set.touch"] = Slot(values, whole, tuple(inner))
