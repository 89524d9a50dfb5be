"""Which column is meant when a table has several of a kind: the row's own, never our staff's.

A CRM row often carries two addresses, the customer's and the account owner's. Mail goes to the first;
rows are the same thing when the first agrees; an exclusion list names the first.
"""

from __future__ import annotations

from collections.abc import Sequence

from aicp.brain.text import name_words
from aicp.toolkits.model import Column

STAFF = frozenset(
    [
        "owner",
        "rep",
        "manager",
        "agent",
        "seller",
        "salesperson",
        "assignee",
        "csm",
        "staff",
        "employee",
        "responsible",
        "creator",
        "author",
        "approver",
        "reviewer",
        "internal",
    ]
)


def own_columns(columns: Sequence[Column], kind: str) -> list[str]:
    """The row's own columns of a kind, the plainest name first ("email" before "billing_email")."""
    own = [c for c in columns if c.kind == kind and not STAFF & set(name_words(c.name))]
    return [c.name for c in sorted(own, key=lambda c: len(name_words(c.name)))]
