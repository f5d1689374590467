"""The keywords of `wrap`: its order, and the options of each room as types.

A room joins `wrap` with a row in `ORDER`, a parameter there, and a `TypedDict` here that repeats the keywords of its
constructor; a test compares them.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

from ._http.paths import Condition
from .asgi import Message, Scope

if TYPE_CHECKING:  # composition loads no room before it is asked for
    from .sessions.policy import SameSite, Seconds
    from .sessions.records import Serializer
    from .sessions.stores import SessionStore
    from .sessions.tokens import SecretKey

ORDER = {
    "request_id": "RequestIDMiddleware",
    "timing": "TimingMiddleware",
    "cors": "CORSMiddleware",
    "server_errors": "ServerErrorMiddleware",
    "compression": "CompressionMiddleware",
    "decompression": "DecompressionMiddleware",
    "sessions": "SessionMiddleware",
}
"""Parameter of `wrap` -> class, outermost first."""

_Hook: TypeAlias = Callable[[Any], Any]
_Answer: TypeAlias = tuple[int, Iterable[tuple[bytes, bytes]], bytes]


class RequestIDOptions(TypedDict, total=False):
    """What `RequestIDMiddleware` takes beside the application."""

    header_name: str | Iterable[str]
    response_header: str | None
    generator: str | Callable[[], object]
    validator: Callable[[str], bool] | re.Pattern[str] | None
    transformer: Callable[[str], str] | None
    trust_incoming: bool | Callable[[Scope], bool] | Iterable[str]
    update_request_header: bool
    trace_context: bool
    exception_note: bool


class TimingOptions(TypedDict, total=False):
    """What `TimingMiddleware` takes beside the application."""

    header: str | None
    metric: str
    precision: int
    expose: bool | Callable[[Scope], bool]
    timing_allow_origin: str | Iterable[str] | None
    trailers: bool
    traceparent: bool
    exclude: Condition | Iterable[Condition]
    on_start: _Hook | Iterable[_Hook] | None
    on_complete: _Hook | Iterable[_Hook] | None
    exporters: Iterable[Any]
    slow: float | None
    websockets: bool


class CORSOptions(TypedDict, total=False):
    """What `CORSMiddleware` takes beside the application."""

    allow_origins: Iterable[str]
    allow_methods: Iterable[str]
    allow_headers: Iterable[str]
    allow_credentials: bool
    allow_origin_regex: str | re.Pattern[str] | None
    allow_private_network: bool
    expose_headers: Iterable[str]
    max_age: int | None
    allow_origin_func: Callable[[str, Scope], bool | Awaitable[bool]] | None
    websockets: bool
    overrides: Mapping[str, Mapping[str, Any] | None] | None


class ServerErrorOptions(TypedDict, total=False):
    """What `ServerErrorMiddleware` takes beside the application."""

    debug: bool
    handler: Callable[[Scope, Exception], _Answer | Awaitable[_Answer]] | None


class CompressionOptions(TypedDict, total=False):
    """What `CompressionMiddleware` takes beside the application."""

    minimum_size: int
    encodings: Iterable[str]
    gzip_level: int
    compresslevel: int | None
    brotli_quality: int
    zstd_level: int
    thread_minimum_size: int
    exclude_content_types: Iterable[str]
    exclude_paths: Condition | Iterable[Condition]
    predicate: Callable[[Scope, Message], bool] | None
    random_padding: int
    dictionaries: Iterable[bytes | str | PathLike[str]]
    use_as_dictionary: Mapping[Any, str] | None


class DecompressionOptions(TypedDict, total=False):
    """What `DecompressionMiddleware` takes beside the application."""

    max_size: int
    encodings: Iterable[str]


class SessionOptions(TypedDict, total=False):
    """What `SessionMiddleware` takes beside the application."""

    secret_key: SecretKey | Iterable[SecretKey] | None
    session_cookie: str
    max_age: Seconds | None
    path: str
    same_site: SameSite
    https_only: bool
    domain: str | None
    partitioned: bool
    store: SessionStore | None
    rolling: bool
    idle_timeout: Seconds | None
    absolute_timeout: Seconds | None
    encrypted: bool
    serializer: Serializer | None
    on_store_error: Literal["raise", "ignore"]
    scope_key: str
    starlette_cookies: bool
