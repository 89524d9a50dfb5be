"""Which toolkits fit some words: read-only, without any account, at most ten (TR-1)."""

from __future__ import annotations

from dataclasses import dataclass, field

from aicp.toolkits.providers.base import Connection
from aicp.toolkits.providers.composio.declared import declared
from aicp.toolkits.providers.composio.remote import Remote
from aicp.toolkits.providers.composio.specs import action_of

MOST = 10  # toolkits that are named
LOOKED = 100  # tools that are looked through


@dataclass(slots=True)
class Candidate:
    """A toolkit that may serve, with the tools that fitted, best first."""

    toolkit: str
    title: str
    needs_sign_in: bool
    declared: bool  # whether anything is said here about what its tools do
    sandbox: bool
    tools: list[str] = field(default_factory=list)


def discover(words: str, url: str) -> list[Candidate]:
    """Toolkits whose tools fit the words; those without sign-in first, else as Composio ranks them.

    Args:
        url: of Composio or of the sandbox; "" for Composio itself.

    Raises:
        ProviderError: Composio cannot be asked.
    """
    remote = Remote(Connection("composio", "composio", {"url": url}))
    found: dict[str, Candidate] = {}
    for tool in remote.search(words, LOOKED):
        slug = str(tool.toolkit.slug).lower()
        known = bool(declared(slug).tools)
        title = " ".join(str(tool.toolkit.name).split())[:80]
        fresh = Candidate(slug, title, not tool.no_auth, known, remote.sandbox)
        found.setdefault(slug, fresh).tools.append(f"{slug}.{action_of(slug, tool.slug)}")
    return sorted(found.values(), key=lambda one: one.needs_sign_in)[:MOST]
