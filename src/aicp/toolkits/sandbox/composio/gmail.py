"""Gmail as a sandbox: drafts in the form of Google's API, messages in Composio's flattened form."""

from __future__ import annotations

import base64

from aicp.toolkits.sandbox.composio.kit import (
    COUNT,
    TEXT,
    TEXTS,
    Json,
    NewId,
    Refused,
    Tool,
    Toolkit,
    found,
    takes,
)

AUTH = "https://www.googleapis.com/auth/"
READ, COMPOSE, SEND, MODIFY = (
    f"{AUTH}gmail.{name}" for name in ("readonly", "compose", "send", "modify")
)
FULL = "https://mail.google.com/"
OWNER = "Riley Chen <riley@ourside.example>"
SYSTEM = ("INBOX", "SENT", "DRAFT", "TRASH", "STARRED", "IMPORTANT", "UNREAD")


def records() -> Json:
    """Three mails of fictional people, one label of the owner's own, no drafts."""
    inbox = [
        (
            "m-1",
            "Ana Silva <ana.silva@acme.example>",
            "Renewal",
            "Hi Riley, our budget round ends in May. My new mobile is +1 312 555 0147. Ana",
        ),
        (
            "m-2",
            "Tomás Okafor <tomas@boltworks.example>",
            "Invoice 1042",
            "Please send the invoice to 12 Harbour Road, Exampleville. Tomás",
        ),
        (
            "m-3",
            "Newsletter <news@crown.example>",
            "What is new",
            "Three things that changed this month.",
        ),
    ]
    messages = {
        key: _message(key, sender, OWNER, subject, body, ["INBOX", "UNREAD"])
        for key, sender, subject, body in inbox
    }
    labels = {name: {"id": name, "name": name, "type": "system"} for name in SYSTEM}
    labels["Label_1"] = {"id": "Label_1", "name": "Renewals", "type": "user"}
    return {"messages": messages, "drafts": {}, "labels": labels}


def _message(key: str, sender: str, to: str, subject: str, body: str, labels: list[str]) -> Json:
    return {
        "messageId": key,
        "threadId": key,
        "sender": sender,
        "to": to,
        "subject": subject,
        "messageText": body,
        "labelIds": labels,
    }


def _fetch(data: Json, args: Json, _new: NewId) -> Json:
    wanted = set[str](args.get("label_ids") or ())
    words = str(args.get("query", "")).lower().split()
    if "in:sent" in words:
        wanted.add("SENT")
    rest = [word for word in words if not word.startswith("in:")]
    hits = [
        message
        for message in reversed(data["messages"].values())
        if wanted <= set(message["labelIds"]) and all(word in f"{message}".lower() for word in rest)
    ]
    page, more = _page(hits, args)
    return {"messages": page, "resultSizeEstimate": len(hits), "nextPageToken": more}


def _page(items: list[Json], args: Json) -> tuple[list[Json], str | None]:
    start, size = int(args.get("page_token") or 0), int(args.get("max_results", 10))
    return items[start : start + size], str(start + size) if len(items) > start + size else None


def _read(data: Json, args: Json, _new: NewId) -> Json:
    return found(data["messages"], args["message_id"], "message")


def _drafts(data: Json, args: Json, _new: NewId) -> Json:
    page, more = _page(list(reversed(data["drafts"].values())), args)
    if not args.get("verbose"):
        page = [{"id": draft["id"], "message": _ids(draft["message"])} for draft in page]
    return {"drafts": page, "nextPageToken": more}


def _ids(message: Json) -> Json:
    return {key: message[key] for key in ("id", "threadId", "labelIds")}


def _draft(data: Json, args: Json, new: NewId) -> Json:
    if not (args.get("recipient_email") or args.get("cc") or args.get("bcc")):
        raise Refused("at least one recipient is needed")
    key, message = new("r-"), new("m-")
    headers = {
        "To": args.get("recipient_email", ""),
        "Cc": ", ".join(args.get("cc") or ()),
        "Bcc": ", ".join(args.get("bcc") or ()),
        "Subject": args.get("subject", ""),
    }
    data["drafts"][key] = {
        "id": key,
        "message": {
            "id": message,
            "threadId": args.get("thread_id") or message,
            "labelIds": ["DRAFT"],
            "payload": {
                "mimeType": "text/html" if args.get("is_html") else "text/plain",
                "headers": [{"name": k, "value": v} for k, v in headers.items() if v],
                "body": {"data": base64.urlsafe_b64encode(args.get("body", "").encode()).decode()},
            },
        },
    }
    return {"id": key, "message": _ids(data["drafts"][key]["message"])}


def _get_draft(data: Json, args: Json, _new: NewId) -> Json:
    return found(data["drafts"], args["draft_id"], "draft")


def _delete_draft(data: Json, args: Json, _new: NewId) -> Json:
    found(data["drafts"], args["draft_id"], "draft")
    del data["drafts"][args["draft_id"]]
    return {"success": True}


def _send(data: Json, args: Json, new: NewId) -> Json:
    if not args.get("recipient_email"):
        raise Refused("at least one recipient is needed")
    key = new("m-")
    data["messages"][key] = _message(
        key, OWNER, args["recipient_email"], args.get("subject", ""), args.get("body", ""), ["SENT"]
    )
    return {"id": key, "threadId": key, "labelIds": ["SENT"]}


