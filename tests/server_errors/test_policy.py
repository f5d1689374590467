"""What a handler may return, and how exceptions are shown."""

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middlewares.server_errors.policy import ServerErrorPolicy, handler_messages, traceback_text


def messages(answer, *, head=False, prefix="http"):
    return handler_messages(answer, head=head, prefix=prefix)


@pytest.mark.parametrize("debug", ["false", "", 0, 1, None])
def test_debug_is_a_bool(debug):
    """A text from the environment, `"false"` too, would be true and show tracebacks: refused when built."""
    with pytest.raises(TypeError, match=r"debug must be True or False \(got"):
        ServerErrorPolicy(debug=debug, handler=None)


@pytest.mark.parametrize("handler", ["handler", 0, False, {}])
def test_handler_is_a_callable(handler):
    """A handler that cannot be called is refused when built."""
    with pytest.raises(TypeError, match=r"handler must be a callable of \(scope, exc\), or None"):
        ServerErrorPolicy(debug=False, handler=handler)


def test_messages_of_a_handler():
    """The answer becomes two plain messages: names in lower case, and the length of the body."""
    assert messages((503, [(b"Content-Type", b"text/plain")], b"Sorry.")) == (
        {
            "type": "http.response.start",
            "status": 503,
            "headers": [(b"content-type", b"text/plain"), (b"content-length", b"6")],
        },
        {"type": "http.response.body", "body": b"Sorry.", "more_body": False},
    )


def test_messages_for_head():
    """RFC 9110 9.3.2: HEAD gets the headers of GET, content-length included, and no content."""
    start, body = messages((500, [], b"Sorry."))
    assert messages((500, [], b"Sorry."), head=True) == (start, {**body, "body": b""})


def test_messages_of_a_denial():
    """The prefix makes the messages that deny a handshake."""
    start, body = messages((500, [], b""), prefix="websocket.http")
    assert (start["type"], body["type"]) == ("websocket.http.response.start", "websocket.http.response.body")


@pytest.mark.parametrize(
    "headers",
    [
        [(b"a", b"1"), (b"b", b"2")],
        ((b"A", b"1"), [b"b", b" 2\t"]),
        iter([(b"a", b"1"), (b"B", b"2")]),
        [(b"a", b"1"), (b"Content-Length", b"99"), (b"transfer-encoding", b"chunked"), (b"b", b"2")],
    ],
    ids=["pairs", "tuple, list, space", "iterator", "framing"],
)
def test_headers_of_a_handler(headers):
    """Any iterable of pairs of bytes; how long the body is, is ours to say (RFC 9110 8.6, RFC 9112 6.1)."""
    start, _ = messages((500, headers, b""))
    assert start["headers"] == [(b"a", b"1"), (b"b", b"2"), (b"content-length", b"0")]
    assert [type(pair) for pair in start["headers"]] == [tuple] * 3


@pytest.mark.parametrize("answer", [[500, (), b""], iter([500, (), b""]), (HTTPStatus.INTERNAL_SERVER_ERROR, (), b"")])
def test_other_forms_of_an_answer(answer):
    """A list, an iterator, and a status by name are as good."""
    start, _ = messages(answer)
    assert (start["status"], type(start["status"])) == (500, int)


@pytest.mark.parametrize("status", [200, 303, 400, 404, 500, 599])
def test_statuses(status):
    """Any final status that has a body is the handler's to choose."""
    assert messages((status, [], b"x"))[0]["status"] == status


@pytest.mark.parametrize("status", [100, 199, 204, 205, 304, 600, 0, -1, 10**6, True])
def test_statuses_refused(status):
    """RFC 9110 15: what is not final, has no content, or does not exist is no answer."""
    with pytest.raises(ValueError, match="status from 200 to 599 that has a body"):
        messages((status, [], b""))


@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"",
        "no",
        500,
        (),
        (500, []),
        (500, [], b"", b""),
        ("500", [], b""),
        (500.0, [], b""),
        (None, [], b""),
        (500, [], "text"),
        (500, [], None),
        (500, [], bytearray(b"x")),
        (500, None, b""),
        (500, 5, b""),
        (500, "ab", b""),
        (500, [b"ab"], b""),
        (500, [("a", "b")], b""),
        (500, [(b"a", 1)], b""),
        (500, [(b"a",)], b""),
        (500, [(b"a", b"b", b"c")], b""),
        (500, [None], b""),
        (500, {b"ab": b"c"}, b""),
    ],
    ids=repr,
)
def test_answers_of_the_wrong_type(answer):
    """What is not (status, headers as pairs of bytes, body as bytes) is refused by type, never guessed at."""
    with pytest.raises(TypeError):
        messages(answer)


