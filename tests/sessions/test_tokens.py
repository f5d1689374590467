"""Cookie values: what is accepted, what is not, and that nothing raises."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import sys
import time
from typing import Any

import itsdangerous
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from starlette.datastructures import Secret

from middlewares.sessions.tokens import EncryptedTokens, Keys, PlainIds, SignedTokens, StarletteCookies

PURPOSE = b"middlewares.sessions session session"
KINDS: Any = pytest.mark.parametrize("kind", [SignedTokens, EncryptedTokens])


class Own(Secret):
    """A class of the application's own below Starlette's."""


@pytest.mark.parametrize(
    "key", ["key", b"key", Secret("key"), Own("key"), ["key"], ("key",), [Secret("key")]], ids=repr
)
def test_keys(key) -> None:
    """A key is text, bytes, or Starlette's Secret, or stands in a list (contract): not what str() makes of a list."""
    assert [b"key"] == Keys(key).raw


def test_many_keys() -> None:
    """An iterator of keys is read once, in order; Starlette makes text of bytes, which its reader has to do, too."""
    keys = Keys(iter(["a", b"b", Secret("c")]))
    assert [b"a", b"b", b"c"] == keys.raw
    assert ["a", "b'b'", "c"] == keys.as_starlette


@pytest.mark.parametrize("key", ["", " ", b"", b"\n", Secret(""), [""], ["key", ""], ["key", b" "], [], ()], ids=repr)
def test_empty_keys(key) -> None:
    """An empty key, an empty list and an empty member are refused with the way out (contract)."""
    with pytest.raises(ValueError, match=r"secret_key must .*token_urlsafe"):
        Keys(key)


class Hidden:
    def __str__(self) -> str:
        return "**********"

    def __repr__(self) -> str:
        raise AssertionError("a repr may be the secret")


@pytest.mark.parametrize("key", [5, None, ["key", None], [["key"]], Hidden(), [Hidden()], {"key": 1}.items()])
def test_wrong_keys(key) -> None:
    """Another type is refused by its name alone (contract): `str(None)` is no key, nor is pydantic's row of stars."""
    with pytest.raises(TypeError, match="secret_key must be str, bytes, Starlette's Secret, or a list of these"):
        Keys(key)


@KINDS
@given(payload=st.binary(max_size=200))
@example(payload=b"")
def test_round_trip(kind, payload) -> None:
    """A payload comes back; its token is made of cookie-octets (RFC 6265bis 4.1.1)."""
    tokens = kind(Keys("key"), PURPOSE)
    token = tokens.dumps(payload)
    assert payload == tokens.loads(token)
    assert not set(token) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


@KINDS
def test_rotation(kind) -> None:
    """The first key signs, all verify, and a key that is dropped is worth nothing (contract)."""
    old, new = kind(Keys("old"), PURPOSE), kind(Keys("new"), PURPOSE)
    both = kind(Keys(["new", "old"]), PURPOSE)
    assert b"1" == both.loads(old.dumps(b"1")) == new.loads(both.dumps(b"1"))
    assert None is old.loads(both.dumps(b"1")) is new.loads(old.dumps(b"1"))


@KINDS
def test_bound_to_purpose(kind) -> None:
    """A token of another cookie, or of another use of the key, is none (contract: bound to the cookie name)."""
    tokens = kind(Keys("key"), PURPOSE)
    assert kind(Keys("key"), PURPOSE + b"2").loads(tokens.dumps(b"1")) is None
    assert kind(Keys("key"), b"middlewares.sessions id session").loads(tokens.dumps(b"1")) is None


@KINDS
@given(payload=st.binary(max_size=40), at=st.integers(0), byte=st.integers(0, 255))
def test_altered(kind, payload, at, byte) -> None:
    """No byte of a token can be changed, also where base64 would decode to the same (RFC 4648 3.3, 3.5)."""
    tokens = kind(Keys("key"), PURPOSE)
    token = bytearray(tokens.dumps(payload))
    at %= len(token)
    assume(token[at] != byte)
    token[at] = byte
    assert tokens.loads(bytes(token)) is None


