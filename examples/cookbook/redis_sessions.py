"""Sessions in Redis, shared by all workers, and closed with the application."""

import contextlib
import os

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from middlewares import SessionMiddleware
from middlewares.sessions import RedisStore

store = RedisStore(os.environ.get("REDIS_URL", "redis://localhost:6379/0"), prefix="shop:session:")


async def count(request):
    request.session["count"] = request.session.get("count", 0) + 1
    return JSONResponse({"count": request.session["count"]})


async def forget(request):
    request.session.invalidate()
    return JSONResponse({})


@contextlib.asynccontextmanager
async def lifespan(app):
    yield
    await store.aclose()


routes = [Route("/count", count), Route("/forget", forget, methods=["POST"])]
app = SessionMiddleware(Starlette(routes=routes, lifespan=lifespan), store=store, max_age=3600)
