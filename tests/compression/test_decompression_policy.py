"""What is accepted, how Content-Encoding is read, and when a body is refused; no messages but those of the request."""

import contextlib
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middlewares.compression.decompression_policy import DecompressionPolicy, Refusal, decoded_headers
from tests.compression.coded import CODINGS, bomb, encode

ALL = DecompressionPolicy(max_size=1000, encodings=CODINGS)
DEFAULT = DecompressionPolicy(max_size=1000, encodings=("gzip", "br", "zstd"))


@pytest.mark.parametrize(
    ("keywords", "error", "match"),
    [
        ({"max_size": 0}, ValueError, r"max_size must be at least 1 byte \(got 0\).*sys.maxsize"),
        ({"max_size": -1}, ValueError, r"max_size .*\(got -1\)"),
        ({"max_size": 1.5}, TypeError, r"max_size must be a number of bytes, an int \(got 1.5\)"),
        ({"max_size": True}, TypeError, r"max_size .*\(got True\)"),
        ({"max_size": None}, TypeError, r"max_size .*\(got None\)"),
        ({"encodings": ()}, ValueError, "encodings must name at least one"),
        ({"encodings": ("gzip", "lzma")}, ValueError, "unknown name 'lzma'; it takes gzip, br, zstd, deflate"),
        ({"encodings": ("GZIP",)}, ValueError, "unknown name 'GZIP'"),
        ({"encodings": ("x-gzip",)}, ValueError, "unknown name 'x-gzip'"),
        ({"encodings": (b"gzip",)}, ValueError, "unknown name b'gzip'"),
        ({"encodings": ([],)}, ValueError, r"unknown name \[\]"),
        ({"encodings": "gzip"}, TypeError, r"encodings must be a list of names.*\(got 'gzip'\)"),
        ({"encodings": None}, TypeError, r"encodings must be a list of names.*\(got None\)"),
    ],
)
def test_mistakes(keywords, error, match):
    """A wrong value is refused at construction, by its keyword and with the way out."""
    with pytest.raises(error, match=match):
        DecompressionPolicy(**{"max_size": 1, "encodings": ("gzip",), **keywords})


def test_accept_encoding():
    """What a 415 lists is what is accepted, in the order given and once each (RFC 9110 12.5.3)."""
    policy = DecompressionPolicy(max_size=sys.maxsize, encodings=iter(["zstd", "gzip", "zstd"]))
    assert policy.accept_encoding == (b"accept-encoding", b"zstd, gzip")
    assert policy.unsupported.endswith("codings: zstd, gzip.")


@pytest.mark.parametrize("values", [[], [b""], [b" , ,"], [b"identity"], [b"Identity, identity", b""]], ids=repr)
def test_plain(values):
    """No coding, and "identity", which is no coding (RFC 9110 8.4.1), is a plain body."""
    assert DEFAULT.body(values, "POST") is None


@pytest.mark.parametrize(
    ("values", "coding"),
    [
        ([b"gzip"], "gzip"),
        ([b"x-gzip"], "gzip"),
        ([b"GZip"], "gzip"),
        ([b"X-GZIP"], "gzip"),
        ([b"\tbr "], "br"),
        ([b"zstd"], "zstd"),
        ([b"deflate"], "deflate"),
        ([b",gzip,"], "gzip"),
        ([b"", b"gzip"], "gzip"),
        ([b"identity", b"br"], "br"),
    ],
    ids=repr,
)
def test_accepted(values, coding):
    """A coding is known in any case (RFC 9110 8.4.1), as a list of one, and gzip by its old name (8.4.1.3)."""
    body = ALL.body(values, "POST")
    body.feed({"body": encode(coding, b"tea")})
    body.step(100)
    assert body.take() == {"type": "http.request", "body": b"tea", "more_body": False}


