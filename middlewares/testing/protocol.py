"""The rules of ASGI as state machines: fed with what was sent and received, they raise `LintError`. No I/O.

What a scope and each message must hold stands in tables; the order of messages stands in the machines, one for each
protocol. "Server" is whatever is above, "application" whatever is below: a middleware plays both parts.

Sources: the ASGI specification 3.0, HTTP & WebSocket 2.5, Lifespan 2.0 and Extensions, at
https://asgi.readthedocs.io/en/latest/specs/; RFC 9110 for header fields, RFC 6455 for close codes.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, NoReturn, TypeAlias

from .._http.lists import is_token
from ..asgi import Message, Scope

Fault: TypeAlias = Literal["application", "server"]

_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = 80
_show = _repr.repr
_bad_value_byte = re.compile(rb"[\r\n\0]").search
_is_length = re.compile(rb"[0-9]+").fullmatch

_WWW = "ASGI HTTP & WebSocket"
_CORE = "ASGI Specification"
_LIFESPAN = "ASGI Lifespan"
_EXTENSIONS = "ASGI Extensions"


class LintError(AssertionError):
    """A rule of ASGI was broken.

    Attributes:
        fault: Who broke it: "application" (what Lint wraps) or "server" (what calls Lint).
        problem: What was found, with the value.
        rule: The specification and its section, and what it asks for.
    """

    def __init__(self, fault: Fault, problem: str, rule: str) -> None:
        super().__init__(fault, problem, rule)
        self.fault = fault
        self.problem = problem
        self.rule = rule

    def __str__(self) -> str:
        return f"the {self.fault} broke a rule: {self.problem}\n{self.rule}"


# What a value must be. Each function returns what is wrong with it, or an empty text.


class Field(NamedTuple):
    """A key of a scope or a message."""

    key: str
    problem: Callable[[Any], str]
    rule: str
    required: bool = False


def _must(valid: Callable[[Any], bool]) -> Callable[[Any], str]:
    return lambda value: "" if valid(value) else f"is {_show(value)}"


def _is_dict(value: object) -> bool:
    return type(value) is dict  # granian takes nothing else


def _is_mapping(value: Any) -> bool:
    return issubclass(type(value), dict) and all(isinstance(key, str) for key in value)


def _is_sequence(value: object) -> bool:
    return isinstance(value, list | tuple)


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_bytes = _must(lambda value: type(value) is bytes)  # a bytearray or a memoryview is no "byte string"
_text = _must(lambda value: isinstance(value, str))
_flag = _must(lambda value: isinstance(value, bool))
_number = _must(_is_int)
_bytes_or_none = _must(lambda value: value is None or type(value) is bytes)
_text_or_none = _must(lambda value: value is None or isinstance(value, str))
_number_or_none = _must(lambda value: value is None or _is_int(value))
_texts = _must(lambda value: _is_sequence(value) and all(isinstance(item, str) for item in value))
_dict = _must(_is_mapping)
_extensions = _must(lambda value: value is None or (_is_mapping(value) and all(map(_is_mapping, value.values()))))
_links = _must(lambda value: _is_sequence(value) and all(type(item) is bytes for item in value))
_close_code = _must(
    # RFC 6455 7.4: below 1000 nothing is defined, and 1005, 1006, 1015 are never sent; 1004 is reserved
    lambda value: _is_int(value) and 1000 <= value <= 4999 and value not in (1004, 1005, 1006, 1015)
)
_close_reason = _must(
    # RFC 6455 5.5: a control frame has at most 125 bytes, two of them are the code
    lambda value: value is None or (isinstance(value, str) and len(value.encode("utf-8", "replace")) <= 123)
)


def _address(value: Any) -> str:
    # daphne gives a list; granian gives the port as digits, which is let pass: no application can do anything about it
    if value is None or (
        _is_sequence(value)
        and len(value) == 2
        and isinstance(value[0], str)
        and (value[1] is None or _is_int(value[1]) or (isinstance(value[1], str) and value[1].isdigit()))
    ):
        return ""
    return f"is {_show(value)}"


def _status(value: object) -> str:
    if not isinstance(value, int) or isinstance(value, bool) or not 100 <= value <= 999:
        return f"is {_show(value)}"
    # RFC 9110 15.2: an interim response; servers have messages of their own for it
    return f"is {value:d}, which begins no final response" if value < 200 else ""


def _sent_headers(value: Any) -> str:
    """Names: tokens in lower case; values as RFC 9110 5.5 has them."""
    for item in _pairs(value):
        if isinstance(item, str):
            return item
        name, content = item
        if not is_token(name) or name != name.lower():
            return f"has the name {_show(name)}, which is no token in lower case"
        if _bad_value_byte(content) or content != content.strip(b" \t"):
            return f"has {_show(name)}: {_show(content)}, a value with CR, LF, NUL or space around it"
    return ""


def _scope_headers(value: Any) -> str:
    """As for what is sent, but space around a value is a matter between the server and its client."""
    if hasattr(value, "__next__"):  # a look at it would use it up
        return ""
    for item in _pairs(value):
        if isinstance(item, str):
            return item
        name, content = item
        if not is_token(name) or name != name.lower() or _bad_value_byte(content):
            return f"has {_show(name)}: {_show(content)}, no token in lower case, or a value with CR, LF or NUL"
    return ""


def _accept_headers(value: Any) -> str:
    if problem := _sent_headers(value):
        return problem
    named = any(name == b"sec-websocket-protocol" for name, _ in value)
    return "has the name b'sec-websocket-protocol', which the key subprotocol stands for" if named else ""


def _pairs(value: Any) -> list[tuple[bytes, bytes] | str]:
    if isinstance(value, str | bytes | dict):
        return [f"is {_show(value)}"]
    try:
        items: list[Any] = list(value)
    except TypeError:
        return [f"is {_show(value)}"]
    found: list[tuple[bytes, bytes] | str] = []
    for item in items:
        if _is_sequence(item) and [type(part) for part in item] == [bytes, bytes]:
            found.append((item[0], item[1]))
        else:
            found.append(f"has the item {_show(item)}")
    return found


# What a scope must hold

_HEADERS = "an iterable of [name, value], both byte strings, names in lower case, no pseudo headers"
_ADDRESS = "two items, a host (str) and a port (int), or None"
_ANY_SCOPE = (
    Field("asgi", _dict, "a dict", required=True),
    Field("state", _dict, "a dict with str keys, if it is there"),
    Field("extensions", _extensions, "a dict of a dict for each extension, or None"),
)
_CONNECTION_SCOPE = (
    *_ANY_SCOPE,
    Field("scheme", _must(lambda value: isinstance(value, str) and value != ""), "a str that is not empty"),
    Field("path", _text, "a str", required=True),
    Field("raw_path", _bytes_or_none, "a byte string or None"),
    Field("root_path", _text, "a str"),
    Field("headers", _scope_headers, _HEADERS, required=True),
    Field("client", _address, _ADDRESS),
    Field("server", _address, _ADDRESS + " (for a Unix socket its path and None)"),
)
_is_http_version = _must(lambda value: value in ("1.0", "1.1", "2", "3"))  # "3": hypercorn's, later than the text
_SCOPES: dict[str, tuple[str, tuple[Field, ...]]] = {
    "http": (
        f'{_WWW}, "HTTP Connection Scope"',
        (
            *_CONNECTION_SCOPE,
            Field("http_version", _is_http_version, "'1.0', '1.1' or '2'", required=True),
            Field(
                "method",
                _must(lambda value: isinstance(value, str) and value != "" and value == value.upper()),
                "a str, upper-cased",
                required=True,
            ),
            Field("query_string", _bytes, "a byte string", required=True),
        ),
    ),
    "websocket": (
        f'{_WWW}, "Websocket Connection Scope"',
        (
            *_CONNECTION_SCOPE,
            Field("http_version", _is_http_version, "'1.1' or '2', if it is there"),
            Field("query_string", _bytes_or_none, "a byte string or None"),
            Field("subprotocols", _texts, "an iterable of str"),
        ),
    ),
    "lifespan": (f'{_LIFESPAN}, "Scope"', _ANY_SCOPE),
}
_VERSIONS = (
    Field("version", _text, "a str"),
    Field("spec_version", _text, "a str"),
)
_TLS = (
    Field("server_cert", _text_or_none, "a str or None", required=True),
    Field("client_cert_chain", _texts, "an iterable of str"),
    Field("client_cert_name", _text_or_none, "a str or None"),
    Field("client_cert_error", _text_or_none, "a str or None"),
    Field("tls_version", _number_or_none, "an int or None", required=True),
    Field("cipher_suite", _number_or_none, "an int or None", required=True),
)

# What a message must hold

_MORE_BODY = Field("more_body", _flag, "a bool")
_BODY = Field("body", _bytes, "a byte string")
_DATA = (
    Field("bytes", _bytes_or_none, "a byte string or None"),
    Field("text", _text_or_none, "a str or None"),
)
_START = (
    Field("status", _status, "an int from 100 to 999, and no interim one", required=True),
    Field("headers", _sent_headers, _HEADERS),
)
_FAILED = (Field("message", _text, "a str"),)
_RECEIVED: dict[str, tuple[str, tuple[Field, ...]]] = {
    "http.request": (f'{_WWW}, "Request"', (_BODY, _MORE_BODY)),
    "http.disconnect": (f'{_WWW}, "Disconnect"', ()),
    "websocket.connect": (f'{_WWW}, "Connect"', ()),
    "websocket.receive": (f'{_WWW}, "Receive"', _DATA),
    "websocket.disconnect": (
        f'{_WWW}, "Disconnect"',
        (Field("code", _number, "an int", required=True), Field("reason", _text_or_none, "a str or None")),
    ),
    "lifespan.startup": (f'{_LIFESPAN}, "Startup"', ()),
    "lifespan.shutdown": (f'{_LIFESPAN}, "Shutdown"', ()),
}
_SENT: dict[str, tuple[str, tuple[Field, ...]]] = {
    "http.response.start": (f'{_WWW}, "Response Start"', (*_START, Field("trailers", _flag, "a bool"))),
    "http.response.body": (f'{_WWW}, "Response Body"', (_BODY, _MORE_BODY)),
    "http.response.trailers": (
        f'{_EXTENSIONS}, "HTTP Trailers"',
        (Field("headers", _sent_headers, _HEADERS, required=True), Field("more_trailers", _flag, "a bool")),
    ),
    "http.response.push": (
        f'{_EXTENSIONS}, "HTTP/2 Server Push"',
        (
            Field("path", _text, "a str", required=True),
            Field("headers", _sent_headers, _HEADERS, required=True),
        ),
    ),
    "http.response.early_hint": (
        f'{_EXTENSIONS}, "Early Hints"',
        (Field("links", _links, "an iterable of byte strings", required=True),),
    ),
    "http.response.zerocopysend": (
        f'{_EXTENSIONS}, "Zero Copy Send"',
        (
            Field("file", _must(lambda value: hasattr(value, "fileno")), "a file descriptor object", required=True),
            Field("offset", _number, "an int"),
            Field("count", _number, "an int"),
            _MORE_BODY,
        ),
    ),
    "http.response.pathsend": (f'{_EXTENSIONS}, "Path Send"', (Field("path", _text, "a str", required=True),)),
    "http.response.debug": (f'{_EXTENSIONS}, "Debug"', (Field("info", _dict, "a dict with str keys", required=True),)),
    "websocket.accept": (
        f'{_WWW}, "Accept"',
        (
            Field("subprotocol", _text_or_none, "a str or None"),
            Field("headers", _accept_headers, _HEADERS + ", and no sec-websocket-protocol"),
        ),
    ),
    "websocket.send": (f'{_WWW}, "Send"', _DATA),
    "websocket.close": (
        f'{_WWW}, "Close"',
        (
            Field("code", _close_code, "a close code that may be sent (RFC 6455 7.4)"),
            Field("reason", _close_reason, "a str of at most 123 bytes, or None"),
        ),
    ),
    "websocket.http.response.start": (f'{_EXTENSIONS}, "Websocket Denial Response"', _START),
    "websocket.http.response.body": (f'{_EXTENSIONS}, "Websocket Denial Response"', (_BODY, _MORE_BODY)),
    "lifespan.startup.complete": (f'{_LIFESPAN}, "Startup Complete"', ()),
    "lifespan.startup.failed": (f'{_LIFESPAN}, "Startup Failed"', _FAILED),
    "lifespan.shutdown.complete": (f'{_LIFESPAN}, "Shutdown Complete"', ()),
    "lifespan.shutdown.failed": (f'{_LIFESPAN}, "Shutdown Failed"', _FAILED),
}
_NEEDS_EXTENSION = {
    **{kind: kind for kind in _SENT if kind.startswith("http.response.") and kind.count(".") == 2},
    "websocket.http.response.start": "websocket.http.response",
    "websocket.http.response.body": "websocket.http.response",
}
del _NEEDS_EXTENSION["http.response.start"], _NEEDS_EXTENSION["http.response.body"]
_UNTOUCHED = "a message is not changed once it was handed over; who wants another one makes a copy"


class Machine:
    """What all protocols share: the form of messages, who has kept whose objects, and the first error."""

    def __init__(self, scope: Scope) -> None:
        self.error: LintError | None = None
        self._kind: str = scope["type"]
        section, fields = _SCOPES[self._kind]
        self._check("server", "scope", scope, section, fields)
        self._check("server", "scope['asgi']", scope["asgi"], f'{_CORE}, "Applications"', _VERSIONS)
        self._extensions: dict[str, Any] = scope.get("extensions") or {}
        if "tls" in self._extensions:
            where, tls = "scope['extensions']['tls']", self._extensions["tls"]
            self._check("server", where, tls, 'ASGI TLS Extension, "TLS Connection Scope"', _TLS)
        self._scope_headers: Any = scope.get("headers")
        self._scope_headers_were = _frozen_list(self._scope_headers)
        self._start: tuple[Message, Any] | None = None  # the message that Falcon shares between all clients
        self._last_sent: tuple[Message, Any] | None = None
        self._last_received: tuple[Message, Any] | None = None
        self._disconnected = False

    def feed_received(self, message: Message) -> None:
        """The server has handed `message` to the application."""
        section, kind = self._message("server", message, _RECEIVED)
        self._last_received = (message, _frozen(message))
        if section:
            self._received(kind, message, section)

    def feed_sent(self, message: Message) -> Message:
        """The application sends `message`; returns what to pass on.

        This is the same object, unless its headers can be read only once: then a copy that has them as a list.
        """
        self.check_untouched()
        if _is_dict(message):
            once = [key for key in ("headers", "links") if hasattr(message.get(key), "__next__")]
            if once:
                message = {**message, **{key: list(message[key]) for key in once}}
        section, kind = self._message("application", message, _SENT)
        if section:
            self._sent(kind, message, section)
        self._last_sent = (message, _frozen(message))
        if "headers" in message:
            self._start = self._last_sent
        return message

    def passed_on(self, message: Message) -> None:
        """The server has taken `message`: it must be as it was."""
        if self._last_sent is not None and self._last_sent[0] is message:
            self._same("server", "a message that was sent", self._last_sent)

    def send_failed(self) -> None:
        """The server's `send` raised: the connection is closed for what follows."""
        self._disconnected = True

    def check_untouched(self) -> None:
        """The application has left alone what it was given, and what it has given away."""
        if _frozen_list(self._scope_headers) != self._scope_headers_were:
            problem = f"scope['headers'] was changed in place, to {_show(self._scope_headers)}"
            self._fail("application", problem, f'{_CORE}, "Middleware": make a copy of the scope before changing it')
        for name, kept in (
            ("a message that was sent", self._start),
            ("a message that was sent", self._last_sent),
            ("a message that was received", self._last_received),
        ):
            if kept is not None:
                self._same("application", name, kept)

    def returned(self) -> None:
        """The application has returned without an exception."""
        if self.error is not None:  # raised before, and swallowed by someone in between
            raise self.error
        self.check_untouched()
        if not self._disconnected:
            self._returned()

    def _received(self, kind: str, message: Message, section: str) -> None: ...

    def _sent(self, kind: str, message: Message, section: str) -> None: ...

    def _returned(self) -> None: ...

    def _message(self, fault: Fault, message: Any, table: dict[str, tuple[str, tuple[Field, ...]]]) -> tuple[str, str]:
        """The section and the type of a message of good form; no section for one of an extension unknown to us."""
        if not _is_dict(message):
            self._fail(fault, f"the message {_show(message)} is no dict", f'{_CORE}, "Events": each event is a dict')
        kind: Any = message.get("type")
        if not isinstance(kind, str):
            problem, rule = f"a message has the type {_show(kind)}", "each event has a type, a Unicode string"
            self._fail(fault, problem, f'{_CORE}, "Events": {rule}')
        extension = _NEEDS_EXTENSION.get(kind)
        if extension is not None and extension not in self._extensions:
            rule = "a server that takes this message says so in scope['extensions']"
            self._fail(
                fault, f"{kind} was sent, and the scope has no extension {extension!r}", f"{_EXTENSIONS}: {rule}"
            )
        if kind not in table or kind.partition(".")[0] != self._kind:
            if kind in self._extensions:
                return "", kind
            rule = f"a {self._kind} connection knows no such message in this direction, nor does the scope an extension"
            self._fail(fault, f"the message type is {kind!r}", f'{_CORE}, "Protocol Specifications": {rule}')
        section, fields = table[kind]
        self._check(fault, kind, message, section, fields)
        return section, kind

    def _check(self, fault: Fault, where: str, mapping: Any, section: str, fields: tuple[Field, ...]) -> None:
        for field in fields:
            if field.key in mapping:
                if problem := field.problem(mapping[field.key]):
                    self._fail(fault, f"{where}: {field.key} {problem}", f"{section}: {field.key} is {field.rule}")
            elif field.required:
                rule = f"{section}: {field.key} is {field.rule}, and not optional"
                self._fail(fault, f"{where}: {field.key} is missing in {_show(mapping)}", rule)

    def _one_of_two(self, fault: Fault, kind: str, message: Message, section: str) -> None:
        if (message.get("bytes") is None) is (message.get("text") is None):
            rule = f"{section}: exactly one of bytes and text is not None"
            self._fail(fault, f"{kind}: {_show(message)}", rule)

    def _same(self, fault: Fault, name: str, kept: tuple[Message, Any]) -> None:
        message, was = kept
        if _frozen(message) != was:
            self._fail(fault, f"{name} was changed afterwards, to {_show(message)}", f"{_CORE}, {_UNTOUCHED}")

    def _fail(self, fault: Fault, problem: str, rule: str) -> NoReturn:
        if self.error is None:
            self.error = LintError(fault, problem, rule)
        raise self.error  # the first one: those that follow come from it


