import os

from channels.generic.websocket import WebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpResponse, JsonResponse
from django.urls import path

from middlewares import wrap


def menu(request):
    request_id = request.scope["state"]["request_id"]
    return HttpResponse(f"Request {request_id}\n" + "A cup of tea\n" * 100, content_type="text/plain")


def visits(request):
    session = request.scope["session"]
    session["visits"] = session.get("visits", 0) + 1
    return JsonResponse(session["visits"], safe=False)


def boom(request):
    raise RuntimeError("for the log alone")


class Counter(WebsocketConsumer):
    def receive(self, text_data=None, bytes_data=None):
        self.send(f"{self.scope['session'].get('visits', 0)} visits, request {self.scope['state']['request_id']}")


settings.configure(
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
    DEBUG_PROPAGATE_EXCEPTIONS=True,
    ROOT_URLCONF=(path("", menu), path("visits", visits), path("boom", boom)),
    SECRET_KEY=os.environ["SESSION_KEY"],
)

application = wrap(
    ProtocolTypeRouter({"http": get_asgi_application(), "websocket": URLRouter([path("ws", Counter.as_asgi())])}),
    request_id=True,
    cors={"allow_origins": ["https://app.example"], "allow_credentials": True},
    server_errors=True,
    compression=True,
    sessions={"secret_key": os.environ["SESSION_KEY"]},
)
