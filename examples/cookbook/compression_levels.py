"""Hard compression for static files, light for what is made anew."""

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from middlewares import CompressionMiddleware, Stack, use, when

TEXT = "\n".join(f"Tea No. {number} costs {number * 37 % 101}." for number in range(2000))


async def text(request):
    return PlainTextResponse(TEXT)


def is_static(scope):
    return scope["path"].startswith("/static/")


compress = Stack(
    when(is_static, use(CompressionMiddleware, encodings=["br", "zstd"], brotli_quality=9, zstd_level=19)),
    when(lambda scope: not is_static(scope), use(CompressionMiddleware, zstd_level=1, brotli_quality=3)),
)
app = compress(Starlette(routes=[Route("/static/teas.txt", text), Route("/teas", text)]))
