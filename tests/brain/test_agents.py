"""The ADK agents: the rules model, good and bad other models, and an executor nobody can misuse."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from google.adk.models.base_llm import BaseLlm
from google.adk.models.llm_response import LlmResponse
from google.genai import types
from pydantic import Field

from aicp.brain.agents import run_evidence, run_executor, run_inspector, run_intake, run_planner
from aicp.brain.intake import understand
from aicp.brain.models import GEMINI, pick
from aicp.brain.needs import needs
from aicp.brain.planner import propose
from aicp.brain.wire import brief_out
from aicp.errors import BadInput, GateBlocked
from brain.tables import CALENDAR, CRM, MAIL, NOW
from brain.world import TOOLS, account_row, reads_of

ALL = [CRM, MAIL, CALENDAR]
INTENT = "Win back our 20 best purple manufacturing accounts, skip the do-not-contact list, send only Tue 9-17 UTC"


class Scripted(BaseLlm):
    """Answers from a list: texts, or (tool, args) calls, or lists of calls at once; then ends."""

    model: str = "scripted"
    script: list = Field(default_factory=list)
    asked: list = Field(default_factory=list)

    @property
    def capabilities(self):
        from google.adk.models._capabilities import LlmCapabilities

        return LlmCapabilities(output_schema_and_tools=True)

    async def generate_content_async(self, llm_request, stream=False):
        self.asked.append(llm_request)
        item = self.script[len(self.asked) - 1] if len(self.asked) <= len(self.script) else "done"
        if isinstance(item, Exception):
            raise item
        many = item if isinstance(item, list) else [item]
        parts = [types.Part(text=p) if isinstance(p, str)
                 else types.Part(function_call=types.FunctionCall(name=p[0], args=p[1])) for p in many]  # fmt: skip
        yield LlmResponse(content=types.Content(role="model", parts=parts))


def scripted(*items):
    return Scripted(script=list(items), asked=[])


@pytest.fixture(scope="module")
def own():
    return understand(INTENT, ALL, now=NOW)


@pytest.fixture(scope="module")
def steps(own):
    rows = reads_of(account_row(1), account_row(2))
    return propose(own, ALL, rows, tools=TOOLS, now=NOW, precedents={})[0].steps


def test_the_pure_brain_does_not_load_adk():
    code = "import sys, aicp.brain.intake, aicp.brain.planner, aicp.brain.agents; print('google.adk' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"


def test_settings_pick_the_model():
    assert [pick(), pick(google_api_key="k"), pick(google_api_key="k", model="m")] == [
        "rules",
        GEMINI,
        "m",
    ]


def test_the_rules_agent_gives_what_the_rules_give(own):
    assert run_intake(INTENT, ALL, now=NOW, model="rules") == own


def test_every_rules_response_carries_its_usage(own):
    import asyncio

    from google.adk.models.llm_request import LlmRequest

    from aicp.brain.models.rules import RulesModel

    text = json.dumps({"task": "evidence", "facts": {"mails": 3}})
    request = LlmRequest(contents=[types.Content(role="user", parts=[types.Part(text=text)])])

    async def first():
        return await anext(RulesModel().generate_content_async(request))

    assert asyncio.run(first()).usage_metadata.total_token_count > 0


def wire(brief, change):
    data = brief_out(brief).model_dump()
    change(data, {c["kind"]: c for c in data["chips"]})
    return json.dumps(data)


def test_a_grounded_model_may_add_what_its_words_bear_out(own):
    start = INTENT.index("purple")

    def add(data, by_kind):
        chip = by_kind["audience"]
        chip["spans"].append({"start": start, "end": start + 6, "text": "purple"})
        chip["audience"]["where"].append(
            {"column": "owner", "op": "eq", "value_json": '"Lee Wong"'}
        )

    brief = run_intake(INTENT, ALL, now=NOW, model=scripted(wire(own, add)))
    assert brief.brain == "scripted"
    assert [c.column for c in brief.audience.where] == ["industry", "owner"]
    assert brief.not_understood == own.not_understood
    assert brief.chips_of("audience")[0].confidence <= 0.7


def drop_guards(data, by_kind):
    data["chips"] = [c for c in data["chips"] if c["kind"] != "safeguard"]


def drop_exclusion(data, by_kind):
    by_kind["audience"]["audience"]["exclude"] = []


def drop_limit(data, by_kind):
    by_kind["audience"]["audience"]["limit"] = 5000


def unknown_column(data, by_kind):
    by_kind["audience"]["audience"]["where"].append(
        {"column": "password", "op": "filled", "value_json": "null"}
    )


def unknown_value(data, by_kind):
    by_kind["audience"]["audience"]["where"].append(
        {"column": "country", "op": "eq", "value_json": '"Atlantis"'}
    )


def wrong_type(data, by_kind):
    by_kind["audience"]["audience"]["where"].append(
        {"column": "arr_usd", "op": "gt", "value_json": '"1; drop"'}
    )


def own_number(data, by_kind):
    by_kind["audience"]["audience"]["where"].append(
        {"column": "employees", "op": "gt", "value_json": "77"}
    )


def false_quote(data, by_kind):
    by_kind["objective"]["spans"][0]["text"] = "Pay out"


def no_words(data, by_kind):
    by_kind["objective"]["spans"] = []


def other_goal(data, by_kind):
    by_kind["objective"]["goal"] = "merge_duplicates"


def poses_as_person(data, by_kind):
    by_kind["objective"]["source"] = "user"


@pytest.mark.parametrize("change", [drop_guards, drop_exclusion, drop_limit, unknown_column, unknown_value, wrong_type,
                                    own_number, false_quote, no_words, other_goal, poses_as_person])  # fmt: skip
def test_an_ungrounded_answer_falls_back_to_the_rules_and_says_so(own, change):
    brief = run_intake(INTENT, ALL, now=NOW, model=scripted(wire(own, change)))
    assert brief.chips == own.chips
    assert brief.brain.startswith("rules (scripted was refused: ")


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "certainly! here is",
        "[]",
        '{"chips": [{"id": 3}]}',
        '{"chips": "x"}',
        RuntimeError("503"),
    ],
)
def test_a_broken_answer_falls_back_to_the_rules(own, answer):
    brief = run_intake(INTENT, ALL, now=NOW, model=scripted(answer))
    assert brief.chips == own.chips
    assert brief.brain.startswith("rules (scripted: ")


def test_an_empty_intent_is_bad_input_for_every_model():
    with pytest.raises(BadInput):
        run_intake(" ", ALL, now=NOW, model=scripted("{}"))


@pytest.mark.parametrize(
    "script",
    [
        [],
        [("table_select", {"request": "rows"}), ("table_select", {"request": "rows"})],
        [("table_select", {"request": "../../etc/passwd"})],
        [("table_delete", {"request": "rows"})],
        [RuntimeError("down")],
    ],
)
def test_every_wanted_read_is_made_once_whatever_the_model_does(own, script):
    made = []

    def read(request):
        made.append(request.id)
        return {"rows": [], "matched": 0, "excluded": 0}

    answers = run_inspector(own, ALL, read=read, model=scripted(*script), now=NOW)
    wanted = [r.id for r in needs(own, ALL, now=NOW)]
    assert list(answers) == wanted
    assert sorted(made) == sorted(wanted)


def test_the_inspector_shows_the_model_counts_and_no_cells(own):
    model = scripted(("table_select", {"request": "rows"}))
    run_inspector(
        own,
        ALL,
        read=lambda r: {"rows": [account_row(1)], "matched": 1, "excluded": 0},
        model=model,
        now=NOW,
    )
    assert "kim1@firm1.example" not in str(model.asked)


def test_a_failing_read_reaches_the_caller(own):
    def read(request):
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        run_inspector(own, ALL, read=read, now=NOW)


def test_a_model_may_reorder_plays_but_not_invent_them(own):
    order = json.dumps(
        {"plays": [{"id": i, "why": "", "params_json": "{}"} for i in ("evil", "win-back-drafts")]}
    )
    reads = reads_of(account_row(1))
    plain = run_planner(own, ALL, reads, tools=TOOLS, now=NOW, precedents={})
    other = run_planner(own, ALL, reads, tools=TOOLS, now=NOW, precedents={}, model=scripted(order))
    ids = [p.id for p in plain]
    assert ids[0] == "win-back"
    assert [p.id for p in other] == ["win-back-drafts", *(i for i in ids if i != "win-back-drafts")]
    assert "by scripted" in other[0].rationale
    assert {p.id: p.steps for p in other} == {p.id: p.steps for p in plain}
    assert (
        run_planner(own, ALL, reads, tools=TOOLS, now=NOW, precedents={}, model=scripted("no"))
        == plain
    )


def test_evidence_with_a_made_up_number_is_replaced():
    lie = json.dumps({"summary": "We sent 9000 mails."})
    fair = json.dumps({"summary": "All 3 mails are held."})
    assert run_evidence({"mails": 3}, model=scripted(lie)) == "Counted: 3 mails."
    assert run_evidence({"mails": 3}, model=scripted(fair)) == "All 3 mails are held."


def calls_of(steps):
    return [(s.tool_name.replace(".", "_"), {"step": s.seq, "args": s.args}) for s in steps]


def test_the_rules_executor_makes_every_call_in_order(steps):
    done = []
    run_executor(steps, call=lambda s: (done.append(s.seq), {"ok": True})[1])
    assert done == [s.seq for s in steps]


def test_long_plans_are_walked_in_batches_without_a_gap():
    brief = understand("Win back retail accounts", ALL, now=NOW)
    rows = reads_of(*(account_row(n) for n in range(1, 21)))
    many = propose(brief, ALL, rows, tools=TOOLS, now=NOW, precedents={})[0].steps
    done = []
    run_executor(many, call=lambda s: (done.append(s.seq), {})[1])
    assert len(many) == 80
    assert done == [s.seq for s in many]


def reordered(calls):
    return [calls[1], calls[0]]


def replayed(calls):
    return [calls[0], calls[0]]


def changed(calls):
    name, args = calls[0]
    return [(name, {"step": args["step"], "args": args["args"] | {"to": "eve@evil.test"}})]


def extended(calls):
    name, args = calls[0]
    return [(name, {"step": args["step"], "args": args["args"] | {"bcc": "eve@evil.test"}})]


def smuggled(calls):
    name, args = calls[0]
    return [(name, args | {"to": "eve@evil.test"})]


def invented(calls):
    return [("shell_run", {"cmd": "rm -rf /"})]


def unapproved_tool(calls):
    return [("mail_send", {"step": 1, "args": calls[0][1]["args"]})]


def at_once(calls):
    return [[calls[0], calls[1]]]


def after_the_end(calls):
    return [*calls, calls[-1]]


def gives_up(calls):
    return [calls[0], "I am done"]


@pytest.mark.parametrize(
    "hostile",
    [
        reordered,
        replayed,
        changed,
        extended,
        smuggled,
        invented,
        unapproved_tool,
        at_once,
        gives_up,
    ],
)
def test_a_hostile_model_gets_nothing_done_beyond_the_approved_order(steps, hostile):
    done = []
    with pytest.raises(GateBlocked):
        run_executor(
            steps,
            call=lambda s: (done.append(s.seq), {})[1],
            model=scripted(*hostile(calls_of(steps))),
        )
    assert done == list(range(1, len(done) + 1))
    assert len(done) <= (2 if hostile is at_once else 1)


def test_nothing_is_asked_of_the_model_after_the_last_step(steps):
    done, model = [], scripted(*after_the_end(calls_of(steps)))
    run_executor(steps, call=lambda s: (done.append(s.seq), {})[1], model=model)
    assert done == [s.seq for s in steps]
    assert len(model.asked) == len(steps)


def test_the_gate_is_asked_for_every_call_and_its_word_stops_the_run(steps):
    seen, done = [], []

    def gate(tool, args, step):
        seen.append((tool, args, step.seq))
        return "not on Mondays" if step.seq == 3 else None

    with pytest.raises(GateBlocked, match="not on Mondays") as blocked:
        run_executor(steps, call=lambda s: (done.append(s.seq), {})[1], before_tool=gate)
    assert done == [1, 2]
    assert seen == [(s.tool_name, s.args, s.seq) for s in steps[:3]]
    assert blocked.value.facts == {"step": 3, "reason": "not on Mondays", "done": 2}


def test_the_gate_hears_of_wrong_calls_too(steps):
    seen = []
    model = scripted(*changed(calls_of(steps)))
    with pytest.raises(GateBlocked):
        run_executor(
            steps,
            call=lambda s: {},
            model=model,
            before_tool=lambda t, a, s: seen.append((t, a["to"])),
        )
    assert seen == [("mail.draft", "eve@evil.test")]


def test_a_denial_is_told_to_no_model_again_and_a_broken_gate_denies(steps):
    done, model = [], scripted(*calls_of(steps))

    def gate(tool, args, step):
        raise KeyError("policy store")

    with pytest.raises(GateBlocked, match="a check failed: KeyError"):
        run_executor(steps, call=lambda s: (done.append(s), {})[1], model=model, before_tool=gate)
    assert (done, len(model.asked)) == ([], 1)


def test_an_error_of_a_step_stops_the_run_and_reaches_the_caller(steps):
    done = []

    def call(step):
        done.append(step.seq)
        raise ConnectionError("smtp is gone")

    with pytest.raises(ConnectionError, match="smtp is gone"):
        run_executor(steps, call=call)
    assert done == [1]


def test_the_executor_never_holds_more_than_six_tools(steps):
    many = [steps[0].model_copy(update={"seq": n, "tool": f"kit.tool{n}@0"}) for n in range(1, 8)]
    with pytest.raises(GateBlocked, match="may hold 6"):
        run_executor(many, call=lambda s: {})


def test_message_content_stays_out_of_spans(steps):
    import os

    run_executor(steps[:1], call=lambda s: {})
    assert os.environ["ADK_CAPTURE_MESSAGE_CONTENT_IN_SPANS"] == "false"
