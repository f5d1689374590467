"""The rules of ASGI, one row for each: what breaks it, whose fault it is, and that nothing legal does."""

from __future__ import annotations

import io
import pickle
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middlewares.testing import LintError, http_scope, lifespan_scope, websocket_scope
from middlewares.testing.protocol import machine

EXTENSIONS: dict[str, dict[str, Any]] = {
    f"http.response.{name}": {} for name in ("push", "early_hint", "trailers", "zerocopysend", "pathsend", "debug")
}
GONE = {"type": "http.disconnect"}
REQUEST = {"type": "http.request"}
START = {"type": "http.response.start", "status": 200}
END = {"type": "http.response.body"}
CONNECT = {"type": "websocket.connect"}
ACCEPT = {"type": "websocket.accept"}
CLOSE = {"type": "websocket.close"}
DENY = {"type": "websocket.http.response.start", "status": 403}
DENIED = {"type": "websocket.http.response.body"}
RETURN = object()


def all_extensions(**more: Any) -> Any:
    return http_scope(extensions=EXTENSIONS, **more)


def play(scope: Any, steps: list[Any]) -> None:
    """Feed messages: what the server gives in a tuple, what the application sends bare, `RETURN` at its end."""
    rules = machine(scope)
    assert rules is not None
    for step in steps:
        if step is RETURN:
            rules.returned()
        elif isinstance(step, tuple):
            rules.feed_received(step[0])
        else:
            rules.passed_on(rules.feed_sent(step))


def fails(fault: str, problem: str, rule: str, scope: Any, *steps: Any) -> None:
    """All steps but the last are legal; the last one breaks a rule."""
    if steps:
        play(scope, list(steps[:-1]))
    with pytest.raises(LintError) as caught:
        play(scope, list(steps))
    assert caught.value.fault == fault
    assert problem in caught.value.problem
    assert rule in caught.value.rule
    assert str(caught.value) == f"the {fault} broke a rule: {caught.value.problem}\n{caught.value.rule}"


# Scopes


def without(scope: Any, key: str) -> Any:
    return {name: value for name, value in scope.items() if name != key}


TLS = {"server_cert": None, "tls_version": 0x0304, "cipher_suite": None}


@pytest.mark.parametrize(
    "scope",
    [
        pytest.param(http_scope(), id="ours"),
        pytest.param(websocket_scope(), id="our websocket"),
        pytest.param(lifespan_scope(), id="our lifespan"),
        pytest.param(
            {
                "type": "http",
                "asgi": {"version": "3.0"},
                "http_version": "1.1",
                "method": "GET",
                "path": "/",
                "raw_path": b"/",
                "root_path": "",
                "scheme": "http",
                "query_string": b"",
                "headers": [(b"host", b"x")],
                "client": ["127.0.0.1", 5],
                "server": ["127.0.0.1", 80],
            },
            id="daphne",
        ),
        pytest.param(
            {
                "type": "websocket",
                "asgi": {"version": "3.0"},
                "path": "/",
                "raw_path": b"/",
                "root_path": "",
                "query_string": b"",
                "headers": [],
                "client": ["127.0.0.1", 5],
                "server": ["127.0.0.1", 80],
                "subprotocols": [],
            },
            id="daphne websocket",
        ),
        pytest.param(http_scope(client=("127.0.0.1", "5"), server=("127.0.0.1", "80")), id="granian's ports"),
        pytest.param(http_scope(client=None, server=("/run/app.sock", None)), id="unix socket"),
        pytest.param(http_scope(raw_path=None, extensions=None), id="none"),
        pytest.param(http_scope(http_version="3", own={"any": object()}), id="http 3, unknown keys"),
        pytest.param(http_scope(headers=((b"a", b" 1 "), [b"a", b""]), asgi={}), id="tuple of headers"),
        pytest.param({**http_scope(), "headers": iter([(b"A", b"")])}, id="iterator of headers"),
        pytest.param(http_scope(scheme="https", extensions={"tls": TLS}), id="tls"),
        pytest.param(without(without(http_scope(), "raw_path"), "state"), id="optional keys"),
        pytest.param(websocket_scope(query_string=None), id="websocket without query"),
    ],
)
def test_legal_scopes(scope):
    """What the specification allows, and what real servers give, passes."""
    assert machine(scope) is not None


@pytest.mark.parametrize(
    ("scope", "key", "value"),
    [
        pytest.param(scope, key, value, id=f"{scope['type']} {key} {value!r}"[:60])
        for scope, rows in [
            (
                http_scope(),
                [
                    ("http_version", ["1", 1.1, None]),
                    ("method", ["get", "", b"GET", None]),
                    ("scheme", ["", b"http", None]),
                    ("path", [b"/", None]),
                    ("raw_path", ["/"]),
                    ("query_string", ["", None, bytearray()]),
                    ("root_path", [b"", None]),
                    ("headers", [None, 5, b"a", "a", {b"a": b"1"}, [b"ab"], [(b"a",)], [("a", b"1")], [(b"a", "1")]]),
                    ("headers", [[(b"A", b"1")], [(b":path", b"/")], [(b"", b"")], [(b"a", b"1\n")], [(b"a b", b"1")]]),
                    ("headers", [[(bytearray(b"a"), b"1")], [(b"a", b"1", b"2")], [(b"a", b"\0")]]),
                    ("client", ["127.0.0.1", ("127.0.0.1",), (b"x", 1), ("x", "http"), ("x", True), ("x", 1.5), 5]),
                    ("server", [{"host": "x", "port": 1}, ("x", 1, 2), (None, 1)]),
                    ("state", [None, [], {1: 2}]),
                    ("extensions", [[], {"tls": None}, {1: {}}, {"a": True}]),
                    ("asgi", [None, "3.0", {1: 2}]),
                ],
            ),
            (
                websocket_scope(),
                [
                    ("http_version", ["ws"]),
                    ("query_string", [""]),
                    ("subprotocols", ["chat", [b"chat"], None]),
                    ("headers", [[(b"A", b"1")]]),
                ],
            ),
            (lifespan_scope(), [("state", [None]), ("asgi", [None])]),
        ]
        for key, values in rows
        for value in values
    ],
)
def test_scope_values(scope, key, value):
    """A value of a wrong type, or one that the specification excludes, is the server's fault."""
    fails("server", f": {key} ", "Scope", scope | {key: value})


