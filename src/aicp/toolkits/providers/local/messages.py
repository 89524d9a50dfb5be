"""Mails as bytes: composed by the standard library, the same bytes for the same call."""

from __future__ import annotations

from datetime import datetime
from email import message_from_bytes, policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, getaddresses

from email_validator import EmailNotValidError, validate_email

from aicp.kernel.canonical import digest, sha256
from aicp.toolkits.model import Call, Json
from aicp.toolkits.providers.base import ProviderError

# Long lines are left to the folding of RFC 5322; text travels as quoted-printable or base64.
RULES = policy.SMTP.clone(cte_type="7bit")


def call_id(call: Call) -> str:
    """The name of what a call makes: 24 digits of its key (of its arguments when it has none)."""
    return (sha256(call.key.encode()) if call.key else digest([call.tool, call.args]))[:24]


def address(text: str) -> Address:
    """One recipient or sender, "kim@acme.example" or "Kim <kim@acme.example>".

    Raises:
        ProviderError: not one well-formed address, or a header smuggled into it.
    """
    plain(text, "address")
    found = getaddresses([text])
    name, spec = found[0] if len(found) == 1 else ("", text)
    try:
        valid = validate_email(
            spec,
            check_deliverability=False,
            globally_deliverable=False,
            test_environment=True,
            allow_smtputf8=False,
        )
    except EmailNotValidError as error:
        raise ProviderError(
            f"'{text[:80]}' is not an e-mail address: {error}", hint="write it as name@domain"
        ) from None
    return Address(name, username=valid.local_part, domain=valid.ascii_domain or valid.domain)


def recipients(to: str | list[str]) -> tuple[Address, ...]:
    return tuple(address(one) for one in ([to] if isinstance(to, str) else to))


def specs(to: str | list[str]) -> list[str]:
    """The bare addresses, in lower case and order, for comparing."""
    return sorted(one.addr_spec.lower() for one in recipients(to))


def plain(text: str, what: str) -> str:
    """A header's text, refused when it holds a line end or another control character."""
    if any(ord(ch) < 32 or ord(ch) == 127 for ch in text):
        raise ProviderError(
            f"the {what} holds a line break or control character", hint="write it on one line"
        )
    return text


def compose(call: Call, sender: Address) -> bytes:
    """The whole mail of a call with {to, subject, body, date?}; Message-ID from the call's key."""
    args: Json = call.args
    mail = EmailMessage(policy=RULES)
    mail["From"] = sender
    mail["To"] = recipients(args["to"])
    mail["Subject"] = plain(args["subject"], "subject")
    mail["Message-ID"] = f"<{call_id(call)}@{sender.domain}>"
    if args.get("date"):
        mail["Date"] = format_datetime(moment(args["date"]))
    mail.set_content(args["body"])
    return mail.as_bytes()


def dated(draft: bytes, date: datetime) -> bytes:
    """The draft with its Date, the first header; nothing else changes."""
    mail = parsed(draft)
    line = b"" if mail["Date"] else f"Date: {format_datetime(date)}\r\n".encode()
    return line + draft


def parsed(data: bytes) -> EmailMessage:
    mail = message_from_bytes(data, policy=RULES)
    assert isinstance(mail, EmailMessage)  # noqa: S101, the policy's message class
    return mail


def addressed_to(data: bytes) -> list[str]:
    """The bare addresses of the To header."""
    header = parsed(data)["To"]
    return sorted(one.addr_spec.lower() for one in header.addresses) if header else []


def message_id(data: bytes) -> str:
    return str(parsed(data)["Message-ID"] or "")


def moment(text: str) -> datetime:
    """An ISO 8601 date and time with its offset."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ProviderError(
            f"'{text[:40]}' is not a time with its offset", hint="as in 2026-07-01T09:30:00+02:00"
        )
    return found
