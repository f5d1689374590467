import os

from middlewares import wrap


async def bare(scope, receive, send):
    if scope["type"] != "http":
        raise ValueError(f"no {scope['type']} here")  # servers take this for "no lifespan"
    session, status = scope["session"], 200
    if scope["path"] == "/":
        text = f"Request {scope['state']['request_id']}\n" + "A cup of tea\n" * 100
    elif scope["path"] == "/visits":
        session["visits"] = session.get("visits", 0) + 1
        text = str(session["visits"])
    elif scope["path"] == "/boom":
        raise RuntimeError("for the log alone")
    else:
        text, status = "Not found\n", 404
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": text.encode()})


app = wrap(
    bare,
    request_id=True,
    cors={"allow_origins": ["https://app.example"], "allow_credentials": True},
    server_errors=True,
    compression=True,
    sessions={"secret_key": os.environ["SESSION_KEY"]},
)
