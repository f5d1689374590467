"""Answers for an application that fails: a 500 which clients, and pages of other origins, can read.

```python
from middlewares.server_errors import ServerErrorMiddleware

app = ServerErrorMiddleware(app)
```

```text
HTTP/1.1 500 Internal Server Error
content-type: application/problem+json
content-length: 99
cache-control: no-store
x-content-type-options: nosniff
vary: Accept

{"title": "Internal Server Error", "status": 500, "request_id": "36d9a1f1ab4a48f5a2d4a7c9ff06a4d3"}
```

What it does:

1. An `Exception` of the application before its response has begun is answered with a 500: a problem of RFC 9457, or a
   small HTML page or plain text where the request's Accept prefers it. The id of the request is in it when a layer
   outside put one into `scope["state"]["request_id"]`. Nothing about the exception is.
2. Then the same exception is raised on, so that the server logs it, and error trackers outside see it.
3. After the response has begun it is only raised: it is for the server to break the connection off, by which the client
   sees that the response is not whole. A start that was handed over counts as begun, also if `send` failed.
4. What is no `Exception` is not touched: cancellation (asyncio's and trio's), `KeyboardInterrupt`, and exception
   groups that hold such. An `ExceptionGroup` is an `Exception`.
5. A WebSocket that fails before its handshake is answered is denied with the same 500, where the server has the
   extension `websocket.http.response`. Elsewhere, and after the handshake, the exception is only raised: servers answer
   500, or end the connection, by themselves.

Your own answer, plain or async; the body is `bytes`, the headers are pairs of `bytes`:

```python
def apologise(scope, exc):
    return 503, [(b"content-type", b"text/plain"), (b"retry-after", b"30")], b"Back in a moment."

app = ServerErrorMiddleware(app, handler=apologise)
```

content-length is set for you, and HEAD gets the headers alone. If the handler fails itself, or returns something else,
that is logged by `middlewares.server_errors` at ERROR, and the plain 500 is sent. A plain handler runs in the event
loop: it must not block.

While developing, `ServerErrorMiddleware(app, debug=True)` shows the traceback: in the page, in the text, and as the
member `traceback` of the problem. A handler is not asked then.

Caveats:

- `debug=True` shows code, paths and the texts of exceptions (never the values of locals or headers) to everyone who can
  cause an error. Never in production.
- It answers what reaches it. Many frameworks answer errors inside of themselves:

  | application | unhandled exception in a view | what this layer sees |
  |---|---|---|
  | Starlette, FastAPI | their own text "Internal Server Error", then raised on | an exception after the start |
  | Django, Litestar, Quart, Falcon, BlackSheep, Flask behind a bridge | their own 500 | a response like any other |
  | plain ASGI, Channels' routers, plain WSGI behind a2wsgi or asgiref | raised | answers |

  That is as it should be: what those answers lacked are headers, and any layer outside adds them, CORS first of all.
  (Inside of Starlette's `middleware=[…]` a CORS layer never sees Starlette's own 500, which is made outside of that
  list: starlette #1116, #1175, fastapi #775.) Errors of middlewares between the framework and this layer reach it, with
  any of them.
- To have this layer's answers from Starlette or FastAPI, put it inside of theirs, behind CORS; it then answers first,
  and theirs only raises on:

  ```python
  app = Starlette(
      routes=routes,
      middleware=[
          Middleware(CORSMiddleware, allow_origins=["https://app.example"]),
          Middleware(ServerErrorMiddleware),
      ],
  )
  ```

Where it stands: around the framework, directly inside of CORS, so that the 500 carries the CORS headers and the page
that asked can read it; and so inside of request IDs and timing, whose headers it carries as well.
"""

from .middleware import ServerErrorMiddleware

__all__ = ["ServerErrorMiddleware"]
