"""Each query of SQLAlchemy as a span."""

import time

from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from middlewares import TimingMiddleware
from middlewares.timing import add, span

engine = create_async_engine("sqlite+aiosqlite://")


@event.listens_for(engine.sync_engine, "before_cursor_execute")
def started(connection, cursor, statement, parameters, context, executemany):
    context.started = time.perf_counter()


@event.listens_for(engine.sync_engine, "after_cursor_execute")
def ended(connection, cursor, statement, parameters, context, executemany):
    # The kind of the statement, and not its text: everyone can read the header.
    add("db", time.perf_counter() - context.started, statement.split(None, 1)[0].upper())


async def teas(request):
    async with engine.connect() as connection:
        rows = [row[0] for row in await connection.execute(text("SELECT 'Assam' UNION SELECT 'Sencha'"))]
    with span("render"):
        return JSONResponse(rows)


app = TimingMiddleware(Starlette(routes=[Route("/teas", teas)]))
