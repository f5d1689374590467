"""Bottle."""

from __future__ import annotations

from bottle import Bottle, request, response

from . import LARGE, PIECES, SECRET, counted, digest


def identity():
    return {"id": request.get_header("X-Request-ID")}


def large():
    response.content_type = "text/plain; charset=utf-8"
    return LARGE


def stream():
    response.content_type = "text/plain; charset=utf-8"
    yield from PIECES


def cookies():
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return ""


def count():
    return counted(request.environ["asgi.scope"]["session"])


def boom():
    raise RuntimeError(SECRET)


def upload():
    return digest(request.body.read())


def application():
    app = Bottle(catchall=False)  # exceptions are for the layer outside
    for path, view in {
        "/id": identity,
        "/large": large,
        "/stream": stream,
        "/cookies": cookies,
        "/count": count,
        "/boom": boom,
    }.items():
        app.route(path, "GET", view)
    app.route("/upload", "POST", upload)
    return app
