"""Event hooks for httpx. They are plain functions of a request: httpx is not imported here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .context import outbound_headers

_GIVEN = "middlewares.request_id"

# IDNA 2003, which the standard library has, and IDNA 2008, which httpx uses, disagree on these alone.
_IDNA_DEVIATIONS = frozenset("ßẞς\u200c\u200d")


def httpx_event_hooks(
    asynchronous: bool = False, hosts: Iterable[str] | None = None
) -> dict[str, list[Callable[[Any], Any]]]:
    """What `httpx.Client(event_hooks=…)` needs to send the `outbound_headers` with each call.

    A header that the caller has set stays. A redirect is a call of its own: it gets a new parent-id, and nothing at all
    where it leads to a host that `hosts` leaves out.

    Args:
        asynchronous: Whether they are for `httpx.AsyncClient`. Default: False.
        hosts: Names of the hosts that get the headers, without scheme and port, and beyond ASCII in either form:
            `["api.example"]`. Other hosts learn nothing. None: every host, so strangers can tie your calls together.
            Default: None.

    Raises:
        TypeError: `hosts` is no iterable of `str`.
        ValueError: An entry of `hosts` is no name of a host.
    """
    allowed = None if hosts is None else _checked(hosts)

    def add_headers(request: Any) -> None:
        # A redirect copies the headers of the request before: what came from here is taken back first.
        for name, value in request.extensions.pop(_GIVEN, {}).items():
            if request.headers.get(name) == value:
                del request.headers[name]
        if allowed is not None and request.url.raw_host not in allowed:
            return
        headers = outbound_headers()
        if "traceparent" in request.headers:
            headers.pop("tracestate", None)  # it belongs to our traceparent, not to the caller's
        given = {name: value for name, value in headers.items() if name not in request.headers}
        request.headers.update(given)
        request.extensions[_GIVEN] = given

    async def add_headers_async(request: Any) -> None:
        add_headers(request)

    return {"request": [add_headers_async if asynchronous else add_headers]}


def _checked(hosts: Iterable[str]) -> frozenset[bytes]:
    names = [hosts] if isinstance(hosts, str) else list(hosts)
    if isinstance(hosts, str) or not all(isinstance(name, str) for name in names):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"hosts must be a list of names, such as ['api.example'], or None for all (got {hosts!r})")
    for name in names:
        # Two colons or more make an IPv6 address, one makes a port.
        if not name or name.count(":") == 1 or any(character in name for character in "/@*[]"):
            raise ValueError(f"hosts must hold names of hosts, without scheme, port and wildcard (got {name!r})")
    return frozenset(_encoded(name) for name in names)


def _encoded(name: str) -> bytes:
    """A name as it goes over the network: in lower case and ASCII."""
    if name.isascii():
        return name.lower().encode("ascii")
    try:
        if _IDNA_DEVIATIONS.isdisjoint(name):
            return name.encode("idna").lower()
    except UnicodeError:
        pass
    raise ValueError(f"hosts must hold names that are clear in ASCII: write it as 'xn--…' (got {name!r})")
