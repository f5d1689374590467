import os

from quart import Quart, Response, request

from middlewares import wrap

app = Quart(__name__)
app.config["PROPAGATE_EXCEPTIONS"] = True  # Quart would answer them with a page; server_errors does it better


@app.get("/")
async def menu():
    request_id = request.scope["state"]["request_id"]
    return Response(f"Request {request_id}\n" + "A cup of tea\n" * 100, mimetype="text/plain")


@app.get("/visits")
async def visits():
    session = request.scope["session"]
    session["visits"] = session.get("visits", 0) + 1
    return str(session["visits"])


@app.get("/boom")
async def boom():
    raise RuntimeError("for the log alone")


bare = app.asgi_app
app.asgi_app = wrap(
    bare,
    request_id=True,
    cors={"allow_origins": ["https://app.example"], "allow_credentials": True},
    server_errors=True,
    compression=True,
    sessions={"secret_key": os.environ["SESSION_KEY"], "session_cookie": "visitor"},  # "session" is Quart's own
)
