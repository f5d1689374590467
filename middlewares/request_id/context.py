"""The id of the request that runs, for code that has no scope at hand."""

from __future__ import annotations

from contextvars import ContextVar

from .trace import Trace

request_id_var: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The `ContextVar` behind `current_request_id`.

The middleware sets it for each request, and does not reset it: error logs of the server come after the application has
returned. Set it yourself where work is done for a request elsewhere, as in a queue's worker.
"""

outbound_var: ContextVar[tuple[str, Trace | None]] = ContextVar("outbound", default=("X-Request-ID", None))
"""What outgoing calls need beside the id: the name of its header, and the trace."""


def current_request_id() -> str | None:
    """The id of the request that runs in this context; None outside of requests."""
    return request_id_var.get()


def outbound_headers() -> dict[str, str]:
    """The headers that tell another service about the request that runs; `{}` outside of requests.

    The id, under the first `header_name`; with `trace_context=True` also `traceparent`, whose parent-id is a new one
    for each call, and `tracestate` where the request came with one. Send them to your own services only: they tie calls
    together.
    """
    request_id = request_id_var.get()
    if request_id is None:
        return {}
    name, trace = outbound_var.get()
    return {name: request_id} if trace is None else {name: request_id, **trace.headers()}
