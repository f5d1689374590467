"""The id of the request that runs, for code without a scope."""

from __future__ import annotations

from contextvars import Context, copy_context

from middlewares import request_id
from middlewares.request_id import current_request_id, outbound_headers, request_id_var
from middlewares.request_id.context import outbound_var
from middlewares.request_id.trace import Trace

TRACE = Trace("0af7651916cd43dd8448eb211c80319c", "01", "congo=1")


def test_outside_of_requests() -> None:
    """Nothing is known, and nothing raises."""
    fresh = Context()
    assert fresh.run(current_request_id) is None
    assert {} == fresh.run(outbound_headers)
    assert fresh.run(request_id_var.get) is None


def test_id_alone() -> None:
    """Who sets the variable by hand, as in a queue's worker, gets the id under the usual name."""
    context = Context()
    context.run(request_id_var.set, "abc")
    assert "abc" == context.run(current_request_id)
    assert {"X-Request-ID": "abc"} == context.run(outbound_headers)


def test_name_and_trace() -> None:
    """A request's own name and trace go along, with a parent-id of its own for each call."""
    context = Context()
    context.run(request_id_var.set, "abc")
    context.run(outbound_var.set, ("abc", "X-Correlation-ID", TRACE))
    first, second = context.run(outbound_headers), context.run(outbound_headers)
    assert ["X-Correlation-ID", "traceparent", "tracestate"] == list(first)
    assert ("abc", "congo=1") == (first["X-Correlation-ID"], first["tracestate"])
    assert first["traceparent"] != second["traceparent"]
    context.run(outbound_var.set, ("abc", "X-Correlation-ID", None))
    assert {"X-Correlation-ID": "abc"} == context.run(outbound_headers)


def test_what_another_request_left_over() -> None:
    """Name and trace of another id are not used."""
    context = Context()
    context.run(outbound_var.set, ("before", "X-Correlation-ID", TRACE))
    assert {} == context.run(outbound_headers)
    context.run(request_id_var.set, "after")
    assert {"X-Request-ID": "after"} == context.run(outbound_headers)


def test_copied_contexts() -> None:
    """A context that is copied, as for tasks and threads, has the id; the original does not see later changes of it."""
    context = Context()
    context.run(request_id_var.set, "abc")
    copied = context.run(copy_context)
    assert "abc" == copied.run(current_request_id)
    copied.run(request_id_var.set, "other")
    assert "abc" == context.run(current_request_id)


def test_public_names() -> None:
    """All that the manual page names is there, and no name shadows the room."""
    expected = {
        "RequestIDLogFilter",
        "RequestIDMiddleware",
        "current_request_id",
        "httpx_event_hooks",
        "outbound_headers",
        "request_id_var",
    }
    assert expected == set(request_id.__all__)
    assert all(hasattr(request_id, name) for name in expected)
    assert "request_id" not in vars(request_id)
