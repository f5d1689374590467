"""Accept and weighted lists: tables from RFC 9110, and properties over any bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middlewares._http.accept import preferred, quality, weighted

JSON, HTML, TEXT = b"application/json", b"text/html", b"text/plain"
OFFERS = (JSON, HTML, TEXT)

FIELD = st.lists(
    st.sampled_from(
        [
            b"text",
            b"html",
            b"/",
            b"*",
            b",",
            b";",
            b"=",
            b"q",
            b"q=",
            b"0.5",
            b"1",
            b'"',
            b"\\",
            b" ",
            b"\t",
            b"\xff",
            b"a",
        ]
    )
).map(b"".join)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"1", 1000),
        (b"1.", 1000),
        (b"1.000", 1000),
        (b"0", 0),
        (b"0.", 0),
        (b"0.000", 0),
        (b"0.5", 500),
        (b"0.05", 50),
        (b"0.001", 1),
        (b"0.999", 999),
    ],
)
def test_quality_of_the_grammar(value, expected):
    """RFC 9110 12.4.2: 0 to 1 with at most three digits, in thousandths."""
    assert quality(value) == expected


@pytest.mark.parametrize(
    "value",
    [b"", b"1.001", b"1.0000", b"0.1234", b"2", b"-0.5", b"+1", b".5", b"00", b"0,5", b"1e0", b"0x1", b"nan", b" 1", b"1\n", b'"1"',
     b"\xb2", b"\xd9\xa1"],
)  # fmt: skip
def test_quality_that_does_not_parse_is_zero(value):
    """A weight that does not fit RFC 9110 12.4.2 says "not acceptable"."""
    assert quality(value) == 0


@given(st.integers(0, 1000), st.integers(0, 3))
def test_every_quality_is_read_as_written(thousandths, digits):
    """Every number of the grammar, with as few or as many digits as it allows, is read exactly."""
    text = b"%d.%03d" % divmod(thousandths, 1000)
    shortest = text.rstrip(b"0").rstrip(b".") if thousandths % 1000 else text[:1]
    assert quality(text) == quality(shortest) == thousandths
    assert quality(text[: 2 + digits]) == int(text[0:1]) * 1000 + int(text[2 : 2 + digits].ljust(3, b"0"))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([b"gzip;q=0.8, br , zstd;q=1.0"], [(b"gzip", [], 800), (b"br", [], 1000), (b"zstd", [], 1000)]),
        ([b"gzip", b"identity;q=0"], [(b"gzip", [], 1000), (b"identity", [], 0)]),
        ([b",, gzip,\t,"], [(b"gzip", [], 1000)]),
        ([b"GZip ;\tQ=0.5"], [(b"gzip", [], 500)]),
        ([b"a/b;Charset=UTF-8;q=0.3"], [(b"a/b", [(b"charset", b"utf-8")], 300)]),
        ([b"a/b;q=0.3;level=1"], [(b"a/b", [(b"level", b"1")], 300)]),
        ([b"a/b;;level=1; ;"], [(b"a/b", [(b"level", b"1")], 1000)]),
        ([b"a/b;q"], [(b"a/b", [], 0)]),
        ([b"a/b;q=x, c/d"], [(b"a/b", [], 0), (b"c/d", [], 1000)]),
        ([b"a/b;q=1;q=1"], [(b"a/b", [], 0)]),
        ([b'a/b;q="1"'], [(b"a/b", [], 0)]),
        ([b'a/b;x=",;q=0";q=0.5, c/d'], [(b"a/b", [(b"x", b",;q=0")], 500), (b"c/d", [], 1000)]),
        ([rb'a/b;x="say \"hi\\\"";q=0.1'], [(b"a/b", [(b"x", rb'say "hi\"')], 100)]),
        ([b'a/b;x=""'], [(b"a/b", [(b"x", b"")], 1000)]),
        ([b'a/b;x="open, c/d', b"e/f"], [(b"e/f", [], 1000)]),
        ([b'a/b;x="open\\'], []),
        ([b'a/b;x="\x00"'], []),
        ([b'a/b;x="1"2, c/d'], [(b"c/d", [], 1000)]),
        ([b"a/b;x, a/b;=1, a/b;x =1, a/b;x= 1, a/b;x=, c/d"], [(b"c/d", [], 1000)]),
        ([b';x="1", ;q=1, ,"'], [(b'"', [], 1000)]),
        ([b""], []),
        ([], []),
    ],
    ids=[
        "weights", "lines", "empty members", "case and space", "parameter", "q before parameter", "empty parameters", "q without value",
        "q unreadable", "q twice", "q quoted", "borders in quotes", "quoted pairs", "empty quotes", "open quote ends its line",
        "open quote and backslash", "control in quotes", "text behind quotes", "malformed parameters", "no item", "empty line", "no line",
    ],
)  # fmt: skip
def test_weighted(lines, expected):
    """Weighted lists (RFC 9110 12.4.2, 5.6.1.2, 5.6.4, 5.6.6): items, parameters, weights; what is malformed is left out."""
    assert list(weighted(lines)) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], JSON),
        ([b""], JSON),
        ([b"*/*"], JSON),
        ([b"text/*"], HTML),
        ([b"text/plain"], TEXT),
        ([b"text/html, application/json"], JSON),
        ([b"text/html, application/json;q=0.9"], HTML),
        ([b"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"], HTML),
        ([b"application/json, text/plain, */*"], JSON),
        ([b"text/plain;q=0.5", b"text/html;q=0.4"], TEXT),
        ([b"*/*;q=0.5, text/*;q=0.7, text/html;q=0.1"], TEXT),
        ([b"*/*, application/json;q=0"], HTML),
        ([b"text/html;q=0.2, text/html;q=0.8, text/plain;q=0.5"], HTML),
        ([b"text/html;level=1, text/plain;q=0.1"], TEXT),
        ([b"text/html;level=1"], None),
        ([b"image/png"], None),
        ([b"*/*;q=0"], None),
        ([b"text/html;q=nonsense"], None),
        ([b"TEXT/HTML"], HTML),
        ([b"*"], JSON),
        ([b"*/html, text/plain;q=0.1"], TEXT),
        ([b"te xt/html, /html, text/, text, text/html/x, text/plain;q=0.1"], TEXT),
        ([b"text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"], HTML),
    ],
    ids=[
        "no Accept", "empty", "anything", "any text", "exact", "equal weights: ours", "weights", "Chrome", "axios", "lines",
        "most specific", "all but", "highest of the same", "parameter we lack", "only a parameter we lack", "unacceptable",
        "nothing acceptable", "unreadable weight", "case", "bare star", "star as type", "no media types", "Java",
    ],
)  # fmt: skip
def test_preferred(lines, expected):
    """RFC 9110 12.5.1: the most specific range decides on each offer, then the weight, then the server's order."""
    assert preferred(lines, OFFERS) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"text/html;level=1", b"text/html; level=1"),
        (b"text/html;level=2", b"text/html;level=2"),
        (b"text/html", b"text/html;level=2"),
        (b"text/html;level=1;q=0.3, text/html;q=0.7, */*;q=0.5", b"text/html;level=2"),
        (b"text/html;level=1, text/html;q=0.7, text/html;level=2;q=0.4, */*;q=0.5", b"text/html; level=1"),
        (b'text/html;LEVEL="1"', b"text/html; level=1"),
        (b"text/html;level=1;charset=utf-8", None),
    ],
    ids=["one", "two", "any", "less specific is better", "RFC 9110 12.5.1", "quoted", "too specific"],
)
def test_offers_with_parameters(line, expected):
    """A range holds an offer that has all of its parameters; the more of them, the more specific it is."""
    assert preferred([line], (b"text/html;level=2", b"text/html; level=1")) == expected


