"""The one maker of our own answers: exact messages, the form by Accept, and texts that nobody foresaw."""

import json
import re
import types
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middlewares._http.problem import problem
from middlewares.testing import http_scope, websocket_scope

JSON, HTML, TEXT = b"application/problem+json", b"text/html; charset=utf-8", b"text/plain; charset=utf-8"

TEXTS = st.text(st.characters(exclude_categories=()), max_size=40) | st.sampled_from(
    ["</pre><script>alert(1)</script>", "\ud800", '"}{"', "\x1b[2J", "\x00", "a\nb\tc", "{0}{heading}%s"]
)


def answer(accept=None, status=500, *args, method="GET", state=None, **more):
    """Content type and body of a problem."""
    headers = [] if accept is None else [(b"accept", accept)]
    start, body = problem(http_scope(method, headers=headers, state=state), status, *args, **more)
    return dict(start["headers"])[b"content-type"], body["body"]


def test_exact_messages():
    """RFC 9457 3: a problem as JSON without `type` (about:blank); not cached, not sniffed, and made by Accept."""
    assert problem(http_scope(), 500) == (
        {
            "type": "http.response.start",
            "status": 500,
            "headers": [
                (b"content-type", b"application/problem+json"),
                (b"content-length", b"49"),
                (b"cache-control", b"no-store"),
                (b"x-content-type-options", b"nosniff"),
                (b"vary", b"Accept"),
            ],
        },
        {
            "type": "http.response.body",
            "body": b'{"title": "Internal Server Error", "status": 500}',
            "more_body": False,
        },
    )


def test_denial_of_a_handshake():
    """With the prefix of the extension, the same messages deny a WebSocket handshake."""
    start, body = problem(websocket_scope(), 403, "Not from here.", prefix="websocket.http")
    assert start["type"] == "websocket.http.response.start"
    assert body == {
        "type": "websocket.http.response.body",
        "body": b'{"title": "Forbidden", "status": 403, "detail": "Not from here."}',
        "more_body": False,
    }


def test_all_members():
    """RFC 9457 3.1 and 3.2: what is given becomes a member, request id and traceback as extension members."""
    form, body = answer(
        None, 413, "Send less.", title="Too much", state={"request_id": "r-1"}, traceback="Traceback: ..."
    )
    assert form == JSON
    assert json.loads(body) == {
        "title": "Too much",
        "status": 413,
        "detail": "Send less.",
        "request_id": "r-1",
        "traceback": "Traceback: ...",
    }


def test_text():
    """Plain text says the same in paragraphs."""
    form, body = answer(b"text/plain", 413, "Send less.", state={"request_id": "r-1"}, traceback="Traceback:\n  ...\n")
    assert form == TEXT
    assert body == b"413 Content Too Large\n\nSend less.\n\nRequest ID: r-1\n\nTraceback:\n  ...\n"


def test_text_of_nothing_but_the_status():
    """Without anything to say, plain text is one line."""
    assert answer(b"text/plain") == (TEXT, b"500 Internal Server Error\n")


def test_page():
    """The HTML page is whole, of both colour schemes, and says the same."""
    form, body = answer(b"text/html", 413, "Send less.", state={"request_id": "r-1"}, traceback="Traceback:\n  ...\n")
    page = body.decode()
    assert form == HTML
    assert page.startswith("<!doctype html>\n")
    assert '<meta name="color-scheme" content="light dark">' in page
    assert "<title>413 Content Too Large</title>" in page
    assert page.endswith(
        "<body>\n<h1>413 Content Too Large</h1>\n<p>Send less.</p>\n<p>Request ID: <code>r-1</code></p>\n"
        "<pre>Traceback:\n  ...\n</pre>\n</body>\n</html>\n"
    )


def test_page_of_nothing_but_the_status():
    """Without anything to say, the page has its heading only, and asks for no other resource."""
    page = answer(b"text/html")[1].decode()
    assert page.endswith("<body>\n<h1>500 Internal Server Error</h1>\n</body>\n</html>\n")
    assert not re.search(r"src|href|url\(|@import|//", page)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, JSON),
        (b"", JSON),
        (b"*/*", JSON),
        (b"application/problem+json", JSON),
        (b"application/json", JSON),
        (b"application/json;q=0.5, application/problem+json;q=0, text/html;q=0.4", JSON),
        (b"application/json; charset=utf-8, text/html;q=0.9", JSON),
        (b"application/*, text/*;q=0.9", JSON),
        (b"application/json, text/plain, */*", JSON),
        (b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", HTML),
        (b"text/html", HTML),
        (b"text/html;charset=utf-8", HTML),
        (b"text/*", HTML),
        (b"text/html, text/plain;q=0.9", HTML),
        (b"text/html;q=0.4, text/plain", TEXT),
        (b'text/plain; charset="UTF-8"', TEXT),
        (b"text/plain, application/json;q=0.9", TEXT),
        (b"image/png", JSON),
        (b"*/*;q=0", JSON),
        (b"\xff\x00;;=\"'", JSON),
    ],
)
def test_form_by_accept(accept, expected):
    """JSON unless Accept prefers a page or text; RFC 9457 3 answers application/json with a problem, too."""
    assert answer(accept)[0] == expected


