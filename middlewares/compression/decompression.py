"""The ASGI shell of request decoding: decodes what `receive` brings, and answers for a body that cannot be decoded."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Iterable
from typing import ClassVar, cast

from .._http.headers import request_values
from .._http.problem import problem
from .._http.scope import share_written
from ..asgi import AnyASGIApp, Message, OrderRules, Receive, Scope, Send, entry
from .decompression_policy import DecodedBody, DecompressionPolicy, Refusal, decoded_headers

_logger = logging.getLogger("middlewares.compression")

# In the event loop a step decodes so much (0.1 to 0.3 ms); what is larger, coded or decoded, goes to a thread in larger
# steps, as each costs about 60 us to hand over.
_STEP = 65_536
_THREAD_STEP = 262_144


class DecompressionMiddleware:
    """Decodes the bodies of requests by their Content-Encoding, so that the application sees plain ones.

    Args:
        app: The application to wrap (ASGI 3, or an ASGI 2 double callable).
        max_size: The most bytes that a body may decode to; one more is answered with 413. 16 KB of zstd can stand for
            512 MB: choose what the application may hold in memory, if it reads bodies whole. It does not limit bodies
            that come plain. Default: 33 554 432 (32 MiB).
        encodings: The content codings that are accepted, of "gzip", "br", "zstd" and "deflate" (with its zlib wrapper
            or, as some send it, without); any other is answered with 415. Default: all but deflate.

    Raises:
        TypeError: A keyword has a value of the wrong type.
        ValueError: `max_size` is not positive, or `encodings` is empty or has an unknown name.

    Source: RFC 9110 8.4, 12.5.3, 15.5.14, 15.5.16; RFC 9659.
    """

    asgi_order: ClassVar[OrderRules] = {
        "kinds": ("answers", "decompressor"),
        "once": {"decompressor": "the outer one leaves nothing for the inner one to decode"},
    }

    def __init__(
        self, app: AnyASGIApp, *, max_size: int = 33_554_432, encodings: Iterable[str] = ("gzip", "br", "zstd")
    ) -> None:
        # Third-party, so not with the room; here, so not on the first request.
        from .threads import run_in_thread

        self.app = app
        self._app = entry(app)
        self._policy = DecompressionPolicy(max_size=max_size, encodings=encodings)
        self._run_in_thread = run_in_thread

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application, with a decoded body if the request's is coded."""
        if scope["type"] == "http":
            for name, _ in scope["headers"]:
                if name == b"content-encoding":
                    await self._coded(scope, receive, send)
                    return
        await self._app(scope, receive, send)

    async def _coded(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = self._policy.body(request_values(scope, b"content-encoding"), scope["method"])
        except Refusal as refusal:
            await self._refuse(scope, send, refusal)
            return
        if body is None:
            await self._app(scope, receive, send)
            return
        inner = {**scope, "headers": decoded_headers(scope["headers"])}
        refused: Refusal | None = None
        started = False

        async def receive_decoded() -> Message:
            nonlocal refused
            if body.is_over:
                return await receive()
            try:
                return await self._next(body, receive)
            except Refusal as refusal:
                if refused is None:
                    refused = refusal
                raise

        def send_watched(message: Message) -> Awaitable[None]:  # no await of its own: hands the inner awaitable on
            nonlocal started
            if not started:
                if refused is not None:
                    return _dropped()  # what a framework makes of the refusal, a 500 mostly; ours is sent below
                if message["type"] == "http.response.start":
                    started = True
                    share_written(inner, scope)
            return send(message)

        try:
            await self._app(inner, receive_decoded, send_watched)
        except Exception as error:
            if refused is None:
                raise
            if not _stems_from(error, refused):
                if not started:
                    await self._refuse(scope, send, refused)
                raise
        finally:
            share_written(inner, scope)
        if refused is None:
            return
        if not started:
            await self._refuse(scope, send, refused)
        else:
            # Returning makes uvicorn, hypercorn and granian close the connection, so that the client sees the cut. An
            # exception would do the same, with a traceback for a mistake of the client's. Daphne (4.2) leaves the
            # connection open either way, and after an exception no longer sees the failures of other requests.
            _logger.debug("refused, though the response has begun: %s (path %a)", refused, scope["path"])

    async def _next(self, body: DecodedBody, receive: Receive) -> Message:
        """The next message for the application; nothing is asked of `receive` before all that came is handed on."""
        while True:
            large = True  # more of one message than a step could decode
            if body.needs_input:
                message = await receive()
                if message["type"] != "http.request":
                    return message
                large = body.feed(message) >= _STEP
            if large:
                await self._run_in_thread(body.step, _THREAD_STEP)
            else:
                body.step(_STEP)
            decoded = body.take()
            if decoded is not None:
                return decoded

    async def _refuse(self, scope: Scope, send: Send, refusal: Refusal) -> None:
        _logger.debug("refused: %s (path %a)", refusal, scope["path"])
        headers = [self._policy.accept_encoding] if refusal.status == 415 else []
        for message in problem(scope, refusal.status, refusal.detail, headers=headers):
            await send(message)


async def _dropped() -> None:
    """Take a message without sending it."""


def _stems_from(error: BaseException, refusal: Refusal) -> bool:
    """Whether an exception is the refusal, was raised while it was handled, or is a group of nothing but such."""
    todo: list[BaseException | None] = [error]
    seen: set[int] = set()
    while todo:
        link = todo.pop()
        if link is refusal:
            return True
        if link is not None and id(link) not in seen:
            seen.add(id(link))
            todo += [link.__cause__, link.__context__]
            if isinstance(link, BaseExceptionGroup):
                parts = cast("BaseExceptionGroup[BaseException]", link).exceptions
                if all(_stems_from(part, refusal) for part in parts):
                    return True
    return False
