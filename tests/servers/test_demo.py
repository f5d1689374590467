"""`examples/demo.py` as `make demo` runs it, under a real uvicorn."""

from __future__ import annotations

import gzip
import re
import socket
import subprocess
import sys

import httpx
import pytest

from ..compression.test_encoders import decode, decode_so_far
from ..conftest import require
from .harness import ROOT

pytestmark = pytest.mark.servers

ALLOWED = "https://app.example"
HEX_ID = re.compile(r"[0-9a-f]{32}")


@pytest.fixture
def client(demo_server):
    """A client of the demo."""
    with httpx.Client(base_url=demo_server.url, timeout=30, trust_env=False) as client:
        yield client


def _allows(response, origin=ALLOWED):
    """The CORS headers are there, each once, and an id is readable beside them."""
    headers = response.headers
    assert headers.get_list("access-control-allow-origin") == [origin]
    assert headers.get_list("access-control-allow-credentials") == ["true"]
    assert headers["access-control-expose-headers"].lower() == "x-request-id"
    assert headers.get_list("vary", split_commas=True).count("Origin") == 1
    assert HEX_ID.fullmatch(headers["x-request-id"])
    return True


def test_page_says_what_to_curl(client, demo_server):
    """The page at / names the port at hand."""
    response = client.get("/")
    assert response.status_code == 200
    assert f"curl -i localhost:{demo_server.port}/hello" in response.text


@pytest.mark.parametrize("origin", [ALLOWED, "http://localhost:5173", "http://localhost", "http://127.0.0.1:3000"])
def test_allowed_origin(client, origin):
    """Pages of the listed origin, and of any port of this machine, may read the answer and its id."""
    response = client.get("/hello", headers={"Origin": origin})
    assert response.status_code == 200
    assert _allows(response, origin)
    assert response.json() == {"hello": "world", "request_id": response.headers["x-request-id"]}


@pytest.mark.parametrize("origin", ["https://evil.example", "https://localhost:5173", "null", "http://app.example"])
def test_refused_origin(client, origin):
    """The answer to a foreign page has no permission, but an id, and Vary for caches."""
    response = client.get("/hello", headers={"Origin": origin})
    assert response.status_code == 200
    assert not [name for name in response.headers if name.startswith("access-control-")]
    assert "Origin" in response.headers.get_list("vary", split_commas=True)
    assert HEX_ID.fullmatch(response.headers["x-request-id"])


def test_preflight(client):
    """A preflight is answered by the policy, and by nothing else."""
    headers = {
        "Origin": ALLOWED,
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "content-type",
    }
    response = client.options("/hello", headers=headers)
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["access-control-allow-origin"] == ALLOWED
    assert "PUT" in response.headers["access-control-allow-methods"]
    assert "content-type" in response.headers["access-control-allow-headers"].lower()
    assert HEX_ID.fullmatch(response.headers["x-request-id"])


def test_refused_preflight(client):
    """A method that is not in the policy gets 403, and no permission."""
    response = client.options("/hello", headers={"Origin": ALLOWED, "Access-Control-Request-Method": "DELETE"})
    assert response.status_code == 403
    assert "DELETE" not in response.headers.get("access-control-allow-methods", "")


@pytest.mark.parametrize("path", ["/boom", "/legacy/boom"])
def test_unhandled_exception(client, demo_server, path):
    """The page can read the 500 of Starlette and of Flask: a problem with the id, without the exception's text."""
    response = client.get(path, headers={"Origin": ALLOWED})
    assert response.status_code == 500
    assert _allows(response)
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["request_id"] == response.headers["x-request-id"]
    assert "this text" not in response.text
    assert demo_server.logs("RuntimeError: this text")


def test_flask_part(client):
    """The legacy application sees the id in the request's headers."""
    response = client.get("/legacy/", headers={"X-Request-ID": "order-7"})
    assert response.headers["x-request-id"] == "order-7"
    assert "Request order-7" in response.text


