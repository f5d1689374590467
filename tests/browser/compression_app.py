"""One application behind compression by each coding, for a browser: `/gzip/…`, `/br/…`, `/zstd/…`, and `/data` with deltas.

`/upload` decodes, and says what has come.
"""

from __future__ import annotations

import asyncio
import json
import random

from middlewares.compression import CompressionMiddleware, DecompressionMiddleware

_words = random.Random(1)
ROWS = [{"id": number, "name": f"{_words.getrandbits(40):x}", "price": number % 97} for number in range(2000)]


async def _send(send, content, *headers):
    await send({"type": "http.response.start", "status": 200, "headers": [*headers]})
    await send({"type": "http.response.body", "body": content})


async def _application(scope, receive, send):
    path = scope["path"]
    asked = b", ".join([value for name, value in scope["headers"] if name == b"accept-encoding"])
    if path.endswith("/rows") or path.startswith("/data"):
        rows = ROWS if path != "/data/2" else [*ROWS[:1000], {"id": "new"}, *ROWS[1000:]]
        headers = [(b"content-type", b"application/json"), (b"cache-control", b"max-age=60"), (b"x-asked", asked)]
        await _send(send, json.dumps(rows).encode(), *headers)
    elif path == "/upload":
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        await _send(send, body, (b"content-type", b"text/plain"), (b"cache-control", b"no-transform"))
    elif path.endswith("/events"):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        for number in range(3):
            event = b"data: %d\n\n" % number
            await send({"type": "http.response.body", "body": event, "more_body": True})
            await asyncio.sleep(0.2)
        await send({"type": "http.response.body", "body": b"data: end\n\n"})
    else:
        page = b"<!doctype html><title>Compression</title><link rel='icon' href='data:,'>"
        await _send(send, page, (b"content-type", b"text/html"))


_codings = {coding: CompressionMiddleware(_application, encodings=[coding]) for coding in ("gzip", "br", "zstd")}
_deltas = DecompressionMiddleware(CompressionMiddleware(_application, use_as_dictionary={"/data": "/data/*"}))


async def app(scope, receive, send):
    """The application of the path."""
    if scope["type"] == "http":
        await _codings.get(scope["path"].split("/")[1], _deltas)(scope, receive, send)
