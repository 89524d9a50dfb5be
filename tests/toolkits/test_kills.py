"""kill -9 at every boundary between the provider and the world: exactly one effect (TR-13, I-8)."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import pytest

from aicp.toolkits.model import Call, Found, UndoStatus
from aicp.toolkits.providers.base import Provider, ProviderError
from toolkits.worlds import KINDS, LEAVING, Outside, World, apply, world

pytestmark = pytest.mark.chaos
# A killed process takes its MCP server with it: the one that starts five times faster is enough here.
KILLED = tuple(kind for kind in KINDS if kind != "mcp_notes")

# What changes or locks anything outside: files, statements, the wire; by owner and name.
BOUNDARIES = frozenset(
    [
        ("posix", name)
        for name in ("replace", "rename", "unlink", "mkdir", "rmdir", "fchmod", "fsync")
    ]
    + [("_posixsubprocess", "fork_exec"), ("fcntl", "flock")]
    + [("BufferedWriter", "write"), ("TextIOWrapper", "write")]
    + [("Connection", "execute"), ("socket", "sendall"), ("socket", "send")]
)

DIFFERENT = {"hubspot": 2}  # the first so many writes; deals go the way of contacts


def boundary(frame: FrameType, event: str, function: Any) -> bool:
    if event == "c_call":
        owner = function.__module__ or type(function.__self__).__name__
        return (owner, function.__name__) in BOUNDARIES
    name = ("Connection", frame.f_code.co_name)  # psycopg's is written in Python
    return event == "call" and name in BOUNDARIES and "psycopg" in frame.f_code.co_filename


def killed_at(number: int, provider: Provider, act: Callable[[Provider], object]) -> bool:
    """Run `act` in a process of its own that is SIGKILLed right before its n-th boundary.

    The boundaries are seen by the interpreter's profile hook (the product has no hook of its own);
    the end of the call counts as the last one. False: the call has fewer boundaries and ended.
    """
    child = os.fork()
    if child == 0:
        _die_at(number, lambda: act(provider))
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the call failed in the child"
    return os.WIFSIGNALED(status)


def _die_at(number: int, act: Callable[[], object]) -> NoReturn:
    left = number

    def reach() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(frame, event, function) -> None:
        if boundary(frame, event, function):
            reach()

    try:
        sys.setprofile(watch)
        act()
        sys.setprofile(None)
        reach()
    except BaseException:  # noqa: BLE001, nothing of the child may reach the parent's pytest
        os._exit(1)
    os._exit(0)


@pytest.mark.parametrize("a_world", KILLED, indirect=True)
def test_a_call_killed_anywhere_has_exactly_one_effect_after_reading_back(a_world: World) -> None:
    for call in a_world.writes[: DIFFERENT.get(a_world.kind)]:
        provider = a_world.open()
        start, before = provider.state_hash(), provider.before(call)
        outcome = provider.execute(call, before)
        wanted = provider.state_hash()
        assert provider.undo(call, before, outcome).status is UndoStatus.RESTORED
        found, number = set(), 1
        while killed_at(number, a_world.open(), lambda p, c=call, b=before: p.execute(c, b)):
            found.add(_finish(a_world, call, before, start, wanted))
            number += 1
        assert number > 3, "there were boundaries to be killed at"
        assert found == {Found.DONE, Found.NOT_DONE}, (
            f"{call.tool}: killed before and after the effect"
        )
        assert a_world.open().state_hash() == wanted


def _finish(a_world: World, call: Call, before, start: str, wanted: str) -> Found:
    """What the next process does with an intent without a result; then everything is taken back."""
    provider = a_world.open()
    assert provider.state_hash() in {start, wanted}, "a half-written state"
    found = provider.reconcile(call, before)
    outcome = found.outcome if found.found is Found.DONE else provider.execute(call, before)
    assert provider.state_hash() == wanted
    assert provider.verify(call, before, outcome) == ()
    assert provider.undo(call, before, outcome).status is UndoStatus.RESTORED
    assert provider.state_hash() == start
    return found.found


@pytest.mark.parametrize("a_world", KILLED, indirect=True)
def test_an_undo_killed_anywhere_is_finished_by_the_next(a_world: World) -> None:
    for call in a_world.writes[: DIFFERENT.get(a_world.kind)]:
        provider = a_world.open()
        start, before = provider.state_hash(), provider.before(call)
        number, again = 1, True
        while again:
            outcome = provider.execute(call, before)
            again = killed_at(
                number, a_world.open(), lambda p, c=call, b=before, o=outcome: p.undo(c, b, o)
            )
            result = a_world.open().undo(call, before, outcome)
            assert result.status in {UndoStatus.RESTORED, UndoStatus.ALREADY}
            assert provider.state_hash() == start
            number += 1
        assert number > 3
        apply(provider, call)


@pytest.mark.parametrize("a_world", LEAVING, indirect=True)
def test_what_cannot_be_taken_back_is_made_at_most_once_wherever_it_is_killed(
    a_world: World,
) -> None:
    template, number, again, found = a_world.writes[0], 1, True, set()
    while again:
        start = a_world.truth()
        call = Call(template.tool, template.args, f"{template.key} {number}")
        before = a_world.open().before(call)
        again = killed_at(number, a_world.open(), lambda p, c=call, b=before: p.execute(c, b))
        happened = a_world.truth() != start
        told = a_world.open().reconcile(call, before)
        assert told.found is not (Found.NOT_DONE if happened else Found.DONE)
        if told.found is Found.UNCLEAR:  # a person is asked; trying again is refused
            with pytest.raises(ProviderError) as refused:
                a_world.open().execute(call, before)
            assert refused.value.unknown
            assert (a_world.truth() != start) is happened
        else:
            outcome = told.outcome or a_world.open().execute(call, before)
            assert a_world.open().verify(call, before, outcome) == ()
            assert a_world.open().execute(call, before) == outcome
            assert a_world.truth().count(call.key) == 1
        found.add(told.found)
        number += 1
    assert number > 6
    assert {Found.DONE, Found.NOT_DONE} <= found
    assert (Found.UNCLEAR in found) is (a_world.kind == "bare webhook")


def test_a_compensation_killed_anywhere_is_made_at_most_once(
    tmp_path: Path, outside: Outside
) -> None:
    shop, number, again = outside.shop, 1, True
    while again:
        made = world("webhook", tmp_path, outside)
        step = apply(made.open(), Call("webhook.order", {"item": "tea"}, f"{tmp_path} {number}"))
        again = killed_at(number, made.open(), lambda p, s=step: p.undo(*s))
        result = made.open().undo(*step)
        cancelled = shop.cancelled.count(step[-1].data["result"]["id"])
        assert result.status is UndoStatus.IMPOSSIBLE
        # it was made up for, or nobody can tell, and then it is said and not tried again
        assert cancelled == 1 if result.residue else "may or may not" in result.why
        assert cancelled <= 1
        assert made.open().undo(*step) == result
        number += 1
    assert number > 6


def test_a_release_killed_anywhere_sends_exactly_one_mail(tmp_path: Path, outside: Outside) -> None:
    number, again = 1, True
    while again:
        folder = tmp_path / str(number)
        folder.mkdir()
        mail = world("mail", folder, outside)
        apply(mail.open(), mail.writes[0])
        call, _, outcome = apply(mail.open(), mail.writes[1])
        again = killed_at(number, mail.open(), lambda p, c=call, o=outcome: p.release(c, o))
        found = mail.open().reconcile_release(call, outcome)
        assert found.found in {Found.DONE, Found.NOT_DONE}
        if found.found is Found.NOT_DONE:
            mail.open().release(call, outcome)
        assert mail.open().release(call, outcome).data["sent"]
        assert arrived(outside.inbox, outcome.data["message_id"]) == 1
        number += 1
    assert number > 8


def test_a_send_killed_anywhere_sends_exactly_one_mail(tmp_path: Path, outside: Outside) -> None:
    mail = world("mail", tmp_path, outside)
    letter = {"to": "kim@acme.example", "subject": "Now", "body": "x"}
    number, again = 1, True
    while again:
        call = Call("mail.send", letter, f"{tmp_path} {number}")
        before = mail.open().before(call)
        again = killed_at(number, mail.open(), lambda p, c=call, b=before: p.execute(c, b))
        found = mail.open().reconcile(call, before)
        outcome = found.outcome or mail.open().execute(call, before)
        assert mail.open().verify(call, before, outcome) == ()
        assert arrived(outside.inbox, outcome.data["message_id"]) == 1
        number += 1
    assert number > 8


def arrived(inbox: Path, message_id: str) -> int:
    return sum(message_id.encode() in path.read_bytes() for path in (inbox / "new").iterdir())
