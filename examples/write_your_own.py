"""A middleware of your own: it forbids other sites to frame the pages of the application. With its tests."""

from middlewares.testing import Lint, http_scope, run


class FrameMiddleware:
    def __init__(self, app, *, frame_options="DENY"):
        # What cannot work is refused here, once, and what can becomes bytes; a request only compares and appends.
        if frame_options not in ("DENY", "SAMEORIGIN"):
            raise ValueError(f"frame_options must be 'DENY' or 'SAMEORIGIN' (got {frame_options!r})")
        self.app = app
        self._pair = (b"x-frame-options", frame_options.encode())

    # These names: daphne calls by keyword. `async def`: servers take anything else for an older interface.
    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":  # websocket, lifespan, and what is still to be invented
            await self.app(scope, receive, send)
            return

        def send_framed(message):
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))  # may be missing, and may be any iterable
                if not any(name.lower() == b"x-frame-options" for name, _ in headers):
                    # A copy: some frameworks send one constant message to all clients.
                    message = {**message, "headers": [*headers, self._pair]}
            return send(message)  # nothing to await here: the awaitable goes to who sends

        await self.app(scope, receive, send_framed)


async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"Hello, world!\n"})


def test_header_is_added():
    start, body = run(FrameMiddleware(app), http_scope())
    assert start["headers"] == [(b"content-type", b"text/plain"), (b"x-frame-options", b"DENY")]
    assert body["body"] == b"Hello, world!\n"


def test_asgi_is_kept():
    # Lint raises on what violates ASGI: outside, what our middleware sends; inside, what it makes of the server's part.
    run(Lint(FrameMiddleware(Lint(app))), http_scope())


if __name__ == "__main__":
    test_header_is_added()
    test_asgi_is_kept()
    print("ok")
