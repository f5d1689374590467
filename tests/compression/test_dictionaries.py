"""Compression dictionaries: what is coded by one, which is found, which is learned, and who may get it (RFC 9842)."""

from __future__ import annotations

import base64
import hashlib
import random
import re
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middlewares.compression import dictionaries as module
from middlewares.compression.dictionaries import Dictionary, Shelf
from middlewares.testing import http_scope
from tests.compression.coded import zstd
from tests.compression.test_encoders import window

OLD = random.Random(1).randbytes(50_000)
NEW = OLD[:20_000] + b"changed" + OLD[20_000:]


def named(data, ending=b""):
    return b":" + base64.b64encode(hashlib.sha256(data).digest()) + b":" + ending


def decode(coded, data):
    assert coded[:8] == bytes.fromhex("5e2a4d1820000000")
    assert coded[8:40] == hashlib.sha256(data).digest()
    return zstd.ZstdDecompressor(zstd_dict=zstd.ZstdDict(data, is_raw=True)).decompress(coded[40:])


def shelf(*given, uses=None):
    return Shelf(given, uses, 3, 0)


def test_whole():
    """A new version is a few bytes behind the header of 40: its magic number and the hash (RFC 9842 5)."""
    coded = Dictionary(OLD, 3).whole(NEW)
    assert NEW == decode(coded, OLD)
    assert 300 > len(coded)


def test_stream():
    """Each flush decodes to all until then, with the header before the first bytes."""
    encoder = Dictionary(OLD, 3).stream(events=False)
    first = encoder.flush(NEW[:30_000])
    assert NEW[:30_000] == decode(first, OLD)
    coded = first + encoder.encode(NEW[30_000:]) + encoder.finish(b"")
    assert NEW == decode(coded, OLD)
    assert 400 > len(coded)


def test_padding():
    """Padding follows the frame (BREACH)."""
    coded = {len(Dictionary(OLD, 3, 50).whole(NEW)) for _ in range(30)}
    assert len(coded) > 3
    assert NEW == decode(Dictionary(OLD, 3, 50).whole(NEW), OLD)


@pytest.mark.slow
@pytest.mark.parametrize("level", [3, 19, 22])
def test_window(level):
    """The window is 8 MB, or as much as a quarter more than a larger dictionary allows (RFC 9842 5)."""
    small = Dictionary(OLD, level)
    assert 8 << 20 == window(small.stream(events=False).flush(b"a")[40:])
    assert 8 << 20 >= window(small.whole(bytes(9 << 20))[40:])


@pytest.mark.slow
def test_large_window():
    """A dictionary of 14 MB has a window of 16 MB."""
    large = Dictionary(random.Random(2).randbytes(14 << 20), 1)
    assert 16 << 20 == window(large.stream(events=False).flush(b"a")[40:])


def test_is_slow_until_digested():
    """The first body has to wait until the dictionary is digested; one given at construction is."""
    dictionary = Dictionary(OLD, 3)
    assert dictionary.is_slow
    dictionary.whole(NEW)
    assert not dictionary.is_slow
    streamed = Dictionary(OLD, 3)
    assert NEW == decode(streamed.stream(events=False).finish(NEW), OLD)
    assert not streamed.is_slow
    assert not shelf(OLD).find(named(OLD)).is_slow


