import os

from a2wsgi import WSGIMiddleware
from bottle import Bottle, request, response

from middlewares import wrap

bare = Bottle(catchall=False)  # Bottle would answer exceptions with a page; server_errors does it better


@bare.get("/")
def menu():
    response.content_type = "text/plain"
    return f"Request {request.get_header('X-Request-ID')}\n" + "A cup of tea\n" * 100


@bare.get("/visits")
def visits():
    session = request.environ["asgi.scope"]["session"]
    session["visits"] = session.get("visits", 0) + 1
    return str(session["visits"])


@bare.get("/boom")
def boom():
    raise RuntimeError("for the log alone")


app = wrap(
    WSGIMiddleware(bare),
    request_id=True,
    cors={"allow_origins": ["https://app.example"], "allow_credentials": True},
    server_errors=True,
    compression=True,
    sessions={"secret_key": os.environ["SESSION_KEY"]},
)