def _send_draft(data: Json, args: Json, new: NewId) -> Json:
    draft = found(data["drafts"], args["draft_id"], "draft")
    payload = draft["message"]["payload"]
    headers = {header["name"]: header["value"] for header in payload["headers"]}
    body = base64.urlsafe_b64decode(payload["body"]["data"]).decode()
    letter = {
        "recipient_email": headers.get("To"),
        "subject": headers.get("Subject", ""),
        "body": body,
    }
    sent = _send(data, letter, new)
    del data["drafts"][args["draft_id"]]
    return sent


def _label(data: Json, args: Json, _new: NewId) -> Json:
    message = found(data["messages"], args["message_id"], "message")
    add, remove = args.get("add_label_ids") or [], args.get("remove_label_ids") or []
    for label in [*add, *remove]:
        if label not in data["labels"]:
            raise Refused(f"Invalid label: {label[:80]}")
    kept = [label for label in message["labelIds"] if label not in remove]
    message["labelIds"] = kept + [label for label in add if label not in kept]
    return {"id": message["messageId"], "labelIds": message["labelIds"]}


def _labels(data: Json, _args: Json, _new: NewId) -> Json:
    return {"labels": list(data["labels"].values())}


_WHO = {"user_id": {"type": "string", "default": "me"}}
_PAGE = {"max_results": COUNT, "page_token": TEXT, **_WHO}
_LETTER = {
    "recipient_email": {"type": "string", "format": "email"},
    "subject": TEXT,
    "body": TEXT,
    "cc": TEXTS,
    "bcc": TEXTS,
    "is_html": {"type": "boolean"},
    "thread_id": TEXT,
    **_WHO,
}

GMAIL = Toolkit(
    "gmail",
    "Gmail",
    "Read, draft, send and label mail.",
    {
        READ: "read all mails and settings",
        COMPOSE: "write, change, delete and send drafts",
        SEND: "send mails, without reading any",
        MODIFY: "read, write and send mails and change their labels; no deleting for good",
    },
    (
        Tool(
            "GMAIL_FETCH_EMAILS",
            "Fetch emails",
            "Mails that match a query, newest first.",
            takes(query=TEXT, label_ids=TEXTS, include_payload={"type": "boolean"}, **_PAGE),
            (READ, MODIFY, FULL),
            _fetch,
            reads=True,
        ),
        Tool(
            "GMAIL_FETCH_MESSAGE_BY_MESSAGE_ID",
            "Fetch one email",
            "One mail by its id.",
            takes("message_id", message_id=TEXT, format=TEXT, **_WHO),
            (READ, MODIFY, FULL),
            _read,
            reads=True,
        ),
        Tool(
            "GMAIL_LIST_LABELS",
            "List labels",
            "All labels of the mailbox.",
            takes(**_WHO),
            (READ, MODIFY, FULL),
            _labels,
            reads=True,
        ),
        Tool(
            "GMAIL_LIST_DRAFTS",
            "List drafts",
            "Drafts, newest first.",
            takes(verbose={"type": "boolean"}, **_PAGE),
            (READ, COMPOSE, MODIFY, FULL),
            _drafts,
            reads=True,
        ),
        Tool(
            "GMAIL_GET_DRAFT",
            "Get a draft",
            "One draft by its id.",
            takes("draft_id", draft_id=TEXT, format=TEXT, **_WHO),
            (READ, COMPOSE, MODIFY, FULL),
            _get_draft,
            reads=True,
        ),
        Tool(
            "GMAIL_CREATE_EMAIL_DRAFT",
            "Create a draft",
            "Write a draft; nothing is sent.",
            takes(**_LETTER),
            (COMPOSE, MODIFY, FULL),
            _draft,
            inverse="GMAIL_DELETE_DRAFT",
        ),
        Tool(
            "GMAIL_DELETE_DRAFT",
            "Delete a draft",
            "Delete a draft for good.",
            takes("draft_id", draft_id=TEXT, **_WHO),
            (COMPOSE, MODIFY, FULL),
            _delete_draft,
        ),
        Tool(
            "GMAIL_SEND_EMAIL",
            "Send an email",
            "Send a mail now.",
            takes("recipient_email", **_LETTER),
            (SEND, COMPOSE, MODIFY, FULL),
            _send,
        ),
        Tool(
            "GMAIL_SEND_DRAFT",
            "Send a draft",
            "Send an existing draft now.",
            takes("draft_id", draft_id=TEXT, **_WHO),
            (COMPOSE, MODIFY, FULL),
            _send_draft,
        ),
        Tool(
            "GMAIL_ADD_LABEL_TO_EMAIL",
            "Change labels",
            "Add labels to a mail, or take some off.",
            takes(
                "message_id", message_id=TEXT, add_label_ids=TEXTS, remove_label_ids=TEXTS, **_WHO
            ),
            (MODIFY, FULL),
            _label,
            inverse="GMAIL_ADD_LABEL_TO_EMAIL",
        ),
    ),
    records,
    wider=(FULL,),
)
