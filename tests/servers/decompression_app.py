"""Request decoding for servers to import by name: answers with what came of a body, or begins before it reads one."""

from __future__ import annotations

import hashlib

from middlewares.compression import DecompressionMiddleware


async def _app(scope, receive, send):
    if scope["type"] != "http":
        raise ValueError(f"no {scope['type']} here")
    start = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
    if scope["path"] == "/begun":
        await send(start)
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
    digest, size, more = hashlib.sha256(), 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        digest.update(message["body"])
        size += len(message["body"])
        more = message["more_body"]
    if scope["path"] != "/begun":
        await send(start)
    await send({"type": "http.response.body", "body": f"{size} {digest.hexdigest()}".encode()})


app = DecompressionMiddleware(_app, max_size=2_000_000)
