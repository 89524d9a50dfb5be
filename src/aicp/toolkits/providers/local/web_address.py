"""Where a web address leads, and whether this machine may go there (server-side request forgery).

A name is resolved once, every address behind it is judged, and the connection is made to exactly
one of those: a name that answers differently the second time gains nothing.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any
from urllib.parse import urlsplit

from aicp.toolkits.providers.base import ProviderError

Ip = IPv4Address | IPv6Address
PORTS = {"http": 80, "https": 443}
# what may stand in a URL (RFC 3986); everything else has to be percent-encoded
WRITTEN = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+")
NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last four bytes are an IPv4 address
Resolve = Callable[..., list[Any]]  # of the form of socket.getaddrinfo


@dataclass(frozen=True, slots=True)
class WebAddress:
    """An http or https address in its parts; `target` is its path with the query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def secure(self) -> bool:
        return self.scheme == "https"

    @property
    def place(self) -> str:
        """host, with the port when it is not the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.place}{self.target}"


def web_address(url: str) -> WebAddress:
    """The parts of a URL.

    Raises:
        ProviderError: it is not an http or https URL, or it holds a user, password or fragment.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _not_a_url(url) from None
    if parts.scheme not in PORTS or not host or port == 0 or not WRITTEN.fullmatch(url):
        raise _not_a_url(url)
    if parts.username is not None or parts.password is not None:
        raise ProviderError(
            "a web address may not hold a user or password",
            hint="name a secret instead, and leave it out of the address",
        )
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return WebAddress(parts.scheme, host, port or PORTS[parts.scheme], target)


def _not_a_url(url: str) -> ProviderError:
    return ProviderError(
        f"'{url[:120]}' is not a web address", hint="write https://host/path, percent-encoded"
    )


def reachable(address: WebAddress, resolve: Resolve = socket.getaddrinfo) -> list[str]:
    """The numeric addresses a connection may be made to, in the resolver's order.

    Raises:
        ProviderError: the name is not known, or something behind it is off limits.
    """
    try:
        rows = resolve(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ProviderError(
            f"the host {address.host} cannot be found: {error}",
            hint="check the name and the network",
            retryable=True,
        ) from None
    found = list(dict.fromkeys(str(row[4][0]) for row in rows))
    for one in found:
        if why := off_limits(address.host, ip_address(one.split("%")[0])):
            raise ProviderError(
                f"{address.host} may not be called: {why}",
                hint="a private machine is called by its number, as in http://10.0.0.5/path",
            )
    if not found:
        raise ProviderError(f"the host {address.host} has no address", retryable=True)
    return found


def off_limits(host: str, ip: Ip) -> str:
    """Why `host` may not lead to `ip`, "" when it may.

    A private or loopback address is meant only when it was written as such; link-local ones
    (where clouds serve a machine's own credentials) and multicast are never meant.
    """
    real = _carried(ip)
    if real.is_link_local or real.is_multicast or real.is_unspecified:
        return f"{ip} is link-local, multicast or no machine at all"
    if real.is_loopback and (host == "localhost" or _written(host)):
        return ""
    if not real.is_global and not (real.is_private and _written(host)):
        return f"its name leads to {ip}, which is private"
    return ""


def _carried(ip: Ip) -> Ip:
    """The IPv4 address that an IPv6 one is only a wrapping of."""
    if isinstance(ip, IPv4Address):
        return ip
    teredo = ip.teredo
    nat = IPv4Address(int(ip) & 0xFFFFFFFF) if ip in NAT64 else None
    return ip.ipv4_mapped or ip.sixtofour or (teredo[1] if teredo else None) or nat or ip


def _written(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
