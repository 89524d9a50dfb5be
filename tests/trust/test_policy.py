"""Operator policies: a forbid wins, what is broken denies, and what a call is cannot be misread (TR-11)."""

from __future__ import annotations

import string
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aicp.toolkits.catalogue import builtin, catalogue
from aicp.toolkits.model import ToolSpec, UndoTier
from aicp.trust.operator_rules import question
from aicp.trust.plan import Step
from aicp.trust.policy import Policies, Question, Source, Who, load, schema_text, split
from aicp.trust.policy_schema import Untypable, decimal, shapes, values
from aicp.trust.rulebook import RuleBook
from trust.plans import HERE, a_plan

TOOLS = catalogue(builtin())
WHO = Who("m-1", "home", "Riley Chen", ("operator",), 2, "low")
TUESDAY = datetime(2026, 11, 24, 10, 30, tzinfo=UTC)
SPECS = {spec.name: spec for spec in TOOLS.specs}


def a_step(tool: str, args: dict[str, Any], **given: Any) -> Step:
    spec = SPECS[tool]
    return Step(
        seq=1, tool=spec.ref, account=given.pop("account", "the account"), args=args,
        provenance=given.pop("provenance", dict.fromkeys(args, HERE)), effect="something changes",
        mutates=spec.mutates, undo_tier=spec.undo_tier, undo="it is taken back", **given,
    )  # fmt: skip


MAIL = {"to": ["Kim <kim@acme.example>"], "subject": "Hello", "body": "Dear Kim"}


def asked(tool: str = "mail.draft", args: dict[str, Any] | None = None, **given: Any) -> Question:
    step = a_step(tool, MAIL if args is None else args)
    told = {"at": TUESDAY, "approved": True, "purpose": "step"} | given
    return question(WHO, step, step.args, SPECS[tool], **told)


def policies(text: str, name: str = "own.cedar") -> Policies:
    return load((Source(name, text),), TOOLS)


def test_without_policies_exactly_what_was_approved_may_happen() -> None:
    none = load((), TOOLS)
    assert none.decide(asked()).allowed
    refused = none.decide(asked(approved=False))
    assert not refused.allowed
    assert refused.why == "no policy permits it"


def test_a_denial_tells_the_policys_id_and_reason() -> None:
    found = policies(
        '// the house closes early\n@id("no-late-mail")\n@reason("no mail is written after ten")\n'
        'forbid (principal, action in Action::"mail", resource) when { context.hour >= 10 };'
    ).decide(asked())
    assert not found.allowed
    assert found.why == "policy no-late-mail: no mail is written after ten"
    assert [(one.id, one.file, one.line) for one in found.by] == [("no-late-mail", "own.cedar", 2)]


@pytest.mark.parametrize(
    ("when", "denied"),
    [
        ('context.args.to.contains("Kim <kim@acme.example>")', True),
        ('context.domains.containsAny(["acme.example"])', True),
        ('!["acme.example"].containsAll(context.domains)', False),
        ("context.recipients > 1", False),
        ("context.weekday == 2 && context.hour == 10", True),
        ('context.args.subject like "*ello"', True),
        ("context.leaves", False),
        ("context.mutates && context.tier <= 1", True),
        ('principal in Tenant::"home" && principal.owner_roles.contains("operator")', True),
        ("principal.priority < 2", False),
        ('principal.risk == "low" && resource in Toolkit::"mail"', True),
        ('resource.name like "* account"', True),
        ('context.purpose == "release"', False),
        ('context.untrusted.contains("to")', False),
    ],
)
def test_a_policy_sees_the_call_as_it_is(when: str, denied: bool) -> None:
    text = f'forbid (principal, action == Action::"mail.draft", resource) when {{ {when} }};'
    rules = policies(text)
    assert rules.problem == ""
    assert rules.decide(asked()).allowed is not denied


def test_columns_of_a_row_are_a_set_and_each_action_has_its_toolkit() -> None:
    rules = policies(
        '@id("owner-stays")\nforbid (principal, action == Action::"table.update", resource)\n'
        'when { context.args.set.contains("owner") };'
    )
    kept = asked("table.update", {"key": "A-1", "set": {"phone": "+49 30 1"}})
    assert rules.decide(kept).allowed
    assert not rules.decide(
        asked("table.update", {"key": "A-1", "set": {"phone": "1", "owner": "x"}})
    ).allowed


