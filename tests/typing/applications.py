"""What users write must pass mypy strict, pyright and ty: the applications of all frameworks, in every form of wrapping.

Nothing here runs; `tests/test_typing.py` gives it to the type checkers.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, assert_type

import blacksheep
import falcon.asgi
import litestar
import quart
from a2wsgi import WSGIMiddleware
from asgiref.typing import ASGIReceiveCallable, ASGISendCallable
from asgiref.typing import Scope as TypedScope
from asgiref.wsgi import WsgiToAsgi
from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application
from fastapi import FastAPI
from litestar.middleware import DefineMiddleware
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp as StarletteApp

from middlewares import (
    CORSMiddleware,
    OrderProblem,
    RequestIDMiddleware,
    ServerErrorMiddleware,
    Stack,
    check,
    use,
    when,
    wrap,
)
from middlewares.asgi import ASGIApp, Receive, Scope, Send

ORIGINS = ["https://app.example"]

stack = Stack(use(RequestIDMiddleware), use(CORSMiddleware, allow_origins=ORIGINS), use(ServerErrorMiddleware))


# The applications


class HelloWorld:
    """An ASGI 2 double callable."""

    def __init__(self, scope: dict[str, Any]) -> None:
        self.scope = scope

    async def __call__(
        self, receive: Callable[[], Awaitable[dict[str, Any]]], send: Callable[[dict[str, Any]], Awaitable[None]]
    ) -> None:
        await send({"type": "http.response.start", "status": 200})


async def function(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """A plain ASGI 3 application."""


async def typed(scope: TypedScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """A plain ASGI 3 application in asgiref's types."""


def wsgi(environ: Any, start_response: Any) -> Iterable[bytes]:
    """A WSGI application, for the bridges."""
    return []


django_application = get_asgi_application()
quart_application = quart.Quart(__name__)
bridged = WsgiToAsgi(wsgi)  # type: ignore[no-untyped-call]


# Alone

CORSMiddleware(Starlette(), allow_origins=ORIGINS)
CORSMiddleware(FastAPI(), allow_origins=ORIGINS)
CORSMiddleware(litestar.Litestar(), allow_origins=ORIGINS)
CORSMiddleware(quart_application, allow_origins=ORIGINS)
CORSMiddleware(quart_application.asgi_app, allow_origins=ORIGINS)
CORSMiddleware(django_application, allow_origins=ORIGINS)
CORSMiddleware(ProtocolTypeRouter({"http": django_application}), allow_origins=ORIGINS)
CORSMiddleware(falcon.asgi.App(), allow_origins=ORIGINS)
CORSMiddleware(blacksheep.Application(), allow_origins=ORIGINS)
CORSMiddleware(WSGIMiddleware(wsgi), allow_origins=ORIGINS)
CORSMiddleware(bridged, allow_origins=ORIGINS)
CORSMiddleware(HelloWorld, allow_origins=ORIGINS)
CORSMiddleware(function, allow_origins=ORIGINS)
CORSMiddleware(typed, allow_origins=ORIGINS)
CORSMiddleware(app=function, allow_origins=ORIGINS)
RequestIDMiddleware(CORSMiddleware(ServerErrorMiddleware(function)))

# By a stack

stack(Starlette())
stack(FastAPI())
stack(litestar.Litestar())
stack(quart_application)
stack(quart_application.asgi_app)
stack(django_application)
stack(ProtocolTypeRouter({"http": django_application}))
stack(falcon.asgi.App())
stack(blacksheep.Application())
stack(WSGIMiddleware(wsgi))
stack(bridged)
stack(HelloWorld)
stack(function)
stack(typed)
stack(stack(function))

# By wrap

wrap(Starlette(), request_id=True, cors={"allow_origins": ORIGINS}, server_errors=True)
wrap(FastAPI(), request_id=True, cors={"allow_origins": ORIGINS}, server_errors=True)
wrap(litestar.Litestar(), request_id=True, cors={"allow_origins": ORIGINS}, server_errors=True)
wrap(quart_application, request_id=True, cors={"allow_origins": ORIGINS}, server_errors=True)
wrap(quart_application.asgi_app, request_id=True, cors={"allow_origins": ORIGINS}, server_errors=True)
wrap(django_application, request_id=True, cors={"allow_origins": ORIGINS}, server_errors=True)
wrap(ProtocolTypeRouter({"http": django_application}), request_id=True, cors=True, server_errors=True)
wrap(falcon.asgi.App(), request_id=True, cors={"allow_origins": ORIGINS}, server_errors=True)
wrap(blacksheep.Application(), request_id=True, cors={"allow_origins": ORIGINS}, server_errors=True)
wrap(WSGIMiddleware(wsgi), request_id=True, cors={"allow_origins": ORIGINS}, server_errors=True)
wrap(bridged, request_id=True, cors={"allow_origins": ORIGINS}, server_errors=True)
wrap(HelloWorld, request_id=True, cors={"allow_origins": ORIGINS}, server_errors=True)
wrap(function, request_id=True, cors={"allow_origins": ORIGINS}, server_errors=True)
wrap(typed, request_id=True, cors={"allow_origins": ORIGINS}, server_errors=True)
wrap(wrap(function, cors=False), server_errors={"debug": True}, extra=[use(GZipMiddleware, minimum_size=500)])

# In the framework's own place

Starlette(middleware=[Middleware(CORSMiddleware, allow_origins=ORIGINS), Middleware(RequestIDMiddleware)])
FastAPI().add_middleware(CORSMiddleware, allow_origins=ORIGINS)
litestar.Litestar(middleware=[DefineMiddleware(CORSMiddleware, allow_origins=ORIGINS)])

# Layers of every kind


class Mine:
    """A middleware of the user's own."""

    def __init__(self, app: ASGIApp, *, size: int, name: str = "") -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass through."""
        await self.app(scope, receive, send)


def mine(app: ASGIApp) -> ASGIApp:
    """A layer that is a function."""
    return Mine(app, size=1)


def starlettes(app: StarletteApp, size: int = 1) -> StarletteApp:
    """A layer in Starlette's types."""
    return app


def is_admin(scope: Scope) -> bool:
    """A condition."""
    return bool(scope["path"])


layers = Stack(
    use(Mine, size=1),
    use(GZipMiddleware, minimum_size=500),
    use(TrustedHostMiddleware, allowed_hosts=["app.example"]),
    use(mine),
    use(starlettes, size=2),
    mine,
    ServerErrorMiddleware,
    Middleware(GZipMiddleware, minimum_size=500),
    when("/app", use(CORSMiddleware), mine, stack),
    when(re.compile("x"), use(CORSMiddleware), when(is_admin, use(Mine, size=1))),
    when(lambda scope: scope["type"] == "http", use(CORSMiddleware)),
    stack,
    strict=True,
)
assert_type(stack + layers, Stack)
assert_type(stack + use(Mine, size=1), Stack)
assert_type(mine + stack, Stack)
assert_type(check(function), list[OrderProblem])
check(stack)
for layer in stack:
    layer(function)
