"""A mail server that wants a login gets it from the setting, and never in the clear (TR-4)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from aiosmtpd.smtp import AuthResult, LoginPassword

from aicp.cli.supervise import free_port
from aicp.errors import BadInput
from flight import Flight


@pytest.fixture
def guarded() -> Iterator[str]:
    """A real server on loopback that takes nothing without riley's password."""

    def check(_server, _session, _envelope, _mechanism, data: LoginPassword) -> AuthResult:
        return AuthResult(
            success=(data.login, data.password) == (b"riley@home.example", b"open sesame")
        )

    port = free_port("127.0.0.1", 0)
    server = Controller(
        Sink(),
        hostname="127.0.0.1",
        port=port,
        authenticator=check,
        auth_required=True,
        auth_require_tls=False,
    )
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop()


def test_the_login_comes_from_the_setting(
    flight: Flight, guarded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AICP_SMTP_PASSWORD", "open sesame")
    mission = flight.to_plan(smtp=f"smtp://riley%40home.example@{guarded}", delivered="")
    doc = flight.doc(mission)
    assert (doc["stage"], doc["blocking_reason"]) == ("Plan", "")
    assert "open sesame" not in str(doc)


@pytest.mark.parametrize(
    ("smtp", "why"),
    [
        ("smtp://riley@mail.example.com:587", "in the clear"),
        ("smtp+starttls://riley:secret@mail.example.com:587", "holds a password"),
        ("imap://mail.example.com:993", "not a mail server"),
        ("smtp://mail.example.com:587/inbox", "not a mail server"),
    ],
)
def test_a_server_that_cannot_be_used_safely_is_refused(
    flight: Flight, smtp: str, why: str
) -> None:
    with pytest.raises(BadInput, match=why) as caught:
        flight.new(smtp=smtp)
    assert caught.value.hint
    assert "secret" not in caught.value.message