@pytest.mark.parametrize("versions", [{"version": 3}, {"version": "3.0", "spec_version": 2.3}])
def test_versions(versions):
    """The versions in `scope["asgi"]` are texts ("Applications")."""
    fails("server", "version is", '"Applications"', http_scope(asgi=versions))


@pytest.mark.parametrize(
    ("scope", "key"),
    [(http_scope(), key) for key in ("asgi", "http_version", "method", "path", "query_string", "headers")]
    + [(websocket_scope(), key) for key in ("asgi", "path", "headers")]
    + [(lifespan_scope(), "asgi")],
)
def test_scope_keys(scope, key):
    """A key that is not optional has to be there."""
    fails("server", f"{key} is missing", "not optional", without(scope, key))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("server_cert", b""),
        ("tls_version", "1.3"),
        ("cipher_suite", True),
        ("client_cert_chain", "x"),
        ("client_cert_name", 1),
        ("client_cert_error", b"x"),
    ],
)
def test_tls(key, value):
    """The TLS extension has types of its own ("TLS Connection Scope")."""
    fails("server", key, "TLS Connection Scope", http_scope(extensions={"tls": {**TLS, key: value}}))


def test_tls_keys():
    """Three entries of the TLS extension are mandatory."""
    for key in TLS:
        fails("server", f"{key} is missing", "TLS", http_scope(extensions={"tls": without(TLS, key)}))


@pytest.mark.parametrize("scope", [None, [], {}, {"type": None}, {"type": b"http"}, {"type": "http", 1: 2}])
def test_no_scope(scope):
    """A scope is a dict with a type ("Applications")."""
    with pytest.raises(LintError, match="the scope is") as caught:
        machine(scope)
    assert caught.value.fault == "server"


def test_unknown_scope_type():
    """What we have no specification of is not checked."""
    assert machine({"type": "telegraph"}) is None


def test_error_can_be_pickled():
    """A test runner with several processes can hand an error on."""
    error = pickle.loads(pickle.dumps(LintError("server", "a", "b")))
    assert (error.fault, error.problem, error.rule) == ("server", "a", "b")


# HTTP


@pytest.mark.parametrize(
    ("scope", "steps"),
    [
        pytest.param(http_scope(), [START, END, RETURN], id="smallest"),
        pytest.param(http_scope(), [(REQUEST,), START, END, (GONE,), (GONE,), RETURN], id="whole"),
        pytest.param(http_scope(), [({**REQUEST, "body": b"a", "more_body": True},), (REQUEST,), START, END], id="upload"),
        pytest.param(http_scope(), [(GONE,), RETURN], id="gone before the start"),
        pytest.param(http_scope(), [START, (GONE,), RETURN], id="gone before the end"),
        pytest.param(http_scope(), [START, (GONE,), END, RETURN], id="sent to a client that is gone"),
        pytest.param(http_scope(), [{**START, "status": HTTPStatus.NOT_FOUND}, END, RETURN], id="HTTPStatus"),
        pytest.param(http_scope(), [{**START, "status": 999, "reason": "own key"}, END, RETURN], id="unknown key"),
        pytest.param(
            http_scope(), [{**START, "headers": ([b"a", b""], (b"transfer-encoding", b"chunked"))}, END], id="any pairs"
        ),
        pytest.param(http_scope(), [{**START, "headers": [(b"content-length", b"0")]}, END, RETURN], id="length 0"),
        pytest.param(
            http_scope(),
            [
                {**START, "headers": [(b"content-length", b"3")]},
                {**END, "body": b"ab", "more_body": True},
                {**END, "body": b"c"},
                RETURN,
            ],
            id="length in pieces",
        ),
        pytest.param(
            http_scope("HEAD"), [{**START, "headers": [(b"content-length", b"9")]}, END, RETURN], id="length of HEAD"
        ),
        *[
            pytest.param(
                http_scope(),
                [{**START, "status": status, "headers": [(b"content-length", b"9")]}, END],
                id=f"length of {status}",
            )
            for status in (204, 304)
        ],
        pytest.param(
            all_extensions(),
            [
                {"type": "http.response.debug", "info": {"template": object()}},
                {"type": "http.response.early_hint", "links": [b"</a>"]},
                {"type": "http.response.push", "path": "/a", "headers": []},
                {**START, "trailers": True},
                {"type": "http.response.early_hint", "links": (b"</a>",)},
                {**END, "more_body": True},
                {"type": "http.response.push", "path": "/a", "headers": []},
                END,
                {"type": "http.response.trailers", "headers": [(b"a", b"1")], "more_trailers": True},
                {"type": "http.response.trailers", "headers": []},
                RETURN,
            ],
            id="extensions",
        ),
        pytest.param(
            all_extensions(),
            [{**START, "trailers": True}, {"type": "http.response.pathsend", "path": "/a"},
             {"type": "http.response.trailers", "headers": []}, RETURN],
            id="path send",
        ),
        pytest.param(
            all_extensions(),
            [
                {**START, "headers": [(b"content-length", b"9")]},
                {**END, "body": b"a", "more_body": True},
                {"type": "http.response.zerocopysend", "file": io.BytesIO(), "offset": 1, "count": 2, "more_body": True},
                {"type": "http.response.zerocopysend", "file": io.BytesIO()},
                RETURN,
            ],
            id="zero copy send",
        ),
        pytest.param(
            http_scope(extensions={"http.fullflush": {}, "http.tick": {}}),
            [({"type": "http.tick"},), START, {"type": "http.fullflush"}, END, RETURN],
            id="extension of one's own",
        ),
    ],
)  # fmt: skip
def test_legal_http(scope, steps):
    """What the specification allows passes."""
    play(scope, steps)


