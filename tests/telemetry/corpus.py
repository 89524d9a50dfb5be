"""Labelled log records: what is planted in each, in which of some forty disguises, and what must stay.

`records(seed, count)` is reproducible. A planted value carries how to get back to it in the redacted record,
so that every one of its characters can be looked for.
"""

from __future__ import annotations

import base64
import html
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any
from urllib.parse import quote

from telemetry.corpus_values import BY_KEY, KINDS, LOCALES, Value, make


@dataclass(frozen=True, slots=True)
class Planted:
    """Args:
    field: of the record that it is in.
    before, after: what stands around it in the innermost text, "" for a whole value.
    unwrap: from what is in the field to that innermost text; raises when that cannot be done any more.
    """

    value: Value
    variant: str
    field: str
    before: str
    after: str
    unwrap: Callable[[Any], Any]


@dataclass(slots=True)
class Record:
    """One log record. `keep` are texts that must be in it afterwards as they are."""

    locale: str
    data: dict[str, Any]
    planted: list[Planted] = field(default_factory=list)
    keep: list[str] = field(default_factory=list)


Wrap = Callable[
    [str, Random], tuple[Any, Callable[[Any], Any]]
]  # inner text -> (value of the field, how back)


def _same(value: Any) -> Any:
    return value


def _wrapped(value: Any, back: Callable[[Any], Any] = _same) -> tuple[Any, Callable[[Any], Any]]:
    return value, back


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _un64(text: str) -> str:
    return base64.urlsafe_b64decode(
        text.replace("+", "-").replace("/", "_") + "=" * (-len(text) % 4)
    ).decode()


_SWAPS = str.maketrans("aeopcxiAEOPCXBHKMT", "аеорсхіАЕОРСХВНКМТ")
_WIDE = {c: c + 0xFEE0 for c in range(0x21, 0x7F)}
_BOLD = {ord(c): 0x1D41A + i for i, c in enumerate("abcdefghijklmnopqrstuvwxyz")} | {
    ord(c): 0x1D7CE + i for i, c in enumerate("0123456789")
}
_ARABIC = {ord(c): 0x660 + i for i, c in enumerate("0123456789")}

# Whole texts in other writings.
WRITINGS: dict[str, Wrap] = {
    "json in a string": lambda t, r: _wrapped(json.dumps({"id": r.randrange(999), "note": t}), lambda v: json.loads(v)["note"]),
    "json in json in a string": lambda t, _r: _wrapped(json.dumps({"a": json.dumps({"b": [t]})}), lambda v: json.loads(json.loads(v)["a"])["b"][0]),
    "json inside a text": lambda t, _r: _wrapped("request " + json.dumps({"note": t}) + " refused", lambda v: json.loads(v[8:-8])["note"]),
    "json with escapes": lambda t, _r: _wrapped('{"n":"' + "".join(f"\\u{u:04x}" for u in _units(t)) + '"}', lambda v: json.loads(v)["n"]),
    "base64": lambda t, _r: _wrapped(_b64(t), _un64),
    "base64 in a text": lambda t, _r: _wrapped(f"payload {_b64(t)} received", lambda v: _un64(v.split()[1])),
    "base64url without padding": lambda t, _r: _wrapped(base64.urlsafe_b64encode(t.encode()).decode().rstrip("="), _un64),
    "base64 twice": lambda t, _r: _wrapped(_b64(_b64(t)), lambda v: _un64(_un64(v))),
    "json in base64": lambda t, _r: _wrapped(_b64(json.dumps({"n": t})), lambda v: json.loads(_un64(v))["n"]),
    "hexadecimal": lambda t, _r: _wrapped(t.encode().hex(), lambda v: bytes.fromhex(v).decode()),
    "bytes": lambda t, _r: _wrapped(t.encode()),
    "exception": lambda t, _r: _wrapped(ValueError(t), lambda v: v.removeprefix("ValueError: ")),
    "list": lambda t, _r: _wrapped(["x", t, 7], lambda v: v[1]),
    "nested": lambda t, _r: _wrapped({"a": {"b": [{"c": t}]}}, lambda v: v["a"]["b"][0]["c"]),
    "attribute of OTLP": lambda t, _r: _wrapped([{"key": "app.note", "value": {"stringValue": t}}], lambda v: v[0]["value"]["stringValue"]),
    "object key": lambda t, _r: _wrapped({t: 1}, lambda v: next(iter(v))),
}  # fmt: skip

