"""The id of the request in uvicorn's access log and tracebacks."""

import copy
import os

import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from uvicorn.config import LOGGING_CONFIG

from middlewares import RequestIDMiddleware

log_config = copy.deepcopy(LOGGING_CONFIG)
log_config["filters"] = {"request_id": {"()": "middlewares.request_id.RequestIDLogFilter"}}
for handler in log_config["handlers"].values():
    handler["filters"] = ["request_id"]
for formatter in log_config["formatters"].values():
    formatter["fmt"] = "[%(request_id)s] " + formatter["fmt"]


async def tea(request):
    return PlainTextResponse("tea\n")


async def boom(request):
    raise RuntimeError("no tea")


app = RequestIDMiddleware(Starlette(routes=[Route("/tea", tea), Route("/boom", boom)]))

if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ.get("PORT", "8000")), log_config=log_config)
