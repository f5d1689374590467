"""Sanic."""

from __future__ import annotations

from itertools import count as numbers

from sanic import Sanic, response

from . import LARGE, PIECES, SECRET, counted, digest

_numbers = numbers()


async def identity(request):
    return response.json({"id": request.transport.scope["state"]["request_id"]})


async def large(request):
    return response.text(LARGE)


async def stream(request):
    answer = await request.respond(content_type="text/plain")
    for piece in PIECES:
        await answer.send(piece)
    await answer.eof()


async def cookies(request):
    answer = response.text("")
    answer.add_cookie("a", "1")
    answer.add_cookie("b", "2")
    return answer


async def count(request):
    return response.text(counted(request.transport.scope["session"]))


async def boom(request):
    raise RuntimeError(SECRET)


async def upload(request):
    return response.text(digest(request.body))


async def ws(request, socket):
    while (text := await socket.recv()) is not None:  # None: the client has left
        await socket.send(text)


def application():
    app = Sanic(f"tea-{next(_numbers)}", configure_logging=False)
    app.config.TOUCHUP = False  # it rewrites Sanic's own code, for one application in a process
    for path, handler in {
        "/id": identity,
        "/stream": stream,
        "/cookies": cookies,
        "/count": count,
        "/boom": boom,
    }.items():
        app.add_route(handler, path)
    app.add_route(large, "/large", methods=["GET", "HEAD"])
    app.add_route(upload, "/upload", methods=["POST"])
    app.add_websocket_route(ws, "/ws")
    return app
