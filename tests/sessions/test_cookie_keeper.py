"""Cookies that come again: the session is the same each time, and each request has its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middlewares.sessions import Session, SessionMiddleware
from middlewares.sessions.cookie_keeper import CookieKeeper
from middlewares.sessions.tokens import SignedTokens
from middlewares.testing import http_scope, run

# So little that it fits a cookie, however it is escaped.
TEXT = st.text(max_size=4)
PLAIN = st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.floats(allow_nan=False) | TEXT
VALUES = st.recursive(
    PLAIN, lambda some: st.lists(some, max_size=2) | st.dictionaries(TEXT, some, max_size=2), max_leaves=4
)


class Asked:
    """A layer in front of an application that does as it is told, for one visitor after another."""

    def __init__(self, **keywords: Any) -> None:
        self.do: Callable[[Session], Any] = dict
        self.result: Any = None
        self.layer = SessionMiddleware(self.app, **{"secret_key": "key", **keywords})

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        self.result = self.do(scope["session"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def __call__(self, cookie: bytes | None, do: Callable[[Session], Any] = dict) -> Any:
        """What `do` returns for the session of a cookie."""
        self.do = do
        run(self.layer, http_scope(headers=[] if cookie is None else [(b"cookie", b"session=" + cookie)]))
        return self.result

    def begin(self, **values: Any) -> bytes:
        """The cookie of a new session."""
        self.do = lambda session: session.update(values)
        start, _ = run(self.layer, http_scope())
        [line] = [value for name, value in start["headers"] if name == b"set-cookie"]
        return bytes(line).partition(b";")[0].removeprefix(b"session=")

    @property
    def keeper(self) -> CookieKeeper:
        keeper = self.layer._cookie_keeper
        assert keeper is not None
        return keeper


@given(st.dictionaries(TEXT, VALUES, min_size=1, max_size=4), st.booleans())
def test_every_request_has_its_own(data, encrypted) -> None:
    """Whatever a request does to its session, also within values, the next with that cookie begins as this one did."""
    asked = Asked(encrypted=encrypted)
    cookie = asked.begin(**data)

    def spoil(session: Session) -> None:
        for value in session.values():
            if isinstance(value, list | dict):
                value.clear()
        session.clear()
        session["other"] = 1

    for _ in range(2):
        assert repr(data) == repr(asked(cookie))
        asked(cookie, spoil)
    assert repr(data) == repr(asked(cookie))


def test_verified_once(monkeypatch) -> None:
    """A cookie that comes again is not verified and decoded again, if nothing in its session can be changed."""
    asked = Asked()
    flat, nested = asked.begin(a=1, b="x", c=None, d=1.5, e=True), asked.begin(a=[1])
    seen: list[bytes] = []
    loads = SignedTokens.loads
    monkeypatch.setattr(SignedTokens, "loads", lambda self, token: seen.append(token) or loads(self, token))
    for _ in range(3):
        assert 1 == asked(flat, lambda session: session["a"])
        assert [1] == asked(nested, lambda session: session["a"])
    assert [flat, nested, nested, nested] == seen


def test_serializers_are_asked() -> None:
    """A serializer of the user's decodes for every request: it may decide something, or make much of few bytes."""
    revoked = False

    class Serializer:
        dumps = staticmethod(json.dumps)

        def loads(self, data: bytes) -> Any:
            return None if revoked else json.loads(data)

    asked = Asked(serializer=Serializer())
    cookie = asked.begin(a=1)
    assert {"a": 1} == asked(cookie)
    revoked = True
    assert {} == asked(cookie)


def test_known_and_over(monkeypatch) -> None:
    """A cookie that was read a moment ago is no session once it is too old (contract: max_age)."""
    now = 1_800_000_000.0
    monkeypatch.setattr("middlewares.sessions.cookie_keeper.time.time", lambda: now)
    asked = Asked(max_age=60)
    cookie = asked.begin(a=1)
    now += 59
    assert {"a": 1} == asked(cookie)
    now += 1
    assert {} == asked(cookie)
    asked.keeper._known.clear()
    assert {} == asked(cookie)
    assert {} == asked.keeper._known


@pytest.mark.parametrize("part", ["payload", "signature"])
def test_known_and_altered(part) -> None:
    """One character changed, and a cookie that is known is no session, nor is the start of one."""
    asked = Asked()
    cookie = asked.begin(a=1)
    assert {"a": 1} == asked(cookie)
    altered = bytearray(cookie)
    altered[0 if part == "payload" else cookie.index(b".") + 1] ^= 1  # not the last one, which has bits to spare
    assert {} == asked(bytes(altered))
    assert {} == asked(cookie[:-1])


def test_few_are_known() -> None:
    """What is kept has a bound in number and size, and whoever comes is read all the same."""
    asked = Asked()
    cookies = [asked.begin(n=n) for n in range(1030)]
    for _ in range(2):
        assert list(range(1030)) == [asked(cookie, lambda session: session["n"]) for cookie in cookies]
    assert len(asked.keeper._known) <= 1024
    large = asked.begin(text="x" * 2000)
    assert {"text": "x" * 2000} == asked(large)
    assert large not in asked.keeper._known
