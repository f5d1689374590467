"""Pyramid."""

from __future__ import annotations

from pyramid.config import Configurator
from pyramid.response import Response

from . import LARGE, PIECES, SECRET, counted, digest


def identity(request):
    return Response(json_body={"id": request.headers["X-Request-ID"]})


def large(request):
    return Response(LARGE, content_type="text/plain", charset="utf-8")


def stream(request):
    return Response(app_iter=[piece.encode() for piece in PIECES], content_type="text/plain", charset="utf-8")


def cookies(request):
    response = Response("")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


def count(request):
    return Response(counted(request.environ["asgi.scope"]["session"]))


def boom(request):
    raise RuntimeError(SECRET)


def upload(request):
    return Response(digest(request.body))


def application():
    with Configurator() as config:
        for view in (identity, large, stream, cookies, count, boom, upload):
            name = "id" if view is identity else view.__name__
            config.add_route(name, f"/{name}")
            config.add_view(view, route_name=name)
        return config.make_wsgi_app()
