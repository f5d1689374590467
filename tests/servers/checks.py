"""What has to work on every server: the rows of the matrix. Each check takes a client, and the prefix of the paths.

With the prefix "/" the application stands behind all rooms; with "/bare/" the same server has it alone, which shows
whether the server itself can do what the check is about.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import uuid
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import brotli
import pytest

from middlewares._index import ROOMS

from ..compression.coded import zstd
from .clients import DEADLINE, Answer, Refused, eventually
from .matrix_app import ETAG, ORIGIN, PIECES, SECRET, TEXT

Check = Callable[[Any, str], None]
CHECKS: dict[str, Check] = {}
"""The name of a row -> what it checks."""

FOREIGN = "https://evil.example"
SESSIONS = "SessionMiddleware" in ROOMS
MEGABYTE = b"".join(b"%08d" % number for number in range(131_072))


def check(name: str, *, where: bool = True) -> Callable[[Check], Check]:
    """Make a function a row of the matrix."""

    def register(function: Check) -> Check:
        if where:
            CHECKS[name] = function
        return function

    return register


class Decoder:
    """Decodes what has come so far."""

    def __init__(self, coding: str) -> None:
        make: Any = {
            "identity": lambda: bytes,
            "gzip": lambda: zlib.decompressobj(31).decompress,
            "br": lambda: brotli.Decompressor().process,
            "zstd": lambda: zstd.ZstdDecompressor().decompress,
        }
        self.decode: Callable[[bytes], bytes] = make[coding]()


def _coded(client: Any, prefix: str, coding: str) -> None:
    answer = client.fetch(f"{prefix}text", headers={"accept-encoding": coding})
    assert answer.status == 200
    assert Decoder(coding).decode(answer.body) == TEXT
    assert answer.one("content-length") == str(len(answer.body))
    assert answer.all("content-encoding") == ([] if coding == "identity" else [coding])
    assert answer.one("etag") == (ETAG if coding == "identity" else f'"v1-{coding}"')


@check("identity")
def plain(client: Any, prefix: str) -> None:
    """Without Accept-Encoding the text comes as it is (RFC 9110 12.5.3)."""
    _coded(client, prefix, "identity")


@check("gzip")
def coded_by_gzip(client: Any, prefix: str) -> None:
    """The text comes in gzip, with its length and a tag of its own (RFC 9110 8.4.1.3)."""
    _coded(client, prefix, "gzip")


@check("br")
def coded_by_brotli(client: Any, prefix: str) -> None:
    """The text comes in brotli, with its length and a tag of its own (RFC 7932)."""
    _coded(client, prefix, "br")


@check("zstd")
def coded_by_zstd(client: Any, prefix: str) -> None:
    """The text comes in zstd, with its length and a tag of its own (RFC 9659)."""
    _coded(client, prefix, "zstd")


def _members(answer: Answer, name: str) -> list[str]:
    return sorted(member.strip().lower() for line in answer.all(name) for member in line.split(","))


def _allowed(answer: Answer) -> None:
    assert answer.one("access-control-allow-origin") == ORIGIN
    assert answer.one("access-control-allow-credentials") == "true"
    assert answer.one("access-control-expose-headers").lower() == "x-request-id"


@check("headers once")
def headers_once(client: Any, prefix: str) -> None:
    """Each header of ours is there once, the application's lines are all there, and Vary has each name once."""
    answer = client.fetch(f"{prefix}lines", headers={"origin": ORIGIN, "x-request-id": "from-the-client"})
    _allowed(answer)
    assert answer.one("x-request-id") == "from-the-client"
    assert [line.partition(";")[0] for line in answer.all("server-timing")] == ["inner", "app"]
    assert answer.all("x-twice") == ["1", "2"]
    assert answer.one("content-type") == "text/plain"
    answer = client.fetch(f"{prefix}text", headers={"origin": ORIGIN})
    assert _members(answer, "vary") == ["accept-encoding", "origin", "x-mode"]
    assert {name: len(answer.all(name)) for name, _ in answer.headers if name != "vary"} == {
        name: 1 for name, _ in answer.headers if name != "vary"
    }


@check("capitals in names")
def capitals(client: Any, prefix: str) -> None:
    """Names with capitals, as Django and bridges send them, arrive, and are not doubled (RFC 9110 5.1)."""
    answer = client.fetch(f"{prefix}capitals", headers={"origin": ORIGIN})
    assert (answer.status, answer.body) == (200, b"capitals")
    assert answer.one("content-type") == "text/plain"
    assert answer.one("access-control-allow-origin") == (ORIGIN if prefix == "/" else "*")


