import os

from litestar import Litestar, MediaType, Request, get
from litestar.middleware import DefineMiddleware

from middlewares import (
    CompressionMiddleware,
    CORSMiddleware,
    RequestIDMiddleware,
    ServerErrorMiddleware,
    SessionMiddleware,
)


@get("/", media_type=MediaType.TEXT)
async def menu(request: Request) -> str:
    return f"Request {request.state.request_id}\n" + "A cup of tea\n" * 100


@get("/visits")
async def visits(request: Request) -> int:
    request.session["visits"] = request.session.get("visits", 0) + 1
    return request.session["visits"]


@get("/boom")
async def boom() -> None:
    raise RuntimeError("for the log alone")


app = Litestar(
    [menu, visits, boom],
    middleware=[  # outermost first
        DefineMiddleware(RequestIDMiddleware),
        DefineMiddleware(CORSMiddleware, allow_origins=["https://app.example"], allow_credentials=True),
        DefineMiddleware(ServerErrorMiddleware),
        DefineMiddleware(CompressionMiddleware),
        DefineMiddleware(SessionMiddleware, secret_key=os.environ["SESSION_KEY"]),
    ],
)
