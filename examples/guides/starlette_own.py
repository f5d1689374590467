import os

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from middlewares import (
    CompressionMiddleware,
    CORSMiddleware,
    RequestIDMiddleware,
    ServerErrorMiddleware,
    SessionMiddleware,
)


async def menu(request):
    return PlainTextResponse(f"Request {request.state.request_id}\n" + "A cup of tea\n" * 100)


async def visits(request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    return JSONResponse(request.session["visits"])


async def boom(request):
    raise RuntimeError("for the log alone")


app = Starlette(
    routes=[Route("/", menu), Route("/visits", visits), Route("/boom", boom)],
    middleware=[  # outermost first
        Middleware(RequestIDMiddleware),
        Middleware(CORSMiddleware, allow_origins=["https://app.example"], allow_credentials=True),
        Middleware(ServerErrorMiddleware),
        Middleware(CompressionMiddleware),
        Middleware(SessionMiddleware, secret_key=os.environ["SESSION_KEY"]),
    ],
)
