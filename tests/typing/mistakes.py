"""What mypy strict, pyright and ty must refuse: each line with the mark is an error for all three, no other line is.

Nothing here runs; `tests/test_typing.py` gives it to the type checkers.
"""

from __future__ import annotations

from starlette.middleware.gzip import GZipMiddleware

import middlewares
from middlewares import CORSMiddleware, RequestIDMiddleware, ServerErrorMiddleware, Stack, check, use, when, wrap
from middlewares.asgi import ASGIApp, Receive, Scope, Send


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """An application."""


class Mine:
    """A middleware with a required keyword."""

    def __init__(self, app: ASGIApp, *, size: int) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass through."""


# Names
print(middlewares.CorsMiddleware)  # expect-error

# Constructors
CORSMiddleware()  # expect-error
CORSMiddleware(app, allow_origin=["https://app.example"])  # expect-error
CORSMiddleware(app, max_age="600")  # expect-error
CORSMiddleware(app, ["https://app.example"])  # expect-error
CORSMiddleware("module:app")  # expect-error
RequestIDMiddleware(app, header=1)  # expect-error
RequestIDMiddleware(app, header_name=1)  # expect-error
ServerErrorMiddleware(app, debug=None)  # expect-error
ServerErrorMiddleware(app, handler=app)  # expect-error

# use
use()  # expect-error
use(42)  # expect-error
use(app)  # expect-error
use(CORSMiddleware, allow_origin=["https://app.example"])  # expect-error
use(CORSMiddleware, max_age="600")  # expect-error
use(CORSMiddleware, app)  # expect-error
use(Mine)  # expect-error
use(Mine, size="1")  # expect-error
use(Mine, size=1, more=2)  # expect-error
use(GZipMiddleware, minimum_sise=1)  # expect-error
use(GZipMiddleware, minimum_size="1")  # expect-error

# when
when()  # expect-error
when(1, use(CORSMiddleware))  # expect-error
when("/app", "/other")  # expect-error

# Stack
Stack(42)  # expect-error
Stack("cors")  # expect-error
Stack(Mine)  # expect-error
Stack(app)  # expect-error
Stack(use(CORSMiddleware), stricter=True)  # expect-error
Stack(use(CORSMiddleware))()  # expect-error
Stack(use(CORSMiddleware))("module:app")  # expect-error
Stack() + 1  # expect-error
use(CORSMiddleware).cls = Mine  # expect-error
Stack().strict = True  # expect-error

# wrap
wrap()  # expect-error
wrap("module:app")  # expect-error
wrap(app, corse=True)  # expect-error
wrap(app, cors=1)  # expect-error
wrap(app, cors={"allow_origin": ["https://app.example"]})  # expect-error
wrap(app, cors={"max_age": "600"})  # expect-error
wrap(app, request_id={"allow_origins": ["https://app.example"]})  # expect-error
wrap(app, server_errors={"debug": "yes"})  # expect-error
wrap(app, extra=use(CORSMiddleware))  # expect-error
wrap(app, extra=[42])  # expect-error
wrap(app, True)  # expect-error

# check
check()  # expect-error
print(check(app).app)  # expect-error
