"""Entity tags of coded responses, out and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middlewares.compression.etags import kept_apart, repeated, suffixed, translated

SUFFIXES = [b"-gzip", b"-br", b"-zstd", b"-dcz-0123456789abcdef"]


@pytest.mark.parametrize(
    ("tag", "coded"),
    [(b'"v1"', b'"v1-gzip"'), (b'W/"v1"', b'W/"v1-gzip"'), (b'""', b'"-gzip"'), (b"v1", b"v1-gzip"), (b"", b"-gzip")],
)
def test_suffixed(tag, coded):
    """The suffix stands inside of the quotes; a tag without them, against the grammar, has it at its end."""
    assert coded == suffixed(tag, b"-gzip")


@pytest.mark.parametrize(("tag", "coded"), [(b'"v1"', b'W/"v1-br"'), (b'W/"v1"', b'W/"v1-br"')])
def test_weak(tag, coded):
    """Where no two bodies are alike the tag is weak (RFC 9110 8.8.1)."""
    assert coded == suffixed(tag, b"-br", weak=True)


@pytest.mark.parametrize(
    ("field", "plain"),
    [
        (b'"v1-gzip"', b'"v1"'),
        (b'W/"v1-br"', b'W/"v1"'),
        (b'"a-gzip", W/"b-zstd" , "c"', b'"a", W/"b" , "c"'),
        (b'"v1-dcz-0123456789abcdef"', b'"v1"'),
        (b'"v1-dcz-0123"', b'"v1-dcz-0123"'),
        (b'"v1-gzip-br"', b'"v1-gzip"'),
        (b'"v1-gzip-identity"', b'"v1-gzip"'),
        (b'"v1-identity"', b'"v1-identity"'),
        (b'"-gzip"', b'""'),
        (b'"a-gzip,b"', b'"a-gzip,b"'),
        (b'"a-gzip-b"', b'"a-gzip-b"'),
        (b"*", b"*"),
        (b"v1-gzip", b"v1"),
        (b"", b""),
    ],
)
def test_translated(field, plain):
    """Each member of a list loses the suffix of ours that it ends with (issue express #45)."""
    assert plain == translated(field)


def test_translated_to_strong_tags():
    """Weak tags of ours become strong again, others stay weak: If-Match compares strongly (RFC 9110 13.1.1)."""
    assert b'"a", W/"b", "c"' == translated(b'W/"a-gzip", W/"b", "c-br"', weak=True)


opaque = st.lists(
    st.sampled_from([b"v", b"-", b"gzip", b"-gzip", b"-br", b"-identity", b"-dcz-0123456789abcdef", b","])
)
tags = st.builds(lambda weak, parts: (b"W/" if weak else b"") + b'"' + b"".join(parts) + b'"', st.booleans(), opaque)


@given(tags, st.sampled_from(SUFFIXES))
def test_tags_come_back(tag, suffix):
    """Whatever the application calls its tags, coded and plain ones differ, and both come back as what they were."""
    coded, plain = suffixed(tag, suffix), kept_apart(tag)
    assert coded != plain
    assert tag == translated(coded) == translated(plain)
    assert b", ".join([tag, tag, tag]) == translated(b", ".join([coded, plain, coded]))


@given(st.binary(max_size=60))
def test_any_bytes(field):
    """No bytes raise, and what has no suffix of ours stays."""
    assert isinstance(translated(field, weak=True), bytes)
    if not any(suffix[:4] in field for suffix in SUFFIXES):
        assert field == translated(field)


@pytest.mark.parametrize(
    ("tag", "field", "expected"),
    [
        pytest.param(b'"v1"', b'"v1-gzip"', b'"v1-gzip"', id="the coded one"),
        pytest.param(b'"v1"', b'"v1-br", "v1-gzip"', b'"v1-gzip"', id="the one of now"),
        pytest.param(b'"v1"', b'"v1-br"', b'"v1-br"', id="of another coding"),
        pytest.param(b'"v1"', b'"v1"', b'"v1"', id="the plain one"),
        pytest.param(b'"v1"', b'"v1-br", "v1"', b'"v1"', id="the plain one before another coding"),
        pytest.param(b'"v1"', b'"v2-gzip"', b'"v1"', id="none of them"),
        pytest.param(b'"v1"', b"*", b'"v1"', id="star"),
        pytest.param(b'"v1"', b'W/"v1-gzip"', b'W/"v1-gzip"', id="weakened on the way"),
        pytest.param(b'W/"v1"', b'W/"v1-gzip"', b'W/"v1-gzip"', id="weak"),
        pytest.param(b'"v1-gzip"', b'"v1-gzip-identity"', b'"v1-gzip-identity"', id="kept apart"),
        pytest.param(b'"v1-gzip"', b'"v1-gzip"', b'"v1-gzip-identity"', id="not ours, as a client may have it"),
        pytest.param(b'"v1"', b'"v1-br","v1-gzip"', b'"v1-gzip"', id="of several, the one of now"),
        pytest.param(b"v1", b"v1-gzip", b"v1-gzip", id="alone and without quotes"),
        pytest.param(b'"v1"', b"", b'"v1-gzip"', id="asked by date alone"),
    ],
)
def test_repeated(tag, field, expected):
    """A 304 has the tag that the client holds (RFC 9110 15.4.5)."""
    assert expected == repeated(tag, field, b"-gzip")


def test_repeated_where_plain_content_is_preferred():
    """Asked by date alone, a client that would get plain content gets the plain tag."""
    assert repeated(b'"v1"', b"", b"") == b'"v1"'
    assert repeated(b'"v1-gzip"', b"", b"") == b'"v1-gzip-identity"'


@given(st.from_regex(rb'(W/)?"v[12](-gzip|-br)?(-identity)?"', fullmatch=True), st.sampled_from([b"", b"-gzip"]))
def test_repeated_one(field, suffix):
    """A client that holds one tag gets the answer that it gets beside a tag of no meaning."""
    for tag in (b'"v1"', b'W/"v1"', b'"v1-gzip"', b'"v1-br-identity"'):
        assert repeated(tag, field, suffix) == repeated(tag, field + b', "z"', suffix)