@check("HEAD")
def head(client: Any, prefix: str) -> None:
    """HEAD has the headers of GET, and no body (RFC 9110 9.3.2)."""
    request = {"origin": ORIGIN, "accept-encoding": "gzip", "x-request-id": "same"}
    of_get = client.fetch(f"{prefix}text", headers=request)
    of_head = client.fetch(f"{prefix}text", method="HEAD", headers=request)
    assert (of_head.status, of_head.body) == (200, b"")

    def steady(answer: Answer) -> Any:  # how long it would be in the coding is not known without coding it
        changing = ("date", "server-timing", "content-length", "transfer-encoding")
        return sorted(pair for pair in answer.headers if pair[0] not in changing)

    assert steady(of_head) == steady(of_get)


@check("304")
def not_modified(client: Any, prefix: str) -> None:
    """A client that has the text in a coding gets 304 with that coding's tag (RFC 9110 15.4.5)."""
    tag = client.fetch(f"{prefix}text", headers={"accept-encoding": "br"}).one("etag")
    answer = client.fetch(f"{prefix}text", headers={"accept-encoding": "br", "if-none-match": tag, "origin": ORIGIN})
    assert (answer.status, answer.body) == (304, b"")
    assert answer.one("etag") == tag == '"v1-br"'
    assert _members(answer, "vary") == ["accept-encoding", "origin", "x-mode"]
    _allowed(answer)


@check("preflight")
def preflight(client: Any, prefix: str) -> None:
    """A preflight is answered by the policy; a foreign one is refused (Fetch, CORS-preflight fetch)."""
    request = {"access-control-request-method": "PUT", "access-control-request-headers": "x-token"}
    answer = client.fetch(f"{prefix}text", method="OPTIONS", headers={"origin": ORIGIN, **request})
    assert (answer.status, answer.body) == (204, b"")
    assert answer.one("access-control-allow-origin") == ORIGIN
    assert "PUT" in answer.one("access-control-allow-methods")
    assert "x-token" in answer.one("access-control-allow-headers").lower()
    answer = client.fetch(f"{prefix}text", method="OPTIONS", headers={"origin": FOREIGN, **request})
    assert answer.status == 403
    assert answer.all("access-control-allow-origin") == []


def _stepwise(client: Any, path: str, coding: str, text: str) -> None:
    """A piece has to arrive and to decode before the next one is asked for."""
    key, decoder = uuid.uuid4().hex, Decoder(coding)
    request = {"accept-encoding": coding}
    with client.stream(f"{path}?key={key}", headers=request) as (answer, chunks):
        assert answer.status == 200
        assert answer.all("content-encoding") == ([] if coding == "identity" else [coding])
        seen = b""
        for number in range(PIECES):
            if number:
                client.fetch(f"{path.rpartition('/')[0]}/release?key={key}")
            expected = "".join(text.format(before) for before in range(number + 1)).encode()
            while seen != expected:
                seen += decoder.decode(next(chunks))
                assert expected.startswith(seen)
        rest = b"".join(decoder.decode(chunk) for chunk in chunks)
        assert rest == b""


@check("stream")
def stream(client: Any, prefix: str) -> None:
    """Each piece of a stream arrives before the next one is made."""
    _stepwise(client, f"{prefix}stream", "identity", "piece {}\n")


@check("stream in gzip")
def stream_in_gzip(client: Any, prefix: str) -> None:
    """Each piece of a stream can be decoded before the next one is made."""
    _stepwise(client, f"{prefix}stream", "gzip", "piece {}\n")


@check("stream in br")
def stream_in_brotli(client: Any, prefix: str) -> None:
    """Each piece of a stream can be decoded before the next one is made."""
    _stepwise(client, f"{prefix}stream", "br", "piece {}\n")


@check("stream in zstd")
def stream_in_zstd(client: Any, prefix: str) -> None:
    """Each piece of a stream can be decoded before the next one is made."""
    _stepwise(client, f"{prefix}stream", "zstd", "piece {}\n")


@check("server-sent events")
def events(client: Any, prefix: str) -> None:
    """Each event arrives before the next one is made, plain and coded (HTML, server-sent events)."""
    for coding in ("identity", "gzip") if prefix == "/" else ("identity",):
        _stepwise(client, f"{prefix}events", coding, "data: piece {}\n\n")