@pytest.mark.parametrize(
    "values",
    [
        [b"lzma"],
        [b"deflate"],
        [b"gzip, br"],
        [b"gzip", b"gzip"],
        [b"gzip,x-gzip"],
        [b"gzip;q=1"],
        [b'"gzip"'],
        [b"gzip br"],
        [b"gzip\0"],
        [b"\xff\xfe"],
        [b"*"],
        [b"aws-chunked"],
    ],
    ids=repr,
)
@pytest.mark.parametrize("method", ["POST", "GET", "HEAD", "DELETE", "OPTIONS"])
def test_unsupported(values, method):
    """Codings that are unknown, not accepted, malformed or upon each other are 415 (RFC 9110 8.4, 15.5.16)."""
    with pytest.raises(Refusal) as refused:
        DEFAULT.body(values, method)
    assert (refused.value.status, refused.value.detail) == (415, DEFAULT.unsupported)


@given(st.lists(st.binary(max_size=30), max_size=4))
def test_any_field(values):
    """Any bytes in Content-Encoding are plain, accepted, or refused."""
    with contextlib.suppress(Refusal):
        DEFAULT.body(values, "POST")


def test_decoded_headers():
    """What is true of the coded body alone is left out, on all its lines; the rest keeps its order and its pairs."""
    kept = [(b"content-type", b"text/plain"), (b"x", b"1"), (b"x", b"2"), (b"transfer-encoding", b"chunked")]
    gone = [b"content-encoding", b"content-length", b"content-md5", b"content-digest", b"digest", b"repr-digest"]
    headers = [*kept[:2], *((name, b"v") for name in gone), *((name, b"w") for name in gone), *kept[2:]]
    result = decoded_headers(iter(headers))
    assert result == kept
    assert all(a is b for a, b in zip(result, kept, strict=True))


# Bodies


