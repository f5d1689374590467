import os

from a2wsgi import WSGIMiddleware
from pyramid.config import Configurator
from pyramid.response import Response

from middlewares import wrap


def menu(request):
    return Response(f"Request {request.headers['X-Request-ID']}\n" + "A cup of tea\n" * 100, content_type="text/plain")


def visits(request):
    session = request.environ["asgi.scope"]["session"]  # request.session is Pyramid's own
    session["visits"] = session.get("visits", 0) + 1
    return Response(json=session["visits"])


def boom(request):
    raise RuntimeError("for the log alone")


with Configurator() as config:
    for name, pattern, view in (("menu", "/", menu), ("visits", "/visits", visits), ("boom", "/boom", boom)):
        config.add_route(name, pattern)
        config.add_view(view, route_name=name)
    bare = config.make_wsgi_app()

app = wrap(
    WSGIMiddleware(bare),
    request_id=True,
    cors={"allow_origins": ["https://app.example"], "allow_credentials": True},
    server_errors=True,
    compression=True,
    sessions={"secret_key": os.environ["SESSION_KEY"]},
)
