"""Cross-origin resource sharing: which pages of other origins may read the answers of this server.

```python
from middlewares.cors import CORSMiddleware

app = CORSMiddleware(
    app,
    allow_origins=["https://app.example", "https://*.preview.example", "http://localhost:*"],
    allow_methods=["GET", "POST", "PUT", "DELETE"],
    allow_headers=["Authorization"],
    allow_credentials=True,
    expose_headers=["X-Request-ID"],
)
```

What it does:

1. A preflight (OPTIONS with Origin and Access-Control-Request-Method) is answered here: 204 with the permissions, or
   403 without any. Every other OPTIONS request is the application's.
2. Every other request reaches the application, from refused origins too: browsers send Origin with same-origin POSTs as
   well. CORS decides who may *read* an answer; it is no protection against requests being *made*.
3. The policy is the authority: an `Access-Control-Allow-Origin` or `-Allow-Credentials` of the application is replaced,
   or removed where the policy refuses, so that a legacy application with headers of its own never gives two.
   `Access-Control-Expose-Headers` and `Vary` are merged.
4. With `allow_origins="*"` every answer has the same header, and caches are free to share it. With any other policy
   every answer carries `Vary: Origin`, also those without Origin: otherwise a cached answer breaks an allowed page.
5. A WebSocket handshake from a foreign origin is refused with 403 before the application sees it.

`explain` answers the most frequent question about CORS:

```python
>>> app.explain("https://app.example", "PATCH", headers=["X-Token"])
['method PATCH is not in allow_methods', 'header x-token is not in allow_headers']
```

The same words are logged for each refusal, one DEBUG line of the logger `middlewares.cors`.

Caveats:

- `allow_origins="*"` with `allow_credentials=True` is an error when built. Browsers refuse the pair, and a server that
  mirrors the origin instead lets every site act as the user.
- With credentials, browsers take a `*` in the other lists literally, and never let it cover Authorization. Here `"*"`
  works: what the preflight asks for is mirrored, and `expose_headers="*"` names the headers that the response has.
  Headers of layers outside of this one are not seen at that point: name them beside it, `expose_headers=["*",
  "X-Request-ID"]`.
- `null` is the origin of sandboxed frames, `data:` pages and local files, which anyone can make. Only its own entry
  in `allow_origins` lets it in (or `allow_origin_func`).
- `overrides` are about the path that the routes of the application see: below the `root_path` of the server, or of the
  mount that the layer stands in.
- `websockets=True` trusts the Host header for its same-host rule, as RFC 6455 suggests. Against DNS rebinding, check
  Host as well.

Where it stands: outside of everything that answers by itself (errors, authentication, compression), so that those
answers are readable to allowed pages; inside of request IDs and timing, so that its own answers carry their headers.
An unhandled exception becomes a readable 500 with `ServerErrorMiddleware` directly inside.
"""

from .middleware import CORSMiddleware

__all__ = ["CORSMiddleware"]
