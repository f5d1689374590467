"""Coded responses through real servers: what clients decode, when they can, and how they ask whether it is still true."""

from __future__ import annotations

import subprocess

import httpx
import pytest

from ..compression.test_encoders import decode, decode_so_far
from ..conftest import require
from .compression_app import DOCUMENT, PIECES
from .harness import SERVERS, serve

pytestmark = pytest.mark.servers

codings = pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])


@pytest.fixture(scope="module", params=SERVERS)
def server(request):
    """Each server, running the application."""
    require(request.param.partition("-")[0])
    with serve(request.param, "tests.servers.compression_app:app") as running:
        yield running


@pytest.fixture
def client(server):
    """A client of the server."""
    with httpx.Client(base_url=server.url, timeout=20, trust_env=False) as client:
        yield client


def get(client, coding, path="/", **headers):
    """The response and its body as it came."""
    headers = {"Accept-Encoding": coding, **{name.replace("_", "-"): value for name, value in headers.items()}}
    with client.stream("GET", path, headers=headers) as response:
        return response, b"".join(response.iter_raw())


@codings
def test_document(client, coding):
    """A document comes coded, with the length of its coded bytes, and HEAD has the headers of GET."""
    response, coded = get(client, coding)
    assert decode(coding, coded) == DOCUMENT
    assert response.headers["content-encoding"] == coding
    assert response.headers["content-length"] == str(len(coded))
    assert response.headers["etag"] == f'"v1-{coding}"'
    head = client.head("/", headers={"Accept-Encoding": coding})
    for name in ("content-type", "content-encoding", "vary", "etag"):
        assert head.headers[name] == response.headers[name]
    # Some servers add "transfer-encoding: chunked" of their own.
    assert head.headers.get("content-length") in {None, str(len(coded))}


@codings
def test_still_true(client, coding):
    """Who asks with the tag of the coded body gets a 304 with that tag, and who asks with an older one a 200."""
    response, body = get(client, coding, If_None_Match=f'"v1-{coding}"')
    assert (response.status_code, body) == (304, b"")
    assert (response.headers["etag"], response.headers["vary"]) == (f'"v1-{coding}"', "Accept-Encoding")
    assert get(client, coding, If_None_Match='"v0-gzip"')[0].status_code == 200


@codings
@pytest.mark.parametrize("path", PIECES)
def test_piece_by_piece(client, coding, path):
    """What the application has sent can be decoded while it waits before the next piece."""
    coded, seen = b"", []
    with client.stream("GET", path, headers={"Accept-Encoding": coding}) as response:
        assert response.headers["content-encoding"] == coding
        for chunk in response.iter_raw():
            coded += chunk
            seen.append(decode_so_far(coding, coded))
    assert seen[-1] == b"".join(PIECES[path])
    assert decode(coding, coded) == seen[-1]
    # Four pieces can be seen before the last one; a busy client may see some of them together, though not all.
    between = {plain for plain in seen if plain and plain != seen[-1]}
    assert between <= {b"".join(PIECES[path][:number]) for number in range(1, len(PIECES[path]))}
    assert len(between) > 1


@codings
def test_curl(server, coding):
    """`curl --compressed` offers the codings that it knows, and decodes what comes."""
    curl = require("curl", "it decodes what we code")
    command = [curl, "--silent", "--noproxy", "*", "--compressed", "--write-out", "%{stderr}%{size_download}"]
    for accept in ([], ["--header", f"Accept-Encoding: {coding}"]):
        done = subprocess.run([*command, *accept, server.url], capture_output=True, check=True, timeout=60)
        assert done.stdout == DOCUMENT
        assert int(done.stderr) < len(DOCUMENT) / 100
