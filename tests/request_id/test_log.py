"""The filter that gives log records the id."""

from __future__ import annotations

import io
import logging
import logging.config
import logging.handlers
import queue
from contextvars import Context
from typing import Any

import pytest

from middlewares.request_id import RequestIDLogFilter, RequestIDMiddleware, request_id_var
from middlewares.testing import http_scope, run

ID = "7f9c2e4b1d6a48f0b35e9a1c04d7e862"


def shown(request_id: str | None, *, extra: dict[str, Any] | None = None, **keywords: Any) -> Any:
    record = logging.makeLogRecord({"msg": "hello", **(extra or {})})
    context = Context()
    if request_id is not None:
        context.run(request_id_var.set, request_id)
    assert context.run(RequestIDLogFilter(**keywords).filter, record) is True
    return record.request_id


@pytest.mark.parametrize(
    ("request_id", "keywords", "expected"),
    [
        pytest.param(ID, {}, ID, id="whole"),
        pytest.param(ID, {"length": 8}, "7f9c2e4b", id="cut"),
        pytest.param(ID, {"length": 500}, ID, id="longer than the id"),
        pytest.param(None, {}, "-", id="outside"),
        pytest.param(None, {"default": ""}, "", id="outside: empty default"),
        pytest.param(None, {"default": "no request", "length": 2}, "no request", id="outside: the default is not cut"),
    ],
)
def test_attribute(request_id, keywords, expected) -> None:
    """Each record has the id, outside of requests the default."""
    assert expected == shown(request_id, **keywords)


@pytest.mark.parametrize("own", ["theirs-and-long", None])
def test_attribute_that_is_there_stays(own) -> None:
    """What the record has already, by `extra` or from another filter, is left alone, uncut."""
    assert own is shown(ID, extra={"request_id": own}, length=2)


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        pytest.param({"default": None}, TypeError, r"default must be a str, such as '-' \(got None\)", id="default"),
        pytest.param(
            {"length": "8"}, TypeError, r"length must be an int, or None for the whole id \(got '8'\)", id="length str"
        ),
        pytest.param({"length": True}, TypeError, r"length must be an int, .*\(got True\)", id="length bool"),
        pytest.param(
            {"length": 0}, ValueError, r"length must be 1 or more, or None for the whole id \(got 0\)", id="length 0"
        ),
        pytest.param({"length": -1}, ValueError, r"length must be 1 or more, .*\(got -1\)", id="length negative"),
    ],
)
def test_mistakes(keywords, error, message) -> None:
    """A wrong keyword fails at construction, by name."""
    with pytest.raises(error, match=message):
        RequestIDLogFilter(**keywords)


def logging_app(logger: logging.Logger) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        logger.info("hello")

    return RequestIDMiddleware(app)


def test_dict_config() -> None:
    """It is named in `dictConfig`, with its keywords, and formats lines of the application and of those outside."""
    out = io.StringIO()
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"request_id": {"()": "middlewares.request_id.RequestIDLogFilter", "length": 8}},
            "formatters": {"line": {"format": "%(levelname)s [%(request_id)s] %(message)s"}},
            "handlers": {
                "out": {"class": "logging.StreamHandler", "stream": out, "filters": ["request_id"], "formatter": "line"}
            },
            "loggers": {"tests.request_id": {"level": "INFO", "handlers": ["out"], "propagate": False}},
        }
    )
    logger = logging.getLogger("tests.request_id")
    try:
        Context().run(logger.info, "before")
        run(logging_app(logger), http_scope(headers=[(b"x-request-id", ID.encode())]))
    finally:
        logger.handlers.clear()
        logger.propagate = True
    assert "INFO [-] before\nINFO [7f9c2e4b] hello\n" == out.getvalue()


def test_queue_handler() -> None:
    """At a `QueueHandler`, the id goes along to the thread that writes."""
    logger = logging.getLogger("tests.request_id.queue")
    logger.setLevel(logging.INFO)
    records: queue.Queue[Any] = queue.Queue()
    handler = logging.handlers.QueueHandler(records)
    handler.addFilter(RequestIDLogFilter())
    logger.addHandler(handler)
    try:
        run(logging_app(logger), http_scope(headers=[(b"x-request-id", ID.encode())]))
    finally:
        logger.removeHandler(handler)
    assert ID == records.get_nowait().request_id