def play(coding, pieces, max_size, step=100):
    """The messages that a body makes of pieces, and the refusal that ends them."""
    body = DecompressionPolicy(max_size=max_size, encodings=CODINGS).body([coding.encode()], "POST")
    messages = []
    pieces = list(pieces)
    while not body.is_over:
        if body.needs_input:
            body.feed({"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)})
        body.step(step)
        try:
            message = body.take()
        except Refusal as refusal:
            return messages, refusal
        if message is not None:
            messages.append(message)
    assert not pieces
    return messages, None


codings = pytest.mark.parametrize("coding", CODINGS)


@codings
@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 40_000])
def test_max_size_is_inclusive(coding, size):
    """A body of max_size bytes passes, one more is 413; never more than max_size bytes are handed on."""
    data = b"tea " * (size // 4) + b"t" * (size % 4)
    for pieces in ([encode(coding, data)], [bytes([byte]) for byte in encode(coding, data)]):
        messages, refusal = play(coding, pieces, max(size, 1))
        assert b"".join(message["body"] for message in messages) == data
        assert refusal is None
        assert [message["more_body"] for message in messages] == [True] * (len(messages) - 1) + [False]
        if size > 1:
            messages, refusal = play(coding, pieces, size - 1)
            assert refusal.status == 413
            assert refusal.detail == f"The request body decodes to more than {size - 1} bytes."
            handed = b"".join(message["body"] for message in messages)
            assert len(handed) < size
            assert data.startswith(handed)
            assert all(message["more_body"] for message in messages)


@codings
def test_bomb(coding):
    """A bomb is given up as soon as it is known to be one, with its input unread."""
    messages, refusal = play(coding, [bomb(coding, 32 << 20)], 100_000, step=65_536)
    assert refusal.status == 413
    assert sum(len(message["body"]) for message in messages) <= 100_000


@pytest.mark.parametrize(
    ("coding", "piece", "detail"),
    [
        ("gzip", b"garbage", "The request body is not valid gzip: it is damaged."),
        ("br", encode("br", b"tea") + b"x", "The request body is not valid br: it is damaged."),
        ("zstd", b"garbage", "The request body is not valid zstd: it is damaged, or has a window above 8 MB."),
        ("deflate", b"garbage", "The request body is not valid deflate: it is damaged."),
        ("gzip", b"", "The request body is not valid gzip: it ends too early."),
        ("zstd", encode("zstd", b"tea")[:-1], "The request body is not valid zstd: it ends too early."),
    ],
)
def test_invalid(coding, piece, detail):
    """A body that is damaged, or ends before its coding does, is 400 with the reason."""
    messages, refusal = play(coding, [piece], 1000)
    assert (refusal.status, refusal.detail) == (400, detail)
    assert all(message["more_body"] for message in messages)


@codings
@given(data=st.binary(max_size=300), length=st.integers(0, 400), step=st.integers(1, 70))
def test_truncated(coding, data, length, step):
    """A body cut short anywhere never ends well (`more_body` false is what an application acts on)."""
    coded = encode(coding, data)
    messages, refusal = play(coding, [coded[: length % len(coded)]], 1000, step)
    assert refusal.status == 400
    assert all(message["more_body"] for message in messages)


@codings
@pytest.mark.parametrize(
    ("method", "is_fine"),
    [(method, True) for method in ("GET", "HEAD", "DELETE", "OPTIONS")]
    + [(method, False) for method in ("POST", "PUT", "PATCH", "QUERY", "get")],
)
def test_empty_body(coding, method, is_fine):
    """Not a single byte is no content for methods that have none as a rule (RFC 9110 9.3), and cut short for others."""
    for first in ([], [{"body": b"", "more_body": True}]):
        body = ALL.body([coding.encode()], method)
        for message in [*first, {"body": b"", "more_body": False}]:
            body.feed(message)
            body.step(100)
        if is_fine:
            assert body.take() == {"type": "http.request", "body": b"", "more_body": False}
        else:
            with pytest.raises(Refusal, match=r"400.*ends too early"):
                body.take()


@codings
def test_begun_body_of_a_get(coding):
    """One byte is a body, also in a GET: its end must be there."""
    body = ALL.body([coding.encode()], "GET")
    body.feed({"body": encode(coding, b"tea")[:1], "more_body": True})
    body.step(100)
    assert body.take() is None
    body.feed({"body": b"", "more_body": False})
    body.step(100)
    with pytest.raises(Refusal, match=r"400.*ends too early"):
        body.take()


def test_repeated_step():
    """A step whose outcome was not taken is not made again: a cancelled caller loses nothing."""
    body = ALL.body([b"gzip"], "POST")
    body.feed({"body": encode("gzip", b"tea" * 50), "more_body": False})
    body.step(100)
    assert not body.needs_input
    body.step(100)
    first = body.take()
    body.step(100)
    last = body.take()
    assert (first["body"] + last["body"], first["more_body"], last["more_body"]) == (b"tea" * 50, True, False)


def test_outcome_that_was_not_taken():
    """Before the outcome of a step is taken, nothing further is asked of the client."""
    body = ALL.body([b"gzip"], "POST")
    body.feed({"body": encode("gzip", b"tea"), "more_body": True})
    body.step(100)
    assert not body.needs_input
    assert body.take() == {"type": "http.request", "body": b"tea", "more_body": True}
    assert body.needs_input


def test_repeated_refusal():
    """Whoever asks again gets the same refusal again."""
    body = ALL.body([b"gzip"], "POST")
    body.feed({"body": b"garbage", "more_body": True})
    refusals, depths = [], []
    for _ in range(2):
        body.step(100)
        with pytest.raises(Refusal) as refused:
            body.take()
        refusals.append(refused.value)
        depths.append(len(refused.traceback))
        assert not body.needs_input
    assert refusals[0] is refusals[1]
    assert depths[0] == depths[1]  # and does not grow by it


def test_missing_body():
    """`body` and `more_body` may be missing (ASGI: empty, and no more)."""
    body = ALL.body([b"gzip"], "POST")
    body.feed({"type": "http.request", "body": encode("gzip", b""), "more_body": True})
    body.step(100)
    assert body.take() is None
    assert body.needs_input
    assert body.feed({"type": "http.request"}) == 0
    body.step(100)
    assert body.take() == {"type": "http.request", "body": b"", "more_body": False}
    assert body.is_over
