"""The template of a route, out of what the routers of frameworks leave in the scope; and how a record is shown."""

import uuid

import pytest

from middlewares.testing import http_scope, run
from middlewares.timing import TimingMiddleware
from middlewares.timing.records import route_template
from tests.conftest import require


class Route:
    def __init__(self, path):
        self.path = path


class Mount(Route):
    routes = ()


class Routing(Route):
    routes = (Route("/x"),)


def mounted(root, route, params, outer="", host=b"testserver"):
    scope = {"app_root_path": outer, "root_path": outer + root, "route": route, "path_params": params}
    return {**scope, "headers": [(b"host", host)]}


class Context:
    path_format = "/api/i/{id}"


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ({}, None),
        ({"route": object()}, None),
        ({"route": Route(b"/x")}, None),
        ({"path_template": "/l/{id}"}, "/l/{id}"),
        ({"path_template": None, "fastapi": {}}, None),
        ({"route": Route("/i/{id}"), "fastapi": {"effective_route_context": Context}}, "/api/i/{id}"),
        ({"route": Route("/a/{id:int}"), "path_params": {"id": 3}, "root_path": "/proxy"}, "/a/{id:int}"),
        (mounted("/m", Route("/a"), {}), "/m/a"),
        (mounted("/m", Route("/a"), None, "/proxy"), "/m/a"),
        ({**mounted("/m", Route("/a"), {}), "root_path": "/other", "app_root_path": "/proxy"}, "/a"),
        (mounted("/t/acme", Route("/x/{y}"), {"name": "acme", "y": "acme"}), "/t/{name}/x/{y}"),
        (mounted("/api/api", Route("/x"), {"name": "api"}), "/api/{name}/x"),
        (mounted("/a/b/a", Route("/"), {"x": "a", "y": "a"}), "/{x}/b/{y}/"),
        (mounted("/u/007", Route("/"), {"n": 7}), "/u/{n}/"),
        (mounted("/f/a/b", Route("/x"), {"p": "a/b"}), "/f/{p}/x"),
        (mounted("/f/a/c", Route("/x"), {"p": "a/b"}), None),
        (mounted("/f/x", Route("/x"), {"p": "gone"}), None),
        (mounted("/o/1", Route("/x"), {"p": object()}), None),
        (
            mounted("/id/9F1B2C3D-0000-4000-8000-000000000001", Route("/x"),
                    {"p": uuid.UUID("9f1b2c3d-0000-4000-8000-000000000001")}),
            "/id/{p}/x",
        ),
        (mounted("/w", Mount("/w"), {}), "/w"),
        (mounted("/t/acme", Mount("/t/{name}"), {"name": "acme"}), "/t/{name}"),
        (mounted("/t/gone", Mount("/t/{name}"), {"name": "acme"}), None),
        (mounted("/m", Routing("/m"), {}), None),
        ({"route": Routing("/m")}, None),
        ({"route": Mount("/m")}, "/m"),
        ({**mounted("/m", Mount("/m"), {}), "path_template": "/l/{id}"}, "/m/l/{id}"),
        ({**mounted("/m", Mount("/m"), {}), "path_template": "/m"}, "/m/m"),
        ({**mounted("/t/acme", Mount("/t/{name}"), {"id": 3}, "/proxy"), "path_template": "/l/{id}"}, "/t/{name}/l/{id}"),
        ({**mounted("/a/t/acme", Mount("/t/{name}"), {"id": 3}), "path_template": "/l/{id}"}, None),
        ({**mounted("/t/acme", Route("/t/{name}"), {"id": 3}), "path_template": "/l/{id}"}, None),
        ({**mounted("/t/acme", None, {"id": 3}), "path_template": "/l/{id}"}, None),
        (mounted("/m", Route("/a"), {"tenant": "acme"}, host=b"acme.example"), "/m/a"),
        (mounted("/m", Route("/a"), {"tenant": "acme"}), None),
        (mounted("/t/acme", Route("/x"), {"tenant": "acme"}, host=b"acme.example"), "/t/{tenant}/x"),
    ],
)  # fmt: skip
def test_route_template(scope, expected):
    """The template has the prefix of mounts, and never the value of a parameter: each would be a series of its own."""
    assert route_template(scope) == expected


