"""The ASGI shell of request ids: finds the id of a request, and hands it to everyone who wants to know."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from .._http.headers import Header, edit_start, owns_starts, pairs, request_values
from .._http.options import checked_bool
from ..asgi import AnyASGIApp, Message, OrderRules, Receive, Scope, Send, entry
from .context import outbound_var, request_id_var
from .policy import FIRST_NAME, RequestIDPolicy, replaced
from .trace import Trace, continued_trace, new_trace

# How a layer inside knows that one outside of it has decided: (id, trace) in the scope that is handed on, taken out
# when the layer is done. `state["request_id"]` cannot tell: with a server that gives one state to all requests, it is
# the id of the one before.
_MARK = "middlewares.request_id"


class RequestIDMiddleware:
    """One id for each request: adopted if it is safe and trusted, else new; in response, scope, logs, outgoing calls.

    Functions that you give (`generator`, `validator`, `transformer`, `trust_incoming`) are plain ones and run in the
    event loop. What they raise breaks no request: it is logged once, at ERROR, and counts as an unsafe id, or as no.

    Args:
        app: The application to wrap (ASGI 3, or an ASGI 2 double callable).
        header_name: The header of the request, or several that are looked up in order: the first that the request has
            decides. The first is the one for response, rewritten request and outgoing calls, too. Default:
            `"X-Request-ID"`.
        response_header: Another name for the response's header. None sends none. Default: the first `header_name`.
        generator: What new ids are: `"hex"` (32 digits, 128 random bits), `"uuid4"`, `"uuid7"`, `"ulid"` (these two
            sort by time, and tell it), or a callable without arguments. Its result goes through `str()`; if that is not
            safe (see `validator`), a hex id takes its place. Default: `"hex"`.
        validator: Which ids of clients are adopted, beyond the rule that always holds: 1 to 128 characters of
            `A-Z a-z 0-9 . _ : = + / @ ~ -`, the first a letter or digit. A callable `(id) -> bool`, or a compiled
            pattern that has to match all of it. None: the rule is enough. Default: None.
        transformer: A callable `(id) -> id` for adopted and new ids, whose result has to be safe, too. None leaves ids
            as they are. Default: None.
        trust_incoming: Whose ids, and trace context, are believed: True everyone's, False nobody's, a callable
            `(scope) -> bool`, or a list of networks (`["10.0.0.0/8"]`) that the peer must be in: your proxies. With
            True a client chooses the ids in your logs, and can use one twice. Default: True.
        update_request_header: Whether the application sees the id as the one header of the request. False leaves the
            request as it came, with unchecked values. Default: True.
        trace_context: Whether to carry W3C Trace Context on: `state["trace"]`, and `traceparent` and `tracestate` in
            `outbound_headers`. Default: False.
        exception_note: Whether an exception that passes gets the note `request_id=…` (PEP 678). Default: False.

    Raises:
        TypeError: A keyword has a value of the wrong type.
        ValueError: A name that HTTP does not allow, an unknown generator, or a network that is none.

    Source: RFC 9110 5 (names and values), RFC 9562 (UUIDs), https://www.w3.org/TR/trace-context-2/.
    """

    owns_starts = False
    asgi_order: ClassVar[OrderRules] = {
        "kinds": ("request-id",),
        "outside": {
            "log": "what that layer logs before this one runs has no id, or the id of the request before",
            "errors": "the 500 of that layer goes out without the request id header",
        },
    }

    def __init__(
        self,
        app: AnyASGIApp,
        *,
        header_name: str | Iterable[str] = "X-Request-ID",
        response_header: str | None = FIRST_NAME,
        generator: str | Callable[[], object] = "hex",
        validator: Callable[[str], bool] | re.Pattern[str] | None = None,
        transformer: Callable[[str], str] | None = None,
        trust_incoming: bool | Callable[[Scope], bool] | Iterable[str] = True,
        update_request_header: bool = True,
        trace_context: bool = False,
        exception_note: bool = False,
    ) -> None:
        self.app = app
        self._app = entry(app)
        self._policy = RequestIDPolicy(
            header_name=header_name,
            response_header=response_header,
            generator=generator,
            validator=validator,
            transformer=transformer,
            trust_incoming=trust_incoming,
        )
        self._update_request_header = checked_bool("update_request_header", update_request_header)
        self._trace_context = checked_bool("trace_context", trace_context)
        self._exception_note = checked_bool("exception_note", exception_note)
        self._in_place = owns_starts(app)
        self.owns_starts = self._policy.response_name is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application with an id for its request."""
        kind = scope["type"]
        if kind != "http" and kind != "websocket":  # noqa: PLR1714 - at half the time of a look into a tuple
            await self._app(scope, receive, send)
            return
        policy = self._policy
        first = policy.first
        headers = scope["headers"]
        found: tuple[Header, ...] = ()
        for name, value in headers:
            if name == first:
                if found:  # all of them in one pass: a client can send thousands
                    found = policy.found(headers)
                    break
                found = ((name, value),)
        if policy.has_others:
            found = policy.found(headers)
        traces = self._trace_context
        trusted = not (found or traces) or policy.trusts is None or policy.trusts(scope)
        outer = scope[_MARK] if _MARK in scope else None  # noqa: SIM401 - at half the time of `get`
        trace: Trace | None = None
        if outer is not None:
            request_id, trace = outer
        elif not found:
            request_id = policy.new()
        elif not trusted or (request_id := policy.adopted(found)) is None:
            request_id = policy.new()
            if self._update_request_header:
                # As if it had never come: what is put back at the end is read by tasks that go on after the response.
                headers, found = policy.without_ids(headers), ()
        state = scope.get("state")
        if state is None:
            state = scope["state"] = {}
        state["request_id"] = request_id
        if traces and trace is None:
            trace = _trace(scope, trusted=trusted)
            state["trace"] = trace.traceparent()
        # Set for each request, also where an earlier one of the same connection left its own here (uvicorn with h11).
        # Never reset: the error logs of layers outside and of the server come later.
        request_id_var.set(request_id)
        if trace is not None or policy.is_renamed:
            outbound_var.set((request_id, policy.name, trace))

        sent_id = request_id.encode()
        if self._update_request_header:
            # Not written into the server's list, and not into a copy of the scope either, which would hide from the
            # layers outside what routers write. The list is put back afterwards.
            scope["headers"] = (
                policy.request_headers(headers, found, sent_id) if found else [*headers, (first, sent_id)]
            )
        scope[_MARK] = (request_id, trace)
        send_with_id = send
        if policy.response_name is not None:
            pair = (policy.response_name, sent_id)
            if kind == "websocket":
                send_with_id = _handshake_send(send, pair)
            else:
                # It stands here, with defaults in place of a closure, since that is what keeps the layer cheap.
                # No await of its own: hands the inner awaitable on.
                def send_at_start(
                    message: Message,
                    send: Send = send,
                    ready: Header = pair,
                    length: int = policy.response_length,
                    in_place: bool = self._in_place,
                ) -> Any:
                    if message["type"] == "http.response.start":
                        if in_place:
                            headers = message["headers"]
                            for name, _ in headers:
                                if len(name) == length and name.lower() == ready[0]:
                                    message["headers"] = replaced(headers, ready)
                                    break
                            else:
                                headers.append(ready)
                            return send(message)
                        message = {**message}
                        headers = message.get("headers")
                        if headers.__class__ is list:
                            # In one pass, without another call, since this runs for every response.
                            for pair in headers:
                                if pair.__class__ is not tuple:
                                    break
                                name, value = pair
                                if name.__class__ is not bytes or value.__class__ is not bytes:
                                    break
                                if len(name) == length and name.lower() == ready[0]:
                                    break
                            else:
                                message["headers"] = [*headers, ready]
                                return send(message)
                        message["headers"] = replaced(pairs(headers), ready)
                    return send(message)

                send_with_id = send_at_start
        try:
            await self._app(scope, receive, send_with_id)
        except Exception as error:
            if self._exception_note:
                _add_note(error, f"request_id={request_id}")
            raise
        finally:
            scope["headers"] = headers
            if outer is None:
                del scope[_MARK]


def _handshake_send(send: Send, pair: Header) -> Send:
    return edit_start(send, lambda headers: replaced(headers, pair))


def _trace(scope: Scope, *, trusted: bool) -> Trace:
    # The headers of the request stay: the tracer of an OpenTelemetry SDK inside has to see its true parent.
    trace = None
    if trusted:
        trace = continued_trace(request_values(scope, b"traceparent"), request_values(scope, b"tracestate"))
    return trace or new_trace()


def _add_note(error: Exception, note: str) -> None:
    # Two layers for one request, or an exception object that is raised again and again: one note is enough.
    notes = getattr(error, "__notes__", [])
    if isinstance(notes, list) and note not in notes:
        error.add_note(note)
