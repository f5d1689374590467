"""The part `decoding`: the CPU time of request bodies through our DecompressionMiddleware, which has no ASGI peer.

It is compared with what the library of each coding takes for the same bytes in one call, without any limit.
"""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Callable
from typing import Any

import brotli

from middlewares.compression import DecompressionMiddleware
from middlewares.testing import http_scope, run

from . import apps
from .bodies import SIZES, body
from .compression import DECODERS, zstd
from .harness import App, Cost, measure, verdict
from .report import Table

CODINGS: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    "gzip": (lambda data: gzip.compress(data, 6, mtime=0), DECODERS["gzip"]),
    "br": (lambda data: brotli.compress(data, quality=5), DECODERS["br"]),
    "zstd": (zstd.compress, DECODERS["zstd"]),
    "deflate": (zlib.compress, zlib.decompress),
}
"""How a client codes with each coding, and the one call that decodes it."""

_PIECE = 65_536  # what servers read at once
_SHARES = {"1 KB": (2, 2), "10 KB": (2, 5), "100 KB": (4, 20), "1 MB": (8, 100)}


async def reading(_scope: Any, receive: Any, send: Any) -> None:
    """An application that reads the body, and answers with its length."""
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message["body"])
        more = message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"%d" % size, "more_body": False})


def tables(*, rounds: int, requests: int) -> list[Table]:
    """One table of bodies by coding and size, and one of requests that are not coded.

    Raises:
        RuntimeError: The layer does not do its work: what it costs would say nothing.
    """
    return [_coded(rounds, requests), _idle(rounds, requests)]


def _scope(content: bytes, coding: str | None) -> dict[str, Any]:
    headers = [pair for pair in apps.SAME_ORIGIN["headers"] if pair[0] != b"accept-encoding"]
    headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
    if coding is not None:
        headers.append((b"content-encoding", coding.encode("ascii")))
    return http_scope("POST", "/orders", headers)


def _uploading(app: App, content: bytes) -> App:
    """`app`, as a server calls it with this body."""
    pieces = [content[at : at + _PIECE] for at in range(0, len(content), _PIECE)]
    incoming = [(piece, index < len(pieces)) for index, piece in enumerate(pieces, 1)]

    async def uploaded(scope: Any, _receive: Any, send: Any) -> None:
        messages = iter(incoming)

        async def receive() -> dict[str, Any]:
            piece, more = next(messages)
            return {"type": "http.request", "body": piece, "more_body": more}

        await app(scope, receive, send)

    return uploaded


def _calling(decode: Callable[[bytes], bytes], coded: bytes) -> App:
    async def called(scope: Any, receive: Any, send: Any) -> None:
        decode(coded)
        await reading(scope, receive, send)

    return called


def _coded(rounds: int, requests: int) -> Table:
    layer = DecompressionMiddleware(reading, encodings=CODINGS)
    rows: list[list[Any]] = []
    costs: list[Cost] = []
    for label, size in SIZES.items():
        content = body("JSON", size)
        series = [(_uploading(reading, content), _scope(content, None))]
        for coding, (encode, decode) in CODINGS.items():
            coded = encode(content)
            uploading, scope = _uploading(layer, coded), _scope(coded, coding)
            if run(uploading, scope)[1]["body"] != b"%d" % size:
                raise RuntimeError(f"{coding} is not decoded, so it is not timed: {label}")
            series += [(uploading, scope), (_calling(decode, coded), scope)]
        fewer_rounds, fewer_requests = _SHARES[label]
        plain, *times = measure(
            series,
            asyncio.new_event_loop,
            rounds=max(2, rounds // fewer_rounds),
            requests=max(1, requests // fewer_requests),
        )
        for index, coding in enumerate(CODINGS):
            cost, library = (Cost.over(plain, own) for own in times[2 * index : 2 * index + 2])
            costs += [cost, library]
            speed = size / cost.ns * 1000
            row = [label, coding, round(cost.ns / 1000, 1), round(100 * cost.drift), round(speed)]
            rows.append([*row, round(library.ns / 1000, 1), round(cost.ns / library.ns, 2)])
    return Table(
        title="bodies of JSON that DecompressionMiddleware decodes, over the same ones sent plain, asyncio",
        columns=["body", "coding", "us over plain", "± %", "MB/s", "us of one call", "ratio"],
        rows=rows,
        note=verdict(costs),
    )


def _idle(rounds: int, requests: int) -> Table:
    scope = _scope(apps.BODY, None)
    layers = {"pass-through layer": apps.pass_through, "our DecompressionMiddleware": DecompressionMiddleware}
    series = [_uploading(app, apps.BODY) for app in (reading, *(wrap(reading) for wrap in layers.values()))]
    bare, *times = measure([(app, scope) for app in series], asyncio.new_event_loop, rounds=rounds, requests=requests)
    costs = {name: Cost.over(bare, own) for name, own in zip(layers, times, strict=True)}
    return Table(
        title=f"POST of 100 bytes that are not coded, asyncio (bare: {min(bare):,.0f} ns)",
        columns=["layer", "ns over bare", "± %"],
        rows=[[name, round(cost.ns), round(100 * cost.drift)] for name, cost in costs.items()],
        note=verdict(list(costs.values())),
    )
