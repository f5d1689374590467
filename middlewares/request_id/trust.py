"""Whose ids are believed: the networks of `trust_incoming`, and the peer of a request."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from ..asgi import Scope


def trusted_networks(networks: Iterable[object]) -> Callable[[Scope], bool]:
    """The test whether the peer of a scope is in one of the networks. No peer, or no address: it is not.

    Raises:
        TypeError: a network is no `str`.
        ValueError: a network is not written as one.
    """
    from ipaddress import ip_address  # here, as only these need it

    parsed = [_network(text) for text in networks]

    @lru_cache(maxsize=1024)  # proxies are few, and parsing an address takes longer than the rest of the request
    def is_trusted(host: str) -> bool:
        try:
            address: Any = ip_address(host)
        except ValueError:  # a Unix socket, a name
            return False
        # A server that listens on both IP versions sees IPv4 peers as ::ffff:10.0.0.1 (RFC 4291 2.5.5.2).
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in parsed)

    def is_trusted_peer(scope: Scope) -> bool:
        client = _peer(scope)
        host = client[0] if client else None
        return isinstance(host, str) and is_trusted(host)

    return is_trusted_peer


def _network(text: object) -> Any:
    from ipaddress import ip_network

    if not isinstance(text, str):
        raise TypeError(f"trust_incoming must hold networks as str, such as '10.0.0.0/8' (got {text!r})")
    try:
        network = ip_network(text)
    except ValueError as error:
        raise ValueError(f"trust_incoming must hold networks, such as '10.0.0.0/8' or '::1' (got {error})") from None
    # Compared with addresses of IPv4 as such, see above.
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    return ip_network(f"{mapped}/{network.prefixlen - 96}") if mapped and network.prefixlen >= 96 else network


def _peer(scope: Scope) -> Any:
    """The peer as the server saw it: `(host, port)`, with daphne a list; None where there is none.

    A layer outside that has resolved the address of the end user into `client` keeps the peer in the state.
    """
    state = scope.get("state")
    resolved = state.get("proxy_headers") if state else None
    return (resolved if resolved and "client" in resolved else scope).get("client")
