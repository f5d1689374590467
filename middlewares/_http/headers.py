"""Lookups and edits over header pairs, and the helpers that edit the headers of a response as it starts."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import Any, TypeAlias

from ..asgi import Message, Scope, Send
from .vary import Varied

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


def owns_starts(app: Any) -> bool:
    """Whether each start of an HTTP response that `app` sends is a fresh dict, with a fresh list of exact pairs.

    A layer of ours that changes every start says so, by an attribute of this name, and the layer right outside of it
    changes them in place: half of what a layer costs is to look whether it may. Asked is the very class: neither a
    subclass nor an object that hands attributes on is believed.
    """
    return "owns_starts" in type(app).__dict__ and app.owns_starts is True


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


class Merge:
    """How pairs join the headers of a response: behind them, or by `merged` where the response has some of the names.

    Args:
        names: Header names, in lower case. None stands for all: only a response without headers is not merged.
        merged: Gets the application's headers as exact pairs, and the pairs to join; returns the list to send.
        varied: Given, the last of the pairs to join is Vary with these names, and `merged` does no more, where the one
            name that the response has is Vary, than to put them into its line. Layers inside often set Vary: that much
            is done without `merged`.
    """

    __slots__ = ("lengths", "merged", "names", "varied")

    def __init__(
        self,
        names: Iterable[bytes] | None,
        merged: Callable[[list[Header], list[Header]], list[Header]],
        *,
        varied: Varied | None = None,
    ) -> None:
        self.merged = merged
        self.varied = varied
        self.names: Container[Any] = _ALL if names is None else frozenset(names)
        self.lengths: Container[Any] = _ALL if names is None else frozenset(map(len, names))


class _All(Container[Any]):
    def __contains__(self, _: object) -> bool:
        return True


_ALL = _All()


def add_at_start(send: Send, addition: tuple[list[Header], Merge]) -> Send:
    """A `send` for HTTP that joins the pairs of `addition` to the headers of the response, as its other half says.

    What `edit_start` does, at two thirds of its cost where the response is as usual: a list of exact pairs, with none
    of the names, or with Vary alone. That is told in one pass without another call, since this runs for every response.
    """

    # Defaults in place of a closure, since that is what keeps the layer cheap.
    # No await of its own: hands the inner awaitable on.
    def send_added(message: Message, send: Send = send, addition: tuple[list[Header], Merge] = addition) -> Any:
        if message["type"] == "http.response.start":
            ready, merge = addition
            message = {**message}
            headers = message.get("headers")
            if headers.__class__ is list:
                lengths = merge.lengths
                vary: Header | None = None
                for pair in headers:
                    if pair.__class__ is not tuple:
                        break
                    name, value = pair
                    if name.__class__ is not bytes or value.__class__ is not bytes:
                        break
                    if len(name) in lengths and name.lower() in merge.names:
                        if name != b"vary" or vary is not None or merge.varied is None:
                            break
                        vary = pair
                else:
                    if vary is None or merge.varied is None:
                        message["headers"] = headers + ready
                    else:
                        message["headers"] = fresh = headers + ready[:-1]
                        fresh[headers.index(vary)] = (b"vary", merge.varied[vary[1]])
                    return send(message)
            message["headers"] = merge.merged(pairs(headers), ready)
        return send(message)

    return send_added
