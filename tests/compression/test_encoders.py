"""Encoders: what they make is what the libraries' own decoders read, whole and in pieces, with padding and without."""

from __future__ import annotations

import gzip
import subprocess
import sys
import threading
import zlib

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from middlewares.compression.encoders import Brotli, Gzip, Zstd
from tests.compression.coded import zstd
from tests.conftest import require

TEXT = b"the quick brown fox jumps over the lazy dog, " * 40
CODECS = {"gzip": Gzip, "br": Brotli, "zstd": Zstd}
LEVELS = {"gzip": range(10), "br": range(12), "zstd": (-50, -1, 0, 1, 3, 9, 19, 20, 22)}

every_codec = pytest.mark.parametrize("name", CODECS)


def decode(name, data):
    if name == "gzip":
        return gzip.decompress(data)
    return brotli.decompress(data) if name == "br" else zstd.decompress(data)


def decode_so_far(name, data):
    """What a client has of a stream that has not ended."""
    if name == "gzip":
        return zlib.decompressobj(31).decompress(data)
    if name == "br":
        return brotli.Decompressor().process(data)
    return zstd.ZstdDecompressor().decompress(data)


def window(frame):
    """The window that a zstd frame asks for (RFC 8878 3.1.1.1)."""
    if frame[4] >> 5 & 1:  # single segment: the window is the content
        return zstd.get_frame_info(frame).decompressed_size
    exponent, mantissa = frame[5] >> 3, frame[5] & 7
    return (1 << 10 + exponent) * (8 + mantissa) // 8


@pytest.mark.parametrize(("name", "level"), [(name, level) for name in CODECS for level in LEVELS[name]])
@pytest.mark.parametrize("body", [b"", b"a", TEXT], ids=["empty", "one byte", "text"])
def test_whole(name, level, body):
    """A body is coded at every level, again and again, by the same codec."""
    codec = CODECS[name](level)
    assert [body, body] == [decode(name, codec.whole(body)), decode(name, codec.whole(body))]


@every_codec
@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(["encode", "flush"]), st.binary(max_size=300))), st.booleans(), st.booleans())
def test_streams(name, steps, events, padded):
    """However a body is cut, what a flush has returned decodes to all until then, and the end to all of it."""
    encoder = CODECS[name](3, 9 if padded else 0).stream(events=events)
    coded = plain = b""
    for step, data in steps:
        coded += getattr(encoder, step)(data)
        plain += data
        if step == "flush":
            assert plain == decode_so_far(name, coded)
    coded += encoder.finish(b"end")
    assert plain + b"end" == decode(name, coded)


@every_codec
def test_streams_are_apart(name):
    """Two streams of one codec do not know of each other."""
    codec = CODECS[name](3)
    one, other = codec.stream(events=False), codec.stream(events=True)
    first = one.encode(b"one") + one.flush(b"")
    second = other.flush(b"other")
    assert b"one more" == decode(name, first + one.finish(b" more"))
    assert b"other more" == decode(name, second + other.finish(b" more"))


def test_gzip_has_no_clock():
    """The time in the header is 0, so that equal bodies have equal tags (RFC 1952 2.3.1)."""
    assert bytes(4) == Gzip(4).whole(TEXT)[4:8] == Gzip(4).stream(events=False).finish(TEXT)[4:8]


@pytest.mark.slow
@pytest.mark.parametrize("level", [-1, 3, 17, 19, 20, 22])
def test_zstd_window(level):
    """No frame asks for more than 8 MB, at no level, nor for a whole body above it (RFC 9659; tower-http #490)."""
    body = bytes(9 << 20)
    codec = Zstd(level)
    assert 8 << 20 >= window(codec.whole(body))
    assert 8 << 20 >= window(codec.stream(events=False).flush(b"a"))
    assert 1 << 15 == window(codec.stream(events=True).flush(b"a"))


@every_codec
@pytest.mark.parametrize("padding", [1, 100, 1000])
@pytest.mark.parametrize("kind", ["whole", "stream"])
def test_padding(name, padding, kind):
    """Each body grows by a length of its own, up to the given one and its frame, and decodes as ever (BREACH)."""
    plain, padded = CODECS[name](4), CODECS[name](4, padding)

    def coded(codec):
        return codec.whole(TEXT) if kind == "whole" else codec.stream(events=False).finish(TEXT)

    # A flush stands before the block of brotli; each 256 bytes of it have 2 more. zstd's frame has 8 more.
    most = padding + {"gzip": 0, "br": 2 * (1 + padding // 256) + 4, "zstd": 8}[name]
    sizes = {len(coded(padded)) - len(coded(plain)) for _ in range(60)}
    assert len(sizes) >= min(padding, 10)
    assert 0 <= min(sizes) <= max(sizes) <= most
    assert all(TEXT == decode(name, coded(padded)) for _ in range(20))


@every_codec
def test_padding_of_nothing(name, monkeypatch):
    """A length that is drawn as 0 is as good as any other."""
    monkeypatch.setattr("secrets.randbelow", lambda most: 0)
    codec = CODECS[name](4, 100)
    assert [TEXT, TEXT] == [decode(name, codec.whole(TEXT)), decode(name, codec.stream(events=False).finish(TEXT))]


@every_codec
def test_threads(name):
    """Bodies are coded by many threads at once, each of them right (a shared context of zstd would crash)."""
    codec = CODECS[name](3)
    bodies = [b"%d " % number * 5000 for number in range(8)]
    wrong = []

    def work(body):
        wrong.extend(1 for _ in range(30) if decode(name, codec.whole(body)) != body)

    threads = [threading.Thread(target=work, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [] == wrong


@pytest.mark.parametrize(("quality", "taken"), [(3, 3), (4, 3), (5, 5)])
def test_brotli_events(quality, taken) -> None:
    """Event streams of quality 4, the default, take the small tables of 3; every other quality is taken as it is."""
    stream = brotli.Compressor(quality=taken, lgwin=16)
    assert stream.process(TEXT) + stream.flush() == Brotli(quality).stream(events=True).flush(TEXT)


def test_zlib_ng_is_taken():
    """Gzip goes through zlib-ng where it is installed (the extra `fast`)."""
    zlib_ng = require("zlib_ng.zlib_ng", "the extra fast")
    assert zlib_ng is Gzip(4)._zlib


def test_without_zlib_ng():
    """Without it, gzip goes through zlib."""
    code = (
        "import sys, gzip, importlib.util as util; find = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'zlib_ng' else find(name, *rest)\n"
        "from middlewares.compression.encoders import Gzip\n"
        "assert gzip.decompress(Gzip(4).whole(b'hello')) == b'hello' and 'zlib_ng' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
