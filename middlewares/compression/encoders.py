"""Encoders of content codings: for each coding, how a whole body is coded, and how a stream.

zlib, brotli and zstd are imported when a codec is made, not with the room.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple, Protocol

from .._http.headers import Header

# RFC 9659 3: as a content coding, the window of zstd is 8 MB at most. Levels from 20 on would take more, in streams and
# in whole bodies above 8 MB; to name the window at lower levels would only enlarge it.
_MAX_WINDOW_LOG = 23
_LAST_LEVEL_WITHIN = 19

# An event stream may be open for hours, and its events resemble those right before them. With these windows and tables
# zstd takes 140 KB at level 3, in place of 1.1 MB, and gzip 100 KB in place of 220 (zlib-ng 200 in place of 300), for
# 3 % more bytes at most. brotli has tables for each quality: those of 3 take 280 KB, those of 4, the default, 540 for
# 2 % less bytes.
_EVENT_WINDOW_LOG, _EVENT_TABLE_LOG = 15, 12
_GZIP_EVENT_WINDOW_BITS, _GZIP_EVENT_MEMORY = 14, 6
_BROTLI_EVENT_WINDOW_LOG = 16
_BROTLI_EVENT_QUALITY = {4: 3}

# Larger ones gain nothing at qualities for streams: 1 MB of JSON is 2 % larger with 22.
_BROTLI_STREAM_WINDOW_LOG = 18

_WHOLE_GZIP = 31  # for zlib: a window of 32 KB, and the gzip format (+ 16)


class Encoder(NamedTuple):
    """One stream: each call takes the next bytes of the body, and returns what is to be sent, maybe nothing."""

    encode: Callable[[bytes], bytes]
    """May keep back what was given."""
    flush: Callable[[bytes], bytes]
    """Keeps nothing back."""
    finish: Callable[[bytes], bytes]
    """Ends the stream."""


def with_first_output(encoder: Encoder, edit: Callable[[bytes], bytes]) -> Encoder:
    """An encoder whose first output goes through `edit`."""
    is_first = True

    def edited(step: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
        def first_edited(data: bytes) -> bytes:
            nonlocal is_first
            coded = step(data)
            if is_first and coded:
                is_first = False
                coded = edit(coded)
            return coded

        return first_edited

    return Encoder(*map(edited, encoder))


class Codec(Protocol):
    """A content coding with its settings, for any number of bodies at once, in any thread.

    Attributes:
        field: The pair that names it among the headers.
        suffix: What is added to the entity tags of its bodies: they are other representations (RFC 9110 8.8.1).
        is_slow: Whether the next body has to wait for preparations, whatever its size.
    """

    field: Header
    suffix: bytes
    is_slow: bool

    def whole(self, body: bytes) -> bytes:
        """Code a complete body."""
        ...

    def stream(self, *, events: bool) -> Encoder:
        """Begin a stream; with `events` one that stays open and must be small in memory."""
        ...


class Gzip:
    """gzip (RFC 1952), through zlib-ng if it is installed (the extra `fast`).

    Args:
        level: 0 to 9.
        padding: The most bytes that are added to each body, at random.
    """

    field: Header = (b"content-encoding", b"gzip")
    suffix = b"-gzip"
    is_slow = False

    def __init__(self, level: int, padding: int = 0) -> None:
        self._zlib: Any = import_module("zlib_ng.zlib_ng" if find_spec("zlib_ng") else "zlib")
        self._level = level
        self._length = _lengths(padding)

    def whole(self, body: bytes) -> bytes:
        """Code a complete body."""
        coded: bytes = self._zlib.compress(body, self._level, _WHOLE_GZIP)
        return self._padded(coded) if self._length else coded

    def stream(self, *, events: bool) -> Encoder:
        """Begin a stream."""
        zlib = self._zlib
        window_bits, memory = (_GZIP_EVENT_WINDOW_BITS, _GZIP_EVENT_MEMORY) if events else (15, 8)
        deflate = zlib.compressobj(self._level, zlib.DEFLATED, 16 + window_bits, memory)

        def flush(data: bytes) -> bytes:
            coded: bytes = deflate.compress(data) + deflate.flush(zlib.Z_SYNC_FLUSH)
            return coded

        def finish(data: bytes) -> bytes:
            coded: bytes = deflate.compress(data) + deflate.flush()
            return coded

        encoder = Encoder(deflate.compress, flush, finish)
        return with_first_output(encoder, self._padded) if self._length else encoder

    def _padded(self, coded: bytes) -> bytes:
        length = self._length() if self._length else 0
        if not length:
            return coded
        # RFC 1952 2.3: bit 3 of the flags says that a file name follows the ten bytes of the header, up to a zero.
        return b"".join([coded[:3], b"\x08", coded[4:10], b"x" * (length - 1), b"\0", coded[10:]])


class Brotli:
    """br (RFC 7932).

    Args:
        quality: 0 to 11.
        padding: The most bytes that are added to each body, at random, beside 2 for each 256 of them.
    """

    field: Header = (b"content-encoding", b"br")
    suffix = b"-br"
    is_slow = False

    def __init__(self, quality: int, padding: int = 0) -> None:
        self._brotli: Any = import_module("brotli")
        self._quality = quality
        self._length = _lengths(padding)

    def whole(self, body: bytes) -> bytes:
        """Code a complete body."""
        if self._length:
            return self._encoder(self._quality, 22).finish(body)
        coded: bytes = self._brotli.compress(body, quality=self._quality)
        return coded

    def stream(self, *, events: bool) -> Encoder:
        """Begin a stream."""
        if events:
            return self._encoder(_BROTLI_EVENT_QUALITY.get(self._quality, self._quality), _BROTLI_EVENT_WINDOW_LOG)
        return self._encoder(self._quality, _BROTLI_STREAM_WINDOW_LOG)

    def _encoder(self, quality: int, window_log: int) -> Encoder:
        stream = self._brotli.Compressor(quality=quality, lgwin=window_log)

        def flush(data: bytes) -> bytes:
            coded: bytes = stream.process(data) + stream.flush()
            return coded

        def finish(data: bytes) -> bytes:
            if self._length:
                return b"".join([flush(data), _metadata_blocks(self._length()), stream.finish()])
            coded: bytes = stream.process(data) + stream.finish()
            return coded

        return Encoder(stream.process, flush, finish)


def _metadata_blocks(length: int) -> bytes:
    # RFC 7932 9.2: ISLAST 0, MNIBBLES 11 (metadata), reserved 0, MSKIPBYTES 01, MSKIPLEN - 1 in eight bits, and zeros
    # to the end of the byte; then MSKIPLEN bytes. It stands behind a flush, so at the border of a byte.
    blocks = [min(256, length - start) for start in range(0, length, 256)]
    return b"".join([(22 | (size - 1) << 6).to_bytes(2, "little") + bytes(size) for size in blocks])


class Zstd:
    """zstd (RFC 8878, RFC 9659).

    Args:
        level: -131072 to 22.
        padding: The most bytes that are added to each body, at random, beside 8 for their frame.
    """

    field: Header = (b"content-encoding", b"zstd")
    suffix = b"-zstd"
    is_slow = False

    def __init__(self, level: int, padding: int = 0) -> None:
        zstd = zstd_module()
        parameter = zstd.CompressionParameter
        self._new: Callable[[Mapping[Any, int]], Any] = lambda options: zstd.ZstdCompressor(options=options)
        self._flush_block: Any = zstd.ZstdCompressor.FLUSH_BLOCK
        self._flush_frame: Any = zstd.ZstdCompressor.FLUSH_FRAME
        self._options: dict[Any, int] = {parameter.compression_level: level}
        if level > _LAST_LEVEL_WITHIN:
            self._options[parameter.window_log] = _MAX_WINDOW_LOG
        self._event_options: dict[Any, int] = {
            parameter.compression_level: level,
            parameter.window_log: _EVENT_WINDOW_LOG,
            parameter.hash_log: _EVENT_TABLE_LOG,
            parameter.chain_log: _EVENT_TABLE_LOG,
        }
        self._length = _lengths(padding)
        self._idle: deque[Any] = deque()

    def whole(self, body: bytes) -> bytes:
        """Code a complete body."""
        # To make a context takes half the time that 1 KB takes to be coded. Each is used by one body at a time: what is
        # popped from a deque is popped once, in whichever thread.
        try:
            context = self._idle.pop()
        except IndexError:
            context = self._new(self._options)
        coded: bytes = context.compress(body, self._flush_frame)
        self._idle.append(context)
        return coded + _skippable_frame(self._length()) if self._length else coded

    def stream(self, *, events: bool) -> Encoder:
        """Begin a stream."""
        return self._encoder(self._new(self._event_options if events else self._options))

    def _encoder(self, context: Any) -> Encoder:
        compress, flush_block, flush_frame = context.compress, self._flush_block, self._flush_frame
        length = self._length

        def flush(data: bytes) -> bytes:
            coded: bytes = compress(data, flush_block)
            return coded

        def finish(data: bytes) -> bytes:
            coded: bytes = compress(data, flush_frame)
            return coded + _skippable_frame(length()) if length else coded

        return Encoder(compress, flush, finish)


def _skippable_frame(length: int) -> bytes:
    return b"\x50\x2a\x4d\x18" + length.to_bytes(4, "little") + bytes(length)  # RFC 8878 3.1.2


def zstd_module() -> Any:
    """`compression.zstd` of Python 3.14, or the same under the name that it has before."""
    return import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")


def _lengths(padding: int) -> Callable[[], int] | None:
    """What draws the length of a padding, from 0 to the most; None if there is none."""
    if not padding:
        return None
    from secrets import randbelow  # here, as few need it

    return lambda: randbelow(padding + 1)
