"""What the configuration of sessions refuses, how long sessions live, and the headers that they need."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middlewares.sessions.policy import SessionPolicy
from middlewares.sessions.records import AS_CONFIGURED, UNTIL_CLOSED, Envelope

DEFAULTS: dict[str, Any] = {
    "session_cookie": "session",
    "max_age": 100,
    "path": "/",
    "same_site": "lax",
    "https_only": False,
    "domain": None,
    "partitioned": False,
    "rolling": False,
    "idle_timeout": None,
    "absolute_timeout": None,
}


def policy(**keywords: Any) -> SessionPolicy:
    return SessionPolicy(**{**DEFAULTS, **keywords})


@pytest.mark.parametrize("name", ["", "a b", "a=b", "a;b", "a,b", "é", "a\n", "(a)", '"a"', "\x7f"])
def test_names_that_are_no_token(name) -> None:
    """The name of a cookie is a token (RFC 6265bis 4.1.1)."""
    with pytest.raises(ValueError, match="session_cookie must be a token"):
        policy(session_cookie=name)


@pytest.mark.parametrize("path", ["", "app", "/a;b", "/\n", "/é", "/\x7f", "/" + "a" * 1024])
def test_paths_that_browsers_ignore(path) -> None:
    """A path starts with a slash, has no controls or semicolons (RFC 6265bis 4.1.1), and fits in 1024 bytes (5.6)."""
    with pytest.raises(ValueError, match="path must start with '/'"):
        policy(path=path)


@pytest.mark.parametrize(
    "domain", ["", ".", "a b", "a;b", "-a.example", "a..example", "a.example/", "é.example", "a" * 254]
)
def test_domains_that_are_none(domain) -> None:
    """A domain is a host name (RFC 6265bis 4.1.1)."""
    with pytest.raises(ValueError, match="domain must be a host name"):
        policy(domain=domain)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("session_cookie", b"session"),
        ("path", None),
        ("domain", b"a.example"),
        ("https_only", "false"),
        ("partitioned", 1),
        ("rolling", None),
        *[
            (keyword, value)
            for keyword in ("max_age", "idle_timeout", "absolute_timeout")
            for value in ("9", 1.5, True)
        ],
    ],
)
def test_wrong_types(keyword, value) -> None:
    """A value of another type is refused with a TypeError that names the keyword and the value (house rule 10)."""
    with pytest.raises(TypeError, match=rf"^{keyword} must .*\(got "):
        policy(**{keyword: value})


@pytest.mark.parametrize("keyword", ["max_age", "idle_timeout", "absolute_timeout"])
@pytest.mark.parametrize("value", [0, -1, 2**31, timedelta(0), timedelta(seconds=1.5), timedelta(days=-1)], ids=repr)
def test_seconds_out_of_range(keyword, value) -> None:
    """Times are at least a second, and whole (contract: negative max_age is refused when built)."""
    with pytest.raises(ValueError, match=rf"^{keyword} must "):
        policy(**{keyword: value})


@pytest.mark.parametrize("same_site", ["Lax", "", None, "off", b"lax"])
def test_unknown_same_site(same_site) -> None:
    """There are three values of same_site (contract: an unknown one is refused when built)."""
    with pytest.raises(ValueError, match="same_site must be 'lax', 'strict' or 'none'"):
        policy(same_site=same_site)


@pytest.mark.parametrize(
    ("keywords", "named"),
    [
        ({"session_cookie": "__Host-s"}, "session_cookie='__Host-s'"),
        ({"session_cookie": "__hOST-s"}, "session_cookie='__hOST-s'"),
        ({"session_cookie": "__Secure-s"}, "session_cookie='__Secure-s'"),
        ({"session_cookie": "__SECURE-s"}, "session_cookie='__SECURE-s'"),
        ({"session_cookie": "__Http-s"}, "session_cookie='__Http-s'"),
        ({"session_cookie": "__Host-Http-s"}, "session_cookie='__Host-Http-s'"),
        ({"same_site": "none"}, "same_site='none'"),
        ({"partitioned": True}, "partitioned=True"),
    ],
)
def test_needs_https(keywords, named) -> None:
    """Prefixes in any case (RFC 6265bis 4.1.3), SameSite=None (5.7) and Partitioned (CHIPS) need Secure."""
    with pytest.raises(ValueError, match="needs https_only=True") as caught:
        policy(**keywords)
    assert str(caught.value).startswith(named)
    policy(**keywords, https_only=True)


@pytest.mark.parametrize(
    ("keywords", "named"),
    [({"path": "/app"}, "path='/app'"), ({"domain": "a.example"}, "domain='a.example'")],
    ids=["path", "domain"],
)
@pytest.mark.parametrize("name", ["__Host-s", "__host-s", "__Host-Http-s"])
def test_host_prefix(name, keywords, named) -> None:
    """`__Host-` needs Path=/ and no Domain (RFC 6265bis 4.1.3.2); the other prefixes do not."""
    with pytest.raises(ValueError, match="needs path='/' and no domain") as caught:
        policy(session_cookie=name, https_only=True, **keywords)
    assert named in str(caught.value)
    policy(session_cookie="__Secure-s", https_only=True, **keywords)


def test_the_line() -> None:
    """Set-Cookie has what was configured, and the removal the same with an age of zero and a past date (5.6.2, 5.7)."""
    full = policy(
        session_cookie="s", path="/a", same_site="none", https_only=True, domain=".a.example", partitioned=True
    )
    attributes = b"; HttpOnly; SameSite=None; Secure; Domain=.a.example; Partitioned"
    envelope = Envelope(0, 0)
    assert (b"set-cookie", b"s=v; Path=/a; Max-Age=100" + attributes) == full.set_cookie(b"v", envelope, 0)
    removal = b"s=; Path=/a; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT" + attributes
    assert (b"set-cookie", removal) == full.removal
    plain = policy(max_age=None).set_cookie(b"v", envelope, 0)
    assert (b"set-cookie", b"session=v; Path=/; HttpOnly; SameSite=Lax") == plain


DAY = 86400


@pytest.mark.parametrize(
    ("keywords", "envelope", "expires"),
    [
        ({}, Envelope(0, 50), 150),
        ({"max_age": timedelta(days=1)}, Envelope(0, 50), 50 + DAY),
        ({"max_age": None}, Envelope(0, 50), None),
        ({}, Envelope(0, 50, 7), 57),
        ({"max_age": None}, Envelope(0, 50, 7), 57),
        ({}, Envelope(0, 50, UNTIL_CLOSED), None),
        ({"idle_timeout": 10}, Envelope(0, 50), 60),
        ({"idle_timeout": 200}, Envelope(0, 50), 150),
        ({"idle_timeout": 10, "max_age": None}, Envelope(0, 50), 60),
        ({"idle_timeout": 10}, Envelope(0, 50, 7), 57),
        ({"idle_timeout": 10}, Envelope(0, 50, UNTIL_CLOSED), 60),
        ({"absolute_timeout": 120}, Envelope(0, 50), 120),
        ({"absolute_timeout": 200}, Envelope(0, 50), 150),
        ({"absolute_timeout": 200, "max_age": None}, Envelope(0, 50), 200),
        ({"absolute_timeout": 200}, Envelope(0, 50, 500), 200),
        ({"absolute_timeout": 70, "idle_timeout": 10}, Envelope(0, 50), 60),
        ({"absolute_timeout": 70, "idle_timeout": 10}, Envelope(0, 65), 70),
    ],
)
def test_expiry(keywords, envelope, expires) -> None:
    """A session ends at the first of its limits: its own age or the configured one, idle, absolute (OWASP)."""
    made = policy(**keywords)
    assert expires == made.expires(envelope)
    if expires is None:
        assert made.is_alive(envelope, 2**40)
    else:
        assert made.is_alive(envelope, expires - 0.5)
        assert not made.is_alive(envelope, expires)


SECONDS = st.none() | st.integers(1, 1000)


@given(
    SECONDS,
    SECONDS,
    SECONDS,
    st.sampled_from([AS_CONFIGURED, UNTIL_CLOSED]) | st.integers(1, 1000),
    st.integers(0, 3000),
)
def test_the_times_agree(max_age, idle, absolute, own, now) -> None:
    """Alive, the time for a store and the Max-Age of the cookie tell the same: neither outlives the absolute timeout."""
    made = policy(max_age=max_age, idle_timeout=idle, absolute_timeout=absolute)
    envelope = Envelope(0, 0, own)
    ttl = made.ttl(envelope, now)
    expires = made.expires(envelope)
    assert 1 <= ttl <= 14 * DAY
    if expires is not None:
        assert ttl == max(1, expires - now)
    line = made.set_cookie(b"v", Envelope(0, now, own), now)[1]
    age = made.max_age_of(envelope)
    if age is None:
        assert b"Max-Age" not in line
    else:
        told = int(line.partition(b"Max-Age=")[2].partition(b";")[0])
        assert told == (age if absolute is None else max(1, min(age, absolute - now)))


def test_until_closed() -> None:
    """A record whose cookie ends with the browser lasts 14 days, even under a longer absolute timeout (contract)."""
    assert 14 * DAY == policy(max_age=None).ttl(Envelope(0, 0), 0)
    assert 14 * DAY == policy(max_age=None, absolute_timeout=100 * DAY).ttl(Envelope(0, 0), 0)
    assert 20 * DAY == policy(max_age=20 * DAY).ttl(Envelope(0, 0), 0)


def test_oversize() -> None:
    """Name and value of more than 4096 bytes are refused with the number and the way out (RFC 6265bis 5.6, #2412)."""
    made = policy(session_cookie="s")
    assert made.set_cookie(b"v" * 4095, Envelope(0, 0), 0)
    with pytest.raises(ValueError, match=r"takes 4097 bytes .* 4096 .*SessionMiddleware\(store=\.\.\.\)"):
        made.set_cookie(b"v" * 4096, Envelope(0, 0), 0)


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ([], [b"private"]),
        ([b"public"], [b"private"]),
        ([b"max-age=60"], [b"max-age=60, private"]),
        ([b"public, max-age=60, S-MaxAge = 9"], [b"max-age=60, private"]),
        ([b"public", b"max-age=60"], [b"max-age=60, private"]),
        ([b"max-age=60", b"public"], [b"max-age=60", b"private"]),
        ([b"no-store"], [b"no-store"]),
        ([b"public, No-Cache"], [b"public, No-Cache"]),
        ([b'no-cache="Set-Cookie"'], [b'no-cache="Set-Cookie"']),
        ([b'public, private = "x-user, set-cookie"'], [b'public, private = "x-user, set-cookie"']),
        ([b'public, no-cache="x-user"'], [b'no-cache="x-user", private']),
        ([b'private="x-user"'], [b'private="x-user", private']),
        ([b"private="], [b"private=, private"]),
        ([b"must-understand, no-store, public"], [b"must-understand, no-store, private"]),
        ([b"must-understand, no-cache"], [b"must-understand, no-cache"]),
        ([b"max-age=60", b"Private"], [b"max-age=60", b"Private"]),
        ([b'x="public, no-store"'], [b'x="public, no-store", private']),
        ([b'x="a, no-store, \\", private, b", ,max-age=9'], [b'x="a, no-store, \\", private, b", max-age=9, private']),
        ([b""], [b"private"]),
    ],
)
def test_cache_control(given_, expected) -> None:
    """With a cookie a response is kept from shared caches, in the application's words if it has any (RFC 9111 7.3)."""
    headers = [(b"Cache-Control", value) for value in given_]
    cookie = (b"set-cookie", b"a=b")
    made = policy().add_headers(headers, cookie)
    assert headers == [(b"Cache-Control", value) for value in given_]
    assert expected == [value for name, value in made if name.lower() == b"cache-control"]
    assert cookie in made


