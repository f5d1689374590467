"""A server whose CORS is as wrong as the query string says, and a path behind our policy, for `docs/faq.md`."""

from urllib.parse import parse_qsl

from middlewares import CORSMiddleware


async def wrong(scope, receive, send):
    """Answer with the headers of the query: those for preflights begin with `p:`, `status` and `p:status` are no headers."""
    mark = "p:" if scope["method"] == "OPTIONS" else ""
    given = parse_qsl(scope["query_string"].decode(), keep_blank_values=True)
    wanted = [(name.removeprefix(mark), value) for name, value in given if name.startswith("p:") == bool(mark)]
    status = int(dict(wanted).get("status", "200"))
    headers = [(name.encode(), value.encode()) for name, value in wanted if name != "status"]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"tea"})


async def page(scope, receive, send):
    """A page without an icon, which Chromium would ask for."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
    await send({"type": "http.response.body", "body": b"<!doctype html><link rel=icon href=data:,>"})


ours = CORSMiddleware(wrong, allow_origins=["https://elsewhere.example"])


async def app(scope, receive, send):
    """By the path: the page, our policy, or what is wrong."""
    found = {"/page": page, "/ours": ours}.get(scope["path"], wrong)
    await found(scope, receive, send)