# What is broken denies --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("permit (principal, action", 1, "unexpected"),
        ("\n\npermit (principal, action, resource);\n\nforbid (who, action, resource);", 5, ""),
        ('permit (principal, action == Action::"mail.sned", resource);', 1, "mail.sned"),
        ("permit (principal, action, resource);\nforbid (principal, action, resource)\nwhen { context.houre > 3 };", 2, "houre"),
        ('forbid (principal, action == Action::"mail.draft", resource) when { context.args.to == "kim" };', 1, ""),
        ("permit (principal == ?principal, action, resource);", 1, "template"),
        ('@id("a;b // no comment")\npermit (principal, action, resource);\nnonsense', 3, ""),
    ],
)  # fmt: skip
def test_a_policy_that_does_not_hold_denies_every_call_and_says_where(
    text: str, line: int, says: str
) -> None:
    rules = policies(text)
    assert rules.problem.startswith(f"own.cedar line {line}: ")
    assert says in rules.problem
    assert "\n" not in rules.problem
    found = rules.decide(asked())
    assert not found.allowed
    assert rules.problem in found.why


def test_a_forbid_that_breaks_while_it_is_evaluated_denies() -> None:
    """The engine would leave the policy out, and with it the rule."""
    rules = policies(
        '@id("sum")\nforbid (principal, action, resource)\n'
        "when { principal.priority + 9223372036854775807 < 0 };"
    )
    assert rules.problem == ""
    found = rules.decide(asked())
    assert not found.allowed
    assert "a policy broke" in found.why
    assert "sum" in found.why


def test_a_tool_the_policies_do_not_know_is_denied() -> None:
    stranger = Question(WHO, "stranger.do", "x", {}, asked().context)
    assert "no tool stranger.do" in load((), TOOLS).decide(stranger).why


LITERALS = st.sampled_from(
    ["true", "context.approved", "context.hour < 24", "principal.priority >= 0"]
)
UNTRUE = st.sampled_from(["false", "context.hour > 24", 'principal.risk == "none"'])
SCOPES = st.sampled_from(
    ["principal, action, resource", 'principal, action in Action::"mail", resource',
     'principal, action == Action::"mail.draft", resource',
     'principal in Tenant::"home", action, resource in Toolkit::"mail"',
     'principal, action in [Action::"table", Action::"mail.draft"], resource']
)  # fmt: skip


OTHER = (
    'principal, action == Action::"table.update", resource',
    'principal, action in Action::"calendar", resource',
    'principal, action in [Action::"mail.send", Action::"table"], resource',
)
ELSEWHERE = st.sampled_from(OTHER)  # never fits a draft


@settings(max_examples=60, deadline=None)
@given(
    permits=st.lists(st.tuples(SCOPES | ELSEWHERE, LITERALS), max_size=5),
    forbids=st.lists(st.tuples(SCOPES | ELSEWHERE, LITERALS | UNTRUE), max_size=5),
    approved=st.booleans(),
    order=st.randoms(use_true_random=False),
)
def test_a_forbid_that_applies_wins_over_any_number_of_permits(
    permits: list[tuple[str, str]], forbids: list[tuple[str, str]], approved: bool, order: Any
) -> None:
    lines = [("permit", *one) for one in permits] + [("forbid", *one) for one in forbids]
    order.shuffle(lines)
    text = "\n".join(f"{effect} ({scope}) when {{ {when} }};" for effect, scope, when in lines)
    rules = policies(text)
    assert rules.problem == ""
    true = ("true", "context.hour < 24", "principal.priority >= 0")
    holds = set(true) | ({"context.approved"} if approved else set())
    forbidden = any(when in holds and scope not in OTHER for scope, when in forbids)
    permitted = approved or any(when in holds and scope not in OTHER for scope, when in permits)
    found = rules.decide(asked(approved=approved))
    assert found.allowed == (permitted and not forbidden)
    if forbidden:
        assert {one.effect for one in found.by} == {"forbid"}


@settings(max_examples=80, deadline=None)
@given(junk=st.text(st.sampled_from(string.ascii_letters + '(){};"=@,. \n/\\'), max_size=60))
def test_no_text_makes_the_policies_permit_more_than_was_approved(junk: str) -> None:
    """Whatever stands in a file: an unapproved call is never let through, and nothing is raised."""
    rules = policies(junk)
    assert not rules.decide(asked(approved=False)).allowed
    if rules.problem:
        assert not rules.decide(asked()).allowed


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from(["a;", 'b"x;y//";', "c//z;\n;", "\n", " ", "// n;\n", '"\\";";'])))
def test_a_file_is_taken_apart_without_losing_a_policy(parts: list[str]) -> None:
    text = "".join(parts)
    found = list(split(text))
    begins = [one for one in parts if one.strip() and not one.startswith("//")]
    assert len(found) == len(begins)
    for line, policy in found:
        assert text.splitlines()[line - 1].find(policy.splitlines()[0]) >= 0


# The schema -------------------------------------------------------------------------------------


