"""HubSpot as a sandbox: contacts and deals, read, created, changed and archived."""

from __future__ import annotations

from collections.abc import Callable

from aicp.toolkits.sandbox.composio.kit import (
    COUNT,
    TEXT,
    TEXTS,
    Act,
    Json,
    NewId,
    Refused,
    Tool,
    Toolkit,
    found,
    takes,
)

CONTACTS_READ, CONTACTS_WRITE = "crm.objects.contacts.read", "crm.objects.contacts.write"
DEALS_READ, DEALS_WRITE = "crm.objects.deals.read", "crm.objects.deals.write"
_STAMP = "2026-05-04T09:00:00Z"


def records() -> Json:
    """Fictional people and deals; nobody lives at these addresses."""
    people = [
        ("101", "Ana", "Silva", "ana.silva@acme.example", "+1 312 555 0147", "customer"),
        ("102", "Tomás", "Okafor", "tomas@boltworks.example", "+1 415 555 0112", "lead"),
        ("103", "Mei", "Tanaka", "mei.tanaka@crown.example", "+81 3 4500 1234", "opportunity"),
    ]
    deals = [
        ("201", "Acme renewal", "52000", "contractsent"),
        ("202", "Bolt Works pilot", "8400", "appointmentscheduled"),
    ]
    return {
        "contacts": {
            key: _record(
                key,
                firstname=first,
                lastname=last,
                email=email,
                phone=phone,
                lifecyclestage=stage,
            )
            for key, first, last, email, phone, stage in people
        },
        "deals": {
            key: _record(key, dealname=name, amount=amount, dealstage=stage, pipeline="default")
            for key, name, amount, stage in deals
        },
    }


def _record(key: str, **properties: str) -> Json:
    return {
        "id": key,
        "properties": properties,
        "createdAt": _STAMP,
        "updatedAt": _STAMP,
        "archived": False,
    }


def _shown(record: Json, args: Json) -> Json:
    """A record with the asked properties only; all of them when none were asked."""
    wanted = args.get("properties")
    known = record["properties"]
    shown = {name: known.get(name) for name in wanted} if wanted else known
    return record | {"properties": shown}


def _list(what: str) -> Act:
    def act(data: Json, args: Json, _new: NewId) -> Json:
        items = list(reversed(data[what].values()))
        start, size = int(args.get("after") or 0), int(args.get("limit", 10))
        page: Json = {"results": [_shown(item, args) for item in items[start : start + size]]}
        if len(items) > start + size:
            page["paging"] = {"next": {"after": str(start + size)}}
        return page

    return act


def _search(what: str) -> Act:
    def act(data: Json, args: Json, _new: NewId) -> Json:
        groups = args.get("filterGroups") or [{"filters": []}]
        hits = [
            item
            for item in reversed(data[what].values())
            if any(all(_fits(item, one) for one in group.get("filters", ())) for group in groups)
        ]
        return {"total": len(hits), "results": hits[: int(args.get("limit", 10))]}

    return act


def _fits(record: Json, one: Json) -> bool:
    if one.get("operator") != "EQ":
        raise Refused("the sandbox knows the operator EQ only")
    return record["properties"].get(one.get("propertyName")) == str(one.get("value"))


def _get(what: str, key: str) -> Act:
    def act(data: Json, args: Json, _new: NewId) -> Json:
        return _shown(found(data[what], args[key], what.rstrip("s")), args)

    return act


def _create(what: str, needed: str) -> Act:
    def act(data: Json, args: Json, new: NewId) -> Json:
        if not args.get(needed):
            raise Refused(f"Property {needed} is needed")
        same = (item["properties"].get("email") for item in data[what].values())
        if what == "contacts" and args["email"] in same:
            raise Refused("Contact already exists", 409)
        key = new("9")
        properties = {name: str(value) for name, value in args.items() if value not in ("", None)}
        data[what][key] = _record(key, **properties)
        return data[what][key]

    return act