@pytest.mark.parametrize(
    ("fault", "problem", "rule", "steps"),
    [
        # Forms
        pytest.param("application", "is no dict", "Events", [[("type", "x")]], id="message no dict"),
        pytest.param("application", "type None", "Events", [{}], id="no type"),
        pytest.param("application", "type b'", "Events", [{"type": b"http.response.start"}], id="type bytes"),
        pytest.param("server", "is no dict", "Events", [(None,)], id="received no dict"),
        pytest.param("server", "type 5", "Events", [({"type": 5},)], id="received type"),
        pytest.param("application", "'http.answer'", "Protocol Spec", [{"type": "http.answer"}], id="unknown type"),
        pytest.param("server", "'http.ask'", "Protocol Spec", [({"type": "http.ask"},)], id="received unknown"),
        pytest.param("application", "'websocket.send'", "Protocol", [{"type": "websocket.send"}], id="wrong protocol"),
        pytest.param("application", "'http.request'", "Protocol", [REQUEST], id="wrong direction"),
        pytest.param("server", "'http.response.body'", "Protocol", [(END,)], id="received wrong direction"),
        pytest.param("server", "body is ''", '"Request"', [({**REQUEST, "body": ""},)], id="request body str"),
        pytest.param("server", "body is None", '"Request"', [({**REQUEST, "body": None},)], id="request body None"),
        pytest.param("server", "more_body is 1", '"Request"', [({**REQUEST, "more_body": 1},)], id="request more int"),
        *[
            pytest.param("application", f"status is {value!r}", '"Response Start"', [{**START, "status": value}])
            for value in (None, "200", 200.0, True, 99, 1000, -1)
        ],
        pytest.param("application", "status is missing", "not optional", [without(START, "status")], id="no status"),
        *[
            pytest.param("application", f"status is {value}, which begins no final", '"Response Start"',
                         [{**START, "status": value}])
            for value in (100, 101, 103, 199)
        ],
        *[
            pytest.param("application", f"headers {problem}", '"Response Start"', [{**START, "headers": value}])
            for value, problem in [
                (None, "is None"),
                ({b"a": b"1"}, "is {b'a': b'1'}"),
                (b"a", "is b'a'"),
                (5, "is 5"),
                ([b"ab"], "has the item b'ab'"),
                ([("a", b"1")], "has the item ('a', b'1')"),
                ([(b"a", "1")], "has the item (b'a', '1')"),
                ([(b"a", b"1", b"2")], "has the item"),
                ([(b"a", bytearray(b"1"))], "has the item"),
                ([(b"A", b"1")], "has the name b'A'"),
                ([(b"a b", b"1")], "has the name b'a b'"),
                ([(b"a:", b"1")], "has the name b'a:'"),
                ([(b"", b"1")], "has the name b''"),
                ([(b":status", b"200")], "has the name b':status'"),
                ([(b"a", b"1\r\nb: 2")], "has b'a': b'1"),
                ([(b"a", b"1\n")], "has b'a'"),
                ([(b"a", b"\0")], "has b'a'"),
                ([(b"a", b" 1")], "has b'a': b' 1'"),
                ([(b"a", b"1\t")], "has b'a'"),
            ]
        ],
        pytest.param("application", "trailers is 1", '"Response Start"', [{**START, "trailers": 1}], id="trailers int"),
        *[
            pytest.param("application", "body is", '"Response Body"', [START, {**END, "body": value}])
            for value in ("x", None, bytearray(b"x"), memoryview(b"x"))
        ],
        pytest.param("application", "more_body is None", '"Response Body"', [START, {**END, "more_body": None}]),
        # Order
        pytest.param("application", "before the start", '"Response Body"', [END], id="body first"),
        pytest.param("application", "a second http.response.start", '"Response Start"', [START, START], id="two starts"),
        pytest.param(
            "application", "a second", '"Response Start"', [START, {**END, "more_body": True}, START], id="start in body"
        ),
        pytest.param("application", "after the end", '"Response Body"', [START, END, END], id="body after the end"),
        pytest.param("application", "a second", '"Response Start"', [START, END, START], id="start after the end"),
        pytest.param("application", "no http.response.start", '"Response Start"', [RETURN], id="no response"),
        pytest.param("application", "no final http.response.body", "Response", [START, RETURN], id="no body"),
        pytest.param(
            "application", "no final", "Response", [START, {**END, "more_body": True}, RETURN], id="no last piece"
        ),
        pytest.param("application", "no final", "Response", [(REQUEST,), START, RETURN], id="no body after a request"),
        pytest.param("server", "after the last piece", '"Request"', [(REQUEST,), (REQUEST,)], id="two last pieces"),
        pytest.param("server", "after http.disconnect", '"Request"', [(GONE,), (REQUEST,)], id="request after disconnect"),
        # Length
        *[
            pytest.param("application", "content-length is", "8.6", [{**START, "headers": [(b"content-length", value)]}])
            for value in (b"", b"-1", b"+1", b"1.0", b"0x1", b"1, 1", b"one", b"9" * 30, "٣".encode())
        ],
        pytest.param(
            "application", "b'1, 1'", "8.6", [{**START, "headers": [(b"content-length", b"1")] * 2}], id="two lengths"
        ),
        pytest.param(
            "application", "content-length is 2, and the body has 3 bytes so far", "8.6",
            [{**START, "headers": [(b"content-length", b"2")]}, {**END, "body": b"abc", "more_body": True}],
            id="too long",
        ),
        pytest.param(
            "application", "content-length is 2, and the body has 1 bytes", "8.6",
            [{**START, "headers": [(b"content-length", b"2")]}, {**END, "body": b"a"}],
            id="too short",
        ),
    ],
)  # fmt: skip
def test_http(fault, problem, rule, steps):
    """Each violation over HTTP is caught at the message that makes it, and says whose fault it is."""
    fails(fault, problem, rule, http_scope(), *steps)


