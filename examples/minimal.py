from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from middlewares import wrap

app = Starlette(routes=[Route("/", lambda request: PlainTextResponse("Hello, world!\n"))])
app = wrap(app, request_id=True, cors={"allow_origins": ["https://app.example"]}, server_errors=True)
