"""The preflight cache (Fetch "CORS-preflight cache") and the HTTP cache (RFC 9111) of the browser."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middlewares.testing.caches import HTTPCache, PreflightCache, PreflightKey, Response, combined

KEY = PreflightKey(b"https://a.example", "http://testserver/", include=False)
WITH_CREDENTIALS = KEY._replace(include=True)
URL = "http://testserver/"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], None),
        ([(b"b", b"1")], None),
        ([(b"a", b"")], b""),
        ([(b"a", b"1")], b"1"),
        ([(b"a", b"1"), (b"b", b"2"), (b"a", b"3")], b"1, 3"),
    ],
)
def test_combined(headers, expected):
    """Several lines are one value, joined by a comma and a space (Fetch "Headers", get)."""
    assert combined(headers, b"a") == expected


def preflights(key=KEY, methods=(), headers=(), max_age=600.0, now=0.0):
    cache = PreflightCache()
    cache.store(key, methods, headers, max_age=max_age, now=now)
    return cache


@pytest.mark.parametrize(
    ("stored", "asked", "covered"),
    [
        pytest.param({"methods": [b"PUT"]}, (KEY, b"PUT", []), True, id="method"),
        pytest.param({"methods": [b"PUT"]}, (KEY, b"put", []), False, id="method in another case"),
        pytest.param({"methods": [b"*"]}, (KEY, b"PUT", []), True, id="wildcard method"),
        pytest.param({"methods": [b"PUT"]}, (KEY, None, [b"x-a"]), False, id="method is no header"),
        pytest.param({"headers": [b"X-A"]}, (KEY, None, [b"x-a"]), True, id="header in another case"),
        pytest.param({"headers": [b"x-a"]}, (KEY, None, [b"x-a", b"x-b"]), False, id="one header of two"),
        pytest.param({"headers": [b"x-a", b"x-b"]}, (KEY, None, [b"x-a", b"x-b"]), True, id="both headers"),
        pytest.param({"headers": [b"*"]}, (KEY, None, [b"x-a"]), True, id="wildcard header"),
        pytest.param({"headers": [b"*"]}, (KEY, None, [b"authorization"]), False, id="wildcard and authorization"),
        pytest.param({"headers": [b"Authorization"]}, (KEY, None, [b"authorization"]), True, id="authorization"),
        pytest.param({"methods": [b"PUT"]}, (KEY, b"PUT", [b"x-a"]), False, id="method without its header"),
        pytest.param({"methods": [b"PUT"]}, (KEY._replace(origin=b"null"), b"PUT", []), False, id="other origin"),
        pytest.param({"methods": [b"PUT"]}, (KEY._replace(url="http://x/"), b"PUT", []), False, id="other url"),
        pytest.param({"methods": [b"PUT"]}, (WITH_CREDENTIALS, b"PUT", []), False, id="stored without credentials"),
        pytest.param(
            {"key": WITH_CREDENTIALS, "methods": [b"PUT"]}, (KEY, b"PUT", []), True, id="stored with credentials"
        ),
        pytest.param({}, (KEY, None, []), True, id="nothing asked"),
    ],
)
def test_cache_match(stored, asked, covered):
    """Fetch "cache entry match", "method cache entry match", "header-name cache entry match"."""
    key, method, headers = asked
    assert preflights(**stored).covers(key, method, headers, now=0) is covered


@pytest.mark.parametrize(("max_age", "now", "covered"), [(5, 4.9, True), (5, 5, False), (0, 0, False), (5, 99, False)])
def test_max_age(max_age, now, covered):
    """Entries are gone once their max-age has passed; 0 stores nothing of use."""
    cache = preflights(methods=[b"PUT"], max_age=max_age)
    assert cache.covers(KEY, b"PUT", [], now=now) is covered
    assert len(cache) == covered


def test_entries_are_renewed():
    """A further preflight sets the max-age of the entries that match, also of a wildcard; it adds no second one."""
    cache = preflights(methods=[b"PUT", b"*"], headers=[b"x-a"], max_age=5)
    cache.store(KEY, [b"PUT", b"PATCH"], [b"X-A"], max_age=5, now=4)
    assert cache.covers(KEY, b"PATCH", [b"x-a"], now=8)
    assert len(cache) == 3
    cache.store(KEY, [b"PUT"], [], max_age=0, now=8)
    assert not cache.covers(KEY, b"PUT", [], now=8)


def test_clear():
    """A failed fetch clears what is known of its origin and URL, with and without credentials, and nothing else."""
    cache = preflights(methods=[b"PUT"])
    cache.store(WITH_CREDENTIALS, [b"PUT"], [], max_age=9, now=0)
    other = KEY._replace(url="http://testserver/other")
    cache.store(other, [b"PUT"], [], max_age=9, now=0)
    cache.clear(KEY)
    assert not cache.covers(KEY, b"PUT", [], now=0)
    assert cache.covers(other, b"PUT", [], now=0)
    assert len(cache) == 1


def stored(headers, request=(), status=200, now=0.0):
    cache = HTTPCache()
    cache.store(URL, list(request), Response(status, list(headers), b"body"), now)
    return cache


MAX_AGE = (b"cache-control", b"max-age=60")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param([], None, id="nothing"),
        pytest.param([MAX_AGE], 60, id="max-age"),
        pytest.param([(b"cache-control", b"Public, Max-Age=60 , immutable")], 60, id="among others"),
        pytest.param([(b"cache-control", b"public"), MAX_AGE], 60, id="two lines"),
        pytest.param([(b"cache-control", b'max-age="60"')], 60, id="quoted"),
        pytest.param([(b"cache-control", b"max-age=-1")], None, id="negative"),
        pytest.param([(b"cache-control", b"max-age")], None, id="no number"),
        pytest.param([(b"cache-control", b"s-maxage=60")], None, id="for shared caches"),
        pytest.param([(b"cache-control", b"max-age=60, no-store")], None, id="no-store"),
        pytest.param([(b"cache-control", b"max-age=60, no-cache")], None, id="no-cache"),
        pytest.param(
            [(b"cache-control", b"max-age=60, no-cache"), (b"etag", b'"1"')], 0, id="no-cache with a validator"
        ),
        pytest.param([(b"etag", b'"1"')], 0, id="validator"),
        pytest.param(
            [(b"date", b"Tue, 24 Nov 2026 14:00:00 GMT"), (b"expires", b"Tue, 24 Nov 2026 14:01:00 GMT")],
            60,
            id="expires",
        ),
        pytest.param(
            [MAX_AGE, (b"date", b"Tue, 24 Nov 2026 14:00:00 GMT"), (b"expires", b"0")], 60, id="max-age before expires"
        ),
        pytest.param([(b"date", b"Tue, 24 Nov 2026 14:00:00 GMT"), (b"expires", b"0")], None, id="expires 0"),
        pytest.param([(b"expires", b"Tue, 24 Nov 2026 14:01:00 GMT")], None, id="expires without date"),
    ],
)
def test_freshness(headers, seconds):
    """What is kept, and for how long it is fresh (RFC 9111 3, 4.2.1)."""
    found = stored(headers, now=100).select(URL, [])
    assert (None if found is None else found.fresh_until - 100) == seconds


@pytest.mark.parametrize("status", [206, 304])
def test_partial_responses_are_not_stored(status):
    """A part of a response and a validation are no responses to reuse."""
    assert len(stored([MAX_AGE], status=status)) == 0


def test_request_no_store():
    """A request can forbid storing, too (RFC 9111 5.2.1.5)."""
    assert len(stored([MAX_AGE], request=[(b"cache-control", b"no-store")])) == 0


A, B = [(b"origin", b"https://a.example")], [(b"origin", b"https://b.example")]


@pytest.mark.parametrize(
    ("vary", "request_headers", "later", "reused"),
    [
        pytest.param([], A, B, True, id="no vary"),
        pytest.param([b"Origin"], A, A, True, id="same origin"),
        pytest.param([b"Origin"], A, B, False, id="other origin"),
        pytest.param([b"Origin"], [], A, False, id="none, then one"),
        pytest.param([b"Origin"], A, [], False, id="one, then none"),
        pytest.param([b"origin"], [], [], True, id="none, then none"),
        pytest.param([b"Accept-Encoding", b"ORIGIN"], A, B, False, id="second line"),
        pytest.param([b"Accept-Encoding, Origin"], A, B, False, id="second member"),
        pytest.param([b"*"], A, A, False, id="any"),
        pytest.param([b"Origin"], [*A, *A], A, False, id="two lines are another value"),
    ],
)
def test_vary(vary, request_headers, later, reused):
    """A stored response serves a request that has the same values of what Vary names (RFC 9111 4.1)."""
    cache = stored([MAX_AGE, *[(b"vary", value) for value in vary]], request=request_headers)
    assert (cache.select(URL, later) is not None) is reused


def test_variants():
    """Variants stand beside each other; a newer response takes the place of the one that it matches."""
    cache = stored([MAX_AGE, (b"vary", b"origin")], request=A)
    cache.store(URL, B, Response(200, [MAX_AGE, (b"vary", b"origin")], b"for b"), 0)
    assert len(cache) == 2
    cache.store(URL, A, Response(200, [MAX_AGE, (b"vary", b"origin")], b"new"), 0)
    assert len(cache) == 2
    found = cache.select(URL, A)
    assert found is not None
    assert found.response.body == b"new"
    assert cache.select("http://testserver/other", A) is None


def test_validators():
    """A stored response is asked about by its ETag and its date (RFC 9111 4.3.1)."""
    cache = stored([(b"etag", b'"1"'), (b"last-modified", b"yesterday")])
    found = cache.select(URL, [])
    assert found is not None
    assert found.validators() == [(b"if-none-match", b'"1"'), (b"if-modified-since", b"yesterday")]


def test_freshen():
    """A 304 replaces the headers that it has, keeps the others and the body, and makes the response fresh again."""
    cache = stored([(b"etag", b'"1"'), (b"x-a", b"1"), (b"vary", b"origin"), (b"content-length", b"4")])
    found = cache.select(URL, [])
    assert found is not None
    response = cache.freshen(found, [(b"x-a", b"2"), (b"x-a", b"3"), MAX_AGE, (b"content-length", b"0")], 100)
    assert response == Response(
        200,
        [(b"etag", b'"1"'), (b"vary", b"origin"), (b"content-length", b"4"), (b"x-a", b"2"), (b"x-a", b"3"), MAX_AGE],
        b"body",
    )
    renewed = cache.select(URL, [])
    assert renewed is not None
    assert renewed.response == response
    assert renewed.fresh_until == 160


def test_invalidate():
    """An unsafe request makes the cache forget its URL (RFC 9111 4.4)."""
    cache = stored([MAX_AGE])
    cache.invalidate("http://testserver/other")
    assert len(cache) == 1
    cache.invalidate(URL)
    assert len(cache) == 0


@given(st.lists(st.tuples(st.sampled_from([b"cache-control", b"expires", b"date", b"vary", b"etag"]), st.binary())))
def test_any_headers(headers):
    """Whatever stands in the headers, the cache takes it."""
    assert len(stored(headers)) in (0, 1)
