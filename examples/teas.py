from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from middlewares import wrap
from middlewares.timing import span


async def teas(request):
    with span("db", "teas by id"):
        rows = [{"id": n, "name": f"Tea No. {n}"} for n in range(1000)]
    return JSONResponse(rows, headers={"ETag": '"v1"'})


app = wrap(
    Starlette(routes=[Route("/teas", teas)]),
    request_id=True,
    timing=True,
    cors={"allow_origins": ["https://app.example"]},
    server_errors=True,
    compression=True,
)
