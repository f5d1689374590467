"""Two applications behind one stack: Starlette, and under /legacy an old Flask application, served by uvicorn.

`make demo`, or `PORT=8123 python examples/demo.py`. What to curl is printed, and shown by the page at /.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
import time

import flask
import uvicorn
from a2wsgi import WSGIMiddleware
from prometheus_client import make_asgi_app
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute

from middlewares import wrap
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
# a stream: passes piece by piece
curl -N localhost:{port}/stream
"""

# ---- a modern application


async def index(request):
    port = request.url.port or 80
    return HTMLResponse(
        f"<!doctype html><title>asgi-middlewares</title><link rel='icon' href='data:,'>"
        f"<h1>It runs. Try</h1><pre>{CURLS.format(port=port)}</pre>"
    )


async def hello(request):
    return JSONResponse({"hello": "world", "request_id": request.state.request_id})


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


async def boom(request):
    raise RuntimeError("this text is for the log, not for the client")


async def stream(request):
    async def pieces():
        for number in range(5):
            yield f"piece {number}\n"
            await asyncio.sleep(0.2)

    return StreamingResponse(pieces(), media_type="text/plain")


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
            Route("/", index),
            Route("/hello", hello, methods=["GET", "PUT"]),
            Route("/menu", menu),
            Route("/boom", boom),
            Route("/stream", stream),
            WebSocketRoute("/ws", echo),
            Mount("/legacy", WSGIMiddleware(legacy)),
            Mount(
                "/metrics", make_asgi_app()
            ),  # for Prometheus alone: keep it from the public by a firewall or a proxy
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
)


def main():
    port = int(os.environ.get("PORT", "8000"))
    try:
        listener = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        sys.exit(f"Port {port} is not free ({os.strerror(error.errno)}). Take another one: make demo PORT=8123")
    print(f"Open http://127.0.0.1:{port}/ or, in another terminal:\n\n{CURLS.format(port=port)}", flush=True)
    logging.basicConfig(level=logging.INFO, format="%(message)s")  # AccessLog's lines, in place of uvicorn's
    with listener, contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(uvicorn.Config(app, access_log=False)).run(sockets=[listener])


if __name__ == "__main__":
    main()
