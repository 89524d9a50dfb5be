"""The form of a ready plan: what a person, or their agent, hands in instead of words.

It names calls and nothing else. Tool versions, undo and before-images are added here, never taken
from whoever offers it (agents.md A3).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from aicp.errors import BadInput
from aicp.kernel.canonical import canonical
from aicp.trust.plan import Safeguard

MOST_STEPS = 500
MOST_BYTES = 1_000_000  # of the whole plan in canonical form
MOST_DEPTH = 40  # levels of lists and objects
# A domain may only use what is checked in bounded time and needs nothing from elsewhere.
DOMAIN_WORDS = frozenset({
    "type", "enum", "const", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems",
    "items", "properties", "required", "additionalProperties", "anyOf", "description",
})  # fmt: skip
Clock = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Text = Annotated[str, Field(max_length=500)]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


class OfferedRef(_Form):
    """An argument that is the output of an earlier step."""

    step: int = Field(ge=1, description="number of the earlier step, from 1")
    path: str = Field(min_length=1, max_length=200, description="dotted path into its output")
    domain: dict[str, Any] = Field(
        min_length=1,
        description="JSON Schema the value must meet; at most type, enum, const, bounds, items, properties",
    )


class OfferedStep(_Form):
    """One call. Everything about its undo is the tool's own word, not the plan's."""

    tool: str = Field(
        min_length=1, max_length=200, description="table.update, or with its hash: table.update@…"
    )
    account: str = Field(min_length=1, max_length=400)
    args: dict[str, Any] = Field(default_factory=dict)
    refs: dict[str, OfferedRef] = Field(default_factory=dict, max_length=20)
    effect: Text = ""
    subject: Text = ""
    group: Text = ""
    zone: str = Field("", max_length=60, description="IANA zone of the recipient")


class _Rule(_Form):
    text: str = Field(min_length=1, max_length=500, description="the rule in words")
    severity: Literal["low", "medium", "high", "critical"] = "medium"


class _WindowParams(_Form):
    weekdays: list[Annotated[int, Field(ge=1, le=7)]] = Field(default_factory=list)
    from_: Clock = Field(alias="from")
    until: Clock
    zone: str = Field("recipient", max_length=60)


class _ExclusionParams(_Form):
    column: str = ""
    values: list[str] = Field(default_factory=list)
    keys: list[str] = Field(default_factory=list)
    addresses: list[str] = Field(default_factory=list)


class _ToneParams(_Form):
    forbid: list[Annotated[str, Field(min_length=1)]] = Field(default_factory=list)
    want: list[str] = Field(default_factory=list)


class _RateParams(_Form):
    toolkit: str = ""
    count: int = Field(ge=1)
    seconds: int = Field(ge=1, le=31 * 86_400)


class _BudgetParams(_Form):
    max_calls: int | None = Field(None, ge=0)
    max_recipients: int | None = Field(None, ge=0)


class _AudienceParams(_Form):
    max_recipients: int | None = Field(None, ge=0)
    addresses: list[str] = Field(default_factory=list)


class _Nothing(_Form):
    pass


class WindowRule(_Rule):
    kind: Literal["window"]
    params: _WindowParams


class ExclusionRule(_Rule):
    kind: Literal["exclusion"]
    params: _ExclusionParams


class ToneRule(_Rule):
    kind: Literal["tone"]
    params: _ToneParams


class RateRule(_Rule):
    kind: Literal["rate"]
    params: _RateParams


class BudgetRule(_Rule):
    kind: Literal["budget"]
    params: _BudgetParams


class AudienceRule(_Rule):
    kind: Literal["audience"]
    params: _AudienceParams


class PlainRule(_Rule):
    kind: Literal["rollback", "records", "privacy"]
    params: _Nothing = _Nothing()


Rule = Annotated[
    WindowRule | ExclusionRule | ToneRule | RateRule | BudgetRule | AudienceRule | PlainRule,
    Field(discriminator="kind"),
]


class OfferedPlan(_Form):
    """A ready plan: the calls in their order, and the rules they must keep."""

    title: str = Field(min_length=1, max_length=200)
    steps: list[OfferedStep] = Field(min_length=1, max_length=MOST_STEPS)
    safeguards: list[Rule] = Field(default_factory=list, max_length=50)
    reason: str = Field("", max_length=2_000, description="why this plan serves the mission")


RULES = TypeAdapter(Annotated[list[Rule], Field(max_length=50)])


def schema() -> dict[str, Any]:
    """The published form, as JSON Schema 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **OfferedPlan.model_json_schema(by_alias=True),
    }


