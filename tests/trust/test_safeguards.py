"""Each kind of safeguard says no when it must, and only then (MI-6, TR-11)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aicp.toolkits.model import Outcome, UndoTier
from aicp.trust.fixes import mended
from aicp.trust.leaving import leaves, leaves_now
from aicp.trust.plan import Safeguard
from aicp.trust.safeguards import (
    CHECKS,
    Context,
    bare,
    breaches,
    extra_approvals,
    rate_of,
    wait_until,
)
from aicp.trust.safeguards import after as read_back
from aicp.trust.windows import first_inside, inside, next_opening
from trust.plans import SPECS, a_plan

DRAFT, HOLD, UPDATE = a_plan().play.steps
NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)  # a Tuesday
TUE_THU = {"weekdays": [2, 3, 4], "from": "09:00", "until": "17:00", "zone": "recipient"}
ZONES = st.sampled_from(
    ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "UTC",
     "America/St_Johns", "Africa/Casablanca"]
)  # fmt: skip
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))


def guard(kind: Any, **params: Any) -> Safeguard:
    return Safeguard(id=f"a-{kind}", kind=kind, text=f"the {kind} rule", params=params)


def why(rule: Safeguard, step: Any = HOLD, args: dict[str, Any] | None = None, **given: Any) -> str:
    """Why a call would break the safeguard, "" when it would not."""
    context = Context(**({"now": NOW} | given))
    found = breaches((rule,), step, step.args if args is None else args, context)
    return found[0].why if found else ""


def test_every_kind_a_plan_may_name_has_its_check() -> None:
    kinds = get_args(Safeguard.model_fields["kind"].annotation)
    assert set(CHECKS) == set(kinds)


# Windows ----------------------------------------------------------------------------------


@st.composite
def windows(draw: st.DrawFn) -> dict[str, Any]:
    opens = draw(st.integers(0, 23 * 60 + 58))
    closes = draw(st.integers(opens + 1, 23 * 60 + 59))
    days = draw(st.sets(st.integers(1, 7), min_size=1))
    text = [f"{n // 60:02}:{n % 60:02}" for n in (opens, closes)]
    return {"weekdays": sorted(days), "from": text[0], "until": text[1], "zone": "recipient"}


@given(window=windows(), after=MOMENTS, zone=ZONES)
@example(  # the only window of the week falls into the hour that the clock skips
    window={"weekdays": [7], "from": "02:10", "until": "02:50", "zone": "recipient"},
    after=datetime(2026, 3, 22, 12, tzinfo=UTC), zone="Europe/Berlin",
)  # fmt: skip
@example(  # the clock goes back: the window opens a second time
    window={"weekdays": [7], "from": "02:00", "until": "02:30", "zone": "recipient"},
    after=datetime(2026, 10, 25, 0, 45, tzinfo=UTC), zone="Europe/Berlin",
)  # fmt: skip
def test_the_next_moment_lies_inside_the_window_and_never_before_what_was_asked(
    window: dict[str, Any], after: datetime, zone: str
) -> None:
    found = first_inside(after, window, ZoneInfo(zone))
    assert found is not None
    assert found >= after
    assert inside(found, window, ZoneInfo(zone))
    assert found - after <= timedelta(days=15)
    local = found.astimezone(ZoneInfo(zone))
    assert local.isoweekday() in window["weekdays"]
    assert window["from"] <= f"{local:%H:%M}" < window["until"]


def test_when_the_clock_goes_back_the_repeated_hour_counts_as_inside() -> None:
    window = {"weekdays": [7], "from": "02:00", "until": "02:30", "zone": "recipient"}
    first_closed = datetime(2026, 10, 25, 0, 45, tzinfo=UTC)  # 02:45 summer time
    assert next_opening(window, "Europe/Berlin", first_closed) == datetime(
        2026, 10, 25, 1, 0, tzinfo=UTC
    )


def test_an_empty_window_never_opens() -> None:
    assert first_inside(NOW, TUE_THU | {"from": "17:00", "until": "09:00"}, ZoneInfo("UTC")) is None


@pytest.mark.parametrize(
    ("moment", "zone", "kept"),
    [
        ("2026-11-24T12:00:00+00:00", "Europe/Berlin", True),
        ("2026-11-24T17:30:00+00:00", "Europe/Berlin", False),
        ("2026-11-24T17:30:00+00:00", "America/New_York", True),
        ("2026-11-23T12:00:00+00:00", "Europe/Berlin", False),
        ("2026-11-24T16:00:00+00:00", "Europe/Berlin", False),
        ("2026-11-24T08:00:00+00:00", "Europe/Berlin", True),
        ("2026-03-31T07:00:00+00:00", "Europe/Berlin", True),
        ("2026-03-31T15:00:00+00:00", "Europe/Berlin", False),
    ],
)
def test_a_mail_leaves_only_in_the_recipients_window(moment: str, zone: str, kept: bool) -> None:
    said = why(guard("window", **TUE_THU), leaves_at=datetime.fromisoformat(moment), zone=zone)
    assert (said == "") == kept


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../etc/passwd", "\x00", "kim@acme.example"])
def test_an_unknown_zone_refuses(zone: str) -> None:
    """Fail closed: without the zone the window cannot be kept."""
    assert "zone" in why(guard("window", **TUE_THU), zone=zone)


def test_a_window_in_a_named_zone_needs_no_recipient_zone_and_binds_only_what_leaves() -> None:
    utc = guard("window", **(TUE_THU | {"zone": "UTC"}))
    assert why(utc) == ""
    assert why(utc, now=NOW + timedelta(hours=12))
    assert why(utc, step=DRAFT, now=NOW + timedelta(hours=12)) == ""
    assert "zone" in why(guard("window", **(TUE_THU | {"zone": "Nowhere/Land"})))


# Exclusion and audience -------------------------------------------------------------------

EXCLUDED = guard("exclusion", keys=["A-1", 7], addresses=["Kim@Acme.example"])


@pytest.mark.parametrize(
    "to",
    ["kim@acme.example", "KIM@ACME.EXAMPLE", "Kim Cole <kim@acme.example>", " kim@acme.example ",
     ["ann@b.example", "kim@ACME.example"], ["Kim <kim@acme.example>"]],
    ids=str,
)  # fmt: skip
def test_an_excluded_address_is_refused_in_any_case_and_any_form(to: Any) -> None:
    step = DRAFT
    assert "exclusion list" in why(EXCLUDED, step, {"to": to}, to=bare(to))


@pytest.mark.parametrize("key", ["A-1", "7", 7])
def test_an_excluded_row_is_refused_by_its_key(key: Any) -> None:
    assert "exclusion list" in why(EXCLUDED, UPDATE, {"key": key})


@pytest.mark.parametrize("args", [{"to": "kim@other.example"}, {"key": "A-10"}, {}], ids=str)
def test_what_is_not_excluded_passes(args: dict[str, Any]) -> None:
    assert why(EXCLUDED, UPDATE, args, to=bare(args.get("to"))) == ""


def test_only_the_approved_audience_is_reached() -> None:
    rule = guard("audience", addresses=["kim@acme.example"], max_recipients=1)
    assert why(rule, args={"to": "KIM@acme.example"}, to=bare("KIM@acme.example")) == ""
    assert "audience" in why(rule, args={"to": "eve@evil.test"}, to=bare("eve@evil.test"))
    both = ["kim@acme.example", "eve@evil.test"]
    assert "audience" in why(rule, args={"to": both}, to=bare(both))


# Tone, rate, budget -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("This is URGENT.", True), ("urgent", True), ("not-urgent-at-all", True), ("insurgents", False),
        ("urgently", False), ("act, now!", False), ("Act now!", True), ("", False),
    ],
)  # fmt: skip
def test_tone_rules_out_whole_words_only(text: str, broken: bool) -> None:
    rule = guard("tone", forbid=["urgent", "act now"])
    for args, body in (({"body": text}, ""), ({"subject": text}, ""), ({}, text)):
        assert bool(why(rule, DRAFT, args, body=body)) == broken


@given(word=st.text(min_size=1, max_size=10).filter(str.strip))
def test_any_forbidden_word_is_found_between_spaces_whatever_signs_it_is_made_of(word: str) -> None:
    assert why(guard("tone", forbid=[word]), DRAFT, {"body": f"so {word} there"})


@given(count=st.integers(0, 50), done=st.integers(0, 60), seconds=st.integers(1, 86400))
def test_a_rate_lets_exactly_so_many_through(count: int, done: int, seconds: int) -> None:
    rule = guard("rate", toolkit="table", count=count, seconds=seconds)
    assert rate_of(rule) == (count, seconds)
    assert bool(why(rule, UPDATE, recent={rule.id: done})) == (done >= count)
    assert why(rule, DRAFT, recent={rule.id: done}, leaving=True) == ""


def test_a_mail_rate_counts_what_leaves_not_what_is_drafted() -> None:
    rule = guard("rate", toolkit="mail", per_minute=2)
    assert rate_of(rule) == (2, 60)
    assert why(rule, DRAFT, recent={rule.id: 9}) == ""
    assert why(rule, HOLD, recent={rule.id: 2}, leaving=True)
    assert why(rule, HOLD, recent={rule.id: 1}, leaving=True) == ""


@given(most=st.integers(0, 20), done=st.integers(0, 25))
def test_a_budget_of_calls_is_never_exceeded(most: int, done: int) -> None:
    assert bool(why(guard("budget", max_calls=most), calls_done=done)) == (done >= most)


@given(
    most=st.integers(1, 5), reached=st.sets(st.integers(1, 9), max_size=6), who=st.integers(1, 9)
)
def test_a_budget_of_recipients_counts_each_person_once(
    most: int, reached: set[int], who: int
) -> None:
    known = frozenset(f"p{n}@a.example" for n in reached)
    to = f"P{who}@a.example"
    said = why(guard("budget", max_recipients=most), args={"to": to}, to=bare(to), recipients=known)
    assert bool(said) == (len(reached | {who}) > most)


def test_several_recipients_in_one_call_count_as_several() -> None:
    to = ["a@a.example", "b@a.example"]
    rule = guard("budget", max_recipients=1)
    assert why(rule, args={"to": to}, to=bare(to))


# Rollback, records, privacy ---------------------------------------------------------------


@pytest.mark.parametrize("tier", list(UndoTier))
def test_rollback_demands_that_every_mutating_step_can_be_taken_back(tier: UndoTier) -> None:
    step = HOLD.model_copy(update={"undo_tier": tier})
    assert bool(why(guard("rollback"), step)) == (tier in (UndoTier.T4, UndoTier.T5))
    assert why(guard("rollback"), step.model_copy(update={"mutates": False})) == ""


def test_a_mail_never_shows_one_recipient_to_another() -> None:
    to = ["a@a.example", "b@b.example"]
    assert "another" in why(guard("privacy"), DRAFT, {"to": to}, to=bare(to))
    assert why(guard("privacy"), DRAFT, {"to": "a@a.example"}, to=bare("a@a.example")) == ""


def test_breaches_come_in_the_order_the_safeguards_were_declared() -> None:
    rules = (guard("budget", max_calls=0), guard("records"), guard("rollback"))
    step = HOLD.model_copy(update={"undo_tier": UndoTier.T5})
    found = breaches(rules, step, step.args, Context(now=NOW))
    assert [breach.safeguard.kind for breach in found] == ["budget", "rollback"]


# Access, extra approvals, amounts -----------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "step", "args", "kept"),
    [
        ({"write": {"accounts": ["table"]}}, UPDATE, {}, True),
        ({"write": {"accounts": ["crm*"]}}, UPDATE, {}, False),
        ({"read": {"accounts": ["crm*"]}}, UPDATE, {}, True),
        ({"write": {"columns": ["status", "note*"]}}, UPDATE, {"values": {"status": 1, "notes": 2}}, True),
        ({"write": {"columns": ["status"]}}, UPDATE, {"set": {"status": 1, "owner": 2}}, False),
        ({"write": {"columns": ["status"]}}, UPDATE, {"where": [{"column": "iban", "op": "eq"}]}, False),
        ({"write": {"paths": ["/srv/in/*"]}}, UPDATE, {"path": "/srv/in/a.txt"}, True),
        ({"write": {"paths": ["/srv/in/*"]}}, UPDATE, {"path": "/srv/in/../etc/passwd"}, False),
        ({"write": {"paths": ["/srv/in/*"]}}, UPDATE, {"src": "/srv/in/a", "dst": "/srv/out/a"}, False),
        ({"write": {"paths": []}}, UPDATE, {"path": "a"}, False),
        ({}, UPDATE, {"path": "anywhere"}, True),
    ],
)  # fmt: skip
def test_data_is_touched_only_within_its_bounds(
    params: dict[str, Any], step: Any, args: dict[str, Any], kept: bool
) -> None:
    assert (why(guard("access", **params), step, args) == "") == kept


def test_reading_has_bounds_of_its_own() -> None:
    read = UPDATE.model_copy(update={"mutates": False})
    rule = guard("access", read={"columns": ["name"]}, write={"columns": []})
    assert why(rule, read, {"columns": ["name"]}) == ""
    assert "read iban" in why(rule, read, {"columns": ["name", "iban"]})


def test_a_call_that_needs_a_further_approval_waits_for_exactly_that_one() -> None:
    rule = guard("approval", by="lead", tools=["mail.*"], tiers=["T3"])
    assert "lead has not approved" in why(rule, HOLD, approved_as=frozenset({"owner"}))
    assert why(rule, HOLD, approved_as=frozenset({"owner", "lead"})) == ""
    assert why(rule, DRAFT) == ""
    assert extra_approvals((rule,), (DRAFT, HOLD), ("owner",)) == ("owner", "lead")
    assert extra_approvals((rule,), (DRAFT, UPDATE), ("owner",)) == ("owner",)
    assert extra_approvals((rule, rule), (HOLD,), ("lead",)) == ("lead",)


@given(limit=st.integers(0, 100), spent=st.integers(0, 100), amount=st.integers(-60, 60))
def test_a_budget_stops_before_it_is_exceeded(limit: int, spent: int, amount: int) -> None:
    rule = guard("budget", max_amount=limit)
    said = why(rule, UPDATE, {"amount": amount}, spent=float(spent))
    assert bool(said) == (spent + abs(amount) > limit)


@pytest.mark.parametrize("amount", ["much", None, [1], float("nan")])
def test_an_amount_that_is_no_number_is_never_within_the_budget(amount: Any) -> None:
    assert why(guard("budget", max_amount=100), UPDATE, {"amount": amount})


# What leaves --------------------------------------------------------------------------------


def a_post(**given: Any) -> Any:
    told = {
        "tool": "webhook.post@0",
        "undo_tier": UndoTier.T5,
        "args": {"url": "https://x.example"},
    }
    return HOLD.model_copy(update=told | given)


def test_a_webhook_and_a_mail_of_any_provider_leave_and_a_draft_does_not() -> None:
    assert leaves(HOLD)
    assert leaves(a_post())
    assert leaves(a_post(tool="gmail.send_email@0", args={"recipient_email": "k@a.example"}))
    assert not leaves(DRAFT)
    assert not leaves(UPDATE)
    assert leaves(a_post(args={}, refs={"url": HOLD.refs["draft"]}))
    declared = SPECS["mail.schedule"]
    assert not leaves(HOLD, replace(declared, leaves=False))
    assert leaves(DRAFT, replace(declared, leaves=True))
    assert (leaves_now(HOLD), leaves_now(a_post())) == (False, True)


def test_a_window_binds_a_webhook_too_and_it_waits_for_the_next_opening() -> None:
    rule = guard("window", **(TUE_THU | {"zone": "UTC"}))
    late = NOW + timedelta(hours=8)
    (breach,) = breaches((rule,), a_post(), {}, Context(now=late))
    assert wait_until(breach, a_post(), {}, late) == datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
    fixed = {"not_before": late.isoformat()}
    assert wait_until(breach, HOLD, fixed, late) is None, "an approved time is never changed"
    (tone,) = breaches((guard("tone", forbid=["x"]),), DRAFT, {"body": "x"}, Context(now=late))
    assert wait_until(tone, DRAFT, {"body": "x"}, late) is None


@given(window=windows(), at=MOMENTS, zone=ZONES)
def test_a_plan_is_mended_only_to_a_moment_inside_the_window_and_never_earlier(
    window: dict[str, Any], at: datetime, zone: str
) -> None:
    held = HOLD.model_copy(
        update={"args": {"to": "k@a.example", "not_before": at.isoformat()}, "zone": zone}
    )
    play = a_plan().play.model_copy(update={"steps": (DRAFT, held, UPDATE)})
    rule = guard("window", **window)
    after, fixes = mended(play, (rule,), NOW)
    moment = datetime.fromisoformat(after.steps[1].args["not_before"])
    assert moment >= at
    if inside(at, window, ZoneInfo(zone)):
        assert (after, fixes) == (play, [])
    elif fixes:
        assert inside(moment, window, ZoneInfo(zone))
        assert moment >= NOW
        assert after.steps[1].provenance["not_before"].source == "policy"
        assert [fix.step for fix in fixes] == [2]
    assert (after.steps[0], after.steps[2]) == (DRAFT, UPDATE)


def test_reading_back_finds_a_recipient_nobody_approved() -> None:
    args = {"to": "Kim <kim@acme.example>"}
    good, more = Outcome({"to": ["KIM@acme.example"]}), Outcome({"to": ["kim@acme.example"], "bcc": "eve@x.example"})  # fmt: skip
    assert read_back((), HOLD, args, good) == ()
    assert read_back((), HOLD, args, Outcome({"id": "7"})) == ()
    assert "eve@x.example" in read_back((), HOLD, args, more)[0]
    excluded = guard("exclusion", addresses=["kim@acme.example"])
    assert "exclusion list" in read_back((excluded,), HOLD, args, good)[0]
