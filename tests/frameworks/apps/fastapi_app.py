"""FastAPI."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI, Request, Response, WebSocket
from fastapi.responses import PlainTextResponse, StreamingResponse

from . import LARGE, PIECES, SECRET, counted, digest

router = APIRouter()


@router.get("/id")
async def identity(request: Request):
    return {"id": request.state.request_id}


@router.api_route("/large", methods=["GET", "HEAD"])
async def large():
    return PlainTextResponse(LARGE)


@router.get("/stream")
async def stream():
    return StreamingResponse(iter(PIECES), media_type="text/plain")


@router.get("/cookies")
async def cookies(response: Response):
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")


@router.get("/count")
async def count(request: Request):
    return PlainTextResponse(counted(request.session))


@router.get("/boom")
async def boom():
    raise RuntimeError(SECRET)


@router.post("/upload")
async def upload(request: Request):
    return PlainTextResponse(digest(await request.body()))


@router.websocket("/ws")
async def ws(websocket: WebSocket):
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)


def application():
    app = FastAPI()
    app.include_router(router)
    return app
