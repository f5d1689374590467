"""What the tests of request decoding share: bodies in each coding, valid, odd and hostile."""

import gzip
import zlib

import brotli

try:
    from compression import zstd
except ImportError:
    from backports import zstd

CODINGS = ("gzip", "br", "zstd", "deflate")
SEVERAL = ("gzip", "zstd")
"""The codings whose bodies may have several members."""


def encode(coding: str, data: bytes) -> bytes:
    """One member."""
    if coding == "gzip":
        return gzip.compress(data, 6, mtime=0)
    if coding == "br":
        return brotli.compress(data, quality=5)
    if coding == "zstd":
        # With a checksum (RFC 8878 3.1.1), as the other damage would not be seen.
        parameters = zstd.CompressionParameter
        return zstd.compress(data, options={parameters.checksum_flag: 1, parameters.window_log: 20})
    return zlib.compress(data)


def bomb(coding: str, size: int) -> bytes:
    """A body that decodes to `size` zeros, made in little memory; its ratio is the coding's worst or near it."""
    if coding == "zstd":
        parameters = zstd.CompressionParameter
        coder = zstd.ZstdCompressor(options={parameters.compression_level: 3, parameters.window_log: 20})
        compress, flush = coder.compress, coder.flush
    elif coding == "br":
        coder = brotli.Compressor(quality=5)
        compress, flush = coder.process, coder.finish
    else:
        coder = zlib.compressobj(9, zlib.DEFLATED, 31 if coding == "gzip" else 15)
        compress, flush = coder.compress, coder.flush
    block = bytes(1 << 20)
    return b"".join([*(compress(block) for _ in range(size >> 20)), flush()])


__all__ = ["CODINGS", "SEVERAL", "bomb", "encode", "zstd"]
