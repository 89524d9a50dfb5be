"""Linear as a sandbox: teams, states, issues created, changed, closed and deleted."""

from __future__ import annotations

from aicp.toolkits.sandbox.composio.kit import (
    COUNT,
    TEXT,
    Json,
    NewId,
    Refused,
    Tool,
    Toolkit,
    found,
    takes,
)

READ, WRITE, CREATE = "read", "write", "issues:create"
STATES = {
    "s-todo": {"id": "s-todo", "name": "Todo", "type": "unstarted"},
    "s-doing": {"id": "s-doing", "name": "In Progress", "type": "started"},
    "s-done": {"id": "s-done", "name": "Done", "type": "completed"},
}
_PEOPLE = {"u-dana": "Dana Brooks", "u-omar": "Omar Farouk"}


def records() -> Json:
    """One team of fictional people with two open issues."""
    return {
        "teams": {"t-ops": {"id": "t-ops", "key": "OPS", "name": "Operations"}},
        "issues": {
            "i-1": _issue("i-1", 1, "Rotate the API keys", "Before the quarter ends.", "s-todo"),
            "i-2": _issue("i-2", 2, "Import fails on umlauts", "Seen by Mei.", "s-doing"),
        },
    }


def _issue(key: str, number: int, title: str, description: str, state: str) -> Json:
    return {
        "id": key,
        "identifier": f"OPS-{number}",
        "title": title,
        "description": description,
        "priority": 0,
        "state": STATES[state],
        "assignee": None,
        "team": {"id": "t-ops"},
        "updatedAt": "2026-05-04T09:00:00Z",
    }


def _teams(data: Json, _args: Json, _new: NewId) -> Json:
    return {"teams": list(data["teams"].values())}


def _states(data: Json, args: Json, _new: NewId) -> Json:
    found(data["teams"], args["team_id"], "team")
    return {"states": list(STATES.values())}


def _list(data: Json, args: Json, _new: NewId) -> Json:
    issues = list(reversed(data["issues"].values()))
    start, size = int(args.get("after") or 0), int(args.get("first", 50))
    more = len(issues) > start + size
    return {
        "issues": issues[start : start + size],
        "page_info": {"hasNextPage": more, "endCursor": str(start + size) if more else None},
    }


def _get(data: Json, args: Json, _new: NewId) -> Json:
    return found(data["issues"], args["issue_id"], "issue")


def _create(data: Json, args: Json, new: NewId) -> Json:
    found(data["teams"], args["team_id"], "team")
    number = new("")
    issue = _issue(f"i-{number}", int(number), args["title"], "", "s-todo")
    _set(issue, args | {"stateId": args.get("state_id"), "assigneeId": args.get("assignee_id")})
    data["issues"][issue["id"]] = issue
    return issue


def _update(data: Json, args: Json, new: NewId) -> Json:
    issue = found(data["issues"], args["issueId"], "issue")
    _set(issue, args)
    issue["updatedAt"] = f"2026-05-04T09:00:00Z+{new('')}"
    return {"success": True, "issue": issue}


def _set(issue: Json, args: Json) -> None:
    for name in ("title", "description", "priority"):
        if args.get(name) is not None:
            issue[name] = args[name]
    if args.get("stateId"):
        issue["state"] = _one_of(STATES, args["stateId"], "state")
    if "assigneeId" in args:
        who = args["assigneeId"]
        named = _one_of(_PEOPLE, who, "user") if who else ""
        issue["assignee"] = {"id": who, "name": named} if who else None


def _one_of(known: Json, key: str, what: str) -> Json:
    if key not in known:
        raise Refused(f"Argument Validation Error: unknown {what} {key[:80]}")
    return known[key]


def _delete(data: Json, args: Json, _new: NewId) -> Json:
    found(data["issues"], args["issue_id"], "issue")
    del data["issues"][args["issue_id"]]
    return {"success": True}


_PRIORITY: Json = {"type": "integer", "minimum": 0, "maximum": 4}

LINEAR = Toolkit(
    "linear",
    "Linear",
    "Issues of a team.",
    {
        READ: "read teams and issues",
        CREATE: "create issues",
        WRITE: "create, change, close and delete issues",
    },
    (
        Tool(
            "LINEAR_LIST_LINEAR_TEAMS",
            "List teams",
            "All teams.",
            takes(),
            (READ,),
            _teams,
            reads=True,
        ),
        Tool(
            "LINEAR_LIST_LINEAR_STATES",
            "List states",
            "The states an issue of a team can have.",
            takes("team_id", team_id=TEXT),
            (READ,),
            _states,
            reads=True,
        ),
        Tool(
            "LINEAR_LIST_LINEAR_ISSUES",
            "List issues",
            "Issues, newest first.",
            takes(first=COUNT, after=TEXT),
            (READ,),
            _list,
            reads=True,
        ),
        Tool(
            "LINEAR_GET_LINEAR_ISSUE",
            "Read an issue",
            "One issue by its id.",
            takes("issue_id", issue_id=TEXT),
            (READ,),
            _get,
            reads=True,
        ),
        Tool(
            "LINEAR_CREATE_LINEAR_ISSUE",
            "Create an issue",
            "Add an issue to a team.",
            takes(
                "team_id",
                "title",
                team_id=TEXT,
                title={"type": "string", "minLength": 1},
                description=TEXT,
                priority=_PRIORITY,
                state_id=TEXT,
                assignee_id=TEXT,
            ),
            (CREATE, WRITE),
            _create,
            inverse="LINEAR_DELETE_LINEAR_ISSUE",
        ),
        Tool(
            "LINEAR_UPDATE_ISSUE",
            "Change an issue",
            "Set title, description, priority, state or assignee; the state Done closes it.",
            takes(
                "issueId",
                issueId=TEXT,
                title={"type": "string", "minLength": 1},
                description=TEXT,
                priority=_PRIORITY,
                stateId=TEXT,
                assigneeId={"type": ["string", "null"]},
            ),
            (WRITE,),
            _update,
            inverse="LINEAR_UPDATE_ISSUE",
        ),
        Tool(
            "LINEAR_DELETE_LINEAR_ISSUE",
            "Delete an issue",
            "Move an issue to the trash.",
            takes("issue_id", issue_id=TEXT),
            (WRITE,),
            _delete,
        ),
    ),
    records,
    wider=("admin",),
)
