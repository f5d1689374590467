"""Event hooks for httpx. They are plain functions of a request: httpx is not imported here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .context import outbound_headers

_GIVEN = "middlewares.request_id"


def httpx_event_hooks(
    asynchronous: bool = False, hosts: Iterable[str] | None = None
) -> dict[str, list[Callable[[Any], Any]]]:
    """What `httpx.Client(event_hooks=…)` needs to send the `outbound_headers` with each call.

    A header that the caller has set stays. A redirect is a call of its own: it gets a new parent-id, and nothing at all
    where it leads to a host that `hosts` leaves out.

    Args:
        asynchronous: Whether they are for `httpx.AsyncClient`. Default: False.
        hosts: Names of the hosts that get the headers, without scheme and port: `["api.example"]`. Other hosts learn
            nothing. None: every host, so strangers can tie your calls together. Default: None.

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
        if allowed is not None and request.url.host not in allowed:
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


def _checked(hosts: Iterable[str]) -> frozenset[str]:
    names = [hosts] if isinstance(hosts, str) else list(hosts)
    if isinstance(hosts, str) or not all(isinstance(name, str) for name in names):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"hosts must be a list of names, such as ['api.example'], or None for all (got {hosts!r})")
    for name in names:
        # Two colons or more make an IPv6 address, one makes a port.
        if not name or name.count(":") == 1 or any(character in name for character in "/@*[]"):
            raise ValueError(f"hosts must hold names of hosts, without scheme, port and wildcard (got {name!r})")
    return frozenset(name.lower() for name in names)
