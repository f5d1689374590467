"""Which content types are worth to be coded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from .._http.lists import is_token

EXCLUDED_CONTENT_TYPES = (
    *("image/*", "audio/*", "video/*", "font/woff", "font/woff2", "application/font-woff", "application/font-woff2"),
    *("application/zip", "application/gzip", "application/x-gzip", "application/zstd", "application/x-bzip2"),
    *("application/x-zip-compressed", "application/x-bzip", "application/x-xz", "application/x-lzma"),
    *("application/x-lz4", "application/x-zstd", "application/zlib", "application/x-7z-compressed"),
    *("application/vnd.rar", "application/x-rar", "application/x-rar-compressed", "application/java-archive"),
    *("application/vnd.android.package-archive", "application/vnd.ms-cab-compressed", "application/x-rpm"),
    *("application/vnd.debian.binary-package", "application/vnd.google-earth.kmz", "application/epub+zip"),
    *("application/pdf", "application/mp4", "application/ogg", "application/octet-stream"),
    *("application/grpc", "application/grpc-web", "application/grpc-web-text", "multipart/x-mixed-replace"),
)
"""What is left alone by default: what is compressed already, has an unknown form, or is a stream of pictures or frames.

Further left alone are types that end with `+zip`, `+gzip` or `+zstd`. Images that are text, or plain pixels, are coded.
"""

_EXCLUDED = frozenset([name.encode("ascii") for name in EXCLUDED_CONTENT_TYPES])
_CODED_IMAGES = frozenset({b"image/svg+xml", b"image/bmp", b"image/x-icon", b"image/vnd.microsoft.icon"})
_FRAMED = (b"grpc", b"grpc-web", b"grpc-web-text")
_EXCLUDED_SUFFIXES = frozenset({b"zip", b"gzip", b"zstd"})

ALONE, EVENTS, CODED = "left alone", "event stream", "coded"
"""What becomes of a response by its content type."""


def checked_types(types: Iterable[str]) -> frozenset[bytes]:
    """The types to leave alone, in the form that `kind_of` takes.

    Raises:
        TypeError: It is no list of str.
        ValueError: One is no content type, nor `type/*`.
    """
    if types is EXCLUDED_CONTENT_TYPES:
        return _EXCLUDED
    if isinstance(types, str | bytes) or not isinstance(cast("Any", types), Iterable):
        raise TypeError(f"exclude_content_types must be a list of types, such as ['image/*'] (got {types!r})")
    checked: set[bytes] = set()
    for given in types:
        if not isinstance(cast("Any", given), str):
            raise TypeError(f"exclude_content_types must hold types as str (got {given!r})")
        bare = _bare(given.encode("utf-8"))
        kind, _, subtype = bare.partition(b"/")
        if not is_token(kind) or not is_token(subtype) or kind == b"*":
            raise ValueError(f"exclude_content_types must hold types such as 'text/csv' or 'image/*' (got {given!r})")
        checked.add(bare)
    return frozenset(checked)


def kind_of(content_type: bytes, excluded: frozenset[bytes]) -> str:
    """`ALONE`, `EVENTS` or `CODED`, for the value of Content-Type; empty if the response has none."""
    bare = _bare(content_type)
    kind, _, subtype = bare.partition(b"/")
    # RFC 6838 4.2.8: a suffix tells the form of the whole. That of gRPC tells only what is in its frames.
    base, plus, suffix = subtype.rpartition(b"+")
    if excluded is _EXCLUDED:
        if bare in _CODED_IMAGES:
            return CODED
        if plus and suffix in _EXCLUDED_SUFFIXES:
            return ALONE
    if bare in excluded or kind + b"/*" in excluded or (base in _FRAMED and b"application/" + base in excluded):
        return ALONE
    return EVENTS if bare == b"text/event-stream" else CODED


def _bare(content_type: bytes) -> bytes:
    return content_type.partition(b";")[0].strip(b" \t").lower()
