"""The part `messages`: what a server-sent event and a WebSocket message cost through whole stacks, over bare."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from middlewares.testing import run

from . import apps
from .bodies import body
from .harness import App, Cost, measure, verdict
from .report import Table
from .rooms import loops
from .stack import ALL, CHEAPEST, OURS, PASSING, PEERS, STACKS

COUNT = 200
_EVENTS = [b"id: %d\ndata: %b\n\n" % (number, body("JSON", 200 + number)) for number in range(COUNT)]
_HEADERS = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
# asgi-sessions cannot read the cookie of another layer: there is none.
_PLAIN = {
    **apps.CROSS_ORIGIN,
    "headers": [pair for pair in apps.CROSS_ORIGIN["headers"] if pair[0] not in (b"accept-encoding", b"cookie")],
}
_CODED = {**_PLAIN, "headers": [*_PLAIN["headers"], (b"accept-encoding", b"zstd")]}
_SOCKET = {**_PLAIN, "type": "websocket", "scheme": "wss", "subprotocols": []}
_CONNECT = {"type": "websocket.connect"}


async def events(_scope: Any, _receive: Any, send: Any) -> None:
    """An event stream."""
    await send({"type": "http.response.start", "status": 200, "headers": [*_HEADERS]})
    for event in _EVENTS:
        await send({"type": "http.response.body", "body": event, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def echo(_scope: Any, receive: Any, send: Any) -> None:
    """A WebSocket that sends back what comes."""
    await receive()
    await send({"type": "websocket.accept", "subprotocol": None, "headers": []})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


def _talking(app: App) -> App:
    """The echo behind layers, and a client that sends so many messages and leaves."""

    async def talking(scope: Any, _receive: Any, send: Any) -> None:
        left = COUNT + 1

        async def receive() -> dict[str, Any]:
            nonlocal left
            left -= 1
            if left == COUNT:
                return _CONNECT
            if left < 0:
                return {"type": "websocket.disconnect", "code": 1000, "reason": ""}
            return {"type": "websocket.receive", "text": "a message"}

        await app(scope, receive, send)

    return talking


def tables(*, rounds: int, requests: int) -> list[Table]:
    """One table for events, one for messages; a request has 200 of them.

    Raises:
        RuntimeError: A stack does not do its work: what it costs would say nothing.
    """
    streams: list[tuple[str, Callable[[Any], App], dict[str, Any]]] = [
        *((name, STACKS[name], _PLAIN) for name in (PASSING, PEERS, CHEAPEST, OURS, ALL)),
        (f"{OURS}, coded in zstd", STACKS[OURS], _CODED),
    ]
    sockets = [(name, STACKS[name], _SOCKET) for name in (PASSING, PEERS, CHEAPEST, OURS, ALL)]
    for name, wrap, scope in streams:
        sent = run(wrap(events), scope)
        coded = (b"content-encoding", b"zstd") in sent[0]["headers"]
        if coded is not (scope is _CODED) or (not coded and sum(len(each.get("body", b"")) for each in sent) < 40_000):
            raise RuntimeError(f"{name} does not do its work, so it is not timed: events")
    fewer = max(1, requests // 50)
    return [
        _table(
            "a server-sent event of 300 bytes",
            (events, _PLAIN),
            [(name, w(events), s) for name, w, s in streams],
            rounds,
            fewer,
        ),
        _table(
            "a WebSocket message received and echoed",
            (_talking(echo), _SOCKET),
            [(name, _talking(wrap(echo)), scope) for name, wrap, scope in sockets],
            rounds,
            fewer,
        ),
    ]


def _table(
    title: str,
    bare: tuple[App, dict[str, Any]],
    series: list[tuple[str, App, dict[str, Any]]],
    rounds: int,
    requests: int,
) -> Table:
    loop = next(iter(loops().values()))
    times = measure(
        [bare, *((app, scope) for _, app, scope in series)], loop, rounds=max(2, rounds // 4), requests=requests
    )
    alone = min(times[0]) / COUNT
    costs = [Cost.over(times[0], seen) for seen in times[1:]]
    return Table(
        title=f"{title} (bare: {alone:,.0f} ns)",
        columns=["layers", "ns over bare", "± %", "a second, in one process"],
        rows=[
            [name, round(cost.ns / COUNT), round(100 * cost.drift), round(1e9 / (alone + cost.ns / COUNT))]
            for (name, _, _), cost in zip(series, costs, strict=True)
        ],
        note=verdict(costs),
    )
