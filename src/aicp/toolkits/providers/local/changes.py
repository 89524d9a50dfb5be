"""Calls that take some places from what they were to what they become, made and taken back one way.

A place is a path or a ref; its state is plain JSON, None when nothing is there. The before-image
holds both states of every place, so the same comparison applies a call once, verifies it, tells
after a crash whether it happened, and takes it back only when nobody else touched a place since.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from aicp.kernel.canonical import canonical, digest
from aicp.toolkits.model import (
    BeforeImage,
    Call,
    Found,
    Json,
    Outcome,
    Reconciled,
    ToolSpec,
    UndoResult,
    UndoStatus,
)
from aicp.toolkits.providers.base import Connection, ProviderError
from aicp.toolkits.providers.local.checked import checked
from aicp.toolkits.providers.local.done import Done
from aicp.toolkits.providers.local.files import locked

State = Json | None
ABSENT = "absent"
TIMES = frozenset({"modified"})  # part of a state, but not of a version: bytes name a version


@dataclass(frozen=True, slots=True)
class Place:
    """One place of a call; `extra` is what only its undo needs."""

    name: str
    was: State
    becomes: State
    extra: Json


def version_of(state: State) -> str:
    """20 digits over a state without its times; "absent" when nothing is there."""
    if state is None:
        return ABSENT
    return digest({name: value for name, value in state.items() if name not in TIMES})[:20]


def places_of(before: BeforeImage) -> tuple[Place, ...]:
    return tuple(Place(**place) for place in before.data["places"])


class Changing(ABC):
    """The part of a provider that is the same for every kind of place."""

    def __init__(self, connection: Connection, target: str) -> None:
        self.connection = connection
        self._target = target
        self._done = Done(connection.work_dir, target)

    @abstractmethod
    def tools(self) -> tuple[ToolSpec, ...]: ...

    @abstractmethod
    def _look(self, name: str) -> State:
        """The state of one place now."""

    @abstractmethod
    def _plan(self, call: Call) -> tuple[Place, ...]:
        """What the call would do, tried without an effect; refuses what cannot apply."""

    @abstractmethod
    def _make(self, call: Call, places: Sequence[Place]) -> None:
        """The effect, atomic at its last step; every place is still what it was."""

    @abstractmethod
    def _take_back(self, call: Call, places: Sequence[Place]) -> UndoResult:
        """The reverse, atomic too; every place is still what the call made of it."""

    @abstractmethod
    def _data(self, places: Sequence[Place]) -> Json:
        """What the outcome tells, out of the before-image alone."""

    def before(self, call: Call) -> BeforeImage:
        checked(self.tools(), call, mutates=True)
        _refuse_no_text(call)
        places = self._plan(call)
        version = version_of(places[0].was)
        expected = call.args.get("expect_version")
        if expected and expected != version:
            raise ProviderError(
                f"{shown(places[0].name)} was changed since it was read for the plan",
                hint="read it again and plan the change anew",
            )
        return BeforeImage(version, {"places": [asdict(place) for place in places]})

    def execute(self, call: Call, before: BeforeImage) -> Outcome:
        checked(self.tools(), call, mutates=True)
        known = self._done.outcome(call)
        if known is not None:
            return known
        places = places_of(before)
        with locked(self.connection.work_dir, self._target):
            if self._is(places, after=False):
                self._make(call, places)
            elif not self._is(places, after=True):
                raise ProviderError(
                    f"{self._differing(places)} was changed by somebody else since it was read",
                    hint="read it again and plan the change anew",
                )
        outcome = self._outcome(places)
        self._done.remember(call, outcome)
        return outcome

    def verify(self, call: Call, before: BeforeImage, outcome: Outcome) -> tuple[str, ...]:  # noqa: ARG002, the protocol's form
        checked(self.tools(), call, mutates=True)
        return tuple(
            f"{shown(row['field'])} is not as the call left it: {row['theirs']}"
            for row in self._difference(places_of(before))
        )

    def reconcile(self, call: Call, before: BeforeImage) -> Reconciled:
        checked(self.tools(), call, mutates=True)
        known = self._done.outcome(call)
        if known is not None:
            return Reconciled(Found.DONE, known)
        places = places_of(before)
        if self._is(places, after=True):
            return Reconciled(Found.DONE, self._outcome(places))
        if self._is(places, after=False):
            return Reconciled(Found.NOT_DONE)
        why = f"{self._differing(places)} is neither what it was nor what the call would make it"
        return Reconciled(Found.UNCLEAR, why=why)

    def undo(self, call: Call, before: BeforeImage, outcome: Outcome) -> UndoResult:  # noqa: ARG002
        checked(self.tools(), call, mutates=True)
        places = places_of(before)
        with locked(self.connection.work_dir, self._target):
            if self._is(places, after=False):
                result = UndoResult(UndoStatus.ALREADY)
            elif difference := self._difference(places):
                why = f"{shown(difference[0]['field'])} was changed by somebody else since; nothing was touched"
                return UndoResult(UndoStatus.CONFLICT, difference, why=why)
            else:
                result = self._take_back(call, places)
        if result.status in {UndoStatus.RESTORED, UndoStatus.ALREADY}:
            self._done.forget(call)
        return result

    def release(self, call: Call, outcome: Outcome) -> Outcome:  # noqa: ARG002, the protocol's form
        raise ProviderError(f"{call.tool} holds nothing back, so there is nothing to release")

    def reconcile_release(self, call: Call, outcome: Outcome) -> Reconciled:  # noqa: ARG002
        raise ProviderError(f"{call.tool} holds nothing back, so there is nothing to release")

    def _is(self, places: Sequence[Place], *, after: bool) -> bool:
        return all(
            self._look(place.name) == (place.becomes if after else place.was) for place in places
        )

    def _differing(self, places: Sequence[Place]) -> str:
        seen = (p for p in places if self._look(p.name) not in (p.was, p.becomes))
        return shown(next(seen, places[0]).name)

    def _difference(self, places: Sequence[Place]) -> tuple[Json, ...]:
        """{"field", "ours", "theirs"} for whatever is not as the call left it."""
        return tuple(row for place in places for row in _rows(place, self._look(place.name)))

    def _outcome(self, places: Sequence[Place]) -> Outcome:
        return Outcome(self._data(places), version_of(places[-1].becomes))


def _rows(place: Place, now: State) -> list[Json]:
    ours = place.becomes
    if now is None or ours is None:
        if now == ours:
            return []
        words = ("nothing" if s is None else str(s.get("kind", "something")) for s in (ours, now))
        return [{"field": place.name, "ours": next(words), "theirs": next(words)}]
    return [
        {"field": f"{place.name}: {key}", "ours": ours.get(key), "theirs": now.get(key)}
        for key in dict.fromkeys([*ours, *now])
        if ours.get(key) != now.get(key)
    ]


def shown(text: str) -> str:
    """A name as it may stand in one sentence: what does not print is escaped."""
    plain = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return f"'{''.join(plain)[:200]}'"


def _refuse_no_text(call: Call) -> None:
    try:
        canonical(call.args)
    except ValueError:  # half a character, or a number that no JSON holds
        raise ProviderError(f"the arguments of {call.tool} are not all text") from None


def is_text(word: str) -> bool:
    """Whether a word can be written as UTF-8: it holds no half of a character."""
    return not any("\ud800" <= c <= "\udfff" for c in word)
