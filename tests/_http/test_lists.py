"""Tokens and lists."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middlewares._http.lists import is_token, members


@pytest.mark.parametrize("token", [b"GET", b"x-a", b"!#$%&'*+-.^_`|~09Az"])
def test_tokens(token: bytes) -> None:
    """All characters of RFC 9110 5.6.2 make tokens."""
    assert is_token(token)


@pytest.mark.parametrize("text", [b"", b" ", b"a b", b"a:", b"a,b", b"a\n", b"\xe9", b"a\x00", b'"a"', b"(a)", b"a/b"])
def test_no_tokens(text: bytes) -> None:
    """Empty text, delimiters, control and non-ASCII characters are none, nor is a token with a line end behind it."""
    assert not is_token(text)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([], [], id="none"),
        pytest.param([b""], [], id="empty"),
        pytest.param([b"a,b"], [b"a", b"b"], id="no space"),
        pytest.param([b" a ,\tb\t"], [b"a", b"b"], id="optional white space"),
        pytest.param([b",a,,b,"], [b"a", b"b"], id="empty members"),
        pytest.param([b"a", b"b, c"], [b"a", b"b", b"c"], id="two lines"),
    ],
)
def test_members(values: list, expected: list) -> None:
    """Lines are joined and empty members ignored (RFC 9110 5.3, 5.6.1.2)."""
    assert expected == members(values)


@given(st.lists(st.binary(max_size=30)))
def test_members_of_any_bytes(values: list) -> None:
    """Members hold no comma and no white space around them, and lines can be joined by commas first."""
    found = members(values)
    assert all(member and b"," not in member and member == member.strip(b" \t") for member in found)
    assert found == members([b",".join(values)])
