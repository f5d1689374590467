"""Layers that compress, by the coding that they are asked for, and the check that they do."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import brotli
from brotli_asgi import BrotliMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette_compress import CompressMiddleware

from middlewares import compression as room
from middlewares.testing import http_scope, run

from . import apps
from .bodies import TYPES, body
from .harness import App
from .layers import Goal, Layer, Scenario

try:
    from compression import zstd
except ImportError:
    from backports import zstd

CODINGS = ("zstd", "br", "gzip")
DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "zstd": zstd.decompress,
    "br": brotli.decompress,
    "gzip": gzip.decompress,
}

INCREMENTAL: dict[str, Callable[[bytes], bytes]] = {
    "zstd": lambda data: zstd.ZstdDecompressor().decompress(data),
    "br": lambda data: brotli.Decompressor().process(data),
    "gzip": lambda data: zlib.decompressobj(31).decompress(data),
}
"""What the begin of a coded body decodes to."""

STARLETTE, COMPRESS, BROTLI = "Starlette GZip", "starlette-compress", "brotli-asgi"
OURS = "our Compression"


@dataclass(frozen=True)
class Coder:
    """A layer at its defaults, and a coding that it answers with when a client takes no other."""

    name: str
    wrap: Callable[[Any], App]
    coding: str

    def __str__(self) -> str:
        """The name in tables."""
        return f"{self.name} {self.coding}"

    @property
    def is_ours(self) -> bool:
        """Whether it is to meet our goals."""
        return self.name == OURS


def _coders() -> list[Coder]:
    coders = [
        Coder(STARLETTE, GZipMiddleware, "gzip"),
        *(Coder(COMPRESS, CompressMiddleware, coding) for coding in CODINGS),
        # Its gzip is Starlette's.
        Coder(BROTLI, BrotliMiddleware, "br"),
    ]
    ours = getattr(room, "CompressionMiddleware", None)
    if ours is not None:
        coders += [Coder(OURS, ours, coding) for coding in CODINGS]
    return coders


CODERS = _coders()


def scope_for(coding: str | None) -> dict[str, Any]:
    """The request of a browser that takes one coding (None: says nothing of codings)."""
    pairs = [pair for pair in apps.SAME_ORIGIN["headers"] if pair[0] != b"accept-encoding"]
    if coding is not None:
        pairs.append((b"accept-encoding", coding.encode("ascii")))
    return http_scope("GET", "/orders", pairs)


def serving(kind: str, content: bytes) -> App:
    """An application that answers with a body of a kind, in one message, with objects of the answer's own."""
    content_type, length = (b"content-type", TYPES[kind]), (b"content-length", b"%d" % len(content))

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [content_type, length]})
        await send({"type": "http.response.body", "body": content, "more_body": False})

    return app


def coded_size(coder: Coder, kind: str, content: bytes) -> int:
    """How many bytes the layer makes of a body.

    Raises:
        RuntimeError: They are not in the coding, or not the body.
    """
    start, *bodies = run(coder.wrap(serving(kind, content)), scope_for(coder.coding))
    coded = b"".join(message.get("body", b"") for message in bodies)
    named = [value for name, value in start["headers"] if name.lower() == b"content-encoding"]
    if named != [coder.coding.encode("ascii")] or DECODERS[coder.coding](coded) != content:
        raise RuntimeError(f"{coder} does not do its work, so it is not timed: {kind} of {len(content)} bytes")
    return len(coded)


# Nothing to compress

_TEXT = body("HTML", 1_500)


async def _text(_scope: Any, _receive: Any, send: Any) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(_TEXT))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": _TEXT, "more_body": False})


def _idle(coder: Coder, app: App, content: bytes) -> Layer:
    def check(wrap: Callable[[App], App], scope: dict[str, Any]) -> bool:
        start, *bodies = run(wrap(app), scope)
        plain = b"".join(message.get("body", b"") for message in bodies)
        named = [name for name, _ in start["headers"] if name.lower() == b"content-encoding"]
        # It leaves this answer as it is, and is no layer that leaves all of them.
        return plain == content and not named and coded_size(coder, "JSON", body("JSON", 10_000)) < 5_000

    return Layer(coder.name, coder.wrap, check, Goal(COMPRESS, 0.60, 0.45) if coder.is_ours else None)


def idle_scenarios() -> list[Scenario]:
    """Answers that no layer compresses: a small one for a browser, and a text for a client that takes no coding."""
    browser = http_scope("GET", "/orders/4711", list(apps.SAME_ORIGIN["headers"]))
    coders = {coder.name: coder for coder in CODERS}.values()
    passing = Layer("pass-through layer", apps.pass_through, lambda _wrap, _scope: True)
    return [
        Scenario(
            "100 bytes of JSON, nothing to compress",
            browser,
            [passing, *(_idle(coder, apps.bare, apps.BODY) for coder in coders)],
        ),
        Scenario(
            "1.5 KB of text without Accept-Encoding",
            scope_for(None),
            [passing, *(_idle(coder, _text, _TEXT) for coder in coders)],
            bare=_text,
        ),
    ]
