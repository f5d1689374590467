"""What you test your own middleware with: a message recorder, `Lint`, `browser_allows`."""

from .recorder import Recorder, http_scope, record, run, websocket_scope

__all__ = ["Recorder", "http_scope", "record", "run", "websocket_scope"]
