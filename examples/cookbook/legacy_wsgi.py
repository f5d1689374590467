"""CORS, compression and ids before an old WSGI application."""

from a2wsgi import WSGIMiddleware
from flask import Flask

from middlewares import wrap

legacy = Flask("legacy")  # or: from shop.wsgi import application as legacy


@legacy.get("/report")
def report():
    return {"rows": list(range(1000))}, {"Access-Control-Allow-Origin": "*"}


@legacy.post("/upload")
def upload():
    from flask import request

    return {"bytes": len(request.get_data())}


def whole_bodies(environ, start_response):
    # Decoded bodies have no Content-Length; the bridge ends the input, which Werkzeug has to be told.
    return legacy({**environ, "wsgi.input_terminated": True}, start_response)


app = wrap(
    WSGIMiddleware(whole_bodies),
    request_id=True,
    cors={"allow_origins": ["https://app.example"]},  # in place of what the views say
    server_errors=True,
    compression=True,
    decompression={"max_size": 10_000_000},
)
