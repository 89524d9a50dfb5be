"""After one call no other of a kind: rules as data, over plan and journal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aicp.trust.sequences import Deed, broken, broken_in, read

SELECT = Deed(1, "table.select", "crm.csv", "table:read", mutates=False, leaves=False)
POST = Deed(2, "webhook.post", "hooks", "webhook:post", mutates=True, leaves=True)
DRAFT = Deed(3, "mail.draft", "smtp", "mail:draft", mutates=True, leaves=False)
OWN = """
[[rule]]
id = "nothing-leaves-after-payroll"
reason = "payroll stays here"
after = { accounts = ["payroll*"] }
never = { leaves = true }
"""


def test_customer_data_read_by_a_step_is_not_posted_afterwards_and_both_steps_are_named() -> None:
    (found,) = broken_in(read("").rules, (), (SELECT, DRAFT, POST))
    assert found.why == (
        "step 2 (webhook.post) may not come after step 1 (table.select) by rule"
        " customer-data-stays-inside: what was read about customers does not go to chats and webhooks"
    )
    assert broken_in(read("").rules, (), (POST, SELECT)) == []


def test_an_operators_rule_counts_for_every_tool_and_what_was_done_before() -> None:
    rules = read(OWN).rules
    payroll = replace(
        SELECT, account="payroll.csv", state="done", tool="table.update", mutates=True
    )
    found = broken(rules, [payroll], POST)
    assert found is not None
    assert found.rule.id == "nothing-leaves-after-payroll"
    assert broken(rules, [payroll], DRAFT) is None
    assert broken(rules, [replace(payroll, account="crm.csv")], POST) is None


def test_what_preparing_read_counts_only_where_the_rule_says_so() -> None:
    before = [replace(SELECT, seq=0, account="payroll.csv", state="prepared")]
    assert broken(read(OWN).rules, before, POST) is None
    found = broken(read(OWN + "prepared = true").rules, before, POST)
    assert found is not None
    assert "after preparing (table.select)" in found.why


def test_a_rule_of_the_same_id_replaces_a_built_in_one_and_off_takes_it_out() -> None:
    off = '[[rule]]\nid = "customer-data-stays-inside"\noff = true'
    assert broken_in(read(off).rules, (), (SELECT, POST)) == []
    assert len(read(off).rules) == len(read("").rules) - 1


@pytest.mark.parametrize(
    "text",
    ["[[rule]", "[[rules]]\nid = 'x'", "[[rule]]\nid = 'x'\nafter = { leaves = true }",
     "[[rule]]\nid = 'x'\nafter = { tool = ['a'] }\nnever = { leaves = true }", "[[rule]]\noff = true"],
)  # fmt: skip
def test_a_file_that_is_not_of_the_form_is_a_problem_and_no_rule_is_dropped(text: str) -> None:
    found = read(text)
    assert found.problem.startswith("sequences.toml: ")
    assert found.rules == read("").rules
