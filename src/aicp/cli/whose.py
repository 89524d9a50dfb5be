"""Whose turn it is: the next command of a mission, said for the person who has to type it."""

from __future__ import annotations

from typing import Any

from aicp.cli.edge import Here
from aicp.client import Client, tokens

Doc = dict[str, Any]


def next_step(here: Here, client: Client, mission: Doc) -> str:
    """The next command, with `--as` when another person of this machine has to type it."""
    if mission["stage"] == "Define" and mission["brief"] and mission["brief"]["gaps"]:
        return f"aicp mission brief {mission['id']} --set CHIP=WORDS, or --accept CHIP"
    me = client.get("/api/me")
    capacity, able = wanted(mission, me)
    if not capacity:
        return mission["next"]
    if able:
        return _as(here, here.as_email, mission["next"])
    return _by_another(here, client, mission, capacity)


def wanted(mission: Doc, me: Doc) -> tuple[str, bool]:
    """The capacity that has to act now ("" when only time does), and whether this person may act in it."""
    missing, taken = _missing(mission, me)
    mine = [] if taken else [c for c in missing if _holds(me, c, mission)]
    return next(iter(mine or missing), ""), bool(mine)


def _missing(mission: Doc, me: Doc) -> tuple[list[str], bool]:
    """Capacities still to be filled, and whether this person has filled one: nobody fills two."""
    if mission["status"] == "blocked" or mission["stage"] == "Plan":
        return ["owner"], False
    given, needed = _given(mission)
    filled = {row["capacity"] for row in given}
    return [c for c in needed if c not in filled], any(r["person_id"] == me["id"] for r in given)


def _given(mission: Doc) -> tuple[list[Doc], list[str]]:
    if mission["stage"] == "Define" and mission["brief"]:
        return mission["brief"]["acknowledgements"], ["owner", "governance"]
    if mission["stage"] == "Approve" and mission["approval"]:
        asked = mission["approval"]["approval"]
        return [d for d in asked["decisions"] if d["decision"] == "approved"], asked["required"]
    return [], []


def _holds(person: Doc, capacity: str, mission: Doc) -> bool:
    if capacity == "owner":
        return person["id"] == mission["owner_id"]
    if capacity == "lead":
        return bool({"engineering_lead", "security_lead"} & set(person["roles"]))
    return capacity in person["roles"]


def _by_another(here: Here, client: Client, mission: Doc, capacity: str) -> str:
    able = [p for p in client.get("/api/people") if _holds(p, capacity, mission)]
    here_too = tokens(here.data_dir).get("tokens", {})
    for person in able:
        if person["email"] in here_too:
            return _as(here, person["email"], mission["next"])
    if able:
        return f"{mission['next']}   (by {', '.join(p['name'] for p in able)}, the {capacity})"
    role = "engineering_lead" if capacity == "lead" else capacity
    return f"aicp people add NAME EMAIL --role {role}"


def _as(here: Here, email: str, command: str) -> str:
    """The command under a name, unless it is the one taken by default here."""
    if not email or email == tokens(here.data_dir).get("default"):
        return command
    return command.replace("aicp ", f"aicp --as {email} ", 1)
