"""Signing in: the narrowest scopes, a Connect Link for exactly these, what was granted, trying it,
taking it back. Tokens stay with Composio; nothing here ever sees one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from aicp.kernel.canonical import digest
from aicp.toolkits.model import Json
from aicp.toolkits.providers.base import Grant, Link, LinkState, Probe, ProviderError
from aicp.toolkits.providers.composio.declared import Declared
from aicp.toolkits.providers.composio.failures import Missing
from aicp.toolkits.providers.composio.remote import Remote

STATES: dict[str, LinkState] = {
    "INITIALIZING": "initiated",
    "INITIATED": "initiated",
    "ACTIVE": "approved",
    "FAILED": "failed",
    "EXPIRED": "expired",
    "INACTIVE": "revoked",
    "REVOKED": "revoked",
}


def scopes_for(
    known: Declared, slugs: Iterable[str], theirs: dict[str, tuple[str, ...]]
) -> dict[str, str]:
    """Scopes for some tools and for reading back what they do, each in plain words.

    Args:
        theirs: the vendor's scopes of tools that we know nothing about, by scope of ours.
    """
    needed: set[str] = set()
    for slug in slugs:
        tool = known.tools.get(slug)
        if tool is not None:
            needed |= {tool.scope}
            needed |= {known.tools[r].scope for r in tool.reading() if r in known.tools}
    named = {
        s: known.scopes[s].words
        for s in sorted(needed)
        if s in known.scopes and known.scopes[s].grant
    }
    return named | {scope: f"what {scope} needs: {', '.join(raw)}" for scope, raw in theirs.items()}


def asked_of(
    known: Declared, scopes: Iterable[str], theirs: dict[str, tuple[str, ...]]
) -> list[str]:
    """The vendor's scopes to ask for.

    Raises:
        ProviderError: a scope is not one of the toolkit's.
    """
    raw: set[str] = set()
    for scope in scopes:
        if scope in known.scopes:
            raw.add(known.scopes[scope].grant)
        elif theirs.get(scope):
            raw.add(theirs[scope][0])
        else:
            raise ProviderError(
                f"{known.toolkit} has no scope '{scope[:80]}'",
                hint=f"use one of: {', '.join(known.scopes)}",
            )
    return sorted(raw - {""})


def start(
    remote: Remote, toolkit: str, raw: list[str], config: str, metadata: dict[str, str]
) -> Link:
    """A Connect Link for exactly these vendor scopes.

    Args:
        config: an auth config of the user's own, whose scopes are what it asks for; "" for ours.
    """
    config = config or _config(remote, toolkit, raw)
    user = "-".join(["aicp", *(part for part in (metadata.get("tenant"),) if part)])
    alias = metadata.get("mission", "")
    try:
        made = remote.link(config, user, alias)
    except ProviderError as error:
        if "alias" not in error.message.lower():
            raise
        made = remote.link(config, user, "")  # a name serves once; an earlier link has it
    return Link(str(made.redirect_url), str(made.connected_account_id), _moment(made.expires_at))


def _config(remote: Remote, toolkit: str, raw: list[str]) -> str:
    """The auth config for these scopes; one that was made before is used again."""
    details = remote.toolkit(toolkit)
    if "OAUTH2" not in (details.composio_managed_auth_schemes or ()):
        raise ProviderError(
            f"Composio has no sign-in of its own for {toolkit}, so scopes cannot be asked for",
            hint=f"make an auth config there and name it: --connect 'composio:{toolkit}?auth_config=ac_…'",
        )
    name = f"aicp {toolkit} {digest(raw)[:12]}"
    known = (
        one for one in remote.auth_configs(toolkit) if one.name == name and one.status == "ENABLED"
    )
    found = next(known, None)
    return str(found.id) if found else remote.add_auth_config(toolkit, name, raw)


def grant(remote: Remote, known: Declared, ref: str) -> Grant:
    """What became of a link. An account that is gone was revoked."""
    try:
        account = remote.account(ref)
    except ProviderError as error:
        if isinstance(error, Missing) or error.auth_expired:
            return Grant("revoked", why="the account is gone")
        raise
    state = STATES.get(account.status, "failed")
    if account.is_disabled and state == "approved":
        state = "revoked"
    why = str(account.status_reason or "") if state in ("failed", "expired", "revoked") else ""
    if state != "approved":
        return Grant(state, why=why)
    raw, told = granted_of(account)
    return Grant(state, ours(known, raw), why=told)


def granted_of(account: Any) -> tuple[list[str], str]:
    """The vendor's scopes of an account, and what is not known about them."""
    val = account.state.val
    said: Any = getattr(val, "scope", None)
    user = getattr(getattr(val, "authed_user", None), "scope", None)
    if said or user:
        return [*_words(said), *_words(user)], ""
    asked = _words(account.requested_scopes)
    if asked:
        return (
            asked,
            "Composio does not say what was granted; these are the scopes that were asked for",
        )
    return [], "this sign-in has no scopes: it may do whatever its owner may"


def ours(known: Declared, raw: list[str]) -> tuple[str, ...]:
    """Vendor scopes in our names. One that we have no name for keeps its own, so that it is seen."""
    found: set[str] = set()
    for scope in raw:
        exact = {name for name, one in known.scopes.items() if one.grant == scope}
        wider = {name for name, one in known.scopes.items() if scope in one.within}
        if exact or scope in known.always:
            found |= exact
        else:
            found |= wider | {f"{known.toolkit}:{scope}"}
    return tuple(sorted(found))


def probed(tries: dict[str, list[tuple[str, Json]]], run: Any) -> Probe:
    """Try each scope by a reading tool.

    Args:
        tries: by scope, the tools and arguments to try.
        run: (tool, args) -> answer; raises ProviderError.

    Raises:
        ProviderError: the service is down or the account gone, so nothing is known.
    """
    works, fails = set[str](), set[str]()
    for scope, calls in tries.items():
        try:
            for tool, args in calls:
                run(tool, args)
        except ProviderError as error:
            if error.retryable or error.auth_expired:
                raise
            fails.add(scope)
        else:
            works.add(scope)
    return Probe(frozenset(works), frozenset(fails))


def revoke(remote: Remote, ref: str) -> None:
    """Take the tokens back at the service, then remove the account; both may be done already."""
    for act in (remote.revoke, remote.delete):
        try:
            act(ref)
        except ProviderError as error:
            # A sign-in that knows no revoking (an API key) says 400; removing it still cuts it off.
            if error.retryable or (act == remote.delete and not _gone(error)):
                raise


def _gone(error: ProviderError) -> bool:
    return isinstance(error, Missing) or error.auth_expired


def _words(scopes: Any) -> list[str]:
    if isinstance(scopes, str):
        return scopes.replace(",", " ").split()
    return [str(scope) for scope in scopes or ()]


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ProviderError("Composio does not say until when its link holds") from None
