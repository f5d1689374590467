"""The application that the matrix serves, in raw ASGI, for asyncio and trio: behind all rooms, and bare under /bare.

Nothing in it waits for time to pass. What has to happen between two messages is asked for by the test: a handler takes
a ticket of its `key`, and the test hands one out by a request to /release.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
from collections import Counter
from urllib.parse import parse_qs

import anyio

from middlewares import Stack, when, wrap
from middlewares._options import ORDER

ORIGIN = "https://app.example"
SECRET = "this text is for the log alone"
TEXT = "".join(f"{number}: the quick brown fox jumps over the lazy dog\n" for number in range(2000)).encode()
ETAG = '"v1"'
PIECES = 3
OPTIONS = {
    "timing": {"trailers": True},
    "cors": {
        "allow_origins": [ORIGIN],
        "allow_methods": ["GET", "PUT"],
        "allow_headers": ["X-Token"],
        "allow_credentials": True,
        "expose_headers": ["X-Request-ID"],
    },
    "sessions": {"secret_key": "not a secret"},
}
FILES = "MATRIX_FILES"
"""The environment variable with the folder of /slow: how it and the test speak while the server shuts down."""


class Application:
    """Answers by the last segment of the path; the query has `key`, and what else the handler takes."""

    def __init__(self):
        self.lifespans = Counter()
        self.tickets = {}
        self.active = Counter()
        self.done = []
        self.sockets = 0

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return await self.lifespan(receive, send)
        name = scope["path"].rpartition("/")[2]
        self.active[name] += 1
        query = {key: values[0] for key, values in parse_qs(scope["query_string"].decode()).items()}
        try:
            if scope["type"] == "websocket":
                await self.websocket(scope, receive, send)
            else:
                await getattr(self, name)(scope, receive, send, **query)
        finally:
            self.active[name] -= 1

    async def lifespan(self, receive, send):
        while True:
            kind = (await receive())["type"]
            self.lifespans[kind] += 1
            print(kind, flush=True)  # noqa: T201
            await send({"type": f"{kind}.complete"})
            if kind == "lifespan.shutdown":
                return

    def ticket(self, key):
        return self.tickets.setdefault(key, anyio.Semaphore(0))

    async def release(self, scope, receive, send, key):
        """Hand out a ticket."""
        self.ticket(key).release()
        await answer(send, b"")

    async def probe(self, scope, receive, send):
        """What the process is doing."""
        state = {
            "lifespans": self.lifespans,
            "active": +self.active - Counter(probe=1),
            "done": self.done,
            "seen": self.sockets,
            "tasks": tasks(),
        }
        await answer(send, json.dumps(state).encode(), (b"content-type", b"application/json"))

    async def text(self, scope, receive, send):
        """A text that is worth to be coded, with a tag; 304 where the client has it."""
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"etag", ETAG.encode()), (b"vary", b"X-Mode")]
        if dict(scope["headers"]).get(b"if-none-match") == ETAG.encode():
            await start(send, *headers[1:], status=304)
            await send({"type": "http.response.body", "body": b""})
        else:
            await answer(send, b"" if scope["method"] == "HEAD" else TEXT, *headers, length=len(TEXT))

    async def lines(self, scope, receive, send):
        """Headers that the rooms set, too, and one that is there twice."""
        await answer(
            send,
            b"lines",
            (b"content-type", b"text/plain"),
            (b"x-twice", b"1"),
            (b"x-twice", b"2"),
            (b"access-control-allow-origin", b"*"),
            (b"x-request-id", b"of the application"),
            (b"server-timing", b"inner;dur=1"),
        )

    async def capitals(self, scope, receive, send):
        """Names as Django and bridges send them."""
        await answer(send, b"capitals", (b"Content-Type", b"text/plain"), (b"Access-Control-Allow-Origin", b"*"))

    async def cookies(self, scope, receive, send):
        """Two cookies, and those that came."""
        sent = b"; ".join(value for name, value in scope["headers"] if name == b"cookie")
        await answer(send, sent, (b"set-cookie", b"a=1; Path=/"), (b"set-cookie", b"b=2; Path=/"))

    async def visit(self, scope, receive, send):
        """Counts the visits of a session."""
        scope["session"]["visits"] = scope["session"].get("visits", 0) + 1
        await answer(send, json.dumps(dict(scope["session"])).encode(), (b"content-type", b"application/json"))

    async def stream(self, scope, receive, send, key):
        """A piece, then one for each ticket."""
        await start(send, (b"content-type", b"text/plain"))
        await self.pieces(send, key, "piece {}\n")

    async def events(self, scope, receive, send, key):
        """An event, then one for each ticket."""
        await start(send, (b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache"))
        await self.pieces(send, key, "data: piece {}\n\n")

    async def pieces(self, send, key, text):
        for number in range(PIECES):
            if number:
                await self.ticket(key).acquire()
            await send({"type": "http.response.body", "body": text.format(number).encode(), "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def poll(self, scope, receive, send, key):
        """Answers when there is a ticket."""
        await self.ticket(key).acquire()
        await answer(send, b"at last")

    async def upload(self, scope, receive, send):
        """What has come of the body."""
        digest, length, more = hashlib.sha256(), 0, True
        while more:
            message = await receive()
            assert message["type"] == "http.request", message
            digest.update(message["body"])
            length += len(message["body"])
            more = message.get("more_body", False)
        seen = {"length": length, "sha256": digest.hexdigest()}
        await answer(send, json.dumps(seen).encode(), (b"content-type", b"application/json"))

    async def boom(self, scope, receive, send):
        """Fails before its response has begun."""
        raise RuntimeError(SECRET)

    async def endless(self, scope, receive, send, key):
        """Streams until the client leaves, or there is a ticket, then ends its generator and says so."""
        await start(send, (b"content-type", b"text/plain"))

        async def numbers():
            number = 0
            try:
                while not self.ticket(key).value:
                    yield f"{number}\n".encode()
                    await anyio.sleep(0.01)
                    number += 1
            finally:
                self.done.append(key)

        async def leave_with_client():
            while (await receive())["type"] != "http.disconnect":
                pass
            group.cancel_scope.cancel()

        generator = numbers()
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(leave_with_client)
                async for piece in generator:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
        finally:
            with anyio.CancelScope(shield=True):
                await generator.aclose()

    async def background(self, scope, receive, send, key):
        """Works on after its response, until there is a ticket."""
        await answer(send, b"answered")
        await self.ticket(key).acquire()
        self.done.append(key)

    async def hints(self, scope, receive, send):
        """A hint and a push, where the server takes them, before the response."""
        extensions, offered = extensions_of(scope)
        if "http.response.early_hint" in extensions:
            await send({"type": "http.response.early_hint", "links": [b"</style.css>; rel=preload; as=style"]})
        if "http.response.push" in extensions:
            await send({"type": "http.response.push", "path": scope["path"].replace("hints", "text"), "headers": []})
        await answer(send, b"hinted", offered)

    async def trailers(self, scope, receive, send):
        """A trailer, where the server takes them."""
        extensions, offered = extensions_of(scope)
        takes = "http.response.trailers" in extensions
        await start(send, (b"content-type", b"text/plain"), offered, **({"trailers": True} if takes else {}))
        await send({"type": "http.response.body", "body": b"with trailers"})
        if takes:
            await send({"type": "http.response.trailers", "headers": [(b"x-checksum", b"42")]})

    async def slow(self, scope, receive, send, key):
        """Begins, says so by the file `key`, and ends once there is the file `go`."""
        folder = anyio.Path(os.environ[FILES])
        await start(send, (b"content-type", b"text/plain"))
        await send({"type": "http.response.body", "body": b"begun, ", "more_body": True})
        await (folder / key).touch()
        while not await (folder / "go").exists():  # noqa: ASYNC110 - files are all that passes during a shutdown
            await anyio.sleep(0.02)
        await send({"type": "http.response.body", "body": b"and ended"})

    async def websocket(self, scope, receive, send):
        """Echoes, and says what the session has under "session"."""
        self.sockets += 1
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept", "headers": [(b"x-socket", b"1")]})
        while (message := await receive())["type"] == "websocket.receive":
            text, data = message.get("text"), message.get("bytes")
            if text == "session":
                text = json.dumps(dict(scope.get("session") or {}))
            await send({"type": "websocket.send", **({"text": text} if text is not None else {"bytes": data})})
        self.done.append("websocket")


def tasks():
    """How many tasks the event loop has."""
    if "trio" in sys.modules:
        import trio

        try:
            return trio.lowlevel.current_statistics().tasks_living
        except RuntimeError:  # installed, but not running
            pass
    return len(asyncio.all_tasks())


def extensions_of(scope):
    """What the server offers beyond the core of the specification, and a header that says so."""
    extensions = scope.get("extensions") or {}
    return extensions, (b"x-extensions", ",".join(extensions).encode())


async def start(send, *headers, status=200, **more):
    """Begin a response."""
    await send({"type": "http.response.start", "status": status, "headers": [*headers], **more})


async def answer(send, body, *headers, length=None):
    """Send a whole response."""
    length = len(body) if length is None else length
    await start(send, (b"content-length", str(length).encode()), *headers)
    await send({"type": "http.response.body", "body": body})


def all_rooms(app):
    """The application behind each room that there is."""
    return wrap(app, **{room: OPTIONS.get(room, True) for room in ORDER})


def is_not_bare(scope):
    """Whether a request is for the rooms."""
    return not scope["path"].startswith("/bare/")


app = Stack(when(is_not_bare, all_rooms))(Application())
