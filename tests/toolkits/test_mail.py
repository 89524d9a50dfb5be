"""Mail: what may leave, when it left, and what a broken server makes of it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aicp.toolkits.model import Call, Found, UndoStatus
from aicp.toolkits.providers import open_provider
from aicp.toolkits.providers.base import Connection, Provider, ProviderError
from toolkits.worlds import SENDER, Outside, apply, world

LETTER = {"to": "kim@acme.example", "subject": "Hello", "body": "Text"}
TIME = "2026-07-01T09:00:00+00:00"


@contextmanager
def a_server_that(*replies: bytes) -> Iterator[str]:
    """A server that greets, answers as told (after 354: once the whole text is in), and hangs up."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        peer, _ = listening.accept()
        last = b"."
        with peer, peer.makefile("rb") as lines:
            peer.sendall(b"220 odd\r\n")
            for reply in replies:
                while lines.readline() != b".\r\n" and last.startswith(b"354"):
                    continue
                peer.sendall(reply)
                last = reply

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"127.0.0.1:{listening.getsockname()[1]}"
    finally:
        thread.join(5)
        listening.close()


OK = b"250 ok\r\n"


def mail_at(smtp: str, folder: Path) -> Provider:
    config = {"folder": str(folder / "mail"), "smtp": smtp, "sender": SENDER}
    return open_provider(Connection("mail", "post", config, folder / "work"))


def held(provider: Provider) -> tuple:
    _, _, draft = apply(provider, Call("mail.draft", LETTER, "d"))
    args = {"draft": draft.data["draft"], "to": LETTER["to"], "not_before": TIME}
    return apply(provider, Call("mail.schedule", args, "s"))


def folders(provider: Provider) -> dict[str, int]:
    return provider.read(Call("mail.folders", {}))


@pytest.mark.parametrize(
    "bad",
    [
        {"subject": "Hi\r\nBcc: eve@evil.test"},
        {"to": "kim@acme.example\nBcc: eve@evil.test"},
        {"to": ["kim@acme.example", "not an address"]},
        {"to": "kim@acme.example, eve@evil.test"},
        {"to": "kim@"},
        {"to": []},
    ],
)
def test_headers_cannot_be_smuggled_in_and_addresses_are_well_formed(bad, tmp_path: Path) -> None:
    provider = mail_at("127.0.0.1:9", tmp_path)
    with pytest.raises(ProviderError):
        provider.before(Call("mail.draft", LETTER | bad, "k"))
    assert folders(provider) == {"drafts": 0, "held": 0, "sent": 0}


def test_a_held_mail_leaves_once_and_then_cannot_be_undone(
    tmp_path: Path, outside: Outside
) -> None:
    made = world("mail", tmp_path, outside)
    provider = made.open()
    apply(provider, made.writes[0])
    call, before, outcome = apply(provider, made.writes[1])
    assert outcome.held_until == "2026-07-01T09:00:00+02:00"
    assert provider.reconcile_release(call, outcome).found is Found.NOT_DONE
    released = provider.release(call, outcome)
    assert provider.release(call, outcome) == released
    found = made.open().reconcile_release(call, outcome)
    assert (found.found, found.outcome) == (Found.DONE, released)
    assert folders(provider) == {"drafts": 1, "held": 0, "sent": 1}
    undone = provider.undo(call, before, outcome)
    assert undone.status is UndoStatus.IMPOSSIBLE
    assert "has left" in undone.why
    arrived = [p.read_bytes() for p in (outside.inbox / "new").iterdir()]
    assert sum(outcome.data["message_id"].encode() in mail for mail in arrived) == 1


def test_an_undone_mail_never_leaves(tmp_path: Path, outside: Outside) -> None:
    made = world("mail", tmp_path, outside)
    apply(made.open(), made.writes[0])
    step = apply(made.open(), made.writes[1])
    assert made.open().undo(*step).status is UndoStatus.RESTORED
    with pytest.raises(ProviderError, match="no longer held"):
        made.open().release(step[0], step[2])


