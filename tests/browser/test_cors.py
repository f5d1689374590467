"""CORS as Chromium enforces it, over HTTP and HTTPS: the cases of the web-platform-tests' folder `cors`, on pages of ours.

A page of `localhost` is allowed by the policy, one of `127.0.0.1` is not; each asks the other, at the same server.
"""

from __future__ import annotations

import itertools
import re
import ssl

import httpx
import pytest

from ..conftest import require
from ..servers.harness import free_port, start

pytestmark = pytest.mark.servers

FETCH = """async ([url, init]) => {
    try {
        const response = await fetch(url, init);
        return {type: response.type, status: response.status, headers: [...response.headers.keys()],
                id: response.headers.get("x-request-id"), text: await response.text()};
    } catch (error) {
        return {refused: error.name};
    }
}"""
REFUSED = {"refused": "TypeError"}
HEX_ID = re.compile(r"[0-9a-f]{32}")
INCLUDE = {"credentials": "include"}


class Site:
    """A server under its two names, and at a second port."""

    def __init__(self, scheme, port, second, certificate):
        self.home = f"{scheme}://localhost:{port}"
        self.other = f"{scheme}://127.0.0.1:{port}"
        self.neighbour = f"{scheme}://localhost:{second}"
        self.page = None
        self._verify = ssl.create_default_context(cafile=certificate.path)

    def log(self):
        """What the server got since the last call, but for pages."""
        seen = httpx.get(f"{self.home}/log", verify=self._verify, trust_env=False, timeout=30).json()
        return [line for line in seen if not line.endswith(("/page", "/sandbox"))]


@pytest.fixture(scope="module", params=["http", "https"])
def site(request, certificate):
    """A server of the application: HTTP/1.1 without TLS, and HTTP/2 with it."""
    require("hypercorn")
    chosen = {}

    def arguments(port):
        chosen["second"] = free_port()
        command = ["-m", "hypercorn", "tests.browser.cors_app:app", "--graceful-timeout", "1"]
        for bound in (port, chosen["second"]):
            command += ["--bind", f"127.0.0.1:{bound}"]
        if request.param == "https":
            command += ["--certfile", str(certificate.path), "--keyfile", str(certificate.key_path)]
        return command

    with start(arguments) as server:
        yield Site(request.param, server.port, chosen["second"], certificate)


@pytest.fixture
def page(browser, site):
    """One page for all tests of a site: no test asks for an address of another test, so that no cache tells of it."""
    if site.page is None:
        context = browser.new_context()
        context.set_default_timeout(30_000)
        site.page = context.new_page()  # closed with the browser
    return site.page


@pytest.fixture
def fetch(page, site):
    """`fetch` of a page of the allowed origin, at the other one; the log begins empty."""
    return _fetch(page, site, site.home, site.other)


@pytest.fixture
def foreign(page, site):
    """`fetch` of a page whose origin is in no list, at the other origin."""
    return _fetch(page, site, site.other, site.home)


_numbers = itertools.count()


def _fetch(page, site, home, other):
    page.goto(f"{home}/page")
    site.log()
    number = next(_numbers)

    def fetch(path, **init):
        return page.evaluate(FETCH, [f"{other}{path}{'&' if '?' in path else '?'}n={number}", init])

    return fetch


def test_allowed_origin(fetch):
    """A page of an allowed origin reads the answer, with the id that is exposed and without what is not."""
    answer = fetch("/echo")
    assert (answer["type"], answer["status"]) == ("cors", 200)
    assert HEX_ID.fullmatch(answer["id"])
    assert "x-secret" not in answer["headers"]


def test_foreign_origin(foreign, site):
    """A page of another origin reads nothing, though the application was called (Fetch, CORS check)."""
    assert foreign("/echo") == REFUSED
    assert site.log() == ["GET /echo"]


def test_opaque(foreign):
    """Without CORS, the answer is opaque, whoever asks."""
    answer = foreign("/echo", mode="no-cors")
    assert (answer["type"], answer["status"], answer["text"]) == ("opaque", 0, "")


def test_path_without_policy(fetch):
    """Where the policy is None, no page reads anything."""
    assert fetch("/none/echo") == REFUSED


@pytest.mark.parametrize("path", ["/open/echo", "/open/own"])
def test_any_origin(foreign, path):
    """`*` lets every page read, without credentials alone."""
    assert foreign(path)["status"] == 200
    assert foreign(path, **INCLUDE) == REFUSED


def test_permissions_of_the_application(foreign):
    """A `*` of the application is replaced: the browser takes one value, and foreign pages get none."""
    assert foreign("/own") == REFUSED


def test_permissions_of_the_application_are_replaced(fetch):
    """Two values would be refused, and `*` with credentials, too (Fetch, CORS check)."""
    assert fetch("/own", **INCLUDE)["text"] == "own"


