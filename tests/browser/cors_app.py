"""The application that the browser asks across origins: a policy for each path, and a log of what the server got.

It is its own other side: a page of http://localhost asks http://127.0.0.1, which is another origin.
"""

from __future__ import annotations

import json
from urllib.parse import parse_qs

from middlewares import wrap

SITES = ["http://localhost:*", "https://localhost:*"]
ETAG = b'"v1"'


async def respond(send, status, body=b"", *headers):
    """Send a whole response."""
    headers = [(b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Application:
    """Answers by the last segment of the path."""

    async def __call__(self, scope, receive, send):
        assert scope["type"] != "lifespan"
        query = {key: values[0] for key, values in parse_qs(scope["query_string"].decode()).items()}
        query.pop("n", None)  # which makes addresses new to the browser's caches
        while scope["type"] == "http" and (await receive()).get("more_body"):
            pass
        await getattr(self, scope["path"].rpartition("/")[2])(scope, receive, send, **query)

    async def page(self, scope, receive, send):
        """An empty page."""
        await respond(send, 200, b"<!doctype html><link rel=icon href='data:,'>", (b"content-type", b"text/html"))

    async def sandbox(self, scope, receive, send):
        """A page with a frame whose origin is `null`."""
        frame = b"<!doctype html><link rel=icon href='data:,'><iframe sandbox=allow-scripts src=/page></iframe>"
        await respond(send, 200, frame, (b"content-type", b"text/html"))

    async def echo(self, scope, receive, send, status="200"):
        """What came, and headers to be exposed or not."""
        seen = {"method": scope["method"], "headers": {k.decode(): v.decode("latin-1") for k, v in scope["headers"]}}
        body = b"" if status == "204" else json.dumps(seen).encode()
        await respond(send, int(status), body, (b"content-type", b"application/json"), (b"x-secret", b"42"))

    async def login(self, scope, receive, send):
        """Sets a cookie."""
        await respond(send, 200, b"", (b"set-cookie", b"user=ann; Path=/"))

    async def cached(self, scope, receive, send):
        """May be taken from the browser's cache."""
        await respond(send, 200, b"cached", (b"cache-control", b"max-age=600"))

    async def tagged(self, scope, receive, send):
        """Has to be asked for again, and is answered with 304 then."""
        headers = [(b"etag", ETAG), (b"cache-control", b"no-cache")]
        if dict(scope["headers"]).get(b"if-none-match") == ETAG:
            await respond(send, 304, b"", *headers)
        else:
            await respond(send, 200, b"tagged", *headers)

    async def redirect(self, scope, receive, send, to):
        """Leads elsewhere, preflights too where they come here."""
        await respond(send, 302, b"", (b"location", to.encode()))

    async def readable(self, scope, receive, send):
        """Has the headers that any page may read, and two that none may."""
        names = ["cache-control", "content-language", "content-type", "expires", "last-modified", "pragma"]
        await respond(send, 200, b"", *[(name.encode(), b"0") for name in [*names, "set-cookie", "x-secret"]])

    async def image(self, scope, receive, send):
        """A pixel."""
        pixel = b"<svg xmlns='http://www.w3.org/2000/svg' width='1' height='1'/>"
        await respond(send, 200, pixel, (b"content-type", b"image/svg+xml"))

    async def script(self, scope, receive, send):
        """A script that says that it ran; has to be asked for again."""
        headers = [(b"etag", ETAG), (b"cache-control", b"no-cache"), (b"content-type", b"text/javascript")]
        if dict(scope["headers"]).get(b"if-none-match") == ETAG:
            await respond(send, 304, b"", *headers)
        else:
            await respond(send, 200, b"window.ran = (window.ran || 0) + 1", *headers)

    async def own(self, scope, receive, send):
        """Has permissions of its own, as legacy applications do."""
        await respond(send, 200, b"own", (b"Access-Control-Allow-Origin", b"*"), (b"Vary", b"Cookie"))

    async def boom(self, scope, receive, send):
        """Fails."""
        raise RuntimeError("this text is for the log alone")

    async def socket(self, scope, receive, send):
        """Says hello to a WebSocket."""
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "hello"})
        await receive()


class Log:
    """Outermost: what the server got, preflights too, under /log."""

    def __init__(self, app):
        self.app = app
        self.seen = []

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http" and scope["path"] == "/log":
            seen, self.seen = self.seen, []
            return await respond(send, 200, json.dumps(seen).encode(), (b"content-type", b"application/json"))
        if scope["type"] == "http":
            self.seen.append(f"{scope['method']} {scope['path']}")
        elif scope["type"] == "websocket":
            self.seen.append(f"socket {scope['path']}")
        await self.app(scope, receive, send)


app = Log(
    wrap(
        Application(),
        request_id=True,
        cors={
            "allow_origins": SITES,
            "allow_methods": ["GET", "HEAD", "POST", "PUT", "DELETE"],
            "allow_headers": ["X-Token"],
            "allow_credentials": True,
            "expose_headers": ["X-Request-ID"],
            "overrides": {
                "/open": {"allow_origins": "*", "allow_methods": "*", "allow_headers": "*", "allow_credentials": False},
                "/mirror": {"allow_methods": "*", "allow_headers": "*", "expose_headers": ["*", "X-Request-ID"]},
                "/null": {"allow_origins": [*SITES, "null"]},
                "/uncached": {"max_age": 0},
                "/brief": {"max_age": 1},
                "/none": None,
            },
        },
        server_errors=True,
    )
)
