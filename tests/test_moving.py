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

from .conftest import require

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
