"""One kept session for each server and process: starting one costs a thousand times a call.

The SDK is asynchronous, so one background thread runs its event loop; a session is a task there,
and this synchronous face hands it calls with a time limit. Sessions are the one thing kept beyond
a provider, because providers are opened anew for every job.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from aicp.kernel.canonical import sha256
from aicp.toolkits.providers.base import ProviderError
from aicp.toolkits.providers.mcp.stderr import Stderr

Made = TypeVar("Made")
HIDDEN = "<secret>"
LAUNCH = Path(__file__).with_name("launch.py")
logging.getLogger("mcp").setLevel(logging.CRITICAL)  # it quotes what servers say, without limits
GRACE = 5.0  # seconds beyond the SDK's own limit before the loop itself counts as stuck


@dataclass(frozen=True)
class Launch:
    """Everything a server is started with, secrets resolved. Lives in memory only."""

    name: str
    command: str = ""
    args: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict, repr=False)
    cwd: str = "/"
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    start_timeout: float = 30
    secrets: tuple[str, ...] = field(default=(), repr=False)  # values that must never be shown

    @property
    def key(self) -> str:
        """Equal for equal servers; one tenant's secret never serves another's calls."""
        parts = (self.name, self.command, self.args, sorted(self.env.items()), self.cwd)
        return sha256(repr((*parts, self.url, sorted(self.headers.items()))).encode())

    def hide(self, text: str) -> str:
        for secret in self.secrets:
            text = text.replace(secret, HIDDEN)
        return text


class Session:
    """One running server. Any thread may use it; once it failed it is closed and not used again."""

    def __init__(self, launch: Launch, loop: asyncio.AbstractEventLoop) -> None:
        self.launch = launch
        self._loop = loop
        self._stop = asyncio.Event()
        self._gone = threading.Event()
        self._stderr: Stderr | None = None
        born: Future[Client] = Future()
        asyncio.run_coroutine_threadsafe(self._live(born), loop)
        try:
            self._client = born.result(launch.start_timeout)
        except Exception as error:  # noqa: BLE001, the SDK raises what the transport raised
            self.kill()
            raise self._no_start(error) from None

    def request(self, ask: Callable[[Client], Coroutine[Any, Any, Made]], limit: float) -> Made:
        """What the server answers.

        Raises:
            TimeoutError: the event loop itself did not answer in time.
            Exception: whatever the SDK raises.
        """
        asked = asyncio.run_coroutine_threadsafe(ask(self._client), self._loop)
        try:
            return asked.result(limit + GRACE)
        finally:
            asked.cancel()

    def close(self) -> None:
        """Let the server end by itself, as the protocol asks; after two seconds it is killed."""
        self._loop.call_soon_threadsafe(self._stop.set)
        if not self._gone.wait(GRACE + 2):
            self._signal()

    def kill(self) -> None:
        """End it at once, with all it started: what it has not done by now it never does."""
        self._signal()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._gone.wait(GRACE)

    async def _live(self, born: Future[Client]) -> None:
        try:
            async with self._connected() as client:
                born.set_result(client)
                await self._stop.wait()
        except BaseException as error:  # noqa: BLE001, it belongs to whoever waits for the start
            if not born.done():
                born.set_exception(_innermost(error))
        finally:
            self._gone.set()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Client]:
        launch = self.launch
        if launch.url:
            async with (
                create_mcp_http_client(headers=launch.headers) as http,
                Client(streamable_http_client(launch.url, http_client=http), cache=None) as client,
            ):
                yield client
        else:
            with Stderr(launch.name, launch.hide) as self._stderr:
                async with Client(self._started(self._stderr), cache=None) as client:
                    yield client

    def _started(self, stderr: Stderr) -> AbstractAsyncContextManager[Any]:
        # The SDK gives it HOME, PATH and the like of ours, and what is declared; nothing else.
        words = ["-I", "-S", str(LAUNCH), self.launch.command, *self.launch.args]
        params = StdioServerParameters(
            command=sys.executable,
            args=words,
            env=self.launch.env,
            cwd=self.launch.cwd,
            encoding_error_handler="replace",
        )
        return stdio_client(params, errlog=stderr.into)

    def _signal(self) -> None:
        """SIGKILL to its process group, which is its own."""
        process = self._stderr.process if self._stderr else 0
        if process and _is_child(process):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process, signal.SIGKILL)

    def _no_start(self, error: Exception) -> ProviderError:
        said = self._stderr.last if self._stderr else ""
        why = f"it said: {said}" if said else self.launch.hide(str(error) or type(error).__name__)
        if isinstance(error, TimeoutError):
            why = f"it did not answer within {self.launch.start_timeout:g} s"
        return ProviderError(
            f"the MCP server '{self.launch.name}' did not start: {why[:300]}",
            hint="run `aicp mcp check` where the worker runs, and mend its declaration",
            retryable=True,
        )


class _Kept:
    """The sessions of this process, and the thread whose loop they live on."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.sessions: dict[str, Session] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=self._loop.run_forever, name="mcp", daemon=True).start()
        return self._loop


_kept = _Kept()
_of_the_parent: list[_Kept] = []


def kept(launch: Launch) -> Session:
    """The session of this server in this process, started when there is none.

    Raises:
        ProviderError: it cannot be started.
    """
    with _kept.lock:
        if launch.key not in _kept.sessions:
            _kept.sessions[launch.key] = Session(launch, _kept.loop())
        return _kept.sessions[launch.key]


def drop(session: Session) -> None:
    """It failed: kill it, so that the next use starts another."""
    with _kept.lock:
        if _kept.sessions.get(session.launch.key) is session:
            del _kept.sessions[session.launch.key]
    session.kill()


def close(launch: Launch) -> None:
    """End the kept session of this server, when there is one."""
    with _kept.lock:
        session = _kept.sessions.pop(launch.key, None)
    if session is not None:
        session.close()


@atexit.register
def close_all() -> None:
    """End every session of this process, gently first."""
    with _kept.lock:
        sessions = list(_kept.sessions.values())
        _kept.sessions.clear()
    for session in sessions:
        session.close()


def _forget() -> None:
    """A forked child has no such thread: it starts its own, and leaves the parent's servers alone.

    The parent's objects stay referenced: collecting them would kill the parent's servers.
    """
    global _kept  # noqa: PLW0603
    _of_the_parent.append(_kept)
    _kept = _Kept()


os.register_at_fork(after_in_child=_forget)


def _is_child(process: int) -> bool:
    """Whether the id still belongs to a process we started: one that was reaped may be anybody's."""
    try:
        os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return error
