"""A whole mission through forms alone, and the forms that are refused."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

from aicp.toolkits.catalogue import builtin
from aicp.trust import declarations
from console_visitor import Visitor, csrf_in
from flight import ANY_TIME, WIN_BACK, Flight


def page_of(who: Visitor, mission: str) -> str:
    return who.get(f"/missions/{mission}").text


def start(flight: Flight, riley: Visitor, intent: str = WIN_BACK, **given: str) -> Any:
    box = flight.sandbox
    typed = {
        "intent": intent, "data": str(box / "accounts.csv"), "smtp": f"127.0.0.1:{flight.smtp.port}",
        "calendar": str(box / "calendar.ics"), "sender": "riley@ourside.example",
        "mail_folder": str(box / "mail"),
    }  # fmt: skip
    return riley.send(riley.get("/").text, "/missions", **(typed | given))


def test_a_mission_goes_from_words_to_undone_without_any_script(flight: Flight, visit: Any) -> None:
    riley, gabriela = visit("riley"), visit("gabriela")
    before = flight.state()
    mission = start(flight, riley).url.path.rsplit("/", 1)[1]
    flight.work()
    assert "1 of 2" not in riley.send(page_of(riley, mission), "/acknowledgement").text
    gabriela.send(page_of(gabriela, mission), "/acknowledgement")
    flight.work()
    riley.send(page_of(riley, mission), "/plan")
    sheet = page_of(riley, mission)
    digest = flight.doc(mission)["approval"]["approval"]["digest"]
    assert riley.form(sheet, "/approval").fields["digest"] == digest
    riley.send(sheet, "/approval", rationale="looks right")
    flight.work()
    held = page_of(riley, mission)
    assert "12 of 12" in held
    assert flight.state() != before
    riley.send(held, "/undo", sure="yes", reason="only a test")
    flight.work()
    over = page_of(riley, mission)
    assert "12 restored" in over
    assert flight.state() == before
    assert flight.delivered() == []
    riley.send(over, "/feedback", rating="5", hours="1,5", notes="neat")
    assert [f["hours"] for f in flight.doc(mission)["feedback"]] == [1.5]
    checked = riley.get(f"/missions/{mission}?verify=true").text
    assert "Every byte of 2 bundles is as it was sealed" in checked


def test_a_form_without_its_token_or_of_another_session_does_nothing(
    flight: Flight, visit: Any
) -> None:
    mission = flight.new()
    flight.work()
    riley = visit("riley")
    foreign = csrf_in(visit("gabriela").get("/").text)
    for csrf in ("", "0" * 64, foreign, "é"):
        answer = riley.http.post(f"/missions/{mission}/acknowledgement", data={"csrf": csrf})
        assert answer.status_code == 403
    assert flight.doc(mission)["brief"]["acknowledgements"] == []


def test_a_form_from_another_site_does_nothing_even_with_its_token(
    flight: Flight, visit: Any
) -> None:
    mission = flight.new()
    flight.work()
    riley = visit("riley")
    data = {"csrf": csrf_in(riley.get("/").text)}
    for headers in (
        {"origin": "http://evil.test"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
    ):
        answer = riley.http.post(f"/missions/{mission}/acknowledgement", data=data, headers=headers)
        assert answer.status_code == 403
    ours = {"origin": "http://console.test"}
    assert riley.http.post(
        f"/missions/{mission}/acknowledgement", data=data, headers=ours
    ).is_success


def test_a_refused_mission_keeps_the_words_that_were_typed(flight: Flight, visit: Any) -> None:
    riley = visit("riley")
    for given, status in (
        ({"intent": "   "}, 422),
        ({"intent": "x" * 20_001}, 422),
        ({"data": "accounts.csv"}, 422),
        ({"data": ""}, 422),
        ({"data": "/etc/passwd"}, 403),
        ({"smtp": "nonsense"}, 422),
        ({"priority": "soon"}, 422),
        ({"issue": "no <i>id</i>"}, 422),
    ):
        page = start(flight, riley, **{"intent": "Win back <b>all</b>", **given})
        assert page.status_code == status, given
        assert 'role="alert"' in page.text
        assert page.headers["x-correlation-id"] in page.text
        assert f"127.0.0.1:{flight.smtp.port}" in page.text or given.get("smtp") == "nonsense"
    assert "&lt;b&gt;all&lt;/b&gt;" in page.text
    assert 'value="no &lt;i&gt;id&lt;/i&gt;"' in page.text
    assert riley.get("/missions.json").json() == []
    huge = start(flight, riley, intent="y" * 1_000_000)
    assert huge.status_code == 422


def test_the_issue_a_mission_is_about_is_a_link_on_its_page(flight: Flight, visit: Any) -> None:
    riley = visit("riley")
    about = start(flight, riley, issue=" ops-1.2 ").url.path
    assert '<a href="/issues/ops-1.2">' in riley.get(about).text
    assert riley.get(f"{about}.json").json()["issue"] == "ops-1.2"
    other = start(flight, riley).url.path
    assert 'href="/issues/' not in riley.get(other).text
    assert riley.get(f"{other}.json").json()["issue"] is None


def test_the_same_person_twice_is_refused_on_the_page_with_the_rule(
    flight: Flight, visit: Any
) -> None:
    mission = flight.new()
    flight.work()
    riley = visit("riley")
    page = page_of(riley, mission)
    riley.send(page, "/acknowledgement")
    again = riley.send(page, "/acknowledgement")
    assert again.status_code == 422
    assert "must come from another person" in again.text
    assert "TR-7" in again.text
    assert 'aria-describedby="no-acknowledgement' in page_of(riley, mission)


def test_a_digest_that_is_not_the_plans_is_refused_and_recorded(flight: Flight, visit: Any) -> None:
    mission = flight.to_approve()
    riley = visit("riley")
    refused = riley.send(page_of(riley, mission), "/approval", digest="f" * 64)
    assert refused.status_code == 409
    assert "it was changed since you read it" in refused.text
    assert [f["rule"] for f in flight.doc(mission)["findings"]] == ["approval:digest"]


def test_who_may_not_act_sees_a_disabled_button_with_the_reason_and_gets_403_when_forcing_it(
    flight: Flight, visit: Any
) -> None:
    """UX-07."""
    mission = flight.to_plan()
    sam = visit("sam")
    page = page_of(sam, mission)
    assert "only the owner, Riley Chen, chooses the play" in page
    forced = sam.http.post(f"/missions/{mission}/plan", data={"csrf": csrf_in(page), "rank": "1"})
    assert forced.status_code == 403
    assert "Riley Chen" in forced.text


def test_sending_a_plan_back_needs_its_reason(flight: Flight, visit: Any) -> None:
    mission = flight.to_approve()
    riley = visit("riley")
    assert riley.send(page_of(riley, mission), "/rejection", reason=" ").status_code == 422
    riley.send(page_of(riley, mission), "/rejection", reason="too many at once")
    assert flight.doc(mission)["stage"] == "Plan"


def test_an_undo_needs_its_second_step(flight: Flight, visit: Any) -> None:
    mission = flight.to_execute()
    flight.work()
    riley = visit("riley")
    unsure = riley.send(page_of(riley, mission), "/undo", reason="hm")
    assert unsure.status_code == 422
    assert 'value="hm"' in unsure.text
    assert flight.doc(mission)["run_state"] == "held"


def test_an_expired_approval_says_so_and_cannot_be_given(flight: Flight, visit: Any) -> None:
    mission = flight.to_approve()
    riley = visit("riley")
    page = page_of(riley, mission)
    flight.clock.advance(hours=48)
    riley = visit("riley")  # the session is over by then, too
    late = riley.http.post(
        f"/missions/{mission}/approval",
        data=riley.form(page, "/approval").fields | {"csrf": csrf_in(riley.get("/").text)},
    )
    assert late.status_code == 409
    assert "expired" in late.text


def test_a_reload_after_a_refusal_leads_back_to_the_mission(flight: Flight, visit: Any) -> None:
    mission = flight.new()
    riley = visit("riley")
    assert riley.get(f"/missions/{mission}/approval").url.path == f"/missions/{mission}"
    unknown = riley.http.post(
        f"/missions/{mission}/dance", data={"csrf": csrf_in(riley.get("/").text)}
    )
    assert unknown.status_code == 404


def test_the_sheet_prints_every_call_and_a_decision_is_handed_on(
    flight: Flight, visit: Any
) -> None:
    mission = flight.to_approve()
    riley, lee = visit("riley"), visit("lee")
    sheet = riley.get(f"/missions/{mission}/sheet").text
    steps = flight.doc(mission)["approval"]["steps"]
    assert sheet.count('aria-label="Arguments of call') == len(steps)
    assert steps[0]["tool"] in sheet
    page = page_of(riley, mission)
    riley.send(page, "/delegation", to="lee@home.example", reason="on leave")
    assert "on leave" in page_of(lee, mission)
    lee.send(page_of(lee, mission), "/approval")
    flight.work()
    assert flight.doc(mission)["stage"] == "Reflect"


def test_an_undo_is_tried_on_copies_first_and_the_window_is_closed_by_hand(
    flight: Flight, visit: Any
) -> None:
    mission = flight.to_execute()
    flight.work()
    after, riley = flight.state(), visit("riley")
    page = page_of(riley, mission)
    assert f'formaction="/missions/{mission}/trial"' in page
    fields = riley.form(page, "/undo").fields | {"to_step": "2"}
    riley.http.post(f"/missions/{mission}/trial", data=fields, headers={"accept": "text/html"})
    flight.work()
    assert "tried on copies to step 2" in " ".join(page_of(riley, mission).split())
    assert flight.state() == after
    riley.send(page_of(riley, mission), "/finalization")
    assert "/finalization" not in page_of(riley, mission)
    assert flight.doc(mission)["undo_until"] is not None


def test_a_strangers_recipient_has_a_tick_and_the_approval_counts_with_it(
    flight: Flight, visit: Any
) -> None:
    """TR-20: the page lists each value with where it was first seen; unticked ones refuse."""
    mission, riley = flight.to_approve(ANY_TIME), visit("riley")
    assert "Values from untrusted content" not in page_of(riley, mission)
    select = next(spec for spec in builtin() if spec.name == "table.select")
    with flight.app.transaction(flight.people["riley"]) as conn:
        strange, later = replace(select, untrusted=True), flight.clock() + timedelta(seconds=1)
        declarations.remember(conn, flight.people["riley"], [strange], at=later)
    sheet = page_of(riley, mission)
    ticks = dict(re.findall(r'type="checkbox" name="(named-\d+)" value="([^"]+)"', sheet))
    needed = flight.doc(mission)["approval"]["unnamed"]
    assert list(ticks.values()) == [one["value"] for one in needed]
    assert all(one["first_seen"] in sheet for one in needed)
    assert "must be named by a person" in riley.send(sheet, "/approval").text
    riley.send(sheet, "/approval", **ticks)
    assert flight.doc(mission)["approval"]["approval"]["status"] == "approved"
