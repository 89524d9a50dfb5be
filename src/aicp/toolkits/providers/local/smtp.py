"""Hands one mail to an SMTP server and says exactly how far it got (RFC 5321)."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from aicp.toolkits.providers.base import ProviderError

TIMEOUT = 10.0  # seconds, for each answer of the server


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail is handed over. `password` is read late, so that it is never kept."""

    host: str
    port: int
    starttls: bool = False
    user: str = ""
    password: Callable[[], str] = str

    @property
    def where(self) -> str:
        return f"{self.host}:{self.port}"


def server_at(text: str) -> tuple[str, int]:
    """ "host:port" in its parts."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ProviderError(f"'{text}' is not host:port", hint='as in "127.0.0.1:2525"')
    return host.strip("[]"), int(port)


def probe(server: Server) -> None:
    """Greet the server and leave; no mail.

    Raises:
        ProviderError: nobody answers there, or not as an SMTP server does.
    """
    with _session(server) as session, _refusals(server):
        session.noop()


def deliver(
    server: Server, sender: str, to: Sequence[str], mail: bytes, leaving: Callable[[], None]
) -> None:
    """Hand over one mail; `leaving` is called at the last moment at which nothing has left yet.

    Raises:
        ProviderError: retryable (refused for now) or final, without effect; or `unknown`, when
            the line broke after the text had begun to leave.
    """
    with _session(server) as session:
        with _refusals(server):
            _ok(session.mail(sender))
            for one in to:
                _ok(session.rcpt(one))
        leaving()
        _hand_over(server, session, mail)


def _hand_over(server: Server, session: smtplib.SMTP, mail: bytes) -> None:
    try:
        _ok(session.data(mail))
    except smtplib.SMTPResponseException as error:  # answered, so the mail was not taken
        raise _refused(server, error) from None
    except (OSError, smtplib.SMTPException) as error:
        raise ProviderError(
            f"the line to SMTP {server.where} broke while the mail was leaving: {error}",
            hint="look into the recipient's or the server's log before sending again",
            unknown=True,
        ) from None


@contextmanager
def _session(server: Server) -> Iterator[smtplib.SMTP]:
    session = smtplib.SMTP(timeout=TIMEOUT, local_hostname="localhost")
    try:
        with _refusals(server):
            _ok(session.connect(server.host, server.port))
            session.ehlo_or_helo_if_needed()
            if server.starttls:
                session.starttls(context=ssl.create_default_context())
            if server.user:
                session.login(server.user, server.password())
        yield session
    finally:
        with suppress(OSError, smtplib.SMTPException):
            session.quit()
        session.close()


@contextmanager
def _refusals(server: Server) -> Iterator[None]:
    """Everything that goes wrong before the text leaves is without effect."""
    try:
        yield
    except smtplib.SMTPAuthenticationError as error:
        raise ProviderError(
            f"SMTP {server.where} refuses the user {server.user}: {_words(error)}",
            hint="check the user and the setting that holds the password",
        ) from None
    except smtplib.SMTPResponseException as error:
        raise _refused(server, error) from None
    except (OSError, smtplib.SMTPException) as error:
        raise ProviderError(
            f"no SMTP server answers at {server.where}: {error}",
            hint="start it, or correct host:port in the mail connection",
            retryable=True,
        ) from None


def _ok(reply: tuple[int, bytes]) -> None:
    if not 200 <= reply[0] < 300:
        raise smtplib.SMTPResponseException(reply[0], reply[1])


def _refused(server: Server, error: smtplib.SMTPResponseException) -> ProviderError:
    retryable = 400 <= error.smtp_code < 500
    hint = "try again later" if retryable else "correct what the reply names"
    return ProviderError(
        f"SMTP {server.where} refused: {_words(error)}", hint=hint, retryable=retryable
    )


def _words(error: smtplib.SMTPResponseException) -> str:
    text = error.smtp_error
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    return f"{error.smtp_code} {' '.join(said.split())[:200]}"