class _Response:
    """The order of the messages of one response, and its length; of HTTP, or of a denied WebSocket."""

    def __init__(self, fail: Callable[[Fault, str, str], NoReturn], prefix: str, method: str) -> None:
        self._fail = fail
        self._prefix = prefix
        self._method = method
        self.state: Literal["none", "started", "trailers", "ended"] = "none"
        self._trailers = False
        self._length: int | None = None
        self._sent = 0

    def start(self, kind: str, message: Message, section: str) -> None:
        if self.state != "none":
            self._fail("application", f"a second {kind}: {_show(message)}", f"{section}: a response starts once")
        self.state = "started"
        self._trailers = message.get("trailers", False)
        lengths = [value for name, value in message.get("headers", ()) if name == b"content-length"]
        if lengths:
            if len(lengths) > 1 or not _is_length(lengths[0]) or len(lengths[0]) > 20:
                problem = f"{kind}: content-length is {_show(b', '.join(lengths))}"
                self._fail("application", problem, "RFC 9110 8.6: Content-Length is one number, in digits")
            # RFC 9110 8.6: on these it tells a length that is not sent
            if self._method != "HEAD" and message["status"] not in (204, 304):
                self._length = int(lengths[0])

    def body(self, kind: str, message: Message, section: str) -> None:
        self._must_be_open(kind, message, section)
        self._sent += len(message.get("body", b""))
        more = message.get("more_body", False)
        if kind == "http.response.zerocopysend":
            self._length = None
        if self._length is not None and (self._sent > self._length or (not more and self._sent < self._length)):
            so_far = " so far" if more else ""
            problem = f"content-length is {self._length}, and the body has {self._sent} bytes{so_far}"
            self._fail("application", problem, "RFC 9110 8.6: Content-Length is the length of the content")
        if not more:
            self._end_body()

    def pathsend(self, kind: str, message: Message, section: str) -> None:
        self._must_be_open(kind, message, section)
        if self._sent:
            problem = f"{kind} after {self._sent} bytes of http.response.body: {_show(message)}"
            self._fail("application", problem, f"{section}: not mixed with a body")
        self._end_body()

    def trailers(self, kind: str, message: Message, section: str) -> None:
        if self.state != "trailers":
            problem = f"{kind} in the state {self.state!r}: {_show(message)}"
            rule = "trailers follow the body, where the start has announced them with trailers=True"
            self._fail("application", problem, f"{section}: {rule}")
        if not message.get("more_trailers", False):
            self.state = "ended"

    def aside(self, kind: str, message: Message, section: str) -> None:
        """Early hints and pushes: before the end. The text says "after the start", servers and RFC 8297 before it."""
        if self.state not in ("none", "started"):
            problem = f"{kind} after the body: {_show(message)}"
            self._fail("application", problem, f"{section}: sent before the final body message")

    def returned(self) -> None:
        if self.state != "ended":
            what = {
                "none": f"no {self._prefix}.start was sent",
                "started": f"no final {self._prefix}.body was sent",
                "trailers": "no final http.response.trailers was sent",
            }[self.state]
            rule = "a start, then a body whose last message has no more_body"
            self._fail("application", f"it returned, but {what}", f'{_WWW}, "Response Start": {rule}')

    def _end_body(self) -> None:
        self.state = "trailers" if self._trailers else "ended"

    def _must_be_open(self, kind: str, message: Message, section: str) -> None:
        if self.state != "started":
            when = "before the start" if self.state == "none" else "after the end"
            rule = f"{section}: it follows the start of the response, and nothing follows its end"
            self._fail("application", f"{kind} {when} of the response: {_show(message)}", rule)


