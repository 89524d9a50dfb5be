"""The small HTTP client behind the command line: finds the server and its own token by itself."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aicp import errors
from aicp.errors import AicpError, NotFound, SignInNeeded, UpstreamDown

if TYPE_CHECKING:
    import httpx  # imported where it is used: help and usage errors start without it


@dataclass(frozen=True, slots=True)
class Place:
    """Where the server is and who we are to it."""

    url: str
    token: str
    email: str


def find(data_dir: Path, *, as_email: str = "") -> Place:
    """The server of a data folder (or AICP_URL), and a token (or AICP_TOKEN).

    Raises:
        UpstreamDown: no server runs there.
        SignInNeeded: there is no token for that person.
    """
    url = os.environ.get("AICP_URL") or running(data_dir).get("url", "")
    if not url:
        raise UpstreamDown(f"no server runs for {data_dir}", hint="start one with `aicp up`")
    if token := os.environ.get("AICP_TOKEN"):
        return Place(url, token, as_email)
    known = tokens(data_dir)
    email = as_email or known.get("default", "")
    if email not in known.get("tokens", {}):
        raise SignInNeeded(
            f"there is no token for {email or 'anybody'} in {data_dir / 'tokens.json'}",
            hint="add the person with `aicp people add`, or set AICP_TOKEN",
        )
    return Place(url, known["tokens"][email], email)


def running(data_dir: Path) -> dict[str, Any]:
    """What `aicp up` wrote about itself, {} when nothing runs."""
    try:
        state = json.loads((data_dir / "run.json").read_text())
        os.kill(state["pid"], 0)
    except (OSError, ValueError, KeyError):
        return {}
    return state


def tokens(data_dir: Path) -> dict[str, Any]:
    """{"default": email, "tokens": {email: token}} of this machine's people."""
    try:
        return json.loads((data_dir / "tokens.json").read_text())
    except (OSError, ValueError):
        return {}


def keep_token(data_dir: Path, email: str, token: str) -> None:
    """Remember a token, readable by this user only; the first becomes the default."""
    known = tokens(data_dir)
    known = {
        "default": known.get("default", email),
        "tokens": known.get("tokens", {}) | {email: token},
    }
    part = data_dir / "tokens.json.part"
    part.touch(mode=0o600)
    part.write_text(json.dumps(known, indent=2))
    part.rename(data_dir / "tokens.json")


class Client:
    """JSON in, JSON out; every failure is one of our errors."""

    def __init__(self, place: Place, *, timeout: float = 30.0) -> None:
        import httpx

        self.place = place
        self.http = httpx.Client(
            base_url=place.url,
            timeout=timeout,
            headers={"Authorization": f"Bearer {place.token}"},
            trust_env=False,
        )

    def get(self, path: str, **params: Any) -> Any:
        return self._ask("GET", path, params={k: v for k, v in params.items() if v is not None})

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        return self._ask("POST", path, json=body or {})

    def put(self, path: str, body: dict[str, Any]) -> Any:
        return self._ask("PUT", path, json=body)

    def delete(self, path: str) -> Any:
        return self._ask("DELETE", path)

    def health(self) -> dict[str, Any]:
        """What the server says about itself, also when it is not well (503)."""
        answer = self._send("GET", "/health")
        with suppress(ValueError):
            return answer.json()
        return {"status": "down", "database": f"the server answered {answer.status_code}"}

    def stream(self, path: str, *, after: int = 0) -> Iterator[dict[str, Any]]:
        """Events as they happen; ends only when the connection does."""
        return (event for event in self.pulse(path, after=after) if event is not None)

    def pulse(self, path: str, *, after: int = 0) -> Generator[dict[str, Any] | None, None, None]:
        """Events as they happen, and None for each heartbeat of a quiet stream.

        Raises:
            UpstreamDown: the connection broke; go on from the last id seen.
        """
        import httpx

        try:
            with self.http.stream(
                "GET", path, params={"after": after}, timeout=httpx.Timeout(10.0, read=15.0)
            ) as answer:
                if answer.status_code >= 400:
                    answer.read()
                    raise _error(answer)
                for line in answer.iter_lines():
                    if line.startswith("data: "):
                        yield json.loads(line[6:])
                    elif line.startswith(":"):
                        yield None
        except httpx.HTTPError as error:
            raise UpstreamDown(f"the event stream broke ({type(error).__name__})") from error

    def _ask(self, method: str, path: str, **kwargs: Any) -> Any:
        answer = self._send(method, path, **kwargs)
        if answer.status_code >= 400:
            raise _error(answer)
        return answer.json()

    def _send(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        import httpx

        try:
            return self.http.request(method, path, **kwargs)
        except httpx.HTTPError as error:
            raise UpstreamDown(
                f"the server at {self.place.url} does not answer ({type(error).__name__})",
                hint="see `aicp doctor`, or start it with `aicp up`",
            ) from error


def _error(answer: httpx.Response) -> AicpError:
    """The server's error as ours, with its exit code."""
    try:
        said = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        if answer.status_code == 404:
            return NotFound(f"the server has no {answer.request.url.path}")
        return UpstreamDown(f"the server answered {answer.status_code} without a reason")
    kinds = (getattr(errors, name) for name in dir(errors))
    classes = [c for c in kinds if isinstance(c, type) and issubclass(c, AicpError)]
    kind = next((c for c in classes if c.exit_code == said["exit_code"]), AicpError)
    facts = said.get("facts", {}) | {"correlation_id": said.get("correlation_id", "")}
    return kind(said["message"], hint=said.get("hint", ""), code=said.get("code"), facts=facts)
