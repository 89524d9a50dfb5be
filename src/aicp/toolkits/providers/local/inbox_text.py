"""What a mail of a stranger says, whatever its shape: headers as text, one readable part."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.message import EmailMessage, Message

from aicp.toolkits.model import Json
from aicp.toolkits.providers.local.answers import words
from aicp.toolkits.providers.local.messages import RULES, plain, recipients

HEADERS = 65_536  # bytes of a mail in which its headers are looked for
TEXT = 100_000  # characters of a text that are shown
TOKEN = re.compile(r"<[!-;=?-~]{1,250}>")
# The standard library's parser raises whatever it likes on what no mail should hold, an
# UnboundLocalError among it; a part that breaks it is shown as far as it can be.
MALFORMED = Exception
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def headed(data: bytes) -> Json:
    """The headers that a list shows."""
    mail = message_from_bytes(data[:HEADERS], policy=policy.default)
    return {name: header(mail, name)[:500] for name in ("from", "to", "subject", "date")}


def header(mail: Message, name: str) -> str:
    """A header on one line, "" when it is missing or past understanding."""
    try:
        return words(" ".join(str(mail.get(name, "")).split()))
    except MALFORMED:
        return ""


def told(data: bytes) -> Json:
    """Headers, text and the names of what is attached."""
    mail = message_from_bytes(data, policy=policy.default)
    text, kind = _text(mail)
    return {
        **{n: header(mail, n)[:2000] for n in ("from", "reply-to", "to", "cc", "subject", "date", "message-id")},
        "text": text[:TEXT],
        "kind": kind,
        "cut": len(text) > TEXT,
        "attached": _attached(mail),
    }  # fmt: skip


def _text(mail: EmailMessage) -> tuple[str, str]:
    """The text part, or the HTML when there is none, and which it is."""
    try:
        part = mail.get_body(("plain", "html"))
    except MALFORMED:
        part = None
    if part is None:
        return "", "none"
    try:
        text = str(part.get_content())
    except MALFORMED:  # a charset nobody knows
        raw = part.get_payload(decode=True)
        text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else ""
    return words(text.replace("\r\n", "\n")), part.get_content_subtype()


def _attached(mail: EmailMessage) -> list[str]:
    try:
        return [words(part.get_filename() or "unnamed")[:200] for part in mail.iter_attachments()][
            :50
        ]
    except MALFORMED:
        return []


def answer(original: bytes, to: list[str], body: str, subject: str = "") -> bytes:
    """An answer to a mail, without sender and date: whoever sends it adds them.

    Raises:
        ProviderError: an address or the subject is not sound.
    """
    mail = message_from_bytes(original[:HEADERS], policy=policy.compat32)
    asked = header(message_from_bytes(original[:HEADERS], policy=policy.default), "subject")[:200]
    asked = CONTROL.sub("", asked).strip()
    own = asked if asked.casefold().startswith("re:") else f"Re: {asked}"
    reply = EmailMessage(policy=RULES)
    reply["To"] = recipients(to)
    reply["Subject"] = plain(subject or own, "subject")
    before = TOKEN.findall(header(mail, "message-id"))[:1]
    if before:
        reply["In-Reply-To"] = before[0]
        reply["References"] = " ".join([*TOKEN.findall(header(mail, "references"))[-20:], *before])
    reply.set_content(body)
    return reply.as_bytes()
