import os

from a2wsgi import WSGIMiddleware
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, JsonResponse
from django.urls import path

from middlewares import wrap


def menu(request):
    request_id = request.headers["X-Request-ID"]
    return HttpResponse(f"Request {request_id}\n" + "A cup of tea\n" * 100, content_type="text/plain")


def visits(request):
    session = request.environ["asgi.scope"]["session"]  # request.session is Django's own
    session["visits"] = session.get("visits", 0) + 1
    return JsonResponse(session["visits"], safe=False)


def boom(request):
    raise RuntimeError("for the log alone")


# A project has these in settings.py and urls.py.
settings.configure(
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
    DEBUG_PROPAGATE_EXCEPTIONS=True,  # Django would answer them with a page; server_errors does it better
    ROOT_URLCONF=(path("", menu), path("visits", visits), path("boom", boom)),
    SECRET_KEY=os.environ["SESSION_KEY"],
)

# It has this in wsgi.py, where it is called `application`,
bare = get_wsgi_application()

# and this in a module of its own beside that.
application = wrap(
    WSGIMiddleware(bare),
    request_id=True,
    cors={"allow_origins": ["https://app.example"], "allow_credentials": True},
    server_errors=True,
    compression=True,
    sessions={"secret_key": os.environ["SESSION_KEY"]},
)
