"""Two applications behind one stack: Starlette, and under /legacy an old Flask application, served by uvicorn.

`make demo`, or `PORT=8123 python examples/demo.py`. What to curl is printed, and shown at the end of the page at /,
which is that of `middlewares demo`.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import time
from urllib.parse import parse_qs

import flask
from a2wsgi import WSGIMiddleware
from prometheus_client import make_asgi_app
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute

from middlewares import wrap
from middlewares.demo import serve
from middlewares.sessions import MemoryStore
from middlewares.timing import AccessLog, PrometheusExporter, span

CURLS = """\
# a page of an allowed origin: CORS headers and X-Request-ID
curl -i localhost:{port}/hello -H 'Origin: https://app.example'
# a foreign page: without CORS headers, its browser keeps the answer from it
curl -i localhost:{port}/hello -H 'Origin: https://evil.example'
# a preflight
curl -i localhost:{port}/hello -X OPTIONS -H 'Origin: https://app.example' -H 'Access-Control-Request-Method: PUT'
# an unhandled exception: a 500 that the page may read
curl -i localhost:{port}/boom -H 'Origin: https://app.example'
# the legacy application: its own "Access-Control-Allow-Origin: *" is replaced by the policy
curl -i localhost:{port}/legacy/report -H 'Origin: https://app.example'
# an id from outside, adopted
curl -i localhost:{port}/legacy/ -H 'X-Request-ID: order-7'
# a WebSocket of a foreign page: refused
curl -i localhost:{port}/ws -H 'Origin: https://evil.example' -H 'Connection: Upgrade' -H 'Upgrade: websocket' \\
  -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=='
# what took how long: Server-Timing, in the browser's developer tools, too
curl -i localhost:{port}/menu
# what Prometheus scrapes
curl -s localhost:{port}/metrics/ | grep duration_seconds_count
# an upload in gzip: the application sees plain JSON
echo '{{"tea": 2}}' | gzip | curl -i localhost:{port}/orders --data-binary @- -H 'Content-Encoding: gzip'
# an upload that is not what it says: refused
curl -i localhost:{port}/orders -d 'tea' -H 'Content-Encoding: gzip'
# one document in each coding, and its size
for coding in identity gzip br zstd; do
  curl -s -o /dev/null -w "$coding: %{{size_download}} bytes\\n" localhost:{port}/teas -H "Accept-Encoding: $coding"
