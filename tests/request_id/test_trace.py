"""W3C Trace Context, level 2: https://www.w3.org/TR/trace-context-2/."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from middlewares.request_id.trace import Trace, carried_tracestate, continued_trace, new_trace

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
VALID = f"00-{TRACE}-{PARENT}-01".encode()
OURS = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[0-3]").fullmatch
# The grammar of the specification, written by itself.
MEMBER = re.compile(
    r"[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
).fullmatch


@pytest.mark.parametrize(
    ("value", "flags"),
    [
        pytest.param(VALID, "01", id="sampled"),
        pytest.param(VALID[:-2] + b"00", "00", id="not sampled"),
        pytest.param(VALID[:-2] + b"02", "02", id="random"),
        pytest.param(VALID[:-2] + b"03", "03", id="both"),
        pytest.param(VALID[:-2] + b"ff", "03", id="unknown flags are sent as 0"),
        pytest.param(VALID[:-2] + b"fc", "00", id="unknown flags only"),
        pytest.param(b"cc" + VALID[2:], "01", id="later version"),
        pytest.param(b"01" + VALID[2:-2] + b"09", "01", id="later version, unknown flag"),
        pytest.param(b"cc" + VALID[2:] + b"-what-the-future-will-be-like", "01", id="later version, more"),
        pytest.param(b"fe" + VALID[2:] + b"-", "01", id="later version, a dash"),
        pytest.param(b"cc" + VALID[2:] + b"-" + b"x" * 456, "01", id="512 characters"),
        pytest.param(b" \t" + VALID + b"\t ", "01", id="outer whitespace"),
    ],
)
def test_continued(value, flags) -> None:
    """A valid traceparent gives its trace-id, and of its flags the two that are known ("traceparent Header")."""
    assert Trace(TRACE, flags) == continued_trace([value], [])


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([], id="none"),
        pytest.param([VALID, VALID], id="two"),
        pytest.param([VALID.replace(b"0a", b"0b"), VALID], id="two different"),
        pytest.param([b""], id="empty"),
        pytest.param([VALID + b"\n"], id="line feed at the end"),
        pytest.param([VALID + b"\r"], id="carriage return at the end"),
        pytest.param([b"cc" + VALID[2:] + b"-\n"], id="later version, line feed"),
        pytest.param([VALID + b"-"], id="version 00, a dash"),
        pytest.param([VALID + b"-more"], id="version 00, more"),
        pytest.param([VALID + b"."], id="version 00, a dot"),
        pytest.param([b"cc" + VALID[2:] + b".more"], id="later version, more without dash"),
        pytest.param([b"cc" + VALID[2:] + b"0"], id="later version, long flags"),
        pytest.param([b"cc" + VALID[2:] + b"-" + b"x" * 457], id="513 characters"),
        pytest.param([b"cc" + VALID[2:] + b"-" + b"x" * 500_000], id="absurd length"),
        pytest.param([b"cc" + VALID[2:] + b"-\xc3\xa4"], id="not ASCII"),
        pytest.param([b"ff" + VALID[2:]], id="version ff"),
        pytest.param([b"0" + VALID], id="long version"),
        pytest.param([VALID[1:]], id="short version"),
        pytest.param([b".0" + VALID[2:]], id="version no hex"),
        pytest.param([f"00-{'0' * 32}-{PARENT}-01".encode()], id="trace-id of zeros"),
        pytest.param([f"00-{TRACE}-{'0' * 16}-01".encode()], id="parent-id of zeros"),
        pytest.param([f"00-{TRACE.upper()}-{PARENT}-01".encode()], id="upper case trace-id"),
        pytest.param([f"00-{TRACE}-{PARENT.upper()}-01".encode()], id="upper case parent-id"),
        pytest.param([f"00-{TRACE}-{PARENT}-0A".encode()], id="upper case flags"),
        pytest.param([f"00-{TRACE}0-{PARENT}-01".encode()], id="long trace-id"),
        pytest.param([f"00-{TRACE[1:]}-{PARENT}-01".encode()], id="short trace-id"),
        pytest.param([f"00-{TRACE}-{PARENT}0-01".encode()], id="long parent-id"),
        pytest.param([f"00-{TRACE}-{PARENT[1:]}-01".encode()], id="short parent-id"),
        pytest.param([f"00-{TRACE}-{PARENT}-1".encode()], id="short flags"),
        pytest.param([f"00_{TRACE}_{PARENT}_01".encode()], id="underscores"),
        pytest.param([f"00-{TRACE}-{PARENT}".encode()], id="no flags"),
        pytest.param([f"00-{TRACE[:-1]}٣-{PARENT}-01".encode()], id="digit of another script"),
    ],
)
def test_not_continued(values) -> None:
    """What is not exactly one valid traceparent begins a new trace, without the tracestate."""
    assert continued_trace(values, [b"congo=1"]) is None


def test_new_trace() -> None:
    """A new trace has a random trace-id, says so in its flags, is not sampled, and has no tracestate."""
    a, b = new_trace(), new_trace()
    assert ("02", "") == a[1:] == b[1:]
    assert a.trace_id != b.trace_id
    assert OURS(a.traceparent())


def test_headers_of_outgoing_calls() -> None:
    """Each call has the trace-id and the flags, a parent-id of its own, and the tracestate if there is one."""
    first, second = (Trace(TRACE, "03", "congo=1").headers() for _ in range(2))
    assert f"00-{TRACE}-" == first["traceparent"][:36] == second["traceparent"][:36]
    assert "-03" == first["traceparent"][-3:]
    assert first["traceparent"][36:52] not in (second["traceparent"][36:52], PARENT)
    assert "congo=1" == first["tracestate"]
    assert ["traceparent"] == list(Trace(TRACE, "03").headers())


M32 = [b"bar%02d=%02d" % (n, n) for n in range(1, 33)]
LARGE = b"large=" + b"x" * 123  # 129 characters
FULL = b"k=" + b"x" * 126  # 128 characters


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param([], b"", id="none"),
        pytest.param([b""], b"", id="empty"),
        pytest.param([b" , \t,,"], b"", id="empty members"),
        pytest.param([b"foo=1"], b"foo=1", id="one"),
        pytest.param(
            [b"foo=1,bar=2", b"rojo=1,congo=2", b"baz=3"], b"foo=1,bar=2,rojo=1,congo=2,baz=3", id="lines in order"
        ),
        pytest.param([b"foo=1 \t , \t bar=2, \t baz=3"], b"foo=1,bar=2,baz=3", id="whitespace"),
        pytest.param([b"foo=1", b"", b",bar=2,"], b"foo=1,bar=2", id="empty line and members"),
        pytest.param([b"foo=  1"], b"foo=  1", id="space at the begin of a value"),
        pytest.param([b"foo=1,foo=2"], b"foo=1,foo=2", id="a key twice"),
        pytest.param(
            [b"0@*/_-z=" + bytes(set(range(0x20, 0x7F)) - {0x2C, 0x3D})],
            b"0@*/_-z=" + bytes(set(range(0x20, 0x7F)) - {0x2C, 0x3D}),
            id="all characters",
        ),
        pytest.param([b",".join(M32)], b",".join(M32), id="32 members"),
        pytest.param([b",,".join(M32) + b","], b",".join(M32), id="32 members and empty ones"),
        pytest.param([b",".join(M32), b"z=1"], b"", id="33 members"),
        pytest.param([b"z" * 256 + b"=1"], b"z" * 256 + b"=1", id="key of 256"),
        pytest.param([b"z" * 257 + b"=1"], b"", id="key of 257"),
        pytest.param([b"z=" + b"1" * 256], b"z=" + b"1" * 256, id="value of 256"),
        pytest.param([b"z=" + b"1" * 257], b"", id="value of 257"),
        pytest.param([b"foo=1,foo"], b"", id="no value"),
        pytest.param([b"foo=,bar=3"], b"", id="empty value"),
        pytest.param([b"foo=bar=baz"], b"", id="two equals signs"),
        pytest.param([b"=1"], b"", id="no key"),
        pytest.param([b"foo =1"], b"", id="space in the key"),
        pytest.param([b"FOO=1"], b"", id="upper case key"),
        pytest.param([b"foo.bar=1"], b"", id="dot in the key"),
        pytest.param([b"@foo=1,bar=2"], b"", id="key that begins with @"),
        pytest.param([b"foo=a\tb"], b"", id="tab in a value"),
        pytest.param([b"foo=a\n"], b"", id="line feed"),
        pytest.param([b"foo=\xe4"], b"", id="not ASCII"),
        pytest.param(
            [b",".join([FULL] * 3 + [b"k=" + b"x" * 123])],
            b",".join([FULL] * 3 + [b"k=" + b"x" * 123]),
            id="512 characters",
        ),
        pytest.param([b",".join([FULL] * 3 + [b"k=" + b"x" * 124])], b",".join([FULL] * 3), id="513 characters"),
        pytest.param([b",".join([FULL] * 5)], b",".join([FULL] * 3), id="cut from the end"),
        pytest.param([b",".join([LARGE, *[FULL] * 3, b"a=1"])], b",".join([*[FULL] * 3, b"a=1"]), id="large first"),
        pytest.param(
            [b",".join([LARGE, FULL, LARGE, FULL, b"a=1"])],
            b",".join([LARGE, FULL, FULL, b"a=1"]),
            id="no more than needed",
        ),
        pytest.param(
            [b",".join([LARGE, FULL, FULL, FULL, FULL])], b",".join([FULL] * 3), id="large, then from the end"
        ),
        pytest.param([b",".join([LARGE] * 4)], b",".join([LARGE] * 3), id="large ones from the end"),
    ],
)
def test_tracestate(lines, expected) -> None:
    """Members stay in order; invalid or too many drop all, too long a field loses whole members ("tracestate Header")."""
    assert expected.decode() == carried_tracestate(lines)


@pytest.mark.parametrize(
    "line",
    [b"," * 500_000, b" " * 500_000, b"a=1," * 125_000, b"a=" + b"1" * 500_000, b"a" * 500_000],
    ids=["commas", "spaces", "members", "value", "key"],
)
def test_long_tracestate(line) -> None:
    """500 KB are read in one go and dropped."""
    assert "" == carried_tracestate([line])


HOSTILE = st.one_of(
    st.binary(max_size=80),
    st.from_regex(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?", fullmatch=True),
    st.builds(lambda at, byte: VALID[:at] + byte + VALID[at + 1 :], st.integers(0, 54), st.binary(max_size=2)),
)
STATES = st.lists(
    st.one_of(st.binary(max_size=60), st.from_regex(rb"[a-z]{1,3}=[ -~]{0,200}", fullmatch=True)), max_size=40
)


@given(st.lists(HOSTILE, max_size=2), st.lists(STATES.map(b",".join), max_size=3))
@example([VALID], [b"a=1"])
def test_whatever_comes(values, lines) -> None:
    """Any bytes give a trace of valid headers, or none."""
    trace = continued_trace(values, lines)
    if trace is not None:
        assert trace.trace_id.encode() in values[0]
        headers = trace.headers()
        assert OURS(headers["traceparent"])
        state = headers.get("tracestate", "a=1")
        assert len(state) <= 512
        assert len(state.split(",")) <= 32
        assert all(MEMBER(member) for member in state.split(","))
