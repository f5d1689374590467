"""Lookups and edits over header pairs, and the one helper that edits the headers of a response as it starts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from ..asgi import Message, Scope, Send

Header: TypeAlias = tuple[bytes, bytes]

RESPONSE_STARTS = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})
"""The messages that carry the headers of an answer, over HTTP and over WebSocket (accepted and denied)."""


def request_values(scope: Scope, name: bytes) -> list[bytes]:
    """The values of the request header `name` (lower-case), one for each field line, in order."""
    found: list[bytes] = []  # no comprehension: before Python 3.12 that is a call of its own
    for key, value in scope["headers"]:
        if key == name:
            found.append(value)
    return found


def pairs(headers: Iterable[Any] | None) -> list[Header]:
    """A fresh list of exact pairs of `bytes`, from what an application gave as headers.

    Missing headers, tuples, iterators, lists as pairs and bytearrays are all seen in the wild; granian and daphne take
    nothing but lists of pairs of `bytes`.
    """
    if headers is None:
        return []
    fresh: list[Any] = [*headers]
    for pair in fresh:
        if pair.__class__ is not tuple:
            return _exact(fresh)
        name, value = pair
        if name.__class__ is not bytes or value.__class__ is not bytes:
            return _exact(fresh)
    return fresh


def _exact(headers: list[Any]) -> list[Header]:
    # Through memoryview: bytes(5) would be five NUL bytes.
    return [(bytes(memoryview(name)), bytes(memoryview(value))) for name, value in headers]


def edit_start(
    send: Send, edit: Callable[[list[Header]], list[Header]], starts: frozenset[str] = RESPONSE_STARTS
) -> Send:
    """A `send` that passes the headers of the response through `edit`; everything else goes by as it is.

    `edit` gets a fresh list of exact pairs (names in the application's case) and returns the list to send: the same
    one, changed in place, or another. The application's message and header list are never written to: Falcon sends one
    shared message to every client.
    """

    def send_edited(message: Message) -> Any:  # no await of its own: hands the inner awaitable on
        if message["type"] in starts:
            message = {**message}
            message["headers"] = edit(pairs(message.get("headers")))
        return send(message)

    return send_edited
