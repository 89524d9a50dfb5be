"""A web address looked at: what is reported, what is not believed, and when it is given up."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from itertools import count
from pathlib import Path
from socket import create_server, socket
from threading import Event, Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from aicp.toolkits.model import Call, UndoTier
from aicp.toolkits.providers import Where, named, open_provider
from aicp.toolkits.providers.base import Provider, ProviderError
from aicp.toolkits.providers.local.check import HttpCheck
from aicp.toolkits.providers.local.fetch import fetch
from aicp.toolkits.providers.local.web_address import web_address
from toolkits.web_server import Shop, shop_server

GET = Call("http.get", {})


@pytest.fixture
def shop() -> Iterator[Shop]:
    with shop_server() as shop:
        yield shop


def check(url: str, tmp_path: Path) -> Provider:
    return open_provider(named("check", url, Where(Path, tmp_path, {})))


@contextmanager
def serving(talk: Callable[[socket], None]) -> Iterator[int]:
    """A port behind which `talk` has each caller for itself."""

    def serve() -> None:
        while True:
            try:
                caller, _ = door.accept()
            except OSError:
                return
            with caller:
                try:
                    talk(caller)
                except OSError:
                    continue  # the caller hung up

    with create_server(("127.0.0.1", 0)) as door:
        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield door.getsockname()[1]
        door.shutdown(2)
    thread.join(5)
    assert not thread.is_alive()


def test_one_look_tells_status_time_some_headers_and_the_beginning_of_the_body(
    shop: Shop, tmp_path: Path
) -> None:
    provider = check(f"{shop.url}/health", tmp_path)
    found = provider.read(GET)
    assert (found["status"], found["cut"], found["ms"] > 0) == (200, False, True)
    assert found["headers"] == {"content-type": "application/json", "content-length": "56"}
    assert found["body"].startswith('{"ok": true')
    assert {tool.name: tool.untrusted for tool in provider.tools()} == {
        "http.get": True,
        "http.threshold": False,
    }
    assert {tool.undo_tier for tool in provider.tools()} == {UndoTier.T0}


def test_a_failing_service_is_a_finding_and_no_error(shop: Shop, tmp_path: Path) -> None:
    provider = check(f"{shop.url}/health", tmp_path)
    shop.reads += ["503", "302", "huge", "odd"]
    seen = [provider.read(GET) for _ in range(4)]
    assert [(one["status"], one["cut"]) for one in seen] == [
        (503, False), (302, False), (200, True), (200, False)
    ]  # fmt: skip
    assert seen[1]["headers"]["location"] == f"{shop.url}/elsewhere"
    assert [path for _, path in shop.asked] == ["/health"] * 4, "no redirect is followed"
    assert len(seen[2]["body"]) == 2000


def test_several_looks_give_the_share_of_good_answers_and_their_times(
    shop: Shop, tmp_path: Path
) -> None:
    shop.reads += ["", "500", "", "drop", ""]
    ticks = count()  # every look at the watch is a second later than the one before
    connection = check(f"{shop.url}/health", tmp_path).connection
    provider = HttpCheck(connection, timer=lambda: float(next(ticks)))
    found = provider.read(Call("http.threshold", {"probes": 5, "min_ok_ratio": 0.6}))
    assert (found["probes"], found["ok"], found["ok_ratio"], found["met"]) == (5, 3, 0.6, True)
    assert found["answers"] == {"200": 3, "500": 1, "no answer": 1}
    assert (found["p50_ms"], found["p95_ms"]) == (1000.0, 2000.0)


@pytest.mark.parametrize(
    ("args", "met"),
    [
        ({}, True),
        ({"max_p95_ms": 14_000}, True),
        ({"max_p95_ms": 1}, False),
        ({"within_ms": 1}, False),
        ({"within_ms": 1, "min_ok_ratio": 0}, True),
    ],
)
def test_a_threshold_is_met_or_not(shop: Shop, tmp_path: Path, args: dict, met: bool) -> None:
    ticks = count()
    connection = check(f"{shop.url}/health", tmp_path).connection
    provider = HttpCheck(connection, timer=lambda: float(next(ticks)))
    assert provider.read(Call("http.threshold", {"probes": 2, **args}))["met"] is met


def test_a_service_that_is_down_is_told_by_both(tmp_path: Path) -> None:
    provider = check("http://127.0.0.1:9/health", tmp_path)
    assert provider.describe().facts == {"url": "http://127.0.0.1:9/health"}
    with pytest.raises(ProviderError, match="nobody answers") as failed:
        provider.read(GET)
    assert failed.value.retryable
    found = provider.read(Call("http.threshold", {"probes": 2}))
    assert (found["ok_ratio"], found["answers"]) == (0.0, {"no answer": 2})


@pytest.mark.parametrize(
    "target",
    ["http://2130706433/", "http://0.0.0.0/", "http://169.254.169.254/latest/meta-data/"],
)
def test_addresses_that_are_off_limits_are_not_asked(target: str, tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="may not be called"):
        check(target, tmp_path).read(GET)
    with pytest.raises(ProviderError, match="may not be called"):
        check(target, tmp_path).read(Call("http.threshold", {"probes": 1}))


@pytest.mark.parametrize("target", ["", "health", "file:///etc/passwd", "http://u:p@127.0.0.1/"])
def test_what_is_no_address_is_refused_when_it_is_connected(target: str, tmp_path: Path) -> None:
    with pytest.raises(ProviderError) as refused:
        check(target, tmp_path)
    assert refused.value.hint


def test_a_server_that_drips_is_given_up_at_the_deadline() -> None:
    enough = Event()

    def drip(caller: socket) -> None:
        caller.sendall(b"HTTP/1.1 200 OK\r\n")
        while not enough.wait(0.02):
            caller.sendall(b"X-More: 1\r\n")

    with serving(drip) as port:
        with pytest.raises(ProviderError) as failed:
            fetch(web_address(f"http://127.0.0.1:{port}/"), "GET", seconds=0.3)
        enough.set()
    assert failed.value.unknown


def test_bytes_that_are_no_answer_are_told_as_such() -> None:
    def talk(caller: socket) -> None:
        caller.recv(10_000)
        caller.sendall(b"\x00\xff SSH-2.0 \r\n\r\n")

    with serving(talk) as port, pytest.raises(ProviderError, match="the line to") as failed:
        fetch(web_address(f"http://127.0.0.1:{port}/"), "GET")
    assert failed.value.unknown


def test_a_server_that_does_not_prove_who_it_is_hears_nothing(tmp_path: Path) -> None:
    heard: list[bytes] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))

    def talk(caller: socket) -> None:
        with context.wrap_socket(caller, server_side=True) as secure:
            heard.append(secure.recv(10_000))

    with (
        serving(talk) as port,
        pytest.raises(ProviderError, match="does not prove who it is") as failed,
    ):
        fetch(web_address(f"https://127.0.0.1:{port}/"), "POST", body=b"secret")
    assert (failed.value.unknown, heard) == (False, [])


def test_a_server_without_tls_is_not_spoken_to_in_the_clear() -> None:
    heard: list[bytes] = []
    with (
        serving(lambda caller: heard.append(caller.recv(10_000))) as port,
        pytest.raises(ProviderError) as failed,
    ):
        fetch(web_address(f"https://127.0.0.1:{port}/"), "POST", body=b"secret")
    assert failed.value.unknown is False
    assert b"secret" not in b"".join(heard)


def self_signed(folder: Path) -> Path:
    """Key and certificate of nobody anybody trusts, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nobody")])
    now = datetime.now(UTC)
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(alternative, critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "nobody.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return file