TRAILERS = {"type": "http.response.trailers", "headers": []}
PUSH = {"type": "http.response.push", "path": "/", "headers": []}
HINT = {"type": "http.response.early_hint", "links": []}
PATH = {"type": "http.response.pathsend", "path": "/a"}
FILE = {"type": "http.response.zerocopysend", "file": io.BytesIO()}
DEBUG = {"type": "http.response.debug", "info": {}}


@pytest.mark.parametrize(
    ("problem", "rule", "steps"),
    [
        pytest.param("in the state 'started'", "HTTP Trailers", [START, TRAILERS], id="trailers before the end"),
        pytest.param("in the state 'ended'", "HTTP Trailers", [START, END, TRAILERS], id="trailers not announced"),
        pytest.param(
            "in the state", "HTTP Trailers", [{**START, "trailers": True}, END, TRAILERS, TRAILERS], id="trailers twice"
        ),
        pytest.param("after the end", "Response Body", [{**START, "trailers": True}, END, END], id="body in trailers"),
        pytest.param(
            "no final http.response.trailers", "Response", [{**START, "trailers": True}, END, RETURN], id="no trailers"
        ),
        pytest.param(
            "no final http.response.trailers", "Response",
            [{**START, "trailers": True}, END, {**TRAILERS, "more_trailers": True}, RETURN], id="no last trailers",
        ),
        pytest.param("headers is missing", "HTTP Trailers", [without(TRAILERS, "headers")], id="trailers form"),
        pytest.param("more_trailers is 0", "HTTP Trailers", [{**TRAILERS, "more_trailers": 0}], id="more trailers"),
        pytest.param("after the body", "Server Push", [START, END, PUSH], id="push after the end"),
        pytest.param("path is b'/'", "Server Push", [{**PUSH, "path": b"/"}], id="push path"),
        pytest.param("headers is missing", "Server Push", [without(PUSH, "headers")], id="push headers"),
        pytest.param("after the body", "Early Hints", [START, END, HINT], id="hint after the end"),
        pytest.param("links is", "Early Hints", [{**HINT, "links": ["</a>"]}], id="links of str"),
        pytest.param("links is missing", "Early Hints", [without(HINT, "links")], id="no links"),
        pytest.param("before the start", "Path Send", [PATH], id="path first"),
        pytest.param("after 1 bytes", "Path Send", [START, {**END, "body": b"a", "more_body": True}, PATH], id="mixed"),
        pytest.param("after the end", "Path Send", [START, PATH, PATH], id="two paths"),
        pytest.param("after the end", "Response Body", [START, PATH, END], id="body after a path"),
        pytest.param("path is", "Path Send", [START, {**PATH, "path": b"/a"}], id="path bytes"),
        pytest.param("before the start", "Zero Copy", [FILE], id="file first"),
        pytest.param("after the end", "Zero Copy", [START, END, FILE], id="file after the end"),
        pytest.param("file is 5", "Zero Copy", [START, {**FILE, "file": 5}], id="no file"),
        pytest.param("count is '1'", "Zero Copy", [START, {**FILE, "count": "1"}], id="count"),
        pytest.param("offset is None", "Zero Copy", [START, {**FILE, "offset": None}], id="offset"),
        pytest.param("http.response.debug", "Debug", [DEBUG, DEBUG], id="two debugs"),
        pytest.param("http.response.debug", "Debug", [START, DEBUG], id="debug after the start"),
        pytest.param("info is", "Debug", [{**DEBUG, "info": {1: 2}}], id="debug keys"),
    ],
)  # fmt: skip
def test_extensions(problem, rule, steps):
    """The messages of extensions have an order and a form, too."""
    fails("application", problem, rule, all_extensions(), *steps)


