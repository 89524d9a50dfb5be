"""What must never be logged is replaced before any sink sees it (OB-3, OP-4).

First cut: credentials by key and by shape, e-mail addresses and phone numbers by shape. A replaced
value becomes its type in angle brackets; ids and hashes pass.
"""

from __future__ import annotations

import re
from typing import Any

SECRET_KEYS = re.compile(
    r"(?i)(password|passwd|secret|token|api[_-]?key|authorization|cookie|credential|private[_-]?key)"
)
SHAPES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("url-userinfo", re.compile(r"(?<=://)[^/\s:@?#<>]*:[^/\s?#]+(?=@)")),
    ("bearer", re.compile(r"(?i)\bbearer\s+[\w.~+/-]{8,}=*")),
    ("jwt", re.compile(r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*")),
    # A match begins where a word does: without that, long text costs its length squared.
    ("email", re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")),
    ("phone", re.compile(r"(?<![\w-])\+\d[\d\s().-]{7,17}\d(?![\w-])")),
)


def redact(value: Any) -> Any:
    """The same JSON value with secrets and personal data replaced, keys as well; idempotent."""
    if isinstance(value, str):
        return _redact_text(value)
    if isinstance(value, dict):
        return {_redact_text(str(k)): _redact_pair(str(k), v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [redact(item) for item in value]
    return value


def _redact_pair(key: str, value: Any) -> Any:
    """Under a secret's name text and whatever holds text is a secret; numbers are counts."""
    if SECRET_KEYS.search(key) and isinstance(value, str | bytes | dict | list | tuple) and value:
        return "<secret>"
    return redact(value)


def _redact_text(text: str) -> str:
    for kind, pattern in SHAPES:
        text = pattern.sub(f"<{kind}>", text)
    return text