# The value alone in disguise; the words around stay.
DISGUISES: dict[str, Callable[[str, Random], str]] = {
    "full width": lambda t, _r: t.translate(_WIDE),
    "look-alikes": lambda t, _r: t.translate(_SWAPS),
    "zero-width": lambda t, r: "".join(c + (r.choice("\u200b\u200c\u200d\u2060\ufeff") if i % 3 == 1 else "") for i, c in enumerate(t)),
    "soft hyphens": lambda t, _r: "\u00ad".join(t[i : i + 4] for i in range(0, len(t), 4)),
    "mathematical letters": lambda t, _r: t.translate(_BOLD),
    "arabic digits": lambda t, _r: t.translate(_ARABIC),
    "percent": lambda t, _r: quote(t, safe=""),
    "percent, every character": lambda t, _r: "".join(f"%{b:02X}" for b in t.encode()),
    "entities": lambda t, _r: "".join(f"&#{ord(c)};" if not c.isalnum() else c for c in html.escape(t) if c not in "&;"),
    "hexadecimal entities": lambda t, _r: "".join(f"&#x{ord(c):x};" for c in t),
    "escapes": lambda t, _r: "".join(f"\\u{u:04x}" for u in _units(t)),
    "odd spaces and dashes": lambda t, _r: t.replace(" ", "\u00a0").replace("-", "\u2011"),
}  # fmt: skip

# Texts around a value: {} is lead and value.
SETTINGS: dict[str, tuple[str, ...]] = {
    "sentence": ("order placed by {} at the counter", "we wrote to {} and heard nothing", "{} asked for a refund", "lookup of {} failed"),
    "punctuation": ("refused ({}).", "user <{}>, twice", "see: {}; then retry", "[{}]", "'{}'", '"{}"', "»{}«"),
    "log fmt": ('level=info msg="done" who={} took=12ms', "a=1 v={} b=2"),
    "csv": ("7,open,{},EUR,12.50", "7;open;{};EUR"),
    "xml": ("<row><id>7</id><v>{}</v></row>",),
    "sql": ("insert into t values (7, '{}', now())", "where v = '{}' limit 1"),
    "yaml": ("note:\n  value: {}\n  n: 7",),
    "traceback": ('Traceback (most recent call last):\n  File "app.py", line 12, in run\nValueError: cannot use {}',),
    "lines": ("first line\n{}\nlast line",),
    "markup": ("see [profile](mailto:{}) there", "<a href='x:{}'>profile</a>"),
    "query": ("GET /search?q={}&page=2 HTTP/1.1", "https://h.example/find?page=2&q={}"),
    "header": ("X-Note: {}\r\nHost: h.example",),
    "other language": ("Bestellung von {} ist eingegangen", "la commande de {} est en attente", "el pedido de {} falló", "заказ для {} принят", "{} の注文"),
}  # fmt: skip
KEYS = (
    "snake",
    "camel",
    "kebab",
    "nested",
    "list",
    "json",
    "attribute",
    "header pair",
    "query",
    "number",
)


def _units(text: str) -> Iterator[int]:
    data = text.encode("utf-16-be")
    return (int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))


def records(
    seed: int, count: int, locales: tuple[str, ...] = LOCALES, *, dirty: float = 0.66
) -> Iterator[Record]:
    """Reproducible records; `dirty` is the share with something planted, the others hold decoys only."""
    rng = Random(seed)
    for number in range(count):
        record = _base(rng, rng.choice(locales))
        if rng.random() < dirty:
            for n in range(rng.choice([1, 1, 2, 3])):
                _plant(record, f"f{n}", rng)
        for n in range(rng.randrange(1, 4)):
            _decoy(record, f"d{n}", rng, number)
        yield record


def _base(rng: Random, locale: str) -> Record:
    trace, mission = (
        f"{rng.getrandbits(128):032x}",
        "m-" + "".join(rng.choice("0123456789abcdefghjkmnpqrstvwxyz") for _ in range(10)),
    )
    ids = {
        "tenantId": str(uuid.UUID(int=rng.getrandbits(128), version=4)), "mission_id": mission, "trace_id": trace,
        "correlation_id": f"req_{trace[:16]}", "bd_issue": f"BD-{rng.randrange(1, 9999)}", "digest": f"{rng.getrandbits(256):064x}",
    }  # fmt: skip
    stamp = f"2026-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}T{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}.{rng.randrange(10**6):06}Z"
    data = {
        "timestamp": stamp,
        "level": rng.choice(["INFO", "WARN", "ERROR"]),
        "service": "worker",
        "event": "execution_step_completed",
        **ids,
    }
    return Record(locale, data, keep=[stamp, *ids.values()])


