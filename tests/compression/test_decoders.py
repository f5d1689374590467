"""The decoders: every way to cut a body gives the same bytes, output stays within its bound, damage is told."""

import struct
import tracemalloc
import zlib
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from middlewares.compression.decoders import CODINGS as OFFERED
from middlewares.compression.decoders import DecodeError, decoder_maker
from tests.compression.coded import CODINGS, SEVERAL, bomb, encode, zstd

MAKERS = {coding: decoder_maker(coding) for coding in CODINGS}
TEXT = b"the quick brown fox jumps over the lazy dog, " * 40

codings = pytest.mark.parametrize("coding", CODINGS)
several = pytest.mark.parametrize("coding", SEVERAL)

# Bodies that compress well, badly, and not at all.
bodies = st.one_of(
    st.binary(max_size=400),
    st.builds(lambda piece, times: piece * times, st.binary(min_size=1, max_size=20), st.integers(0, 20_000)),
)


def read_all(decoder, limit):
    chunks = []
    while not decoder.needs_input:
        chunks.append(decoder.read(limit))
        assert len(chunks[-1]) <= limit * 1.5 + 32_768
    assert decoder.read(limit) == b""
    return b"".join(chunks)


def decoded(coding, pieces, limit=65_536):
    """All that the pieces decode to, and whether they end where a body may."""
    decoder = MAKERS[coding]()
    result = []
    for piece in pieces:
        decoder.feed(piece)
        result.append(read_all(decoder, limit))
    return b"".join(result), decoder.is_complete


def cut(data, cuts):
    borders = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(borders)]


def test_codings():
    """These codings are known, and no others."""
    assert OFFERED == CODINGS


@given(
    st.sampled_from(CODINGS),
    bodies,
    st.lists(st.integers(0, 1 << 16), max_size=8),
    st.integers(1, 300) | st.just(65_536),
)
def test_any_chunking(coding, body, cuts, limit):
    """Wherever the coded bytes are cut, and however little is read at once, the body comes out (RFC 9110 8.4)."""
    assume(len(body) // limit < 5000)
    assert decoded(coding, cut(encode(coding, body), cuts), limit) == (body, True)


@given(
    st.sampled_from(SEVERAL),
    st.lists(bodies, min_size=1, max_size=6),
    st.lists(st.integers(0, 1 << 16), max_size=8),
    st.integers(100, 70_000),
)
def test_several_members(coding, parts, cuts, limit):
    """Members follow each other, and their contents are one body (RFC 1952 2.2, RFC 8878 3)."""
    coded = b"".join(encode(coding, part) for part in parts)
    assert decoded(coding, cut(coded, cuts), limit) == (b"".join(parts), True)


@codings
def test_byte_by_byte(coding):
    """Pieces of one byte, and empty ones between them, decode as the whole."""
    coded = encode(coding, TEXT)
    pieces = [piece for byte in coded for piece in (bytes([byte]), b"")]
    assert decoded(coding, pieces) == (TEXT, True)


@codings
def test_truncated_at_any_byte(coding):
    """No proper prefix is complete, the empty one included; what it decodes to is a prefix of the body."""
    coded = encode(coding, TEXT)
    for length in range(len(coded)):
        part, complete = decoded(coding, [coded[:length]])
        assert TEXT.startswith(part)
        assert not complete


@codings
def test_nothing_is_held_back(coding):
    """All that a piece decodes to is out before the next one is asked for, however little is read at once."""
    coded = encode(coding, TEXT)
    for length in range(len(coded) + 1):
        assert decoded(coding, [coded[:length]], 1) == decoded(coding, [coded[:length]])


@codings
def test_changed_at_any_byte(coding):
    """A changed byte gives an error, an incomplete body or other bytes, and never anything else."""
    coded = encode(coding, TEXT)
    missed = 0
    for index in range(len(coded)):
        for change in (0x01, 0x80, 0xFF):
            broken = bytearray(coded)
            broken[index] ^= change
            try:
                body, complete = decoded(coding, [bytes(broken)])
            except DecodeError:
                continue
            missed += complete and body != TEXT
    # br has no checksum: some changes of a literal are a valid body.
    assert missed == 0 or coding == "br"


@codings
def test_garbage_behind_the_end(coding):
    """What follows the end and is no member is an error, with the last piece as well as in one of its own."""
    coded = encode(coding, TEXT)
    for garbage in (b"\0", b"garbage", bytes(64)):
        for pieces in ([coded + garbage], [coded, garbage], [coded[:-1], coded[-1:] + garbage]):
            for limit in (1, 100, 65_536):
                try:
                    body, complete = decoded(coding, pieces, limit)
                except DecodeError:
                    continue
                # One byte may begin a member: then the body is incomplete.
                assert (body, complete) == (TEXT, False), (garbage, limit)


@pytest.mark.parametrize("coding", sorted(set(CODINGS) - set(SEVERAL)))
def test_no_second_member(coding):
    """A body in br or deflate has one member."""
    coded = encode(coding, b"a")
    with pytest.raises(DecodeError):
        decoded(coding, [coded, coded])
    with pytest.raises(DecodeError):
        decoded(coding, [coded + coded])


@settings(max_examples=300)
@given(st.sampled_from(CODINGS), st.lists(st.binary(max_size=200), max_size=5), st.booleans())
def test_any_bytes(coding, pieces, begun):
    """Any bytes, also behind the begin of a member, decode or raise DecodeError."""
    if begun:
        pieces = [encode(coding, TEXT)[:20], *pieces]
    try:
        decoded(coding, pieces)
    except DecodeError:
        return


@codings
def test_output_is_bounded(coding):
    """Reading 1 KB of a bomb of 64 MB makes no more than the limit, or what brotli makes at least (its issue 1396)."""
    decoder = MAKERS[coding]()
    coded = bomb(coding, 64 << 20)
    decoder.feed(coded)
    tracemalloc.start()
    try:
        piece = decoder.read(1024)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 1024 <= len(piece) <= 32_768
    assert not decoder.needs_input
    assert peak < 200_000


@codings
def test_exact_limit(coding):
    """Output that ends exactly at the limit is told from output that goes on (can_accept_more_data is of no help)."""
    for size in (1, 1000, 32_752, 65_536, 98_272, 100_000):
        coded = encode(coding, bytes(size))
        for limit in (size - 1, size, size + 1):
            assert decoded(coding, [coded], max(limit, 1)) == (bytes(size), True)


def test_pending_brotli_output():
    """After the limit was hit brotli says that it takes more while output is pending: it is read out nevertheless."""
    decoder = MAKERS["br"]()
    decoder.feed(encode("br", bytes(100_000)))
    assert len(decoder.read(65_536)) == 98_272
    assert not decoder.needs_input
    assert decoder.read(65_536) == bytes(100_000 - 98_272)
    assert decoder.needs_input
    assert decoder.is_complete


def test_zstd_skippable_frames():
    """Skippable frames (RFC 8878 3.1.2) before, between and behind frames decode to nothing."""
    skip = struct.pack("<II", 0x184D2A50, 4) + b"\0\1\2\3"
    coded = skip + encode("zstd", b"a") + skip + skip + encode("zstd", b"b") + skip
    assert decoded("zstd", [coded]) == (b"ab", True)
    assert decoded("zstd", [bytes([byte]) for byte in coded]) == (b"ab", True)
    assert decoded("zstd", [coded[:-1]]) == (b"ab", False)


@pytest.mark.parametrize(("window_log", "is_fine"), [(22, True), (23, True), (24, False), (27, False)])
def test_zstd_window(window_log, is_fine):
    """A window of 8 MB passes, a larger one does not (RFC 9659 3)."""
    coder = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: window_log})
    coded = coder.compress(TEXT, zstd.ZstdCompressor.FLUSH_BLOCK) + coder.flush()
    if is_fine:
        assert decoded("zstd", [coded]) == (TEXT, True)
    else:
        with pytest.raises(DecodeError):
            decoded("zstd", [coded])


