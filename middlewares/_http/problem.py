"""The one maker of the answers that layers of ours give themselves: RFC 9457 problems, or text or HTML by Accept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..asgi import Message, Scope
from .headers import Header, request_values
from .vary import add_vary

_JSON, _HTML, _TEXT = b"application/problem+json", b"text/html; charset=utf-8", b"text/plain; charset=utf-8"

# What is offered, in the server's order. RFC 9457 3: a client that asks for application/json gets a problem, too (its
# second example). Some ask for a charset of JSON, which is always this one (RFC 8259 8.1, 11).
_OFFERS = {
    b"application/problem+json;charset=utf-8": _JSON,
    b"application/json;charset=utf-8": _JSON,
    b"text/html;charset=utf-8": _HTML,
    b"text/plain;charset=utf-8": _TEXT,
}

# RFC 9110 15.5 renamed these; http.HTTPStatus follows from Python 3.13 on.
_RENAMED = {413: "Content Too Large", 414: "URI Too Long", 416: "Range Not Satisfiable", 422: "Unprocessable Content"}

# An error is about one request, whose id it names: no cache keeps it, also not where the status may be cached by
# default (404, 405, 501; RFC 9111 4.2.2) or a CDN keeps errors for a while. What is text stays text (nosniff).
_CONSTANTS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))

# Written out, as terminals obey some of them: all but tab and line feed.
_CONTROLS = {code: f"\\x{code:02x}" for code in [*range(0x20), *range(0x7F, 0xA0)] if code not in (0x09, 0x0A)}
_MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{heading}</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; margin: 10vh auto; max-width: 60rem; padding: 0 1.5rem }}
h1 {{ font-size: 1.5rem; font-weight: 600 }}
p {{ overflow-wrap: anywhere; white-space: pre-line }}
pre {{ border: 1px solid; font-size: 0.875rem; overflow-x: auto; padding: 1rem }}
</style>
</head>
<body>
<h1>{heading}</h1>
{content}</body>
</html>
"""


def problem(
    scope: Scope,
    status: int,
    detail: str | None = None,
    *,
    title: str | None = None,
    headers: Iterable[Header] = (),
    traceback: str | None = None,
    prefix: str = "http",
) -> tuple[Message, Message]:
    """The start and the final body message of an error, in the form that the request's Accept prefers.

    Where nothing is preferred, or nothing that we have, it is `application/problem+json` (RFC 9110 12.5.1 lets a server
    disregard Accept). The answer to HEAD has the headers of GET and no body.

    Args:
        scope: An `http` or `websocket` scope; a `request_id` in its state becomes a member of the problem.
        status: The status code, 400 to 599.
        detail: What happened this time, in words for the client. None leaves it out.
        title: What kind of error it is. None is the phrase of the status code, as RFC 9457 4.2.1 asks.
        headers: Further pairs of the response; a Vary among them is merged with ours.
        traceback: The traceback to show, in debug mode only. None leaves it out.
        prefix: Of the message types: "http", or "websocket.http" for the denial of a handshake.
    """
    from .accept import preferred  # here, as only errors need it: its expressions take 3 ms to compile

    status = int(status)  # http.HTTPStatus is none of the types that a message may hold
    title = _phrase(status) if title is None else title
    request_id = _request_id(scope)
    offer = preferred(request_values(scope, b"accept"), tuple(_OFFERS))
    form = _JSON if offer is None else _OFFERS[offer]
    if form is _JSON:
        body = _as_json(title, status, detail, request_id, traceback)
    elif form is _HTML:
        body = _as_html(title, status, detail, request_id, traceback)
    else:
        body = _as_text(title, status, detail, request_id, traceback)
    fields = [
        (b"content-type", form),
        (b"content-length", b"%d" % len(body)),
        *_CONSTANTS,
        *headers,
    ]
    add_vary(fields, b"Accept")  # RFC 9110 12.5.5
    if scope.get("method") == "HEAD":
        body = b""  # RFC 9110 9.3.2: the header fields of GET, content-length too, without its content
    return (
        {"type": f"{prefix}.response.start", "status": status, "headers": fields},
        {"type": f"{prefix}.response.body", "body": body, "more_body": False},
    )


def _phrase(status: int) -> str:
    from http import HTTPStatus  # here, as only errors need it

    try:
        return _RENAMED.get(status) or HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _request_id(scope: Scope) -> str | None:
    request_id: Any = scope["state"].get("request_id") if isinstance(scope.get("state"), Mapping) else None
    return request_id if isinstance(request_id, str) else None


def _as_json(title: str, status: int, detail: str | None, request_id: str | None, traceback: str | None) -> bytes:
    import json  # here, as only errors need it

    # No `type`: RFC 9457 4.2.1, its absence is about:blank, "no more than the status code says".
    members = {"title": title, "status": status, "detail": detail, "request_id": request_id, "traceback": traceback}
    given = {
        name: _without_surrogates(value) if isinstance(value, str) else value
        for name, value in members.items()
        if value is not None
    }
    return json.dumps(given).encode("ascii")


def _as_text(title: str, status: int, detail: str | None, request_id: str | None, traceback: str | None) -> bytes:
    named = f"Request ID: {request_id}" if request_id is not None else None
    paragraphs = [f"{status} {title}", detail, named, traceback]
    text = "\n\n".join([paragraph.strip("\n") for paragraph in paragraphs if paragraph is not None]) + "\n"
    return _printable(text).encode("utf-8")


def _as_html(title: str, status: int, detail: str | None, request_id: str | None, traceback: str | None) -> bytes:
    content = ""
    if detail is not None:
        content += f"<p>{_escaped(detail)}</p>\n"
    if request_id is not None:
        content += f"<p>Request ID: <code>{_escaped(request_id)}</code></p>\n"
    if traceback is not None:
        content += f"<pre>{_escaped(traceback)}</pre>\n"
    return _PAGE.format(heading=_escaped(f"{status} {title}"), content=content).encode("utf-8")


def _escaped(text: str) -> str:
    return _printable(text).translate(_MARKUP)


def _printable(text: str) -> str:
    return _without_surrogates(text).translate(_CONTROLS)


def _without_surrogates(text: str) -> str:
    """Lone surrogates written out: UTF-8 has no form for them, and not every JSON parser takes their escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
