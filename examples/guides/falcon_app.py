import os

import falcon.asgi

from middlewares import wrap


class Menu:
    async def on_get(self, req, resp):
        resp.content_type = falcon.MEDIA_TEXT
        resp.text = f"Request {req.scope['state']['request_id']}\n" + "A cup of tea\n" * 100


class Visits:
    async def on_get(self, req, resp):
        session = req.scope["session"]
        session["visits"] = session.get("visits", 0) + 1
        resp.media = session["visits"]


class Boom:
    async def on_get(self, req, resp):
        raise RuntimeError("for the log alone")


async def raise_on(req, resp, error, params, ws=None):
    raise error  # Falcon would answer it itself; server_errors does it better


bare = falcon.asgi.App()
bare.add_route("/", Menu())
bare.add_route("/visits", Visits())
bare.add_route("/boom", Boom())
bare.add_error_handler(Exception, raise_on)

app = wrap(
    bare,
    request_id=True,
    cors={"allow_origins": ["https://app.example"], "allow_credentials": True},
    server_errors=True,
    compression=True,
    sessions={"secret_key": os.environ["SESSION_KEY"]},
)