@pytest.mark.parametrize("status", [200, 201, 204, 400, 401, 404, 418, 500, 503])
def test_status(fetch, status):
    """A page reads answers of every status (wpt: status)."""
    assert fetch(f"/echo?status={status}")["status"] == status


def test_unhandled_exception(fetch):
    """A page reads the 500 of an exception: a problem with the id that is in its header."""
    answer = fetch("/boom")
    assert answer["status"] == 500
    assert f'"request_id":"{answer["id"]}"' in answer["text"].replace(" ", "")


def test_unhandled_exception_for_foreign_page(foreign):
    """A page of another origin does not read the 500."""
    assert foreign("/boom") == REFUSED


def test_credentials(page, site):
    """Cookies go to another origin with `include` alone, and the answer can be read (wpt: credentials-flag)."""
    page.goto(
        f"{site.neighbour}/page"
    )  # another origin of the same site: Chromium has no cookies of third parties here
    site.log()

    def echo(path="/echo", **init):
        return page.evaluate(FETCH, [site.home + path, init])

    assert echo("/login", **INCLUDE)["status"] == 200
    assert "user=ann" in echo(**INCLUDE)["text"]
    for mode in ("omit", "same-origin"):
        assert "user=ann" not in echo(credentials=mode)["text"]
    assert "user=ann" in echo(**INCLUDE, method="PUT", headers={"X-Token": "1"})["text"]
    assert "OPTIONS /echo" in site.log()
    assert echo("/open/echo", **INCLUDE) == REFUSED


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        ("/echo", "GET", True),
        ("/echo", "HEAD", True),
        ("/echo", "POST", True),  # safelisted: no list is asked
        ("/echo", "PUT", True),
        ("/echo", "DELETE", True),
        ("/echo", "put", True),  # fetch makes it PUT
        ("/echo", "PATCH", False),
        ("/mirror/echo", "PATCH", True),
        ("/mirror/echo", "patch", True),  # which fetch leaves as it is, and hypercorn does not
        ("/mirror/echo", "PROPFIND", True),
        ("/open/echo", "PATCH", True),
    ],
)
def test_methods(fetch, site, path, method, allowed):
    """A method is sent if the preflight allows it; safelisted ones are sent without (wpt: simple-requests)."""
    answer = fetch(path, method=method, credentials="include" if path == "/mirror/echo" else "omit")
    assert answer == REFUSED if not allowed else answer["status"] == 200
    safe = method in {"GET", "HEAD", "POST"}
    assert site.log() == [*([] if safe else [f"OPTIONS {path}"]), *([f"{method.upper()} {path}"] if allowed else [])]


@pytest.mark.parametrize(
    ("path", "headers", "credentials", "preflight", "allowed"),
    [
        ("/echo", {"Accept": "text/x-tea", "Accept-Language": "de"}, "omit", False, True),
        ("/echo", {"Content-Type": "text/plain"}, "omit", False, True),
        ("/echo", {"Content-Type": "application/json"}, "omit", True, True),
        ("/echo", {"Range": "bytes=0-9"}, "omit", False, True),
        ("/echo", {"Accept": "x" * 129}, "omit", True, True),
        ("/echo", {"X-Token": "1"}, "omit", True, True),
        ("/echo", {"X-Token": "1"}, "include", True, True),
        ("/echo", {"X-Other": "1"}, "omit", True, False),
        ("/echo", {"X-Token": "1", "X-Other": "1"}, "omit", True, False),
        ("/echo", {"Authorization": "Bearer x"}, "omit", True, False),
        ("/mirror/echo", {"Authorization": "Bearer x", "X-Other": "1"}, "include", True, True),
        ("/open/echo", {"Authorization": "Bearer x"}, "omit", True, True),  # which `*` itself would not cover
        ("/open/echo", {"X-Other": "1"}, "include", True, False),
    ],
)
def test_headers(fetch, site, path, headers, credentials, preflight, allowed):
    """Headers beside the safelisted ones are sent if the preflight allows them (wpt: request-headers, allow-headers)."""
    answer = fetch(path, method="POST", headers=headers, credentials=credentials)
    assert answer == REFUSED if not allowed else answer["status"] == 200
    assert site.log() == [*([f"OPTIONS {path}"] if preflight else []), *([f"POST {path}"] if allowed else [])]


def test_refused_preflight(foreign, site):
    """The preflight of a foreign page is refused, so that the request is never made (wpt: preflight-failure)."""
    assert foreign("/echo", method="DELETE") == REFUSED
    assert site.log() == ["OPTIONS /echo"]


@pytest.mark.parametrize(("path", "preflights"), [("/echo", 1), ("/uncached/echo", 3)])
def test_preflight_cache(fetch, site, path, preflights):
    """One preflight is enough while `max_age` lasts, and `max_age=0` asks each time (wpt: preflight-cache)."""
    for _ in range(3):
        assert fetch(path, method="PUT", headers={"X-Token": "1"})["status"] == 200
    assert site.log().count(f"OPTIONS {path}") == preflights


