"""The examples of the policies page are real: they are taken from it, validated, and do what it says."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from aicp.toolkits.catalogue import builtin, catalogue
from aicp.trust.operator_rules import question
from aicp.trust.plan import Provenance
from aicp.trust.policy import Policies, Source, Who, load
from aicp.trust.policy_schema import CONTEXT, ENTITIES
from aicp.trust.sequences import Deed, broken, read
from trust.test_policy import MAIL, SPECS, a_step

PAGE = (Path(__file__).parents[2] / "docs/policies.md").read_text(encoding="utf-8")
RILEY = Who("m-1", "home", "Riley Chen", ("operator",), 2, "low")
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
OURS = MAIL | {"to": "kim@acme.example"}
SET = {"key": "A-1", "set": {"status": "x"}}


def block(kind: str) -> str:
    found = re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)
    assert len(found) == 1
    return found[0]


def the_policies() -> Policies:
    return load((Source("page.cedar", block("cedar")),), catalogue(builtin()))


def denied_by(
    tool: str, args: dict[str, Any], who: Who = RILEY, at: datetime = NOON, **given: Any
) -> str:
    step = a_step(tool, args, **given)
    asked = question(who, step, args, SPECS[tool], at=at, approved=True, purpose="step")
    decision = the_policies().decide(asked)
    return "" if decision.allowed else decision.by[0].id


def test_the_examples_hold_and_every_one_has_its_name_and_reason() -> None:
    found = the_policies()
    assert found.problem == ""
    assert len(found.statements) == 1 + block("cedar").count("@id(")
    assert all(one.id and one.reason for one in found.statements)


HELD = {"draft": "0" * 24, "to": "kim@acme.example", "not_before": "2026-11-24T12:00:00Z"}
THEIRS = Provenance(source="cell", where="x.csv row 1 column email", trusted=False)


@pytest.mark.parametrize(
    ("expected", "tool", "args", "given"),
    [
        ("", "mail.draft", OURS, {}),
        ("mail-stays-with-customers", "mail.draft", MAIL | {"to": "eve@evil.example"}, {}),
        ("", "mail.schedule", HELD, {}),
        ("office-hours", "mail.schedule", HELD, {"at": NOON.replace(hour=20)}),
        ("office-hours", "mail.schedule", HELD, {"at": NOON.replace(day=28)}),
        ("", "table.update", SET, {"at": NOON.replace(hour=20)}),
        ("owner-column", "table.update", {"key": "A-1", "set": {"owner": "Bo"}}, {}),
        ("no-way-back", "mail.send", OURS, {}),
        ("", "mail.send", OURS, {"who": replace(RILEY, roles=("engineering_lead",))}),
        ("", "mail.draft", OURS, {"provenance": {"to": THEIRS}}),
        ("no-strangers-recipients", "mail.draft", OURS,
         {"provenance": {"to": THEIRS}, "who": replace(RILEY, tenant="strict")}),
    ],
)  # fmt: skip
def test_each_example_denies_what_it_says_and_nothing_else(
    expected: str, tool: str, args: dict[str, Any], given: dict[str, Any]
) -> None:
    assert denied_by(tool, args, **given) == expected


def test_the_table_tells_every_word_a_policy_may_use() -> None:
    for name in (*CONTEXT, "args"):
        assert f"`context.{name}`" in PAGE, name
    for entity in ("Mission", "Account"):
        for attribute in ENTITIES[entity]["shape"]["attributes"]:
            assert f"`{attribute}`" in PAGE, attribute


def test_the_sequence_examples_do_what_they_say() -> None:
    found = read(block("toml"))
    assert found.problem == ""
    payroll = Deed(
        0,
        "table.select",
        "payroll.csv",
        "table:read",
        mutates=False,
        leaves=False,
        state="prepared",
    )
    out = Deed(3, "mail.send", "smtp", "mail:send", mutates=True, leaves=True)
    hit = broken(found.rules, [payroll], out)
    assert hit is not None
    assert hit.rule.id == "payroll-stays"
    assert broken(found.rules, [replace(payroll, account="crm.csv")], out) is None
    assert "customer-data-stays-inside" not in {rule.id for rule in found.rules}
