"""Values first seen in untrusted content, followed through references to where they would decide. Pure.

Who, where and how much may not come from strangers: such an argument takes a labelled value only when
a person named that very value, in the mission's own words or while approving (agents.md A3.4, TR-20).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aicp.kernel.canonical import digest
from aicp.toolkits.model import Json, ToolSpec
from aicp.trust.leaving import RECIPIENTS, bare
from aicp.trust.plan import Provenance, Step

# Arguments that say who, where or how much, for tools that do not declare their own.
SENSITIVE = frozenset(
    {*RECIPIENTS, "account", "account_id", "amount", "amounts", "bic", "branch", "bucket", "channel",
     "chat_id", "command", "currency", "destination", "domain", "dst", "endpoint", "file", "filename",
     "folder", "from", "host", "iban", "path", "paths", "phone", "phone_number", "price", "quantity",
     "query", "remote", "repo", "repository", "sender", "sql", "src", "statement", "target", "total",
     "uri", "url", "urls", "user_id", "webhook"}
)  # fmt: skip
Forms = frozenset[str]


@dataclass(frozen=True, slots=True)
class Unnamed:
    """A labelled value in a sensitive argument that no person named."""

    step: int
    argument: str  # dotted
    value: str
    first_seen: str


@dataclass(frozen=True, slots=True)
class Named:
    """What people said themselves: the mission's words, and values named while approving."""

    words: str = ""
    forms: Forms = frozenset()

    def has(self, form: str) -> bool:
        """Whether a person named the value: literally, not as a part of something longer."""
        if form in self.forms:
            return True
        flags = re.IGNORECASE if "@" in form else 0
        pattern = rf"(?<![\w@%+~/-])(?<!\w\.){re.escape(form)}(?![\w@%+~/-]|\.\w)"
        return bool(re.search(pattern, self.words, flags))


@dataclass(frozen=True, slots=True)
class Labels:
    """Where labelled values were first seen: outputs by step, and values by form."""

    outputs: Mapping[int, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)


Specs = Mapping[str, ToolSpec]  # by ref


def unnamed(
    steps: Sequence[Step], specs: Specs, named: Named, handed: frozenset[str] = frozenset(),
    heard: Sequence[tuple[str, str]] = (),
) -> tuple[Unnamed, ...]:  # fmt: skip
    """Every labelled value that a plan would put into a sensitive argument, as far as it is known.

    Args:
        specs: the declarations; a tool without one returns strangers' words.
        handed: accounts a person connected whose tools return no strangers' words.
        heard: (where, text) of strangers' words read before planning: a value that stands in them is
            labelled, whatever the plan says of its source.
    """
    labels = label(steps, specs, handed)
    labels = Labels(labels.outputs, _heard_in(steps, specs, heard) | dict(labels.values))
    return tuple(
        one
        for step in steps
        for one in unnamed_in(step, step.args, specs.get(step.tool), labels, named, handed)
    )


def unnamed_in(
    step: Step, args: Json, spec: ToolSpec | None, labels: Labels, named: Named,
    handed: frozenset[str] = frozenset(),
) -> Iterator[Unnamed]:  # fmt: skip
    """The same of one call, with references filled in or left out."""
    for path, value in leaves_of(args):
        if not is_sensitive(path, spec):
            continue
        where = _first_seen(step, path, labels, handed)
        for form in forms(path, value):
            seen = where or labels.values.get(form, "")
            if seen and not named.has(form):
                yield Unnamed(step.seq, ".".join(path), form, seen)


def label(steps: Sequence[Step], specs: Specs, handed: frozenset[str] = frozenset()) -> Labels:
    """Follow the labels from step to step: what takes a labelled value gives labelled ones."""
    outputs: dict[int, str] = {}
    values: dict[str, str] = {}
    for step in steps:
        so_far = Labels(outputs, {})
        seen = {path: _first_seen(step, path, so_far, handed) for path in _paths(step)}
        for path, value in leaves_of(step.args):
            if where := seen[path]:
                values |= {form: where for form in _all_forms(value) if form not in values}
        spec = specs.get(step.tool)
        inherited = next(filter(None, seen.values()), "")
        if spec is None or spec.untrusted:
            outputs[step.seq] = f"what step {step.seq} ({step.tool_name}) returned"
        elif inherited:
            outputs[step.seq] = inherited
    return Labels(outputs, values)


