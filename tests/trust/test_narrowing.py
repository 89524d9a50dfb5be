"""A safeguard that counts as narrower stops every call that it stopped before (TR-7, TR-10)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from aicp.trust.narrowing import RULES, narrower
from aicp.trust.parameters import FORMS, wrong
from aicp.trust.plan import Safeguard
from aicp.trust.safeguards import Context, breaches
from trust.plans import a_plan

KINDS = get_args(Safeguard.model_fields["kind"].annotation)
DRAFT, HOLD, UPDATE = a_plan().play.steps
ADDRESSES = ["kim@acme.example", "Lee <lee@acme.example>", "sam@other.example"]
WORDS = ["urgent", "now", "free"]
GLOBS = ["*", "a*", "ab", "acc?unts", "status", "st*", "mail", "table"]
NUMBERS = st.none() | st.integers(0, 5)


def guard(kind: Any, params: Mapping[str, Any], name: str = "g") -> Safeguard:
    return Safeguard(id=name, kind=kind, text="the rule", params=dict(params))


def some(values: list[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(values), max_size=3, unique=True)


def a_dict(**parts: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Any of these parameters, or none of them."""
    return st.fixed_dictionaries({}, optional=parts)


CLOCKS = st.integers(0, 23).map(lambda hour: f"{hour:02}:00")
REACH = a_dict(accounts=some(GLOBS), columns=some(GLOBS), paths=some(GLOBS))
PARAMS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "window": st.fixed_dictionaries(
        {"from": CLOCKS, "until": CLOCKS},
        optional={"weekdays": some([1, 2, 3, 4, 5, 6, 7]),
                  "zone": st.sampled_from(["recipient", "Europe/Berlin", "Asia/Tokyo"])},
    ),
    "exclusion": a_dict(keys=some(["A-1", "A-2", ""]), addresses=some(ADDRESSES)),
    "tone": a_dict(forbid=some(WORDS), want=some(WORDS)),
    "rate": a_dict(toolkit=st.sampled_from(["", "mail", "table"]), count=st.integers(0, 4),
                   seconds=st.integers(1, 90), per_minute=st.integers(0, 5)),
    "budget": a_dict(max_calls=NUMBERS, max_recipients=NUMBERS, max_amount=NUMBERS),
    "audience": a_dict(max_recipients=NUMBERS, addresses=some(ADDRESSES)),
    "rollback": st.just({}), "records": st.just({}), "privacy": st.just({}),
    "access": a_dict(read=REACH, write=REACH),
    "approval": a_dict(by=st.sampled_from(["governance", "lead"]), tools=some(["*", "mail.*", "mail.draft"]),
                       tiers=st.none() | some(["T1", "T3", "T5"])),
}  # fmt: skip


@st.composite
def changes(draw: st.DrawFn) -> tuple[Safeguard, Safeguard]:
    """A safeguard and what it is changed to: some parameters set anew, or all of them."""
    kind = draw(st.sampled_from(KINDS))
    old, other = draw(PARAMS[kind]), draw(PARAMS[kind])
    names = draw(st.sets(st.sampled_from(sorted(other)))) if other else set()
    new = draw(st.sampled_from([other, old | {name: other[name] for name in names}]))
    return guard(kind, old, "old"), guard(kind, new, "new")


@st.composite
def calls(draw: st.DrawFn) -> tuple[Any, dict[str, Any], Context, list[int]]:
    """A step, its arguments, what is known of it, and how long ago the calls before it were made."""
    step = draw(st.sampled_from([DRAFT, HOLD, UPDATE]))
    step = step.model_copy(update={"mutates": draw(st.booleans())})
    args = dict(step.args) | draw(
        a_dict(
            key=st.sampled_from(["A-1", "A-3"]), amount=st.integers(0, 9), body=st.sampled_from(WORDS),
            values=st.just({"status": "x"}), path=st.sampled_from(["ab", "a/../ab", "zz"]),
        )
    )  # fmt: skip
    context = Context(
        now=draw(st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))),
        zone=draw(st.sampled_from(["", "America/New_York", "nowhere"])),
        to=tuple(draw(some(["kim@acme.example", "lee@acme.example", "new@x.example"]))),
        calls_done=draw(st.integers(0, 6)), recipients=frozenset(draw(some(["a@x", "b@x", "c@x"]))),
        leaving=draw(st.booleans()), leaves=draw(st.none() | st.booleans()),
        spent=draw(st.integers(0, 6)), approved_as=frozenset(draw(some(["governance", "lead"]))),
    )  # fmt: skip
    return step, args, context, draw(st.lists(st.integers(0, 100), max_size=6))


@settings(max_examples=600, deadline=None)
@given(change=changes(), tried=st.lists(calls(), min_size=1, max_size=6))
def test_whatever_the_old_one_stops_a_narrower_one_stops_too(
    change: tuple[Safeguard, Safeguard], tried: list[tuple[Any, dict[str, Any], Context, list[int]]]
) -> None:
    old, new = change
    assume(narrower(old, new))
    for step, args, context, ages in tried:
        uses = {g.id: sum(age < _seconds(g) for age in ages) for g in (old, new)}
        known = replace(context, recent=uses)
        if breaches((old,), step, args, known):
            assert breaches((new,), step, args, known)


def _seconds(one: Safeguard) -> int:
    return int(one.params.get("seconds", 60))


