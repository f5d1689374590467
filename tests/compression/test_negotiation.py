"""The choice of a coding by Accept-Encoding."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middlewares.compression.negotiation import Choice, negotiate

OFFERS = (b"zstd", b"br", b"gzip")


@pytest.mark.parametrize(
    ("accept", "coding", "is_forced"),
    [
        pytest.param(b"", None, False, id="empty"),
        pytest.param(b"gzip", b"gzip", False, id="one"),
        pytest.param(b"gzip, deflate, br, zstd", b"zstd", False, id="a browser's"),
        pytest.param(b"gzip, br", b"br", False, id="ties by the server's order"),
        pytest.param(b"gzip;q=1.0, br;q=0.9, zstd;q=0.8", b"gzip", False, id="the best weight wins"),
        pytest.param(b"GZIP", b"gzip", False, id="case"),
        pytest.param(b"x-gzip", b"gzip", False, id="x-gzip"),
        pytest.param(b"gzip;q=0", None, False, id="refused"),
        pytest.param(b"gzip;q=0.000", None, False, id="refused with three digits"),
        pytest.param(b"gzip;q=0.001", b"gzip", False, id="the least weight"),
        pytest.param(b"gzip;q=0, *", b"zstd", False, id="star stands for what is not named"),
        pytest.param(b"*;q=0.5, gzip;q=0.7", b"gzip", False, id="named beats star"),
        pytest.param(b"*;q=0, gzip", b"gzip", True, id="star refuses plain content"),
        pytest.param(b"*;q=0", None, True, id="nothing at all"),
        pytest.param(b"*;q=0, identity", None, False, id="plain only"),
        pytest.param(b"identity", None, False, id="identity"),
        pytest.param(b"identity;q=0", None, True, id="plain refused, and nothing else asked for"),
        pytest.param(b"identity;q=0, gzip;q=0.1", b"gzip", True, id="plain refused"),
        pytest.param(b"identity;q=0, deflate", None, True, id="plain refused, and nothing that we have"),
        pytest.param(b"identity;q=1, gzip;q=0.5", None, False, id="plain preferred"),
        pytest.param(b"identity;q=0.5, gzip;q=0.5", b"gzip", False, id="plain no better"),
        pytest.param(b"identity;q=0.5, gzip;q=0.6", b"gzip", False, id="plain worse"),
        pytest.param(b"*, gzip;q=0.5, br;q=0.5, zstd;q=0.5", None, False, id="plain preferred by star"),
        pytest.param(b"deflate, compress", None, False, id="unknown"),
        pytest.param(b"gzip;q=2", None, False, id="no qvalue"),
        pytest.param(b"gzip;q=0.5555", None, False, id="too many digits"),
        pytest.param(b"gzip;q=abc, br", b"br", False, id="a bad weight refuses its own coding alone"),
        pytest.param(b"gzip;q=", None, False, id="empty weight"),
        pytest.param(b"gzip ; q=0.5 ,\tbr;q=0.4", b"gzip", False, id="space"),
        pytest.param(b",, ,gzip,", b"gzip", False, id="empty members"),
        pytest.param(b"xgzip, gzipped, not-gzip", None, False, id="no substrings"),
        pytest.param(b"gzip, gzip;q=0", None, False, id="of two the lesser"),
        pytest.param(b"\xff\x00;;=,gzip", b"gzip", False, id="garbage beside"),
    ],
)
def test_choice(accept, coding, is_forced):
    """The coding is the best that the client accepts, by its weights, then by the server's order (RFC 9110 12.5.3)."""
    choice = negotiate(accept, OFFERS)
    assert (coding, is_forced) == (choice.coding, choice.is_forced)


def test_the_server_s_order():
    """Among equals the first on offer wins, whatever the client names first."""
    assert b"gzip" == negotiate(b"zstd, br, gzip", (b"gzip", b"zstd")).coding


@pytest.mark.parametrize(
    ("accept", "takes"),
    [
        (b"gzip, deflate, br, zstd, dcb, dcz", True),
        (b"gzip, br, zstd", False),
        (b"dcz;q=0, zstd", False),
        (b"dcz;q=0.5, zstd", False),
        (b"dcz, zstd;q=0.5", True),
        (b"dcz;q=0.5, identity;q=0.8", False),
        (b"dcz", True),
        (b"gzip;q=0, dcz", True),
        (b"*", True),
    ],
)
def test_dictionary(accept, takes):
    """`dcz` is taken where it is at least as welcome as all else (RFC 9842 6.1)."""
    assert takes == negotiate(accept, OFFERS).takes_dictionary


qvalues = st.integers(0, 1000).map(lambda thousandths: f"{thousandths / 1000:.3f}".encode())
members = st.tuples(st.sampled_from([b"zstd", b"br", b"gzip", b"identity", b"*", b"deflate"]), qvalues)


@given(st.lists(members, unique_by=lambda member: member[0]))
def test_weights(given_members):
    """What is chosen is acceptable and nothing better is on offer, for any weights (RFC 9110 12.5.3)."""
    weights = {name: float(q) for name, q in given_members}
    accept = b", ".join(name + b";q=" + q for name, q in given_members)

    def weight(name):
        return weights.get(name, weights.get(b"*", 0.0))

    plain = weights.get(b"identity", weights.get(b"*", 0.0005))  # unnamed it is acceptable, and the last resort
    choice = negotiate(accept, OFFERS)
    if choice.coding is None:
        assert all(weight(name) == 0 or weight(name) < plain for name in OFFERS)
    else:
        assert weight(choice.coding) > 0
        assert all(weight(choice.coding) >= weight(name) for name in OFFERS)
        assert weight(choice.coding) >= plain or b"identity" not in weights
    assert choice.is_forced is (plain == 0)


@given(st.binary(max_size=80))
def test_any_bytes(accept):
    """No bytes raise; the answer is one of the codings on offer, or plain content."""
    choice = negotiate(accept, OFFERS)
    assert isinstance(choice, Choice)
    assert choice.coding in (None, *OFFERS)
