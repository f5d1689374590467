"""What the page asks for. Each endpoint is an ASGI application for one path, behind all layers."""

from __future__ import annotations

import hashlib
import itertools
import json
import time
from typing import Any
from urllib.parse import parse_qs

from anyio import sleep

from .._cli.playing import play
from .._http.headers import request_values
from .._http.problem import problem
from .._options import CORSOptions
from ..asgi import ASGIApp, Receive, Scope, Send
from ..cors import CORSMiddleware
from ..timing import span
from .log import LINES, logger

CORS: CORSOptions = {
    # Any port of this machine: the page may be seen through a tunnel.
    "allow_origins": ["http://localhost:*", "http://127.0.0.1:*"],
    "allow_methods": ["GET", "PUT"],
    "expose_headers": ["X-Request-ID"],
    "overrides": {"/demo/closed": {"allow_origins": ["https://app.example"]}},
}
"""The keywords of the CORS layer."""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


TEAS = [{"id": number, "name": f"Tea No. {number}", "price": 3 + number % 7} for number in range(1000)]
_BATCHES = [{"id": number, "batch": _digest(str(number))} for number in range(1000)]  # they hardly shrink
_NO_STORE = (b"cache-control", b"no-store")
_EVENTS, _SECONDS_BETWEEN = 5, 0.3
_QUERY_SECONDS = itertools.cycle([0.012, 0.031, 0.018, 0.046])  # so that the bars differ