done
# its tag in a coding of its own, and a 304 for who holds it
curl -I --compressed localhost:{port}/teas
curl -i localhost:{port}/teas -H 'Accept-Encoding: br' -H 'If-None-Match: "v1-br"'
# a stream: passes piece by piece, also in a coding
curl -N --compressed localhost:{port}/stream
# an event stream: event by event
curl -N --compressed localhost:{port}/events
# a session: a number that grows, as long as the cookie comes back
curl -i -c jar -b jar localhost:{port}/counter
# a login takes a new id, and keeps the number; a logout ends the session
curl -i -c jar -b jar localhost:{port}/login -d 'user=ada'
curl -i -c jar -b jar localhost:{port}/counter
curl -i -c jar -b jar -X POST localhost:{port}/logout
"""

# ---- a modern application


async def hello(request):
    return JSONResponse({"hello": "world", "request_id": request.state.request_id})


async def order(request):
    return JSONResponse({"ordered": await request.json(), "size": len(await request.body())})


async def menu(request):
    with span("db", "SELECT name FROM teas"):
        await asyncio.sleep(0.012)  # a query
        teas = ["Assam", "Sencha"]
    return HTMLResponse(list_of(teas))


@span("template")
def list_of(teas):
    time.sleep(0.003)  # rendering
    items = "".join(f"<li>{tea}" for tea in teas)
    return f"<!doctype html><title>Menu</title><link rel='icon' href='data:,'><ul>{items}</ul>\n"


def told(request):
    session = request.session
    return JSONResponse({"user": session.get("user"), "count": session.get("count", 0)})


async def counter(request):
    request.session["count"] = request.session.get("count", 0) + 1
    return told(request)


async def login(request):
    [user] = parse_qs((await request.body()).decode()).get("user", ["nobody"])[:1]
    request.session.regenerate()  # whoever knew the id of before has nothing
    request.session["user"] = user
    return told(request)


async def logout(request):
    request.session.invalidate()
    return told(request)


async def boom(request):
    raise RuntimeError("this text is for the log, not for the client")


async def stream(request):
    async def pieces():
        for number in range(5):
            yield f"piece {number}\n"
            await asyncio.sleep(0.2)

    return StreamingResponse(pieces(), media_type="text/plain")


TEAS = [{"id": number, "name": f"Tea No. {number}", "price": 3 + number % 7} for number in range(1000)]


async def teas(request):
    headers = {"ETag": '"v1"', "Cache-Control": "max-age=60"}
    if request.headers.get("If-None-Match") == headers["ETag"]:  # the demo's own tag, whatever coding the client holds
        return Response(status_code=304, headers=headers)
    return JSONResponse(TEAS, headers=headers)


async def events(request):
    async def pieces():
        for number in range(5):
            yield f'data: {{"tea": {number}}}\n\n'
            await asyncio.sleep(0.2)

    return StreamingResponse(pieces(), media_type="text/event-stream")


async def echo(websocket):
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)


async def raise_on(request, exc):
    """Starlette answers an exception itself, in plain text; a handler that raises leaves it to the stack outside."""
    raise exc


# ---- a legacy application, which has CORS headers of its own

legacy = flask.Flask("legacy")
legacy.config["PROPAGATE_EXCEPTIONS"] = True  # Flask, too, leaves its exceptions to the stack


@legacy.get("/")
def old_page():
    return f"<h1>Flask</h1><p>Request {flask.request.headers['X-Request-ID']}</p>"


@legacy.get("/report")
def report():
    request_id = flask.request.environ["asgi.scope"]["state"]["request_id"]
    return {"report": "legacy", "request_id": request_id}, {"Access-Control-Allow-Origin": "*"}


@legacy.get("/boom")
def old_boom():
    raise RuntimeError("this text, too")


# ---- both behind one stack

app = wrap(
    Starlette(
        routes=[
            Route("/hello", hello, methods=["GET", "PUT"]),
            Route("/orders", order, methods=["POST"]),
            Route("/menu", menu),
            Route("/counter", counter),
            Route("/login", login, methods=["POST"]),
            Route("/logout", logout, methods=["POST"]),
            Route("/boom", boom),
            Route("/stream", stream),
            Route("/events", events),
            Route("/teas", teas),
            WebSocketRoute("/ws", echo),
            Mount("/legacy", WSGIMiddleware(legacy)),
            Mount("/metrics", make_asgi_app()),  # for Prometheus: a firewall or a proxy keeps the public from it
        ],
        exception_handlers={Exception: raise_on},
    ),
    request_id={"trace_context": True},
    timing={"exporters": [AccessLog(), PrometheusExporter()], "exclude": ["/metrics"]},
    cors={
        "allow_origins": ["https://app.example", "http://localhost:*", "http://127.0.0.1:*"],
        "allow_methods": ["GET", "PUT"],
        "allow_headers": ["Content-Type", "X-Request-ID"],
        "expose_headers": ["X-Request-ID"],
        "allow_credentials": True,
    },
    server_errors=True,
    compression={"use_as_dictionary": {"/teas": "/teas*"}},
    decompression={"max_size": 1_000_000},
    sessions={
        "secret_key": secrets.token_urlsafe(32),  # made anew at each start, as what is in the memory ends, too
        "store": MemoryStore(),
    },
)


def main():
    port = int(os.environ.get("PORT", "8000"))
    try:
        serve(port=port, beside=app, curls=CURLS)
    except OSError as error:
        sys.exit(f"Port {port} is not free ({os.strerror(error.errno)}). Take another one: make demo PORT=8123")


if __name__ == "__main__":
    main()
