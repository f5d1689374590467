"""Sessions that live in a store: what is asked of it before the application runs, as its response begins, by `save`.

Every write is a change of single keys, merged by the store's atomic `update` into what is there by then, so that
requests that overlap lose nothing of each other. A record that is gone is never made anew: the session was ended.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Awaitable
from typing import TypeAlias, TypeVar

from .._http.cookies import cookie_values
from .cookie_keeper import MAX_READ, StarletteReader
from .policy import SessionPolicy
from .records import Codec, Delta, Envelope, delta, ended_by, pack, unpack
from .session import Base, Found, Session, State
from .stores import SessionStore
from .tokens import Tokens, is_id

T = TypeVar("T")

_Record: TypeAlias = tuple[Envelope, bytes]
"""The envelope of a session, and its serialised data; no data where nothing is left."""

logger = logging.getLogger("middlewares.sessions")

_TOMBSTONE_TTL = 60  # its deletion follows at once


class _UnavailableError(Exception):
    """The store raised, and `on_store_error` is "ignore"."""


class StoreKeeper:
    """Reads sessions from a store before the application runs, and writes them to it."""

    def __init__(
        self,
        policy: SessionPolicy,
        codec: Codec,
        tokens: Tokens,
        store: SessionStore,
        starlette: StarletteReader | None = None,
        *,
        ignore_errors: bool,
    ) -> None:
        import secrets

        import anyio

        self._policy = policy
        self._codec = codec
        self._tokens = tokens
        self._store = store
        self._starlette = starlette
        self._ignore_errors = ignore_errors
        self._token = secrets.token_urlsafe
        self._event = anyio.Event

    async def fetch(self, state: State) -> None:
        """Get the session of the first cookie that has one; the store is asked only about what may be an id."""
        now = time.time()
        asked: set[bytes] = set()
        try:
            for value in cookie_values(state.headers, self._policy.name, MAX_READ):
                session_id = self._tokens.loads(value)
                if session_id is not None and is_id(session_id) and session_id not in asked:
                    asked.add(session_id)
                    state.found = await self._get(session_id.decode(), now)
                elif self._starlette is not None:
                    state.found = self._starlette.found(value, now)
                if state.found is not None:
                    return
        except _UnavailableError as error:
            state.unknown = state.failed = True
            logger.warning("the store of sessions failed: this request has an empty session", exc_info=error.__cause__)

    async def _get(self, session_id: str, now: float) -> Found | None:
        stored = await self._ask(self._store.get(_key(session_id)))
        record = None if stored is None else unpack(stored)
        if record is None or not self._policy.is_alive(record[0], now):
            return None
        data = self._codec.loads(record[1])
        return None if data is None else (Base(session_id, *record), data)

    async def _ask(self, call: Awaitable[T]) -> T:
        try:
            return await call
        except Exception as error:
            if self._ignore_errors:
                raise _UnavailableError from error
            raise

    def read(self, state: State) -> Found | None:
        """The session that was fetched."""
        return state.found

    def max_age(self, state: State) -> int | None:
        """The age that holds for the session."""
        return self._policy.max_age_of(Envelope(0, 0, state.max_age))

    def new_id(self) -> str | None:
        """256 random bits."""
        return self._token(32)

    def is_modified(self, session: Session, state: State) -> bool:
        """Whether there is something to store or to delete."""
        if not session:
            return state.base is not None or state.ended is not None
        try:
            return self._is_due(state, self._delta(state, self._codec.dumps(session)))
        except Exception:  # noqa: BLE001 - what cannot be stored is no less a change
            return True

    def _delta(self, state: State, data: bytes) -> Delta | None:
        return delta(self._codec, b"" if state.base is None else state.base.data, data)

    @staticmethod
    def _is_due(state: State, change: Delta | None) -> bool:
        base = state.base
        return base is None or change is not None or state.is_set_apart(base)

    def written_late(self, state: State) -> None:
        """Over HTTP that is most often a mistake; a WebSocket is asked at its end whether all was saved."""
        if not state.warned and not state.is_websocket:
            state.warned = True
            logger.warning("the session was written after the response has begun: `await session.save()` stores it")

    def unsaved(self, state: State) -> str | None:  # noqa: ARG002
        """What to do about it."""
        return "`await session.save()` stores it, at any time once the client has an id, which comes with accept"

    async def save(self, session: Session, state: State) -> bool:
        """Bring the store to what the session holds, and leave in `state.cookie` what the client has to be told.

        Returns:
            False if another request ended the session meanwhile, or the store failed and that is to be ignored.

        Raises:
            TypeError, ValueError: the session holds what cannot be stored.
            RuntimeError: the response has begun, so that the client cannot learn the id.
            Exception: what the store raises.
        """
        if not self._policy.renews and not state.is_busy and (not state.is_read or state.is_unchanged(session)):
            return not (state.dead or state.unknown)
        # One after the other, if several tasks save; anyio's Lock would let others run first, each time.
        while state.is_busy:
            state.idle = state.idle or self._event()
            await state.idle.wait()
        state.is_busy = True
        try:
            if not state.unknown:
                state.failed = not await self._commit(session, state, time.time())
            elif self.is_modified(session, state):
                logger.warning("the store of sessions failed: what was written to the session is dropped")
        except _UnavailableError as error:
            state.failed = True
            logger.warning("the store of sessions failed: the session was not stored", exc_info=error.__cause__)
        finally:
            state.is_busy = False
            if state.idle is not None:
                state.idle.set()
                state.idle = None
        return not (state.dead or state.failed)

    async def _commit(self, session: Session, state: State, now: float) -> bool:
        """False if the store has failed before, and it is too late now."""
        data = self._codec.dumps(session) if session else b""  # raises before anything is stored
        if not data and state.base is not None:
            state.end()
        if state.ended is not None:
            if state.ended.id is not None:
                await self._ask(self._store.delete(_key(state.ended.id)))
            state.ended, state.cookie = None, self._policy.removal
        if not data or state.dead:
            return True
        # What is done to the session while the store is asked is for the next time.
        base, change, ends = state.base, self._delta(state, data), state.ends
        regenerated, marked = state.regenerated, state.marked
        is_due = self._is_due(state, change)
        is_late = state.closed and not state.is_beginning and (base is None or base.id is None or regenerated)
        if not is_due and (is_late or not self._policy.renews):
            return True
        if is_late:
            if state.failed:  # as the response began, which was logged
                return False
            raise RuntimeError(
                "session.save() cannot store a new session after the response has begun: the client cannot learn its id"
            )
        envelope = Envelope(int(now) if base is None else base.envelope.created, int(now), state.max_age)
        stored: _Record | None = (envelope, data)
        if base is None or base.id is None:
            session_id = state.next_id = state.next_id or self._token(32)
            await self._create(session_id, envelope, data, now)
        elif regenerated:
            session_id = state.next_id = state.next_id or self._token(32)
            stored = await self._move(state, base, base.id, session_id, (envelope, data), change, now)
        else:
            session_id = base.id
            try:
                stored = await self._update(base, session_id, envelope, change, now)
            except BaseException:
                if state.base is base:
                    state.base, state.snapshot = self._doubted(base, envelope, change), None
                raise
        if state.ends != ends:
            if stored is not None and stored[1]:
                state.ended = Base(session_id, stored[0], data)
            return True
        if base is None or base.id is None or stored is None:
            state.next_id, state.regenerated = None, False
        state.marked = state.marked and not marked
        if stored is not None and stored[1]:
            if state.max_age == envelope.max_age:
                state.max_age = stored[0].max_age  # which another request may have set
            self._keep(state, Base(session_id, stored[0], data), now)
            return True
        state.dead, state.base, state.cookie = True, None, None
        if stored is not None:  # this request and another one have each removed what the other left
            await self._ask(self._store.delete(_key(session_id)))
            state.cookie = self._policy.removal
        elif is_due:
            logger.warning("the session is over, or ended by another request: what was written to it is dropped")
        return True

    def _keep(self, state: State, base: Base, now: float) -> None:
        state.base, state.snapshot = base, None
        if not state.regenerated and base.id is not None:  # else the client learns its next id
            state.cookie = self._policy.set_cookie(self._tokens.dumps(base.id.encode()), base.envelope, now)

    def _doubted(self, base: Base, envelope: Envelope, change: Delta | None) -> Base:
        """The base after a write that failed or was cancelled: it may have been made, so the next one says all anew."""
        data = self._codec.loads(base.data) or {}
        if change is not None:
            data |= dict.fromkeys([*change.put, *change.removed], self._token(16))  # which is no value of theirs
        times = base.envelope if envelope.max_age == base.envelope.max_age else base.envelope._replace(max_age=0)
        return Base(base.id, times, self._codec.dumps(data))

    async def _create(self, session_id: str, envelope: Envelope, data: bytes, now: float) -> None:
        record = pack(envelope, data)
        await self._ask(self._store.create(_key(session_id), record, self._policy.ttl(envelope, now)))

    async def _update(
        self, base: Base, session_id: str, envelope: Envelope, change: Delta | None, now: float
    ) -> _Record | None:
        """Merge a change into the record; without a change its life begins anew. None if it is gone."""
        written = envelope, b""

        def merged(record: bytes) -> bytes | None:
            nonlocal written
            stored = unpack(record)
            if stored is None or not self._policy.is_alive(stored[0], now):
                return None
            data = self._merged(stored[1], change)
            if data is None:
                return None
            created, issued, _ = stored[0]
            written = _aged(Envelope(created, max(issued, envelope.issued), envelope.max_age), base, stored[0]), data
            return pack(*written)

        ttl = self._policy.ttl(envelope, now)
        if not await self._ask(self._store.update(_key(session_id), merged, ttl)):
            return None
        if (longer := self._policy.ttl(written[0], now)) > ttl:
            await self._ask(self._store.update(_key(session_id), _same, longer))
        return written

    async def _move(
        self, state: State, base: Base, old_id: str, new_id: str, new: _Record, change: Delta | None, now: float
    ) -> _Record | None:
        """Give the session another id. None if it is gone.

        The new record is made first: if this process is killed before the old one has ended, the client goes on with
        the old one, and nobody knows the new one. The old one ends by a write, which tells what it held at that point:
        no write of another request comes between that and the end.
        """
        ends = state.ends
        await self._create(new_id, *new, now)
        latest = new
        tombstone = ended_by(hashlib.sha256(new_id.encode()).digest())

        def ended(record: bytes) -> bytes | None:
            nonlocal latest
            if record == tombstone:  # this move has been here before, and was cancelled, or its answer was lost
                return record
            stored = unpack(record)
            if stored is None or not self._policy.is_alive(stored[0], now):
                return None
            latest = stored
            return tombstone

        if not await self._ask(self._store.update(_key(old_id), ended, _TOMBSTONE_TTL)):
            await self._ask(self._store.delete(_key(new_id)))
            return None
        # From here on there is no way back, whatever fails or is cancelled.
        if state.ends == ends:
            state.regenerated, state.next_id = False, None
            self._keep(state, Base(new_id, *new), now)
        else:
            state.ended = Base(new_id, *new)
        merged = self._merged(latest[1], change)
        written = _aged(new[0], base, latest[0]), new[1] if merged is None else merged
        if written != new:
            record = pack(*written)
            await self._ask(self._store.update(_key(new_id), lambda _: record, self._policy.ttl(written[0], now)))
        try:
            await self._store.delete(_key(old_id))
        except Exception:
            logger.warning("the store of sessions failed: a record without data stays for a minute", exc_info=True)
        return written

    def _merged(self, stored: bytes, change: Delta | None) -> bytes | None:
        """The stored data with a change made to it; nothing where that leaves nothing; None if it cannot be read."""
        if change is None:
            return stored
        data = self._codec.loads(stored)
        if data is None:
            return None
        data = change.applied(data)
        return self._codec.dumps(data) if data else b""


def _aged(envelope: Envelope, base: Base, stored: Envelope) -> Envelope:
    """The envelope with the age that another request has given the session, unless this one has given it one."""
    return envelope if envelope.max_age != base.envelope.max_age else envelope._replace(max_age=stored.max_age)


def _key(session_id: str) -> str:
    """What the store knows: from it nobody learns the id."""
    return hashlib.sha256(session_id.encode("ascii")).hexdigest()


def _same(record: bytes) -> bytes:
    return record