def test_a_hundred_policies_keep_their_names() -> None:
    text = "\n".join(
        f'@id("p{n}")\nforbid (principal, action, resource) when {{ context.hour == {n} }};'
        for n in range(100)
    )
    found = policies(text).decide(asked())
    assert [one.id for one in found.by] == ["p10"]


def spec_of(declared: dict[str, Any], required: tuple[str, ...] = ()) -> ToolSpec:
    schema = {"type": "object", "properties": declared, "required": list(required)}
    return ToolSpec(
        "odd.tool", "Odd", "odd", schema, mutates=True, undo_tier=UndoTier.T5, scope="odd:do"
    )


def test_odd_declarations_become_types_and_what_cannot_is_left_out() -> None:
    spec = spec_of(
        {
            'a b-ü"': {"type": "string"}, "n": {"type": ["integer", "null"]},
            "f": {"type": "number"}, "tags": {"type": "array", "items": {"enum": ["x", "y"]}},
            "any": {}, "rows": {"type": "array", "items": {"type": "object"}},
            "nested": {"type": "object", "additionalProperties": False, "required": ["on"],
                       "properties": {"on": {"type": "boolean"}}},
            "free": {"type": "object", "additionalProperties": {"type": "string"}},
        },
        required=("n", "nested", "f"),
    )  # fmt: skip
    tools = catalogue([spec])
    args = {
        'a b-ü"': "x", "n": None, "f": 1.00001, "tags": ["x"], "any": 3, "rows": [{}],
        "nested": {"on": True}, "free": {"k": "v"},
    }  # fmt: skip
    shape = shapes(tools)["odd.tool"]
    assert set(shape) == set(args) - {"any", "rows"}
    assert values(args, shape)["f"] == {"__extn": {"fn": "decimal", "arg": "1.0001"}}
    own = load(
        (Source("o.cedar", 'forbid (principal, action, resource) when { context.args.nested.on &&'
                ' context.args.f.greaterThan(decimal("1.0")) && context.args has n };'),), tools
    )  # fmt: skip
    assert own.problem == ""
    step = Step(seq=1, tool=spec.ref, account="a", args=args, provenance={}, effect="", mutates=True,
                undo_tier=UndoTier.T5, undo="")  # fmt: skip
    told = question(WHO, step, args, spec, at=TUESDAY, approved=True, purpose="step")
    assert own.decide(told).allowed  # n is null, so it is not there


def test_two_declarations_of_one_name_give_what_they_agree_on() -> None:
    tools = catalogue(
        [spec_of({"a": {"type": "string"}, "b": {"type": "string"}}, ("a",)),
         spec_of({"a": {"type": "string"}, "b": {"type": "integer"}, "c": {"type": "boolean"}})]
    )  # fmt: skip
    shape = shapes(tools)["odd.tool"]
    assert {name: kind["required"] for name, kind in shape.items()} == {"a": False, "c": False}


@given(st.floats(allow_nan=True, allow_infinity=True) | st.integers(-(10**20), 10**20))
def test_a_number_is_never_rounded_below_a_limit(number: float) -> None:
    try:
        text = decimal(number)
    except Untypable:
        assert not abs(number) < 922_337_203_685_477
        return
    assert abs(Decimal(text)) >= abs(Decimal(str(number)))
    assert abs(Decimal(text) - Decimal(str(number))) <= Decimal("0.0001")


def test_the_schema_names_every_tool_in_cedars_own_words() -> None:
    text = schema_text(TOOLS)
    assert all(f'"{spec.name}"' in text for spec in TOOLS.specs)
    assert "owner_roles" in text


# The folder -------------------------------------------------------------------------------------


def test_a_changed_file_is_read_again_and_a_broken_one_denies(tmp_path: Path) -> None:
    book = RuleBook(tmp_path)
    assert book.policies(TOOLS).decide(asked()).allowed
    own = tmp_path / "own.cedar"
    own.write_text("forbid (principal, action, resource);")
    assert not book.policies(TOOLS).decide(asked()).allowed
    own.write_text("permit (principal, action, resource);  // again")
    assert book.policies(TOOLS).decide(asked()).allowed
    own.write_bytes(b"\xff\xfe")
    assert "own.cedar cannot be read" in book.policies(TOOLS).problem
    own.unlink()
    assert book.policies(TOOLS).decide(asked()).allowed


def test_a_folder_that_was_named_must_be_there(tmp_path: Path) -> None:
    assert "cannot be read" in RuleBook(tmp_path / "none", named=True).policies(TOOLS).problem
    assert RuleBook(tmp_path / "none").policies(TOOLS).problem == ""


def test_a_reference_counts_as_untrusted_for_policies() -> None:
    step = a_plan().play.steps[1]
    told = question(WHO, step, step.args, None, at=TUESDAY, approved=True, purpose="step")
    assert told.context["untrusted"] == ["draft"]
    assert told.context["leaves"] is True
