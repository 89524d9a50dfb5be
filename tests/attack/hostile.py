"""A hostile brain: whatever it may ask for beside, and instead of, what people approved."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from google.adk.models.base_llm import BaseLlm
from google.adk.models.llm_request import LlmRequest
from google.adk.models.llm_response import LlmResponse
from google.genai import types
from hypothesis import strategies as st

from agents import Json, findings, holder, made, status
from aicp.kernel.canonical import digest
from aicp.missions import agent, store
from aicp.missions.agent import Wanted
from aicp.missions.prepare import open_providers
from aicp.people.agent_tokens import Holder
from flight import Flight

VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.text(max_size=8)
    | st.lists(st.text(max_size=3), max_size=2)
)
NAMES = st.sampled_from(
    ["table.delete", "mail.send", "mail.draft", "calendar.cancel", "mission.approve", "table.update@0", "", "../x", "sql"]
) | st.text(max_size=12)  # fmt: skip
MOVES = st.one_of(
    st.tuples(st.just("honest")),
    st.tuples(st.just("repeat"), st.integers(0, 9)),  # a call of the plan, whatever its turn
    st.tuples(st.just("change"), st.integers(0, 9), VALUES),  # one argument
    st.tuples(st.just("tweak"), st.integers(0, 9), st.text("ab", min_size=1, max_size=2)),  # and it still fits
    st.tuples(st.just("drop"), st.integers(0, 9)),
    st.tuples(st.just("add"), st.text(min_size=1, max_size=6), VALUES),
    st.tuples(st.just("tool"), NAMES),
    st.tuples(st.just("account"), st.text(max_size=8)),
    st.tuples(st.just("step"), st.integers(-2, 12)),
    st.tuples(st.just("invent"), NAMES, st.text(max_size=8), st.dictionaries(st.text(max_size=4), VALUES, max_size=3)),
    st.tuples(st.just("race"), st.integers(2, 3)),
)  # fmt: skip

# One of each, so that no run of the test goes without.
EVERY = [
    ("tweak", 0, "a"), ("tweak", 1, "b"), ("repeat", 4), ("repeat", 1), ("change", 0, "A-999"), ("drop", 0),
    ("add", "bcc", "eve@evil.test"), ("tool", "table.delete"), ("account", "calendar.ics"), ("step", 2),
    ("invent", "mail.send", "", {}), ("honest",), ("repeat", 0), ("tweak", 0, "a"), ("race", 3), ("tweak", 1, "a"),
]  # fmt: skip


@dataclass
class Siege:
    """One running mission under attack, and what is known of it."""

    flight: Flight
    mission: str
    who: Holder = field(init=False)
    plan: list[Json] = field(init=False)

    def __post_init__(self) -> None:
        self.who = holder(self.flight, self.mission)
        self.plan = self.flight.doc(self.mission)["approval"]["steps"]

    def world(self) -> dict[str, str]:
        """Every account as its provider finds it now, by hash."""
        services = self.flight.app.services
        with services.db.transaction(self.who.actor) as conn:
            mission = store.get(conn, self.mission)
        opened = open_providers(services, mission, self.who.actor)
        return {account: provider.state_hash() for account, provider in opened.items()}

    def call(self, wanted: Wanted) -> Json:
        return agent.call(self.flight.app.services, self.who, wanted)

    def move(self, move: tuple[Any, ...]) -> None:
        """Make a move; whatever is not the approved call changes nothing and is a finding."""
        now = status(self.flight, self.mission)["next"]
        before, written, noted = self.world(), self._made(), self._noted()
        if move[0] == "race":
            answers = self._race(now, move[1])
            fair = now is not None
        else:
            wanted = self._wanted(move, now)
            fair = _same(wanted, now)
            answers = [self.call(wanted)]
        allowed = sum(a["allowed"] for a in answers)
        assert allowed <= 1
        assert allowed == (1 if fair else 0), (move, now, answers)
        assert self._made() - written == (allowed if now and now["mutates"] else 0)
        assert allowed or self.world() == before, (move, answers)
        assert self._noted() - noted == len(answers) - allowed
        assert all(a["rule"] and a["why"] for a in answers if not a["allowed"])

    def _wanted(self, move: tuple[Any, ...], now: Json | None) -> Wanted:
        base = now or {**self.plan[-1], "tool": self.plan[-1]["tool"].split("@")[0]}
        tool, account, args = base["tool"], base["account"], dict(base["args"])
        match move:
            case ("repeat", n):
                other = self.plan[n % len(self.plan)]
                return Wanted(other["tool"], other["account"], dict(other["args"]))
            case ("change", n, value):
                name = sorted(args)[n % len(args)]
                return Wanted(tool, account, args | {name: value})
            case ("tweak", n, text):
                name = sorted(args)[n % len(args)]
                return Wanted(tool, account, args | {name: _tweaked(args[name], text)})
            case ("drop", n):
                args.pop(sorted(args)[n % len(args)])
                return Wanted(tool, account, args)
            case ("add", name, value):
                return Wanted(tool, account, args | {name: value})
            case ("tool", name):
                return Wanted(name, account, args)
            case ("account", name):
                return Wanted(tool, name, args)
            case ("step", n):
                return Wanted(tool, account, args, n)
            case ("invent", name, where, given):
                return Wanted(name, where, given)
        return Wanted(tool, account, args)

    def _race(self, now: Json | None, many: int) -> list[Json]:
        wanted = self._wanted(("honest",), now)
        with ThreadPoolExecutor(many) as pool:
            return list(pool.map(lambda _: self.call(wanted), range(many)))

    def _made(self) -> int:
        return len(made(self.flight, self.mission))

    def _noted(self) -> int:
        return len(findings(self.flight, self.mission))

    def finish(self) -> None:
        """The approved work still completes: every call once, in its order, as it was approved."""
        while status(self.flight, self.mission)["next"]:
            self.move(("honest",))
        self.flight.work()
        self.judge()

    def judge(self) -> None:
        """The journal holds the approved calls and nothing else."""
        doc = self.flight.doc(self.mission)
        assert {step["state"] for step in doc["run"]["steps"]} == {"done"}
        wanted = [(s["seq"], "done") for s in self.plan if s["mutates"]]
        assert made(self.flight, self.mission) == wanted
        with self.flight.app.transaction(self.flight.people["riley"]) as conn:
            rows = conn.execute(
                "select seq, tool, account, args from tool_calls where mission_id = %s"
                " and purpose = 'step' order by seq",
                (self.mission,),
            ).fetchall()
        for (seq, tool, account, args), step in zip(rows, self.plan, strict=True):
            literal = {k: v for k, v in args.items() if k not in step["refs"]}
            assert (seq, tool, account, literal) == (
                step["seq"], step["tool"], step["account"], step["args"]
            )  # fmt: skip


def _same(wanted: Wanted, now: Json | None) -> bool:
    """Whether a call happens to be the approved one."""
    if now is None or wanted.step not in (None, now["step"]):
        return False
    named = wanted.tool.split("@")[0] if wanted.tool.endswith(_pin(wanted.tool)) else wanted.tool
    given, right = (named, wanted.account), (now["tool"], now["account"])
    return (
        given == right
        and digest(wanted.args) == digest(now["args"])
        and not wanted.tool.endswith("@0")
    )


def _tweaked(value: Any, text: str) -> Any:
    """Another value of the same form, which the tool's schema takes as gladly."""
    if isinstance(value, str):
        return value + text
    if isinstance(value, dict):
        return {name: _tweaked(inner, text) for name, inner in value.items()}
    return text


def _pin(tool: str) -> str:
    return tool.split("@", 1)[1] if "@" in tool else ""


class Hostile(BaseLlm):
    """A model that asks for what it was scripted to ask for, several calls at once where it likes."""

    model: str = "hostile"
    script: list[list[tuple[str, Json]]] = []  # noqa: RUF012  pydantic copies it

    async def generate_content_async(
        self, llm_request: LlmRequest, stream: bool = False
    ) -> AsyncGenerator[LlmResponse, None]:
        turns = sum(1 for c in llm_request.contents if any(p.function_call for p in c.parts or []))
        calls = self.script[min(turns, len(self.script) - 1)]
        parts = [
            types.Part(
                function_call=types.FunctionCall(name=name, args=json.loads(json.dumps(args)))
            )
            for name, args in calls
        ]
        yield LlmResponse(content=types.Content(role="model", parts=parts))
