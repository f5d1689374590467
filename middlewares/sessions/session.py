"""What `scope["session"]` is: a dict that reads itself on first use, and what it knows beside its data."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

from .._http.headers import Header
from .policy import Seconds, as_override, checked_seconds
from .records import AS_CONFIGURED, Envelope, Snapshot, is_same, snapshot


class Base(NamedTuple):
    """A session as it is stored: what changes are told against.

    Attributes:
        id: Its id in the store; None for one that is in the cookie.
        envelope: Its times.
        data: Its data, serialised.
    """

    id: str | None
    envelope: Envelope
    data: bytes


Found: TypeAlias = tuple[Base, dict[str, Any]]
"""A session that a request brought: as it is stored, and its data."""


class Keeper(Protocol):
    """Where a session comes from and goes to: the cookie, or a store."""

    def read(self, state: State) -> Found | None:
        """The session that the request brought."""
        ...

    def max_age(self, state: State) -> int | None:
        """The age that holds for the session."""
        ...

    def new_id(self) -> str | None:
        """An id for a session; None where they have none."""
        ...

    def is_modified(self, session: Session, state: State) -> bool:
        """Whether there is something to store."""
        ...

    def written_late(self, state: State) -> None:
        """The session is about to be written although the response has begun."""
        ...

    def unsaved(self, state: State) -> str | None:
        """Why what a WebSocket wrote to its session is not stored; None if there is nothing to say."""
        ...

    async def save(self, session: Session, state: State) -> bool:
        """Store the session now."""
        ...


class State:
    """What a session knows beside its data, for itself and for the middleware."""

    # Made for each request: assignments take half the time of a call of `__init__`, and the rest are defaults on the
    # class. Not the scope, which holds the session: a cycle for each request, that only the garbage collector ends.
    keeper: Keeper
    headers: Iterable[Header]
    """Of the request."""
    found: Found | None = None
    """What the store has; the cookie is looked into on first use."""
    is_reading: bool = False
    is_read: bool = False
    """Whether the data is in the dict."""
    snapshot: Snapshot = None
    """What was read, to see whether it has changed."""
    closed: bool = False
    """Whether the response has begun: nothing can be told to the client any more."""
    is_beginning: bool = False
    """Whether it is stored as the response begins, so that the client can still be told."""
    refused: bool = False
    """Whether to store it has raised, before the response began."""
    is_new: bool = True
    base: Base | None = None
    """What is stored; None if nothing is."""
    ended: Base | None = None
    """What was stored, and is to be removed."""
    ends: int = 0
    """How often it was ended."""
    marked: bool = False
    """Whether it is to be stored as if it had changed."""
    regenerated: bool = False
    next_id: str | None = None
    """The id that the session gets when it is stored under another one."""
    max_age: int = AS_CONFIGURED

    # For a store.
    cookie: Header | None = None
    """What the client has to be told as the response begins."""
    dead: bool = False
    """Whether another request has ended the session."""
    unknown: bool = False
    """Whether the store failed to say what the session holds, and the request is to go on without."""
    failed: bool = False
    """Whether the store failed when it was asked last, and that is to be ignored."""
    is_websocket: bool = False
    warned: bool = False
    is_busy: bool = False
    """Whether a task is at the store."""
    idle: Any = None
    """What other tasks wait for meanwhile."""

    def is_unchanged(self, session: Session) -> bool:
        """Whether it is certain, and quickly told, that there is nothing new to store."""
        base = self.base
        return (
            base is not None
            # `is_set_apart`, written out, as this runs for every session that is read.
            and not self.regenerated
            and not self.marked
            and self.max_age == base.envelope.max_age
            and is_same(session, self.snapshot)
        )

    def is_set_apart(self, base: Base) -> bool:
        """Whether something beside the data is to be stored: another id, another age, or a mark."""
        return self.regenerated or self.marked or self.max_age != base.envelope.max_age

    def end(self) -> None:
        """What is stored is to be removed; what comes now is another session."""
        self.ended = self.ended or self.base
        self.base = self.next_id = self.cookie = None
        self.regenerated = self.marked = self.dead = False
        self.is_new = True
        self.ends += 1
        self.max_age = AS_CONFIGURED


class _Unread:
    def __repr__(self) -> str:
        return "<a session that is not read yet>"


UNREAD: Any = {_Unread(): None}
"""What a session holds until it is read: json.dumps takes a dict for empty by its size, without asking it."""

# Of threads, one reads a session; the others wait until the data is there.
_reading = threading.RLock()

# Not through `super()`, as reads are to be cheap.
_clear: Callable[[Any], None] = dict.clear  # pyright: ignore[reportUnknownVariableType,reportUnknownMemberType]
_update: Callable[[Any, dict[str, Any]], None] = dict.update  # pyright: ignore[reportUnknownVariableType,reportUnknownMemberType]


class Session(dict[str, Any]):  # noqa: PLW1641 - no dict has a hash
    """The session of a request or a WebSocket: a dict which is read on first use, and stored when it has changed.

    Everything that a dict does works, and counts as access. Copies (`copy()`, `copy.deepcopy`, pickles, `|`) are plain
    dicts.
    """

    # As with `State`, what makes one sets this, and gives UNREAD to begin with.
    __slots__ = ("_state",)
    _state: State

    def _read(self) -> State:
        state = self._state
        if not state.is_read:
            with _reading:
                if not state.is_read and not state.is_reading:  # a serializer may read it
                    state.is_reading = True
                    _clear(self)
                    found = state.keeper.read(state)
                    if found is not None:
                        state.base, data = found
                        state.is_new = False
                        state.max_age = state.base.envelope.max_age
                        state.snapshot = snapshot(data)
                        _update(self, data)
                    state.is_read = True
        return state

    def _before_write(self) -> State:
        state = self._read()
        if state.closed:
            state.keeper.written_late(state)
        return state

    @property
    def id(self) -> str | None:
        """The id of a session in a store: who knows it has the session, so keep it out of logs. None for cookies.

        A new session gets one here, which the client learns when something is stored; a regenerated one its next id.
        """
        state = self._read()
        if state.base is not None and not state.regenerated:
            return state.base.id
        if state.next_id is None:
            state.next_id = state.keeper.new_id()
        return state.next_id

    @property
    def is_new(self) -> bool:
        """Whether the client brought no session, or it was invalidated."""
        return self._read().is_new

    @property
    def accessed(self) -> bool:
        """Whether the session was read or written."""
        return self._state.is_read

    @property
    def modified(self) -> bool:
        """Whether there is something to store: also a change inside of a value, and a new id or `max_age`.

        Changes are seen without it; what sets it to True calls `mark_modified()`.
        """
        return self._state.is_read and self._state.keeper.is_modified(self, self._state)

    @modified.setter
    def modified(self, value: Literal[True]) -> None:
        if value is not True:
            raise ValueError(f"session.modified can be set to True alone, as contents are compared (got {value!r})")
        self.mark_modified()

    @property
    def max_age(self) -> int | None:
        """Seconds that this session lives after it was last stored; None is until the browser is closed.

        What is set here is stored with the session, and holds for it in place of the `max_age` of the middleware:
        "remember me" is `session.max_age = 30 * 24 * 3600`. The other limits of the middleware stay.
        """
        state = self._read()
        return state.keeper.max_age(state)

    @max_age.setter
    def max_age(self, value: Seconds | None) -> None:
        checked = as_override(checked_seconds("max_age", value, "until the browser is closed"))
        self._before_write().max_age = checked

    def mark_accessed(self) -> None:
        """Read the session, as one who looks into it does (Starlette's `request.session` calls it)."""
        self._read()  # now, as pydantic takes what is in a dict without asking it

    def mark_modified(self) -> None:
        """Store the session as if it had changed, so that its `max_age` begins anew. Changes are seen without it."""
        self._before_write().marked = True

    def regenerate(self) -> None:
        """Keep the data under a new id; the old one is dead once it is stored. Call it on every login.

        It guards against session fixation: an id that was planted before the login is worth nothing after it. The age
        of the session stays. A session in a cookie has no id; its cookie is set anew.

        Raises:
            RuntimeError: The response has begun, so that the client cannot learn the id.
        """
        state = self._read()
        if state.closed:
            raise RuntimeError("session.regenerate() comes too late: the response has begun")
        if state.base is not None:
            state.regenerated = True
            state.cookie = None

    def invalidate(self) -> None:
        """End the session: its data is gone, in the store as well. What is written afterwards is a new session.

        Raises:
            RuntimeError: The response has begun, and the session is in the cookie.
        """
        state = self._before_write()
        state.end()
        super().clear()

    async def save(self) -> bool:
        """Store now what has changed, where sessions are in a store; for what is written after the response has begun.

        Returns:
            False if nothing was stored: another request has ended the session meanwhile, so that nothing will be; or
            the store failed, and `on_store_error` is "ignore".

        Raises:
            RuntimeError: Sessions are in the cookie; or the response has begun, and the session has no id that the
                client knows.
        """
        return await self._state.keeper.save(self, self._state)

    def setdefault(self, key: str, default: Any = None, /) -> Any:
        """As of a dict; a write only if the key is not there."""
        self._read()
        if not super().__contains__(key):
            self._before_write()
        return super().setdefault(key, default)

    def pop(self, key: str, /, *default: Any) -> Any:
        """As of a dict; a write only if the key is there."""
        self._read()
        if super().__contains__(key):
            self._before_write()
        return super().pop(key, *default)

    def __eq__(self, other: object) -> bool:
        self._read()
        if isinstance(other, Session):
            other._read()  # dict compares what is inside
        return super().__eq__(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __reduce__(self) -> tuple[Callable[..., dict[str, Any]], tuple[dict[str, Any]]]:
        return dict, (dict(self),)


def _reader(name: str) -> Callable[..., Any]:
    method = getattr(dict, name)

    def read(self: Session, *args: Any) -> Any:
        if not self._state.is_read:  # pyright: ignore[reportPrivateUsage]
            self._read()  # pyright: ignore[reportPrivateUsage]
        return method(self, *args)

    read.__name__, read.__doc__ = name, method.__doc__
    return read


def _writer(name: str) -> Callable[..., Any]:
    method = getattr(dict, name)

    def write(self: Session, *args: Any, **kwargs: Any) -> Any:
        self._before_write()  # pyright: ignore[reportPrivateUsage]
        return method(self, *args, **kwargs)

    write.__name__, write.__doc__ = name, method.__doc__
    return write


for _name in (
    *("__contains__", "__getitem__", "__iter__", "__len__", "__or__", "__repr__", "__reversed__", "__ror__"),
    *("copy", "get", "items", "keys", "values"),
):
    setattr(Session, _name, _reader(_name))
for _name in ("__delitem__", "__ior__", "__setitem__", "clear", "popitem", "update"):
    setattr(Session, _name, _writer(_name))
