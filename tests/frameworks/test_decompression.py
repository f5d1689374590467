"""Request decoding in front of frameworks: JSON, forms and streams arrive decoded, and refusals are ours."""

from __future__ import annotations

import json

import pytest

from middlewares.compression import DecompressionMiddleware
from middlewares.testing import http_scope, run

from ..compression.coded import encode
from ..conftest import require

DATA = {"tea": ["green", "black"] * 300}
JSON = json.dumps(DATA).encode()
pytestmark = pytest.mark.slow

MAX_SIZE = 10_000


def fastapi():
    """FastAPI, which parses bodies before the endpoint runs."""
    module = require("fastapi")
    app = module.FastAPI()

    @app.post("/")
    async def endpoint(item: dict[str, list[str]]):
        return {"length": len(item["tea"])}

    app.add_middleware(DecompressionMiddleware, max_size=MAX_SIZE)
    return app


def starlette():
    """Starlette, with a layer that streams every body (BaseHTTPMiddleware) inside."""
    require("starlette")
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def endpoint(request):
        return JSONResponse({"length": len((await request.json())["tea"])})

    async def dispatch(request, call_next):
        return await call_next(request)

    layers = [Middleware(DecompressionMiddleware, max_size=MAX_SIZE), Middleware(BaseHTTPMiddleware, dispatch=dispatch)]
    return Starlette(routes=[Route("/", endpoint, methods=["POST"])], middleware=layers)


def quart():
    """Quart, which reads bodies in a task of its own."""
    module = require("quart")
    app = module.Quart("tea")

    @app.post("/")
    async def endpoint():
        return {"length": len((await module.request.get_json())["tea"])}

    app.asgi_app = DecompressionMiddleware(app.asgi_app, max_size=MAX_SIZE)
    return app


def django():
    """Django, which spools bodies before the view runs in a thread."""
    require("django")
    from django.conf import settings

    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["*"], SECRET_KEY="tea", ROOT_URLCONF=(), LOGGING_CONFIG=None)
    from django.core.handlers.asgi import ASGIHandler
    from django.http import JsonResponse
    from django.urls import path

    def view(request):
        return JsonResponse({"length": len(json.loads(request.body)["tea"])})

    class Handler(ASGIHandler):
        async def read_body(self, receive):
            try:
                return await super().read_body(receive)
            except Exception as error:
                # Django leaves its spool to the collector, which would tell of it within any other test.
                error.__traceback__.tb_next.tb_frame.f_locals["body_file"].close()
                raise

        def create_request(self, scope, body_file):
            request, error = super().create_request(scope, body_file)
            request.urlconf = (path("", view),)
            return request, error

    import django as package

    package.setup()
    handler = Handler()
    handler.load_middleware(is_async=True)
    return DecompressionMiddleware(handler, max_size=MAX_SIZE)


def flask():
    """Flask behind a2wsgi, told that the bridge ends the input (see the manual page)."""
    module = require("flask")
    bridge = require("a2wsgi")
    app = module.Flask("tea")

    @app.post("/")
    def endpoint():
        return {"length": len(module.request.get_json()["tea"])}

    def terminated(environ, start):
        return app({**environ, "wsgi.input_terminated": True}, start)

    return DecompressionMiddleware(bridge.WSGIMiddleware(terminated), max_size=MAX_SIZE)


@pytest.fixture(scope="module", params=[fastapi, starlette, quart, django, flask], ids=lambda make: make.__name__)
def app(request):
    """A framework's application behind request decoding."""
    return request.param()


def post(app, coding, body, *, cut=None):
    headers = [
        (b"content-type", b"application/json"),
        (b"content-encoding", coding.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"host", b"localhost"),
    ]
    pieces = [body] if cut is None else [body[:cut], body[cut:], b""]
    incoming = [
        {"type": "http.request", "body": piece, "more_body": index < len(pieces)}
        for index, piece in enumerate(pieces, 1)
    ]
    start, *bodies = run(app, http_scope("POST", "/", headers), *incoming)
    return start["status"], json.loads(b"".join(message.get("body", b"") for message in bodies))


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_json(app, coding):
    """JSON in each coding is parsed by the framework, in one piece and in several."""
    for cut in (None, 20):
        assert post(app, coding, encode(coding, JSON), cut=cut) == (200, {"length": 600})


@pytest.mark.parametrize(
    ("coding", "body", "status"),
    [
        ("gzip", b"garbage", 400),
        ("zstd", encode("zstd", JSON)[:-1], 400),
        ("br", encode("br", bytes(MAX_SIZE + 1)), 413),
        ("lzma", b"tea", 415),
    ],
    ids=["damaged", "truncated", "large", "unknown"],
)
def test_refusals(app, coding, body, status):
    """What the framework makes of the refusal, a 400 or 500 of its own, is not what the client gets."""
    answer, problem = post(app, coding, body)
    assert (answer, problem["status"]) == (status, status)
    assert ("decodes to more than" in problem["detail"]) is (status == 413)