@pytest.mark.parametrize("extensions", [None, {}, {"http.response.other": {}}])
@pytest.mark.parametrize("message", [TRAILERS, PUSH, HINT, PATH, FILE, DEBUG], ids=lambda message: message["type"])
def test_extension_not_offered(message, extensions):
    """A message of an extension is for servers that offer it, also where the scope has no extensions."""
    fails("application", f"no extension {message['type']!r}", "Extensions", http_scope(extensions=extensions), message)
    fails("application", "no extension", "Extensions", http_scope(), START, message)


def test_trailers_not_offered():
    """`trailers=True` makes a server wait that knows of no trailers."""
    fails("application", "trailers is True", "HTTP Trailers", http_scope(), {**START, "trailers": True})


# WebSocket

CHAT = {**ACCEPT, "subprotocol": "chat"}
TEXT = {"type": "websocket.receive", "text": "a"}
LEFT = {"type": "websocket.disconnect", "code": 1001}
SAY = {"type": "websocket.send", "text": "a"}


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([CLOSE, RETURN], id="closed unseen"),
        pytest.param([(CONNECT,), CLOSE, RETURN], id="refused"),
        pytest.param([(CONNECT,), DENY, {**DENIED, "more_body": True}, DENIED, RETURN], id="denied"),
        pytest.param([(CONNECT,), ACCEPT, RETURN], id="accepted, the server closes"),
        pytest.param(
            [(CONNECT,), {**CHAT, "headers": [(b"a", b"1")]}, (TEXT,), SAY, {**SAY, "text": None, "bytes": b""},
             ({**TEXT, "text": None, "bytes": b"b"},), {**CLOSE, "code": 4999, "reason": "ü" * 61}, (LEFT,), RETURN],
            id="whole",
        ),
        pytest.param([(CONNECT,), ACCEPT, (LEFT,), SAY, CLOSE, CLOSE, RETURN], id="sent to a client that is gone"),
        pytest.param([(CONNECT,), (LEFT,), (LEFT,), RETURN], id="gone before the answer"),
        pytest.param([(LEFT,), RETURN], id="gone at once"),
        pytest.param([(CONNECT,), ACCEPT, CLOSE, (TEXT,), RETURN], id="under way when it was closed"),
        pytest.param([(CONNECT,), ACCEPT, {**CLOSE, "code": 3000, "reason": None}, RETURN], id="code"),
    ],
)  # fmt: skip
def test_legal_websocket(steps):
    """What the specification allows passes."""
    play(websocket_scope(subprotocols=["chat"]), steps)


@pytest.mark.parametrize(
    ("fault", "problem", "rule", "steps"),
    [
        pytest.param("server", "before websocket.connect", '"Connect"', [(TEXT,)], id="data first"),
        pytest.param("server", "again", '"Connect"', [(CONNECT,), (CONNECT,)], id="two connects"),
        pytest.param("server", "before websocket.accept", '"Connect"', [(CONNECT,), (TEXT,)], id="data before accept"),
        pytest.param(
            "server", "after websocket.disconnect", '"Connect"', [(CONNECT,), ACCEPT, (LEFT,), (TEXT,)], id="data at last"
        ),
        pytest.param("server", "code is missing", '"Disconnect"', [({"type": LEFT["type"]},)], id="no code"),
        pytest.param("server", "code is None", '"Disconnect"', [({**LEFT, "code": None},)], id="code None"),
        pytest.param("server", "reason is b''", '"Disconnect"', [({**LEFT, "reason": b""},)], id="reason bytes"),
        *[
            pytest.param("server", problem, '"Receive"', [(CONNECT,), ACCEPT, ({**TEXT, **data},)], id=f"receive {data}")
            for data, problem in [
                ({"bytes": b"a"}, "websocket.receive"),
                ({"text": None}, "websocket.receive"),
                ({"text": b"a"}, "text is b'a'"),
                ({"text": None, "bytes": "a"}, "bytes is 'a'"),
            ]
        ],
        *[
            pytest.param("application", problem, '"Send"', [(CONNECT,), ACCEPT, {**SAY, **data}], id=f"send {data}")
            for data, problem in [
                ({"bytes": b"a"}, "websocket.send"),
                ({"text": None}, "websocket.send"),
                ({"text": b"a"}, "text is b'a'"),
                ({"text": None, "bytes": bytearray(b"a")}, "bytes is"),
            ]
        ],
        pytest.param("application", "before websocket.connect", '"Connect"', [ACCEPT], id="accept unseen"),
        pytest.param("application", "before websocket.connect", '"Connect"', [DENY], id="denied unseen"),
        pytest.param("application", "a second websocket.accept", '"Accept"', [(CONNECT,), ACCEPT, ACCEPT], id="accepts"),
        pytest.param("application", "before websocket.accept", '"Connect"', [(CONNECT,), SAY], id="send before accept"),
        pytest.param("application", "was closed", '"Send"', [(CONNECT,), ACCEPT, CLOSE, SAY], id="send after close"),
        pytest.param("application", "was closed", '"Accept"', [(CONNECT,), CLOSE, ACCEPT], id="accept after close"),
        pytest.param("application", "was closed", '"Close"', [(CONNECT,), CLOSE, CLOSE], id="two closes"),
        pytest.param("application", "was denied", '"Close"', [(CONNECT,), DENY, CLOSE], id="close in a denial"),
        pytest.param("application", "was denied", '"Accept"', [(CONNECT,), DENY, DENIED, ACCEPT], id="accept denied"),
        pytest.param("application", "after websocket.accept", "Denial", [(CONNECT,), ACCEPT, DENY], id="denied late"),
        pytest.param("application", "before the start", "Denial", [(CONNECT,), DENIED], id="denial body first"),
        pytest.param("application", "a second", "Denial", [(CONNECT,), DENY, DENY], id="two denials"),
        pytest.param("application", "after the end", "Denial", [(CONNECT,), DENY, DENIED, DENIED], id="denial body"),
        pytest.param("application", "no final websocket.http.response.body", "", [(CONNECT,), DENY, RETURN], id="denial open"),
        pytest.param(
            "application", "content-length is 1", "8.6",
            [(CONNECT,), {**DENY, "headers": [(b"content-length", b"1")]}, DENIED], id="denial length",
        ),
        pytest.param("application", "without an answer", '"Connect"', [(CONNECT,), RETURN], id="no answer"),
        pytest.param("application", "without an answer", '"Connect"', [RETURN], id="nothing"),
        pytest.param("application", "subprotocol is b", '"Accept"', [{**ACCEPT, "subprotocol": b"chat"}], id="protocol bytes"),
        pytest.param(
            "application", "the client offers ['chat']", "RFC 6455 4.2.2", [(CONNECT,), {**ACCEPT, "subprotocol": "x"}],
            id="protocol not offered",
        ),
        pytest.param("application", "has the name b'A'", '"Accept"', [{**ACCEPT, "headers": [(b"A", b"")]}], id="name"),
        pytest.param(
            "application", "sec-websocket-protocol", '"Accept"',
            [{**ACCEPT, "headers": [(b"sec-websocket-protocol", b"chat")]}], id="protocol header",
        ),
        *[
            pytest.param("application", f"code is {code!r}", '"Close"', [{**CLOSE, "code": code}])
            for code in (None, "1000", True, 0, 999, 1004, 1005, 1006, 1015, 5000)
        ],
        pytest.param("application", "reason is", '"Close"', [{**CLOSE, "reason": b"bye"}], id="close reason bytes"),
        pytest.param("application", "reason is", '"Close"', [{**CLOSE, "reason": "ü" * 62}], id="close reason long"),
    ],
)  # fmt: skip
def test_websocket(fault, problem, rule, steps):
    """Each violation over WebSocket is caught at the message that makes it, and says whose fault it is."""
    fails(fault, problem, rule, websocket_scope(subprotocols=["chat"]), *steps)


