"""BlackSheep."""

from __future__ import annotations

from blacksheep import Application, Cookie, Response, StreamedContent, WebSocket, WebSocketDisconnectError, json, text

from . import LARGE, PIECES, SECRET, counted, digest


async def identity(request):
    return json({"id": request.scope["state"]["request_id"]})


async def large():
    return text(LARGE)


async def stream():
    async def pieces():
        for piece in PIECES:
            yield piece.encode()

    return Response(200, content=StreamedContent(b"text/plain", pieces))


async def cookies():
    response = text("")
    response.set_cookie(Cookie("a", "1"))
    response.set_cookie(Cookie("b", "2"))
    return response


async def count(request):
    return text(counted(request.scope["session"]))


async def boom():
    raise RuntimeError(SECRET)


async def upload(request):
    return text(digest(await request.read()))


async def ws(websocket: WebSocket):
    await websocket.accept()
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    except WebSocketDisconnectError:
        pass


def application():
    app = Application()
    for path, handler in {
        "/id": identity,
        "/large": large,
        "/stream": stream,
        "/cookies": cookies,
        "/count": count,
        "/boom": boom,
    }.items():
        app.router.add_get(path, handler)
    app.router.add_head("/large", large)
    app.router.add_post("/upload", upload)
    app.router.add_ws("/ws", ws)
    return app
