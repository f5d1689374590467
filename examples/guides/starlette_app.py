import os

from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from middlewares import wrap


async def menu(request):
    return PlainTextResponse(f"Request {request.state.request_id}\n" + "A cup of tea\n" * 100)


async def visits(request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    return JSONResponse(request.session["visits"])


async def boom(request):
    raise RuntimeError("for the log alone")


async def raise_on(request, exc):
    raise exc  # Starlette would answer it in plain text; server_errors does it better


bare = Starlette(
    routes=[Route("/", menu), Route("/visits", visits), Route("/boom", boom)],
    exception_handlers={Exception: raise_on},
)
app = wrap(
    bare,
    request_id=True,
    cors={"allow_origins": ["https://app.example"], "allow_credentials": True},
    server_errors=True,
    compression=True,
    sessions={"secret_key": os.environ["SESSION_KEY"]},
)
