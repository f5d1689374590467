"""Each file of `examples/guides/` works as its page says, behind each layer; the pages show these files, and no other code."""

from __future__ import annotations

import importlib
import json
import re
import runpy
import shlex
import threading
from contextlib import ExitStack, suppress
from pathlib import Path

import anyio
import pytest

from middlewares import CORSMiddleware, RequestIDMiddleware, ServerErrorMiddleware, SessionMiddleware, Stack, use, when
from middlewares.request_id import current_request_id
from middlewares.testing import Browser, http_scope, lifespan_scope, run, websocket_scope

from .conftest import require
from .frameworks.checks import client
from .frameworks.matrix import BRIDGES

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples" / "guides"
PAGES = sorted((ROOT / "docs" / "guides").glob("*.md"))
PAGE = {"Origin": "https://app.example"}

# What answers an exception itself, and with what: no way leads from there to server_errors.
ANSWERS = {"blacksheep_app": "text/plain", "litestar_own": "application/json", "sanic_app": "text/plain"}

# Example -> what it needs.
NEEDS = {
    "asgi2": [],
    "asgi3": [],
    "blacksheep_app": ["blacksheep"],
    "bottle_app": ["a2wsgi", "bottle"],
    "bridges": ["a2wsgi", "asgiref", "hypercorn"],
    "channels_asgi": ["channels", "django"],
    "django_asgi": ["django"],
    "django_wsgi": ["a2wsgi", "django"],
    "falcon_app": ["falcon"],
    "falcon_wsgi": ["a2wsgi", "falcon"],
    "fastapi_app": ["fastapi"],
    "fastapi_own": ["fastapi"],
    "flask_app": ["a2wsgi", "flask"],
    "granian_wsgi": ["a2wsgi"],
    "hello_world": ["a2wsgi"],
    "legacy_asgi": ["a2wsgi"],
    "litestar_app": ["litestar"],
    "litestar_own": ["litestar"],
    "pyramid_app": ["a2wsgi", "pyramid"],
    "quart_app": ["quart"],
    "sanic_app": ["sanic"],
    "starlette_app": ["starlette"],
    "starlette_own": ["starlette"],
}


@pytest.fixture
def load(monkeypatch):
    """Run an example, for the time of a test: Django has one configuration in a process, and Sanic one use of a name."""
    monkeypatch.setenv("SESSION_KEY", "a key for tests")
    monkeypatch.syspath_prepend(EXAMPLES)
    with ExitStack() as stack:

        def loaded(name, attribute="app"):
            for module in NEEDS[name]:
                require(module)
            if "django" in NEEDS[name]:
                from django.conf import empty, settings

                # By assignment alone does it forget what it has looked up; monkeypatch would look it up.
                stack.callback(setattr, settings, "_wrapped", vars(settings)["_wrapped"])
                settings._wrapped = empty
            if "sanic" in NEEDS[name]:
                from sanic import Sanic

                monkeypatch.setattr(Sanic, "_app_registry", {})
            names = runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name=name)
            return names[attribute]

        yield loaded


def ask(app, asking):
    """Let `asking` ask the application through a client, between its startup and its shutdown."""

    async def main():
        async with client(app) as opened:
            await asking(opened)

    anyio.run(main)


pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # of the frameworks about themselves


# Example, the name of its application, and whether a session reaches it.
LAYERED = [
    *((name, "application", True) for name in ("channels_asgi", "django_asgi", "django_wsgi")),
    *((name, "app", True) for name in NEEDS if name.endswith(("_app", "_own", "asgi2", "asgi3", "_world"))),
    ("falcon_wsgi", "app", True),
    *(("bridges", name, False) for name in ("app", "with_asgiref", "with_hypercorn")),
]


