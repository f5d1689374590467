"""x."""

from .context import current_request_id, outbound_headers, request_id_var
from .hooks import httpx_event_hooks
from .log import RequestIDLogFilter
from .middleware import RequestIDMiddleware

__all__ = [
    "RequestIDLogFilter",
    "RequestIDMiddleware",
    "current_request_id",
    "httpx_event_hooks",
    "outbound_headers",
    "request_id_var",
]
