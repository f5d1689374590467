"""Lookups and edits over header pairs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middlewares._http.headers import edit_start, pairs, request_values
from middlewares.testing import http_scope, run

HEADERS = st.lists(st.tuples(st.binary(max_size=8), st.binary(max_size=8)))


def test_request_values_in_order() -> None:
    """All lines of a field are found, in order, and no other field's (RFC 9110 5.3)."""
    scope = http_scope(headers=[(b"a", b"1"), (b"b", b"2"), (b"a", b"3")])
    assert [b"1", b"3"] == request_values(scope, b"a")
    assert [] == request_values(scope, b"c")


@pytest.mark.parametrize(
    "given_headers",
    [
        pytest.param([(b"A", b"1"), (b"b", b"2")], id="list of tuples"),
        pytest.param(((b"A", b"1"), (b"b", b"2")), id="tuple"),
        pytest.param([[b"A", b"1"], [b"b", b"2"]], id="lists as pairs"),
        pytest.param(iter([(b"A", b"1"), (b"b", b"2")]), id="iterator"),
        pytest.param([(bytearray(b"A"), memoryview(b"1")), (b"b", bytearray(b"2"))], id="bytes-like"),
        pytest.param([(b"A", b"1"), (b"b", bytearray(b"2"))], id="one value bytes-like"),
    ],
)
def test_pairs_are_exact(given_headers: object) -> None:
    """Whatever an application gives becomes a fresh list of 2-tuples of bytes: granian and daphne take nothing else."""
    fresh = pairs(given_headers)  # type: ignore[arg-type]
    assert [(b"A", b"1"), (b"b", b"2")] == fresh
    assert fresh is not given_headers
    assert {list, tuple, bytes} == {type(fresh)} | {type(pair) for pair in fresh} | {
        type(x) for pair in fresh for x in pair
    }


def test_pairs_of_nothing() -> None:
    """Headers may be missing from a message (ASGI HTTP, "Response Start": optional)."""
    assert [] == pairs(None)


@given(HEADERS)
def test_pairs_change_nothing(headers: list[tuple[bytes, bytes]]) -> None:
    """Exact headers come out equal, in a list that is not the application's."""
    assert headers == pairs(headers)
    assert headers == pairs(tuple(headers))
    assert pairs(headers) is not headers


def test_edit_start_leaves_the_application_s_objects_alone() -> None:
    """A shared start message, as Falcon sends it, is the same after two requests; other messages pass as they are."""
    headers = [(b"a", b"1")]
    start = {"type": "http.response.start", "status": 200, "headers": headers}
    body = {"type": "http.response.body", "body": b"x"}
    hint = {"type": "http.response.early_hint", "links": []}

    async def app(scope, receive, send):
        for message in (hint, start, body):
            await send(message)

    async def edited(scope, receive, send):
        await app(scope, receive, edit_start(send, lambda found: [*found, (b"b", b"2")]))

    for _ in range(2):
        sent = run(edited, http_scope())
        assert [
            hint,
            {"type": "http.response.start", "status": 200, "headers": [(b"a", b"1"), (b"b", b"2")]},
            body,
        ] == sent
        assert sent[0] is hint
        assert sent[2] is body
    assert {"type": "http.response.start", "status": 200, "headers": [(b"a", b"1")]} == start
    assert start["headers"] is headers


def test_edit_start_gives_exact_types() -> None:
    """A changed message goes out as a plain dict with headers, though the application sent a subclass without any."""

    class Start(dict):
        pass

    async def app(scope, receive, send):
        await edit_start(send, lambda found: found)(Start(type="http.response.start", status=204))

    [start] = run(app, http_scope())
    assert {"type": "http.response.start", "status": 204, "headers": []} == start
    assert type(start) is dict


@pytest.mark.parametrize("pair", [(b"content-length", 5), ("a", b"1"), (b"a", "1"), (None, b"1")])
def test_pairs_of_other_types(pair: object) -> None:
    """What is no bytes is a TypeError, and never a value that somebody made up."""
    with pytest.raises(TypeError):
        pairs([pair])
