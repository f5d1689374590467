import os

from sanic import Sanic, response

from middlewares import wrap

bare = Sanic("tea")


@bare.get("/")
async def menu(request):
    request_id = request.transport.scope["state"]["request_id"]
    return response.text(f"Request {request_id}\n" + "A cup of tea\n" * 100)


@bare.get("/visits")
async def visits(request):
    session = request.transport.scope["session"]
    session["visits"] = session.get("visits", 0) + 1
    return response.json(session["visits"])


@bare.get("/boom")
async def boom(request):
    raise RuntimeError("for the log alone")


app = wrap(
    bare,
    request_id=True,
    cors={"allow_origins": ["https://app.example"], "allow_credentials": True},
    server_errors=True,
    compression=True,
    sessions={"secret_key": os.environ["SESSION_KEY"]},
)
