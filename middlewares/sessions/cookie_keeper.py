"""Sessions that live in the cookie."""

from __future__ import annotations

import time

from .._http.cookies import cookie_values
from .._http.headers import Header
from .policy import SessionPolicy
from .records import Codec, Envelope, delta, pack, snapshot, unpack
from .session import Base, Found, Session, State
from .tokens import StarletteCookies, Tokens

MAX_READ = 8192
"""What is longer than twice what browsers keep is no session, and costs no crypto."""

_MOST_KNOWN = 1024
_LONGEST_KNOWN = 1024


class StarletteReader:
    """Finds a session in a cookie of Starlette's SessionMiddleware."""

    __slots__ = ("_codec", "_cookies", "_json", "_policy")

    def __init__(self, policy: SessionPolicy, codec: Codec, cookies: StarletteCookies) -> None:
        self._policy = policy
        self._codec = codec
        self._cookies = cookies
        self._json = Codec(None)

    def found(self, value: bytes, now: float) -> Found | None:
        """The session of a cookie value, as old as the cookie is."""
        signed = self._cookies.loads(value)
        if signed is None:
            return None
        issued, text = signed
        envelope = Envelope(issued, issued)
        if not 0 <= issued < 2**32 or not self._policy.is_alive(envelope, now):
            return None
        data = self._json.loads(text)
        if data is None:
            return None
        try:
            return Base(None, envelope, self._codec.dumps(data)), data
        except Exception:  # noqa: BLE001 - a serializer of yours need not take all that is JSON
            return None


class CookieKeeper:
    """Reads sessions from the cookie, and makes the cookie of what they hold at the end."""

    def __init__(
        self, policy: SessionPolicy, codec: Codec, tokens: Tokens, starlette: StarletteReader | None = None
    ) -> None:
        self._policy = policy
        self._codec = codec
        self._tokens = tokens
        self._starlette = starlette
        # What the cookies of ours hold that came lately: browsers bring the same one with every request of a page.
        # It is told anew, each time, whether the session is still alive.
        self._known: dict[bytes, Found] = {}

    def read(self, state: State) -> Found | None:
        """The session of the first cookie that has one."""
        now = time.time()
        for value in cookie_values(state.headers, self._policy.name, MAX_READ):
            found = self._found(value, now)
            if found is None and self._starlette is not None:
                found = self._starlette.found(value, now)
            if found is not None:
                return found
        return None

    def _found(self, value: bytes, now: float) -> Found | None:
        known = self._known.get(value)
        if known is not None:
            return known if self._policy.is_alive(known[0].envelope, now) else None
        # Verified first, decoded after.
        payload = self._tokens.loads(value)
        record = None if payload is None else unpack(payload)
        if record is None or not self._policy.is_alive(record[0], now):
            return None
        envelope, stored = record
        data = self._codec.loads(stored)
        if data is None:
            return None
        found = (Base(None, envelope, stored), data)
        # Nobody changes the dict itself, and nobody can change what is in it. A serializer of the user's is asked each
        # time: it may decide something, or make much of few bytes.
        if len(value) <= _LONGEST_KNOWN and self._codec.is_json and snapshot(data) is data:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[value] = found
        return found

    def max_age(self, state: State) -> int | None:
        """The age that holds for the session."""
        return self._policy.max_age_of(Envelope(0, 0, state.max_age))

    def new_id(self) -> str | None:
        """A session in a cookie has none."""
        return None

    def is_modified(self, session: Session, state: State) -> bool:
        """Whether the cookie has to be set anew, or removed."""
        if not session:
            return state.base is not None or state.ended is not None
        try:
            return self._is_changed(state, self._codec.dumps(session))
        except Exception:  # noqa: BLE001 - what cannot be stored is no less a change
            return True

    def _is_changed(self, state: State, data: bytes) -> bool:
        base = state.base
        return base is None or state.is_set_apart(base) or delta(self._codec, base.data, data) is not None

    def written_late(self, state: State) -> None:  # noqa: ARG002
        """The cookie has been set already."""
        raise RuntimeError(
            "the session was written after the response has begun, so that its cookie cannot be set any more: write it "
            "before, or keep sessions on the server (store=...), where `await session.save()` stores them at any time"
        )

    def unsaved(self, state: State) -> str | None:
        """Once the response has begun, every write has raised."""
        return None if state.closed else "it was closed before it was accepted, so that nothing carried the cookie"

    async def save(self, session: Session, state: State) -> bool:  # noqa: ARG002
        """The cookie is set as the response begins."""
        raise RuntimeError("session.save() is for sessions in a store: the cookie is set as the response begins")

    def cookie(self, session: Session, state: State, now: float) -> Header | None:
        """What the client has to be told as the response begins.

        Raises:
            TypeError, ValueError: the session holds what cannot be stored, or too much.
        """
        if not self._policy.renews and state.is_unchanged(session):
            return None
        if not session:
            return self._policy.removal if state.base or state.ended else None
        data = self._codec.dumps(session)
        if not self._policy.renews and not self._is_changed(state, data):
            return None
        created = int(now) if state.base is None else state.base.envelope.created
        envelope = Envelope(created, int(now), state.max_age)
        return self._policy.set_cookie(self._tokens.dumps(pack(envelope, data)), envelope, now)