@KINDS
@given(payload=st.binary(max_size=40), at=st.integers(0), more=st.sampled_from([b"!", b"=", b" ", b"\xff", b"A"]))
def test_added(kind, payload, at, more) -> None:
    """Nothing can be added to a token, also where decoders of base64 skip it (RFC 4648 3.3)."""
    tokens = kind(Keys("key"), PURPOSE)
    token = tokens.dumps(payload)
    at %= len(token) + 1
    assert tokens.loads(token[:at] + more + token[at:]) is None


@KINDS
@given(payload=st.binary(max_size=40), cut=st.integers(0), front=st.booleans())
@example(payload=b"", cut=43, front=True)
def test_truncated(kind, payload, cut, front) -> None:
    """A part of a token is none."""
    tokens = kind(Keys("key"), PURPOSE)
    token = tokens.dumps(payload)
    cut %= len(token)
    assert tokens.loads(token[len(token) - cut :] if front else token[:cut]) is None


@KINDS
@given(token=st.binary(max_size=200) | st.text("AZaz09-_.=+/", max_size=200).map(str.encode))
@example(token=b"")
@example(token=b".")
@example(token=b"a.b")
@example(token=b"a" * 37)
@example(token=b"a" * 40)
def test_arbitrary(kind, token) -> None:
    """Whatever a client sends is no session, and raises nothing (house rule 10)."""
    assert kind(Keys(["key", "other"]), PURPOSE).loads(token) is None


@given(st.binary(min_size=1, max_size=100), st.binary(max_size=100))
def test_form(key, payload) -> None:
    """Tokens are those of itsdangerous.Signer with HMAC key derivation and SHA-256, in both directions (contract)."""
    assume(key.strip())
    tokens = SignedTokens(Keys(key), PURPOSE)
    signer = itsdangerous.Signer(key, salt=PURPOSE, key_derivation="hmac", digest_method=hashlib.sha256)
    value = base64.urlsafe_b64encode(payload).rstrip(b"=")
    assert signer.sign(value) == tokens.dumps(payload)
    assert payload == tokens.loads(signer.sign(value))


def test_signed_garbage() -> None:
    """A value with a good signature that is not base64 is no session: verified first, decoded after (contract)."""
    signer = itsdangerous.Signer("key", salt=PURPOSE, key_derivation="hmac", digest_method=hashlib.sha256)
    assert SignedTokens(Keys("key"), PURPOSE).loads(signer.sign(b"A")) is None


def test_encrypted() -> None:
    """An encrypted token does not show its payload, and is another one each time."""
    tokens = EncryptedTokens(Keys("key"), PURPOSE)
    payload = b"the same text" * 3
    one, other = tokens.dumps(payload), tokens.dumps(payload)
    assert one != other
    assert payload not in base64.urlsafe_b64decode(one + b"==")


def test_without_cryptography(monkeypatch) -> None:
    """Without the extra, construction tells which one to install (HOUSE, dependencies)."""
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(ImportError, match=r"asgi-middlewares\[encryption\]"):
        EncryptedTokens(Keys("key"), PURPOSE)


@given(st.binary(max_size=60))
def test_plain_ids(value) -> None:
    """Without a key only what looks like an id of ours is asked for."""
    session_id = secrets.token_urlsafe(32).encode()
    assert session_id == PlainIds().dumps(session_id) == PlainIds().loads(session_id)
    assert PlainIds().loads(value) is None
    assert PlainIds().loads(session_id + b"\n") is None


@pytest.mark.parametrize("key", ["key", b"key", Secret("key")], ids=repr)
def test_starlette_cookies(key) -> None:
    """A cookie as Starlette signs it is read, with its time, whatever the type of the key (contract)."""
    signer = itsdangerous.TimestampSigner(str(key))
    token = signer.sign(base64.b64encode(json.dumps({"a": "ä"}).encode()))
    for keys in (Keys(key), Keys([key, "other"]), Keys(["other", key])):
        found = StarletteCookies(keys).loads(token)
        assert found is not None
        assert abs(time.time() - found[0]) < 60
        assert {"a": "ä"} == json.loads(found[1])
    assert StarletteCookies(Keys("other")).loads(token) is None
    assert StarletteCookies(Keys(key)).loads(signer.sign(b"A")) is None


@given(st.binary(max_size=100))
def test_starlette_arbitrary(token) -> None:
    """What Starlette did not sign is none, and raises nothing."""
    assert StarletteCookies(Keys("key")).loads(token) is None
