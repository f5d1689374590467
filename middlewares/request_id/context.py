"""The id of the request that runs, for code that has no scope at hand."""

from __future__ import annotations

from contextvars import ContextVar

from .._http.shared import shared
from .trace import Trace

request_id_var: ContextVar[str | None] = shared(ContextVar("request_id", default=None))
"""The `ContextVar` behind `current_request_id`.

The middleware sets it for each request, and does not reset it: error logs of the server come after the application has
returned. Set it yourself where work is done for a request elsewhere, as in a queue's worker.
"""

DEFAULT_NAME = "X-Request-ID"

outbound_var: ContextVar[tuple[str | None, str, Trace | None]] = shared(
    ContextVar("outbound", default=(None, "", None))
)
"""(id, name of its header, trace): what outgoing calls of the request with this id need, where it is not the default.

It says which id it is about, as it need not be set for every request, and may be left over from another one.
"""


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
    about, name, trace = outbound_var.get()
    if about != request_id:
        return {DEFAULT_NAME: request_id}
    return {name: request_id} if trace is None else {name: request_id, **trace.headers()}