def test_a_draft_leaves_at_most_once_and_only_to_whom_it_is_addressed(tmp_path: Path) -> None:
    provider = mail_at("127.0.0.1:9", tmp_path)
    call, _, _ = held(provider)
    with pytest.raises(ProviderError, match="held already"):
        provider.before(Call("mail.schedule", call.args, "another key"))
    with pytest.raises(ProviderError, match="addressed to somebody else"):
        provider.before(Call("mail.schedule", call.args | {"to": "eve@evil.test"}, "third key"))


def test_nobody_answering_is_retryable_and_without_effect(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        where = f"127.0.0.1:{closed.getsockname()[1]}"
    provider = mail_at(where, tmp_path)
    with pytest.raises(ProviderError, match=where) as described:
        provider.describe()
    assert "host:port" in described.value.hint
    call, _, outcome = held(provider)
    with pytest.raises(ProviderError) as refused:
        provider.release(call, outcome)
    assert (refused.value.retryable, refused.value.unknown) == (True, False)
    assert folders(provider) == {"drafts": 1, "held": 1, "sent": 0}


@pytest.mark.parametrize(
    ("replies", "retryable"),
    [
        ((OK, b"451 busy\r\n", OK), True),
        ((OK, OK, b"550 no such user\r\n", OK), False),
        ((OK, OK, OK, b"452 full\r\n", OK), True),
        ((OK, OK, OK, b"354 go\r\n", b"554 spam\r\n", OK), False),
    ],
)
def test_a_refusal_is_without_effect_and_final_when_it_says_5xx(
    replies, retryable, tmp_path: Path
) -> None:
    with a_server_that(*replies) as where:
        provider = mail_at(where, tmp_path)
        call, _, outcome = held(provider)
        with pytest.raises(ProviderError, match=r"45\d|55\d") as refused:
            provider.release(call, outcome)
    assert (refused.value.retryable, refused.value.unknown) == (retryable, False)
    assert folders(provider) == {"drafts": 1, "held": 1, "sent": 0}
    assert provider.reconcile_release(call, outcome).found is Found.NOT_DONE


def test_a_line_that_breaks_after_the_text_is_unknown_and_never_sent_again(tmp_path: Path) -> None:
    with a_server_that(OK, OK, OK, b"354 go\r\n", b"") as where:
        provider = mail_at(where, tmp_path)
        call, before, outcome = held(provider)
        with pytest.raises(ProviderError) as broken:
            provider.release(call, outcome)
    assert broken.value.unknown
    found = provider.reconcile_release(call, outcome)
    assert found.found is Found.UNCLEAR
    assert found.why
    with pytest.raises(ProviderError) as again:
        provider.release(call, outcome)
    assert again.value.unknown
    assert provider.undo(call, before, outcome).status is UndoStatus.IMPOSSIBLE


def test_a_mail_sent_at_once_is_declared_irreversible_and_is(
    tmp_path: Path, outside: Outside
) -> None:
    provider = world("mail", tmp_path, outside).open()
    call = Call("mail.send", LETTER | {"date": TIME}, str(tmp_path))
    start = provider.state_hash()
    step = apply(provider, call)
    assert provider.state_hash() != start
    assert provider.execute(call, step[1]) == step[2]
    assert provider.undo(*step).status is UndoStatus.IMPOSSIBLE


def test_a_rehearsed_mail_does_not_leave(tmp_path: Path, outside: Outside) -> None:
    provider = world("mail", tmp_path, outside).open()
    with provider.rehearsal() as twin:
        _, _, outcome = apply(twin, Call("mail.send", LETTER, str(tmp_path)))
    arrived = [p.read_bytes() for p in (outside.inbox / "new").iterdir()]
    assert not any(outcome.data["message_id"].encode() in mail for mail in arrived)
