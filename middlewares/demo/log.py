"""The last lines of the log, for the page to show."""

from __future__ import annotations

import logging
from collections import deque

from ..request_id import RequestIDLogFilter

logger = logging.getLogger("middlewares.demo")


class Lines(logging.Handler):
    """Keeps the last lines, each with the id of its request.

    Attributes:
        kept: (request id, line), the oldest first.
    """

    def __init__(self, count: int = 200) -> None:
        super().__init__()
        self.kept: deque[tuple[str, str]] = deque(maxlen=count)
        self.addFilter(RequestIDLogFilter())

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line; of an exception its type and text, which the whole log has with its traceback."""
        request_id = record.__dict__["request_id"]
        line = f"{record.levelname} [{request_id}] {record.name}: {record.getMessage().strip()}"
        if record.exc_info and (error := record.exc_info[1]) is not None:
            line += f" | {type(error).__name__}: {error}"
        self.kept.append((request_id, line))

    def of(self, request_id: str) -> list[str]:
        """The lines of a request."""
        return [line for about, line in self.kept if about == request_id]


LINES = Lines()
"""One for the process, as its loggers are."""
