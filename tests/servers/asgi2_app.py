"""The smallest ASGI 2 application, bare and behind each middleware, for servers to import by name."""

from __future__ import annotations

import middlewares
from middlewares._index import ROOMS

from ..needs import NEEDS


class HelloWorld:
    """An ASGI 2 double callable: `await HelloWorld(scope)(receive, send)`."""

    def __init__(self, scope):
        if scope["type"] != "http":
            raise ValueError(f"no {scope['type']} here")
        self.scope = scope

    async def __call__(self, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": f"Hello, {self.scope['path']}!".encode()})


bare = HelloWorld
WRAPPED = {name: getattr(middlewares, name)(HelloWorld, **NEEDS.get(name, {})) for name in ROOMS}


async def app(scope, receive, send):
    """The middleware that the first segment of the path names, so that one server is enough for all."""
    name = scope["path"].split("/")[1] if scope["type"] == "http" else "RequestIDMiddleware"
    await WRAPPED[name](scope, receive, send)
