"""What looks like something and is nothing: it must stay as it is."""

from __future__ import annotations

import base64
import string
import uuid
from collections.abc import Callable
from random import Random
from typing import Any


def _digits(rng: Random, count: int) -> str:
    return "".join(rng.choice(string.digits) for _ in range(count))


def _hex(rng: Random, count: int) -> str:
    return f"{rng.getrandbits(4 * count):0{count}x}"


def _no_card(rng: Random) -> str:
    from stdnum import luhn

    while luhn.is_valid(number := "4" + _digits(rng, 15)):
        pass
    return number


def _day(rng: Random) -> str:
    return f"20{rng.randint(20, 29)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"


# A text with an id in it that must survive: (text, id)
IDS: tuple[Callable[[Random], tuple[str, str]], ...] = (
    lambda r: _in("commit {} deployed", _hex(r, 40)),
    lambda r: _in("image app@sha256:{} pulled", _hex(r, 64)),
    lambda r: _in("job {} finished", str(uuid.UUID(int=r.getrandbits(128), version=4))),
    lambda r: _in("trace {} sampled", _hex(r, 32)),
    lambda r: _in("mission {} entered Plan", "m-" + "".join(r.choice("0123456789abcdefghjkmnpqrstvwxyz") for _ in range(10))),
    lambda r: _in("issue {} closed", f"aicp-{_hex(r, 4)}.{r.randint(1, 9)}"),
    lambda r: _in("at {} the window opened", f"{_day(r)}T{r.randrange(24):02}:{r.randrange(60):02}:07.{_digits(r, 6)}+00:00"),
    lambda r: _in("at {} the window opened", f"{_day(r)} {r.randrange(24):02}:{r.randrange(60):02}:07"),
    lambda r: _in("traceparent {}", f"00-{_hex(r, 32)}-{_hex(r, 16)}-01"),
    lambda r: _in("etag {}", _hex(r, 32)),
)  # fmt: skip

