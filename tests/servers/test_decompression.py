"""Coded uploads through real servers: what arrives, what is refused, and what a client sees of a response cut off."""

from __future__ import annotations

import hashlib
import random
import socket

import httpx
import pytest

from ..compression.coded import bomb, encode
from ..conftest import require
from .harness import SERVERS, serve

pytestmark = pytest.mark.servers

NOISE = random.Random(0).randbytes(300_000)
TEXT = b"the quick brown fox jumps over the lazy dog, " * 10_000
ECHOED = {body: f"{len(body)} {hashlib.sha256(body).hexdigest()}" for body in (b"", NOISE, TEXT, NOISE + TEXT)}


@pytest.fixture(scope="module", params=SERVERS)
def server(request):
    """Each server, running the application."""
    require(request.param.partition("-")[0])
    with serve(request.param, "tests.servers.decompression_app:app") as running:
        running.name = request.param
        yield running


def post(server, coding, body, method="POST", path="/", timeout=20):
    headers = {"Content-Encoding": coding}
    return httpx.request(method, server.url + path, headers=headers, content=body, timeout=timeout, trust_env=False)


def in_chunks(body, size=10_000):
    """Without Content-Length, as curl sends what comes from a pipe."""
    return (body[at : at + size] for at in range(0, len(body), size))


@pytest.mark.parametrize(
    ("coding", "coded", "body"),
    [
        ("gzip", encode("gzip", NOISE) + encode("gzip", TEXT), NOISE + TEXT),
        ("br", encode("br", NOISE + TEXT), NOISE + TEXT),
        ("zstd", encode("zstd", NOISE) + encode("zstd", TEXT), NOISE + TEXT),
        ("x-gzip", encode("gzip", TEXT), TEXT),
        ("identity", TEXT, TEXT),
    ],
    ids=["gzip", "br", "zstd", "x-gzip", "identity"],
)
def test_upload(server, coding, coded, body):
    """A body arrives decoded, with Content-Length and in chunks."""
    for content in (coded, in_chunks(coded)):
        response = post(server, coding, content)
        assert (response.status_code, response.text) == (200, ECHOED[body]), server.log()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_no_content(server, method):
    """A GET or HEAD without content is answered, whatever its Content-Encoding says."""
    response = post(server, "gzip", None, method)
    assert (response.status_code, response.text) == (200, "" if method == "HEAD" else ECHOED[b""])


@pytest.mark.parametrize(
    ("coding", "coded", "status"),
    [
        ("zstd", bomb("zstd", 64 << 20), 413),
        ("gzip", bomb("gzip", 16 << 20), 413),
        ("br", bomb("br", 16 << 20), 413),
        ("gzip", b"garbage", 400),
        ("zstd", encode("zstd", TEXT)[:-1], 400),
        ("br", encode("br", TEXT) + b"behind", 400),
        ("lzma", b"tea", 415),
        ("gzip, br", encode("br", encode("gzip", TEXT)), 415),
    ],
    ids=["bomb-zstd", "bomb-gzip", "bomb-br", "garbage", "truncated", "trailing", "unknown", "nested"],
)
def test_refused(server, coding, coded, status):
    """A body that cannot be handed on is answered with the status that says why, and with a problem."""
    response = post(server, coding, coded)
    assert response.status_code == response.json()["status"] == status
    assert response.headers.get("accept-encoding") == ("gzip, br, zstd" if status == 415 else None)
    assert "Traceback" not in server.log()


def test_begun_response(server):
    """A response that has begun before its request turns out to be bad is cut off: the connection closes unfinished."""
    if server.name == "daphne":  # leaves it open, also after an exception
        with pytest.raises(httpx.ReadTimeout):
            post(server, "gzip", b"garbage", path="/begun", timeout=2)
    else:
        with pytest.raises(httpx.RemoteProtocolError, match="peer closed connection"):
            post(server, "gzip", b"garbage", path="/begun")
    assert "Traceback" not in server.log()


def test_expectation(server):
    """A client that waits for 100 (Continue) is refused by its headers, before its body (RFC 9110 10.1.1)."""
    head = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-encoding: lzma\r\ncontent-length: 9\r\nexpect: 100-continue\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(head)
        line = client.recv(12)
    # Hypercorn and daphne ask for the body before any application is called.
    assert line == (b"HTTP/1.1 415" if server.name in {"uvicorn", "granian"} else b"HTTP/1.1 100")
