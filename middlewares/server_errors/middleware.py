"""The ASGI shell of server errors: sees whether a response has begun, and answers for an application that raised."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable
from typing import Any, ClassVar

from .._http.problem import problem
from ..asgi import AnyASGIApp, Message, OrderRules, Receive, Scope, Send, entry
from .policy import Handler, ServerErrorPolicy, handler_messages, traceback_text

_logger = logging.getLogger("middlewares.server_errors")

_HANDSHAKE_ANSWERS = frozenset({"websocket.accept", "websocket.close", "websocket.http.response.start"})


class ServerErrorMiddleware:
    """Answers an exception of the application with a 500, then raises it on, so that the server logs it.

    Args:
        app: The application to wrap (ASGI 3, or an ASGI 2 double callable).
        debug: Whether the answer shows the traceback; `handler` is not asked then. It tells everyone who can cause an
            error about your code, paths and texts of exceptions: for development only. Default: False.
        handler: Makes the answer: `(scope, exc) -> (status, headers, body)`, plain or async. A status from 200 to 599
            that may have a body, pairs of `bytes`, `bytes`; content-length is set for you. It gets the `http` or
            `websocket` scope, and runs in the event loop. One that fails or returns anything else is logged, and the
            plain 500 is sent. None: the plain 500. Default: None.

    Raises:
        TypeError: A keyword has a value of the wrong type.

    Source: RFC 9110 15.6.1, RFC 9457; ASGI's WebSocket Denial Response.
    """

    asgi_order: ClassVar[OrderRules] = {"kinds": ("errors",)}

    def __init__(self, app: AnyASGIApp, *, debug: bool = False, handler: Handler | None = None) -> None:
        self.app = app
        self._app = entry(app)
        self._policy = ServerErrorPolicy(debug=debug, handler=handler)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application, and answer for it if it raises before its response has begun."""
        kind = scope["type"]
        if kind != "http":
            # Without the extension, a server answers an exception before accept with a 500 of its own: better than the
            # 403 that `websocket.close` would stand for.
            if kind == "websocket" and "websocket.http.response" in (scope.get("extensions") or ()):
                await self._handshake(scope, receive, send)
            else:
                await self._app(scope, receive, send)
            return
        started = False

        def send_watched(message: Message) -> Awaitable[None]:  # no await of its own: hands the inner awaitable on
            nonlocal started
            # Handed over is started, also where an outer `send` raises: nobody here knows how far it came, and two
            # starts would break every layer outside.
            if not started and message["type"] == "http.response.start":
                started = True
            return send(message)

        try:
            await self._app(scope, receive, send_watched)
        except Exception as error:
            if not started:
                await self._answer(scope, send, error, "http")
            raise

    async def _handshake(self, scope: Scope, receive: Receive, send: Send) -> None:
        connected = answered = False

        def receive_watched() -> Awaitable[Any]:
            nonlocal connected
            connected = True
            return receive()

        def send_watched(message: Message) -> Awaitable[None]:
            nonlocal answered
            if message["type"] in _HANDSHAKE_ANSWERS:
                answered = True
            return send(message)

        async def send_denial(message: Message) -> None:
            if not connected:  # a denial answers the connect, which has to be taken first
                await receive_watched()
            await send(message)

        try:
            await self._app(scope, receive_watched, send_watched)
        except Exception as error:
            if not answered:
                await self._answer(scope, send_denial, error, "websocket.http")
            raise

    async def _answer(self, scope: Scope, send: Send, error: Exception, prefix: str) -> None:
        """Send the answer; whatever goes wrong here, it is `error` that goes up."""
        try:
            for message in await self._messages(scope, error, prefix):
                await send(message)
        except OSError:  # ASGI: what `send` raises once the client has gone
            _logger.debug("the client left before the answer to an exception was sent")
        except Exception:
            _logger.exception("the answer to an exception could not be sent")

    async def _messages(self, scope: Scope, error: Exception, prefix: str) -> tuple[Message, Message]:
        if self._policy.debug:
            return problem(scope, 500, traceback=traceback_text(error), prefix=prefix)
        if self._policy.handler is not None:
            try:
                answer: Any = self._policy.handler(scope, error)
                if inspect.isawaitable(answer):
                    answer = await answer
                return handler_messages(answer, head=scope.get("method") == "HEAD", prefix=prefix)
            except Exception:
                _logger.exception("handler failed: the plain 500 is sent instead of its answer")
        return problem(scope, 500, prefix=prefix)