def test_zstd_dictionary():
    """A frame that needs a dictionary is an error: the coding has none (RFC 8878 7.2)."""
    dictionary = zstd.train_dict([b"sample %d of something" % n for n in range(1000)], 1000)
    with pytest.raises(DecodeError):
        decoded("zstd", [zstd.compress(TEXT, zstd_dict=dictionary)])


@several
def test_many_members_at_once(coding):
    """One read begins 32 members at most, as each takes time though it decodes to nothing."""
    decoder = MAKERS[coding]()
    decoder.feed(encode(coding, b"") * 40)
    assert decoder.read(1024) == b""
    assert not decoder.needs_input
    assert decoder.read(1024) == b""
    assert decoder.needs_input
    assert decoder.is_complete


@several
def test_too_many_small_members(coding):
    """Ten thousand members that decode to nothing are enough: more would cost the server more than the client."""
    empty = encode(coding, b"")
    assert decoded(coding, [empty * 10_001]) == (b"", True)
    with pytest.raises(DecodeError, match="too many small members"):
        decoded(coding, [empty * 10_002])


def test_many_large_members():
    """Members of 1 KiB or more are not limited in number."""
    member = encode("gzip", bytes(1024))
    body, complete = decoded("gzip", [member * 12_000], 1 << 20)
    assert (len(body), complete) == (12_000 * 1024, True)


def raw(data):
    """What the zlib format wraps."""
    return encode("deflate", data)[2:-4]


@given(bodies, st.lists(st.integers(0, 1 << 16), max_size=8), st.integers(100, 70_000), st.integers(0, 9))
def test_deflate_without_wrapper(body, cuts, limit, level):
    """The zlib format without its wrapper, which some senders leave out, is decoded, too (RFC 9110 8.4.1.2, note)."""
    coder = zlib.compressobj(level, zlib.DEFLATED, -15)
    coded = coder.compress(body) + coder.flush()
    assert decoded("deflate", [b"", *cut(coded, cuts)], limit) == (body, True)


def test_damaged_deflate_without_wrapper():
    """Without the wrapper, too, a proper prefix is incomplete, and what follows the end is an error."""
    coded = raw(TEXT)
    for length in range(len(coded)):
        part, complete = decoded("deflate", [coded[:length]])
        assert TEXT.startswith(part)
        assert not complete
    for behind in (b"\0", coded, encode("deflate", TEXT)[-4:]):
        with pytest.raises(DecodeError, match="data after the end"):
            decoded("deflate", [coded + behind])
    with pytest.raises(DecodeError):
        decoded("deflate", [encode("deflate", TEXT)[2:]])
