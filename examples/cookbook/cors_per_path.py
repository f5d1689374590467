"""Rules of CORS for each part of the paths."""

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from middlewares import CORSMiddleware


async def echo(request):
    return JSONResponse({"path": request.url.path})


app = CORSMiddleware(
    Starlette(routes=[Route("/{rest:path}", echo, methods=["GET", "PUT"])]),
    allow_origins=["https://app.example"],
    allow_methods=["GET", "PUT"],
    allow_credentials=True,
    overrides={
        "/public": {"allow_origins": "*", "allow_credentials": False},  # what is not named stays: also PUT
        "/admin": {"allow_origins": []},  # no page of another origin
        "/legacy": None,  # has headers of its own
    },
)
