"""The demo in process: its files, its policy, its endpoints, and how it is served. `browser/test_demo.py` clicks on it."""

from __future__ import annotations

import gzip
import html
import json
import logging
import re
import socket
import subprocess
import sys
from contextvars import Context

import anyio
import httpx
import pytest

from middlewares.demo import application, serve
from middlewares.demo.application import CURLS
from middlewares.demo.endpoints import TEAS
from middlewares.demo.log import LINES, Lines
from middlewares.testing import Lint, http_scope, lifespan_scope, run, websocket_scope

from .conftest import require

HERE, THERE, FOREIGN = "http://127.0.0.1:8000", "http://localhost:8000", "https://evil.example"
OTHER = {"middlewares": "asgi_middlewares", "asgi_middlewares": "middlewares"}
STATIC = {"/": "text/html", "/demo/style.css": "text/css", "/demo/script.js": "text/javascript"}


@pytest.fixture(scope="module")
def demo():
    """The demo."""
    return application()


@pytest.fixture
def ask(demo):
    """Ask the demo, as one visitor who keeps the cookies."""
    jar = httpx.Cookies()

    def ask_(method, path, **options):
        async def main():
            transport = httpx.ASGITransport(Lint(demo), raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=THERE, cookies=jar) as client:
                response = await client.request(method, path, **options)
            jar.update(client.cookies)
            return response

        return anyio.run(main)

    return ask_


# The page


@pytest.mark.parametrize(("path", "kind"), STATIC.items())
def test_files(ask, path, kind):
    """Page, style and script are served with a policy that allows nothing inline and nothing from elsewhere."""
    response = ask("GET", path)
    assert (response.status_code, response.headers["content-type"]) == (200, f"{kind}; charset=utf-8")
    policy = dict(part.split(" ", 1) for part in response.headers["content-security-policy"].split("; "))
    assert policy.pop("connect-src").split()[0] == "'self'"
    assert policy.pop("img-src") == "'self' data:"
    assert policy == {
        **dict.fromkeys(["default-src", "base-uri", "frame-ancestors", "form-action"], "'none'"),
        **dict.fromkeys(["script-src", "style-src"], "'self'"),
    }
    assert response.headers["x-content-type-options"] == "nosniff"


def test_page_needs_nothing_else(ask):
    """What the page loads are the two files beside it; it has no inline script, style or handler."""
    page = ask("GET", "/").text
    assert set(re.findall(r'(?:src|href)="([^"#]+)"', page)) - {"/demo/style.css", "/demo/script.js"} == {
        re.search(r'href="(data:image/svg[^"]+)"', page)[1]
    }
    assert not re.search(r"<style|<script(?! type=\"module\" src=)|\sstyle=|\son[a-z]+=", page)
    assert "http" not in re.sub(
        r"https?://(www\.w3\.org|app\.example|localhost)|<code>https</code>", "", page.split("<pre")[0]
    )


def test_links_of_the_stack(ask):
    """Each layer of the stack, outermost first, links to a panel that is there."""
    page = ask("GET", "/").text
    from middlewares._options import ORDER

    links = re.findall(r'<li><a href="#([a-z-]+)"><(?:code|b)>([a-z_]+)<', page)
    assert [name for _, name in links] == [*ORDER, "application"]
    assert {panel for panel, _ in links} <= {*re.findall(r'<section class="panel" id="([a-z-]+)"', page)}


def test_each_control_has_an_action(ask):
    """Each control of the page has an action of the script, and the other way round."""
    controls = set(re.findall(r'data-action="([a-z]+)"', ask("GET", "/").text))
    actions = re.search(r"const ACTIONS = \{\n(.*?)\n\};", ask("GET", "/demo/script.js").text, re.DOTALL)[1]
    assert controls == {*re.findall(r"^  ([a-z]+):", actions, re.MULTILINE)} != set()


def test_curls_on_the_page(demo):
    """What to try in a terminal is on the page, escaped, with the port that the demo was told."""
    page = run(application(port=8123), http_scope())[1]["body"].decode()
    assert html.escape(CURLS.format(host="localhost", port=8123), quote=False) in page
    assert "localhost:8123/demo/hello" in page
    other = run(application(curls="curl localhost:{port} | <b>"), http_scope())[1]["body"].decode()
    assert "curl localhost:8000 | &lt;b&gt;" in other