class HTTPMachine(Machine):
    """One request and its response."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope)
        self._request_ended = False
        self._debugged = False
        self._response = _Response(self._fail, "http.response", scope["method"])

    def _received(self, kind: str, message: Message, section: str) -> None:
        if kind == "http.disconnect":
            self._disconnected = True
        elif self._disconnected or self._request_ended:
            when = "http.disconnect" if self._disconnected else "the last piece of the body"
            problem = f"http.request after {when}: {_show(message)}"
            self._fail("server", problem, f"{section}: more_body False says that the request is complete")
        else:
            self._request_ended = not message.get("more_body", False)

    def _sent(self, kind: str, message: Message, section: str) -> None:
        response = self._response
        if kind == "http.response.start":
            if message.get("trailers", False) and "http.response.trailers" not in self._extensions:
                problem = "http.response.start: trailers is True, and the scope has no such extension"
                self._fail("application", problem, f'{_EXTENSIONS}, "HTTP Trailers": only for servers that offer it')
            response.start(kind, message, section)
        elif kind in ("http.response.body", "http.response.zerocopysend"):
            response.body(kind, message, section)
        elif kind == "http.response.pathsend":
            response.pathsend(kind, message, section)
        elif kind == "http.response.trailers":
            response.trailers(kind, message, section)
        elif kind == "http.response.debug":
            if self._debugged or response.state != "none":
                self._fail("application", f"{kind}: {_show(message)}", f"{section}: sent once, before the start")
            self._debugged = True
        else:
            response.aside(kind, message, section)

    def _returned(self) -> None:
        self._response.returned()


class WebSocketMachine(Machine):
    """One WebSocket, from its handshake on."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope)
        self._subprotocols: list[str] = list(scope.get("subprotocols", ()))
        self._connect_received = False
        self._state: Literal["connecting", "accepted", "denied", "closed"] = "connecting"
        self._denial = _Response(self._fail, "websocket.http.response", "GET")

    def _received(self, kind: str, message: Message, section: str) -> None:
        if (kind == "websocket.connect") is self._connect_received and kind != "websocket.disconnect":
            problem = f"{kind} {'again' if self._connect_received else 'before websocket.connect'}: {_show(message)}"
            self._fail("server", problem, f'{_WWW}, "Connect": sent when the connection is opened, and first')
        self._connect_received = True
        if kind == "websocket.disconnect":
            self._disconnected = True
        elif kind == "websocket.receive":
            if self._disconnected or self._state == "connecting":
                when = "after websocket.disconnect" if self._disconnected else "before websocket.accept"
                problem = f"{kind} {when}: {_show(message)}"
                self._fail("server", problem, f'{_WWW}, "Connect": data comes between the accept and the disconnect')
            self._one_of_two("server", kind, message, section)

    def _sent(self, kind: str, message: Message, section: str) -> None:
        if self._disconnected:  # "Error Handling": what is sent on a closed connection is generally no error
            return
        if self._state == "closed" or (self._state == "denied" and not kind.startswith("websocket.http.")):
            problem = f"{kind} after the connection was {self._state}: {_show(message)}"
            self._fail("application", problem, f"{section}: nothing follows the close, or the denial")
        if kind == "websocket.close":
            self._state = "closed"
        elif kind == "websocket.send":
            if self._state != "accepted":
                problem = f"{kind} before websocket.accept: {_show(message)}"
                self._fail("application", problem, f'{_WWW}, "Connect": first accept or close the connection')
            self._one_of_two("application", kind, message, section)
        elif not self._connect_received:
            problem = f"{kind} before websocket.connect was received: {_show(message)}"
            self._fail("application", problem, f'{_WWW}, "Connect": it is an answer to that message')
        elif kind == "websocket.accept":
            self._accept(kind, message, section)
        else:
            if self._state == "accepted":
                problem = f"{kind} after websocket.accept: {_show(message)}"
                self._fail("application", problem, f"{section}: a denial takes the place of the accept")
            self._state = "denied"
            (self._denial.start if kind.endswith("start") else self._denial.body)(kind, message, section)

    def _accept(self, kind: str, message: Message, section: str) -> None:
        if self._state == "accepted":
            self._fail("application", f"a second {kind}: {_show(message)}", f"{section}: a connection is accepted once")
        subprotocol = message.get("subprotocol")
        if subprotocol is not None and subprotocol not in self._subprotocols:
            problem = f"{kind}: subprotocol is {subprotocol!r}, and the client offers {_show(self._subprotocols)}"
            self._fail("application", problem, "RFC 6455 4.2.2: the server chooses one of those that the client offers")
        self._state = "accepted"

    def _returned(self) -> None:
        if self._state == "connecting":
            rule = "the connect must be responded to with an accept or a close"
            self._fail("application", "it returned without an answer", f'{_WWW}, "Connect": {rule}')
        if self._state == "denied":
            self._denial.returned()


