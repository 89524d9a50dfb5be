"""Composio as a provider: the tools of one toolkit on one connected account."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from aicp.kernel.canonical import digest, sha256
from aicp.toolkits.model import (
    BeforeImage,
    Call,
    Found,
    Json,
    Outcome,
    Reconciled,
    Resource,
    ToolSpec,
    UndoResult,
    UndoStatus,
)
from aicp.toolkits.providers import Where
from aicp.toolkits.providers.base import Connection, Grant, Link, Probe, Provider, ProviderError
from aicp.toolkits.providers.composio import consent
from aicp.toolkits.providers.composio.declared import Declared, Read, declared
from aicp.toolkits.providers.composio.dry import ComposioDryRun
from aicp.toolkits.providers.composio.effects import Effect, effect_of
from aicp.toolkits.providers.composio.failures import RECONNECT
from aicp.toolkits.providers.composio.paths import plain, without
from aicp.toolkits.providers.composio.reading import Tools, listed
from aicp.toolkits.providers.composio.remote import Remote, address
from aicp.toolkits.providers.composio.specs import action_of, spec_of, tool_of
from aicp.toolkits.providers.local.checked import checked
from aicp.toolkits.providers.local.done import Done

FORM = (
    "write composio:TOOLKIT, composio:gmail@20260901_00, or composio:gmail?allow=GMAIL_CREATE_LABEL"
)
OPTIONS = frozenset({"allow", "auth_config"})


def named(target: str, where: Where) -> Connection:
    """`gmail[@version][?allow=TOOL,TOOL&auth_config=ac_…]`. Nothing is asked of anybody.

    `allow` names tools that we know nothing about and that may be used all the same.

    Raises:
        ProviderError: it is of another form, or the address is not one.
    """
    head, _, options = target.partition("?")
    slug, _, version = head.partition("@")
    slug, asked = slug.strip().lower(), parse_qs(options)
    if not slug.isidentifier() or not slug.isascii() or asked.keys() - OPTIONS:
        raise ProviderError(f"'{target[:80]}' is not a toolkit of Composio", hint=FORM)
    allowed = [
        name.upper() for names in asked.get("allow", ()) for name in names.split(",") if name
    ]
    config: Json = {"url": address(where.settings.get("composio_url", "")), "version": version}
    config |= {"allow": allowed} if allowed else {}
    config |= {"auth_config": asked["auth_config"][0]} if "auth_config" in asked else {}
    return Connection(slug, slug, config, where.work_dir, provider="composio")


class ComposioProvider:
    """One toolkit, by Composio's SDK. Without a connected account it can only be looked at."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._remote = Remote(connection)
        self._known: Declared = declared(connection.toolkit)
        self._allowed = frozenset(connection.config.get("allow", ()))
        self._ref = str(connection.config.get("auth_ref") or "")
        self._done = Done(connection.work_dir, self._target)
        self._begun = Begun(connection.work_dir, self._target)

    # --- what there is ---

    def tools(self) -> tuple[ToolSpec, ...]:
        return tuple(self._offered.values())

    def describe(self) -> Resource:
        slug = self.connection.toolkit
        specs = self.tools()
        granted = self._granted if self._connected else ()
        version = self._bound()
        title = str(self._found[0].toolkit.name if self._found else slug)
        if self._remote.sandbox and "sandbox" not in title.lower():
            title += " (sandbox)"
        hidden = len(self._found) - len(specs)
        facts: Json = {
            "provider": "composio",
            "version": self._version,
            "sandbox": self._remote.sandbox,
            "signed_in": self._connected,
            "needs_sign_in": not self._open,
            "granted": list(granted),
            "not_offered": hidden,  # tools nothing is declared about, or with an unsound schema
        }
        names = tuple(spec.name for spec in specs)
        return Resource(
            slug, self.connection.account, f"{title} by Composio", version, names, facts=facts
        )

    def state_hash(self) -> str:
        """Over the declared reads that the account's scopes allow; unconnected, over the tools."""
        return digest(self._state(self._known.state))

    # --- calls ---

    def read(self, call: Call) -> Json:
        checked(self.tools(), call, mutates=False)
        return self._reading(self._slug(call), call.args)

    def before(self, call: Call) -> BeforeImage:
        checked(self.tools(), call, mutates=True)
        return self._effect(call).look()

    def execute(self, call: Call, before: BeforeImage) -> Outcome:
        """Once. A call that was begun before is read back first, and made only if it is not there."""
        checked(self.tools(), call, mutates=True)
        known = self._done.outcome(call)
        if known is not None:
            return known
        if self._begun.knows(call):
            found = self.reconcile(call, before)
            if found.found is Found.UNCLEAR:
                raise ProviderError(found.why, unknown=True)
            if found.outcome is not None:
                return found.outcome
        effect = self._effect(call)
        self._begun.note(call)
        outcome = effect.make(before)
        self._done.remember(call, outcome)
        return outcome

    def verify(self, call: Call, before: BeforeImage, outcome: Outcome) -> tuple[str, ...]:
        checked(self.tools(), call, mutates=True)
        return self._effect(call).wrong(before, outcome)

    def reconcile(self, call: Call, before: BeforeImage) -> Reconciled:
        checked(self.tools(), call, mutates=True)
        known = self._done.outcome(call)
        if known is not None:
            return Reconciled(Found.DONE, known)
        return self._effect(call).found(before)

    def undo(self, call: Call, before: BeforeImage, outcome: Outcome) -> UndoResult:
        checked(self.tools(), call, mutates=True)
        result = self._effect(call).take_back(before, outcome)
        if result.status in (UndoStatus.RESTORED, UndoStatus.ALREADY):
            self._done.forget(call)
            self._begun.forget(call)
        return result

    def release(self, call: Call, outcome: Outcome) -> Outcome:  # noqa: ARG002, the protocol's form
        raise ProviderError(f"{call.tool} holds nothing back, so there is nothing to release")

    def reconcile_release(self, call: Call, outcome: Outcome) -> Reconciled:  # noqa: ARG002
        raise ProviderError(f"{call.tool} holds nothing back, so there is nothing to release")

    @contextmanager
    def rehearsal(self) -> Iterator[Provider]:
        """A dry run: an account of somebody else's service cannot be copied, the sandbox's no more."""
        yield ComposioDryRun(self)

    # --- signing in ---

    def scopes_for(self, tools: tuple[str, ...]) -> dict[str, str]:
        slugs = [self._slug_of(name) for name in tools]
        strange = {slug for slug in slugs if slug not in self._known.tools}
        theirs = {
            scope: raw for scope, raw in self._theirs.items() if self._strange[scope] in strange
        }
        return consent.scopes_for(self._known, slugs, theirs)

    def start_link(self, scopes: tuple[str, ...], *, metadata: dict[str, str]) -> Link:
        """`metadata`: tenant and mission, which Composio keeps as the account's user and alias."""
        raw = consent.asked_of(self._known, scopes, self._theirs)
        config = str(self.connection.config.get("auth_config") or "")
        return consent.start(self._remote, self.connection.toolkit, raw, config, metadata)

    def grant(self, ref: str) -> Grant:
        return consent.grant(self._remote, self._known, ref)

    def probe(self, ref: str) -> Probe:
        tries: dict[str, list[tuple[str, Json]]] = {}
        for slug, tool in self._known.tools.items():
            if tool.probe is not None:
                tries.setdefault(tool.scope, []).append((slug, tool.probe))
        granted, user = self.grant(ref).scopes, self._user(ref)
        return consent.probed(
            {scope: calls for scope, calls in tries.items() if scope in granted},
            lambda slug, args: self._run(slug, args, ref=ref, user=user, effect=False),
        )

    def revoke(self, ref: str) -> None:
        consent.revoke(self._remote, ref)

    # --- inside ---

    def _bound(self) -> str:
        """What approvals are bound to: the tools, and the state that does not change all day."""
        refs = [spec.ref for spec in self.tools()]
        return digest(
            [refs, self._state(tuple(read for read in self._known.state if not read.busy))]
        )

    def _state(self, reads: tuple[Read, ...]) -> Json:
        """Each list as the sorted hashes of its things, without ids and what changes by itself."""
        if not self._connected:
            return {"tools": [spec.ref for spec in self.tools()]}
        loose = frozenset((*self._known.volatile, *self._known.nameless))
        state: Json = {}
        for read in reads:
            if self._may(read.tool) and (read.each is None or self._may(read.each.tool)):
                things = (plain(without(one, loose)) for one in listed(self._reading, read, {}))
                state[digest(read.model_dump())] = sorted(digest(thing) for thing in things)
        return state

    @property
    def _target(self) -> str:
        own = self.connection.config
        return f"composio {own.get('url', '')} {self.connection.toolkit} {own.get('auth_ref', '')}"

    @cached_property
    def _version(self) -> str:
        return str(
            self.connection.config.get("version") or self._remote.version(self.connection.toolkit)
        )

    @cached_property
    def _found(self) -> list[Any]:
        """All tools of the toolkit, as Composio describes them."""
        found = list(self._remote.tools(self.connection.toolkit, self._version))
        if not found:
            raise ProviderError(
                f"Composio has no tools of '{self.connection.toolkit}' in version {self._version}",
                hint="check the toolkit's name, or leave the version out",
            )
        return found

    @cached_property
    def _offered(self) -> dict[str, ToolSpec]:
        """By slug: declared tools that can be read back and undone as declared, and allowed ones."""
        there = {theirs.slug for theirs in self._found}
        whole = {slug for slug, tool in self._known.tools.items() if tool.needs() <= there}
        wanted = (theirs for theirs in self._found if theirs.slug in whole | self._strange_allowed)
        specs = ((theirs.slug, spec_of(self._known, theirs, self._version)) for theirs in wanted)
        return {slug: spec for slug, spec in specs if spec is not None}

    @cached_property
    def _open(self) -> bool:
        """Whether the toolkit needs no sign-in."""
        return all(theirs.no_auth for theirs in self._found)

    @property
    def _connected(self) -> bool:
        return bool(self._ref) or self._open

    @cached_property
    def _granted(self) -> tuple[str, ...]:
        if self._open:
            return tuple(self._known.scopes)
        grant = self.grant(self._ref)
        if grant.state != "approved":
            told = f"the account of {self.connection.toolkit} is {grant.state}"
            raise ProviderError(told, hint=RECONNECT, auth_expired=True)
        return grant.scopes

    def _may(self, slug: str) -> bool:
        return tool_of(self._known, slug).scope in self._granted

    @property
    def _strange_allowed(self) -> frozenset[str]:
        """Tools that nothing is declared about and that a person allowed by name."""
        return self._allowed - self._known.tools.keys()

    @cached_property
    def _strange(self) -> dict[str, str]:
        """Scope -> slug of these tools."""
        slug, there = self.connection.toolkit, {theirs.slug for theirs in self._found}
        return {f"{slug}:{action_of(slug, n)}": n for n in sorted(self._strange_allowed & there)}

    @cached_property
    def _theirs(self) -> dict[str, tuple[str, ...]]:
        """Scope -> the vendor's scopes, for these tools."""
        raw = {theirs.slug: tuple(theirs.scopes) for theirs in self._found}
        return {scope: raw[slug] for scope, slug in self._strange.items()}

    def _slug(self, call: Call) -> str:
        return self._slug_of(call.tool)

    def _slug_of(self, name: str) -> str:
        slug = next((slug for slug, spec in self._offered.items() if spec.name == name), None)
        if slug is None:
            raise ProviderError(
                f"there is no tool '{name[:80]}' here", hint="see the connection's tools"
            )
        return slug

    def _effect(self, call: Call) -> Effect:
        slug = self._slug(call)
        return effect_of(
            Tools(self._known, tool_of(self._known, slug), slug, call.args, self._running)
        )

    def _reading(self, slug: str, args: Json) -> Json:
        return self._running(slug, args, False)[0]

    def _running(self, slug: str, args: Json, effect: bool) -> tuple[Json, str]:
        if not self._connected:
            raise ProviderError(
                f"nobody has signed in to {self.connection.toolkit} for this mission",
                hint="connect it first", auth_expired=True,
            )  # fmt: skip
        user = self._user(self._ref) if self._ref else ""
        return self._run(slug, args, ref=self._ref, user=user, effect=effect)

    def _run(self, slug: str, args: Json, *, ref: str, user: str, effect: bool) -> tuple[Json, str]:
        return self._remote.run(
            slug, args, ref=ref, user=user, version=self._version, effect=effect
        )

    def _user(self, ref: str) -> str:
        """Whose account it is, as Composio names the user; asked once."""
        if ref not in self._users:
            account = self._remote.account(ref)
            if account.toolkit.slug != self.connection.toolkit:
                raise ProviderError(f"'{ref[:40]}' is an account of {account.toolkit.slug[:40]}")
            if consent.STATES.get(account.status) != "approved" or account.is_disabled:
                told = f"the account of {self.connection.toolkit} is {account.status.lower()}"
                raise ProviderError(told, hint=RECONNECT, auth_expired=True)
            self._users[ref] = str(account.user_id or "")
        return self._users[ref]

    @cached_property
    def _users(self) -> dict[str, str]:
        return {}


class Begun:
    """The calls whose request may have left: noted before it does, in the work folder."""

    def __init__(self, work_dir: Path, target: str) -> None:
        self._folder = work_dir / "begun" / sha256(target.encode())[:24]

    def note(self, call: Call) -> None:
        if call.key:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._path(call).touch()
            except OSError as error:
                raise ProviderError(
                    f"the work folder cannot be written: {error.strerror}", hint="check the disk"
                ) from None

    def knows(self, call: Call) -> bool:
        return bool(call.key) and self._path(call).exists()

    def forget(self, call: Call) -> None:
        if call.key:
            self._path(call).unlink(missing_ok=True)

    def _path(self, call: Call) -> Path:
        return self._folder / sha256(f"{call.key} {digest([call.tool, call.args])}".encode())[:32]
