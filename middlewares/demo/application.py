"""The page and its endpoints behind the whole stack, with another application beside them."""

from __future__ import annotations

import html
import logging
import re
import secrets
from importlib.resources import files

from .._http.headers import request_values
from .._http.lists import members
from ..asgi import ASGIApp, Message, Receive, Scope, Send
from ..sessions import MemoryStore
from ..stack import wrap
from ..timing import AccessLog
from .endpoints import CORS, boom, endpoint, reply
from .log import LINES, logger

CURLS = """\
# the id of the request, its time, and the policy of CORS
curl -i {host}:{port}/demo/hello -H 'Origin: http://localhost:3000'
# an id from outside, adopted
curl -i {host}:{port}/demo/hello -H 'X-Request-ID: order-7'
# a preflight
curl -i {host}:{port}/demo/open -X OPTIONS -H 'Origin: http://localhost:3000' -H 'Access-Control-Request-Method: PUT'
# an unhandled exception
curl -i {host}:{port}/demo/boom
# one document in each coding, and its size
for coding in identity gzip br zstd; do
  curl -s -o /dev/null -w "$coding: %{{size_download}} bytes\\n" \\
    {host}:{port}/demo/document -H "Accept-Encoding: $coding"
done
# an event stream, event by event
curl -N --compressed {host}:{port}/demo/events
# a session: a number that grows, as long as the cookie comes back
curl -i -c jar -b jar -X POST {host}:{port}/demo/count
"""

# No inline script or style, nothing from elsewhere, in nobody's frame. The second origin is this machine by its other
# name, at whatever port the browser sees it.
_MACHINE = " ".join(f"{scheme}://{name}:*" for scheme in ("http", "ws") for name in ("localhost", "127.0.0.1"))
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    f"connect-src 'self' {_MACHINE}; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
)
_FILES = {
    "/": ("index.html", b"text/html; charset=utf-8"),
    "/demo/style.css": ("style.css", b"text/css; charset=utf-8"),
    "/demo/script.js": ("script.js", b"text/javascript; charset=utf-8"),
}
_HEADERS = (
    (b"content-security-policy", _POLICY.encode("ascii")),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-cache"),
)
_value_of_a_cookie = re.compile(rb"=[^;]*")


def application(
    beside: ASGIApp | None = None, *, host: str = "localhost", port: int = 8000, curls: str = CURLS
) -> ASGIApp:
    """The demo as an ASGI application.

    Its sessions are in memory, under a key that is made anew. Its log lines go to the logger `middlewares.demo`, which
    is set to INFO.

    Args:
        beside: The application of every path but `/` and those under `/demo`; it is also told of start and end
            (lifespan). None: there is nothing else.
        host: What `{host}` in `curls` stands for. Default: `"localhost"`.
        port: What `{port}` in `curls` stands for. Default: 8000.
        curls: What the page shows to try in a terminal; braces are doubled, as for `str.format`. Default: what works
            with the demo alone.
    """
    logger.setLevel(logging.INFO)
    logger.addHandler(LINES)
    contents = {path: (_read(name), kind) for path, (name, kind) in _FILES.items()}
    shown = html.escape(curls.format(host=host, port=port), quote=False)
    page, kind = contents["/"]
    contents["/"] = (page.replace(b"<!-- curls -->", shown.encode()), kind)

    async def content(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and scope["path"] in contents:
            await reply(send, *contents[scope["path"]], *_HEADERS)
        else:
            await endpoint(scope, receive, send)

    stack = _told(
        wrap(
            content,
            request_id={"trace_context": True},
            timing={"exporters": [AccessLog(logger=f"{logger.name}.access")]},
            cors=CORS,
            server_errors=True,
            compression={"use_as_dictionary": {"/demo/versions": "/demo/versions/*"}},
            decompression={"max_size": 1_000_000},
            sessions={"secret_key": secrets.token_urlsafe(32), "store": MemoryStore()},
        )
    )

    async def demo(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await (beside or _lifespan)(scope, receive, send)
        elif scope["path"] == "/demo/unguarded":
            await boom(scope, receive, send)  # as applications fail without any layer
        elif beside is None or scope["path"] == "/" or scope["path"].startswith("/demo/"):
            await stack(scope, receive, send)
        else:
            await beside(scope, receive, send)

    return demo


def _read(name: str) -> bytes:
    return files(__name__.rpartition(".")[0]).joinpath("static", name).read_bytes()


def _told(app: ASGIApp) -> ASGIApp:
    """What scripts cannot do by themselves: choose a coding, by `?coding=…`, and see which cookie is set."""

    async def told(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return

        async def send_told(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"]
                cookies = [value for name, value in headers if name == b"set-cookie"]
                told = [(b"demo-set-cookie", _value_of_a_cookie.sub(b"=...", cookie, 1)) for cookie in cookies]
                message = {**message, "headers": [*headers, *told]}
            await send(message)

        await app(_narrowed(scope), receive, send_told)

    return told


def _narrowed(scope: Scope) -> Scope:
    """The scope with Accept-Encoding narrowed to `?coding=…`, if the browser takes that one at all."""
    query = scope["query_string"]
    if not query.startswith(b"coding="):
        return scope
    coding = query.removeprefix(b"coding=").partition(b"&")[0]
    offered = {member.partition(b";")[0].strip() for member in members(request_values(scope, b"accept-encoding"))}
    headers = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
    return {**scope, "headers": [*headers, (b"accept-encoding", coding if coding in offered else b"identity")]}


async def _lifespan(_scope: Scope, receive: Receive, send: Send) -> None:
    for phase in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{phase}.complete"})