def test_several_accept_lines():
    """RFC 9110 5.3: several lines are one list."""
    scope = http_scope(headers=[(b"accept", b"application/json;q=0.1"), (b"accept", b"text/plain;q=0.2")])
    assert problem(scope, 500)[0]["headers"][0] == (b"content-type", TEXT)


@pytest.mark.parametrize("accept", [b"application/json", b"text/html", b"text/plain"])
def test_head(accept):
    """RFC 9110 9.3.2: HEAD gets the headers of GET, content-length included, and no content."""
    headers = [(b"accept", accept)]
    start, body = problem(http_scope("GET", headers=headers), 500, "Why.")
    assert problem(http_scope("HEAD", headers=headers), 500, "Why.") == (start, {**body, "body": b""})
    assert len(body["body"]) > 30


def test_further_headers_follow():
    """Headers of the caller stand behind ours, and are not written to."""
    headers = [(b"retry-after", b"1")]
    start, _ = problem(http_scope(), 503, headers=headers)
    assert start["headers"][4:] == [(b"retry-after", b"1"), (b"vary", b"Accept")]
    assert headers == [(b"retry-after", b"1")]


def test_vary_of_the_caller_is_merged():
    """RFC 9110 12.5.5: the answer depends on Accept and on what the caller names, in one field."""
    start, _ = problem(http_scope(), 403, headers=iter([(b"vary", b"Origin")]))
    assert start["headers"][4:] == [(b"vary", b"Origin, Accept")]


@pytest.mark.parametrize(
    ("status", "phrase"),
    [
        (400, "Bad Request"),
        (404, "Not Found"),
        (413, "Content Too Large"),
        (414, "URI Too Long"),
        (415, "Unsupported Media Type"),
        (416, "Range Not Satisfiable"),
        (422, "Unprocessable Content"),
        (503, "Service Unavailable"),
        (599, "Error"),
    ],
)
def test_phrases(status, phrase):
    """RFC 9457 4.2.1: the title is the phrase of the status, as RFC 9110 15 has it, on every Python."""
    assert json.loads(answer(status=status)[1]) == {"title": phrase, "status": status}


def test_status_of_an_enumeration():
    """A status given as `HTTPStatus` is a number in the answer."""
    start, body = problem(http_scope(), HTTPStatus.BAD_GATEWAY)
    assert (start["status"], type(start["status"])) == (502, int)
    assert json.loads(body["body"]) == {"title": "Bad Gateway", "status": 502}


@pytest.mark.parametrize(
    "state",
    [None, {}, [], "request_id", 7, types.SimpleNamespace(request_id="r"), {"request_id": None}, {"request_id": 5},
     {"request_id": b"r"}],
    ids=repr,
)  # fmt: skip
def test_states_without_a_request_id(state):
    """A state that is no mapping, or has no text as id, adds nothing."""
    assert json.loads(answer(state=state)[1]) == {"title": "Internal Server Error", "status": 500}


def test_scope_without_state():
    """Daphne's scopes have no state."""
    scope = http_scope()
    del scope["state"]
    assert problem(scope, 500) == problem(http_scope(), 500)


def test_state_of_any_mapping():
    """A state is read as a mapping, whatever its type."""
    state = types.MappingProxyType({"request_id": "r-1"})
    assert json.loads(answer(state=state)[1])["request_id"] == "r-1"


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_any_text_as_json(title, detail, request_id, traceback):
    """Any text, lone surrogates too, comes out as ASCII JSON that says the same (RFC 8259 8.2)."""
    _, body = answer(None, 500, detail, title=title, state={"request_id": request_id}, traceback=traceback)
    members = json.loads(body.decode("ascii"))
    given_ = {"title": title, "detail": detail, "request_id": request_id, "traceback": traceback}
    for name, text in given_.items():
        assert members[name] == text.encode("utf-8", "backslashreplace").decode()
        members[name].encode()


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_any_text_as_page(title, detail, request_id, traceback):
    """Nothing in the texts becomes markup: the page has exactly its own tags, and no control character."""
    _, body = answer(b"text/html", 500, detail, title=title, state={"request_id": request_id}, traceback=traceback)
    page = body.decode()
    own = answer(b"text/html", 500, "", title="", state={"request_id": ""}, traceback="")[1].decode()
    assert re.findall("<[^>]*>", page) == re.findall("<[^>]*>", own)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", page)
    assert re.findall(r"&(?!amp;|lt;|gt;|quot;|#x27;)", page) == []


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_any_text_as_text(title, detail, request_id, traceback):
    """Plain text is UTF-8 without control characters, which terminals would obey."""
    _, body = answer(b"text/plain", 500, detail, title=title, state={"request_id": request_id}, traceback=traceback)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", body.decode())


@given(TEXTS, st.sampled_from([b"application/json", b"text/html", b"text/plain"]))
def test_content_length_is_the_length(detail, accept):
    """RFC 9110 8.6: content-length counts the bytes of the body, whatever the texts are."""
    start, body = problem(http_scope(headers=[(b"accept", accept)]), 500, detail)
    assert dict(start["headers"])[b"content-length"] == b"%d" % len(body["body"])


def test_controls_are_written_out():
    """Escapes for terminals and lone surrogates are shown, line feeds and tabs kept."""
    body = answer(b"text/plain", 500, "a\x1b[2J\x9b\r\n\tb\ud800é")[1]
    assert body == "500 Internal Server Error\n\na\\x1b[2J\\x9b\\x0d\n\tb\\ud800é\n".encode()