def test_denial_not_offered():
    """A denial is for servers that offer it."""
    scope = websocket_scope(extensions={})
    fails("application", "no extension 'websocket.http.response'", "Extensions", scope, (CONNECT,), DENY)


# Lifespan

STARTUP = {"type": "lifespan.startup"}
SHUTDOWN = {"type": "lifespan.shutdown"}
UP = {"type": "lifespan.startup.complete"}
NOT_UP = {"type": "lifespan.startup.failed", "message": "no database"}
DOWN = {"type": "lifespan.shutdown.complete"}
NOT_DOWN = {"type": "lifespan.shutdown.failed"}


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([(STARTUP,), UP, (SHUTDOWN,), DOWN, RETURN], id="whole"),
        pytest.param([(STARTUP,), NOT_UP, RETURN], id="startup failed"),
        pytest.param([(STARTUP,), UP, (SHUTDOWN,), NOT_DOWN, RETURN], id="shutdown failed"),
        pytest.param([(STARTUP,), UP, RETURN], id="does not wait for the shutdown"),
    ],
)
def test_legal_lifespan(steps):
    """What the specification allows passes."""
    play(lifespan_scope(), steps)


@pytest.mark.parametrize(
    ("fault", "problem", "rule", "steps"),
    [
        pytest.param("server", "before the startup", "Shutdown", [(SHUTDOWN,)], id="shutdown first"),
        pytest.param("server", "before the startup", "Shutdown", [(STARTUP,), (SHUTDOWN,)], id="startup not answered"),
        pytest.param("server", "again", "Startup", [(STARTUP,), (STARTUP,)], id="two startups"),
        pytest.param("server", "again", "Shutdown", [(STARTUP,), UP, (SHUTDOWN,), (SHUTDOWN,)], id="two shutdowns"),
        pytest.param("server", "message type", "Protocol", [({"type": "lifespan.disconnect"},)], id="unknown"),
        pytest.param("application", "before lifespan.startup", "Startup", [UP], id="complete first"),
        pytest.param("application", "before lifespan.shutdown", "Shutdown", [(STARTUP,), UP, DOWN], id="down unasked"),
        pytest.param("application", "again", "Startup", [(STARTUP,), UP, UP], id="complete twice"),
        pytest.param("application", "again", "Startup", [(STARTUP,), NOT_UP, UP], id="failed and complete"),
        pytest.param("application", "message is b''", "Failed", [(STARTUP,), {**NOT_UP, "message": b""}], id="message"),
        pytest.param("application", "without lifespan.startup", "Protocol", [RETURN], id="silent"),
        pytest.param("application", "without lifespan.startup", "Protocol", [(STARTUP,), RETURN], id="no answer"),
        pytest.param(
            "application", "without lifespan.shutdown", "Protocol", [(STARTUP,), UP, (SHUTDOWN,), RETURN], id="no shutdown"
        ),
    ],
)  # fmt: skip
def test_lifespan(fault, problem, rule, steps):
    """Each violation over the lifespan is caught, and says whose fault it is."""
    fails(fault, problem, rule, lifespan_scope(), *steps)