@pytest.mark.parametrize(("name", "attribute", "session"), LAYERED)
def test_each_layer(load, name, attribute, session):
    """Id, CORS, preflight, coding and session are those of the layers, and a page can read the answer to an exception."""

    async def asking(client):
        response = await client.get("/", headers={**PAGE, "Accept-Encoding": "gzip"})
        assert response.status_code == 200, response.text
        assert response.text.startswith(f"Request {response.headers['x-request-id']}\nA cup of tea\n")
        assert response.headers["content-encoding"] == "gzip"
        assert response.headers.get_list("access-control-allow-origin") == ["https://app.example"]
        assert {"Accept-Encoding", "Origin"} <= set(response.headers.get_list("vary", split_commas=True))
        foreign = await client.get("/", headers={"Origin": "https://evil.example"})
        assert (foreign.status_code, foreign.headers.get("access-control-allow-origin")) == (200, None)
        preflight = await client.options("/", headers={**PAGE, "Access-Control-Request-Method": "GET"})
        assert (preflight.status_code, preflight.headers["access-control-allow-credentials"]) == (204, "true")
        if session:
            assert [(await client.get("/visits")).text for _ in range(3)] == ["1", "2", "3"]
        if name not in ("asgi2", "bridges", "hello_world"):  # which have one answer for any other path
            assert (await client.get("/nothing")).status_code == 404
        error = await client.get("/boom", headers=PAGE)
        assert (error.status_code, error.headers["access-control-allow-origin"]) == (500, "https://app.example")
        assert error.headers["content-type"].partition(";")[0] == ANSWERS.get(name, "application/problem+json")
        assert "for the log" not in error.text
        if name not in ANSWERS:
            assert error.json()["request_id"] == error.headers["x-request-id"]

    ask(load(name, attribute), asking)


def test_examples_are_tested_and_shown():
    """No example is forgotten above, and each is on a page; a block with a title is such a file, and nothing else."""
    files = {path.name for path in EXAMPLES.iterdir() if path.is_file()}
    assert {path.removesuffix(".py") for path in files} == {*NEEDS, "legacy", "legacy.toml"}
    text = "\n".join(path.read_text() for path in PAGES)
    blocks = re.findall(r"^```\w+ title=.*\n((?:.*\n)*?)```$", text, re.MULTILINE)
    assert sorted(blocks) == sorted(f'--8<-- "examples/guides/{name}"\n' for name in files)


RUNNING = [path for path in PAGES if "\n## Running\n" in path.read_text()]


@pytest.mark.parametrize("path", RUNNING, ids=lambda path: path.stem)
def test_commands_run_what_is_shown(load, path):
    """The commands serve applications of the page's own files, with the key they need; `middlewares run` a bare one."""
    page, _, section = path.read_text().partition("\n## Running\n")
    files = re.findall(r' title="(\w+)[.]py"', page)
    commands = re.findall(r"^\$ (.*)", section, re.MULTILINE)
    assert commands.pop(0) == "export SESSION_KEY=$(openssl rand -hex 32)"
    for command in commands:
        for name, attribute in re.findall(r"\b(\w+):(\w+)", command):
            assert name in files
            app = load(name, attribute)
            is_bare = not isinstance(getattr(app, "asgi_app", app), RequestIDMiddleware)
            assert is_bare == command.startswith("middlewares run")
            assert not is_bare or "--session-secret-env SESSION_KEY" in command


# ---- What the pages say of one framework


def test_channels_sees_the_session(load):
    """A consumer has the session and the id in its scope; a foreign page does not reach it."""
    app = load("channels_asgi", "application")
    start, _ = run(app, http_scope("GET", "/visits", [(b"host", b"localhost")]))
    [cookie] = [value.partition(b";")[0] for name, value in start["headers"] if name == b"set-cookie"]
    socket = websocket_scope("/ws", [(b"host", b"localhost"), (b"cookie", cookie), (b"x-request-id", b"socket-7")])
    messages = [
        {"type": "websocket.connect"},
        {"type": "websocket.receive", "text": "tea"},
        {"type": "websocket.disconnect", "code": 1000},
    ]
    accept, answer = run(app, socket, *messages)
    assert accept["type"] == "websocket.accept"
    assert answer["text"] == "1 visits, request socket-7"
    start, *_ = run(app, websocket_scope("/ws", [(b"host", b"localhost"), (b"origin", b"https://evil.example")]))
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 403)


def _cookies(app):
    start, *_ = run(app, http_scope(headers=[(b"host", b"localhost")]))
    return sorted(value.partition(b"=")[0] for name, value in start["headers"] if name.lower() == b"set-cookie")


def _flask():
    from flask import Flask, request, session

    app = Flask("tea")
    app.secret_key = "a key"

    @app.get("/")
    def view():
        session["own"] = request.environ["asgi.scope"]["session"]["ours"] = 1
        return ""

    return require("a2wsgi").WSGIMiddleware(app)


def _quart():
    from quart import Quart, request, session

    app = Quart("tea")
    app.secret_key = "a key"

    @app.get("/")
    async def view():
        session["own"] = request.scope["session"]["ours"] = 1
        return ""

    return app


@pytest.mark.parametrize("make", [_flask, _quart], ids=["flask", "quart"])
def test_two_sessions_of_one_name(make):
    """The cookie of Flask's and Quart's own session is named as ours is by default: another name keeps both."""
    require(make.__name__[1:])
    assert _cookies(SessionMiddleware(make(), secret_key="a key")) == [b"session", b"session"]
    assert _cookies(SessionMiddleware(make(), secret_key="a key", session_cookie="visitor")) == [b"session", b"visitor"]


