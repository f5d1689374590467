"""The ASGI shell of timing: reads the clock around messages, adds fields, and reports what a request took."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from time import perf_counter, perf_counter_ns
from typing import Any, ClassVar, Protocol, cast

from .._http.headers import Header, owns_starts, pairs, request_values
from .._http.lists import members
from .._http.options import checked_bool, checked_callable
from .._http.paths import Condition, matchers
from ..asgi import AnyASGIApp, Message, OrderRules, Receive, Scope, Send, entry
from .exchange import LAST, Exchange
from .hooks import Hook, asked, checked_exporters, checked_hooks, logger, notify
from .policy import TimingPolicy
from .records import TimingRecord, state_value
from .spans import Collector, Timed, current

# What request ids with trace context leave in the state; anything else is not for a header.
_TRACEPARENT = "00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"


class Exporter(Protocol):
    """What `exporters` takes."""

    def on_start(self, scope: Any, /) -> Any:
        """A request has begun."""
        ...

    def on_complete(self, record: TimingRecord, /) -> Any:
        """It is over."""
        ...


class TimingMiddleware:
    """Server-Timing for browsers, and a record of each request for logs and metrics.

    Functions that you give run in the event loop. What they raise breaks no request: it is logged at ERROR by
    `middlewares.timing`.

    Args:
        app: The application to wrap (ASGI 3, or an ASGI 2 double callable).
        header: The name of the response header. None sends none: measure only. Default: `"Server-Timing"`.
        metric: The name of the entry for the time to the start of the response, a token. Default: `"app"`.
        precision: Digits after the point of milliseconds, 0 to 9. Default: 1.
        expose: Whether clients see metrics, or a plain callable `(scope) -> bool` that is asked as the response starts.
            Everyone who sees them can measure your code, and read names and descriptions of spans. Default: True.
        timing_allow_origin: Origins whose pages may read the timing of cross-origin requests: one, a list, or `"*"`;
            sent as `Timing-Allow-Origin` unless the application has set one. None sends none. Default: None.
        trailers: Whether to send an entry `total`, and spans that ended after the start, in trailers, where server and
            client know them. Default: False.
        traceparent: Whether to add the entry `traceparent` for real user monitoring in browsers, from
            `scope["state"]["trace"]`. Default: False.
        exclude: What is not measured at all: path prefixes on segment borders (`"/health"`: also `/health/live`, not
            `/healthy`), compiled patterns that are searched in the path (both: below `root_path`), or a callable of the
            scope; one, or a list. Default: nothing.
        on_start: A callable of the scope, or several, plain or async: called as a request begins. None: none.
        on_complete: A callable of the `TimingRecord`, or several, plain or async: called once for each request, right
            after its last message was sent, and before background work. An async one runs in a task of its own, which
            nothing waits for. None: none.
        exporters: Objects with both methods, `on_start` and `on_complete`. Default: none.
        slow: Seconds from which on a request is logged at WARNING. None: never. Default: None.
        websockets: Whether WebSocket connections have records, too. Default: False.

    Raises:
        TypeError: A keyword has a value of the wrong type.
        ValueError: A keyword has a value that cannot work.

    Source: https://www.w3.org/TR/server-timing/, RFC 9110 6.5 (trailers).
    """

    owns_starts = False
    asgi_order: ClassVar[OrderRules] = {
        "kinds": ("log", "timing"),
        "once": {"timing": "spans are known to the inner one alone, and a response has an entry of each"},
    }

    def __init__(
        self,
        app: AnyASGIApp,
        *,
        header: str | None = "Server-Timing",
        metric: str = "app",
        precision: int = 1,
        expose: bool | Callable[[Scope], bool] = True,
        timing_allow_origin: str | Iterable[str] | None = None,
        trailers: bool = False,
        traceparent: bool = False,
        exclude: Condition | Iterable[Condition] = (),
        on_start: Hook | Iterable[Hook] | None = None,
        on_complete: Hook | Iterable[Hook] | None = None,
        exporters: Iterable[Any] = (),
        slow: float | None = None,
        websockets: bool = False,
    ) -> None:
        self.app = app
        self._app = entry(app)
        self._policy = TimingPolicy(
            header=header, metric=metric, precision=precision, timing_allow_origin=timing_allow_origin
        )
        if not isinstance(expose, bool):
            checked_callable("expose", expose, "True, False or a plain callable of the scope")
        self._expose = expose
        self._trailers = checked_bool("trailers", trailers) and expose is not False and bool(self._policy.name)
        self._traceparent = checked_bool("traceparent", traceparent)
        self._excludes = matchers("exclude", exclude)
        found = checked_exporters(exporters)
        self._on_start = (*checked_hooks("on_start", on_start), *[exporter.on_start for exporter in found])
        self._on_complete = (*checked_hooks("on_complete", on_complete), *[exporter.on_complete for exporter in found])
        self._slow = _checked_slow(slow)
        self._websockets = checked_bool("websockets", websockets)
        self._records = bool(self._on_start or self._on_complete or self._slow is not None)
        self._adds = expose is not False and bool(self._policy.name or self._policy.allow_origin)
        # Whether there are HTTP requests with which there is nothing to do.
        self._asks = bool(self._excludes) or not (self._adds or self._records)
        # Whether the one thing to do is to add one field, which is known but for the time and the spans.
        self._plain = expose is True and not (
            header is None or trailers or traceparent or self._policy.allow_origin or self._records
        )
        self._in_place = owns_starts(app)
        self.owns_starts = self._plain and not self._asks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application and measure it."""
        if (scope["type"] != "http" or self._asks) and not self._measures(scope):
            await self._app(scope, receive, send)
            return
        collector: Collector = [[]]
        # Set for each request, never reset: bridges end a request in another context, and uvicorn with h11 lets one
        # request see what an earlier one of its connection has set.
        current.set(collector)
        started = perf_counter_ns()

        # The plain case stands here, with defaults in place of a closure, since that is what keeps the layer cheap.
        # No await of its own: hands the inner awaitable on.
        def send_plain(
            message: Message,
            policy: TimingPolicy = self._policy,
            send: Send = send,
            collector: Collector = collector,
            started: int = started,
            in_place: bool = self._in_place,
        ) -> Any:
            if message["type"] == "http.response.start":
                field = policy.fields[(perf_counter_ns() - started + policy.half) // policy.unit]
                spans = collector[0]
                collector[0] = None  # what comes now is too late for the header
                if in_place:
                    headers = message["headers"]
                    headers.append(policy.joined(field, spans, headers) if spans else field)
                    return send(message)
                message = {**message}
                headers = message.get("headers")
                if not spans and headers.__class__ is list:
                    # In one pass, without another call, since this runs for every response.
                    for pair in headers:
                        if pair.__class__ is not tuple:
                            break
                        name, value = pair
                        if name.__class__ is not bytes or value.__class__ is not bytes:
                            break
                    else:
                        message["headers"] = [*headers, field]
                        return send(message)
                message["headers"] = headers = pairs(headers)
                headers.append(policy.joined(field, spans, headers) if spans else field)
            return send(message)

        try:
            if self._plain:
                await self._app(scope, receive, send_plain)
                return
            if self._adds and scope["type"] == "http":
                wrapped = self._with_trailers if self._trailers else self._with_header
                send = wrapped(scope, send, collector, started)
            if self._records:
                await self._observe(scope, receive, send, collector, started)
            else:
                await self._app(scope, receive, send)
        finally:
            collector[0] = None

    def _with_header(self, scope: Scope, send: Send, collector: Collector, started: int) -> Send:
        def send_timed(message: Message) -> Any:
            if message["type"] == "http.response.start":
                field = self._policy.at_start(perf_counter_ns() - started)
                spans = collector[0]
                if not self._records:
                    collector[0] = None
                message = self._timed(message, scope, field, spans or [])
            return send(message)

        return send_timed

    def _measures(self, scope: Scope) -> bool:
        kind = scope["type"]
        if not (kind == "http" and (self._adds or self._records)) and not (
            kind == "websocket" and self._websockets and self._records
        ):
            return False
        return not any(asked("exclude", excludes, scope) for excludes in self._excludes)

    def _with_trailers(self, scope: Scope, send: Send, collector: Collector, started: int) -> Send:
        policy = self._policy
        spans = cast("list[Timed]", collector[0])
        in_header = 0
        adds = announced = False

        def total() -> Header:
            return policy.at_end((perf_counter_ns() - started) / 1e9, spans[in_header:])

        async def send_timed(message: Message) -> None:
            nonlocal adds, announced, in_header
            kind = message["type"]
            if kind == "http.response.start":
                in_header = len(spans)
                field = policy.at_start(perf_counter_ns() - started)
                timed = self._timed(message, scope, field, spans[:in_header])
                adds = timed is not message and _takes_trailers(scope, timed)
                announced = bool(message.get("trailers", False))
                if adds:
                    timed["trailers"] = True
                    timed["headers"].append((b"trailer", policy.name))
                await send(timed)
            elif not adds or kind not in LAST or message.get(LAST[kind], False):
                await send(message)
            elif kind == "http.response.trailers":  # the application's last ones: ours join them
                await send({**message, "headers": [*pairs(message.get("headers")), total()]})
            else:
                await send(message)
                if not announced:
                    await send({"type": "http.response.trailers", "headers": [total()], "more_trailers": False})

        return send_timed

    def _timed(self, message: Message, scope: Scope, field: Header, spans: list[Timed]) -> Message:
        if self._expose is not True and not asked("expose", cast("Hook", self._expose), scope):
            return message
        policy = self._policy
        message = {**message}
        message["headers"] = headers = pairs(message.get("headers"))
        if policy.name:
            trace = state_value(scope, "trace") if self._traceparent else None
            if trace is not None and re.fullmatch(_TRACEPARENT, trace):
                field = policy.traced(field, trace)
            headers.append(policy.joined(field, spans, headers) if spans else field)
        if policy.allow_origin is not None and not _has(headers, policy.allow_origin[0]):
            headers.append(policy.allow_origin)
        return message

    async def _observe(self, scope: Scope, receive: Receive, send: Send, collector: Collector, started: int) -> None:
        exchange = Exchange(scope)
        spans = cast("list[Timed]", collector[0])
        began = started / 1e9  # as perf_counter() says it

        def complete(error: Exception | None = None) -> None:
            if not exchange.done:
                collector[0] = None
                self._report(exchange.record(perf_counter() - began, error, spans))

        async def receive_observed() -> Message:
            asked_at = perf_counter()
            message = await receive()
            if exchange.received(message, perf_counter() - asked_at):
                complete()
            return message

        async def send_observed(message: Message) -> None:
            handed_at = perf_counter()
            exchange.handed(message, handed_at - began)
            try:
                await send(message)
            except OSError:  # ASGI: what `send` raises once the client has gone
                exchange.aborted = True
                raise
            finally:
                exchange.send_wait += perf_counter() - handed_at
            if exchange.ended:
                complete()

        notify(self._on_start, scope)
        try:
            await self._app(scope, receive_observed, send_observed)
        except Exception as error:
            complete(error)
            raise
        except BaseException:  # cancellation, on asyncio and trio
            exchange.aborted = True
            complete()
            raise
        exchange.aborted = exchange.aborted or not exchange.ended
        complete()

    def _report(self, record: TimingRecord) -> None:
        if self._slow is not None and record.type == "http" and record.duration >= self._slow:
            logger.warning(
                "slow request: %a %a -> %s in %.3f s (request id %a)",
                record.method,
                record.path,
                record.status,
                record.duration,
                record.request_id,
            )
        notify(self._on_complete, record)


def _takes_trailers(scope: Scope, start: Message) -> bool:
    """Whether trailers can be sent (RFC 9110 6.5.1): both sides know them, and the response has a place for them."""
    if "http.response.trailers" not in (scope.get("extensions") or ()):
        return False
    if b"trailers" not in [member.lower() for member in members(request_values(scope, b"te"))]:
        return False
    if scope["method"] == "HEAD" or start["status"] in (204, 304):
        return False
    # RFC 9112 7.1.2: in HTTP/1.1 they are a part of the chunked coding, which excludes content-length.
    return scope.get("http_version") not in ("1.0", "1.1") or (
        scope["http_version"] == "1.1" and not _has(start["headers"], b"content-length")
    )


def _has(headers: list[Header], name: bytes) -> bool:
    return any(key.lower() == name for key, _ in headers)


def _checked_slow(slow: object) -> float | None:
    if slow is None:
        return None
    if isinstance(slow, bool) or not isinstance(slow, int | float):
        raise TypeError(f"slow must be a number of seconds, or None (got {slow!r})")
    if not 0 <= slow < float("inf"):
        raise ValueError(f"slow must be 0 or more seconds, or None for no log (got {slow!r})")
    return slow
