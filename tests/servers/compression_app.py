"""Compression for servers to import by name: a document with a tag, a stream, and events, slow enough to be seen."""

from __future__ import annotations

import anyio

from middlewares.compression import CompressionMiddleware

DOCUMENT = b"the quick brown fox jumps over the lazy dog, " * 10_000
PAUSE = 0.2  # above the 50 ms within which what was sent can be decoded, also on a busy machine
PIECES = {
    "/stream": [b"piece %d of a stream\n" % number for number in range(5)],
    "/events": [b"data: %d\n\n" % number for number in range(5)],
}
_TYPES = {"/stream": b"text/plain", "/events": b"text/event-stream"}


async def _app(scope, receive, send):
    if scope["type"] != "http":
        raise ValueError(f"no {scope['type']} here")
    path, headers = scope["path"], dict(scope["headers"])
    if path in PIECES:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", _TYPES[path])]})
        for number, piece in enumerate(PIECES[path]):
            if number:
                await anyio.sleep(PAUSE)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    elif headers.get(b"if-none-match") == b'"v1"':
        await send({"type": "http.response.start", "status": 304, "headers": [(b"etag", b'"v1"')]})
        await send({"type": "http.response.body", "body": b""})
    else:
        fields = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(DOCUMENT)), (b"etag", b'"v1"')]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else DOCUMENT})


app = CompressionMiddleware(_app)
