"""Slack as a sandbox: channels, their messages, posting and deleting."""

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

CHANNELS, HISTORY, WRITE = "channels:read", "channels:history", "chat:write"
BOT = "U0RILEY"


def records() -> Json:
    """Two channels; one with a message of a fictional colleague."""
    said = {
        "type": "message",
        "ts": "1778000000.000001",
        "user": "U0DANA",
        "text": "Dana (dana.brooks@ourside.example): the Acme call is at ten.",
    }
    return {
        "channels": {
            "C0GENERAL": {"id": "C0GENERAL", "name": "general", "is_archived": False},
            "C0SALES": {"id": "C0SALES", "name": "sales", "is_archived": False},
        },
        "messages": {"C0GENERAL": {said["ts"]: said}, "C0SALES": {}},
    }


def _channels(data: Json, _args: Json, _new: NewId) -> Json:
    return {"ok": True, "channels": list(data["channels"].values())}


def _history(data: Json, args: Json, _new: NewId) -> Json:
    found(data["channels"], args["channel"], "channel")
    messages = list(reversed(data["messages"][args["channel"]].values()))
    start, size = int(args.get("cursor") or 0), int(args.get("limit", 100))
    more = str(start + size) if len(messages) > start + size else ""
    return {
        "ok": True,
        "messages": messages[start : start + size],
        "has_more": bool(more),
        "response_metadata": {"next_cursor": more},
    }


def _post(data: Json, args: Json, new: NewId) -> Json:
    found(data["channels"], args["channel"], "channel")
    text = args.get("markdown_text") or args.get("text")
    if not text:
        raise Refused("no_text")
    ts = f"1779{int(new('')):06}.000000"
    message = {"type": "message", "ts": ts, "user": BOT, "text": text}
    data["messages"][args["channel"]][ts] = message
    return {"ok": True, "channel": args["channel"], "ts": ts, "message": message}


def _delete(data: Json, args: Json, _new: NewId) -> Json:
    found(data["channels"], args["channel"], "channel")
    messages = data["messages"][args["channel"]]
    if found(messages, args["ts"], "message")["user"] != BOT:
        raise Refused("cant_delete_message", 403)
    del messages[args["ts"]]
    return {"ok": True, "channel": args["channel"], "ts": args["ts"]}


SLACK = Toolkit(
    "slack",
    "Slack",
    "Read channels, post and delete messages.",
    {
        CHANNELS: "see which public channels there are",
        HISTORY: "read the messages of public channels",
        WRITE: "post messages as you, and delete what was posted",
    },
    (
        Tool(
            "SLACK_LIST_ALL_CHANNELS",
            "List channels",
            "All public channels.",
            takes(limit=COUNT),
            (CHANNELS,),
            _channels,
            reads=True,
        ),
        Tool(
            "SLACK_FETCH_CONVERSATION_HISTORY",
            "Read a channel",
            "Messages of a channel, newest first.",
            takes("channel", channel=TEXT, limit=COUNT, cursor=TEXT),
            (HISTORY,),
            _history,
            reads=True,
        ),
        Tool(
            "SLACK_SEND_MESSAGE",
            "Post a message",
            "Post a message into a channel.",
            takes("channel", channel=TEXT, text=TEXT, markdown_text=TEXT, thread_ts=TEXT),
            (WRITE,),
            _post,
            inverse="SLACK_DELETES_A_MESSAGE_FROM_A_CHAT",
        ),
        Tool(
            "SLACK_DELETES_A_MESSAGE_FROM_A_CHAT",
            "Delete a message",
            "Delete a message that was posted by this account.",
            takes("channel", "ts", channel=TEXT, ts=TEXT),
            (WRITE,),
            _delete,
        ),
    ),
    records,
    wider=("users:read.email",),
)
