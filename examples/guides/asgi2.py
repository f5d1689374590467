import os

from middlewares import wrap


class Tea:
    def __init__(self, scope):
        self.scope = scope

    async def __call__(self, receive, send):
        session = self.scope["session"]
        if self.scope["path"] == "/boom":
            raise RuntimeError("for the log alone")
        if self.scope["path"] == "/visits":
            session["visits"] = session.get("visits", 0) + 1
            text = str(session["visits"])
        else:
            text = f"Request {self.scope['state']['request_id']}\n" + "A cup of tea\n" * 100
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": text.encode()})


app = wrap(
    Tea,  # the class, not an instance
    request_id=True,
    cors={"allow_origins": ["https://app.example"], "allow_credentials": True},
    server_errors=True,
    compression=True,
    sessions={"secret_key": os.environ["SESSION_KEY"]},
)
