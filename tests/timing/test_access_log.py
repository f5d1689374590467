"""The access log: one line a request, escaped, without secrets."""

import contextlib
import json
import logging
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from middlewares.testing import http_scope, run
from middlewares.timing import AccessLog, TimingMiddleware
from tests.conftest import require

START = {"type": "http.response.start", "status": 200, "headers": []}
BODY = {"type": "http.response.body", "body": b"abc", "more_body": False}


async def hello(scope, receive, send):
    await send(START)
    await send(BODY)


async def silent(scope, receive, send):
    pass


async def failing(scope, receive, send):
    raise KeyError


def lines(caplog, scope, app=hello, **keywords):
    with caplog.at_level(logging.INFO), contextlib.suppress(KeyError):
        run(TimingMiddleware(app, exporters=[AccessLog(**keywords)]), scope)
    found = [record.getMessage() for record in caplog.records]
    assert {record.name for record in caplog.records} <= {"middlewares.access", "mine"}
    assert all(line.isascii() and line.isprintable() for line in found)
    return [re.sub(r"\[.*?\]", "[T]", re.sub(r"[0-9]+\.[0-9]{6}", "N", line)) for line in found]


HOSTILE = http_scope(
    'G"\nT',
    '/a b\n\x1b"\u2028',
    [(b"referer", b"https://x/?a=1&Token=s3cret"), (b"user-agent", b'"\x1b[31m\r\n\xe9\x7f')],
    query_string=b"q=1&%74oken=s3cret&PASSWORD=s3cret&token",
    state={"request_id": 'i\n "d'},
    client=["10.0.0.1", 1],
)


def test_combined(caplog):
    """The Combined Log Format with our fields behind; nothing of a request can forge a line."""
    lines(caplog, HOSTILE)
    found = re.fullmatch(
        r'10\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\] "(.*)" 200 3 "(.*)" "(.*)" '
        r"request_id=(\S+) duration=\d+\.\d{6} ttfb=\d+\.\d{6} route=-",
        caplog.records[0].getMessage(),
    )
    assert found.groups() == (
        r"G\"\nT /a%20b%0A%1B%22%E2%80%A8?q=1&%74oken=***&PASSWORD=***&token HTTP/1.1",
        "https://x/?a=1&Token=***",
        r"\"\x1b[31m\r\n\xe9\x7f",
        r"i\n\x20\"d",
    )


TEXTS = st.text(st.characters(exclude_categories=()), max_size=40)  # surrogates, too: paths are decoded leniently
BYTES = st.binary(max_size=40)


@settings(max_examples=150)
@given(
    method=TEXTS,
    path=TEXTS,
    query=BYTES,
    referer=BYTES,
    agent=BYTES,
    client=TEXTS,
    version=TEXTS,
    request_id=TEXTS,
    template=TEXTS,
)
def test_any_request(method, path, query, referer, agent, client, version, request_id, template):
    """Whatever a request holds: one line of visible ASCII, whose fields can be told apart, and whose JSON is JSON."""
    scope = http_scope(
        method,
        "/",
        [(b"referer", referer), (b"user-agent", agent)],
        query_string=query,
        client=(client, 1),
        http_version=version,
        state={"request_id": request_id},
        path_template=template,
    )
    scope["path"] = path
    seen = []
    logger = logging.Logger("hypothesis", logging.INFO)  # noqa: LOG001 - nobody else's
    logger.addHandler(logging.NullHandler())
    logger.addFilter(lambda record: seen.append(record.getMessage()))
    exporters = [AccessLog(logger=logger), AccessLog(logger=logger, format="json")]
    run(TimingMiddleware(hello, exporters=exporters), scope)
    combined, encoded = seen
    assert combined.isascii()
    assert combined.isprintable()
    assert encoded.isascii()
    assert encoded.isprintable()
    quoted = r'"((?:[^"\\]|\\.)*)"'
    assert re.fullmatch(
        rf"\S+ - - \[[^\]]+\] {quoted} 200 3 {quoted} {quoted} request_id=\S+ duration=\S+ ttfb=\S+ route=\S+", combined
    )
    found = json.loads(encoded)
    assert (found["method"], found["client"], found["request_id"]) == (method, client, request_id)


