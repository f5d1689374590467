"""The id in every line of the log."""

from __future__ import annotations

import logging

from .context import request_id_var


class RequestIDLogFilter(logging.Filter):
    """Gives each log record the attribute `request_id`, for `%(request_id)s` in a format. It drops no record.

    Attach it to handlers: on a logger, it misses the records of the loggers below. Where a `QueueHandler` hands records
    to another thread, which has no request, attach it to the `QueueHandler`. A `request_id` that a record has already
    (`extra={"request_id": …}`) stays.

    Args:
        default: The attribute outside of requests. Default: `"-"`.
        length: How many characters of the id to show, 1 or more. None shows all. Default: None.

    Raises:
        TypeError: A keyword has a value of the wrong type.
        ValueError: `length` is less than 1.
    """

    def __init__(self, default: str = "-", length: int | None = None) -> None:
        super().__init__()
        if not isinstance(default, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"default must be a str, such as '-' (got {default!r})")
        if length is not None:
            if not isinstance(length, int) or isinstance(length, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(f"length must be an int, or None for the whole id (got {length!r})")
            if length < 1:
                raise ValueError(f"length must be 1 or more, or None for the whole id (got {length!r})")
        self.default = default
        self.length = length

    def filter(self, record: logging.LogRecord) -> bool:
        """Set `record.request_id`, and keep the record."""
        if not hasattr(record, "request_id"):
            request_id = request_id_var.get()
            record.request_id = self.default if request_id is None else request_id[: self.length]
        return True