def read(data: Any) -> OfferedPlan:
    """A plan out of JSON; references point backwards and have a domain that says something.

    Raises:
        BadInput: it is not of the form; one sentence names the step and the argument.
    """
    _bounded(data)
    try:
        plan = OfferedPlan.model_validate(data)
    except ValidationError as error:
        raise BadInput(
            f"the plan is not of its form: {_first(error)}", hint="see /api/schemas/plan"
        ) from None
    for why in _broken_refs(plan):
        raise BadInput(why, hint="a step may only use what an earlier step returns")
    return plan


def read_rules(data: Any) -> tuple[Safeguard, ...]:
    """Safeguards out of JSON.

    Raises:
        BadInput: one is not of its kind's form.
    """
    try:
        return tuple(_safeguards(RULES.validate_python(data)))
    except ValidationError as error:
        raise BadInput(
            f"the safeguards are not of their form: {_first(error)}", hint="see /api/schemas/plan"
        ) from None


def safeguards_of(plan: OfferedPlan) -> tuple[Safeguard, ...]:
    """The plan's rules as the checks know them."""
    return tuple(_safeguards(plan.safeguards))


def unknown_accounts(plan: OfferedPlan, accounts: frozenset[str]) -> Iterator[str]:
    """One sentence for each step whose account the mission does not have."""
    for seq, step in enumerate(plan.steps, 1):
        if step.account not in accounts:
            known = ", ".join(sorted(accounts)) or "none"
            yield f"step {seq} ({step.tool}) uses the account '{step.account[:80]}', which the mission does not have ({known})"


def _safeguards(rules: list[Any]) -> Iterator[Safeguard]:
    for number, rule in enumerate(rules, 1):
        given = rule.model_dump(mode="json", by_alias=True, exclude_none=True)
        yield Safeguard(id=f"safeguard-{number}", source="user", **given)


def too_deep(value: Any, most: int = MOST_DEPTH) -> bool:
    """Whether lists and objects lie in each other deeper than anybody needs; found without recursion."""
    level = [value]
    for _ in range(most):
        level = [inner for one in level for inner in _members(one)]
        if not level:
            return False
    return True


def _members(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _bounded(data: Any) -> None:
    if too_deep(data):
        raise BadInput(f"the plan is nested more than {MOST_DEPTH} levels deep")
    try:
        size = len(canonical(data))
    except (ValueError, TypeError, RecursionError):
        raise BadInput(
            "the plan holds a value that is not plain JSON",
            hint="no NaN, no number beyond 2^53, no half characters, no endless nesting",
        ) from None
    if size > MOST_BYTES:
        raise BadInput(
            f"the plan is {size:,} bytes long; at most {MOST_BYTES:,} are read",
            hint="split the mission",
        )


def _first(error: ValidationError) -> str:
    """Where and what, in the caller's terms: "step 2, args: Input should be …"."""
    first = error.errors(include_url=False)[0]
    place = [str(part) for part in first["loc"]]
    if place[:1] == ["steps"] and len(place) > 1 and place[1].isdigit():
        place = [f"step {int(place[1]) + 1}", *place[2:]]
    where = ", ".join(place) or "the whole"
    return f"{where[:200]}: {first['msg'][:200]}"


def _broken_refs(plan: OfferedPlan) -> Iterator[str]:
    for seq, step in enumerate(plan.steps, 1):
        for name, ref in step.refs.items():
            where = f"step {seq} ({step.tool}), argument {name}"
            if ref.step >= seq:
                yield f"{where}: it refers to step {ref.step}, which is not an earlier one"
            elif name in step.args:
                yield f"{where}: it is given as a value and as a reference"
            elif why := _bad_domain(ref.domain):
                yield f"{where}: its domain {why}"


def _bad_domain(domain: Any) -> str:
    """Why a domain is refused, "" when it may stand: no reference outside, no pattern, not empty."""
    if why := _bad_words(domain):
        return why
    try:
        Draft202012Validator.check_schema(domain)
    except SchemaError as error:
        return f"is not a JSON Schema: {error.message[:120]}"
    return ""


def _bad_words(domain: Any) -> str:
    if isinstance(domain, bool) or not isinstance(domain, Mapping):
        return "holds something that is not a schema"
    if not domain.keys() - {"description"}:
        return "allows anything"
    if unknown := sorted(domain.keys() - DOMAIN_WORDS):
        return f"uses '{unknown[0][:40]}', which is not allowed here"
    return next(filter(None, map(_bad_words, _inner(domain))), "")


def _inner(domain: Mapping[str, Any]) -> Iterator[Any]:
    """The schemas inside a schema; what is of a wrong form is left to `check_schema`."""
    listed, named = domain.get("anyOf"), domain.get("properties")
    yield from listed if isinstance(listed, list) else ()
    yield from named.values() if isinstance(named, Mapping) else ()
    for name in ("items", "additionalProperties"):
        if isinstance(domain.get(name), Mapping):
            yield domain[name]
