"""A large JSON that changes a little: browsers download what has changed."""

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from middlewares import CompressionMiddleware

prices = {f"Tea No. {number}": number * 37 % 101 for number in range(5000)}


async def get_prices(request):
    return JSONResponse(prices, headers={"Cache-Control": "max-age=60"})  # a dictionary is used while it is fresh


app = CompressionMiddleware(
    Starlette(routes=[Route("/prices", get_prices)]),
    use_as_dictionary={"/prices": "/prices*"},  # where they are made, and the URLs that they are for
)
