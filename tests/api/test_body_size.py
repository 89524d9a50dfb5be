"""A body beyond the limit is refused before anything reads it, and before anybody signs in."""

from __future__ import annotations

import pytest

from aicp.web import MOST_BYTES
from api.conftest import Server


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_is_refused_unread(server: Server, chunked: bool) -> None:
    body = b"x" * (MOST_BYTES + 1)
    content = (body[i : i + 65536] for i in range(0, len(body), 65536)) if chunked else body
    answer = server.client.post("/api/missions", content=content)
    assert answer.status_code in {
        401,
        413,
    }  # chunks: nobody is signed in, so nothing is read at all
    assert "error" in answer.json()
    signed = server.ask("POST", "/api/missions", content=body)
    assert signed.status_code == 413
    assert signed.json()["error"]["code"] == "bad_input"