@pytest.mark.parametrize("package", ["middlewares", "asgi_middlewares"])
def test_second_name(package):
    """The demo finds its files under each name of the package, and is loaded by neither before it is asked for."""
    code = (
        f"import sys, {package} as package\nassert '{package}.demo' not in sys.modules\nimport {package}.demo\n"
        f"{package}.demo.application()\n"
        "assert not {'uvicorn', 'click', 'starlette', " + repr(OTHER[package]) + "} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_nothing_else(ask):
    """Other paths and methods are a 404 of the demo, with all headers of the stack."""
    for method, path in (("POST", "/"), ("GET", "/demo/nothing"), ("GET", "/favicon.ico"), ("GET", "/demo/count")):
        response = ask(method, path)
        assert (response.status_code, response.json()["request_id"]) == (404, response.headers["x-request-id"])
    assert ask("HEAD", "/").headers["content-length"] == ask("GET", "/").headers["content-length"]


# Beside another application


def test_application_beside():
    """The other application gets every path but the page's own, and is told of start and end."""
    seen = []

    async def beside(scope, receive, send):
        seen.append(scope.get("path", scope["type"]))
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    app = application(beside)
    statuses = [run(app, http_scope("GET", path))[0]["status"] for path in ("/", "/demo/hello", "/demos", "/hello")]
    assert statuses == [200, 200, 204, 204]
    run(app, lifespan_scope())
    assert seen == ["/demos", "/hello", "lifespan"]


def test_lifespan(demo):
    """By itself, the demo starts and ends as servers ask it to."""
    sent = run(Lint(demo), lifespan_scope(), {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


# The panels


@pytest.mark.parametrize(("sent", "adopted"), [(None, False), ("order-7", True), ("<b>order 7</b>", False)])
def test_request_id(ask, sent, adopted):
    """The id of header, application and log is one, the visitor's own where it is safe."""
    response = ask("GET", "/demo/hello", headers={"X-Request-ID": sent} if sent else {})
    request_id = response.headers["x-request-id"]
    assert response.json()["request_id"] == request_id
    assert (request_id == sent) is adopted
    said, access = ask("GET", "/demo/log", params={"id": request_id}).json()[-2:]
    assert said == f"INFO [{request_id}] middlewares.demo: the application says hello"
    assert f'"GET /demo/hello HTTP/1.1" 200 {len(response.content)} ' in access
    assert f" request_id={request_id} " in access
    assert ask("GET", "/demo/log").json() == []


def test_lines_are_few():
    """The log keeps the last lines alone, and of an exception one line."""
    lines = Lines(count=2)
    logger = logging.getLogger("tests.tea")
    logger.setLevel(logging.INFO)
    logger.handlers = [lines]
    # In a context of its own: another test may have left the id of a request in this one.
    for number in range(3):
        Context().run(logger.info, "cup %d\n", number)
    assert lines.of("-") == ["INFO [-] tests.tea: cup 1", "INFO [-] tests.tea: cup 2"]
    try:
        raise LookupError("no cup")
    except LookupError:
        logger.exception("It failed", extra={"request_id": "a"})
    assert lines.of("a") == ["ERROR [a] tests.tea: It failed | LookupError: no cup"]


def test_server_timing(ask):
    """The menu says what it took how long for."""
    names = re.findall(r"(\w+);dur=", ask("GET", "/demo/menu").headers["server-timing"])
    assert names == ["app", "db", "cache", "template"]


@pytest.mark.parametrize("coding", ["identity", "gzip", "br", "zstd"])
def test_coding_of_the_query(ask, coding):
    """`?coding=` narrows what the browser takes, and to nothing that it does not take."""
    every = {"Accept-Encoding": "gzip, deflate, br;q=0.9, zstd"}
    response = ask("GET", f"/demo/document?coding={coding}&n=1", headers=every)
    assert response.json() == TEAS
    assert response.headers.get("content-encoding", "identity") == coding
    response = ask("GET", f"/demo/document?coding={coding}", headers={"Accept-Encoding": "deflate"})
    assert "content-encoding" not in response.headers
    assert ask("GET", "/demo/document", headers=every).headers["content-encoding"] == "zstd"


def test_versions_are_dictionaries(ask):
    """Each version may be kept as the dictionary of the next, and they differ in little (RFC 9842)."""
    first, second = (ask("GET", f"/demo/versions/{number}") for number in (1, 2))
    assert first.headers["use-as-dictionary"] == 'match="/demo/versions/*"'
    assert "max-age=60" in first.headers["cache-control"]
    changed = [one != other for one, other in zip(first.json(), second.json(), strict=True)]
    assert 1 <= sum(changed) <= 2


def test_uploads(ask):
    """The application sees the plain body of a coded upload; damage and bombs are refused."""
    coded = {"Content-Encoding": "gzip"}
    response = ask("POST", "/demo/orders", content=gzip.compress(b'{"tea": 2}'), headers=coded)
    assert response.json() == {"size": 10, "content_encoding": [], "begins": '{"tea": 2}'}
    assert ask("POST", "/demo/orders", content=b"tea", headers=coded).status_code == 400
    assert ask("POST", "/demo/orders", content=gzip.compress(bytes(2_000_000)), headers=coded).status_code == 413
    pieces = [{"type": "http.request", "body": b"te", "more_body": True}, {"type": "http.request", "body": b"a"}]
    sent = run(application(), http_scope("POST", "/demo/orders"), *pieces)
    assert json.loads(sent[1]["body"])["begins"] == "tea"


@pytest.mark.parametrize(
    ("path", "origin", "allowed"),
    [("open", HERE, True), ("open", FOREIGN, False), ("closed", HERE, False), ("closed", "https://app.example", True)],
)
def test_cors(ask, path, origin, allowed):
    """One path is for pages of this machine, the other for somebody else's."""
    response = ask("GET", f"/demo/{path}", headers={"Origin": origin})
    assert response.headers.get("access-control-allow-origin") == (origin if allowed else None)
    assert ("access-control-expose-headers" in response.headers) is allowed


@pytest.mark.parametrize(
    ("query", "allowed", "why", "exchanges"),
    [
        ({}, True, [], 1),
        ({"method": "PUT"}, True, [], 2),
        ({"method": "DELETE"}, False, ["method DELETE is not in allow_methods"], 1),
        ({"header": "X-Tea"}, False, ["header x-tea is not in allow_headers"], 1),
        ({"credentials": "1"}, False, ["credentials are not allowed: allow_credentials is False"], 1),
        ({"path": "/demo/closed"}, False, [f"origin '{HERE}' is not allowed"], 1),
    ],
)
def test_explanation(ask, query, allowed, why, exchanges):
    """The browser's algorithm is played on the policy, and the policy says what stands against a fetch."""
    told = ask("GET", "/demo/explain", params={"origin": HERE, **query}).json()
    assert (told["allowed"], told["configuration"], len(told["exchanges"])) == (allowed, why, exchanges)
    assert bool(told["reason"]) is not allowed
    assert f"origin: {HERE}" in told["exchanges"][-1]["request"]


@pytest.mark.parametrize("query", [{}, {"origin": HERE, "method": "TRACE"}, {"origin": HERE, "path": "//["}])
def test_explanation_of_nothing(ask, query):
    """What no browser would send is a 400."""
    assert ask("GET", "/demo/explain", params=query).status_code == 400


def test_session(ask):
    """The counter, login, new id and logout: what becomes of data, id and cookie is told, and never the id itself."""

    def visit(method, action):
        response = ask(method, f"/demo/{action}")
        told = response.json()
        cookie = response.headers.get("demo-set-cookie")
        assert cookie is None or cookie.startswith("session=...; Path=/; ")
        assert (cookie is None) is ("set-cookie" not in response.headers)
        return told["user"], told["count"], told["id"], cookie

    assert visit("GET", "session") == (None, 0, None, None)
    *first, begun, set_ = visit("POST", "count")
    assert first == [None, 1]
    assert "Max-Age=1209600; HttpOnly; SameSite=Lax" in set_
    assert visit("GET", "session") == (None, 1, begun, None)
    *login, logged_in, set_ = visit("POST", "login")
    assert (login, logged_in != begun, set_ is not None) == (["ada", 1], True, True)
    *same, renewed, set_ = visit("POST", "regenerate")
    assert (same, renewed not in {begun, logged_in}, set_ is not None) == (["ada", 1], True, True)
    *out, none, removed = visit("POST", "logout")
    assert (out, none, "Max-Age=0" in removed) == ([None, 0], None, True)


def test_failures(ask):
    """Behind the layer a page of the second origin can read the 500; without it, nothing is said at all."""
    response = ask("GET", "/demo/boom", headers={"Origin": HERE})
    assert response.json() == {
        "title": "Internal Server Error",
        "status": 500,
        "request_id": response.headers["x-request-id"],
    }
    assert response.headers["access-control-allow-origin"] == HERE
    assert "kettle" not in response.text
    with pytest.raises(RuntimeError, match="the kettle is empty"):
        run(application(), http_scope("GET", "/demo/unguarded"))


def test_events(demo):
    """Each event goes out by itself."""
    sent = run(demo, http_scope("GET", "/demo/events"))
    bodies = [message["body"] for message in sent[1:] if message["body"]]
    assert [body.startswith(b"data: cup %d of 5 is ready" % number) for number, body in enumerate(bodies, 1)] == [
        True
    ] * 5


def _socket(path, *headers):
    messages = [{"type": "websocket.receive", "text": "tea"}, {"type": "websocket.receive", "text": "more"}]
    scope = websocket_scope(path, headers, extensions={"websocket.http.response": {}})
    return run(
        Lint(application()),
        scope,
        {"type": "websocket.connect"},
        *messages,
        {"type": "websocket.disconnect", "code": 1000},
    )


def test_socket():
    """The echo counts in a session that begins with the handshake."""
    accept, *answers = _socket("/demo/socket")
    assert b"set-cookie" in dict(accept["headers"])
    assert [json.loads(answer["text"]) for answer in answers] == [
        {"echo": "tea", "said": 1, "user": None},
        {"echo": "more", "said": 2, "user": None},
    ]


def test_sockets_that_are_refused():
    """A page of a foreign origin, and one that the path is not for, get no socket; nor is there one elsewhere."""
    host = (b"host", b"localhost:8000")
    for path, origin in (("/demo/socket", FOREIGN), ("/demo/closed/socket", HERE)):
        assert _socket(path, host, (b"origin", origin.encode()))[0]["status"] == 403
    assert _socket("/demo/closed/socket", host, (b"origin", b"https://app.example"))[0]["type"] == "websocket.accept"
    assert _socket("/demo/nothing")[0]["type"] == "websocket.close"


# Serving


@pytest.fixture
def quiet(monkeypatch):
    """Uvicorn does not serve: what it was asked to."""
    uvicorn = require("uvicorn")
    calls = []

    def run_(self, sockets):
        calls.append((self.config, [found.getsockname()[:2] for found in sockets]))
        raise KeyboardInterrupt

    monkeypatch.setattr(uvicorn.Server, "run", run_)
    loggers = [logging.getLogger(name) for name in ("uvicorn", "uvicorn.access", "uvicorn.error")]
    kept = [(logger, [*logger.handlers], logger.level, logger.propagate) for logger in loggers]
    yield calls
    for logger, handlers, level, propagate in kept:
        logger.handlers[:] = handlers
        logger.setLevel(level)
        logger.propagate = propagate


@pytest.mark.parametrize(
    ("host", "shown", "name"),
    [
        ("127.0.0.1", "127.0.0.1", "localhost"),
        ("::1", "[::1]", "localhost"),
        ("127.0.0.2", "127.0.0.2", "127.0.0.2"),
        ("0.0.0.0", "localhost", "localhost"),
        ("::", "localhost", "localhost"),
        ("2001:db8::1", "[2001:db8::1]", "[2001:db8::1]"),
    ],
)
def test_serve(quiet, caplog, monkeypatch, host, shown, name):
    """The address is told with what to try, the exceptions of the server are kept, and Ctrl+C ends it in peace."""
    asked = []

    def create_server(address, *, family):  # not every machine has ::1
        asked.append((address, family))
        return listening(("127.0.0.1", 0))

    listening = socket.create_server
    monkeypatch.setattr(socket, "create_server", create_server)
    with caplog.at_level(logging.INFO, "middlewares.demo"):
        serve(host, 0)
    [(config, [(_, port)])] = quiet
    assert asked == [((host, 0), socket.AF_INET6 if ":" in host else socket.AF_INET)]
    assert f"Or in a browser: http://{shown}:{port}/ (Ctrl+C ends it)" in caplog.text
    assert CURLS.format(host=name, port=port) in caplog.text
    assert LINES in logging.getLogger("uvicorn.error").handlers
    assert f"{name}:{port}/demo/hello".encode() in run(config.app, http_scope())[1]["body"]


def test_serve_without_the_extra(monkeypatch):
    """Without uvicorn, the error names the extra."""
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ImportError, match=r"the demo needs `pip install 'asgi-middlewares\[serve\]'`"):
        serve()