@check("long poll")
def long_poll(client: Any, prefix: str) -> None:
    """A request that waits for something is answered when it happens, and does not hold others up."""
    key = uuid.uuid4().hex
    with client.again() as other, ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(other.fetch, f"{prefix}poll?key={key}")
        assert eventually(lambda: _probe(client, prefix)["active"].get("poll"))
        client.fetch(f"{prefix}release?key={key}")
        assert waiting.result(DEADLINE).body == b"at last"


def _probe(client: Any, prefix: str) -> Any:
    return client.fetch(f"{prefix}probe").json()


def _upload(client: Any, prefix: str, content: bytes, headers: dict[str, str]) -> None:
    answer = client.fetch(f"{prefix}upload", method="POST", content=content, headers=headers)
    assert answer.status == 200
    assert answer.json() == {"length": len(MEGABYTE), "sha256": hashlib.sha256(MEGABYTE).hexdigest()}


@check("upload of 1 MiB")
def upload(client: Any, prefix: str) -> None:
    """The application gets each byte of a large body."""
    _upload(client, prefix, MEGABYTE, {})


@check("upload of 1 MiB in gzip")
def upload_in_gzip(client: Any, prefix: str) -> None:
    """The application gets a coded body decoded; a broken one is answered with 400."""
    coded = gzip.compress(MEGABYTE)
    _upload(client, prefix, coded, {"content-encoding": "gzip"})
    broken = client.fetch(
        f"{prefix}upload", method="POST", content=coded[:-9], headers={"content-encoding": "gzip", "origin": ORIGIN}
    )
    assert broken.status == 400
    _allowed(broken)


@check("answer before the upload")
def unread_upload(client: Any, prefix: str) -> None:
    """An answer that does not wait for the body arrives, as those of 413 and 415 do, and the server works on."""
    answer = client.unread(f"{prefix}lines", MEGABYTE)
    assert (answer.status, answer.body) == (200, b"lines")
    with client.again() as other:  # over HTTP/1.1, the first connection cannot be used any longer
        assert other.fetch(f"{prefix}lines").status == 200


@check("cookies")
def cookies(client: Any, prefix: str) -> None:
    """Two cookies stay two lines, and come back (RFC 6265 3)."""
    first = client.fetch(f"{prefix}cookies")
    assert first.all("set-cookie") == ["a=1; Path=/", "b=2; Path=/"]
    second = client.fetch(f"{prefix}cookies")
    assert sorted(second.body.decode().split("; ")) == ["a=1", "b=2"]


@check("session", where=SESSIONS)
def session(client: Any, prefix: str) -> None:
    """A session comes back with its cookie, and is written only when it changed."""
    answers = [client.fetch(f"{prefix}visit") for _ in range(3)]
    assert [answer.json() for answer in answers] == [{"visits": 1}, {"visits": 2}, {"visits": 3}]
    assert answers[0].one("set-cookie").startswith("session=")
    assert "cookie" in _members(answers[0], "vary")
    assert client.fetch(f"{prefix}text").all("set-cookie") == []


@check("500")
def readable_error(client: Any, prefix: str) -> None:
    """An exception is a problem that an allowed page can read, with the id and without the text (RFC 9457)."""
    answer = client.fetch(f"{prefix}boom", headers={"origin": ORIGIN, "x-request-id": "failing"})
    assert answer.status == 500
    assert answer.one("content-type") == "application/problem+json"
    _allowed(answer)
    assert answer.json()["request_id"] == answer.one("x-request-id") == "failing"
    assert SECRET.encode() not in answer.body


@check("client that leaves")
def client_that_leaves(client: Any, prefix: str) -> None:
    """When a client leaves in mid-stream, the generator ends, and no task stays behind."""
    key = uuid.uuid4().hex
    before = _probe(client, prefix)["tasks"]
    try:
        with client.again() as other, other.abandoned(f"{prefix}endless?key={key}") as first:
            assert first
            assert _probe(client, prefix)["active"]["endless"] == 1
        ended = eventually(lambda: key in _probe(client, prefix)["done"], seconds=client.patience)
        assert ended, "the application is not told"
        assert eventually(lambda: _probe(client, prefix)["tasks"] <= before)
        assert "endless" not in _probe(client, prefix)["active"]
    finally:
        client.fetch(f"{prefix}release?key={key}")  # where nobody tells it, it ends by this