@pytest.mark.parametrize(
    "headers",
    [
        None,
        (),
        iter([(b"a", b"b")]),
        [[b"a", b"b"]],
        [(bytearray(b"a"), b"b")],
        [(b"a", memoryview(b"b"))],
        [(b"a", b"b")] * 2,
    ],
)
@pytest.mark.parametrize("cookie", [None, (b"set-cookie", b"a=b")])
def test_headers_are_exact(headers, cookie) -> None:
    """Whatever the application gives, what is sent is a fresh list of exact pairs (granian and daphne take no other)."""
    made = policy().add_headers(headers, cookie)
    assert made is not headers
    assert {list, tuple, bytes} == {type(made), *map(type, made), *(type(part) for pair in made for part in pair)}
    assert (b"vary", b"Cookie") in made
    assert {b"a"} >= {name for name, _ in made} - {b"vary", b"set-cookie", b"cache-control"}


def test_cache_control_without_cookie() -> None:
    """A response that only depends on the session gets Vary alone, merged (RFC 9110 12.5.5)."""
    made = policy()
    assert [(b"vary", b"Cookie")] == made.add_headers([], None)
    assert [(b"Vary", b"Accept, Cookie")] == made.add_headers([(b"Vary", b"Accept")], None)
    assert [(b"vary", b"cookie")] == made.add_headers([(b"vary", b"cookie")], None)
    assert [(b"vary", b"*")] == made.add_headers([(b"vary", b"*")], None)


@pytest.mark.parametrize(("keywords", "renews"), [({}, False), ({"rolling": True}, True), ({"idle_timeout": 5}, True)])
def test_renews(keywords, renews) -> None:
    """With rolling or an idle timeout every read begins the session's life anew (contract)."""
    assert renews is policy(**keywords).renews