class LifespanMachine(Machine):
    """The lifespan of one event loop."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope)
        self._asked: set[str] = set()
        self._answered: set[str] = set()

    def _received(self, kind: str, message: Message, section: str) -> None:
        phase = kind.partition(".")[2]
        if phase in self._asked or (phase == "shutdown" and "startup" not in self._answered):
            problem = f"{kind} {'again' if phase in self._asked else 'before the startup was answered'}"
            rule = "a startup, then a shutdown, once each"
            self._fail("server", f"{problem}: {_show(message)}", f"{section}: {rule}")
        self._asked.add(phase)

    def _sent(self, kind: str, message: Message, section: str) -> None:
        phase = kind.split(".")[1]
        if phase not in self._asked or phase in self._answered:
            when = f"again, or before lifespan.{phase} was received"
            problem = f"{kind} {when}: {_show(message)}"
            self._fail("application", problem, f"{section}: one answer to lifespan.{phase}")
        self._answered.add(phase)

    def _returned(self) -> None:
        for phase in ("startup", "shutdown"):
            if phase not in self._answered and (phase == "startup" or phase in self._asked):
                problem = f"it returned without lifespan.{phase}.complete or lifespan.{phase}.failed"
                rule = "the server waits for an answer; reject what you do not support with an exception"
                self._fail("application", problem, f'{_CORE}, "Protocol Specifications": {rule}')


_MACHINES: dict[str, type[Machine]] = {
    "http": HTTPMachine,
    "websocket": WebSocketMachine,
    "lifespan": LifespanMachine,
}


def machine(scope: Any) -> Machine | None:
    """The machine for a scope, which is checked; None if its type is none of ours.

    Raises:
        LintError: the scope breaks a rule.
    """
    kind: Any = scope.get("type") if _is_mapping(scope) else None
    if not isinstance(kind, str):
        rule = f'{_CORE}, "Applications": scope is a dict, and its type a Unicode string'
        raise LintError("server", f"the scope is {_show(scope)}", rule)
    protocol = _MACHINES.get(kind)
    return protocol(scope) if protocol else None


def _frozen(message: dict[str, Any]) -> tuple[Any, ...]:
    """What a message holds, down to its pairs of headers; equal objects are told by identity, so this is cheap."""
    return tuple((key, _frozen_list(value)) for key, value in message.items())


def _frozen_list(values: Any) -> Any:
    if not _is_sequence(values):
        return values
    return [tuple(item) if _is_sequence(item) else item for item in values]
