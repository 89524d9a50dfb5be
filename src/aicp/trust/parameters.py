"""The form of a safeguard's parameters, for whoever sets them by hand; `Safeguard` says what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from aicp.trust.windows import zone_of

Clock = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Weekday = Annotated[int, Field(ge=1, le=7)]
Text = Annotated[str, Field(min_length=1, max_length=500)]
Texts = Annotated[list[Text], Field(max_length=10_000)]
Most = Annotated[int, Field(ge=0, le=1_000_000_000)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


# What may be read or written; what is not told is not limited.
Reach = dict[Literal["accounts", "columns", "paths"], Texts]

FORMS: dict[str, dict[str, Any]] = {
    "window": {"weekdays": list[Weekday], "from": Clock, "until": Clock, "zone": Text},
    "exclusion": {"column": Text, "values": Texts, "keys": Texts, "addresses": Texts},
    "tone": {"forbid": Texts, "want": Texts},
    "rate": {"toolkit": str, "count": Most, "seconds": Annotated[int, Field(ge=1, le=31 * 86_400)]},
    "budget": {"max_calls": Most, "max_recipients": Most, "max_amount": Amount},
    "audience": {"max_recipients": Most, "addresses": Texts},
    "rollback": {},
    "records": {},
    "privacy": {},
    "access": {"read": Reach, "write": Reach},
    "approval": {
        "by": Literal["governance", "lead", "owner"],
        "tools": Texts,
        "tiers": list[Literal["T0", "T1", "T2", "T3", "T4", "T5"]],
    },
}
NEEDED = {"window": ("from", "until"), "rate": ("toolkit", "count", "seconds")}


def wrong(kind: str, params: Mapping[str, Any]) -> str:
    """Why these parameters may not be set on a safeguard of the kind; "" when they may."""
    form = FORMS.get(kind)
    if form is None:
        return f"there is no safeguard of kind '{kind[:40]}' ({', '.join(FORMS)})"
    for name, value in params.items():
        if name not in form:
            known = ", ".join(form) or "none"
            return f"a safeguard of kind {kind} has no parameter '{name[:40]}' (it has: {known})"
        try:
            TypeAdapter(form[name]).validate_python(value, strict=True)
        except ValidationError as error:
            return f"{name}: {error.errors(include_url=False)[0]['msg'][:200]}"
    zone = params.get("zone", "recipient")
    return "" if zone == "recipient" or zone_of(zone) else f"zone: there is no '{zone[:60]}'"


def missing(kind: str, params: Mapping[str, Any]) -> str:
    """What a safeguard of the kind lacks to be checked at all; "" when nothing."""
    lacking = [name for name in NEEDED.get(kind, ()) if name not in params]
    if params.get("column") and not params.get("values"):
        lacking.append("values")
    return f"a safeguard of kind {kind} needs {' and '.join(lacking)}" if lacking else ""