def test_django_has_a_session_of_its_own(load):
    """`request.session` is Django's own, with a cookie of its own."""
    app = load("django_asgi", "application")
    from django.conf import settings
    from django.contrib.sessions.middleware import SessionMiddleware as DjangoSessions
    from django.http import HttpResponse
    from django.urls import path

    def view(request):
        request.session["own"] = request.scope["session"]["ours"] = 1
        return HttpResponse("")

    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    settings.ROOT_URLCONF = (path("", DjangoSessions(view)),)
    assert _cookies(app) == [b"session", b"sessionid"]


def test_channels_sessions_inside_of_ours(load):
    """Channels' sessions, and its AuthMiddlewareStack, raise where the scope has a session: keep ours to HTTP."""
    load("channels_asgi", "application")
    from channels.sessions import SessionMiddlewareStack
    from django.conf import settings

    seen = []

    async def consumer(scope, receive, send):
        seen.append(type(scope["session"]._wrapped).__module__)

    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    inner = SessionMiddlewareStack(consumer)
    with pytest.raises(AttributeError, match="_wrapped"):
        run(SessionMiddleware(inner, secret_key="a key"), websocket_scope())
    layer = use(SessionMiddleware, secret_key="a key")
    run(Stack(when(lambda scope: scope["type"] == "http", layer))(inner), websocket_scope())
    assert seen == [settings.SESSION_ENGINE]


@pytest.mark.parametrize(("handled", "status"), [(500, 404), (Exception, 500)])
def test_litestar_hands_all_to_a_handler_of_exception(handled, status):
    """A handler of the status 500 gets what nobody handles; one of `Exception` would get the 404s, too."""
    require("litestar")
    from litestar import Litestar

    def raise_on(request, exc):
        raise exc

    app = ServerErrorMiddleware(Litestar([], exception_handlers={handled: raise_on}))

    async def asking(client):
        assert (await client.get("/nothing")).status_code == status

    ask(app, asking)


def test_starlette_s_own_500_has_no_headers_of_layers_inside():
    """What `add_middleware` adds stands inside of Starlette's handler: the 500 of that has no CORS headers."""
    require("starlette")
    from starlette.applications import Starlette
    from starlette.routing import Route

    async def boom(request):
        raise RuntimeError

    async def asking(client):
        response = await client.get("/", headers=PAGE)
        assert (response.status_code, response.text) == (500, "Internal Server Error")
        seen.append("access-control-allow-origin" in response.headers)

    seen = []
    app = Starlette(routes=[Route("/", boom)])
    ask(CORSMiddleware(app, allow_origins="*"), asking)
    app = Starlette(routes=[Route("/", boom)])
    app.add_middleware(CORSMiddleware, allow_origins="*")
    ask(app, asking)
    assert seen == [True, False]


def test_falcon_s_middleware_is_no_asgi():
    """`add_middleware` of Falcon refuses a class of ASGI."""
    falcon = require("falcon.asgi")
    app = falcon.App()
    with pytest.raises(TypeError, match="must implement at least one middleware method"):
        app.add_middleware(CORSMiddleware(app, allow_origins="*"))


def test_sanic_needs_the_lifespan():
    """Without startup, as on daphne, Sanic raises."""
    sanic = require("sanic")
    app = sanic.Sanic("without-lifespan", configure_logging=False)
    with pytest.raises(sanic.exceptions.SanicException):
        run(CORSMiddleware(app, allow_origins="*"), http_scope())


# ---- Bridges


@pytest.mark.parametrize(("bridge", "together"), [("a2wsgi", True), ("asgiref", False)])
def test_requests_at_a_time(bridge, together):
    """a2wsgi has threads, asgiref one: with that, a request waits for the one before."""
    require(bridge)
    barrier = threading.Barrier(2)

    def legacy(environ, start_response):
        with suppress(threading.BrokenBarrierError):
            barrier.wait(10 if together else 0.2)  # until two are here
        start_response("200 OK", [])
        return [str(barrier.broken).encode()]

    app = BRIDGES[bridge](legacy)

    async def asking(client):
        async with anyio.create_task_group() as group:
            for _ in range(2):
                group.start_soon(get, client)

    async def get(client):
        answers.append((await client.get("/")).text)

    answers = []
    ask(app, asking)
    assert answers == [str(not together)] * 2


