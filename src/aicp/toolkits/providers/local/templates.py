"""Declared addresses and bodies with places to fill: {key}, {args.order}, {result.id}."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from aicp.toolkits.model import Json
from aicp.toolkits.providers.base import ProviderError

PLACE = re.compile(r"\{((?:key|args|result)(?:\.[\w-]+)*)\}")


def filled_url(url: str, values: Json) -> str:
    """The address with each place filled by one path segment or query value.

    Raises:
        ProviderError: a value is missing, no plain value, or would climb the path.
    """

    def segment(match: re.Match[str]) -> str:
        value = _text(match[1], values)
        if value in ("", ".", ".."):
            raise ProviderError(f"'{value}' cannot stand for {match[1]} in an address")
        return quote(value, safe="")

    return PLACE.sub(segment, url)


def filled(body: Any, values: Json) -> Any:
    """The JSON with its places filled; a text that is one place becomes the value itself.

    Raises:
        ProviderError: a value is missing, or stands inside a text and is no plain value.
    """
    if isinstance(body, dict):
        return {name: filled(one, values) for name, one in body.items()}
    if isinstance(body, list):
        return [filled(one, values) for one in body]
    if not isinstance(body, str):
        return body
    whole = PLACE.fullmatch(body)
    if whole:
        return at(values, whole[1])
    return PLACE.sub(lambda match: _text(match[1], values), body)


def at(value: Any, path: str) -> Any:
    """What lies at a dotted path; digits count into lists.

    Raises:
        ProviderError: nothing does.
    """
    for part in path.split(".") if path else []:
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            raise ProviderError(
                f"there is no {path}", hint="compare the declaration and the answer"
            )
    return value


def _text(path: str, values: Json) -> str:
    value = at(values, path)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ProviderError(f"{path} is no plain value, so it cannot be filled in")
    return str(value)
