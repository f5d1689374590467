"""Sessions: what the server remembers of a visitor from request to request, in a signed cookie or in a store.

```python
import secrets

from middlewares.sessions import SessionMiddleware

secret_key = secrets.token_urlsafe(32)  # for a try: in production it is made once, and read from the environment
app = SessionMiddleware(app, secret_key=secret_key)
```

`scope["session"]` is a dict, `request.session` in Starlette and FastAPI:

```python
async def counter(request):
    request.session["count"] = request.session.get("count", 0) + 1
```

```text
$ curl -i -b jar -c jar http://127.0.0.1:8000/counter
HTTP/1.1 200 OK
content-type: application/json
vary: Cookie
set-cookie: session=AWsGWbBr...; Path=/; Max-Age=1209600; HttpOnly; SameSite=Lax
cache-control: private
```

What it does:

1. The session is a dict of JSON values that is looked up on first use. A request that does not touch it costs next to
   nothing and leaves no trace in the response.
2. Changes are stored, and the cookie is set, as the response begins, also in the handshake of a WebSocket. What has
   changed is told by comparing contents: `session["cart"]["tea"] = 2` counts, and so no `modified` flag is needed.
   Without a change no cookie is set, but for `session.modified = True` or `session.mark_modified()`, which begin
   `max_age` anew. An exception that leaves the application before the response begins stores
   nothing; an answer of 500 that the application gives itself does.
3. A response that depends on the session has `Vary: Cookie`, and one that sets the cookie is kept from shared caches:
   `Cache-Control: private`, unless the application says something as safe itself.
4. `session.regenerate()` keeps the data under a new id, `session.invalidate()` ends the session, `session.max_age =
   2_592_000` is "remember me" for this one alone. A session that is left empty is ended, its cookie removed.
5. Cookies are signed with HMAC-SHA256, bound to their name, and tried one by one if there are several of that name: one
   that somebody planted, that is damaged or expired, is passed over. What up to 1024 cookies held is remembered in
   the process, where it is small and flat JSON, so that the requests of one page verify and decode it once.
6. With a store, the cookie holds a random id of 256 bits, and the store knows its hash alone. Ids are never taken from
   the client. Requests that overlap merge their changes key by key, and none of them brings a session back that
   another one has ended.
7. What browsers would refuse (a `__Host-` cookie without Secure, one of more than 4096 bytes) is an error, which names
   the way out: on construction, or before the response begins.

For production, with a store and all limits:

```python
from datetime import timedelta

from middlewares.sessions import SQLiteStore

app = SessionMiddleware(
    app,
    secret_key=[secret_key, "the key of before"],  # the first signs, all verify
    session_cookie="__Host-session",
    https_only=True,
    store=SQLiteStore("sessions.sqlite"),
    max_age=timedelta(days=7),
    idle_timeout=timedelta(hours=1),
    absolute_timeout=timedelta(days=30),
)
```

Which store:

| | for | runs on |
|---|---|---|
| none: the cookie | a few hundred bytes that the user may read, and need not be taken back | asyncio, trio |
| `MemoryStore()` | tests, development, a single worker | asyncio, trio |
| `SQLiteStore(path)` | all workers of one machine | asyncio, trio |
| `RedisStore(url_or_client)` | the workers of many machines; Valkey, too | asyncio |
| `SQLAlchemyStore(async_engine)` | where there is PostgreSQL or MySQL already | asyncio |

An object of your own with the four methods of `SessionStore` is one as well.

Login and logout:

```python
async def login(request):
    request.session.regenerate()  # whoever knew the old id has nothing
    request.session["user"] = "ada"


async def logout(request):
    request.session.invalidate()
```

A WebSocket that writes after it was accepted stores by itself:

```python
async def chat(websocket):
    await websocket.accept()
    async for text in websocket.iter_text():
        websocket.session["last"] = text
        await websocket.session.save()  # with a store
```

What to set in production, and why:

- `secret_key`: 32 random bytes, the same for all workers, from the environment or a vault. Who learns it can be any
  user. To change it, put the new one first, and take the old one out after `max_age`.
- `https_only=True`: without it, the cookie travels in plain text with every `http://` request, for all on the way to
  copy. It is off by default only because browsers would then drop the cookie on `http://` hosts in development.
- `session_cookie="__Host-session"`: without the prefix, another host of your domain, or whoever stands between on plain
  HTTP, can plant a cookie of that name. Browsers take this one from your host alone, and over HTTPS alone.
- `regenerate()` on every login and change of rights: a session id from before the login may be known to someone else.
- A store, once sessions must be taken back: a signed cookie that was copied stays good until it expires, whatever
  logout does. A store ends it at once.
- `idle_timeout` and `absolute_timeout`: `max_age` alone counts from the last write, and a stolen session that is
  written often lives on for ever. OWASP advises both limits; how short they are depends on what is at stake.
- `same_site="lax"` keeps the cookie out of what other sites post and embed, but not out of the links that they show.
  Let no GET change anything, and where that is not enough, or with `"none"`, check Origin or a CSRF token as well.
  `"strict"` keeps links out, too: a user who comes by one seems to be logged out.
- `domain=None`: a domain would send the cookie to each of its hosts, and let each of them set it.
- `encrypted=True`, if a signed cookie holds what its user is not to read: signed is not secret.

Caveats:

- What looks into a dict without asking it, as msgspec and pydantic do, fails for a session that is not read yet, or
  finds nothing in it: give it `dict(session)`. `json` needs nothing, and Starlette's `request.session` reads it.
- A signed cookie holds the whole session: two requests that overlap do not merge, the later answer wins. It can hold
  about 3000 bytes of JSON; there is no splitting into several.
- After the response has begun, a write to a session in the cookie raises `RuntimeError`; with a store, it is stored by
  `await session.save()` alone, and logged as a warning.
- Values are what the serializer takes: JSON has no tuples, dates, or keys that are numbers, and what it does not take
  fails before the response begins.
- `rolling` and `idle_timeout` write on every request that reads the session, and set the cookie anew.
- With `max_age=None` the cookie ends with the session of the browser, but browsers that restore their tabs keep it; the
  record in a store lasts 14 days.
- The store is asked before the application runs, about each cookie of this name and form that a request brings, until
  one has a session; with a `secret_key`, only about ids that were signed with it. If it is down, such requests fail
  before they are answered; `on_store_error="ignore"` gives them an empty session.
- Data in a store is not encrypted. Close the store as the application ends: `await store.aclose()`.
- daphne takes no headers with the acceptance of a WebSocket: begin sessions over HTTP there.
- Two of these for one request need a `session_cookie` and a `scope_key` each.

Where it stands: innermost, next to the application, and inside of caches, so that these see its Vary and Cache-Control.
Whatever reads `scope["session"]` (a login, a protection against CSRF) stands inside of it.
"""

from typing import TYPE_CHECKING

from .middleware import SessionMiddleware
from .session import Session
from .stores import SessionStore

if TYPE_CHECKING:
    from .stores.memory import MemoryStore
    from .stores.redis import RedisStore
    from .stores.sqlalchemy import SQLAlchemyStore
    from .stores.sqlite import SQLiteStore

__all__ = [
    "MemoryStore",
    "RedisStore",
    "SQLAlchemyStore",
    "SQLiteStore",
    "Session",
    "SessionMiddleware",
    "SessionStore",
]

if not TYPE_CHECKING:  # each store is loaded on first use, with what it imports

    def __getattr__(name):  # noqa: ANN001, ANN202
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(f".stores.{name.removesuffix('Store').lower()}", __name__), name)
        globals()[name] = value
        return value

    def __dir__():  # noqa: ANN202
        return sorted({*globals(), *__all__})