def said(words: str, steps: Sequence[Step], forms_named: Forms = frozenset()) -> Named:
    """What people said themselves: words, values of a plan they gave, values they named."""
    given = {
        form
        for step in steps
        for path, value in leaves_of(step.args)
        if (source := _source(step, path)) and source.source == "human" and source.trusted
        for form in forms(path, value)
    }
    return Named(words, forms_named | given)


def is_sensitive(path: tuple[str, ...], spec: ToolSpec | None) -> bool:
    """Whether an argument says who, where or how much: as declared, else by its name."""
    if spec is not None and spec.sensitive:
        return any(".".join(path[:n]) in spec.sensitive for n in range(1, len(path) + 1))
    return any(part.casefold() in SENSITIVE for part in path)


def leaves_of(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every text and number in a value with its path; True, False and null say nothing."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from leaves_of(inner, (*path, str(name)))
    elif isinstance(value, list | tuple):
        for n, inner in enumerate(value):
            yield from leaves_of(inner, (*path, str(n)))
    elif value is not None and not isinstance(value, bool) and value != "":
        yield path, value


def forms(path: tuple[str, ...], value: Any) -> tuple[str, ...]:
    """What must be named of a value: each address of a recipient, else the value as it is written."""
    if any(part.casefold() in RECIPIENTS for part in path) and "@" in str(value):
        return bare(value) or (_text(value),)
    return (_text(value),)


def _heard_in(
    steps: Sequence[Step], specs: Specs, heard: Sequence[tuple[str, str]]
) -> dict[str, str]:
    """Sensitive values of a plan that stand in strangers' words, and where."""
    wanted = {
        form
        for step in steps
        for path, value in leaves_of(step.args)
        if heard and is_sensitive(path, specs.get(step.tool))
        for form in forms(path, value)
    }
    places = ((form, where) for form in wanted for where, text in heard if Named(text).has(form))
    return dict(places)


def value_digest(form: str) -> str:
    """The digest under which a named value is kept."""
    return digest({"value": form})


def same_form(value: str) -> str:
    """A value as a person typed it, as the rules compare it."""
    addresses = bare(value) if "@" in value and "/" not in value else ()
    return addresses[0] if len(addresses) == 1 else value.strip()


def _all_forms(value: Any) -> set[str]:
    text = _text(value)
    return {text, *bare(text)} if "@" in text else {text}


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else json.dumps(value)


def _paths(step: Step) -> list[tuple[str, ...]]:
    return [path for path, _ in leaves_of(step.args)] + [(name,) for name in step.refs]


def _first_seen(step: Step, path: tuple[str, ...], labels: Labels, handed: frozenset[str]) -> str:
    """Where a labelled argument's value was first seen, "" for one that is not labelled."""
    ref = step.refs.get(path[0])
    if ref is not None:
        return labels.outputs.get(ref.step, "")
    source = _source(step, path)
    if source is None:
        return "nowhere known"
    if source.trusted or _handed_over(source, handed):
        return ""
    return source.where or source.source


def _source(step: Step, path: tuple[str, ...]) -> Provenance | None:
    """What is known of a value's source: the narrowest that is told."""
    told = (step.provenance.get(".".join(path[:n])) for n in range(len(path), 0, -1))
    return next((one for one in told if one is not None), None)


def _handed_over(source: Provenance, handed: frozenset[str]) -> bool:
    """A cell of a table that a person connected for this mission: a list they handed over.

    A text that was made of cells counts when it tells their table; outputs never do.
    """
    if source.source not in ("cell", "formula", "template"):
        return False
    return any(f"{account} row " in source.where for account in handed)
