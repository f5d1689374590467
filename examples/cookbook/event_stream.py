"""An event stream behind the whole stack."""

import asyncio
import json

from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

from middlewares import wrap


async def prices(request):
    async def events():
        for number in range(3):
            yield f"id: {number}\ndata: {json.dumps({'tea': 'Assam', 'price': 3 + number})}\n\n"
            await asyncio.sleep(0.2)

    return StreamingResponse(
        events(),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},  # the second is for nginx
    )


app = wrap(
    Starlette(routes=[Route("/prices", prices)]),
    request_id=True,
    timing=True,
    cors={"allow_origins": ["https://app.example"], "allow_headers": ["Last-Event-ID"]},
    server_errors=True,
    compression=True,
)