@given(st.lists(st.binary() | FIELD, max_size=3))
def test_any_bytes_give_an_offer_or_none(lines):
    """No bytes in Accept raise, and the answer is one of the offers, or None."""
    assert preferred(lines, OFFERS) in (*OFFERS, None)
    for item, parameters, weight in weighted(lines):
        assert item == item.strip(b" \t").lower()
        assert 0 <= weight <= 1000
        assert all(name and name != b"q" for name, _ in parameters)


TOKEN = st.text("abcxyz09!#$%&'*+-.^_`|~", min_size=1, max_size=5).map(str.encode)
QUOTED = st.text('ab,;=\\" \t\xe9', max_size=8).map(lambda text: text.encode("latin-1"))
MEMBER = st.tuples(
    TOKEN,
    st.lists(st.tuples(TOKEN.filter(lambda name: name != b"q"), st.tuples(TOKEN, st.none()) | st.tuples(st.none(), QUOTED)), max_size=2),
    st.integers(0, 1000),
)  # fmt: skip


@given(st.lists(st.lists(MEMBER, max_size=3), max_size=3), st.sampled_from([b",", b" , ", b",,\t"]))
def test_what_is_written_is_read(lines, comma):
    """A list that was written by the grammar is read as what was meant, quotes and empty members included."""

    def written(member):
        item, parameters, weight = member
        text = item
        for name, (token, quoted) in parameters:
            value = token if quoted is None else b'"' + quoted.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
            text += b" ; " + name + b"=" + value
        return text + b";q=%d.%03d" % divmod(weight, 1000)

    meant = [
        (item, [(name, (token or b"") if quoted is None else quoted) for name, (token, quoted) in parameters], weight)
        for line in lines
        for item, parameters, weight in line
    ]
    assert list(weighted([comma.join(map(written, line)) for line in lines])) == meant


@pytest.mark.parametrize(
    "piece",
    [b",", b";", b'"', b"\\", b'"\\', b'",', b'a;b="', b"a/b,", b"text/html;q=0.5,", b"a/b;q=", b' "a" ', b";a=b", b"=", b'a;a="\\"'],
    ids=repr,
)  # fmt: skip
def test_half_a_megabyte_is_read(piece):
    """500 KB of whatever shape are read at once: were the time not linear, this test would never end."""
    assert preferred([piece * (500_000 // len(piece)), b"text/plain"], OFFERS) in (HTML, TEXT)
