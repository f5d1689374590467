"""The id of the request in each line of structlog."""

import structlog
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from middlewares import RequestIDMiddleware
from middlewares.request_id import current_request_id


def add_request_id(logger, method, event):
    if (request_id := current_request_id()) is not None:  # outside of requests there is none
        event["request_id"] = request_id
    return event


log = structlog.wrap_logger(
    structlog.PrintLogger(),
    processors=[add_request_id, structlog.processors.add_log_level, structlog.processors.JSONRenderer()],
)  # or the same processors in structlog.configure(processors=[...])


def order(request):  # no `async`: Starlette runs it in a thread
    log.info("ordered", tea="Assam")
    return PlainTextResponse("ordered\n")


app = RequestIDMiddleware(Starlette(routes=[Route("/order", order)]))
