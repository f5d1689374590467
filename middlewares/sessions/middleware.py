"""The ASGI shell of sessions: puts the session into the scope, and its cookie onto the response."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from .._http.headers import RESPONSE_STARTS
from .._http.options import checked_bool
from ..asgi import AnyASGIApp, Message, OrderRules, Receive, Scope, Send, entry
from .cookie_keeper import CookieKeeper, StarletteReader
from .policy import SameSite, Seconds, SessionPolicy
from .records import Codec, Serializer
from .session import UNREAD, Session, State
from .stores import SessionStore
from .tokens import EncryptedTokens, Keys, PlainIds, SecretKey, SignedTokens, StarletteCookies, Tokens

if TYPE_CHECKING:
    from .store_keeper import StoreKeeper

_logger = logging.getLogger("middlewares.sessions")


class SessionMiddleware:
    """Sessions in `scope["session"]`: in a signed or encrypted cookie, or in a store on the server.

    Args:
        app: The application to wrap (ASGI 3, or an ASGI 2 double callable).
        secret_key: What the cookie is signed or encrypted with: `str`, `bytes`, Starlette's `Secret`, or a list of
            them, of which the first signs and all verify, so that keys can be changed. Who knows one can be any user:
            32 random bytes, never in the source code. With a store it is optional and signs the id. None: no key.
        session_cookie: The name of the cookie, a token. `"__Host-session"` keeps subdomains and plain HTTP from
            planting one. Default: `"session"`.
        max_age: Seconds (or a timedelta) that a session lives after it was last stored, for the browser and here. None:
            until the browser is closed; a record in the store then lasts 14 days. Default: 14 days.
        path: The paths that the cookie is sent to. Default: `"/"`.
        same_site: Whether other sites' requests carry the cookie: `"strict"` none, `"lax"` links only, `"none"` all,
            which needs `https_only` and a protection against CSRF. Default: `"lax"`.
        https_only: Whether the cookie is Secure: without it, it travels in plain text over HTTP. Set it in production.
            Default: False.
        domain: A domain whose hosts all get the cookie, and can set it. None: this host alone. Default: None.
        partitioned: Whether the cookie is kept apart for each top-level site (CHIPS); needs `https_only`.
            Default: False.
        store: Where sessions live on the server; the cookie then holds a random id alone. None: in the cookie.
        rolling: Whether every request that reads its session begins `max_age` anew. Default: False.
        idle_timeout: Seconds without a request that reads the session, after which it is over. None: no limit.
        absolute_timeout: Seconds after its beginning when it is over, whatever happens. None: no limit.
        encrypted: Whether the cookie is encrypted (AES-GCM): otherwise the user, and who has the cookie, can read what
            is in it. Needs the extra `encryption`, and a key. Default: False.
        serializer: An object with `dumps` and `loads`, such as `orjson`. Never pickle: who learns a key could run code.
            None: JSON of the standard library.
        on_store_error: `"raise"`: when the store fails, the request fails before it is answered. `"ignore"`: it has an
            empty session, what cannot be stored is lost, and that is logged. Default: `"raise"`.
        scope_key: The key of the scope that holds the session. Default: `"session"`.
        starlette_cookies: Whether to read the cookies of Starlette's SessionMiddleware as well; ours are written.
            For a switch that logs nobody out; they are signed with SHA-1. Default: False.

    Raises:
        TypeError: A keyword has a value of the wrong type.
        ValueError: A keyword has a value that browsers would refuse, or that is not safe.
        ImportError: An extra is missing.

    Source: RFC 6265bis (draft 22), RFC 9111 7.3; OWASP Session Management Cheat Sheet.
    """

    asgi_order: ClassVar[OrderRules] = {
        "kinds": ("sessions",),
        "inside": {"cache": "what that layer keeps has not got the session's Vary and Cache-Control yet"},
    }

    def __init__(
        self,
        app: AnyASGIApp,
        *,
        secret_key: SecretKey | Iterable[SecretKey] | None = None,
        session_cookie: str = "session",
        max_age: Seconds | None = 14 * 24 * 60 * 60,
        path: str = "/",
        same_site: SameSite = "lax",
        https_only: bool = False,
        domain: str | None = None,
        partitioned: bool = False,
        store: SessionStore | None = None,
        rolling: bool = False,
        idle_timeout: Seconds | None = None,
        absolute_timeout: Seconds | None = None,
        encrypted: bool = False,
        serializer: Serializer | None = None,
        on_store_error: Literal["raise", "ignore"] = "raise",
        scope_key: str = "session",
        starlette_cookies: bool = False,
    ) -> None:
        self.app = app
        self._app = entry(app)
        self._policy = policy = SessionPolicy(
            session_cookie=session_cookie,
            max_age=max_age,
            path=path,
            same_site=same_site,
            https_only=https_only,
            domain=domain,
            partitioned=partitioned,
            rolling=rolling,
            idle_timeout=idle_timeout,
            absolute_timeout=absolute_timeout,
        )
        if not isinstance(scope_key, str) or not scope_key:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise _error(scope_key, f"scope_key must be a key of the scope, such as 'session' (got {scope_key!r})")
        self._scope_key = scope_key
        if on_store_error not in ("raise", "ignore"):
            raise ValueError(f"on_store_error must be 'raise' or 'ignore' (got {on_store_error!r})")
        checked_bool("encrypted", encrypted)
        checked_bool("starlette_cookies", starlette_cookies)
        keys = None if secret_key is None else Keys(secret_key)
        if keys is None and (store is None or encrypted or starlette_cookies):
            needs = (
                "encrypted=True" if encrypted else "starlette_cookies=True" if starlette_cookies else "a cookie session"
            )
            raise ValueError(
                f"secret_key must be given: {needs} needs one (got None)" + ("" if store else "; or give a store")
            )
        codec = Codec(serializer)
        starlette = StarletteReader(policy, codec, StarletteCookies(keys)) if keys and starlette_cookies else None
        purpose = b"session" if store is None else b"id"
        tokens = _tokens(keys, b"middlewares.sessions %b %b" % (purpose, policy.name), encrypted=encrypted)
        self._cookie_keeper = None if store is not None else CookieKeeper(policy, codec, tokens, starlette)
        self._store_keeper: StoreKeeper | None = None
        if store is not None:
            from .store_keeper import StoreKeeper  # here, as its hashes and locks would make the room's import heavier

            ignore = on_store_error == "ignore"
            self._store_keeper = StoreKeeper(
                policy, codec, tokens, _checked_store(store), starlette, ignore_errors=ignore
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application with its session in the scope."""
        kind = scope["type"]
        if kind not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        state = State()
        state.headers = scope["headers"]
        cookies = self._cookie_keeper
        if cookies is not None:
            state.keeper = cookies
        else:
            state.keeper = stored = cast("StoreKeeper", self._store_keeper)
            state.is_websocket = kind == "websocket"
            await stored.fetch(state)
        scope[self._scope_key] = session = Session(UNREAD)
        session._state = state  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001

        # Defaults in place of a closure, since that is what keeps the layer cheap.
        # No await of its own where the session is not touched.
        def send_session(
            message: Message, session: Session = session, state: State = state, scope: Scope = scope, send: Send = send
        ) -> Awaitable[None]:
            if not state.closed and message["type"] in RESPONSE_STARTS:
                if scope.get(self._scope_key) is not session:
                    self._adopt(scope, session)
                if not state.is_read:
                    state.closed = True
                elif cookies is None:
                    return self._send_stored(message, session, state, send)
                else:
                    state.closed = True
                    cookie = None
                    try:
                        cookie = cookies.cookie(session, state, time.time())
                    except Exception as error:
                        if _reopens(state, error):
                            raise
                    message = {**message}
                    message["headers"] = self._policy.add_headers(message.get("headers"), cookie)
            return send(message)

        await self._app(scope, receive, send_session)
        if kind == "websocket" and state.is_read:
            _tell_unsaved(session, state, scope)

    async def _send_stored(self, message: Message, session: Session, state: State, send: Send) -> None:
        state.closed = state.is_beginning = True  # not before: a task that is cancelled may never come here
        try:
            await cast("StoreKeeper", self._store_keeper).save(session, state)
        except BaseException as error:
            if _reopens(state, error):
                raise
        finally:
            state.is_beginning = False
        message = {**message}
        message["headers"] = self._policy.add_headers(message.get("headers"), state.cookie)
        await send(message)

    def _adopt(self, scope: Scope, session: Session) -> None:
        """Take over what the application has put in the place of the session."""
        given: Any = scope.get(self._scope_key)
        if type(given).__module__ == "litestar.types.empty":  # what Litestar's `clear_session` leaves
            session.clear()
        # A session of another middleware, of ours or Starlette's, is that one's to store.
        elif isinstance(given, Mapping) and not hasattr(cast("object", given), "mark_accessed"):
            data = dict(cast("Mapping[str, Any]", given))  # first, as it may look into the session
            session.clear()
            session.update(data)
            scope[self._scope_key] = session