@check("work after the response")
def background(client: Any, prefix: str) -> None:
    """A response is complete while the application works on."""
    key = uuid.uuid4().hex
    assert client.fetch(f"{prefix}background?key={key}").body == b"answered"
    state = _probe(client, prefix)
    assert state["active"]["background"] == 1
    assert key not in state["done"]
    client.fetch(f"{prefix}release?key={key}")
    assert eventually(lambda: key in _probe(client, prefix)["done"])


def _offered(answer: Answer, extension: str) -> None:
    assert extension in answer.one("x-extensions").split(","), f"the application is not offered {extension}"


@check("early hints")
def early_hints(client: Any, prefix: str) -> None:
    """A hint of the application comes before its response (RFC 8297)."""
    answer = client.exchange(f"{prefix}hints")
    _offered(answer, "http.response.early_hint")
    assert [[value for name, value in hint if name == "link"] for hint in answer.hints] == [
        ["</style.css>; rel=preload; as=style"]
    ]
    assert (answer.status, answer.body) == (200, b"hinted")


@check("server push")
def push(client: Any, prefix: str) -> None:
    """What the application pushes arrives beside its response (RFC 9113 8.4)."""
    answer = client.exchange(f"{prefix}hints")
    _offered(answer, "http.response.push")
    assert answer.pushed == {f"{prefix}text": TEXT}
    assert (answer.status, answer.body) == (200, b"hinted")


@check("trailers")
def trailers(client: Any, prefix: str) -> None:
    """Trailers of the application, and of timing, follow the body where the client takes them (RFC 9110 6.5)."""
    answer = client.exchange(f"{prefix}trailers", headers={"te": "trailers"})
    _offered(answer, "http.response.trailers")
    assert (answer.status, answer.body) == (200, b"with trailers")
    assert ("x-checksum", "42") in answer.trailers
    if prefix == "/":
        assert [value.partition(";")[0] for name, value in answer.trailers if name == "server-timing"] == ["total"]


@check("WebSocket")
def websocket(client: Any, prefix: str) -> None:
    """A socket of an allowed page, of this host, and of a program opens and echoes texts and bytes (RFC 6455)."""
    for origin in (ORIGIN, f"http://{client.authority}", None):
        with client.websocket(f"{prefix}socket", origin=origin) as opened:
            assert opened.ask("text \u2603") == "text \u2603"
            assert opened.ask(b"\x00\xff") == b"\x00\xff"
            assert opened.ask("x" * 100_000) == "x" * 100_000


@check("WebSocket that closes")
def closing_websocket(client: Any, prefix: str) -> None:
    """The application is told that the client has closed its socket, and ends (ASGI, Disconnect)."""
    before = _probe(client, prefix)["done"].count("websocket")
    with client.websocket(f"{prefix}socket") as opened:
        opened.ask("hello")
    ended = eventually(lambda: _probe(client, prefix)["done"].count("websocket") > before, seconds=client.patience)
    assert ended, "the application is not told"


@check("WebSocket of a foreign page")
def foreign_websocket(client: Any, prefix: str) -> None:
    """A socket of a foreign page is refused before the application sees it (RFC 6455 10.2)."""
    before = _probe(client, prefix)["seen"]
    for origin in (FOREIGN, "null"):
        with pytest.raises(Refused) as refused, client.websocket(f"{prefix}socket", origin=origin):
            pass
        assert refused.value.answer.status == 403
    assert _probe(client, prefix)["seen"] == before


@check("headers of a WebSocket's handshake")
def websocket_headers(client: Any, prefix: str) -> None:
    """The handshake carries the application's header, and the id of the request."""
    with client.websocket(f"{prefix}socket", headers={"x-request-id": "socket-7"}) as opened:
        opened.ask("hello")
        assert opened.handshake.one("x-socket") == "1"
        assert prefix != "/" or opened.handshake.one("x-request-id") == "socket-7"


@check("WebSocket with the session", where=SESSIONS)
def websocket_session(client: Any, prefix: str) -> None:
    """A socket sees the session of its page."""
    client.fetch(f"{prefix}visit")
    cookie = "; ".join(f"{cookie.name}={cookie.value}" for cookie in client.cookies.jar)
    with client.websocket(f"{prefix}socket", headers={"cookie": cookie}) as opened:
        assert json.loads(opened.ask("session")) == {"visits": 1}


@check("lifespan once")
def lifespan(client: Any, prefix: str) -> None:
    """The application's lifespan has started, once, and has not ended (ASGI, Lifespan)."""
    lifespans = _probe(client, prefix)["lifespans"]
    assert lifespans == {"lifespan.startup": 1}, f"the application has seen {lifespans}"
