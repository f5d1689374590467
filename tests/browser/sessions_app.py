"""Applications with a session for the tests in a browser: each answers with its user, as text."""

from middlewares.sessions import MemoryStore, SessionMiddleware

_HTML = [(b"content-type", b"text/html; charset=utf-8")]


async def answer(scope, receive, send):
    """`/login`, `/logout`, `/link?<URL>`, a page with a link, and any other path."""
    if scope["type"] == "lifespan":
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})
        return
    body = b"<!doctype html><title>t</title><link rel=icon href=data:,>"
    if scope["path"] == "/link":
        body += b"<a href='%b'>link</a>" % scope["query_string"]
    else:
        session = scope["session"]
        if scope["path"] == "/login":
            session.regenerate()
            session["user"] = "ada"
        elif scope["path"] == "/logout":
            session.invalidate()
        body += b"<p>%b</p>" % session.get("user", "nobody").encode()
    await send({"type": "http.response.start", "status": 200, "headers": _HTML})
    await send({"type": "http.response.body", "body": body})


def _with(**keywords):
    return SessionMiddleware(answer, secret_key="for these tests alone", store=MemoryStore(), **keywords)


production = _with(session_cookie="__Host-session", https_only=True)
strict = _with(session_cookie="__Host-session", https_only=True, same_site="strict")
partitioned = _with(session_cookie="__Host-session", https_only=True, same_site="none", partitioned=True)
secure = _with(https_only=True)
plain = _with()