def test_one_context_is_kept():
    """However many threads use a dictionary at once, one context of zstd stays for the next body."""
    dictionary = Dictionary(OLD, 3)
    made, all_are_here, coded = dictionary._new, threading.Barrier(3), []

    def make(options):
        all_are_here.wait(10)
        return made(options)

    dictionary._new = make
    threads = [threading.Thread(target=lambda: coded.append(dictionary.whole(NEW))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 == len(dictionary._idle)
    assert [NEW] * 3 == [decode(one, OLD) for one in coded]
    assert NEW == decode(dictionary.whole(NEW), OLD)  # by that one: to make another would wait for the others


def test_two_dictionaries_have_two_suffixes():
    """Bodies coded by different dictionaries are different representations (RFC 9110 8.8.1)."""
    assert b"-dcz-" + hashlib.sha256(OLD).hexdigest()[:16].encode() == Dictionary(OLD, 3).suffix
    assert Dictionary(OLD, 3).suffix != Dictionary(NEW, 3).suffix


@pytest.mark.parametrize(
    "available",
    [
        pytest.param(named(OLD), id="plain"),
        pytest.param(b" " + named(OLD, b" "), id="space"),
        pytest.param(named(OLD, b";a=1; b"), id="parameters"),
        pytest.param(named(OLD).replace(b"=", b""), id="without padding"),
    ],
)
def test_find(available):
    """A dictionary is found by one byte sequence of its hash (RFC 9842 2.2, RFC 8941 3.3.5)."""
    assert hashlib.sha256(OLD).digest() == shelf(OLD).find(available).hash


@pytest.mark.parametrize(
    "available",
    [
        *(b"", b":", b"::", b":abc:", named(NEW), named(OLD)[:-1], named(OLD)[1:], named(OLD).replace(b":", b'"')),
        *(
            named(OLD) + b", " + named(OLD),
            b"x" + named(OLD),
            named(OLD, b"x"),
            named(OLD, b"\n"),
            b":" + b"A" * 44 + b":",
        ),
        *(named(OLD, b"; a=:b:"), b"?1", b"\xff\x00"),
    ],
)
def test_find_nothing(available):
    """What is not one byte sequence of 32 bytes that we know names nothing."""
    assert shelf(OLD).find(available) is None


@given(st.binary(max_size=80))
def test_find_any_bytes(available):
    """No bytes raise."""
    assert shelf().find(available) is None


def named_by_hand(value):
    """The digits of the one byte sequence that a value holds; None if it holds another thing."""
    before, *rest = value.split(b":")
    if len(rest) != 2 or before.strip(b" "):
        return None
    digits, parameters = rest[0].removesuffix(b"="), rest[1].lstrip(b" ")
    is_one = parameters[:1] in (b"", b";") and b"," not in parameters
    return digits if is_one and re.fullmatch(rb"[A-Za-z0-9+/]{43}", digits) else None


@given(st.lists(st.sampled_from([b" ", b":", b";", b",", b"=", b"a", b"\n", b"A" * 43, named(OLD)])).map(b"".join))
def test_find_by_hand(available):
    """The expression takes what a split at the colons takes, spaces and parameters included (RFC 8941 3.3.5)."""
    match = module._HASH.fullmatch(available)
    assert named_by_hand(available) == (match and match[1])


@pytest.mark.parametrize("filler", [b" ", b";", b"; ", b" ;", b"a", b"=", b":", b"A", b" :"])
@pytest.mark.parametrize("end", [b"", b",", b":"])
def test_find_in_half_a_megabyte(filler, end):
    """Long values are read at once: were the time not linear, this test would take minutes."""
    for beginning in (b"", b":", named(OLD), named(OLD, b";")):
        available = beginning + filler * (500_000 // len(filler)) + end
        is_named = named_by_hand(available) is not None
        assert is_named is (shelf(OLD).find(available) is not None)


def test_learn():
    """A body is kept once, and found by its hash; too small or too large ones, and those given, are not."""
    learning = shelf(OLD, uses={})
    for data in (NEW, NEW, OLD, b"", b"1234567", bytes(module.LARGEST_LEARNED + 1)):
        learning.learn(data)
    assert [hashlib.sha256(NEW).digest()] == [*learning._learned]
    assert NEW == decode(learning.find(named(NEW)).whole(NEW), NEW)


def test_bounded_in_number(monkeypatch):
    """Of too many, the one that was of no use for the longest time goes."""
    monkeypatch.setattr(module, "MOST_LEARNED", 2)
    learning = shelf(uses={})
    one, two, three = b"1" * 8, b"2" * 8, b"3" * 8
    learning.learn(one)
    learning.learn(two)
    assert learning.find(named(one))
    learning.learn(three)
    assert [True, False, True] == [learning.find(named(data)) is not None for data in (one, two, three)]


def test_bounded_in_bytes(monkeypatch):
    """Of too large ones together, the oldest go."""
    monkeypatch.setattr(module, "MOST_LEARNED_BYTES", 20)
    learning = shelf(uses={})
    for data in (b"a" * 8, b"b" * 8, b"c" * 19):
        learning.learn(data)
    assert (19, 1) == (learning._bytes, len(learning._learned))


SITE, MODE, ORIGIN = b"sec-fetch-site", b"sec-fetch-mode", b"origin"
ALLOW = b"Access-Control-Allow-Origin"


@pytest.mark.parametrize(
    ("request_headers", "response_headers", "serves"),
    [
        pytest.param([], [], True, id="no browser"),
        pytest.param([(SITE, b"same-origin"), (MODE, b"no-cors")], [], True, id="same origin"),
        pytest.param([(SITE, b"cross-site"), (MODE, b"navigate")], [], True, id="navigation"),
        pytest.param([(SITE, b"none"), (MODE, b"navigate")], [], True, id="typed"),
        pytest.param([(SITE, b"same-site"), (MODE, b"same-origin")], [], True, id="mode same-origin"),
        pytest.param([(SITE, b"cross-site"), (MODE, b"no-cors")], [], False, id="a foreign image"),
        pytest.param([(SITE, b"cross-site"), (MODE, b"no-cors")], [(ALLOW, b"*")], False, id="no-cors stays opaque"),
        pytest.param([(SITE, b"cross-site"), (MODE, b"websocket")], [], False, id="another mode"),
        pytest.param([(MODE, b"cors"), (ORIGIN, b"https://a")], [], False, id="cors without permission"),
        pytest.param([(MODE, b"cors")], [(ALLOW, b"*")], False, id="cors without origin"),
        pytest.param([(MODE, b"cors"), (ORIGIN, b"https://a")], [(ALLOW, b"*")], True, id="cors for all"),
        pytest.param([(MODE, b"cors"), (ORIGIN, b"https://a")], [(ALLOW, b"https://a")], True, id="cors for it"),
        pytest.param([(MODE, b"cors"), (ORIGIN, b"https://a")], [(ALLOW, b"https://b")], False, id="cors for another"),
        pytest.param([(MODE, b"cors"), (ORIGIN, b"https://a")], [(ALLOW, b"*"), (ALLOW, b"*")], False, id="twice"),
    ],
)
def test_serves(request_headers, response_headers, serves):
    """Only where the page that asked may read the response is it coded by a dictionary (RFC 9842 9.3.3)."""
    assert serves is Shelf.serves(http_scope(headers=request_headers), response_headers)


def test_mark():
    """The first condition that holds says for which URLs; a mark of the application stays alone."""
    uses = {"/app": "/app/*.js", "/": 'a"\\*'}
    learning = shelf(uses=uses)
    assert (True, (b"use-as-dictionary", b'match="/app/*.js"')) == learning.mark(http_scope(path="/app/x"), None)
    assert (True, (b"use-as-dictionary", b'match="a\\"\\\\*"')) == learning.mark(http_scope(path="/x"), None)
    assert (True, None) == learning.mark(http_scope(path="/x"), b'match="/y"')
    assert (False, None) == shelf(uses={"/app": "/app"}).mark(http_scope(path="/x"), None)
    assert (False, None) == shelf(OLD).mark(http_scope(), b'match="/y"')


def test_paths(tmp_path):
    """A dictionary can be a file, by str or by Path, which is read at construction."""
    path = tmp_path / "old.js"
    path.write_bytes(OLD)
    given_by_path = shelf(str(path), path)
    path.unlink()
    assert NEW == decode(given_by_path.find(named(OLD)).whole(NEW), OLD)
    with pytest.raises(FileNotFoundError, match=r"dictionaries: No such file .*old\.js"):
        shelf(path)


@pytest.mark.parametrize("dictionaries", [b"abc", "abc", 5, [5], [None]])
def test_no_dictionaries(dictionaries):
    """What is no list of bytes or paths is refused by name."""
    with pytest.raises(TypeError, match="dictionaries must"):
        Shelf(dictionaries, None, 3, 0)


@pytest.mark.parametrize("data", [b"", b"1234567"])
def test_small_dictionary(data):
    """One below 8 bytes is none for zstd."""
    with pytest.raises(ValueError, match="dictionaries must hold contents of at least 8 bytes"):
        shelf(data)


@pytest.mark.parametrize("uses", [["/app"], "/app", {"/app": 5}, {"/app": b"/app"}, {5: "/app"}])
def test_no_uses(uses):
    """What maps no paths to URL patterns is refused by name."""
    with pytest.raises(TypeError, match="use_as_dictionary must"):
        shelf(uses=uses)


@pytest.mark.parametrize("uses", [{"/app": ""}, {"/app": "/ü"}, {"/app": "/\n"}, {"/app": "/(.*)"}, {"app": "/app"}])
def test_bad_uses(uses):
    """A pattern with groups, or that no header can hold, and a prefix without a slash, are refused by name."""
    with pytest.raises(ValueError, match="use_as_dictionary must"):
        shelf(uses=uses)


def test_learning():
    """The pieces of a body are learned together when it is complete; what is dropped is not, nor what comes after that."""
    learning = shelf(uses={})
    body = learning.learning()
    body.add(b"1234")
    body.add(b"5678")
    assert 8 == body.size == learning.held
    body.finish()
    assert learning.find(named(b"12345678"))
    dropped = learning.learning()
    dropped.add(b"abcdefgh")
    dropped.drop()
    dropped.add(b"abcdefgh")
    dropped.finish()
    assert learning.find(named(b"abcdefgh")) is None
    assert 0 == learning.held


def test_learned_by_two_threads(monkeypatch):
    """A body that another thread has learned meanwhile is kept once."""
    learning = shelf(uses={})
    made = module.Dictionary

    def making(data, *rest):
        monkeypatch.setattr(module, "Dictionary", made)
        learning.learn(data)
        return made(data, *rest)

    monkeypatch.setattr(module, "Dictionary", making)
    learning.learn(OLD)
    assert (1, len(OLD)) == (len(learning._learned), learning._bytes)
