"""A bare WSGI application."""

from __future__ import annotations

import json
from http import HTTPStatus

from . import LARGE, PIECES, SECRET, counted, digest


def hello_world(environ, start_response):
    headers, pieces = [("Content-Type", "text/plain; charset=utf-8")], [""]
    status = HTTPStatus.OK
    match environ["PATH_INFO"]:
        case "/id":
            pieces = [json.dumps({"id": environ["HTTP_X_REQUEST_ID"]})]
        case "/large":
            pieces = [LARGE]
        case "/stream":
            pieces = PIECES
        case "/cookies":
            headers += [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
        case "/count":
            pieces = [counted(environ["asgi.scope"]["session"])]
        case "/boom":
            raise RuntimeError(SECRET)
        case "/upload":
            pieces = [digest(environ["wsgi.input"].read())]
        case _:
            status = HTTPStatus.NOT_FOUND
    start_response(f"{status.value} {status.phrase}", headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [piece.encode() for piece in pieces]