# Objects that belong to others


def changed(scope: Any, *steps: Any) -> LintError:
    """Call functions with the rules for a scope; returns the error that the last one raises."""
    rules = machine(scope)
    assert rules is not None
    for step in steps[:-1]:
        step(rules)
    with pytest.raises(LintError) as caught:
        steps[-1](rules)
    return caught.value


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda headers: headers.append((b"b", b"2")), id="append"),
        pytest.param(lambda headers: headers.clear(), id="clear"),
        pytest.param(lambda headers: headers[0].__setitem__(1, b"2"), id="in a pair"),
    ],
)
@pytest.mark.parametrize(
    "then",
    [
        pytest.param(lambda rules: rules.returned(), id="return"),
        pytest.param(lambda rules: rules.feed_sent(START), id="send"),
        pytest.param(lambda rules: rules.check_untouched(), id="receive"),
    ],
)
def test_scope_headers_changed(change, then):
    """Who changes the server's list of headers in place changes it for the layers above ("Middleware")."""
    scope = http_scope(headers=[[b"a", b"1"]])
    error = changed(scope, lambda _: change(scope["headers"]), then)
    assert error.fault == "application"
    assert "scope['headers'] was changed in place" in error.problem
    assert '"Middleware"' in error.rule


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda message: message.update(status=500), id="status"),
        pytest.param(lambda message: message["headers"].append((b"b", b"2")), id="headers"),
        pytest.param(lambda message: message.pop("headers"), id="key"),
    ],
)
def test_sent_message_changed(change):
    """A start that was sent stays as it is, also when more was sent since; Falcon's is shared between all clients."""
    for step in (lambda rules: rules.feed_sent({**END, "more_body": True}), lambda rules: None):
        start: Any = {**START, "headers": [(b"a", b"1")]}
        error = changed(
            http_scope(),
            lambda rules, start=start: rules.feed_sent(start),
            step,
            lambda rules, start=start: change(start),
            lambda rules: rules.feed_sent(END),
        )
        assert error.fault == "application"
        assert "a message that was sent was changed afterwards" in error.problem


def test_sent_body_changed():
    """A body message that was sent is not used again with other content."""
    body: Any = {**END, "body": b"a", "more_body": True}
    error = changed(
        http_scope(),
        lambda rules: (rules.feed_sent(START), rules.feed_sent(body)),
        lambda rules: body.update(body=b"b"),
        lambda rules: rules.feed_sent(body),
    )
    assert error.fault == "application"


def test_links_changed():
    """The links of an early hint are looked into, too."""
    hint: Any = {"type": "http.response.early_hint", "links": [b"</a>"]}
    error = changed(
        all_extensions(),
        lambda rules: rules.feed_sent(hint),
        lambda rules: hint["links"].append(b"</b>"),
        lambda rules: rules.returned(),
    )
    assert error.fault == "application"


def test_received_message_changed():
    """What was received is not changed: another layer may have kept it."""
    request = {"type": "http.request", "body": b"a"}
    error = changed(
        http_scope(),
        lambda rules: rules.feed_received(request),
        lambda rules: request.update(body=b""),
        lambda rules: rules.check_untouched(),
    )
    assert error.fault == "application"
    assert "a message that was received was changed" in error.problem


def test_server_changes_a_message():
    """What the server changes while it sends is the server's fault."""
    start: Any = {**START, "headers": []}
    error = changed(
        http_scope(),
        lambda rules: rules.feed_sent(start),
        lambda rules: start["headers"].append((b"server", b"x")),
        lambda rules: rules.passed_on(start),
    )
    assert error.fault == "server"


def test_sends_that_overlap():
    """Two tasks may send at the same time: only what was taken last can be held against the server."""
    rules = machine(http_scope())
    assert rules is not None
    first, second = {**START}, {**END, "more_body": True}
    rules.feed_sent(first)
    rules.feed_sent(second)
    rules.passed_on(first)
    rules.passed_on(second)


def test_untouched_messages_may_be_shared():
    """The same unchanged objects may be sent again and again."""
    for _ in range(2):
        piece = {**END, "body": b"a", "more_body": True}
        play(http_scope(), [START, piece, piece, END, RETURN])


def test_one_shot_headers_are_listed():
    """Headers that can be read but once go on as a list, in a copy (Sanic sends a generator)."""
    rules = machine(http_scope(extensions={"http.response.early_hint": {}}))
    assert rules is not None
    start = {**START, "headers": (pair for pair in [(b"a", b"1")])}
    assert rules.feed_sent(start) == {**START, "headers": [(b"a", b"1")]}
    hint = {"type": "http.response.early_hint", "links": iter([b"</a>"])}
    assert rules.feed_sent(hint) == {"type": "http.response.early_hint", "links": [b"</a>"]}


def test_legal_messages_pass_as_they_are():
    """What is sent is what is passed on: the same object."""
    rules = machine(http_scope())
    assert rules is not None
    assert rules.feed_sent(START) is START
    assert rules.feed_sent(END) is END


def test_first_error_stays():
    """After a violation, whatever follows raises the same error, and so does the end."""
    rules = machine(http_scope())
    assert rules is not None
    with pytest.raises(LintError) as first:
        rules.feed_sent(END)
    for step in (lambda: rules.feed_sent({**START, "status": None}), rules.returned):
        with pytest.raises(LintError) as again:
            step()
        assert again.value is first.value