# Values with nothing in them.
NOTHING: tuple[Callable[[Random], Any], ...] = (
    lambda r: f"order ORD-2026-{_digits(r, 8)} accepted",
    lambda r: f"reference {_no_card(r)} is no card",
    lambda r: f"version {r.randint(1, 9)}.{r.randint(0, 20)}.{r.randint(0, 9)}.{r.randint(0, 99)} released",
    lambda r: f"aicp {r.randint(0, 9)}.{r.randint(0, 20)}.{r.randint(0, 9)}-rc.{r.randint(1, 9)}",
    lambda r: f"took {r.randint(1, 9999)} ms for {r.randint(1, 10**6)} rows ({r.random():.6f})",
    lambda r: {"tokens_used": r.randint(1, 9999), "max_tokens": 4096, "token_type": "Bearer", "password_policy": "strict"},
    lambda r: {"author_role": "owner", "has_password": True, "secret_name": "crm-key", "email_count": r.randint(0, 9)},
    lambda r: {"epoch": 1_700_000_000 + r.randrange(10**8), "epoch_ms": 1_700_000_000_000 + r.randrange(10**11)},
    lambda r: {"ns": 1_700_000_000_000_000_000 + r.randrange(10**17), "bytes": r.randrange(10**12)},
    lambda _r: "the password is required", lambda _r: "token expired, refresh needed", lambda _r: "password must be at least 12 characters",
    lambda _r: "invalid credentials: secret is missing", lambda _r: "bearer authentication is not supported here",
    lambda _r: "session cookie policy: strict", lambda _r: "connecting to postgres at 127.0.0.1:5432",
    lambda _r: "listening on http://127.0.0.1:8700/health", lambda _r: "bound to [::1]:8700", lambda _r: "std::vector<int>::iterator in a::b",
    lambda r: f"pod api-{_hex(r, 10)}-{r.choice('bcdfg')}{_digits(r, 1)}x{_digits(r, 1)}z restarted",
    lambda r: f"s3://bucket/{_day(r)}/part-{_digits(r, 5)}.parquet",
    lambda r: f"due {_day(r)}, paid {_day(r)}", lambda r: f"window {r.randrange(24):02}:{r.randrange(60):02}:00 to 17:00:00",
    lambda r: f"total {r.randint(1, 9)}.{_digits(r, 3)}.{_digits(r, 3)},{_digits(r, 2)} EUR", lambda r: f"price $1,{_digits(r, 3)}.{_digits(r, 2)}",
    lambda r: base64.b64encode(f"nothing to see here, attempt {r.randint(1, 99)}".encode()).decode(),
    lambda r: f"integrity sha256-{base64.b64encode(r.randbytes(32)).decode()}",
    lambda _r: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
    lambda _r: "git clone git@github.com:example/repo.git", lambda _r: "npm install left-pad@1.3.0 @scope/pkg@2.0.0",
    lambda _r: "@app.route('/health') in app/web.py:42", lambda _r: "image logo@2x.png not found",
    lambda _r: "com.example.billing.InvoiceServiceImpl$Worker2.run(InvoiceServiceImpl.java:118)",
    lambda _r: "src/aicp/telemetry/redaction/walk.py:120: in value", lambda _r: "OAuth2AuthorizationCodeGrantHandler registered",
    lambda r: f"isbn 978-3-16-{_digits(r, 6)}-0 in stock", lambda r: f"colour #{_hex(r, 6)} chosen", lambda r: f"line {r.randint(1, 999)}, column {r.randint(1, 99)}",
    lambda _r: "see RFC 9110 section 11.6.2 and ISO 27001:2022", lambda _r: "cron */5 0-23 1-31 1-12 1-5",
    lambda r: f"batch {_digits(r, 9)} of {_digits(r, 9)}", lambda r: {"order_id": _digits(r, 10), "customer_ref": f"C{_digits(r, 7)}"},
    lambda r: f"GET /api/missions/m-7k3f9q2dxa?limit=20&cursor={_hex(r, 12)} 200", lambda _r: "stage=Plan status=ready toolkit=mail rank=1",
    lambda _r: "authority example.com, author Riley, tokenizer bpe, passed 12 of 12", lambda _r: "monkey keyboard compass pinned bypass",
    lambda r: f"coverage {r.randint(50, 100)}.{r.randint(0, 9)} % (85 % opens the gate), score {r.random():.4f}",
    lambda r: {"id": "".join(r.choice(string.ascii_letters + string.digits) for _ in range(27)), "type": "event"},
    lambda _r: "from 2026-01-01 to 2026-12-31; weekdays 2,3,4; 09:00-17:00", lambda _r: "table.update@0123456789ab on accounts.csv row A-001",
    lambda r: f"retry in {r.randint(1, 60)} s (attempt {r.randint(1, 5)} of 5), port {r.randint(1024, 65535)}",
    lambda r: f"ULID 01{''.join(r.choice('0123456789ABCDEFGHJKMNPQRSTVWXYZ') for _ in range(24))} stored", lambda _r: "mask 255.255.255.0 on 0.0.0.0/0",
    lambda _r: "X-Powered-By: none; Content-Type: application/json; charset=utf-8", lambda _r: '{"ok": true, "items": [1, 2, 3], "name": "x"}',
    lambda r: f"account A-{_digits(r, 3)} changed from 12 to 13, see run-{_digits(r, 6)}", lambda _r: "¿Qué pasó? Grüße an alle, žluťoučký kůň, привет, 你好",
    lambda _r: "100%25 of the quota, 50&nbsp;% left, path C:\\users\\x", lambda _r: "born in the cloud; birth of a plan; telephone system; mobile first",
)  # fmt: skip


def decoy(rng: Random, _number: int) -> tuple[Any, list[str]]:
    """A harmless value, and the ids in it that must be there afterwards."""
    if rng.random() < 0.3:
        text, kept = rng.choice(IDS)(rng)
        return text, [kept]
    return rng.choice(NOTHING)(rng), []


def _in(template: str, text: str) -> tuple[str, str]:
    return template.format(text), text