def test_policy_replaces_headers_of_flask(client):
    """The `*` that the legacy application sets is replaced for allowed origins and removed for others."""
    response = client.get("/legacy/report", headers={"Origin": ALLOWED})
    assert _allows(response)
    assert response.json()["request_id"] == response.headers["x-request-id"]
    response = client.get("/legacy/report", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in response.headers


def test_upload_in_gzip(client):
    """The application sees plain JSON; what is no gzip is refused before it can fail."""
    coded = {"Content-Encoding": "gzip"}
    response = client.post("/orders", headers=coded, content=gzip.compress(b'{"tea": 2}\n'))
    assert (response.status_code, response.json()) == (200, {"ordered": {"tea": 2}, "size": 11})
    response = client.post("/orders", headers=coded, content=b"tea")
    assert (response.status_code, response.json()["detail"]) == (
        400,
        "The request body is not valid gzip: it is damaged.",
    )
    assert client.post("/orders", headers=coded, content=gzip.compress(bytes(1_000_001))).status_code == 413


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_codings(client, coding):
    """One document comes in each coding, a fifth of its size, with a tag of its own, and as a 304 to who holds it."""
    with client.stream("GET", "/teas", headers={"Accept-Encoding": coding}) as response:
        coded = b"".join(response.iter_raw())
    plain = client.get("/teas", headers={"Accept-Encoding": "identity"})
    assert decode(coding, coded) == plain.content
    assert len(coded) < len(plain.content) / 5
    assert (response.headers["etag"], plain.headers["etag"]) == (f'"v1-{coding}"', '"v1"')
    held = {"Accept-Encoding": coding, "If-None-Match": f'"v1-{coding}"'}
    again = client.get("/teas", headers=held)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", f'"v1-{coding}"')
    vary = again.headers.get_list("vary", split_commas=True)
    assert {"Accept-Encoding", "Available-Dictionary", "Origin"} == set(vary)


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_curl_decodes(demo_server, client, coding):
    """What curl decodes of each coding is the plain document."""
    curl = require("curl", "it decodes what we code")
    command = [curl, "--silent", "--noproxy", "*", "--compressed", "--header", f"Accept-Encoding: {coding}"]
    done = subprocess.run([*command, f"{demo_server.url}/teas"], capture_output=True, check=True, timeout=60)
    assert done.stdout == client.get("/teas", headers={"Accept-Encoding": "identity"}).content


@pytest.mark.parametrize("coding", ["identity", "gzip", "br", "zstd"])
@pytest.mark.parametrize(
    ("path", "pieces"),
    [
        ("/stream", [b"piece %d\n" % number for number in range(5)]),
        ("/events", [b'data: {"tea": %d}\n\n' % number for number in range(5)]),
    ],
)
def test_streams_pass_piece_by_piece(client, coding, path, pieces):
    """Nothing in the stack gathers a streamed body: each piece can be read when it comes, in each coding."""
    coded = b""
    seen: list[bytes] = []
    with client.stream("GET", path, headers={"Accept-Encoding": coding}) as response:
        for chunk in response.iter_raw():
            coded += chunk
            so_far = coded if coding == "identity" else decode_so_far(coding, coded)
            seen += [so_far] if so_far else []
    assert seen[-1] == b"".join(pieces)
    # Gathered, it would come at once, after 0.8 s; a busy client may see two pieces at a time.
    assert seen[0] in [b"".join(pieces[:number]) for number in range(1, 5)]


def test_session_counts_until_the_logout(client):
    """The counter counts for who brings the cookie; a login changes the id and keeps the count, a logout ends both."""
    first = client.get("/counter")
    assert (first.json(), client.get("/counter").json()["count"]) == ({"user": None, "count": 1}, 2)
    assert "Cookie" in first.headers.get_list("vary", split_commas=True)
    assert first.headers["cache-control"] == "private"
    for attribute in ("HttpOnly", "SameSite=Lax", "Path=/"):
        assert attribute in first.headers["set-cookie"].split("; ")
    before = client.cookies["session"]
    assert client.post("/login", data={"user": "ada"}).json() == {"user": "ada", "count": 2}
    assert client.cookies["session"] != before
    after = client.cookies["session"]
    assert client.get("/counter").json() == {"user": "ada", "count": 3}
    assert client.post("/logout").json() == {"user": None, "count": 0}
    assert "session" not in client.cookies
    for copied in (before, after):  # both ids are dead on the server, too
        client.cookies.set("session", copied)
        assert client.get("/counter").json() == {"user": None, "count": 1}
        client.cookies.clear()


def test_no_session_without_its_use(client):
    """What does not touch the session sets no cookie and varies on none."""
    response = client.get("/hello")
    assert "set-cookie" not in response.headers
    assert "Cookie" not in response.headers.get_list("vary", split_commas=True)


@pytest.mark.parametrize("origin", [ALLOWED, None], ids=["allowed", "none"])
def test_websocket(demo_server, origin):
    """A socket of an allowed page, and of a program, opens, and its handshake has an id."""
    client = require("websockets.sync.client")
    with client.connect(f"ws://127.0.0.1:{demo_server.port}/ws", origin=origin, proxy=None) as socket:
        socket.send("hello")
        assert socket.recv(timeout=30) == "hello"
        assert HEX_ID.fullmatch(socket.response.headers["x-request-id"])


def test_foreign_websocket(demo_server):
    """A socket of a foreign page is refused with 403 before the application sees it."""
    client = require("websockets.sync.client")
    exceptions = require("websockets.exceptions")
    with (
        pytest.raises(exceptions.InvalidStatus) as refused,
        client.connect(f"ws://127.0.0.1:{demo_server.port}/ws", origin="https://evil.example", proxy=None),
    ):
        pass
    assert refused.value.response.status_code == 403
    assert HEX_ID.fullmatch(refused.value.response.headers["x-request-id"])


def test_port_that_is_taken():
    """The demo says that its port is not free, and what to do."""
    require("uvicorn")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "examples/demo.py"],
            cwd=ROOT,
            env={"PORT": str(port)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert f"Port {port} is not free" in done.stderr
