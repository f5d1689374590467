"""CORS as Chromium enforces it, over HTTP and HTTPS: the cases of the web-platform-tests' folder `cors`, on pages of ours.

`wpt.py` has the list of that folder's files. A page of `localhost` is allowed by the policy, one of `127.0.0.1` is not; each asks the other, at the same server.
"""

from __future__ import annotations

import itertools
import re
import ssl

import httpx
import pytest

from ..conftest import require
from ..servers.harness import free_port, start
from .wpt import APART, COVERED

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
    """A server under its two names, at a second port, and by its other scheme."""

    def __init__(self, scheme, ports, certificate):
        self.home = f"{scheme}://localhost:{ports[scheme]}"
        self.other = f"{scheme}://127.0.0.1:{ports[scheme]}"
        self.neighbour = f"{scheme}://localhost:{ports['second ' + scheme]}"
        crossed = "http" if scheme == "https" else "https"
        self.crossed = f"{crossed}://127.0.0.1:{ports[crossed]}"
        self.page = None
        self._verify = ssl.create_default_context(cafile=certificate.path)

    def log(self):
        """What the server got since the last call, but for pages."""
        seen = httpx.get(f"{self.home}/log", verify=self._verify, trust_env=False, timeout=30).json()
        return [line for line in seen if not line.endswith(("/page", "/sandbox"))]


@pytest.fixture(scope="module")
def ports(certificate):
    """The ports of a server of the application: HTTP/1.1 without TLS, and HTTP/2 with it."""
    require("hypercorn")
    chosen = {}

    def arguments(port):
        chosen.update({"http": port, **{name: free_port() for name in ("second http", "https", "second https")}})
        command = ["-m", "hypercorn", "tests.browser.cors_app:app", "--graceful-timeout", "1"]
        for name, bound in chosen.items():
            command += ["--bind" if "https" in name else "--insecure-bind", f"127.0.0.1:{bound}"]
        return [*command, "--certfile", str(certificate.path), "--keyfile", str(certificate.key_path)]

    with start(arguments):
        yield chosen


@pytest.fixture(scope="module", params=["http", "https"])
def site(request, ports, certificate):
    """The server by one of its schemes."""
    return Site(request.param, ports, certificate)


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


def test_ports(page, site):
    """A page of another port of the same host is of another origin: it reads what it is allowed alone (wpt: basic)."""
    page.goto(f"{site.neighbour}/page")
    assert page.evaluate(FETCH, [f"{site.home}/echo?ports", {}])["type"] == "cors"
    assert page.evaluate(FETCH, [f"{site.home}/none/echo?ports", {}]) == REFUSED


def test_schemes(page, site):
    """A page reads over the other scheme, too, where its origin is allowed (wpt: basic)."""
    page.goto(f"{site.home}/page")
    assert page.evaluate(FETCH, [f"{site.crossed}/echo?schemes", {}])["type"] == "cors"
    page.goto(f"{site.other}/page")
    assert page.evaluate(FETCH, [f"{site.crossed}/echo?schemes", {}]) == REFUSED


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


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT"])
@pytest.mark.parametrize("status", [200, 204, 400, 401, 404, 501])
def test_status_after_preflight(fetch, site, method, status):
    """A page reads answers of every status behind a preflight (wpt: status-preflight)."""
    path = f"/uncached/echo?status={status}"
    assert fetch(path, method=method, headers={"X-Token": "1"})["status"] == status
    assert site.log() == ["OPTIONS /uncached/echo", f"{method} /uncached/echo"]


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


def test_cookies_of_answers(page, site):
    """A cookie is kept of an answer to `include` alone (wpt: credentials-flag)."""
    page.context.clear_cookies()
    page.goto(f"{site.neighbour}/page")
    for mode, kept in (("omit", False), ("same-origin", False), ("include", True)):
        assert page.evaluate(FETCH, [f"{site.home}/login?{mode}", {"credentials": mode}])["status"] == 200
        assert ("user" in [cookie["name"] for cookie in page.context.cookies()]) is kept


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
        ("/echo", {"Content-Type": "text/plain;garbage"}, "omit", False, True),
        ("/echo", {"Content-Type": "text/plain, text/plain"}, "omit", True, True),
        ("/echo", {"Range": "bytes=0-9"}, "omit", False, True),
        ("/echo", {"Range": "bytes=9-"}, "omit", False, True),
        ("/echo", {"Range": "bytes=-9"}, "omit", True, False),
        ("/echo", {"Accept": "x" * 129}, "omit", True, True),
        ("/echo", {"X-Token": "1"}, "omit", True, True),
        ("/echo", {"X-Token": "1"}, "include", True, True),
        ("/echo", {"x-tOKEN": "1"}, "omit", True, True),
        ("/echo", {"Access-Control-Allow-Origin": "*"}, "omit", True, False),
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


def test_preflight_cache_ends(page, fetch, site):
    """When `max_age` is over, a preflight is asked for again (wpt: preflight-cache)."""
    for _ in range(2):
        assert fetch("/brief/echo", method="PUT")["status"] == 200
        page.wait_for_timeout(1500)
    assert site.log() == ["OPTIONS /brief/echo", "PUT /brief/echo"] * 2


def test_preflight_of_the_application(fetch, site):
    """Where there is no policy, preflights come to the application; its redirect and its errors refuse (wpt: redirect-preflight)."""
    for path in (f"/none/redirect?to={site.other}/echo", "/none/echo?status=404", "/none/echo?status=200"):
        assert fetch(path, method="PUT") == REFUSED
        assert site.log() == [f"OPTIONS {path.partition('?')[0]}"]


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


