"""`Lint`: raises where an application, or the server above it, breaks a rule of ASGI. The rules are in `protocol`."""

from __future__ import annotations

from ..asgi import AnyASGIApp, Message, Receive, Scope, Send, single_callable
from .protocol import machine


class Lint:
    """A middleware that raises `LintError` on any violation of the ASGI HTTP, WebSocket and Lifespan specifications.

    Put it outside of a middleware to check what servers will see, and inside to check what applications will see.
    Messages pass as the same objects, and unknown scope types unlinted. Keys that the specification does not know are
    no violation. An error that somebody swallows on its way up is raised again at the end.

    Args:
        app: The ASGI application.

    Raises:
        LintError: says who is at fault, what was found, and what rule of which section it breaks.
    """

    def __init__(self, app: AnyASGIApp) -> None:
        self.app = app
        self._app = single_callable(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application and check what goes in and out."""
        rules = machine(scope)
        if rules is None:
            await self._app(scope, receive, send)
            return

        async def receive_linted() -> Message:
            rules.check_untouched()
            message = await receive()
            rules.feed_received(message)
            return message

        async def send_linted(message: Message) -> None:
            message = rules.feed_sent(message)
            try:
                await send(message)
            except Exception:
                rules.send_failed()
                raise
            rules.passed_on(message)

        await self._app(scope, receive_linted, send_linted)
        rules.returned()
