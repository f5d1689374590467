"""Compressed uploads, bounded: the view sees plain JSON of at most 1 MB."""

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from middlewares import DecompressionMiddleware

MAX_SIZE = 1_000_000


async def orders(request):
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_SIZE:  # plain bodies pass the middleware as they are
            return JSONResponse({"error": "too large"}, status_code=413)
    return JSONResponse({"bytes": len(body)})


app = DecompressionMiddleware(
    Starlette(routes=[Route("/orders", orders, methods=["POST"])]), max_size=MAX_SIZE, encodings=["gzip", "zstd"]
)
