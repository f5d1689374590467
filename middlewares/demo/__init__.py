"""A page that shows what each layer does: the whole stack on this machine, asked by the browser that shows it.

```text
$ middlewares demo
In a terminal:
...
Or in a browser: http://127.0.0.1:8000/ (Ctrl+C ends it)
```

The page is at `/`, and what it asks for under `/demo`: the id of a request in header, application and log;
Server-Timing drawn as bars; one document in each coding, and deltas by a dictionary; fetches to a second origin
(`localhost` is one for `127.0.0.1`, and the other way round) that are allowed or refused, and why; a session; a 500; an
event stream and a WebSocket.

It is for a browser on the same machine: of any other host, browsers see no secure context, and take no `br`, `zstd` and
dictionary, and the page has no second origin.

From code, also with an application beside it, which gets every other path:

```python
from middlewares.demo import application, serve

demo = application()
```

`serve` needs the extra `serve`, and blocks until the process is told to end.
"""

from .application import application
from .serving import serve

__all__ = ["application", "serve"]