@pytest.mark.parametrize("bridge", BRIDGES)
def test_which_bridge_takes_context_variables_along(bridge):
    """`current_request_id()` knows the id in the thread of a2wsgi and of asgiref, which copy the context, and of no other."""
    require("uvicorn" if bridge.startswith("uvicorn") else bridge.partition("'")[0])

    def legacy(environ, start_response):
        start_response("200 OK", [])
        return [str(current_request_id()).encode()]

    app = RequestIDMiddleware(BRIDGES[bridge](legacy))
    _, body, *_ = run(app, http_scope(headers=[(b"x-request-id", b"order-7")]))
    assert body["body"] == (b"order-7" if bridge in ("a2wsgi", "asgiref") else b"None")


@pytest.mark.parametrize(("size", "status"), [(65_536, 200), (65_537, 400)])
def test_hypercorn_s_limit(size, status):
    """Hypercorn's bridge takes bodies of 64 KiB, if it is not told otherwise."""
    require("hypercorn")
    from hypercorn.middleware import AsyncioWSGIMiddleware

    def legacy(environ, start_response):
        start_response("200 OK", [])
        return [b"tea"]

    async def asking(client):
        assert (await client.post("/", content=bytes(size))).status_code == status

    ask(AsyncioWSGIMiddleware(legacy), asking)


def test_hypercorn_s_bridge_and_the_lifespan():
    """It returns from the lifespan without a word, where servers wait for an answer or an exception (ASGI, Lifespan)."""
    require("hypercorn")
    from hypercorn.middleware import TrioWSGIMiddleware

    assert run(TrioWSGIMiddleware(lambda environ, start_response: []), lifespan_scope(), backend="trio") == []


def test_granian_s_awaitables(load):
    """The adapter makes coroutines of what granian's functions return, which the bridge needs for the body."""
    app = load("granian_wsgi")
    body = iter([{"type": "http.request", "body": b"tea", "more_body": True}, {"type": "http.request", "body": b"cup"}])
    sent = []

    class Awaitable:
        def __init__(self, value):
            self.value = value

        def __await__(self):
            return self.value
            yield

    async def main():
        await app(http_scope("POST"), lambda: Awaitable(next(body)), lambda message: Awaitable(sent.append(message)))

    anyio.run(main)
    assert b"".join(message.get("body", b"") for message in sent) == b"6 bytes\n"


# ---- The legacy application


def test_legacy_application(load):
    """Bare, no page can use it with cookies; behind the layers, pages of one origin can, and preflights do not reach it."""
    wrapped = load("legacy_asgi")
    legacy = importlib.import_module("legacy")
    methods = []

    def bare(environ, start_response):
        methods.append(environ["REQUEST_METHOD"])
        return legacy.app(environ, start_response)

    wrapped_app = wrapped
    while not isinstance(wrapped_app, require("a2wsgi").WSGIMiddleware):
        wrapped_app = wrapped_app.app
    wrapped_app.app = bare

    async def put(app, origin):
        methods.clear()
        return await Browser(app, base="https://legacy.example", cookie="user=ada").fetch(
            "/orders",
            origin=origin,
            method="PUT",
            headers={"Content-Type": "application/json"},
            credentials="include",
            body=b'{"tea": 2}',
        )

    async def main():
        behind_nothing = require("a2wsgi").WSGIMiddleware(bare)
        assert not await put(behind_nothing, "https://app.example")
        assert methods == ["OPTIONS"]
        assert not await put(wrapped, "https://evil.example")
        assert methods == []
        answer = await put(wrapped, "https://app.example")
        assert methods == ["PUT"]
        assert answer
        told = json.loads(answer.body)
        assert (told["user"], told["orders"]) == ("ada", [{"tea": 2}])
        assert dict(answer.headers)[b"x-request-id"].decode() == told["request_id"]
        refused = await Browser(wrapped).fetch("/orders", origin="https://app.example", credentials="include")
        assert (bool(refused), refused.status) == (True, 401)

    anyio.run(main)


def test_command_of_the_legacy_guide():
    """What the page shows of `middlewares cors` is what it prints."""
    require("click")
    from click.testing import CliRunner

    from middlewares._cli.command import command

    page = (ROOT / "docs" / "guides" / "legacy-wsgi.md").read_text()
    shown = re.findall(r"^\$ middlewares (cors .*)\n((?:.*\n)*?)(?=^\$|^```)", page, re.MULTILINE)
    assert len(shown) == 2
    for line, output in shown:
        arguments = shlex.split(line.replace("legacy.toml", str(EXAMPLES / "legacy.toml")))
        result = CliRunner().invoke(command, arguments)
        assert result.output.strip() == output.strip()
