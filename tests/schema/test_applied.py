"""What the product's own login can tell about the schema."""

from __future__ import annotations

from typing import Any

from aicp.schema.apply import applied


def test_a_login_of_few_rights_sees_that_the_schema_is_there(cluster: Any) -> None:
    """`aicp up` with DATABASE_URL needs no owner rights once the schema was applied."""
    name = cluster.clone()
    assert applied(cluster.url(name))
    empty = cluster.clone("template1")
    assert not applied(cluster.url(empty))
    cluster.drop(name)
    cluster.drop(empty)
