"""Quart."""

from __future__ import annotations

from quart import Quart, Response, request, websocket

from . import LARGE, PIECES, SECRET, counted, digest


async def identity():
    return {"id": request.scope["state"]["request_id"]}


async def large():
    return Response(LARGE, mimetype="text/plain")


async def stream():
    async def pieces():
        for piece in PIECES:
            yield piece.encode()

    return Response(pieces(), mimetype="text/plain")


async def cookies():
    response = Response("")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


async def count():
    return counted(request.scope["session"])


async def boom():
    raise RuntimeError(SECRET)


async def upload():
    return digest(await request.get_data())


async def ws():
    while True:
        await websocket.send(await websocket.receive())


def application():
    app = Quart("tea")
    for path, view in {
        "/id": identity,
        "/large": large,
        "/stream": stream,
        "/cookies": cookies,
        "/count": count,
        "/boom": boom,
    }.items():
        app.add_url_rule(path, view_func=view)
    app.add_url_rule("/upload", view_func=upload, methods=["POST"])
    app.add_websocket("/ws", view_func=ws)
    return app
