"""Timing: what a request took, for the browser's own tools, for logs, and for metrics.

```python
from middlewares.timing import TimingMiddleware, add, span


@span("render")
async def page(rows):
    return b"<p>%d rows</p>" % rows


async def shop(scope, receive, send):
    with span("db", "SELECT * FROM orders"):
        rows = 3
    add("cache", desc="miss")
    body = await page(rows)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
    await send({"type": "http.response.body", "body": body})


app = TimingMiddleware(shop)
```

```text
HTTP/1.1 200 OK
content-type: text/html
server-timing: app;dur=4.2, db;dur=3.1;desc="SELECT * FROM orders", cache;desc="miss", render;dur=0.8
```

Browsers draw these entries in the Timing tab of a request, and hand them to scripts as `PerformanceServerTiming`.

What it does:

1. The header has our entry, `app`, with the milliseconds to the start of the response, then each span that ended by
   then. Equal names are one entry with the sum. Entries of the application stay, in a line of their own before ours.
   Whatever a span is called, the header keeps its grammar, ASCII, and less than 8000 bytes: an entry for which no room
   is left is left out.
2. Spans belong to the request whose context they run in, tasks and threads with a copy of the context included. Outside
   of a request, and after its end, they do nothing.
3. With `on_complete`, one `TimingRecord` for each request, right after its last message has been sent: background work
   is not counted. It tells time to the start and in all, bytes both ways, the template of the route, whether the
   response was aborted, the exception, the spans, and how long the application waited for the client
   (`receive_wait`, `send_wait`).
4. Hooks and exporters are contained: what they raise is logged by `middlewares.timing` at ERROR, and changes nothing.
   Async hooks run in tasks of their own, on asyncio and trio, which nothing waits for.
5. With `trailers=True`, the entry `total` and late spans follow in trailers, where the server has the extension
   `http.response.trailers` and the request says `TE: trailers`.

Records for logs and metrics, without code of your own:

```python
import logging

from middlewares.timing import AccessLog, PrometheusExporter

logging.basicConfig(level=logging.INFO, format="%(message)s")

app = TimingMiddleware(
    shop,
    exporters=[AccessLog(format="json", exclude=["/health"]), PrometheusExporter()],
    slow=1.0,
)
```

`AccessLog` gives one line for each request to the logger `middlewares.access` at INFO, which needs a handler and that
level, as above, or nobody writes it; turn the server's own off (`uvicorn --no-access-log`). Secrets in query strings
are redacted by name. `PrometheusExporter` needs `pip install "asgi-middlewares[prometheus]"`; the page to scrape is the
client's own application:

```python
from prometheus_client import make_asgi_app

metrics = make_asgi_app()  # Starlette: Mount("/metrics", app=metrics)
```

`OpenTelemetryExporter` needs `asgi-middlewares[opentelemetry]` and records the stable metric
`http.server.request.duration`.

Caveats:

- Everyone who sees the header can measure your code, and read what spans are called. `expose=` decides for each
  request: `expose=lambda scope: scope["path"].startswith("/admin")`. Pages of other origins see it only with
  `timing_allow_origin`.
- `record.path` and `record.method` are the client's words: escape them before they reach a log, and never make labels
  of them.
- A template of a mount is lost where a layer between this one and the router hands a copy of the scope on, and `route`
  is None for Litestar in a mount of a mount: it replaces their parameters, and no value of one may be in a template.
- Whether the record of a WebSocket is `aborted` depends on the server: not each tells a lost connection (1006) from a
  closed one.
- A span measures time, not work: in async code, what other requests did meanwhile is in it.

Where it stands: inside of request ids, whose id is in the records, and outside of everything else, so that all of it is
measured. Once: of two, also where one is in a mounted application, the inner one alone has the spans, and the header
has an entry of each.
"""

from .access_log import AccessLog
from .middleware import TimingMiddleware
from .opentelemetry import OpenTelemetryExporter
from .prometheus import PrometheusExporter
from .records import TimingRecord
from .spans import Span, add, span

__all__ = [
    "AccessLog",
    "OpenTelemetryExporter",
    "PrometheusExporter",
    "Span",
    "TimingMiddleware",
    "TimingRecord",
    "add",
    "span",
]