def test_aborted(caplog):
    """A dash stands for what there is not; a response that did not end is marked."""
    (line,) = lines(caplog, http_scope(client=None), silent)
    assert line == '- - - [T] "GET / HTTP/1.1" - 0 "-" "-" request_id=- duration=N ttfb=- route=- aborted'


def test_json(caplog):
    """One object a line, whose strings JSON escapes."""
    lines(caplog, HOSTILE, format="json")
    text = caplog.records[0].getMessage()
    found = json.loads(text)
    assert all(isinstance(found.pop(name), float) for name in ("time", "duration", "ttfb"))
    assert found == {
        "type": "http",
        "method": 'G"\nT',
        "client": "10.0.0.1",
        "target": "/a%20b%0A%1B%22%E2%80%A8?q=1&%74oken=***&PASSWORD=***&token",
        "referer": "https://x/?a=1&Token=***",
        "user_agent": '"\x1b[31m\r\n\xe9\x7f',
        "http_version": "1.1",
        "status": 200,
        "request_bytes": 0,
        "response_bytes": 3,
        "route": None,
        "aborted": False,
        "error": None,
        "request_id": 'i\n "d',
    }


def test_json_of_an_error(caplog):
    """The class of the exception, without its text."""
    lines(caplog, http_scope(), failing, format="json")
    found = json.loads(caplog.records[0].getMessage())
    assert (found["error"], found["status"], found["ttfb"]) == ("KeyError", 500, None)


@pytest.mark.parametrize("exclude", ["/health", ["/health"], re.compile("^/health"), lambda scope: True])
def test_exclude(caplog, exclude):
    """Health checks can be left out."""
    assert lines(caplog, http_scope(path="/health"), exclude=exclude) == []


async def rewriting(scope, receive, send):
    """As Starlette's mounts and Litestar do, and layers that override the method."""
    scope.update(path="/health", method="GET", root_path="/in", app_root_path="")
    await hello(scope, receive, send)


def test_request_as_it_came(caplog):
    """What the application makes of path and method in place is neither logged nor asked for exclusions."""
    scope = {**http_scope("PATCH", "/in/health"), "root_path": ""}
    assert '"PATCH /in/health HTTP/1.1"' in lines(caplog, dict(scope), rewriting)[0]
    assert lines(caplog, dict(scope), rewriting, exclude=["/health"]) != []
    caplog.clear()
    assert lines(caplog, dict(scope), rewriting, exclude=["/in/health"]) == []
    assert lines(caplog, dict(scope), rewriting, exclude=lambda scope: scope["root_path"] == "") == []


@pytest.mark.parametrize("exclude", ["/health", re.compile("^/health")], ids=["prefix", "pattern"])
def test_exclude_below_root_path(caplog, exclude):
    """Paths are those below the `root_path` that the request came with, whatever a mount has written since."""
    routing = require("starlette.routing")
    mounting = routing.Router([routing.Mount("/health", app=hello)])
    assert lines(caplog, http_scope(path="/api/health/x", root_path="/api"), mounting, exclude=exclude) == []
    assert lines(caplog, http_scope(path="/health/health/x", root_path="/health"), mounting, exclude=exclude) == []
    assert len(lines(caplog, http_scope(path="/health/x", root_path="/health"), exclude=exclude)) == 1


def test_logger_and_names(caplog):
    """The logger by name or itself; the names to redact can be others."""
    scope = http_scope(query_string=b"token=1&pin=2")
    assert "?token=1&pin=*** " in lines(caplog, scope, logger=logging.getLogger("mine"), redact=["PIN"])[0]
    assert caplog.records[0].name == "mine"


def test_off(caplog):
    """Where INFO is off, nothing is done."""
    logging.getLogger("middlewares.access").setLevel(logging.WARNING)
    try:
        assert lines(caplog, http_scope()) == []
    finally:
        logging.getLogger("middlewares.access").setLevel(logging.NOTSET)


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"format": "common"}, ValueError, "format must be"),
        ({"redact": "token"}, TypeError, "redact must be"),
        ({"redact": 1}, TypeError, "redact must be"),
        ({"redact": ["a", b"b"]}, TypeError, "redact must be"),
        ({"exclude": 1}, TypeError, "exclude must be"),
        ({"exclude": "health"}, ValueError, "exclude must be"),
    ],
)
def test_bad_configuration(keywords, error, message):
    """What cannot work fails at construction, by name."""
    with pytest.raises(error, match=message):
        AccessLog(**keywords)
