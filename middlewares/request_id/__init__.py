"""One id for each request, the same in the response, the logs, the application and its calls to other services.

```python
from middlewares.request_id import RequestIDMiddleware

app = RequestIDMiddleware(app)
```

```text
HTTP/1.1 200 OK
x-request-id: 7f9c2e4b1d6a48f0b35e9a1c04d7e862
```

What it does:

1. An `X-Request-ID` of the request is adopted if it is safe: 1 to 128 characters of `A-Z a-z 0-9 . _ : = + / @ ~ -`,
   the first a letter or digit. That lets the ids of all usual proxies in, and nothing that breaks a header, a log or a
   page. Else the request gets a new id. What is refused goes nowhere: not into response, application or log.
2. The response carries the id in exactly one header, over HTTP and in the handshake of a WebSocket, accepted or denied;
   one that the application has set is replaced.
3. The application sees the id as the one such header of its request, as `scope["state"]["request_id"]`
   (`request.state.request_id` in Starlette and FastAPI), and by `current_request_id()`.
4. Logs get it by a filter, outgoing calls by `outbound_headers()` or by event hooks of httpx.

Behind proxies that set the id, with ids that sort by time, and with traces carried on to other services:

```python
app = RequestIDMiddleware(
    app,
    header_name=["X-Request-ID", "X-Correlation-ID"],  # looked up in this order
    trust_incoming=["10.0.0.0/8"],                     # only our proxies choose ids
    generator="uuid7",
    trace_context=True,
)
```

In the log:

```python
import logging

from middlewares.request_id import RequestIDLogFilter

handler = logging.StreamHandler()
handler.addFilter(RequestIDLogFilter(length=8))
handler.setFormatter(logging.Formatter("%(asctime)s [%(request_id)s] %(name)s: %(message)s"))
logging.basicConfig(level=logging.INFO, handlers=[handler])
```

With `logging.config.dictConfig`, it is `{"request_id": {"()": "middlewares.request_id.RequestIDLogFilter"}}` among the
`filters`, and `"filters": ["request_id"]` at each handler. Handlers of the server's loggers take it as well.

In calls to other services, with httpx and without:

```python
import httpx

from middlewares.request_id import httpx_event_hooks, outbound_headers

client = httpx.Client(event_hooks=httpx_event_hooks(hosts=["billing.internal"]))
headers = {"Accept": "application/json", **outbound_headers()}
```

W3C Trace Context, with `trace_context=True` and without an SDK: a valid and trusted `traceparent` is carried on, else a
new trace begins. Each outgoing call has the trace-id, a fresh parent-id, and the `tracestate` of the request;
`scope["state"]["trace"]` is the `traceparent` of this request itself. Nothing is recorded here, and the trace headers
of the request stay for a tracer inside. At most 512 characters of `tracestate` are carried on.

Caveats:

- By default every client is believed, as a safe id does no harm by itself; but the ids of strangers may repeat, or be
  chosen to blur a log. `trust_incoming` says whose to believe. Networks are compared with `scope["client"]`: behind a
  server or layer that puts the end user's address there, with `scope["state"]["proxy_headers"]["client"]` if that is
  kept.
- The `ContextVar` is not reset at the end of a request, so that what the server logs afterwards still has the id. Code
  that runs between requests in the same task may see the last one.
- Threads have the id if they run in a copy of the context (`asyncio.to_thread`, anyio, Starlette, asgiref and a2wsgi
  see to it). Behind a bridge that does not (those of uvicorn and hypercorn), read the request's header.
- Functions that you give are plain ones. What they raise breaks no request: it is logged once, by the type alone.
- daphne takes no headers with the acceptance of a WebSocket: its handshakes do not show the id.

Where it stands: outermost, so that everything else logs, refuses and fails with the id. Two of them for one request (an
outer application, and one mounted in it) agree: the outer one decides.
"""

from .context import current_request_id, outbound_headers, request_id_var
from .hooks import httpx_event_hooks
from .log import RequestIDLogFilter
from .middleware import RequestIDMiddleware

__all__ = [
    "RequestIDLogFilter",
    "RequestIDMiddleware",
    "current_request_id",
    "httpx_event_hooks",
    "outbound_headers",
    "request_id_var",
]
