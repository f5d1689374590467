from a2wsgi import WSGIMiddleware

from middlewares import wrap


def hello_world(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d bytes\n" % len(body)]


def with_coroutines(app):
    """Give a bridge coroutines, which it hands over to the event loop; what granian's own functions return are none."""

    async def adapted(scope, receive, send):
        async def receive_message():
            return await receive()

        async def send_message(message):
            await send(message)

        await app(scope, receive_message, send_message)

    return adapted


app = wrap(
    with_coroutines(WSGIMiddleware(hello_world)),
    request_id=True,
    cors={"allow_origins": ["https://app.example"]},
    server_errors=True,
)
