import os

from litestar import Litestar, MediaType, Request, get

from middlewares import wrap


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


def raise_on(request: Request, exc: Exception) -> None:
    raise exc


bare = Litestar([menu, visits, boom], exception_handlers={500: raise_on})  # with Exception, 404s would be 500s, too
app = wrap(
    bare,
    request_id=True,
    cors={"allow_origins": ["https://app.example"], "allow_credentials": True},
    server_errors=True,
    compression=True,
    sessions={"secret_key": os.environ["SESSION_KEY"]},
)