def test_send_failed():
    """After a `send` that raised, an application may return (the client has left)."""
    rules = machine(http_scope())
    assert rules is not None
    rules.feed_sent(START)
    rules.send_failed()
    rules.returned()


# Properties

NAMES = st.from_regex(rb"[a-z0-9!#$%&'*+\-.^_`|~]{1,8}", fullmatch=True).filter(lambda name: name != b"content-length")
VALUES = st.from_regex(rb"(?:[!-~\x80-\xff](?:[ \t!-~\x80-\xff]*[!-~\x80-\xff])?)?", fullmatch=True)
PAIRS = st.lists(st.tuples(NAMES, VALUES) | st.tuples(NAMES, VALUES).map(list), max_size=4)


@st.composite
def responses(draw: st.DrawFn) -> list[Any]:
    """The messages of a legal response, in any form and in any pieces."""
    pieces = draw(st.lists(st.binary(max_size=20), min_size=1, max_size=5))
    headers: Any = draw(PAIRS)
    if draw(st.booleans()):
        headers.append((b"content-length", str(sum(map(len, pieces))).encode()))
    start: Any = {"type": "http.response.start", "status": draw(st.integers(200, 999))}
    trailers = draw(st.booleans())
    if headers or draw(st.booleans()):
        start["headers"] = draw(st.sampled_from([list, tuple]))(headers)
    if trailers or draw(st.booleans()):
        start["trailers"] = trailers
    messages: list[Any] = [start]
    for piece in pieces:
        if draw(st.booleans()):
            messages.append(draw(st.sampled_from([HINT, PUSH])))
        messages.append({"type": "http.response.body", "body": piece, "more_body": True})
    messages[-1]["more_body"] = False
    if draw(st.booleans()):
        del messages[-1]["more_body"]
    if trailers:
        messages.append({"type": "http.response.trailers", "headers": draw(PAIRS)})
    return messages


@given(responses(), st.sampled_from(["GET", "HEAD", "POST"]))
def test_any_legal_response_passes(messages, method):
    """However a legal response is cut and written, it passes."""
    play(all_extensions(method=method), [*messages, RETURN])


def _with_start(key: str, value: Any) -> Any:
    return lambda messages, at: [{**messages[0], key: value}, *messages[1:]]


def _with_last_body(key: str, value: Any) -> Any:
    def mutate(messages: list[Any], at: int) -> list[Any]:
        bodies = [index for index, message in enumerate(messages) if message["type"] == "http.response.body"]
        index = bodies[at % len(bodies)]
        return [*messages[:index], {**messages[index], key: value}, *messages[index + 1 :]]

    return mutate


MUTATIONS = {
    "no start": lambda messages, at: messages[1:],
    "start again": lambda messages, at: [*messages[: at + 1], messages[0], *messages[at + 1 :]],
    "no end": lambda messages, at: messages[:-1],
    "one more": lambda messages, at: [*messages, END],
    "start is late": lambda messages, at: [*messages[1:], messages[0]],
    "not a message": lambda messages, at: [*messages[:at], {"type": "http.response.nothing"}, *messages[at:]],
    "not a dict": lambda messages, at: [*messages[:at], list(messages[at].items()), *messages[at + 1 :]],
    "dict subclass": lambda messages, at: [*messages[:at], type("D", (dict,), {})(messages[at]), *messages[at + 1 :]],
    "other protocol": lambda messages, at: [*messages[:at], ACCEPT, *messages[at:]],
    "status": _with_start("status", "200"),
    "headers": _with_start("headers", [(b"Content-Type", b"text/plain")]),
    # Of 204 and 304, which may tell a length that is not sent, it would be legal.
    "length": lambda messages, at: [
        {**messages[0], "status": 200, "headers": [(b"content-length", b"101")]},
        *messages[1:],
    ],
    "body": _with_last_body("body", bytearray(b"x")),
    "more_body": _with_last_body("more_body", 0),
    "ends early": lambda messages, at: [messages[0], END, *messages[1:]],
    "trailers unannounced": lambda messages, at: [*messages, TRAILERS],
}


@given(responses(), st.sampled_from(sorted(MUTATIONS)), st.integers(0, 100))
def test_any_mutated_response_is_caught(messages, mutation, at):
    """Whatever is spoilt in a legal response is caught, and it is the application's fault."""
    mutated = MUTATIONS[mutation](messages, at % len(messages))
    with pytest.raises(LintError) as caught:
        play(all_extensions(), [*mutated, RETURN])
    assert caught.value.fault == "application"


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text() | st.binary(), st.lists))
def test_any_value_is_legal_or_reported(value):
    """Whatever stands in whatever key: it passes, or it is reported; nothing else is raised."""
    faults: list[str] = []
    for scope in (all_extensions(), websocket_scope(), lifespan_scope()):
        for key in scope:
            try:
                machine({**scope, key: value})
            except LintError as error:
                faults.append(error.fault)
    assert set(faults) <= {"server"}
    faults.clear()
    for message in (START, END, PUSH, HINT, FILE, DEBUG, TRAILERS):
        for key in (*message, "headers", "more_body", "links", "info"):
            rules = machine(all_extensions())
            assert rules is not None
            try:
                rules.feed_sent({**message, key: value})
            except LintError as error:
                faults.append(error.fault)
    assert set(faults) == {"application"}
