"""Falcon, ASGI and WSGI."""

from __future__ import annotations

import falcon
import falcon.asgi

from . import LARGE, PIECES, SECRET, counted, digest


class Identity:
    async def on_get(self, request, response):
        response.media = {"id": request.scope["state"]["request_id"]}


class Large:
    async def on_get(self, request, response):
        response.content_type, response.text = "text/plain", LARGE

    on_head = on_get


class Stream:
    async def on_get(self, request, response):
        async def pieces():
            for piece in PIECES:
                yield piece.encode()

        response.content_type, response.stream = "text/plain", pieces()


class Cookies:
    async def on_get(self, request, response):
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")


class Count:
    async def on_get(self, request, response):
        response.text = counted(request.scope["session"])


class Boom:
    async def on_get(self, request, response):
        raise RuntimeError(SECRET)


class Upload:
    async def on_post(self, request, response):
        response.text = digest(await request.stream.read())


class Socket:
    async def on_websocket(self, request, socket):
        await socket.accept()
        try:
            while True:
                await socket.send_text(await socket.receive_text())
        except falcon.WebSocketDisconnected:
            pass


def application():
    app = falcon.asgi.App()
    app.add_error_handler(RuntimeError, reraised)
    for path, resource in {
        "/id": Identity,
        "/large": Large,
        "/stream": Stream,
        "/cookies": Cookies,
        "/count": Count,
        "/boom": Boom,
        "/upload": Upload,
        "/ws": Socket,
    }.items():
        app.add_route(path, resource())
    return app


async def reraised(request, response, error, params, ws=None):
    raise error