def test_upload_events(page, fetch, site):
    """A listener for the progress of an upload asks for a preflight by itself (wpt: late-upload-events)."""
    status = page.evaluate(
        """url => new Promise(done => {
            const request = new XMLHttpRequest();
            request.upload.onprogress = () => {};
            request.onloadend = () => done(request.status);
            request.open("POST", url);
            request.send("x".repeat(100000));
        })""",
        f"{site.other}/echo",
    )
    assert status == 200
    assert site.log() == ["OPTIONS /echo", "POST /echo"]


@pytest.mark.parametrize(("path", "credentials"), [("/mirror/echo", "include"), ("/mirror/echo", "omit")])
def test_exposed_headers(fetch, path, credentials):
    """With `expose_headers="*"` a page reads all headers, with credentials, too (wpt: response-headers)."""
    answer = fetch(path, credentials=credentials)
    assert {"x-secret", "x-request-id"} <= {*answer["headers"]}


def test_cache_of_the_browser(fetch, site):
    """What the browser has cached of a request without Origin does not break a page that may read (Vary: Origin)."""
    assert fetch("/cached", mode="no-cors")["type"] == "opaque"
    assert fetch("/cached")["text"] == "cached"
    assert fetch("/cached")["text"] == "cached"
    assert site.log() == ["GET /cached", "GET /cached"]  # the third comes from the cache


def test_not_modified(fetch, site):
    """A 304 renews what the cache holds, and the page reads that (wpt: 304)."""
    assert [fetch("/tagged")["text"] for _ in range(2)] == ["tagged", "tagged"]
    assert site.log() == ["GET /tagged", "GET /tagged"]


def test_redirect_within_the_origin(fetch, site):
    """A redirect to the same server keeps the origin (wpt: redirect-origin)."""
    assert fetch(f"/redirect?to={site.other}/echo")["status"] == 200


def test_redirect_after_preflight(fetch, site):
    """A request with a preflight may be redirected; the target is asked again (wpt: redirect-preflight)."""
    assert fetch(f"/redirect?to={site.other}/mirror/echo", headers={"X-Token": "1"})["status"] == 200
    assert site.log() == ["OPTIONS /redirect", "GET /redirect", "OPTIONS /mirror/echo", "GET /mirror/echo"]


@pytest.mark.parametrize(("path", "allowed"), [("/echo", False), ("/null/echo", True), ("/open/echo", True)])
def test_redirect_to_another_origin(fetch, site, path, allowed):
    """Behind a redirect from one foreign origin to another, the origin is `null` (wpt: redirect-origin)."""
    answer = fetch(f"/redirect?to={site.home}{path}")
    assert answer == REFUSED if not allowed else answer["status"] == 200


def test_redirect_with_user_info(fetch, site):
    """The browser refuses a redirect to another origin with a name and a password in it (wpt: redirect-userinfo)."""
    to = site.home.replace("://", "://user:password@")
    assert fetch(f"/redirect?to={to}/open/echo") == REFUSED


@pytest.mark.parametrize(("path", "allowed"), [("/echo", False), ("/null/echo", True), ("/open/echo", True)])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_null_origin(page, site, path, allowed, method):
    """A sandboxed frame has the origin `null`: it reads where that is listed, and with `*` (wpt: sandboxed-iframe)."""
    page.goto(f"{site.home}/sandbox")
    frame = page.frames[1]
    frame.wait_for_load_state()
    answer = frame.evaluate(FETCH, [site.other + path, {"method": method}])
    assert answer == REFUSED if not allowed else answer["status"] == 200


@pytest.mark.parametrize(("page_of", "socket_of", "allowed"), [
    ("home", "other", True),
    ("other", "other", True),
    ("other", "home", False),
])  # fmt: skip
def test_websocket(page, site, page_of, socket_of, allowed):
    """A socket opens for allowed pages and for those of its own host; for a foreign one it fails (RFC 6455 10.2)."""
    page.goto(f"{getattr(site, page_of)}/page")
    site.log()
    url = f"{getattr(site, socket_of)}/socket".replace("http", "ws", 1)
    outcome = page.evaluate(
        """url => new Promise(done => {
            const socket = new WebSocket(url);
            socket.onmessage = event => done(event.data);
            socket.onclose = event => done(event.code);
        })""",
        url,
    )
    assert outcome == ("hello" if allowed else 1006)
    assert site.log() == ["socket /socket"]


def test_websocket_of_null(page, site):
    """A socket of a sandboxed frame fails: its origin is `null`, and nobody's host."""
    page.goto(f"{site.home}/sandbox")
    frame = page.frames[1]
    frame.wait_for_load_state()
    outcome = frame.evaluate(
        """url => new Promise(done => {
            const socket = new WebSocket(url);
            socket.onopen = () => done("open");
            socket.onclose = event => done(event.code);
        })""",
        f"{site.other}/socket".replace("http", "ws", 1),
    )
    assert outcome == 1006
