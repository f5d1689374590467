"""What stands in the cookie: signed or encrypted bytes, bound to the name of the cookie. And the keys for it.

Third-party modules are imported on construction, as the room's import is to stay light. Keys are derived there, too:
once, not for each request.
"""

from __future__ import annotations

import os
import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable
from typing import Any, Protocol, TypeAlias, cast


class Secret(Protocol):
    """Starlette's `Secret`: a string that hides itself from logs."""

    def __str__(self) -> str: ...
    def __bool__(self) -> bool: ...


SecretKey: TypeAlias = str | bytes | Secret

_to_standard = bytes.maketrans(b"-_", b"+/")
_to_urlsafe = bytes.maketrans(b"+/", b"-_")
_WAY_OUT = 'make one with: python -c "import secrets; print(secrets.token_urlsafe(32))"'


class Keys:
    """The secret keys, checked: the first one signs, all of them verify.

    Attributes:
        raw: The keys in bytes.
        as_starlette: The keys as Starlette's SessionMiddleware makes bytes of them.

    Raises:
        TypeError: a key is neither str nor bytes nor Starlette's Secret.
        ValueError: there is none, or one is empty.
    """

    __slots__ = ("as_starlette", "raw")

    def __init__(self, secret_key: SecretKey | Iterable[SecretKey]) -> None:
        single = isinstance(secret_key, str | bytes) or _is_secret(secret_key) or not isinstance(secret_key, Iterable)
        given: list[Any] = [secret_key] if single else [*cast("Iterable[Any]", secret_key)]
        if not given:
            raise ValueError(f"secret_key must hold a key, got an empty list; {_WAY_OUT}")
        for key in given:
            if not isinstance(key, str | bytes) and not _is_secret(key):  # its repr may be the secret
                raise TypeError(
                    "secret_key must be str, bytes, Starlette's Secret, or a list of these "
                    f"(got a {type(key).__qualname__})"
                )
            if not (key if isinstance(key, bytes) else str(key)).strip():
                raise ValueError(f"secret_key must not be empty; {_WAY_OUT}")
        self.raw = [key if isinstance(key, bytes) else str(key).encode() for key in given]
        self.as_starlette = [str(key) for key in given]  # b"k" is the text "b'k'" there


def _is_secret(key: object) -> bool:
    # By name, as Starlette is no dependency. Not by __str__: pydantic's SecretStr is "**********" there.
    return any(cls.__name__ == "Secret" and cls.__module__.startswith("starlette.") for cls in type(key).__mro__)


class Tokens(Protocol):
    """Bytes as a cookie value, and back."""

    def dumps(self, payload: bytes) -> bytes:
        """The payload as a cookie value."""
        ...

    def loads(self, token: bytes) -> bytes | None:
        """The payload of a cookie value; None if it was not made by `dumps` with one of the keys."""
        ...


class SignedTokens:
    """`<base64 of the payload>.<base64 of its HMAC-SHA256>`; who has the token can read it.

    Keys and form are those of `itsdangerous.Signer`, which takes three times as long to verify: it derives the key and
    begins the HMAC anew each time. A test compares both.

    Args:
        keys: The secret keys.
        purpose: What the token is for, and for which cookie: a token of another purpose does not verify.
    """

    __slots__ = ("_begun", "_equal")

    def __init__(self, keys: Keys, purpose: bytes) -> None:
        from hashlib import sha256
        from hmac import compare_digest

        from itsdangerous import Signer

        # "hmac" is HMAC(key, salt). Django's way, the default, is a plain hash of both one behind the other.
        derived = [
            Signer(key, salt=purpose, key_derivation="hmac", digest_method=sha256).derive_key() for key in keys.raw
        ]
        # RFC 2104 2 and 4: both hashes begin with a block made of the key, which is hashed here, once.
        self._begun = [
            (
                sha256(bytes([byte ^ 0x36 for byte in key.ljust(64, b"\0")])),
                sha256(bytes([byte ^ 0x5C for byte in key.ljust(64, b"\0")])),
            )
            for key in derived
        ]
        self._equal = compare_digest

    def dumps(self, payload: bytes) -> bytes:
        """The payload as a cookie value."""
        value = _base64(payload)
        begun, outer = self._begun[0]
        inner, mac = begun.copy(), outer.copy()
        inner.update(value)
        mac.update(inner.digest())
        return b"%b.%b" % (value, _base64(mac.digest()))

    def loads(self, token: bytes) -> bytes | None:
        """The payload of a cookie value; None if it was not made by `dumps` with one of the keys."""
        value, dot, signature = token.rpartition(b".")
        if not dot:
            return None
        for begun, outer in self._begun:
            inner, mac = begun.copy(), outer.copy()
            inner.update(value)
            mac.update(inner.digest())
            # As text: a decoder of base64 takes one signature in many spellings.
            if self._equal(signature, _base64(mac.digest())):
                try:
                    return _unbase64(value)
                except ValueError:  # signed by another program
                    return None
        return None


