"""What exporters of metrics share: labels that cannot grow without end, and the buckets.

Source: https://opentelemetry.io/docs/specs/semconv/http/http-metrics/
"""

from __future__ import annotations

from .records import TimingRecord

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""The upper bounds in seconds that the semantic conventions advise."""

SCHEMES = frozenset({"http", "https"})
VERSIONS = frozenset({"1.0", "1.1", "2", "2.0", "3", "3.0"})
"""What is recorded of a scheme and a version: servers take them from the client or from a header of a proxy."""

_KNOWN = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"})


def known_method(record: TimingRecord) -> str:
    """The method, if it is a known one: scanners make others up without end."""
    return record.method if record.method in _KNOWN else "_OTHER"


def sent_status(record: TimingRecord) -> int | None:
    """The status that the client got, or gets of the server for an exception before the start; None for none."""
    if record.ttfb is None and record.aborted:
        return None  # nobody was there any more
    return _valid(record.status)


def final_status(record: TimingRecord) -> int | None:
    """The status, 500 for an unhandled exception; None without one, and for what is no status code."""
    if record.error is not None and not record.aborted:
        return 500
    return _valid(record.status)


def _valid(status: int | None) -> int | None:
    return status if status is not None and 100 <= status <= 599 else None
