"""Tests of your own stack."""

import anyio

from middlewares import wrap
from middlewares.testing import Lint, browser_allows, http_scope, run


async def teas(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"Assam, Sencha\n"})


app = Lint(wrap(Lint(teas), request_id=True, cors={"allow_origins": ["https://app.example"]}))


def test_id_is_adopted():
    [start, _] = run(app, http_scope(headers=[(b"x-request-id", b"order-7")]))
    assert (b"x-request-id", b"order-7") in start["headers"]


def test_who_may_read():
    assert anyio.run(browser_allows, app, "https://app.example")
    assert "no Access-Control-Allow-Origin" in anyio.run(browser_allows, app, "https://evil.example").reason


def test_on_trio():
    run(app, http_scope(), backend="trio")
