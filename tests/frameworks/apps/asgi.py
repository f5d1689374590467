"""No framework: ASGI 3, and the double callable of ASGI 2."""

from __future__ import annotations

import json
from typing import Any

from . import LARGE, PIECES, SECRET, counted, digest


async def asgi3(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
    else:
        await _http(scope, receive, send)


async def _http(scope: Any, receive: Any, send: Any) -> None:
    headers, pieces = [(b"content-type", b"text/plain; charset=utf-8")], [""]
    status = 200
    match scope["path"]:
        case "/id":
            pieces = [json.dumps({"id": scope["state"]["request_id"]})]
        case "/large":
            pieces = [LARGE]
        case "/stream":
            pieces = PIECES
        case "/cookies":
            headers += [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
        case "/count":
            pieces = [counted(scope["session"])]
        case "/boom":
            raise RuntimeError(SECRET)
        case "/upload":
            body, more = b"", True
            while more:
                message = await receive()
                body += message.get("body", b"")
                more = message.get("more_body", False)
            pieces = [digest(body)]
        case _:
            status = 404
    await send({"type": "http.response.start", "status": status, "headers": headers})
    for piece in pieces if scope["method"] != "HEAD" else []:
        await send({"type": "http.response.body", "body": piece.encode(), "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


class ASGI2:
    def __init__(self, scope: dict[str, Any]) -> None:
        self.scope = scope

    async def __call__(self, receive: Any, send: Any) -> None:
        await asgi3(self.scope, receive, send)