def route_of(app, path, root_path=""):
    records = []
    run(TimingMiddleware(app, on_complete=records.append), http_scope(path=path, root_path=root_path))
    (record,) = records
    return record.status, record.route


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a/3", (200, "/a/{id:int}")),
        ("/t/acme/x/1", (200, "/t/{name}/x/{y}")),
        ("/t/acme/u/007/z", (200, "/t/{name}/u/{n}/z")),
        ("/files/a/b", (200, "/files")),
        ("/nope", (404, None)),
        ("/t/acme/nope", (404, None)),
    ],
)
def test_starlette(path, expected):
    """Routes, mounts with parameters, and paths that match nothing, or nothing below a mount, in Starlette."""
    require("starlette")
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Mount, Route

    def end(request):
        return PlainTextResponse("x")

    inner = [Route("/x/{y}", end), Mount("/u/{n:int}", routes=[Route("/z", end)])]
    files = Mount("/files", app=PlainTextResponse("x"))
    app = Starlette(routes=[Route("/a/{id:int}", end), Mount("/t/{name}", routes=inner), files])
    assert route_of(app, path) == expected


def test_root_path_is_the_one_of_the_request():
    """A record tells the `root_path` that the request came with, not what Starlette's mounts have made of it."""
    routing = require("starlette.routing")
    records = []

    async def end(scope, receive, send): ...

    app = TimingMiddleware(routing.Router([routing.Mount("/m", app=end)]), on_complete=records.append)
    run(app, http_scope(path="/proxy/m/x", root_path="/proxy"))
    run(app, http_scope(path="/m/x"))
    run(TimingMiddleware(end, on_complete=records.append), http_scope(root_path=None))
    assert [(record.root_path, record.scope["root_path"]) for record in records] == [
        ("/proxy", "/proxy/m"),
        ("", "/m"),
        ("", None),
    ]


@pytest.mark.parametrize("root_path", ["", "/proxy"])
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/v1/in/3", (200, "/api/{version}/in/{x}")),
        ("/sub/in/3", (200, "/sub/in/{x}")),
        ("/t/acme/in/acme", (200, "/t/{name}/in/{x}")),
        ("/t/acme/s/acme", (200, "/t/{name}/s/{a}")),
        ("/none", (404, None)),
        ("/t/acme/none", (404, None)),
    ],
)
def test_fastapi(path, expected, root_path):
    """FastAPI: with the prefixes of `include_router`, nested ones too, and of mounted applications, behind a proxy."""
    require("fastapi")
    from fastapi import APIRouter, FastAPI

    inner = APIRouter(prefix="/in")
    inner.get("/{x}")(lambda x: x)
    outer = APIRouter()
    outer.include_router(inner)
    sub = FastAPI()
    sub.include_router(inner)
    sub.get("/s/{a}")(lambda a: a)
    app = FastAPI()
    app.include_router(outer, prefix="/api/{version}")
    app.mount("/sub", sub)
    app.mount("/t/{name}", sub)
    assert route_of(app, root_path + path, root_path) == expected


def test_litestar():
    """Litestar: the template that it leaves in the scope."""
    require("litestar")
    from litestar import Litestar, get

    @get("/l/{number:int}", sync_to_thread=False)
    def show() -> int:
        return 1

    assert route_of(Litestar([show]), "/l/3") == (200, "/l/{number}")
    assert route_of(Litestar([show]), "/none") == (404, None)


def test_litestar_in_a_mount_with_a_parameter():
    """Litestar in a mount of Starlette, whose parameters it replaces: still no value of them."""
    require("litestar")
    from litestar import Litestar, get
    from starlette.applications import Starlette
    from starlette.routing import Mount

    @get("/l/{number:int}", sync_to_thread=False)
    def show() -> int:
        return 1

    app = Starlette(
        routes=[Mount("/t/{name}", Litestar([show])), Mount("/in", routes=[Mount("/{x}", Litestar([show]))])]
    )
    assert route_of(app, "/t/acme/l/3") == (200, "/t/{name}/l/{number}")
    assert route_of(app, "/in/acme/l/3") == (200, None)


def test_mount_in_a_host():
    """A parameter of Starlette's `Host` has no place in the path, and costs no route its template."""
    require("starlette")
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Host, Mount, Route, Router

    api = Mount("/api/{version}", routes=[Route("/x/{y}", lambda request: PlainTextResponse("x"))])
    app = Starlette(routes=[Host("{tenant}.example.org", app=Router([api]))])
    records = []
    scope = http_scope("GET", "/api/v1/x/acme", [(b"host", b"acme.example.org")])
    run(TimingMiddleware(app, on_complete=records.append), scope)
    assert records[0].route == "/api/{version}/x/{y}"
