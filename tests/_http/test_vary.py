"""The Vary field."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from middlewares._http.vary import Varied, add_vary


@pytest.mark.parametrize(
    ("before", "names", "after"),
    [
        pytest.param([], [b"Origin"], [(b"vary", b"Origin")], id="none"),
        pytest.param([], [b"A", b"B"], [(b"vary", b"A, B")], id="none, two names"),
        pytest.param([(b"Vary", b"Accept")], [b"Origin"], [(b"Vary", b"Accept, Origin")], id="merged"),
        pytest.param(
            [(b"vary", b"accept,ORIGIN")], [b"Origin"], [(b"vary", b"accept,ORIGIN")], id="there in another case"
        ),
        pytest.param([(b"vary", b"*")], [b"Origin"], [(b"vary", b"*")], id="star"),
        pytest.param(
            [(b"vary", b"a, *"), (b"vary", b"b")],
            [b"Origin"],
            [(b"vary", b"a, *"), (b"vary", b"b")],
            id="star in a list",
        ),
        pytest.param(
            [(b"vary", b"Origin"), (b"x", b"y"), (b"vary", b"b")],
            [b"Origin", b"c"],
            [(b"vary", b"Origin"), (b"x", b"y"), (b"vary", b"b, c")],
            id="several lines",
        ),
        pytest.param([(b"vary", b" , ")], [b"Origin"], [(b"vary", b"Origin")], id="empty"),
        pytest.param([(b"vary", b"a, ")], [b"Origin"], [(b"vary", b"a, Origin")], id="empty member at the end"),
    ],
)
def test_add_vary(before: list, names: list, after: list) -> None:
    """Names are merged into the last line, never twice, never beside a star (RFC 9110 12.5.5)."""
    add_vary(before, *names)
    assert after == before


@given(
    st.lists(st.tuples(st.sampled_from([b"vary", b"Vary", b"x"]), st.binary(max_size=20))),
    st.sampled_from([b"Origin", b"accept-encoding"]),
)
def test_add_vary_twice_is_once(headers: list, name: bytes) -> None:
    """Any header bytes: nothing else changes, the name is listed or a star is, and a second call changes nothing."""
    others = [pair for pair in headers if pair[0].lower() != b"vary"]
    add_vary(headers, name)
    once = list(headers)
    add_vary(headers, name)
    assert once == headers
    assert others == [pair for pair in headers if pair[0].lower() != b"vary"]
    listed = {
        member.strip(b" \t").lower() for key, value in headers if key.lower() == b"vary" for member in value.split(b",")
    }
    assert b"*" in listed or name.lower() in listed


@given(st.binary(max_size=20), st.sampled_from([(b"Origin",), (b"Accept-Encoding", b"Available-Dictionary")]))
def test_varied_is_add_vary(value: bytes, names: tuple) -> None:
    """One line is looked up as it would be merged, the first time and again."""
    headers = [(b"vary", value)]
    add_vary(headers, *names)
    varied = Varied(*names)
    assert [(b"vary", varied[value])] == [(b"vary", varied[value])] == headers


@given(
    st.lists(st.tuples(st.sampled_from([b"vary", b"Vary", b"x"]), st.binary(max_size=20)), max_size=4),
    st.sampled_from([(b"Origin",), (b"Accept-Encoding", b"Available-Dictionary")]),
)
@example([(b"Vary", b"Cookie")], (b"Origin",))
@example([(b"vary", b"Cookie"), (b"vary", b"b")], (b"Origin",))
def test_varied_adds_as_add_vary(headers: list, names: tuple) -> None:
    """Of no line, one and several, in any case: what `add_vary` makes of them, the first time and again."""
    expected = [*headers]
    add_vary(expected, *names)
    varied = Varied(*names)
    for _ in range(2):
        added = [*headers]
        varied.add_to(added)
        assert expected == added


def test_varied_keeps_little() -> None:
    """An application that makes ever new lines fills no memory."""
    varied = Varied(b"Origin")
    for number in range(1000):
        assert varied[b"x-%d" % number] == b"x-%d, Origin" % number
        assert len(varied) <= 256
