"""Flask."""

from __future__ import annotations

from flask import Flask, Response, jsonify, request

from . import LARGE, PIECES, SECRET, counted, digest


def identity():
    return jsonify(id=request.headers["X-Request-ID"])


def large():
    return Response(LARGE, mimetype="text/plain")


def stream():
    return Response(iter(PIECES), mimetype="text/plain")


def cookies():
    response = Response("")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


def count():
    return counted(request.environ["asgi.scope"]["session"])


def boom():
    raise RuntimeError(SECRET)


def upload():
    return digest(request.get_data())


def application():
    app = Flask("tea")
    for path, view in {
        "/id": identity,
        "/large": large,
        "/stream": stream,
        "/cookies": cookies,
        "/count": count,
        "/boom": boom,
    }.items():
        app.add_url_rule(path, view_func=view)
    app.add_url_rule("/upload", view_func=upload, methods=["POST"])
    app.config["PROPAGATE_EXCEPTIONS"] = True  # exceptions are for the layer outside
    return app
