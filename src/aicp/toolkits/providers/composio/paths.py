"""Places in a JSON answer, and arguments made from a template.

A path is names joined by dots: `message.payload.headers[name=To].value`. `[name=To]` takes the item of
a list whose `name` is that, in any case; `|base64` at the end decodes. A template is JSON in which a
text "$args.subject" stands for the value at that path; "$a ?? $b" takes the first that is there, and
"$keys a + x y" the sorted keys of a with x and y. A key whose value is not there is left out.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from rapidfuzz import fuzz

from aicp.toolkits.model import Json

NEARLY = 75  # of 100: texts that share this much may be one text, rewritten

_PART = re.compile(r"^([^\[\]]*)(?:\[(\w+)=([^\]]*)\])?$")


def at(value: Any, path: str) -> Any:
    """What stands at a path, or at the first of "a ?? b" where something does; None when nothing."""
    found = (_at(value, one.strip()) for one in path.split("??"))
    return next((one for one in found if one is not None), None)


def _at(value: Any, path: str) -> Any:
    place, _, decode = path.partition("|")
    for part in place.split(".") if place else ():
        value = _step(value, part)
    return _decoded(value) if decode == "base64" and isinstance(value, str) else value


def fill(template: Any, names: Mapping[str, Any]) -> Any:
    """The template with its `$…` replaced."""
    if isinstance(template, dict):
        filled = {key: fill(part, names) for key, part in template.items()}
        return {key: part for key, part in filled.items() if part is not None}
    if isinstance(template, list):
        return [fill(part, names) for part in template]
    if not isinstance(template, str) or not template.startswith("$"):
        return template
    if template.startswith("$keys "):
        place, _, more = template.removeprefix("$keys ").partition(" + ")
        return sorted({*(at(names, place) or ()), *more.split()})
    values = (at(names, one.strip().removeprefix("$")) for one in template.split("??"))
    return next((value for value in values if value is not None), None)


def without(value: Any, names: frozenset[str]) -> Any:
    """The value with the keys of these names taken out at any depth."""
    if isinstance(value, dict):
        return {key: without(part, names) for key, part in value.items() if key not in names}
    if isinstance(value, list):
        return [without(part, names) for part in value]
    return value


def plain(value: Any) -> Any:
    """A value as it is compared: nothing is nothing, however it is written; runs of blanks are one.

    Services hand numbers back as text, and reflow what was written.
    """
    if value is None or value in ("", [], {}):
        return None
    if isinstance(value, (dict, list)):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        return {str(key): plain(part) for key, part in parts}
    return " ".join(str(value).split())


def holds(actual: Any, wanted: Any) -> bool:
    """Whether everything that is wanted is there; more may be."""
    if isinstance(wanted, Mapping):
        there = actual if isinstance(actual, Mapping) else {}
        return all(holds(there.get(key), part) for key, part in wanted.items())
    return plain(actual) == plain(wanted)


def alike(actual: Any, wanted: Any) -> bool:
    """Whether a text may be the other one as a service rewrote it; things are, when a part is."""
    if isinstance(wanted, Mapping):
        there = actual if isinstance(actual, Mapping) else {}
        return any(alike(there.get(key), part) for key, part in wanted.items())
    one, other = plain(actual), plain(wanted)
    if one is None or other is None:
        return False
    return one == other or fuzz.partial_ratio(str(one).casefold(), str(other).casefold()) >= NEARLY


def flat(value: Any, place: str = "") -> Json:
    """The leaves by their paths."""
    if isinstance(value, dict) and value:
        parts = value.items()
    elif isinstance(value, list) and value:
        parts = enumerate(value)
    else:
        return {place: value}
    leaves: Json = {}
    for key, part in parts:
        leaves |= flat(part, f"{place}.{key}" if place else str(key))
    return leaves


def _step(value: Any, part: str) -> Any:
    found = _PART.match(part)
    if found is None:
        return None
    key, name, wanted = found.groups()
    if key:
        value = value.get(key) if isinstance(value, Mapping) else None
    if name is None:
        return value
    items = value if isinstance(value, list) else []
    same = (i for i in items if str(at(i, name)).casefold() == wanted.casefold())
    return next(same, None)


def _decoded(text: str) -> str | None:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, ValueError):
        return None
