"""Items for normalising phone numbers: only numbers that exist, only rows that change."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import phonenumbers

from aicp.brain import slots as fills
from aicp.brain.binding import Context, Item
from aicp.brain.rows import CONTROL, Skipped, common
from aicp.brain.slots import Slot
from aicp.trust.plan import Provenance

OTHER_NAMES = {
    "united kingdom": "GB", "great britain": "GB", "uk": "GB", "england": "GB", "usa": "US",
    "united states of america": "US", "czechia": "CZ", "turkey": "TR", "holland": "NL", "the netherlands": "NL",
}  # fmt: skip


def phone_items(ctx: Context, notes: list[str]) -> list[Item]:
    """One item for each row whose number changes."""
    column, skipped = str(ctx.params.get("column") or ""), Skipped()
    items: list[Item] = []
    done = 0
    for row in ctx.rows:
        key, said = str(row["key"]), str(row["values"].get(column) or "").strip()
        number = e164(said, _region(ctx, row["values"]))
        if not said:
            skipped.add("no phone number", key)
        elif CONTROL.search(key) or CONTROL.search(said):
            skipped.add("a cell holds control characters", repr(key))
        elif number is None:
            skipped.add("the number cannot be dialled as written, or its country is unknown", key)
        elif number == said:
            done += 1
        else:
            items.append(_item(ctx, row, column, said, number))
    if done:
        notes.append(f"{done} numbers are in the international form already.")
    notes += skipped.notes()
    return _capped(ctx, items, notes)


def _item(ctx: Context, row, column: str, said: str, number: str) -> Item:  # noqa: ANN001 (a read row)
    where = f"E.164 form of {ctx.table.account} row {row['key']} column {column}"
    source = Provenance(source="formula", where=where, trusted=False)
    item = common(ctx, row)
    item["set.phone"] = Slot({column: number}, source, ((column, source),))
    item["before"] = fills.cell(ctx.table.account, str(row["key"]), column, said)
    item["after"] = Slot(number, source)
    return item


def _capped(ctx: Context, items: list[Item], notes: list[str]) -> list[Item]:
    cap = ctx.guard("budget")
    most = cap.params.get("max_calls") if cap else None
    if most is not None and len(items) > most:
        notes.append(
            f"{len(items)} numbers would change, but {cap.text if cap else ''} The first {most} are taken."
        )
        return items[:most]
    return items


def e164(text: str, region: str | None) -> str | None:
    """The E.164 form of a valid number, or None. `region` serves numbers without a country code."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number) or number.extension:
        return None  # an extension has no place in E.164: dropping it would lose data
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _region(ctx: Context, values) -> str | None:  # noqa: ANN001 (a read row's values)
    country = str(values.get(ctx.column("country")) or "").strip()
    zone = str(values.get(ctx.column("zone")) or "").strip()
    return region_of(country) or zone_regions().get(zone)


def region_of(country: str) -> str | None:
    """ISO 3166 code of a country's name or code."""
    low = country.strip().lower()
    return OTHER_NAMES.get(low) or regions().get(low)


@cache
def regions() -> dict[str, str]:
    """Country names and codes from the time zone database's own list."""
    found: dict[str, str] = {}
    for code, name, *_ in _rows("iso3166.tab"):
        found |= {code.lower(): code, name.lower(): code}
    return found


@cache
def zone_regions() -> dict[str, str]:
    """The country of each zone name."""
    return {line[2]: line[0] for line in _rows("zone.tab")}


def _rows(name: str) -> list[list[str]]:
    lines = files("tzdata").joinpath(f"zoneinfo/{name}").read_text("utf-8").splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("#")]