async def reply(
    send: Send, body: bytes, content_type: bytes = b"application/json", *headers: tuple[bytes, bytes]
) -> None:
    """Answer with 200 and a whole body."""
    fields = [(b"content-type", content_type), (b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": body})


async def _as_json(send: Send, value: Any, cache_control: tuple[bytes, bytes] = _NO_STORE) -> None:
    await reply(send, json.dumps(value, separators=(",", ":")).encode(), b"application/json", cache_control)


async def _body(receive: Receive) -> bytes:
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _query(scope: Scope) -> dict[str, list[str]]:
    return parse_qs(scope["query_string"].decode("latin-1"))


# Request ids


async def hello(scope: Scope, _receive: Receive, send: Send) -> None:
    """The id as the application sees it; it is in a line of the log, too, which does not name it."""
    logger.info("the application says hello")
    await _as_json(send, {"request_id": scope["state"]["request_id"], "trace": scope["state"]["trace"]})


async def log(scope: Scope, _receive: Receive, send: Send) -> None:
    """The lines of a request, `?id=…`."""
    await _as_json(send, [line for request_id in _query(scope).get("id", []) for line in LINES.of(request_id)])


# Timing


async def menu(_scope: Scope, _receive: Receive, send: Send) -> None:
    """An answer that takes a while, and says what for."""
    with span("db", "SELECT name FROM teas"):
        await sleep(next(_QUERY_SECONDS))
    with span("cache"):
        await sleep(0.004)
    with span("template"):
        time.sleep(0.006)  # noqa: ASYNC251 - rendering, which keeps the processor busy
        rendered = [tea["name"] for tea in TEAS[:2]]
    await _as_json(send, rendered)


# Compression


async def document(_scope: Scope, _receive: Receive, send: Send) -> None:
    """A document that shrinks."""
    await _as_json(send, TEAS)


async def version(scope: Scope, _receive: Receive, send: Send) -> None:
    """The batches, one of them changed by the path `/demo/versions/…`: each version is the dictionary of the next."""
    changed = _digest(scope["path"])
    batches = [*_BATCHES]
    number = int(changed[:4], 16) % len(batches)
    batches[number] = {**batches[number], "batch": changed}
    await _as_json(send, batches, (b"cache-control", b"private, max-age=60"))


async def orders(scope: Scope, receive: Receive, send: Send) -> None:
    """What the application sees of an upload."""
    body = await _body(receive)
    codings = [value.decode("latin-1") for value in request_values(scope, b"content-encoding")]
    await _as_json(send, {"size": len(body), "content_encoding": codings, "begins": body[:24].decode("latin-1")})


# CORS


async def tea(scope: Scope, _receive: Receive, send: Send) -> None:
    """What pages of other origins ask for."""
    await _as_json(send, {"tea": "Assam", "request_id": scope["state"]["request_id"]})


async def explain(scope: Scope, _receive: Receive, send: Send) -> None:
    """What a browser does with a fetch, `?origin=…&method=…&path=…&header=…&credentials=…`, and why."""
    query = _query(scope)
    first = {name: values[0] for name, values in query.items()}
    try:
        answer = await play(
            lambda app: CORSMiddleware(app, **CORS),
            origin=first["origin"],
            method=first.get("method", "GET"),
            headers=[(name, "1") for name in query.get("header", [])],
            credentials="credentials" in first,
            path=first.get("path", "/demo/open"),
        )
    except (KeyError, ValueError) as exc:
        for message in problem(scope, 400, f"No browser begins such a fetch: {exc}."):
            await send(message)
        return
    exchanges = [{"request": exchange.request, "response": exchange.response} for exchange in answer.exchanges]
    result = {"allowed": answer.result.allowed, "reason": answer.result.reason, "exchanges": exchanges}
    await _as_json(send, {**result, "configuration": answer.reasons})


# Sessions


async def session(scope: Scope, _receive: Receive, send: Send) -> None:
    """What the session holds, and a fingerprint of its id, which is the visitor's secret."""
    held = scope["session"]
    fingerprint = _digest(held.id)[:8] if held else None
    await _as_json(send, {"user": held.get("user"), "count": held.get("count", 0), "id": fingerprint})


async def count(scope: Scope, receive: Receive, send: Send) -> None:
    """One more."""
    scope["session"]["count"] = scope["session"].get("count", 0) + 1
    await session(scope, receive, send)


async def login(scope: Scope, receive: Receive, send: Send) -> None:
    """The same data under a new id: whoever knew the id of before has nothing."""
    scope["session"].regenerate()
    scope["session"]["user"] = "ada"
    await session(scope, receive, send)


async def regenerate(scope: Scope, receive: Receive, send: Send) -> None:
    """A new id, as after every change of rights."""
    scope["session"].regenerate()
    await session(scope, receive, send)


async def logout(scope: Scope, receive: Receive, send: Send) -> None:
    """The end of the session."""
    scope["session"].invalidate()
    await session(scope, receive, send)


# Server errors


async def boom(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """A bug."""
    raise RuntimeError("the kettle is empty")


# Streams


async def events(_scope: Scope, _receive: Receive, send: Send) -> None:
    """An event stream."""
    headers = [(b"content-type", b"text/event-stream"), _NO_STORE]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for number in range(1, _EVENTS + 1):
        event = f"data: cup {number} of {_EVENTS} is ready, of {TEAS[number]['name']}\n\n".encode()
        await send({"type": "http.response.body", "body": event, "more_body": True})
        await sleep(_SECONDS_BETWEEN)
    await send({"type": "http.response.body", "body": b""})


async def socket(scope: Scope, receive: Receive, send: Send) -> None:
    """An echo that counts in the session of the visitor."""
    held = scope["session"]
    held.setdefault("said", 0)  # a new session begins with the handshake: later, no cookie can be set
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        held["said"] += 1
        await held.save()
        answer = {"echo": message.get("text"), "said": held["said"], "user": held.get("user")}
        await send({"type": "websocket.send", "text": json.dumps(answer)})


_ENDPOINTS: dict[tuple[str, str], ASGIApp] = {
    ("GET", "/demo/hello"): hello,
    ("GET", "/demo/log"): log,
    ("GET", "/demo/menu"): menu,
    ("GET", "/demo/document"): document,
    ("POST", "/demo/orders"): orders,
    **{(method, f"/demo/{path}"): tea for method in ("GET", "PUT", "DELETE") for path in ("open", "closed")},
    ("GET", "/demo/explain"): explain,
    ("GET", "/demo/session"): session,
    ("POST", "/demo/count"): count,
    ("POST", "/demo/login"): login,
    ("POST", "/demo/regenerate"): regenerate,
    ("POST", "/demo/logout"): logout,
    ("GET", "/demo/boom"): boom,
    ("GET", "/demo/events"): events,
    ("websocket", "/demo/socket"): socket,
    ("websocket", "/demo/closed/socket"): socket,
}


async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
    """The endpoint of the path."""
    kind = scope["type"]
    found = _ENDPOINTS.get((scope["method"] if kind == "http" else kind, scope["path"]))
    if found is None and scope["path"].startswith("/demo/versions/"):
        found = version
    await (found or _nothing)(scope, receive, send)


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close"})
        return
    for message in problem(scope, 404):
        await send(message)