def _reopens(state: State, error: BaseException) -> bool:
    """Whether an error as the response begins goes up: the application may mend the session, and answer all the same.

    That answer goes out, in any case: it may be an error page. A cancellation is no error of the session's.
    """
    is_error = isinstance(error, Exception)
    if is_error and state.refused:
        _logger.warning("the session could not be stored, and the response goes out without it", exc_info=error)
        return False
    state.closed = False
    state.refused = state.refused or is_error
    return True


def _tell_unsaved(session: Session, state: State, scope: Scope) -> None:
    if not state.dead and not state.failed and session.modified and (reason := state.keeper.unsaved(state)):
        _logger.warning("the session of a WebSocket was written and not stored: %s (path %a)", reason, scope["path"])


def _tokens(keys: Keys | None, purpose: bytes, *, encrypted: bool) -> Tokens:
    if keys is None:
        return PlainIds()
    return EncryptedTokens(keys, purpose) if encrypted else SignedTokens(keys, purpose)


def _checked_store(store: Any) -> SessionStore:
    # A class has the methods, too, and none of the records.
    missing = [name for name in ("get", "create", "update", "delete") if not callable(getattr(store, name, None))]
    if missing or isinstance(store, type):
        wrong = "a class" if isinstance(store, type) else f"{type(store).__qualname__} without {missing[0]}"
        raise TypeError(f"store must be a session store, such as MemoryStore() (got {wrong})")
    return cast("SessionStore", store)


def _error(value: object, message: str) -> ValueError | TypeError:
    return ValueError(message) if isinstance(value, str) else TypeError(message)