@given(change=changes())
def test_a_safeguard_is_narrower_than_itself_and_never_than_another_kind(
    change: tuple[Safeguard, Safeguard],
) -> None:
    old, _ = change
    assert narrower(old, old)
    other = next(kind for kind in KINDS if kind != old.kind)
    assert not narrower(old, old.model_copy(update={"kind": other}))


WINDOW = {"weekdays": [2, 3, 4], "from": "09:00", "until": "17:00", "zone": "recipient"}
NARROWER: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("window", WINDOW, {"weekdays": [3]}),
    ("window", WINDOW, {"from": "10:00", "until": "12:00"}),
    ("exclusion", {"keys": ["A-1"]}, {"keys": ["A-1", "A-2"]}),
    ("exclusion", {"addresses": ["KIM@acme.example"]}, {"addresses": ["Kim <kim@acme.example>", "l@x.y"]}),
    ("exclusion", {"column": "dnc", "values": ["yes"]}, {"values": ["yes", "maybe"]}),
    ("tone", {"forbid": ["now"]}, {"forbid": ["now", "urgent"]}),
    ("rate", {"toolkit": "mail", "count": 5, "seconds": 60}, {"count": 4, "seconds": 90}),
    ("budget", {}, {"max_amount": 10}),
    ("budget", {"max_calls": 9}, {"max_calls": 8}),
    ("audience", {"addresses": ["a@x", "b@x"]}, {"addresses": ["a@x"]}),
    ("audience", {}, {"addresses": ["a@x"]}),
    ("access", {"write": {"columns": ["st*"]}}, {"write": {"columns": ["status"]}}),
    ("access", {"write": {"columns": ["st*"]}}, {"write": {"columns": []}}),
    ("approval", {"tools": ["mail.*"], "tiers": ["T5"]}, {"tools": ["mail.*", "table.*"], "tiers": None}),
]  # fmt: skip
WIDER: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("window", WINDOW, {"weekdays": []}),  # every day
    ("window", WINDOW, {"weekdays": [3, 5]}),
    ("window", WINDOW, {"until": "17:01"}),
    ("window", WINDOW, {"zone": "Europe/Berlin"}),  # other moments, neither fewer nor more
    ("window", WINDOW, {"from": "soon"}),
    ("window", WINDOW, {"zone_column": "other"}),  # a parameter that no rule here knows
    ("exclusion", {"keys": ["A-1"]}, {"keys": ["A-2"]}),
    ("exclusion", {"column": "dnc", "values": ["yes"]}, {"column": "other"}),
    ("tone", {"forbid": ["now"]}, {"forbid": []}),
    ("rate", {"toolkit": "mail", "count": 5, "seconds": 60}, {"toolkit": "table"}),
    ("rate", {"toolkit": "mail", "count": 5, "seconds": 60}, {"seconds": 59}),
    ("budget", {"max_calls": 9}, {"max_calls": None}),
    ("budget", {"max_calls": 9}, {"max_calls": 10}),
    ("budget", {"max_amount": 9}, {"max_amount": float("nan")}),
    ("budget", {"max_amount": 9}, {"max_amount": "few"}),
    ("audience", {"addresses": ["a@x"]}, {"addresses": []}),  # empty allows everybody
    ("access", {"write": {"columns": ["st*"]}}, {"write": {"columns": ["s*"]}}),
    ("access", {"write": {"columns": ["st*"]}}, {"write": {"columns": ["sta*"]}}),  # who can tell?
    ("access", {"write": {"columns": ["st*"]}}, {"write": {}}),
    ("approval", {"by": "lead"}, {"by": "governance"}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "old", "change"), NARROWER)
def test_fewer_less_and_more_ruled_out_is_narrower(
    kind: str, old: dict[str, Any], change: dict[str, Any]
) -> None:
    assert narrower(guard(kind, old), guard(kind, old | change))
    assert not narrower(guard(kind, old | change), guard(kind, old))


@pytest.mark.parametrize(("kind", "old", "change"), WIDER)
def test_more_and_whatever_is_doubtful_is_not_narrower(
    kind: str, old: dict[str, Any], change: dict[str, Any]
) -> None:
    assert not narrower(guard(kind, old), guard(kind, old | change))


def test_every_kind_has_its_rule_and_its_form() -> None:
    assert set(RULES) == set(FORMS) == set(KINDS)


@pytest.mark.parametrize(
    ("kind", "params", "says"),
    [
        ("budget", {"max_calls": "9"}, "max_calls"),
        ("budget", {"max_amount": float("nan")}, "max_amount"),
        ("budget", {"maximum": 9}, "no parameter"),
        ("window", {"until": "25:00"}, "until"),
        ("window", {"zone": "Mars/Olympus"}, "zone"),
        ("access", {"write": {"rows": ["*"]}}, "write"),
        ("tone", {"forbid": "urgent"}, "forbid"),
        ("wishes", {}, "no safeguard of kind"),
    ],
)
def test_parameters_of_another_form_are_told_in_a_sentence(
    kind: str, params: dict[str, Any], says: str
) -> None:
    assert says in wrong(kind, params)


def test_parameters_of_the_form_are_taken() -> None:
    assert wrong("window", WINDOW) == ""
    assert wrong("budget", {"max_calls": 0, "max_amount": 9}) == ""
    assert wrong("access", {"write": {"columns": ["st*"]}}) == ""
