import os

from a2wsgi import WSGIMiddleware
from flask import Flask, Response, request

from middlewares import wrap

flask = Flask(__name__)
flask.config["PROPAGATE_EXCEPTIONS"] = True  # Flask would answer them with a page; server_errors does it better


@flask.get("/")
def menu():
    request_id = request.headers["X-Request-ID"]
    return Response(f"Request {request_id}\n" + "A cup of tea\n" * 100, mimetype="text/plain")


@flask.get("/visits")
def visits():
    session = request.environ["asgi.scope"]["session"]
    session["visits"] = session.get("visits", 0) + 1
    return str(session["visits"])


@flask.get("/boom")
def boom():
    raise RuntimeError("for the log alone")


app = wrap(
    WSGIMiddleware(flask, workers=20),  # how many requests are answered at a time, each in a thread
    request_id=True,
    cors={"allow_origins": ["https://app.example"], "allow_credentials": True},
    server_errors=True,
    compression=True,
    sessions={"secret_key": os.environ["SESSION_KEY"], "session_cookie": "visitor"},  # "session" is Flask's own
)
