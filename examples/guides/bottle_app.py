import os

from a2wsgi import WSGIMiddleware
from bottle import Bottle, request, response

from middlewares import wrap

app = Bottle(catchall=False)  # Bottle would answer exceptions with a page; server_errors does it better


@app.get("/")
def menu():
    response.content_type = "text/plain"
    return f"Request {request.get_header('X-Request-ID')}\n" + "A cup of tea\n" * 100


@app.get("/visits")
def visits():
    session = request.environ["asgi.scope"]["session"]
    session["visits"] = session.get("visits", 0) + 1
    return str(session["visits"])


@app.get("/boom")
def boom():
    raise RuntimeError("for the log alone")


app = wrap(
    WSGIMiddleware(app),
    request_id=True,
    cors={"allow_origins": ["https://app.example"], "allow_credentials": True},
    server_errors=True,
    compression=True,
    sessions={"secret_key": os.environ["SESSION_KEY"]},
)
