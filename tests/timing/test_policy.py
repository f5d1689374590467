"""What stands in the header: the grammar of Server-Timing, repaired names, sums, and the limit in bytes."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from middlewares.timing.policy import TimingPolicy, entry_names, quoted
from middlewares.timing.spans import _seconds

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
ENTRY = rb"%s(?:;dur=[0-9]+(?:\.[0-9]+)?)?(?:;desc=\"(?:[ !\x23-\x5b\x5d-\x7e]|\\[\"\\])*\")?" % TOKEN
FIELD = re.compile(rb"%s(?:, %s)*" % (ENTRY, ENTRY))


def policy(**keywords):
    defaults = {"header": "Server-Timing", "metric": "app", "precision": 1, "timing_allow_origin": None}
    return TimingPolicy(**{**defaults, **keywords})


def at_start(ns, spans=(), headers=(), **keywords):
    found = policy(**keywords)
    name, value = found.joined(found.at_start(ns), spans, headers)
    assert name == b"server-timing"
    return value


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], b"app;dur=12.3"),
        ([("db", 0.005, None)], b"app;dur=12.3, db;dur=5.0"),
        ([("db", 0.005, "SELECT 1")], b'app;dur=12.3, db;dur=5.0;desc="SELECT 1"'),
        ([("cache", None, "hit")], b'app;dur=12.3, cache;desc="hit"'),
        (
            [("db", 0.001, None), ("tpl", 0.002, None), ("db", 0.003, "x")],
            b'app;dur=12.3, db;dur=4.0;desc="x", tpl;dur=2.0',
        ),
        ([("a", None, "1"), ("a", 0.002, "2"), ("a", None, "3")], b'app;dur=12.3, a;dur=2.0;desc="1"'),
        ([("my db", 0.0, None), ("", None, None), ("é\r\n;", None, None)], b"app;dur=12.3, my_db;dur=0.0, _, ____"),
        ([("x", None, 'a"b\\c\r\n\x7fé')], b'app;dur=12.3, x;desc="a\\"b\\\\c   ?"'),
    ],
    ids=["none", "one", "desc", "no-dur", "sum", "sum-none", "repaired", "quoted"],
)
def test_at_start(spans, expected):
    """Our entry comes first, then each name once, as tokens and quoted-strings (W3C Server Timing; RFC 9110 5.6)."""
    assert at_start(12_340_000, spans) == expected


@pytest.mark.parametrize(("precision", "expected"), [(0, b"1"), (3, b"1.235"), (6, b"1.234567"), (9, b"1.234567000")])
def test_precision(precision, expected):
    """`precision` is the number of digits after the point of milliseconds; the clock has nanoseconds."""
    assert at_start(1_234_567, precision=precision) == b"app;dur=" + expected


@pytest.mark.parametrize(
    ("ns", "expected"),
    [(0, b"0.0"), (49_999, b"0.0"), (50_000, b"0.1"), (99_999_999, b"100.0"), (3_600_000_050_000, b"3600000.1")],
)
def test_rounding(ns, expected):
    """The time is rounded, as that of spans is: the whole is never shown as shorter than its part."""
    assert at_start(ns) == b"app;dur=" + expected
    assert at_start(ns, precision=1, spans=[("a", ns / 1e9, None)]).endswith(b"dur=" + expected)


def test_kept_fields():
    """The fields of fast responses are made once; those of slow ones are not kept, so that memory does not grow."""
    found = policy()
    assert found.at_start(1_000_000) is found.at_start(1_000_001)
    for seconds in range(2000):
        found.at_start(seconds * 10**9)
    assert len(found.fields) == 2


def test_traceparent_entry():
    """The trace stands behind our entry, as a description."""
    found = policy()
    field = found.joined(found.traced(found.at_start(0), "00-ab"), [("a", None, None)])
    assert field == (b"server-timing", b'app;dur=0.0, traceparent;desc="00-ab", a')


def test_percent_in_metric():
    """A percent sign, which a token may hold, is one in the name."""
    assert at_start(0, metric="100%s") == b"100%s;dur=0.0"


def test_at_end():
    """The trailers have the entry `total`, and the late spans."""
    expected = b"total;dur=1500.0, late;dur=250.0"
    assert policy().at_end(1.5, [("late", 0.25, None)]) == (b"server-timing", expected)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.text(max_size=300), st.floats(), st.none() | st.text(max_size=400)), max_size=60),
    st.integers(0, 9000) | st.integers(7800, 8000),
)
def test_any_spans(spans, taken):
    """Whatever spans are called: grammar, ASCII, under 8000 bytes, no nan and no inf, each name once."""
    timed = [(name, _seconds(duration), desc) for name, duration, desc in spans]
    value = at_start(1_000_000, timed, [(b"Server-Timing", b"x" * taken), (b"a", b"b" * 9000)])
    assert FIELD.fullmatch(value)
    assert len(value) + taken + 2 < 8000 or value == b"app;dur=1.0"
    entries = re.findall(ENTRY, value)
    assert b", ".join(entries) == value
    shown = [entry.partition(b";")[0] for entry in entries[1:]]
    names = list(dict.fromkeys(entry_names[name] for name, _, _ in timed))
    assert shown == [name for name in names if name in shown]
    if len(value) + taken < 7000:  # no entry is longer than 1000 bytes
        assert shown == names


@pytest.mark.parametrize(("taken", "count"), [(0, 29), (4000, 14), (7900, 0), (9000, 0)])
def test_limit(taken, count):
    """Entries for which no room is left are left out whole, long ones first met; what the application says counts."""
    long = [(f"s{number:02}", 0.001, "d" * 250) for number in range(60)]
    value = at_start(0, [*long, ("tiny", None, None)], [(b"server-timing", b"x" * taken)])
    entries = value.split(b", ")
    assert [entry[:3] for entry in entries[1 : count + 1]] == [b"s%02d" % number for number in range(count)]
    assert entries[count + 1 :] == ([b"tiny"] if taken < 9000 else [])
    assert len(value) + taken + 2 < 8000 or taken == 9000


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        (None, None), (0, 0.0), (1.5, 1.5), (-1, None), (float("nan"), None), (float("inf"), None),
        (10**400, None), ("x", None), (1e300, None),
    ],
)  # fmt: skip
def test_seconds(duration, expected):
    """What no clock can show is an entry without a duration: browsers take nan and inf for garbage."""
    assert _seconds(duration) == expected


def test_negative_zero():
    """-0.0 has no sign in the header."""
    assert at_start(0, [("a", _seconds(-0.0), None)]) == b"app;dur=0.0, a;dur=0.0"


def test_long_names():
    """Long names and descriptions are cut."""
    assert entry_names["n" * 1000] == b"n" * 100
    assert quoted("d" * 1000) == b'"' + b"d" * 250 + b'"'


def test_kept_names():
    """Names that are made up for each request do not fill the memory."""
    for number in range(3000):
        assert entry_names[f"a {number}"] == b"a_%d" % number
    assert len(entry_names) <= 1000
    assert entry_names["a" * 101] == b"a" * 100
    assert "a" * 101 not in entry_names


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"metric": "my app"}, ValueError, "metric must be a token"),
        ({"metric": ""}, ValueError, "metric must be a token"),
        ({"metric": "app\n"}, ValueError, "metric must be a token"),
        ({"metric": None}, TypeError, "metric must be a str"),
        ({"metric": "m" * 101}, ValueError, "at most 100"),
        ({"header": "Server Timing"}, ValueError, "header must be a token"),
        ({"header": b"x"}, TypeError, "header must be a str"),
        ({"precision": 10}, ValueError, "precision must be 0 to 9"),
        ({"precision": -1}, ValueError, "precision must be 0 to 9"),
        ({"precision": True}, TypeError, "precision must be a whole"),
        ({"timing_allow_origin": 1}, TypeError, "timing_allow_origin must be"),
        ({"timing_allow_origin": [b"x"]}, TypeError, "timing_allow_origin must hold"),
        ({"timing_allow_origin": []}, ValueError, "empty list"),
        ({"timing_allow_origin": "a, b"}, ValueError, "must hold origins"),
        ({"timing_allow_origin": [""]}, ValueError, "must hold origins"),
        ({"timing_allow_origin": "https://a.example/"}, ValueError, "without a slash at the end"),
        ({"timing_allow_origin": "https://A.example"}, ValueError, "in lower case"),
        ({"timing_allow_origin": "https://é.example"}, ValueError, "must hold origins"),
        ({"timing_allow_origin": "https://a.example\r\nx: y"}, ValueError, "must hold origins"),
        ({"timing_allow_origin": "https://*.a.example"}, ValueError, "without a slash at the end, patterns"),
        ({"timing_allow_origin": "http://localhost:*"}, ValueError, "without a slash at the end, patterns"),
        ({"timing_allow_origin": "https://a.example:443"}, ValueError, "the scheme's own port"),
        ({"timing_allow_origin": "http://a.example:80"}, ValueError, "the scheme's own port"),
        ({"timing_allow_origin": "https://a.example:"}, ValueError, "must hold origins"),
        ({"timing_allow_origin": "https://a.example:08"}, ValueError, "must hold origins"),
        ({"timing_allow_origin": "https://a.example:65536"}, ValueError, "must hold origins"),
        ({"timing_allow_origin": "https://[::1"}, ValueError, "must hold origins"),
        ({"timing_allow_origin": "https://::1"}, ValueError, "must hold origins"),
        ({"timing_allow_origin": "https://:8080"}, ValueError, "must hold origins"),
    ],
)
def test_bad_configuration(keywords, error, message):
    """What cannot work fails at construction, by name."""
    with pytest.raises(error, match=message):
        policy(**keywords)


def test_fields():
    """The name is in lower case, as HTTP/2 asks; several origins are one list."""
    found = policy(timing_allow_origin=["https://a.example", "https://b.example"])
    assert found.name == b"server-timing"
    assert found.allow_origin == (b"timing-allow-origin", b"https://a.example, https://b.example")
    assert policy(header=None).name == b""
    assert policy(timing_allow_origin="*").allow_origin == (b"timing-allow-origin", b"*")
    assert policy(timing_allow_origin=["null", "app://x:1"]).allow_origin[1] == b"null, app://x:1"
    unusual = ["https://[::1]", "http://[::1]:443", "http://localhost:65535", "https://a.example:80"]
    assert policy(timing_allow_origin=unusual).allow_origin[1] == ", ".join(unusual).encode()
