"""Django, as ASGI and as WSGI application, and behind a router of Channels."""

from __future__ import annotations

import django
from channels.generic.websocket import WebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

from . import LARGE, PIECES, SECRET, counted, digest


def _scope(request):
    return getattr(request, "scope", None) or request.environ["asgi.scope"]


def identity(request):
    return JsonResponse({"id": request.headers["X-Request-ID"]})


def large(request):
    return HttpResponse(LARGE, content_type="text/plain; charset=utf-8")


def stream(request):
    async def pieces():
        for piece in PIECES:
            yield piece

    pieces = pieces() if hasattr(request, "scope") else iter(PIECES)
    return StreamingHttpResponse(pieces, content_type="text/plain")


def cookies(request):
    response = HttpResponse("")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


def count(request):
    return HttpResponse(counted(_scope(request)["session"]))


def boom(request):
    raise RuntimeError(SECRET)


def upload(request):
    return HttpResponse(digest(request.body))


class Socket(WebsocketConsumer):
    def receive(self, text_data=None, bytes_data=None):
        self.send(text_data)


urlpatterns = [
    path("id", identity), path("large", large), path("stream", stream), path("cookies", cookies), path("count", count),
    path("boom", boom), path("upload", upload),
]  # fmt: skip


def _configured():
    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["*"], SECRET_KEY="tea", LOGGING_CONFIG=None, ROOT_URLCONF=__name__)
    settings.ROOT_URLCONF = __name__
    settings.DEBUG_PROPAGATE_EXCEPTIONS = True  # exceptions are for the layer outside
    django.setup()


def application():
    _configured()
    return get_asgi_application()


def channels():
    return ProtocolTypeRouter({"http": application(), "websocket": URLRouter([path("ws", Socket.as_asgi())])})


def wsgi():
    _configured()
    return get_wsgi_application()
