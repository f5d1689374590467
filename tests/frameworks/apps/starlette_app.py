"""Starlette."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute

from . import LARGE, PIECES, SECRET, counted, digest


async def identity(request):
    return JSONResponse({"id": request.state.request_id})


async def large(request):
    return PlainTextResponse(LARGE)


async def stream(request):
    return StreamingResponse(iter(PIECES), media_type="text/plain")


async def cookies(request):
    response = PlainTextResponse("")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


async def count(request):
    return PlainTextResponse(counted(request.session))


async def boom(request):
    raise RuntimeError(SECRET)


async def upload(request):
    return PlainTextResponse(digest(await request.body()))


async def ws(websocket):
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)


def application(middleware=()):
    routes = [
        Route("/id", identity),
        Route("/large", large),
        Route("/stream", stream),
        Route("/cookies", cookies),
        Route("/count", count),
        Route("/boom", boom),
        Route("/upload", upload, methods=["POST"]),
        WebSocketRoute("/ws", ws),
    ]
    return Starlette(routes=routes, middleware=middleware)