def _update(what: str, key: str) -> Act:
    def act(data: Json, args: Json, new: NewId) -> Json:
        record = found(data[what], args[key], what.rstrip("s"))
        for name, value in args["properties"].items():
            if value in ("", None):  # HubSpot clears a property that is set to nothing
                record["properties"].pop(name, None)
            else:
                record["properties"][name] = str(value)
        record["updatedAt"] = f"{_STAMP}+{new('')}"
        return record

    return act


def _archive(what: str, key: str) -> Act:
    def act(data: Json, args: Json, _new: NewId) -> Json:
        found(data[what], args[key], what.rstrip("s"))
        del data[what][args[key]]
        return {"success": True}

    return act


_PERSON: Json = dict.fromkeys(
    ("firstname", "lastname", "phone", "company", "jobtitle", "lifecyclestage"), TEXT
)
_DEAL: Json = dict.fromkeys(("amount", "dealstage", "pipeline", "closedate"), TEXT)
_GROUPS: Json = {"type": "array", "items": {"type": "object"}}
_CHANGES: Json = {"type": "object", "additionalProperties": {"type": ["string", "number"]}}


def _tools(what: str, one: str, key: str, own: Json, needed: str, archive: str) -> tuple[Tool, ...]:
    read = (CONTACTS_READ,) if what == "contacts" else (DEALS_READ,)
    write = (CONTACTS_WRITE,) if what == "contacts" else (DEALS_WRITE,)
    get = "READ" if what == "contacts" else "GET"
    up, page = one.upper(), {"limit": COUNT, "after": TEXT, "properties": TEXTS}
    made: Callable[..., Tool] = Tool
    search = "HUBSPOT_SEARCH_" + ("CONTACTS_BY_CRITERIA" if what == "contacts" else "DEALS")
    return (
        made(
            search,
            f"Search {what}",
            f"{what.capitalize()} whose properties equal some values.",
            takes(filterGroups=_GROUPS, limit=COUNT),
            read,
            _search(what),
            reads=True,
        ),
        made(
            f"HUBSPOT_LIST_{what.upper()}",
            f"List {what}",
            f"{what.capitalize()}, newest first.",
            takes(**page),
            read,
            _list(what),
            reads=True,
        ),
        made(
            f"HUBSPOT_{get}_{up}",
            f"Read a {one}",
            f"One {one} by its id.",
            takes(key, **{key: TEXT, "properties": TEXTS}),
            read,
            _get(what, key),
            reads=True,
        ),
        made(
            f"HUBSPOT_CREATE_{up}",
            f"Create a {one}",
            f"Add a {one}.",
            takes(needed, **{needed: TEXT, **own}),
            write,
            _create(what, needed),
            inverse=archive,
        ),
        made(
            f"HUBSPOT_UPDATE_{up}",
            f"Change a {one}",
            f"Set some properties of a {one}.",
            takes(key, "properties", **{key: TEXT, "properties": _CHANGES}),
            write,
            _update(what, key),
            inverse=f"HUBSPOT_UPDATE_{up}",
        ),
        made(
            archive,
            f"Archive a {one}",
            f"Move a {one} to the recycle bin.",
            takes(key, **{key: TEXT}),
            write,
            _archive(what, key),
        ),
    )


HUBSPOT = Toolkit(
    "hubspot",
    "HubSpot",
    "Contacts and deals of a customer database.",
    {
        CONTACTS_READ: "read all contacts",
        CONTACTS_WRITE: "add, change and archive contacts",
        DEALS_READ: "read all deals",
        DEALS_WRITE: "add, change and archive deals",
    },
    (
        *_tools("contacts", "contact", "contactId", _PERSON, "email", "HUBSPOT_ARCHIVE_CONTACT"),
        *_tools("deals", "deal", "dealId", _DEAL, "dealname", "HUBSPOT_ARCHIVE_DEALS"),
    ),
    records,
    wider=("crm.objects.owners.read",),
)
