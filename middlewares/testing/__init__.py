r"""What you test your own middleware with: raw messages, a lint for ASGI, and a browser. No server, no network.

It works with any test runner, on asyncio and on trio, with ASGI 3 and ASGI 2 applications. The examples below test this
middleware:

```python
class Powered:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def send_powered(message):
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"x-powered-by", b"tea")]}
            await send(message)

        await self.app(scope, receive, send_powered)
```

**Messages.** `run` plays one request and returns what was sent, in order, to be compared with what you expect. The
scopes are complete; keywords add keys or replace them. Further arguments are the messages of the client.

```pycon
>>> from middlewares.testing import http_scope, run
>>> run(Powered(app), http_scope("GET", "/tea", [(b"accept", b"*/*")], scheme="https"))[0]["headers"]
[(b'content-type', b'text/plain'), (b'x-powered-by', b'tea')]
>>> upload = [{"type": "http.request", "body": b"ab", "more_body": True}, {"type": "http.request", "body": b"c"}]
>>> len(run(Powered(app), http_scope("POST"), *upload, backend="trio"))
2
>>> len(run(Powered(app), http_scope(), {"type": "http.disconnect"}))  # a client that has left already
2

```

In asynchronous tests, `await record(app, scope)` does the same. When the application raises, a `Recorder` still has
what was sent before: call the application with `recorder.receive` and `recorder.send`, then look at `recorder.sent`.

**Lint.** `Lint` is a middleware that raises `LintError`, an AssertionError, on any violation of the ASGI HTTP,
WebSocket and Lifespan specifications. It says who is at fault: the application below it, or the server above it. Put it
around your middleware to check what servers will get from it, and inside to check what applications will get.

```pycon
>>> from middlewares.testing import Lint
>>> checked = Lint(Powered(Lint(app)))
>>> run(checked, http_scope())[1]
{'type': 'http.response.body', 'body': b'Hello, world!\n'}
>>> async def shouts(scope, receive, send):
...     await send({"type": "http.response.start", "status": 200, "headers": [(b"X-Case", b"1")]})
>>> run(Lint(shouts), http_scope())
Traceback (most recent call last):
    ...
middlewares.testing.protocol.LintError: the application broke a rule: http.response.start: headers has the name ...
ASGI HTTP & WebSocket, "Response Start": headers is an iterable of [name, value], both byte strings, names in lower ...

```

Lint is for tests, and for the log of a server in development. Its rules are those of the text, with two exceptions that
real servers ask for: a port may be digits (granian), and early hints and pushes may come before the start, too
(hypercorn). A request method in lower case, which daphne and granian hand on as the client wrote it, is a violation,
and so are the capitals in the header names of Django's responses.

**Browser.** `browser_allows` tells whether a browser would let a page of some origin make this fetch, and why not. It
is the browser's side of the Fetch standard: preflights, the CORS check, what is safelisted, wildcards, credentials.

```pycon
>>> import anyio
>>> from middlewares import CORSMiddleware
>>> from middlewares.testing import Browser, browser_allows
>>> shared = CORSMiddleware(app, allow_origins=["https://app.example"], allow_methods=["GET", "PUT"])
>>> bool(anyio.run(browser_allows, shared, "https://app.example", "PUT"))
True
>>> anyio.run(browser_allows, shared, "https://app.example", "PUT", {"X-Tea": "green"}).reason
'preflight: the response has no Access-Control-Allow-Origin'
>>> anyio.run(browser_allows, shared, "https://evil.example").reason
'the response has no Access-Control-Allow-Origin'

```

In asynchronous tests: `await browser_allows(app, origin, …)`. A `Browser` remembers: preflights for as long as their
max-age, and responses in its HTTP cache as far as Vary lets it use them again. That shows what breaks a page only the
second time, such as a cached answer to a visit, without CORS headers:

```python
async def careless(scope, receive, send):
    origin = dict(scope["headers"]).get(b"origin")
    shared = [(b"access-control-allow-origin", origin)] if origin else []  # and no Vary: Origin
    headers = [(b"cache-control", b"max-age=60"), *shared]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body"})


async def visit_then_fetch():
    browser = Browser(careless)
    assert await browser.fetch("/logo.svg", origin="https://app.example")
    browser.now += 61  # the browser's clock is yours
    assert await browser.fetch("/logo.svg")  # no origin: somebody opens it in a tab
    return await browser.fetch("/logo.svg", origin="https://app.example")


assert anyio.run(visit_then_fetch).reason == "the response has no Access-Control-Allow-Origin"
```

The browser has no documents and no scripts: no cookies but the one it is given, no service workers, no `no-cors`
requests, no WebSockets (browsers ask no CORS question for them).
"""

from .browser import Browser, browser_allows
from .fetch import FetchResult
from .lint import Lint
from .protocol import LintError
from .recorder import Recorder, http_scope, lifespan_scope, record, run, websocket_scope

__all__ = [
    "Browser",
    "FetchResult",
    "Lint",
    "LintError",
    "Recorder",
    "browser_allows",
    "http_scope",
    "lifespan_scope",
    "record",
    "run",
    "websocket_scope",
]
