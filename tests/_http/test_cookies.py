"""Cookies of a request, and the lines that set one."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from middlewares._http.cookies import SetCookie, cookie_values


def values(*lines: bytes, name: bytes = b"session", longest: int = 100) -> list[bytes]:
    return cookie_values([(b"host", b"a"), *[(b"cookie", line) for line in lines]], name, longest)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param([], [], id="no line"),
        pytest.param([b""], [], id="empty line"),
        pytest.param([b"session=a"], [b"a"], id="alone"),
        pytest.param([b"session="], [b""], id="empty value"),
        pytest.param([b"x=1; session=a; y=2"], [b"a"], id="between others"),
        pytest.param([b"session=a;session=b; session=c"], [b"a", b"b", b"c"], id="several, in order"),
        pytest.param([b"session=a", b"x=1", b"session=b"], [b"a", b"b"], id="several lines (RFC 9113 8.2.3)"),
        pytest.param([b"mysession=a; session2=b; xsession=c"], [], id="names that hold the name"),
        pytest.param([b"x=session=a"], [], id="the name in a value"),
        pytest.param([b"Session=a; SESSION=b"], [], id="names have case"),
        pytest.param([b"session=a=b=="], [b"a=b=="], id="equals signs in the value"),
        pytest.param([b'session="a"'], [b"a"], id="quotes are taken off"),
        pytest.param([b'session="; session=""; session="a'], [b'"', b"", b'"a'], id="odd quotes"),
        pytest.param([b"\t session=a \t; x"], [b"a"], id="white space around"),
        pytest.param([b"session"], [], id="no equals sign"),
        pytest.param([b"session=\xff\x00\r"], [b"\xff\x00\r"], id="any bytes"),
        pytest.param([b";;; ;session=a;"], [b"a"], id="empty members"),
    ],
)
def test_values(lines, expected) -> None:
    """Every cookie of that very name is found, over all lines, as bytes (RFC 6265bis 5.8.3 is what browsers send)."""
    assert expected == values(*lines)


def test_longest() -> None:
    """Values of more than the given bytes are left out, and hide no other."""
    assert [b"a" * 100, b"b"] == values(b"session=" + b"a" * 101, b"session=" + b"a" * 100 + b"; session=b")


def test_other_headers() -> None:
    """Only Cookie lines count."""
    assert [] == cookie_values([(b"x-cookie", b"session=a"), (b"set-cookie", b"session=b")], b"session", 9)


@given(st.lists(st.binary()), st.sampled_from([b"a", b"session", b"__Host-s"]))
@example([b'session="'], b"session")
def test_any_bytes(lines, name) -> None:
    """Whatever the bytes are, nothing is raised, and each value stands in a line behind the name."""
    for value in values(*lines, name=name):
        assert any(name + b"=" + value in line or name + b'="' + value + b'"' in line for line in lines)


@given(st.lists(st.sampled_from([b"a", b"", b"x.y_z-"]), max_size=5))
def test_what_is_sent_comes_back(sent) -> None:
    """Cookies of one name arrive, in one line as in several."""
    assert sent == values(b"; ".join([b"session=" + value for value in sent]))
    assert sent == values(*[b"session=" + value for value in sent])


def cookie(**keywords) -> SetCookie:
    defaults = {"path": "/", "domain": None, "secure": False, "same_site": "Lax", "partitioned": False}
    return SetCookie("session", **{**defaults, **keywords})


@pytest.mark.parametrize(
    ("keywords", "attributes"),
    [
        ({}, b"HttpOnly; SameSite=Lax"),
        ({"secure": True, "same_site": "None"}, b"HttpOnly; SameSite=None; Secure"),
        ({"domain": "app.example"}, b"HttpOnly; SameSite=Lax; Domain=app.example"),
        ({"secure": True, "partitioned": True}, b"HttpOnly; SameSite=Lax; Secure; Partitioned"),
    ],
    ids=["plain", "secure", "domain", "partitioned"],
)
def test_lines(keywords, attributes) -> None:
    """The line that removes a cookie has the attributes of the one that sets it, and an age of 0 (RFC 6265bis 5.6, 5.7)."""
    made = cookie(**keywords)
    assert (b"set-cookie", b"session=v; Path=/; Max-Age=60; " + attributes) == made.line(b"v", 60)
    assert (b"set-cookie", b"session=v; Path=/; " + attributes) == made.line(b"v", None)
    removal = b"session=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; " + attributes
    assert (b"set-cookie", removal) == made.removal


def test_percent_signs() -> None:
    """A path may hold percent signs."""
    assert b"session=v; Path=/a%20b%d; Max-Age=1; HttpOnly; SameSite=Lax" == cookie(path="/a%20b%d").line(b"v", 1)[1]


def test_size() -> None:
    """What browsers count is name and value (RFC 6265bis 5.6)."""
    assert 10 == cookie().size(b"abc")
