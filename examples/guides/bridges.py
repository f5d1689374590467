from a2wsgi import WSGIMiddleware
from asgiref.wsgi import WsgiToAsgi
from hypercorn.middleware import AsyncioWSGIMiddleware

from middlewares import Stack, use
from middlewares.compression import CompressionMiddleware
from middlewares.cors import CORSMiddleware
from middlewares.request_id import RequestIDMiddleware
from middlewares.server_errors import ServerErrorMiddleware


def hello_world(environ, start_response):
    if environ["PATH_INFO"] == "/boom":
        raise RuntimeError("for the log alone")
    if environ["REQUEST_METHOD"] == "POST":
        text = f"{len(environ['wsgi.input'].read())} bytes"
    else:
        text = f"Request {environ['HTTP_X_REQUEST_ID']}\n" + "A cup of tea\n" * 100
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]


stack = Stack(
    use(RequestIDMiddleware),
    use(CORSMiddleware, allow_origins=["https://app.example"], allow_credentials=True),
    use(ServerErrorMiddleware),
    use(CompressionMiddleware),
)

app = stack(WSGIMiddleware(hello_world, workers=20))  # recommended
with_asgiref = stack(WsgiToAsgi(hello_world))
with_hypercorn = stack(AsyncioWSGIMiddleware(hello_world, max_body_size=10_000_000))
