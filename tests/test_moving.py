"""The pages on moving: each keyword of each peer has a row, and each new one is a keyword of ours."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from middlewares import (
    CompressionMiddleware,
    CORSMiddleware,
    RequestIDMiddleware,
    ServerErrorMiddleware,
    SessionMiddleware,
)
from middlewares.request_id import RequestIDLogFilter
from middlewares.testing import http_scope, run, websocket_scope

from .conftest import require
from .test_docs import django_is_configured

PAGES = Path(__file__).parents[1] / "docs" / "moving"
NONE_NEEDED = "none needed, because "
MISSING = object()


def _defaults(callable_):
    parameters = inspect.signature(callable_).parameters.values()
    return {
        parameter.name: MISSING if parameter.default is parameter.empty else parameter.default
        for parameter in parameters
        if parameter.name not in ("app", "app_or_blueprint")
    }


def _starlette(module, name):
    return _defaults(getattr(require(f"starlette.middleware.{module}"), name))


def _django_cors_headers():
    require("corsheaders")
    from corsheaders import conf, defaults

    # What is not written down as a value is one of the module's, or a literal of the property.
    found = {name: MISSING for name in vars(conf.Settings) if name.startswith("CORS_")}
    return found | {
        "CORS_ALLOW_HEADERS": defaults.default_headers,
        "CORS_ALLOW_METHODS": defaults.default_methods,
        "CORS_ALLOW_CREDENTIALS": False,
        "CORS_ALLOW_PRIVATE_NETWORK": False,
        "CORS_EXPOSE_HEADERS": (),
    }


def _quart_cors():
    module = require("quart_cors")
    names = {**_defaults(module.cors), **_defaults(module.route_cors)}
    values = {name.removeprefix("QUART_CORS_").lower(): value for name, value in module.DEFAULTS.items()}
    assert set(values) == set(_defaults(module.cors))
    # `[""]` is their list of no headers.
    return {name: () if (value := values.get(name, MISSING)) == [""] else value for name in names}


def _flask_cors():
    core = require("flask_cors.core")
    return {name: () if name == "expose_headers" else value for name, value in core.DEFAULT_OPTIONS.items()}


def _flask():
    config = require("flask").Flask("tea").default_config
    names = [name for name in config if name.startswith(("SECRET_KEY", "SESSION_"))]
    return {name: config[name] for name in [*names, "PERMANENT_SESSION_LIFETIME"]}


# (page, first word of the table's first column): the peer's keywords with their defaults, and what takes ours.
TABLES = {
    ("starlette", "CORSMiddleware"): (lambda: _starlette("cors", "CORSMiddleware"), CORSMiddleware),
    ("starlette", "GZipMiddleware"): (lambda: _starlette("gzip", "GZipMiddleware"), CompressionMiddleware),
    ("starlette", "SessionMiddleware"): (lambda: _starlette("sessions", "SessionMiddleware"), SessionMiddleware),
    ("starlette", "ServerErrorMiddleware"): (
        lambda: _starlette("errors", "ServerErrorMiddleware"),
        ServerErrorMiddleware,
    ),
    ("asgi-correlation-id", "CorrelationIdMiddleware"): (
        lambda: _defaults(require("asgi_correlation_id").CorrelationIdMiddleware),
        RequestIDMiddleware,
    ),
    ("asgi-correlation-id", "CorrelationIdFilter"): (
        lambda: _defaults(require("asgi_correlation_id").CorrelationIdFilter),
        RequestIDLogFilter,
    ),
    ("starlette-compress", ""): (
        lambda: _defaults(require("starlette_compress").CompressMiddleware),
        CompressionMiddleware,
    ),
    ("starsessions", ""): (lambda: _defaults(require("starsessions").SessionMiddleware), SessionMiddleware),
    ("flask-sessions", ""): (_flask, SessionMiddleware),
    ("django-cors-headers", ""): (_django_cors_headers, CORSMiddleware),
    ("quart-cors", ""): (_quart_cors, CORSMiddleware),
    ("flask-cors", ""): (_flask_cors, CORSMiddleware),
}


def _tables(page):
    """The tables of three columns of a page: the section they stand in and the title of the first column, and rows."""
    text = (PAGES / f"{page}.md").read_text()
    for section in re.split(r"^## ", text, flags=re.MULTILINE):
        for table in re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE):
            rows = [
                [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip()[1:-1])] for line in table.splitlines()
            ]
            if len(rows[0]) == 3:
                yield f"{section.splitlines()[0]} {rows[0][0]}", rows[2:]


def _table(page, title):
    [rows] = [rows for found, rows in _tables(page) if title in found]
    return rows


def _keywords(cell):
    """The keywords that a cell names: `` `name` `` or `` `name=value` ``."""
    return re.findall(r"`([A-Za-z_]+)(?:=[^`]*)?`", cell)


@pytest.mark.parametrize(("page", "title"), TABLES, ids=lambda part: part or "table")
def test_table(page, title):
    """A row for each keyword of the peer and for no other; what a row leads to exists; no remark: the same default."""
    peer, ours = TABLES[page, title]
    known, own = peer(), _defaults(ours)
    rows = _table(page, title)
    assert sorted(name for row in rows for name in _keywords(row[0])) == sorted(known)
    for old, new, remark in rows:
        if new.startswith(NONE_NEEDED):
            continue
        assert _keywords(new), new
        assert set(_keywords(new)) <= set(own), new
        default = own[_keywords(new)[0]]
        if not remark and known[_keywords(old)[0]] is not MISSING:
            assert known[_keywords(old)[0]] == default, old


@pytest.mark.parametrize(
    ("page", "title"), [key for key in TABLES if key[0].startswith("starlette")], ids=lambda part: part or "table"
)
def test_only_here(page, title):
    """The list of keywords that only we have is all of those that the table does not lead to."""
    text = (PAGES / f"{page}.md").read_text()
    [section] = [part for part in re.split("^## ", text, flags=re.MULTILINE) if part.startswith(title or "# ")]
    led = {name for row in _table(page, title) if not row[1].startswith(NONE_NEEDED) for name in _keywords(row[1])}
    rest = set(_defaults(TABLES[page, title][1])) - led
    found = re.search(r"^Only here: (.*?)[.]\s", section, re.MULTILINE | re.DOTALL)
    named = set(_keywords(found[1])) - {"allow_origins"} if found else set()  # which has patterns here
    assert named == rest


def test_each_page_is_tested():
    """No page and no table of three columns is forgotten above."""
    assert {path.stem for path in PAGES.glob("*.md")} == {page for page, _ in TABLES}
    for page in {page for page, _ in TABLES}:
        assert len(list(_tables(page))) == len([key for key in TABLES if key[0] == page])


# What the pages say that the peers do. Where a peer changes it, its page has to.

FOREIGN, COOKIE = (b"origin", b"https://evil.example"), (b"cookie", b"a=1")
ASKS_GET = (b"access-control-request-method", b"GET")


async def _app(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-request-id", b"own")]})
    await send({"type": "http.response.body", "body": b"tea"})


def _names(sent):
    return [name for name, _ in sent[0]["headers"]]


def test_what_starlette_does():
    """It mirrors any origin with credentials, leaves traces for refused ones, and lets foreign WebSockets in."""
    layer = require("starlette.middleware.cors").CORSMiddleware
    mirrored = run(layer(_app, allow_origins=["*"], allow_credentials=True), http_scope(headers=[FOREIGN, COOKIE]))
    assert (b"access-control-allow-origin", FOREIGN[1]) in mirrored[0]["headers"]
    refused = run(layer(_app, allow_credentials=True, expose_headers=["X-A"]), http_scope(headers=[FOREIGN]))
    assert {b"access-control-allow-credentials", b"access-control-expose-headers"} <= set(_names(refused))
    assert b"access-control-allow-origin" not in _names(run(layer(_app, allow_origins=["*"]), http_scope()))
    assert run(layer(_app), websocket_scope(headers=[FOREIGN])) == [{"type": "websocket.accept"}]
    private = (b"access-control-request-private-network", b"true")
    [start, _] = run(layer(_app, allow_origins=["*"]), http_scope("OPTIONS", headers=[FOREIGN, ASKS_GET, private]))
    assert start["status"] == 400


def test_what_asgi_correlation_id_does():
    """It sends a second header beside the application's own, and none in a WebSocket's handshake."""
    layer = require("asgi_correlation_id").CorrelationIdMiddleware(_app)
    assert _names(run(layer, http_scope())) == [b"x-request-id"] * 2
    assert run(layer, websocket_scope()) == [{"type": "websocket.accept"}]


def test_what_flask_cors_does():
    """It mirrors origins, with credentials too, and answers a refused preflight by 200."""
    flask, cors = require("flask"), require("flask_cors").CORS

    def ask(method, asked="", **options):
        app = flask.Flask("tea")
        app.get("/")(lambda: "tea")
        cors(app, **options)
        headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": asked}
        return app.test_client().open("/", method=method, headers=headers)

    for options in ({}, {"supports_credentials": True}):
        assert ask("GET", **options).headers["access-control-allow-origin"] == "https://evil.example"
    assert ask("GET", send_wildcard=True).headers["access-control-allow-origin"] == "*"
    refused = ask("OPTIONS", "PUT", methods=["GET"])
    assert (refused.status_code, "access-control-allow-methods" in refused.headers) == (200, False)
    assert ask("OPTIONS", "GET", origins="https://app.example").status_code == 200


def test_what_quart_cors_does():
    """It answers a refused preflight by 200, a refused WebSocket by 400, and names what was asked for alone."""
    app = require("quart").Quart("tea")
    require("quart_cors").cors(
        app, allow_origin=re.compile("https://evil"), allow_methods=["GET"], allow_headers=["X-A", "X-B"]
    )
    app.get("/")(lambda: "tea")
    app.websocket("/ws", endpoint="ws")(lambda: None)
    asks_put, asks_a = (ASKS_GET[0], b"PUT"), (b"access-control-request-headers", b"X-A")
    host = (b"host", b"api.example")
    [start, *_] = run(app, http_scope("OPTIONS", headers=[host, FOREIGN, asks_put]))
    assert (start["status"], b"access-control-allow-methods" in _names([start])) == (200, False)
    [start, *_] = run(app, http_scope("OPTIONS", headers=[host, FOREIGN, ASKS_GET, asks_a]))
    assert dict(start["headers"])[b"access-control-allow-headers"].lower() == b"x-a"
    [start, *_] = run(app, websocket_scope("/ws", headers=[host, (b"origin", b"https://other.example")]))
    assert start["status"] == 400


def test_what_django_cors_headers_does():
    """It compares the beginning of an origin with an expression, mirrors all with credentials, and answers by 200."""
    require("corsheaders")
    django_is_configured()
    from corsheaders.middleware import CorsMiddleware
    from django.http import HttpResponse
    from django.test import RequestFactory, override_settings

    def ask(method="get", **given):
        request = getattr(RequestFactory(), method)("/", headers={"Origin": "https://app.example.evil.example"} | asked)
        with override_settings(**given):
            return CorsMiddleware(lambda _: HttpResponse("tea"))(request)

    asked = {}
    for given in (
        {"CORS_ALLOWED_ORIGIN_REGEXES": ["https://app.example"]},
        {"CORS_ALLOW_ALL_ORIGINS": True, "CORS_ALLOW_CREDENTIALS": True},
    ):
        assert ask(**given)["access-control-allow-origin"] == "https://app.example.evil.example"
    asked = {"Access-Control-Request-Method": "BREW"}
    refused = ask("options", CORS_ALLOWED_ORIGINS=["https://app.example"])
    assert (refused.status_code, refused.has_header("access-control-allow-origin")) == (200, False)
    unlimited = ask("options", CORS_ALLOW_ALL_ORIGINS=True, CORS_PREFLIGHT_MAX_AGE=0)
    assert not unlimited.has_header("access-control-max-age")


def test_what_starsessions_does():
    """It sets its cookie on every response once a session has something in it, and adopts an id of the client's choice."""
    starsessions = require("starsessions")
    store = starsessions.InMemoryStore()

    async def login(scope, receive, send):
        await scope["session_handler"].load()
        scope["session"].setdefault("user", "ada")
        await _app(scope, receive, send)

    layer = starsessions.SessionMiddleware(login, store=store)
    for _ in range(2):
        sent = run(layer, http_scope(headers=[(b"cookie", b"session=chosen")]))
        assert dict(sent[0]["headers"])[b"set-cookie"].startswith(b"session=chosen;")
