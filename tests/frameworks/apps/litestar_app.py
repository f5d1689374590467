"""Litestar."""

from __future__ import annotations

from litestar import HttpMethod, Litestar, MediaType, Request, WebSocket, get, post, route, websocket
from litestar.exceptions import WebSocketDisconnect
from litestar.response import Response, Stream

from . import LARGE, PIECES, SECRET, counted, digest


@get("/id")
async def identity(request: Request) -> dict[str, str]:
    return {"id": request.scope["state"]["request_id"]}


@route("/large", http_method=[HttpMethod.GET, HttpMethod.HEAD], media_type=MediaType.TEXT)
async def large() -> str:
    return LARGE


@get("/stream")
async def stream() -> Stream:
    return Stream(iter(PIECES), media_type="text/plain")


@get("/cookies")
async def cookies() -> Response[str]:
    response = Response("", media_type=MediaType.TEXT)
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


@get("/count", media_type=MediaType.TEXT)
async def count(request: Request) -> str:
    return counted(request.scope["session"])


@get("/boom")
async def boom() -> None:
    raise RuntimeError(SECRET)


@post("/upload", media_type=MediaType.TEXT, status_code=200)
async def upload(request: Request) -> str:
    return digest(await request.body())


@websocket("/ws")
async def ws(socket: WebSocket) -> None:
    await socket.accept()
    try:
        while True:
            await socket.send_text(await socket.receive_text())
    except WebSocketDisconnect:
        pass


def application(middleware=()):
    handlers = [identity, large, stream, cookies, count, boom, upload, ws]
    return Litestar(handlers, openapi_config=None, middleware=middleware)