def test_late_upload_events(page, fetch, site):
    """A listener that comes too late sees nothing of an upload without preflight (wpt: late-upload-events)."""
    seen = page.evaluate(
        """url => new Promise(done => {
            const request = new XMLHttpRequest(), seen = [];
            request.onloadend = () => done([request.status, seen]);
            request.open("POST", url);
            request.send("x".repeat(100000));
            for (const event of ["loadstart", "progress", "load", "loadend"])
                request.upload["on" + event] = () => seen.push(event);
        })""",
        f"{site.other}/echo?late",
    )
    assert seen == [200, []]
    assert site.log() == ["POST /echo"]


def test_safelisted_response_headers(fetch):
    """Headers that any page may read are there beside the exposed one, and no others (wpt: response-headers)."""
    assert sorted(fetch("/readable")["headers"]) == [
        "cache-control", "content-language", "content-length", "content-type", "expires", "last-modified", "pragma",
        "x-request-id",
    ]  # fmt: skip


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


LOAD = """([name, url, attributes]) => new Promise(done => {
    const element = Object.assign(document.createElement(name), attributes);
    element.onload = () => done(element.complete === undefined ? "loaded" : draw(element));
    element.onerror = () => done("refused");
    element.src = url;
    document.body.append(element);
    function draw(image) {
        const context = document.createElement("canvas").getContext("2d");
        context.drawImage(image, 0, 0);
        try { context.getImageData(0, 0, 1, 1); return "read"; } catch (error) { return error.name; }
    }
})"""


@pytest.mark.parametrize(
    ("page_of", "attributes", "outcome"),
    [
        ("home", {}, "SecurityError"),
        ("home", {"crossOrigin": "anonymous"}, "read"),
        ("other", {"crossOrigin": "anonymous"}, "refused"),
    ],
)
def test_image(page, site, page_of, attributes, outcome):
    """The pixels of an image are read by an allowed page that asks with CORS (wpt: image-tainting)."""
    page.goto(f"{getattr(site, page_of)}/page")
    url = f"{site.other if page_of == 'home' else site.home}/image?{len(attributes)}"
    assert page.evaluate(LOAD, ["img", url, attributes]) == outcome


def test_script(page, site):
    """A script that is asked for with CORS runs, again after a 304, and on no foreign page (wpt: script-304)."""
    anonymous = {"crossOrigin": "anonymous"}
    page.goto(f"{site.other}/page")
    assert page.evaluate(LOAD, ["script", f"{site.home}/script", anonymous]) == "refused"
    page.goto(f"{site.home}/page")
    for ran in (1, 2):
        assert page.evaluate(LOAD, ["script", f"{site.other}/script", anonymous]) == "loaded"
        assert page.evaluate("window.ran") == ran


def test_redirect_from_the_own_origin(page, site):
    """A request to the own origin that is led to another one is asked there by CORS (wpt: redirect-preflight-2)."""
    page.goto(f"{site.home}/page")
    site.log()

    def led_to(path, **init):
        return page.evaluate(FETCH, [f"/redirect?to={site.other}{path}", init])

    token, other = {"X-Token": "1"}, {"X-Other": "1"}
    assert f'"origin": "{site.home}"' in led_to("/uncached/echo")["text"]
    assert led_to("/none/echo") == REFUSED
    assert site.log() == ["GET /redirect", "GET /uncached/echo", "GET /redirect", "GET /none/echo"]
    assert led_to("/uncached/echo", headers=token)["status"] == 200
    assert site.log() == ["GET /redirect", "OPTIONS /uncached/echo", "GET /uncached/echo"]
    assert led_to("/uncached/echo", headers=other) == REFUSED
    assert site.log() == ["GET /redirect", "OPTIONS /uncached/echo"]


def test_redirect_without_permission(fetch, site):
    """A redirect that may not be read is not followed (wpt: redirect-origin)."""
    assert fetch(f"/none/redirect?to={site.other}/echo") == REFUSED
    assert site.log() == ["GET /none/redirect"]


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


@pytest.mark.parametrize(("path", "allowed"), [("/echo", False), ("/null/echo", True), ("/open/echo", True)])
@pytest.mark.parametrize("kind", ["frame", "worker"])
def test_null_origin_of_data(page, site, kind, path, allowed):
    """What a `data:` address holds has the origin `null` (wpt: data-url-iframe, data-url-worker)."""
    page.goto(f"{site.home}/page")
    outcome = page.evaluate(
        """([kind, url]) => new Promise(done => {
            const ask = `fetch("${url}").then(answer => answer.status, error => error.name)`;
            if (kind === "worker") {
                const worker = new Worker("data:text/javascript," + encodeURIComponent(`${ask}.then(postMessage)`));
                worker.onmessage = event => done(event.data);
            } else {
                const script = `<script>${ask}.then(seen => parent.postMessage(seen, "*"))</` + "script>";
                const frame = document.createElement("iframe");
                window.onmessage = event => done(event.data);
                frame.src = "data:text/html," + encodeURIComponent(script);
                document.body.append(frame);
            }
        })""",
        [kind, f"{site.other}{path}?{kind}"],
    )
    assert outcome == (200 if allowed else "TypeError")


def test_list():
    """Each test that the list of the web-platform-tests names is one of this module."""
    assert {name for names in COVERED.values() for name in names} <= {*globals()}
    assert not {*COVERED} & {*APART}


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
