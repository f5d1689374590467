"""What a browser decodes: each coding, events one by one, and deltas between versions by a dictionary."""

from __future__ import annotations

import pytest

from ..servers.harness import serve

pytestmark = pytest.mark.servers

FETCH = """async path => {
    const response = await fetch(path, {cache: "no-store"});
    const rows = await response.json();
    const coding = response.headers.get("content-encoding");
    return {coding, count: rows.length, asked: response.headers.get("x-asked"), vary: response.headers.get("vary")};
}"""

EVENTS = """path => new Promise((resolve, reject) => {
    const came = [];
    const source = new EventSource(path);
    source.onmessage = event => {
        came.push([event.data, performance.now()]);
        if (event.data === "end") { source.close(); resolve(came); }
    };
    source.onerror = reject;
})"""


@pytest.fixture(scope="module")
def server():
    """The application on uvicorn."""
    with serve("uvicorn", "tests.browser.compression_app:app") as running:
        yield running


@pytest.fixture
def origin(server):
    """A secure context, where br and zstd are offered."""
    return f"http://localhost:{server.port}"


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_codings(page, origin, coding):
    """Chromium offers and decodes each coding."""
    page.goto(origin)
    fetched = page.evaluate(FETCH, f"/{coding}/rows")
    assert (coding, 2000) == (fetched["coding"], fetched["count"])
    assert coding in fetched["asked"]
    assert "Accept-Encoding" == fetched["vary"]


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_events_come_one_by_one(page, origin, coding):
    """An EventSource gets each event when it is sent, and not the first with the last, 0.6 s later."""
    page.goto(origin)
    came = page.evaluate(EVENTS, f"/{coding}/events")
    assert ["0", "1", "2", "end"] == [data for data, _ in came]
    assert came[-1][1] - came[0][1] > 200


def test_upload(page, origin):
    """What a page compresses itself comes to the application decoded (RFC 9110 8.4)."""
    page.goto(origin)
    echoed = page.evaluate(
        """async text => {
            const coded = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
            const body = await new Response(coded).blob();
            const answer = await fetch("/upload", {method: "POST", headers: {"Content-Encoding": "gzip"}, body});
            return [body.size, await answer.text()];
        }""",
        "tea " * 10_000,
    )
    assert echoed[0] < 1000
    assert echoed[1] == "tea " * 10_000


def test_deltas(page, origin):
    """The first answer is kept as a dictionary, and another version comes as `dcz`: what has changed (RFC 9842)."""
    page.goto(origin)
    # To be a dictionary a response has to be in the cache, so that it is not fetched with `no-store`.
    first = page.evaluate("async () => (await (await fetch('/data/1')).json()).length")
    assert first == 2000
    page.wait_for_function(
        """async () => {
            const response = await fetch('/data/2', {cache: "reload"});
            window.rows = (await response.json()).length;
            window.coding = response.headers.get("content-encoding");
            return window.coding === "dcz";
        }""",
        polling=100,
    )
    assert page.evaluate("window.rows") == 2001
    size = page.evaluate("performance.getEntriesByName(location.origin + '/data/2').at(-1).encodedBodySize")
    assert 40 < size < 500
