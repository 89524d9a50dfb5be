"""One HTTP exchange with a server of somebody else, and exactly how far it got.

No redirect is followed, no proxy is asked, no cookie kept; an answer is read up to a size and the
whole exchange ends at a deadline, however slowly the other side drips. Headers are never logged.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from threading import Event, Timer

from aicp.toolkits.providers.base import ProviderError
from aicp.toolkits.providers.local.web_address import WebAddress, reachable

SECONDS = 15.0  # for the whole exchange after the line is there
CONNECT_SECONDS = 5.0  # for each address that is tried
LIMIT = 256 * 1024  # bytes of an answer's body


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `cut`: the body was longer than allowed, and only its beginning is here."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    cut: bool
    seconds: float = 0.0


def fetch(
    address: WebAddress,
    method: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    leaving: Callable[[], None] = lambda: None,
    seconds: float = SECONDS,
    limit: int = LIMIT,
    timer: Callable[[], float] = time.monotonic,
) -> Answer:
    """Ask once. `leaving` is called at the last moment at which nothing has left yet.

    Raises:
        ProviderError: retryable without effect (nobody answers), or `unknown`: the line broke or
            the time ran out after the request had begun to leave.
    """
    begun = timer()
    line = _line(address, seconds)
    try:
        with _deadline(line, seconds) as over:
            _greet(address, line)
            leaving()
            answer = _exchange(address, line, method, headers or {}, body, limit, over)
        return replace(answer, seconds=timer() - begun)
    finally:
        line.close()


def _line(address: WebAddress, seconds: float) -> http.client.HTTPConnection:
    """A connected line to one of the judged addresses."""
    line = http.client.HTTPConnection(address.host, address.port, timeout=seconds)
    last: OSError | None = None
    for ip in reachable(address):
        try:
            line.sock = socket.create_connection((ip, address.port), min(seconds, CONNECT_SECONDS))
        except OSError as error:
            last = error
            continue
        line.sock.settimeout(seconds)
        line.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return line
    raise _silent(address, last)


def _greet(address: WebAddress, line: http.client.HTTPConnection) -> None:
    """TLS, where the address asks for it; the certificate must be that of the host."""
    if not address.secure:
        return
    try:
        line.sock = ssl.create_default_context().wrap_socket(
            line.sock, server_hostname=address.host, do_handshake_on_connect=False
        )
        line.sock.do_handshake()
    except ssl.SSLCertVerificationError as error:
        raise ProviderError(
            f"{address.place} does not prove who it is: {error.verify_message}",
            hint="correct the address, or the server's certificate",
        ) from None
    except (OSError, ValueError) as error:
        raise _silent(address, error) from None


def _exchange(
    address: WebAddress, line: http.client.HTTPConnection, method: str, headers: Mapping[str, str],
    body: bytes | None, limit: int, over: Event,
) -> Answer:  # fmt: skip
    told = {"Host": address.place, "Accept-Encoding": "identity", "Connection": "close", **headers}
    try:
        line.request(method, address.target, body, told)
        answer = line.getresponse()
        text = answer.read(limit + 1)
        if over.is_set():  # the line was cut by us: what came so far only looks whole
            raise TimeoutError
        if answer.length and len(text) <= limit:
            raise http.client.IncompleteRead(text, answer.length)
    except (OSError, http.client.HTTPException) as error:
        why = "no answer in time" if over.is_set() else _words(error)
        raise ProviderError(
            f"the line to {address.place} broke while the answer was awaited: {why}",
            hint="look at the other side before calling again",
            unknown=True,
        ) from None
    known = {name.lower(): value for name, value in answer.getheaders()}
    return Answer(answer.status, known, text[:limit], len(text) > limit)


@contextmanager
def _deadline(line: http.client.HTTPConnection, seconds: float) -> Iterator[Event]:
    """Cut the line when the time is over (the event is set then); timeouts alone count from each
    byte anew.
    """
    over = Event()
    watch = Timer(seconds, _cut, [line, over])
    watch.daemon = True
    watch.start()
    try:
        yield over
    finally:
        watch.cancel()


def _cut(line: http.client.HTTPConnection, over: Event) -> None:
    over.set()
    with suppress(OSError):
        socket.socket.shutdown(line.sock, socket.SHUT_RDWR)


def _silent(address: WebAddress, error: Exception | None) -> ProviderError:
    return ProviderError(
        f"nobody answers at {address.place}: {_words(error)}",
        hint="start the server, or correct the address",
        retryable=True,
    )


def _words(error: Exception | None) -> str:
    """What went wrong, without what was sent or received."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return type(error).__name__
