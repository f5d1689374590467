"""Falcon, WSGI."""

from __future__ import annotations

import falcon

from . import LARGE, PIECES, SECRET, counted, digest


class Identity:
    def on_get(self, request, response):
        response.media = {"id": request.get_header("X-Request-ID")}


class Large:
    def on_get(self, request, response):
        response.content_type, response.text = "text/plain", LARGE

    on_head = on_get


class Stream:
    def on_get(self, request, response):
        response.content_type, response.stream = "text/plain", (piece.encode() for piece in PIECES)


class Cookies:
    def on_get(self, request, response):
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")


class Count:
    def on_get(self, request, response):
        response.text = counted(request.env["asgi.scope"]["session"])


class Boom:
    def on_get(self, request, response):
        raise RuntimeError(SECRET)


class Upload:
    def on_post(self, request, response):
        response.text = digest(request.stream.read())


def reraised(request, response, error, params):
    raise error


def application():
    app = falcon.App()
    app.add_error_handler(RuntimeError, reraised)
    for path, resource in {
        "/id": Identity,
        "/large": Large,
        "/stream": Stream,
        "/cookies": Cookies,
        "/count": Count,
        "/boom": Boom,
        "/upload": Upload,
    }.items():
        app.add_route(path, resource())
    return app