@pytest.mark.parametrize(
    "pair",
    [(b"", b"x"), (b"a b", b"x"), (b"a:", b"x"), (b"a\r\n", b"x"), (b"a", b"x\r\nset-cookie: y"), (b"a", b"\x00"), (b"a", b"\x7f")],
    ids=repr,
)  # fmt: skip
def test_headers_that_would_break_the_response(pair):
    """RFC 9110 5.1, 5.5: names are tokens, values have no control characters; a text of an exception may have."""
    with pytest.raises(ValueError):
        messages((500, [pair], b""))


def test_refusals_do_not_show_content():
    """What a handler returned may be a secret: its type is named, not its value."""
    with pytest.raises(TypeError, match=r"body as bytes \(got a str\)"):
        messages((500, [], "secret"))


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 700) | st.floats() | st.text(max_size=3) | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.binary(max_size=2), inner),
    max_leaves=8,
)  # fmt: skip


@given(JUNK | st.tuples(st.sampled_from([500, 204]), JUNK, st.binary(max_size=3)))
def test_any_answer_is_taken_or_refused(answer):
    """Whatever is returned: two messages with the right length, or TypeError, or ValueError."""
    try:
        start, body = messages(answer)
    except (TypeError, ValueError):
        return
    assert (b"content-length", b"%d" % len(body["body"])) in start["headers"]
    assert 200 <= start["status"] <= 599


def raised(make):
    """An exception with a traceback."""
    try:
        make()
    except Exception as error:
        return error
    raise AssertionError


def test_traceback_has_chains_notes_and_groups():
    """Causes, contexts, notes and the members of groups are shown, as Python prints them."""

    def make():
        cause = ValueError("the cause")
        cause.add_note("the note")
        group = ExceptionGroup("the group", [cause, OSError("the other")])
        raise RuntimeError("the last") from group

    text = traceback_text(raised(make))
    for part in ("the last", "the cause", "the note", "the group", "the other", "direct cause", "test_policy.py"):
        assert part in text


def test_traceback_has_the_context():
    """What was being handled is shown as well."""

    def make():
        try:
            {}["missing key"]
        except KeyError:
            raise RuntimeError("while handling")  # noqa: B904 - the implicit context is what is tested

    text = traceback_text(raised(make))
    assert "KeyError: 'missing key'" in text
    assert "During handling of the above exception" in text


def test_traceback_has_no_values_of_locals():
    """Values of locals and arguments may be secrets; only lines of code are shown."""

    def make():
        token = "hunter2".upper()
        raise ValueError(len(token))

    assert "HUNTER2" not in traceback_text(raised(make))


def test_text_that_raises():
    """An exception whose `str()` raises is shown without its text."""

    class BrokenError(Exception):
        def __str__(self):
            raise RuntimeError("no text")

        __repr__ = __str__

    text = traceback_text(raised(lambda: (_ for _ in ()).throw(BrokenError())))
    assert "BrokenError: <exception str() failed>" in text


def test_attributes_that_raise():
    """An exception whose traceback cannot be formatted is named at least."""

    class BrokenError(SyntaxError):
        @property
        def lineno(self):
            raise RuntimeError("no line")

        @property
        def __notes__(self):
            raise RuntimeError("no notes")

    assert "BrokenError" in traceback_text(BrokenError("wrong"))


def test_deeply_nested_groups():
    """A group in a group, ten thousand times, gives an answer as well."""
    error = ExceptionGroup("inner", [ValueError("core")])
    for _ in range(10_000):
        error = ExceptionGroup("outer", [error])
    assert "ExceptionGroup" in traceback_text(error)


def test_huge_tracebacks_are_bounded():
    """Of a huge traceback, the beginning and the end are shown, and how much is missing."""
    text = traceback_text(ValueError("a" * 100_000 + "b" * 100_000 + "the end"))
    assert len(text) < 66_000
    assert text.startswith("ValueError: aaa")
    assert text.endswith("bbbthe end\n")
    assert "\n[134484 characters left out]\n" in text


def test_recursion_is_bounded():
    """A recursion that never ended is one line that says how often it is repeated."""

    def make():
        make()

    assert "Previous line repeated" in traceback_text(raised(make))
    assert len(traceback_text(raised(make))) < 10_000
