"""The id goes along to services of ours, and to nobody else."""

import contextlib

import httpx
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from middlewares import RequestIDMiddleware
from middlewares.request_id import httpx_event_hooks

hooks = httpx_event_hooks(asynchronous=True, hosts=["billing.internal"])


@contextlib.asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient(event_hooks=hooks) as client:
        yield {"client": client}


async def pay(request):
    answer = await request.state.client.get("http://billing.internal/invoice")
    return JSONResponse(answer.json())


app = RequestIDMiddleware(Starlette(routes=[Route("/pay", pay)], lifespan=lifespan), trace_context=True)
