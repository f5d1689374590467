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
# Under the class names of the middlewares: "tests.servers.asgi2_app:CORSMiddleware".
globals().update({name: getattr(middlewares, name)(HelloWorld, **NEEDS.get(name, {})) for name in ROOMS})
