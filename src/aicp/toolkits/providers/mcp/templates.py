"""Arguments written with holes: "${args.path}", "${before.0}", "${outcome.id}".

A text that is one hole becomes the value itself; a hole inside a longer text becomes its words.
An argument that the call left out leaves its field out. Nothing is ever evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from aicp.toolkits.providers.base import ProviderError

HOLE = re.compile(r"\$\{([^}]*)\}")
ROOTS = ("args", "before", "outcome")
ABSENT = "${absent}"  # there is no such thing
PRESENT = "${present}"  # there is one, whatever it is
ANY = "${any}"
WORDS = (ABSENT, PRESENT, ANY)


class _Missing:
    """What a hole gives that leads to nothing; JSON's null is a value."""


MISSING: Final = _Missing()


def holes(template: Any) -> Iterator[str]:
    """Every reference in a template, in order: "args.path"."""
    if isinstance(template, str):
        yield from HOLE.findall(template)
    elif isinstance(template, Mapping):
        for value in template.values():
            yield from holes(value)
    elif isinstance(template, list | tuple):
        for value in template:
            yield from holes(value)


def fill(template: Any, facts: Mapping[str, Any]) -> Any:
    """The template with its holes filled.

    Raises:
        ProviderError: a hole in a list or inside a text leads to nothing.
    """
    filled = _fill(template, facts)
    if filled is MISSING:
        raise _nothing(str(template))
    return filled


def _fill(template: Any, facts: Mapping[str, Any]) -> Any:
    if isinstance(template, str):
        whole = HOLE.fullmatch(template)
        if whole:
            return look_up(facts, whole[1])
        return HOLE.sub(lambda hole: _word(facts, hole[1]), template)
    if isinstance(template, Mapping):
        pairs = ((name, _fill(value, facts)) for name, value in template.items())
        return {name: value for name, value in pairs if value is not MISSING}
    if isinstance(template, list | tuple):
        return [fill(value, facts) for value in template]
    return template


def look_up(value: Any, path: str) -> Any:
    """What a dotted path leads to in JSON, or MISSING."""
    for part in path.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list | tuple) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return MISSING
    return value


def _word(facts: Mapping[str, Any], path: str) -> str:
    value = look_up(facts, path)
    if isinstance(value, _Missing | Mapping | list | tuple) or value is None:
        raise _nothing(path)
    return str(value)


def _nothing(path: str) -> ProviderError:
    return ProviderError(
        f"the declaration speaks of '{path[:80]}', which this call does not have",
        hint="give the argument, or mend the declaration of the tool",
    )


def fits(wanted: Any, seen: Any, facts: Mapping[str, Any]) -> bool:
    """Whether what was seen (None: nothing there) is what a template asks for."""
    if wanted == ANY:
        return True
    if wanted == ABSENT:
        return seen is None
    if wanted == PRESENT:
        return seen is not None
    return seen == fill(wanted, facts)