class EncryptedTokens:
    """AES-256-GCM: nobody without a key can read or change the payload.

    Args:
        keys: The secret keys; the key of the cipher is derived from them by HKDF-SHA256 (RFC 5869).
        purpose: What the token is for, and for which cookie: a token of another purpose does not decrypt.

    Raises:
        ImportError: `cryptography` is not installed.
    """

    __slots__ = ("_ciphers", "_invalid", "_purpose")

    def __init__(self, keys: Keys, purpose: bytes) -> None:
        try:
            from cryptography.exceptions import InvalidTag
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
            from cryptography.hazmat.primitives.hashes import SHA256
            from cryptography.hazmat.primitives.kdf.hkdf import HKDF
        except ImportError as error:
            raise ImportError(
                "encrypted=True needs cryptography: pip install 'asgi-middlewares[encryption]'", name=error.name
            ) from error
        self._invalid = InvalidTag
        self._purpose = purpose
        self._ciphers = [
            AESGCM(HKDF(algorithm=SHA256(), length=32, salt=None, info=b"AES-256-GCM " + purpose).derive(key))
            for key in keys.raw
        ]

    def dumps(self, payload: bytes) -> bytes:
        """The payload as a cookie value."""
        nonce = os.urandom(12)  # NIST SP 800-38D 8.2.2: random, for at most 2**32 tokens of a key
        return _base64(nonce + self._ciphers[0].encrypt(nonce, payload, self._purpose))

    def loads(self, token: bytes) -> bytes | None:
        """The payload of a cookie value; None if it was not made by `dumps` with one of the keys."""
        try:
            sealed = _unbase64(token)
        except ValueError:
            return None
        if len(sealed) < 12 + 16 or _base64(sealed) != token:  # a decoder of base64 takes it in many spellings
            return None
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(sealed[:12], sealed[12:], self._purpose)
            except self._invalid:
                continue
        return None


class PlainIds:
    """Session ids as they are, for a store without a key: 256 random bits cannot be guessed."""

    __slots__ = ()

    def dumps(self, payload: bytes) -> bytes:
        """The id as a cookie value."""
        return payload

    def loads(self, token: bytes) -> bytes | None:
        """The id, unless the value does not look like one."""
        return token if is_id(token) else None


is_id = re.compile(rb"[A-Za-z0-9_-]{43}").fullmatch
"""Truthy if bytes look like `secrets.token_urlsafe(32)`."""


class StarletteCookies:
    """Reads the cookies of Starlette's SessionMiddleware: TimestampSigner with SHA-1 over base64 of JSON."""

    __slots__ = ("_bad", "_unsign")

    def __init__(self, keys: Keys) -> None:
        from itsdangerous import BadData, TimestampSigner

        self._bad = BadData
        self._unsign = TimestampSigner(keys.as_starlette[::-1]).unsign

    def loads(self, token: bytes) -> tuple[int, bytes] | None:
        """When it was signed, in seconds since 1970, and the JSON; None if it is no such cookie."""
        try:
            value, signed = self._unsign(token, return_timestamp=True)
            return int(signed.timestamp()), a2b_base64(value)
        except (self._bad, ValueError):
            return None


def _base64(data: bytes) -> bytes:
    return b2a_base64(data, newline=False).translate(_to_urlsafe).rstrip(b"=")


def _unbase64(text: bytes) -> bytes:
    return a2b_base64(text.translate(_to_standard) + b"==")
