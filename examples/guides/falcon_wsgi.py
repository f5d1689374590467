import os

import falcon
from a2wsgi import WSGIMiddleware

from middlewares import wrap


class Menu:
    def on_get(self, req, resp):
        resp.content_type = falcon.MEDIA_TEXT
        resp.text = f"Request {req.get_header('X-Request-ID')}\n" + "A cup of tea\n" * 100


class Visits:
    def on_get(self, req, resp):
        session = req.env["asgi.scope"]["session"]
        session["visits"] = session.get("visits", 0) + 1
        resp.media = session["visits"]


class Boom:
    def on_get(self, req, resp):
        raise RuntimeError("for the log alone")


def raise_on(req, resp, error, params):
    raise error  # Falcon would answer it itself; server_errors does it better


bare = falcon.App()
bare.add_route("/", Menu())
bare.add_route("/visits", Visits())
bare.add_route("/boom", Boom())
bare.add_error_handler(Exception, raise_on)

app = wrap(
    WSGIMiddleware(bare),
    request_id=True,
    cors={"allow_origins": ["https://app.example"], "allow_credentials": True},
    server_errors=True,
    compression=True,
    sessions={"secret_key": os.environ["SESSION_KEY"]},
)
