"""Tenants and their people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from psycopg.rows import class_row

from aicp.errors import BadInput, Conflict, NotFound
from aicp.kernel.db import NOBODY, Actor, Connection, Database
from aicp.kernel.ids import new_uuid

ROLES = (
    "operator", "governance", "engineering_lead", "security_lead", "database_lead",
    "product_partner", "analytics", "oncall", "admin",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Person:
    id: UUID
    tenant_id: UUID
    email: str
    display_name: str
    roles: tuple[str, ...]

    @property
    def actor(self) -> Actor:
        return Actor(self.tenant_id, self.id, tuple(self.roles), self.display_name)


_COLUMNS = "id, tenant_id, email, display_name, roles"


def ensure_tenant(conn: Connection, slug: str, name: str, *, at: datetime) -> UUID:
    """The tenant's id; made when it is new. Needs a service transaction."""
    conn.execute(
        "insert into tenants (id, slug, name, created_at) values (%s, %s, %s, %s) on conflict (slug) do nothing",
        (new_uuid(), slug, name, at),
    )
    row = conn.execute("select id from tenants where slug = %s", (slug,)).fetchone()
    if row is None:
        raise NotFound(f"no tenant '{slug}'")
    return UUID(str(row[0]))


def add_person(
    conn: Connection,
    tenant_id: UUID,
    *,
    email: str,
    name: str,
    roles: tuple[str, ...],
    at: datetime,
) -> Person:
    """A new person. Needs a service transaction.

    Raises:
        BadInput: the address or a role is not valid.
        Conflict: the tenant already has that address.
    """
    unknown = sorted(set(roles) - set(ROLES))
    if unknown or not roles:
        raise BadInput(
            f"not a role: {', '.join(unknown) or 'none given'}", hint=f"use {', '.join(ROLES)}"
        )
    try:
        address = validate_email(
            email, check_deliverability=False, test_environment=True
        ).normalized
    except EmailNotValidError as error:
        raise BadInput(f"'{email}' is not an e-mail address: {error}") from None
    row = conn.execute(
        "insert into people (id, tenant_id, email, display_name, roles, created_at)"
        " values (%s, %s, %s, %s, %s, %s) on conflict (tenant_id, email) do nothing returning id",
        (new_uuid(), tenant_id, address.lower(), name, list(roles), at),
    ).fetchone()
    if row is None:
        raise Conflict(f"{address.lower()} is already a person of this tenant")
    return by_email(conn, tenant_id, address)


def by_email(conn: Connection, tenant_id: UUID, email: str) -> Person:
    found = (
        conn.cursor(row_factory=class_row(Person))
        .execute(
            f"select {_COLUMNS} from people where tenant_id = %s and email = lower(%s) and disabled_at is null",
            (tenant_id, email),
        )
        .fetchone()
    )
    if found is None:
        raise NotFound(f"nobody here has the address {email}", hint="see `aicp people list`")
    return found


def people_of(conn: Connection, tenant_id: UUID) -> list[Person]:
    return (
        conn.cursor(row_factory=class_row(Person))
        .execute(
            f"select {_COLUMNS} from people where tenant_id = %s and disabled_at is null order by created_at, email",
            (tenant_id,),
        )
        .fetchall()
    )


def every_tenant(db: Database) -> Iterator[tuple[Connection, Actor]]:
    """A transaction in each tenant, one after the other, in which the system itself acts."""
    with db.service() as conn:
        tenants = [UUID(str(row[0])) for row in conn.execute("select id from tenants").fetchall()]
    for tenant in tenants:
        with db.transaction(Actor(tenant, NOBODY)) as conn:
            yield conn, Actor(tenant, NOBODY)


def email_of(conn: Connection, person_id: UUID) -> str:
    """Under which address somebody acts."""
    row = conn.execute("select email from people where id = %s", (person_id,)).fetchone()
    if row is None:
        raise NotFound("there is no such person")
    return str(row[0])


def name_of(conn: Connection, tenant_id: UUID) -> str:
    """What a tenant is called."""
    row = conn.execute("select name from tenants where id = %s", (tenant_id,)).fetchone()
    if row is None:
        raise NotFound("there is no such tenant")
    return str(row[0])
