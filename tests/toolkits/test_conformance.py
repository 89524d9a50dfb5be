"""What every provider owes, whatever is behind it (MI-6, TR-9, TR-11, I-3, I-8, I-15)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from aicp.toolkits.model import Call, Found, UndoStatus, UndoTier
from aicp.toolkits.providers.base import Provider, ProviderError
from toolkits.worlds import COPYING, EVERY, KINDS, LEAVING, TABLES, Outside, World, apply, world

every_kind = pytest.mark.parametrize("a_world", EVERY, indirect=True)
every_writing_world = pytest.mark.parametrize("a_world", [*KINDS, *LEAVING], indirect=True)
every_world = pytest.mark.parametrize("a_world", KINDS, indirect=True)
every_leaving_world = pytest.mark.parametrize("a_world", LEAVING, indirect=True)
every_table = pytest.mark.parametrize("a_world", TABLES, indirect=True)


@every_kind
def test_every_tool_is_declared_completely(a_world: World) -> None:
    for tool in a_world.open().tools():
        Draft202012Validator.check_schema(tool.args_schema)
        assert tool.args_schema["additionalProperties"] is False
        assert tool.title
        assert tool.description
        assert tool.scope.startswith(a_world.connection.toolkit + ":")
        assert tool.mutates is (tool.undo_tier is not UndoTier.T0)
        assert bool(tool.undo) is tool.mutates
        assert bool(tool.residue) is (tool.undo_tier is UndoTier.T2)


@every_kind
def test_every_tool_is_tried_by_this_suite(a_world: World) -> None:
    tried = {call.tool for call in a_world.writes + a_world.final + a_world.reads}
    declared = {tool.name for tool in a_world.open().tools()}
    # T5: tested with their servers, in test_mail and test_mcp; a rehearsal runs no code of others
    assert declared - tried <= {"mail.send", "mcp_files.create_text_file", "git.run_tests"}


@every_kind
def test_what_is_declared_to_change_something_does_and_what_is_not_does_not(a_world: World) -> None:
    provider = a_world.open()
    specs = {tool.name: tool for tool in provider.tools()}
    for call in (*a_world.reads, *a_world.writes, *a_world.final):
        before = a_world.truth()
        assert not a_world.bound or provider.describe().version == provider.state_hash()
        if specs[call.tool].mutates:
            provider.before(call)
            assert a_world.truth() == before, f"{call.tool}: looking changed something"
            apply(provider, call)
        else:
            provider.read(call)
        assert (a_world.truth() != before) is specs[call.tool].mutates, call.tool


@every_world
def test_undo_restores_the_state_exactly_and_twice_is_as_good_as_once(a_world: World) -> None:
    provider = a_world.open()
    start = provider.state_hash()
    done = [apply(provider, call) for call in a_world.writes]
    assert provider.state_hash() != start
    for step in reversed(done):
        assert a_world.open().undo(*step).status is UndoStatus.RESTORED
        assert a_world.open().undo(*step).status is UndoStatus.ALREADY
    assert provider.state_hash() == start


@every_writing_world
def test_one_key_has_one_effect_and_one_outcome(a_world: World) -> None:
    provider = a_world.open()
    for call in a_world.writes + a_world.final:
        _, before, outcome = apply(provider, call)
        after = a_world.truth()
        assert provider.execute(call, before) == outcome
        assert a_world.open().execute(call, before) == outcome
        assert a_world.truth() == after


@every_leaving_world
def test_what_cannot_be_restored_says_so_and_is_made_up_for_at_most_once(a_world: World) -> None:
    provider = a_world.open()
    tiers = {tool.name: tool.undo_tier for tool in provider.tools()}
    for call in a_world.writes:
        step = apply(provider, call)
        done = a_world.truth()
        result = provider.undo(*step)
        assert (result.status, bool(result.why)) == (UndoStatus.IMPOSSIBLE, True)
        compensable = tiers[call.tool] is UndoTier.T4
        assert compensable or tiers[call.tool] is UndoTier.T5
        assert bool(result.residue) is compensable
        undone = a_world.truth()
        assert (undone != done) is compensable, f"{call.tool}: undo does what its tier says"
        assert a_world.open().undo(*step) == result
        assert a_world.truth() == undone


@every_leaving_world
def test_a_rehearsal_of_what_leaves_is_a_dry_run_that_says_so(a_world: World) -> None:
    provider, start = a_world.open(), a_world.truth()
    with provider.rehearsal() as twin:
        assert twin.state_hash() == provider.state_hash()
        for call in a_world.reads:
            assert twin.read(call)["dry_run"] is True
        for call in a_world.writes:
            step = apply(twin, call)
            assert step[-1].data["dry_run"] is True
            assert twin.execute(call, step[1]) == step[-1]
            assert twin.reconcile(call, step[1]).outcome == step[-1]
            assert twin.undo(*step).status is UndoStatus.IMPOSSIBLE
        assert a_world.truth() == start
    assert all("dry_run" not in apply(provider, call)[-1].data for call in a_world.writes)


OTHERWISE = {
    "table.update": {"key": "1"},
    "mail.draft": {"body": "x"},
    "calendar.add": {"summary": "x"},
    "mcp_notes.create": {"text": "x"},
    "mcp_files.replace_text": {"content": "x"},
    "inbox.seen": {"seen": False},
    "webhook.order": {"item": "coffee"},
    "files.write": {"text": "x"},
    "git.create_branch": {"branch": "other"},
    "gmail.create_email_draft": {"body": "x"},
    "hubspot.create_contact": {"firstname": "x"},
    "slack.send_message": {"text": "x"},
    "linear.create_linear_issue": {"title": "x"},
}


@every_writing_world
def test_a_key_that_was_used_for_another_call_is_refused(a_world: World) -> None:
    provider = a_world.open()
    call, before, _ = apply(provider, a_world.writes[0])
    state = a_world.truth()
    with pytest.raises(ProviderError):
        provider.execute(Call(call.tool, call.args | OTHERWISE[call.tool], call.key), before)
    assert a_world.truth() == state


@pytest.mark.parametrize(
    "a_world", [k for k in KINDS if k not in ("mail", "mcp_notes", "mcp_files")], indirect=True
)
def test_a_late_repeat_is_harmless_even_when_the_thing_moved_on(a_world: World) -> None:
    provider = a_world.open()
    call, before, outcome = apply(provider, a_world.writes[0])
    a_world.meddle(call)
    moved = provider.state_hash()
    assert provider.execute(call, before) == outcome
    assert provider.state_hash() == moved


@every_writing_world
def test_reading_back_tells_whether_a_call_happened(a_world: World) -> None:
    provider = a_world.open()
    for call in a_world.writes + a_world.final:
        before = provider.before(call)
        assert provider.reconcile(call, before).found is Found.NOT_DONE
        outcome = provider.execute(call, before)
        found = a_world.open().reconcile(call, before)
        assert (found.found, found.outcome) == (Found.DONE, outcome)


@every_world
def test_a_later_edit_by_somebody_else_is_never_overwritten(a_world: World) -> None:
    provider = a_world.open()
    for call in a_world.writes:
        step = apply(provider, call)
        a_world.meddle(call)
        theirs = provider.state_hash()
        result = provider.undo(*step)
        assert result.status is UndoStatus.CONFLICT
        assert result.why
        assert all(row["ours"] != row["theirs"] for row in result.difference)
        assert result.difference
        assert provider.state_hash() == theirs
        if call.tool == "mail.draft":
            break  # an edited draft is another mail: it is not what the next call schedules


@every_table
def test_an_edit_of_other_rows_survives_and_does_not_hinder_undo(a_world: World) -> None:
    provider = a_world.open()
    for call in a_world.writes:
        step = apply(provider, call)
        key = call.args.get("key") or "9"
        other = next(
            row["key"]
            for row in provider.read(Call("table.select", {}))["rows"]
            if row["key"] != key
        )
        name = f"Theirs {call.key}"
        apply(a_world.stranger(), Call("table.update", {"key": other, "set": {"name": name}}, name))
        assert provider.undo(*step).status is UndoStatus.RESTORED
        rows = {
            row["key"]: row["values"] for row in provider.read(Call("table.select", {}))["rows"]
        }
        assert rows[other]["name"] == name
        assert (key in rows) is (call.tool != "table.insert")


@every_table
def test_a_change_between_look_and_call_is_refused(a_world: World) -> None:
    call = a_world.writes[-1]
    provider = a_world.open()
    before = provider.before(call)
    apply(
        a_world.stranger(),
        Call("table.update", {"key": call.args["key"], "set": {"name": "x"}}, "t"),
    )
    theirs = provider.state_hash()
    with pytest.raises(ProviderError, match="changed by somebody else"):
        provider.execute(call, before)
    expecting = Call(call.tool, {**call.args, "expect_version": before.version}, call.key)
    with pytest.raises(ProviderError, match="changed since"):
        provider.before(expecting)
    assert provider.state_hash() == theirs


@pytest.mark.parametrize("a_world", COPYING, indirect=True)
def test_a_rehearsal_gives_the_same_outcomes_and_leaves_the_real_state_alone(
    a_world: World,
) -> None:
    provider = a_world.open()
    start = provider.state_hash()
    with provider.rehearsal() as twin:
        assert twin.state_hash() == start
        rehearsed = [apply(twin, call) for call in a_world.writes]
        assert twin.state_hash() != start
        assert a_world.open().state_hash() == start
        for step in reversed(rehearsed):
            assert twin.undo(*step).status is UndoStatus.RESTORED
        assert twin.state_hash() == start
    real = [apply(provider, call) for call in a_world.writes]
    assert [outcome for *_, outcome in real] == [outcome for *_, outcome in rehearsed]


@every_writing_world
@pytest.mark.parametrize(
    "spoil",
    [
        lambda args: {**args, "surplus": 1},
        lambda args: dict(list(args.items())[1:]),
        lambda args: {name: ["wrong"] for name in args},
    ],
    ids=["surplus", "missing", "wrong type"],
)
def test_arguments_off_the_declaration_are_refused_before_anything_else(
    a_world: World, spoil
) -> None:
    provider = a_world.open()
    specs = {tool.name: tool for tool in provider.tools()}
    start = a_world.truth()
    for call in a_world.writes:
        bad = Call(call.tool, spoil(call.args), "bad")
        fewer = len(bad.args) < len(call.args)
        if bad.args == call.args or (fewer and specs[call.tool].validator.is_valid(bad.args)):
            continue  # not spoiled: what is missing need not be there
        with pytest.raises(ProviderError):
            provider.before(bad)
        with pytest.raises(ProviderError):
            provider.execute(bad, None)  # refused before the before-image is even looked at
    with pytest.raises(ProviderError, match="no tool"):
        provider.before(Call("table.drop", {}, "bad"))
    for call in a_world.reads[:1]:
        with pytest.raises(ProviderError, match="only reads"):
            provider.before(call)
    with pytest.raises(ProviderError, match="changes something"):
        provider.read(a_world.writes[0])
    assert a_world.truth() == start


KEYS = st.sampled_from(["1", "2", "3", "4", "7"])
TEXTS = st.sampled_from(["", "x", 'q"u;o,te', "line\r\nbreak", "été", " lead", "=1+1"])
TABLE_CALLS = st.one_of(
    st.builds(lambda k, n: ("table.update", {"key": k, "set": {"name": n}}), KEYS, TEXTS),
    st.builds(lambda k, n: ("table.insert", {"values": {"id": k, "name": n}}), KEYS, TEXTS),
    st.builds(lambda k: ("table.delete", {"key": k}), KEYS),
)
UIDS = st.sampled_from(["one@x.example", "two@x.example", "new@x.example"])
CALENDAR_CALLS = st.one_of(
    st.builds(
        lambda u, s: (
            "calendar.add",
            {"uid": u, "start": "2026-07-01", "end": "2026-07-02", "summary": s},
        ),
        UIDS,
        TEXTS.filter(bool),
    ),
    st.builds(lambda u: ("calendar.cancel", {"uid": u}), UIDS),
)
MAILS = st.sampled_from(["1.a.host", "3.c.host", "4.d.host", "5.e.host", "9.z.host"])
INBOX_CALLS = st.one_of(
    st.builds(lambda m, seen: ("inbox.seen", {"id": m, "seen": seen}), MAILS, st.booleans()),
    st.builds(
        lambda m, label, how: ("inbox.label", {"id": m, how: [label]}),
        MAILS,
        st.sampled_from(["flagged", "answered"]),
        st.sampled_from(["add", "remove"]),
    ),
    st.builds(
        lambda m, folder: ("inbox.move", {"id": m, "folder": folder}),
        MAILS,
        st.sampled_from(["INBOX", "Old", "New.One"]),
    ),
    st.builds(lambda m: ("inbox.draft", {"id": m, "to": ["kim@acme.example"], "body": "x"}), MAILS),
)


def _prefixes(provider: Provider, calls: list) -> Iterator[None]:
    """Make the calls that apply; then take them back one by one, comparing at every prefix."""
    hashes, done = [provider.state_hash()], []
    for number, (tool, args) in enumerate(calls):
        try:
            done.append(apply(provider, Call(tool, args, f"k{number}")))
        except ProviderError:
            assert provider.state_hash() == hashes[-1], "a refused call left something behind"
            continue
        hashes.append(provider.state_hash())
    while done:
        hashes.pop()
        assert provider.undo(*done.pop()).status in {UndoStatus.RESTORED, UndoStatus.ALREADY}
        assert provider.state_hash() == hashes[-1]
        yield


def check_prefixes(kind: str, outside: Outside, calls: list) -> None:
    with TemporaryDirectory() as folder:
        for _ in _prefixes(world(kind, Path(folder), outside).open(), calls):
            pass


slow = {"suppress_health_check": [HealthCheck.too_slow], "deadline": None}


@given(st.lists(TABLE_CALLS, max_size=8))
@settings(max_examples=300, **slow)
def test_undo_at_every_prefix_of_any_sequence_restores_a_csv_byte_for_byte(
    outside: Outside, calls
) -> None:
    check_prefixes("csv", outside, calls)


@given(st.lists(TABLE_CALLS, max_size=8))
@settings(max_examples=50, **slow)
def test_undo_at_every_prefix_of_any_sequence_restores_an_sqlite_table(
    outside: Outside, calls
) -> None:
    check_prefixes("sqlite", outside, calls)


@given(st.lists(TABLE_CALLS, max_size=8))
@settings(max_examples=30, **slow)
def test_undo_at_every_prefix_of_any_sequence_restores_a_postgres_table(
    outside: Outside, calls
) -> None:
    check_prefixes("postgres", outside, calls)


@given(st.lists(CALENDAR_CALLS, max_size=6))
@settings(max_examples=50, **slow)
def test_undo_at_every_prefix_of_any_sequence_restores_a_calendar(outside: Outside, calls) -> None:
    check_prefixes("calendar", outside, calls)


@given(st.lists(INBOX_CALLS, max_size=6))
@settings(max_examples=50, **slow)
def test_undo_at_every_prefix_of_any_sequence_restores_an_inbox(outside: Outside, calls) -> None:
    check_prefixes("inbox", outside, calls)
