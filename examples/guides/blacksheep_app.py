import os

from blacksheep import Application, Request, Router, json, text

from middlewares import wrap

bare = Application(router=Router())


@bare.router.get("/")
async def menu(request: Request):
    return text(f"Request {request.scope['state']['request_id']}\n" + "A cup of tea\n" * 100)


@bare.router.get("/visits")
async def visits(request: Request):
    session = request.scope["session"]
    session["visits"] = session.get("visits", 0) + 1
    return json(session["visits"])


@bare.router.get("/boom")
async def boom():
    raise RuntimeError("for the log alone")


app = wrap(
    bare,
    request_id=True,
    cors={"allow_origins": ["https://app.example"], "allow_credentials": True},
    server_errors=True,
    compression=True,
    sessions={"secret_key": os.environ["SESSION_KEY"]},
)
