"""Incremental decoders whose output is bounded: one loop for all codings, over what each library calls a stream.

zlib, brotli and zstd are imported when a decoder is asked for by name, not with the room.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol

CODINGS = ("gzip", "br", "zstd", "deflate")

# Input goes to a stream in slices: zlib and zstd copy what is left of their input at each end of a member, and zlib at
# each full output, too. Whole, a body of many members would cost the square of its size.
_SLICE = 4096

# A member costs time though it decodes to nothing: a new zstd context takes 17 us, so that 10 MB of empty frames took
# 20 s. Members that are worth their while (1 KiB) are not counted; of the others this many pass.
_SMALL_MEMBERS = 10_000

# One call of `read` begins this many members at most, as it may run in the event loop.
_MEMBERS_AT_ONCE = 32


class DecodeError(Exception):
    """The bytes are not what their coding says."""


class Stream(Protocol):
    """One member, as the decompressors of the standard library decode it (`bz2`, `lzma`, `compression.zstd`)."""

    @property
    def eof(self) -> bool:
        """Whether the end of the member was reached."""
        ...

    @property
    def needs_input(self) -> bool:
        """Whether all output of the input so far was returned. Meaningless after the end."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What was given behind the end of the member."""
        ...

    def decompress(self, data: Any, max_length: int) -> bytes:
        """Up to about `max_length` bytes of output; `data` is empty unless the stream needs input."""
        ...


class Decoder:
    """Decodes one body, piece by piece: `feed` a piece, then `read` until it `needs_input`.

    Args:
        new_stream: Makes the stream of a member.
        error: What a stream raises for bytes that it cannot decode.
        several: Whether members may follow each other.
    """

    __slots__ = ("_error", "_input", "_members", "_new_stream", "_position", "_several", "_size", "_stream")

    def __init__(self, new_stream: Callable[[], Stream], error: type[Exception], *, several: bool) -> None:
        self._new_stream = new_stream
        self._error = error
        self._several = several
        self._stream = new_stream()
        self._input = memoryview(b"")
        self._position = self._size = self._members = 0

    def feed(self, data: bytes) -> None:
        """Give the next piece. All of the one before must have been read."""
        self._input = memoryview(data)
        self._position = 0

    @property
    def needs_input(self) -> bool:
        """Whether everything that was fed has been read."""
        return self._position == len(self._input) and (self._stream.eof or self._stream.needs_input)

    @property
    def is_complete(self) -> bool:
        """Whether what was fed, all of it read, ends with the end of a member."""
        return self._stream.eof

    def read(self, limit: int) -> bytes:
        """Decode about `limit` bytes (brotli: at most 1.5 times that, or 32 KiB), fewer where the input ends.

        Nothing is returned, too, after many members that decode to nothing, though there is more: ask `needs_input`.

        Raises:
            DecodeError: The bytes are not what the coding says.
        """
        chunks: list[bytes] = []
        size = members = 0
        while size < limit and members < _MEMBERS_AT_ONCE and not self.needs_input:
            if self._stream.eof:
                self._next_member()
                members += 1
            stream = self._stream
            data = b"" if not stream.needs_input else self._input[self._position : self._position + _SLICE]
            try:
                chunk = stream.decompress(data, limit - size)
            except self._error as error:
                raise DecodeError(str(error)) from error
            self._position += len(data)
            if stream.eof:
                # Streams are given nothing while they hold input, so what is unused is of the last slice.
                self._position -= len(stream.unused_data)
            chunks.append(chunk)
            size += len(chunk)
            self._size += len(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _next_member(self) -> None:
        self._members += 1
        if not self._several:
            raise DecodeError("data after the end")
        if self._members > _SMALL_MEMBERS + self._size // 1024:
            raise DecodeError("too many small members")
        self._stream = self._new_stream()


class _ZlibStream:
    """A zlib decompressor, which keeps no input and tells of no pending output, as a `Stream`."""

    __slots__ = ("_zlib", "needs_input")

    def __init__(self, decompressor: Any) -> None:
        self._zlib = decompressor
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return bool(self._zlib.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._zlib.unused_data)

    def decompress(self, data: Any, max_length: int) -> bytes:
        output: bytes = self._zlib.decompress(data if self.needs_input else self._zlib.unconsumed_tail, max_length)
        # Output that fills the limit may leave more of it inside, though all input is used up.
        self.needs_input = len(output) < max_length and not self._zlib.unconsumed_tail
        return output


class _DeflateStream(_ZlibStream):
    """The zlib format, or what it wraps alone: some senders leave the wrapper out (RFC 9110 8.4.1.2, note).

    The first byte tells: in the wrapper its low half is 8, the method (RFC 1950 2.2). Without the wrapper that would be
    a stored block behind a padding bit that is set (RFC 1951 3.2.4), which nobody writes.
    """

    __slots__ = ("_new_raw",)

    def __init__(self, zlib: Any) -> None:
        super().__init__(zlib.decompressobj(15))
        self._new_raw: Callable[[], Any] | None = lambda: zlib.decompressobj(-15)

    def decompress(self, data: Any, max_length: int) -> bytes:
        if self._new_raw is not None and data:
            if data[0] & 0x0F != 8:
                self._zlib = self._new_raw()
            self._new_raw = None
        return super().decompress(data, max_length)


class _BrotliStream:
    """A brotli decompressor as a `Stream`. It raises for data behind the end, so that none is ever unused."""

    __slots__ = ("_brotli", "needs_input")

    unused_data = b""

    def __init__(self, decompressor: Any) -> None:
        self._brotli = decompressor
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return bool(self._brotli.is_finished())

    def decompress(self, data: Any, max_length: int) -> bytes:
        # `can_accept_more_data()` may be true though the limit was hit and output is pending (brotli 1.2.1); output
        # below the limit says that there is none. The limit is overshot: google/brotli #1396.
        output: bytes = self._brotli.process(data, output_buffer_limit=max_length)
        self.needs_input = len(output) < max_length
        return output


def decoder_maker(coding: str) -> Callable[[], Decoder]:
    """What makes decoders of one of `CODINGS`; the library behind it is imported here."""
    if coding == "br":
        brotli: Any = import_module("brotli")
        return lambda: Decoder(lambda: _BrotliStream(brotli.Decompressor()), brotli.error, several=False)
    if coding == "zstd":
        zstd: Any = import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
        # RFC 9659 3: as a content coding, its window is 8 MB at most. RFC 8878 3: frames follow each other freely.
        options = {zstd.DecompressionParameter.window_log_max: 23}
        return lambda: Decoder(lambda: zstd.ZstdDecompressor(options=options), zstd.ZstdError, several=True)
    import zlib

    if coding == "gzip":  # RFC 1952 2.2: members follow each other, with nothing between or behind them
        return lambda: Decoder(lambda: _ZlibStream(zlib.decompressobj(31)), zlib.error, several=True)
    return lambda: Decoder(lambda: _DeflateStream(zlib), zlib.error, several=False)
