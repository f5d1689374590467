"""What an exception is answered with: the configuration, the check of a handler's answer, the traceback as text."""

from __future__ import annotations

import re
import traceback
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeAlias

from .._http.headers import Header
from .._http.lists import is_token
from .._http.options import checked_bool
from ..asgi import Message, Scope

Answer: TypeAlias = tuple[int, Iterable[Header], bytes]
"""What a handler returns: the status code, the header pairs in bytes, the whole body."""

Handler: TypeAlias = Callable[[Scope, Exception], Answer | Awaitable[Answer]]

_TRACEBACK_HALF = 32_768  # characters
_is_field_value = re.compile(rb"[\t\x20-\x7e\x80-\xff]*").fullmatch  # RFC 9110 5.5


class ServerErrorPolicy:
    """The configuration of `ServerErrorMiddleware`, checked. For the keywords see there."""

    __slots__ = ("debug", "handler")

    def __init__(self, *, debug: bool, handler: Handler | None) -> None:
        if handler is not None and not callable(handler):
            raise TypeError(f"handler must be a callable of (scope, exc), or None for the plain 500 (got {handler!r})")
        # "false" from an environment variable is true, and would show tracebacks to everyone.
        self.debug = checked_bool("debug", debug)
        self.handler = handler


def handler_messages(answer: Any, *, head: bool, prefix: str) -> tuple[Message, Message]:
    """The start and body messages of what a handler returned; `head` leaves the body out, as HEAD asks.

    Raises:
        TypeError: the answer is not of the form (status, headers, body), or a part of it has the wrong type.
        ValueError: a status code that has no body or does not exist, or a header that would break the response.
    """
    try:
        status, headers, body = answer
    except (TypeError, ValueError):
        raise TypeError(f"handler must return (status, headers, body) (got {_form(answer)})") from None
    if not isinstance(status, int):
        raise TypeError(f"handler must return the status as int (got {_form(status)})")
    # RFC 9110 15.2: 1xx are not final; 15.3.5, 15.3.6, 15.4.5: these three have no content.
    if not 200 <= status <= 599 or status in (204, 205, 304):
        raise ValueError(f"handler must return a status from 200 to 599 that has a body (got {status})")
    if not isinstance(body, bytes):
        raise TypeError(f"handler must return the body as bytes (got {_form(body)})")
    fields = [_checked(pair) for pair in headers]
    # How long the body is, is told here and by the server (RFC 9110 8.6, RFC 9112 6.1).
    fields = [pair for pair in fields if pair[0] not in (b"content-length", b"transfer-encoding")]
    fields.append((b"content-length", b"%d" % len(body)))
    return (
        {"type": f"{prefix}.response.start", "status": int(status), "headers": fields},
        {"type": f"{prefix}.response.body", "body": b"" if head else bytes(body), "more_body": False},
    )


def _checked(pair: Any) -> Header:
    try:
        name, value = pair
    except (TypeError, ValueError):
        raise TypeError(f"handler must return headers as pairs of bytes (got {_form(pair)} that is no pair)") from None
    if not isinstance(name, bytes) or not isinstance(value, bytes):
        raise TypeError(f"handler must return headers as pairs of bytes (got {_form(name)} and {_form(value)})")
    value = value.strip(b" \t")
    if not is_token(name) or not _is_field_value(value):
        raise ValueError(f"handler must return headers that HTTP allows (got {name[:100]!r}: {value[:100]!r})")
    return name.lower(), value


def _form(value: object) -> str:
    """What a value is, without its content, which may be a secret or without end."""
    return f"a {type(value).__qualname__}"


def traceback_text(error: BaseException) -> str:
    """The traceback as Python prints it, with causes, contexts, groups and notes; without the values of locals.

    Whatever the exceptions do when they are asked for their text, there is an answer, and a bounded one: of a huge
    traceback the beginning and the end.
    """
    try:
        text = "".join(traceback.format_exception(error))
    except Exception as failure:  # noqa: BLE001 - an exception may have any code in its attributes
        text = f"{type(error).__qualname__}, whose traceback cannot be shown ({type(failure).__qualname__})\n"
    left_out = len(text) - 2 * _TRACEBACK_HALF
    if left_out <= 0:
        return text
    return f"{text[:_TRACEBACK_HALF]}\n[{left_out} characters left out]\n{text[-_TRACEBACK_HALF:]}"
