"""An application for real servers, whose sessions are in the store that the environment variable SESSIONS names.

Requests: `/set/<key>/<value>`, `/login/<user>` (a new id), `/logout`, and any other path. All are answered with the
session and the process that answered, as JSON.
"""

import json
import os

from middlewares.sessions import SessionMiddleware
from middlewares.sessions.stores.redis import RedisStore
from middlewares.sessions.stores.sqlite import SQLiteStore


async def answer(scope, receive, send):
    if scope["type"] == "lifespan":
        for kind in ("startup", "shutdown"):
            await receive()
            if kind == "shutdown":
                await store.aclose()
            await send({"type": f"lifespan.{kind}.complete"})
        return
    session = scope["session"]
    match scope["path"].strip("/").split("/"):
        case ["set", key, value]:
            session[key] = value
        case ["login", user]:
            session["user"] = user
            session.regenerate()
        case ["logout"]:
            session.invalidate()
    body = json.dumps({"session": session, "pid": os.getpid()}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


store = RedisStore(os.environ["SESSIONS"]) if "://" in os.environ["SESSIONS"] else SQLiteStore(os.environ["SESSIONS"])
app = SessionMiddleware(answer, secret_key="for these tests alone", store=store)