def _plant(record: Record, name: str, rng: Random) -> None:
    if rng.random() < 0.3:
        _plant_by_key(record, name, rng)
        return
    value = make(rng.choice(KINDS), record.locale, rng)
    shape = rng.random()
    if shape < 0.45 or value.flavour == "private key":
        setting = rng.choice(_settings_for(value))
        record.data[name], before, after = _set(value, value.text, rng.choice(SETTINGS[setting]))
        record.planted.append(Planted(value, setting, name, before, after, _same))
    elif shape < 0.75:
        writing = rng.choice(sorted(WRITINGS))
        text, before, after = _set(value, value.text, rng.choice(SETTINGS["sentence"]))
        record.data[name], back = WRITINGS[writing](text, rng)
        record.planted.append(Planted(value, writing, name, before, after, back))
    else:
        disguise = rng.choice(_disguises_for(value))
        told = DISGUISES[disguise](value.text, rng)
        record.data[name], before, after = _set(value, told, rng.choice(SETTINGS["sentence"]))
        record.planted.append(
            Planted(replace(value, text=told), disguise, name, before, after, _same)
        )


def _settings_for(value: Value) -> list[str]:
    """A value with spaces does not go into a place that spaces end; XML and CSV have quotes of their own."""
    own = {
        "markup": value.kind == "EMAIL",
        "log fmt": " " not in value.text + value.lead,
        "query": " " not in value.text + value.lead,
    }
    if value.kind == "SECRET" and value.lead:
        own |= dict.fromkeys(
            ("csv", "xml", "sql", "markup", "log fmt", "query", "punctuation"), False
        )
    return sorted(name for name in SETTINGS if own.get(name, True))


def _disguises_for(value: Value) -> list[str]:
    if (
        value.kind == "SECRET"
    ):  # a disguised password is another password; keys of providers stay what they are
        return ["zero-width", "percent, every character", "hexadecimal entities", "escapes"]
    digits = any(c.isdigit() for c in value.text)
    return sorted(
        set(DISGUISES)
        - (set() if digits else {"arabic digits"})
        - ({"mathematical letters"} if value.kind not in ("EMAIL", "CARD", "PHONE") else set())
    )


def _set(value: Value, told: str, template: str) -> tuple[str, str, str]:
    head, tail = template.split("{}")
    return f"{head}{value.lead}{told}{value.trail}{tail}", head + value.lead, value.trail + tail


def _plant_by_key(record: Record, name: str, rng: Random) -> None:
    value = make(rng.choice((*KINDS, *BY_KEY)), record.locale, rng)
    how = rng.choice(KEYS)
    digits = value.text.replace(" ", "").replace("-", "")
    held, back = _keyed(how, value, int(digits) if digits.isdigit() else value.text)
    record.data[name] = held
    record.planted.append(Planted(value, f"key: {how}", name, "", "", back))


def _keyed(how: str, value: Value, number: Any) -> tuple[Any, Callable[[Any], Any]]:
    words = (
        "".join("_" + c.lower() if c.isupper() else c for c in value.key)
        .replace("-", "_")
        .split("_")
    )
    snake, camel, kebab = (
        "_".join(words),
        words[0] + "".join(w.title() for w in words[1:]),
        "-".join(words),
    )
    return {
        "snake": ({snake: value.text}, lambda v: v[snake]),
        "camel": ({camel: value.text}, lambda v: v[camel]),
        "kebab": ({kebab.title(): value.text}, lambda v: v[kebab.title()]),
        "nested": ({snake: {"value": value.text}}, lambda v: v[snake]["value"] if isinstance(v[snake], dict) else v[snake]),
        "list": ({snake: [value.text]}, lambda v: v[snake][0] if isinstance(v[snake], list) else v[snake]),
        "json": (json.dumps({camel: value.text}), lambda v: json.loads(v)[camel]),
        "attribute": ([{"key": f"app.{snake}", "value": {"stringValue": value.text}}], lambda v: v[0]["value"]["stringValue"]),
        "header pair": ([[kebab, value.text]], lambda v: v[0][1]),
        "query": (f"/p?x=1&{snake}={quote(value.text, safe='')}&y=2", lambda v: v.split(f"{snake}=")[1].split("&y=2")[0]),
        "number": ({snake: number}, lambda v: str(v[snake])),
    }[how]  # fmt: skip


def _decoy(record: Record, name: str, rng: Random, number: int) -> None:
    from telemetry.corpus_decoys import decoy

    value, keep = decoy(rng, number)
    record.data[name] = value
    record.keep += keep
