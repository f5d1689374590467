"""The session as a dict, which reads itself on first use, and what it tells of itself."""

from __future__ import annotations

import copy
import json
import pickle
import threading
import time
from collections.abc import MutableMapping
from datetime import timedelta
from typing import Any

import anyio
import pytest

from middlewares.sessions.records import UNTIL_CLOSED, Envelope
from middlewares.sessions.session import UNREAD, Base, Session, State

DATA = {"a": 1, "b": [2]}


class Kept:
    """A keeper whose request brought a session, or none; it counts how often it is read."""

    def __init__(self, data: dict[str, Any] | None) -> None:
        self.data = data
        self.reads = 0
        self.late = 0

    def read(self, state: State) -> Any:
        self.reads += 1
        if self.data is None:
            return None
        return Base("id", Envelope(1, 2, 30), json.dumps(self.data).encode()), copy.deepcopy(self.data)

    def max_age(self, state: State) -> int | None:
        return None if state.max_age == UNTIL_CLOSED else state.max_age

    def new_id(self) -> str:
        return "new"

    def is_modified(self, session: Session, state: State) -> bool:
        return dict(session) != (self.data or {})

    def written_late(self, state: State) -> None:
        self.late += 1

    def unsaved(self, state: State) -> None: ...

    async def save(self, session: Session, state: State) -> bool:
        return True


def session_of(data: dict[str, Any] | None = DATA) -> tuple[Session, Kept, State]:
    keeper = Kept(data)
    state = State()
    state.keeper, state.headers = keeper, []
    session = Session(UNREAD)
    session._state = state
    return session, keeper, state


def updated(session: Session) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    plain.update(session)
    return plain


READS: dict[str, tuple[Any, Any]] = {
    "getitem": (lambda s: s["a"], 1),
    "get": (lambda s: s.get("a"), 1),
    "get default": (lambda s: s.get("x", 5), 5),
    "in": (lambda s: "a" in s, True),
    "len": (len, 2),
    "iter": (list, ["a", "b"]),
    "reversed": (lambda s: list(reversed(s)), ["b", "a"]),
    "bool": (bool, True),
    "dict": (dict, DATA),
    "unpacking": (lambda s: {**s}, DATA),
    "keys": (lambda s: list(s.keys()), ["a", "b"]),
    "values": (lambda s: list(s.values()), [1, [2]]),
    "items": (lambda s: list(s.items()), [("a", 1), ("b", [2])]),
    "repr": (repr, repr(DATA)),
    "==": (lambda s: s == DATA, True),
    "!=": (lambda s: s != DATA, False),
    "== on the right": (lambda s: DATA == s, True),
    "|": (lambda s: s | {"c": 3}, {**DATA, "c": 3}),
    "| on the right": (lambda s: {"c": 3, "a": 0} | s, {"c": 3, **DATA}),
    "copy()": (lambda s: s.copy(), DATA),
    "copy.copy": (copy.copy, DATA),
    "copy.deepcopy": (copy.deepcopy, DATA),
    "pickle": (lambda s: pickle.loads(pickle.dumps(s)), DATA),
    "json": (json.dumps, json.dumps(DATA)),
    "json indented": (lambda s: json.dumps(s, indent=1), json.dumps(DATA, indent=1)),
    "json sorted": (lambda s: json.dumps(s, sort_keys=True), json.dumps(DATA)),
    "json nested": (lambda s: json.dumps([s]), json.dumps([DATA])),
    "json in pieces": (lambda s: "".join(json.JSONEncoder().iterencode(s)), json.dumps(DATA)),
    "update of another": (updated, DATA),
    "setdefault": (lambda s: s.setdefault("a", 9), 1),
    "pop default": (lambda s: s.pop("x", 5), 5),
    "match": (lambda s: len([*s]) if isinstance(s, MutableMapping) else None, 2),
}


@pytest.mark.parametrize("name", READS)
def test_reads(name) -> None:
    """Each way of reading reads the session first, once, counts as access, and changes nothing (contract)."""
    read, expected = READS[name]
    session, keeper, state = session_of()
    state.closed = True
    assert not session.accessed
    assert keeper.reads == 0
    result = read(session)
    assert (expected, type(expected)) == (result, type(result))
    assert session.accessed
    assert result == read(session)
    assert (1, 0, DATA) == (keeper.reads, keeper.late, dict(session))


def test_missing_keys() -> None:
    """A key that is not there raises KeyError, as of a dict, also where the session was not read before."""
    for wrong in (lambda s: s["x"], lambda s: s.pop("x"), lambda s: s.__delitem__("x")):
        with pytest.raises(KeyError):
            wrong(session_of()[0])
    with pytest.raises(KeyError):
        session_of(None)[0].popitem()
    with pytest.raises(TypeError):
        hash(session_of()[0])


WRITES: dict[str, tuple[Any, dict[str, Any]]] = {
    "setitem": (lambda s: s.__setitem__("c", 3), {**DATA, "c": 3}),
    "delitem": (lambda s: s.__delitem__("a"), {"b": [2]}),
    "update": (lambda s: s.update({"a": 2}, c=3), {"a": 2, "b": [2], "c": 3}),
    "|=": (lambda s: s.__ior__({"c": 3}), {**DATA, "c": 3}),
    "setdefault": (lambda s: s.setdefault("c", 3), {**DATA, "c": 3}),
    "setdefault None": (lambda s: s.setdefault("c"), {**DATA, "c": None}),
    "pop": (lambda s: s.pop("a"), {"b": [2]}),
    "popitem": (lambda s: s.popitem(), {"a": 1}),
    "clear": (lambda s: s.clear(), {}),
    "invalidate": (lambda s: s.invalidate(), {}),
}


@pytest.mark.parametrize("name", WRITES)
def test_writes(name) -> None:
    """Each way of writing reads the session first, so that nothing of it is lost, and tells if it is late (contract)."""
    write, expected = WRITES[name]
    session, keeper, state = session_of()
    state.closed = True
    write(session)
    assert session.modified
    assert session.accessed
    assert expected == session
    assert (1, 1) == (keeper.reads, keeper.late)


def test_in_place_or() -> None:
    """`|=` keeps the object: what the scope holds is still the session."""
    session, _, _ = session_of()
    same = session
    session |= {"c": 3}
    assert session is same
    assert {**DATA, "c": 3} == session


def test_two_sessions() -> None:
    """Two sessions are equal by what they hold, also unread ones."""
    assert session_of()[0] == session_of()[0]
    assert session_of()[0] != session_of(None)[0]
    assert session_of()[0] != 5


def test_copies_are_plain() -> None:
    """A copy is a dict without a keeper: it can be put into the session, or outlive it."""
    for make in (copy.copy, copy.deepcopy, dict.copy):
        session, _, _ = session_of()
        bool(session)
        assert type(make(session)) is dict
    deep = copy.deepcopy(session_of()[0])
    assert deep["b"] is not session_of()[0]["b"]


def test_no_session() -> None:
    """Without a session of the client's it is an empty dict, and new."""
    session, _, _ = session_of(None)
    assert json.dumps(session) == "{}"
    assert (False, {}, True) == (bool(session), session, session.is_new)
    assert not session_of()[0].is_new


def test_unread_inside() -> None:
    """What an unread session holds shows what it is, to whoever looks at it with C's eyes."""
    assert "not read yet" in dict.__repr__(session_of()[0])


def test_modified() -> None:
    """`modified` does not read what nobody has touched, and sees what is inside of values (#3166)."""
    session, keeper, _ = session_of()
    assert not session.modified
    assert keeper.reads == 0
    session["b"].append(3)
    assert session.modified


def test_id() -> None:
    """The id is that of the record, the next one after `regenerate`, and a new one for a new session, once."""
    session, _, _ = session_of()
    assert session.id == "id"
    session.regenerate()
    assert session.id == "new" == session.id
    new, _, _ = session_of(None)
    assert new.id == "new"
    new.regenerate()
    assert new.id == "new"


def test_regenerate() -> None:
    """`regenerate` keeps the data; there is nothing to do for a new session, and after the start it raises."""
    session, _, state = session_of()
    session.regenerate()
    assert (DATA, True, False) == (session, state.regenerated, session.is_new)
    new, _, state = session_of(None)
    new.regenerate()
    assert not state.regenerated
    state.closed = True
    with pytest.raises(RuntimeError, match=r"session\.regenerate\(\) comes too late"):
        new.regenerate()


def test_invalidate() -> None:
    """`invalidate` ends what is stored; what is written then is a new session with another id (contract)."""
    session, _, state = session_of()
    session.invalidate()
    session.invalidate()
    session["c"] = 3
    assert state.ended is not None
    assert (True, "new", {"c": 3}, "id") == (session.is_new, session.id, session, state.ended.id)


@pytest.mark.parametrize(
    ("value", "expected"), [(60, 60), (timedelta(minutes=2), 120), (None, None)], ids=["int", "timedelta", "None"]
)
def test_max_age(value, expected) -> None:
    """A session's own max_age is a property: it is read from what is stored, and set (contract, #73)."""
    session, keeper, state = session_of()
    assert session.max_age == 30
    state.closed = True
    session.max_age = value
    assert (expected, 1) == (session.max_age, keeper.late)


@pytest.mark.parametrize(("value", "error"), [(0, ValueError), (-1, ValueError), ("5", TypeError), (True, TypeError)])
def test_wrong_max_age(value, error) -> None:
    """A max_age out of range, or of another type, is refused where it is set, and nothing has changed."""
    session, keeper, _ = session_of()
    with pytest.raises(error, match="max_age must be"):
        session.max_age = value
    assert keeper.reads == 0
    assert session.max_age == 30


def test_mark_accessed() -> None:
    """Starlette's `request.session` calls `mark_accessed`, which reads: pydantic takes what is in a dict, unasked."""
    session, keeper, _ = session_of()
    session.mark_accessed()
    assert session.accessed
    assert (1, [*DATA.items()]) == (keeper.reads, [*dict.items(session)])
    assert DATA == session
    session.mark_accessed()
    assert keeper.reads == 1


@pytest.mark.parametrize("mark", [Session.mark_modified, lambda session: setattr(session, "modified", True)])
def test_mark_modified(mark) -> None:
    """`mark_modified()` (Starlette) and `modified = True` (Flask, Django) read, and count as a write."""
    session, keeper, state = session_of()
    mark(session)
    assert (True, True, 1, 0) == (state.marked, session.accessed, keeper.reads, keeper.late)
    state.closed = True
    mark(session)
    assert keeper.late == 1
    session.invalidate()
    assert not state.marked


def test_modified_is_not_unset() -> None:
    """`modified = False` is refused: a change is stored all the same, as contents are compared."""
    session, _, _ = session_of()
    with pytest.raises(ValueError, match=r"session\.modified can be set to True alone.*got False"):
        session.modified = False  # type: ignore[assignment]


def test_serializer_that_reads_the_session() -> None:
    """What reads the session while it is read for the first time finds it empty, and reads nothing once more."""
    session, keeper, _ = session_of()
    read = keeper.read
    keeper.read = lambda state: (read(state), session.get("a"))[0]  # type: ignore[method-assign]
    assert (1, 1) == (session["a"], keeper.reads)


def test_first_read_in_two_threads() -> None:
    """A thread that reads while another one reads for the first time waits until the data is there."""
    session, keeper, _ = session_of()
    read, begun, seen = keeper.read, threading.Event(), []

    def second() -> None:
        begun.set()
        seen.append(session.get("a"))

    def slow(state: State) -> Any:
        thread.start()
        begun.wait()
        time.sleep(0.2)  # the other one stands before the lock by now
        return read(state)

    thread = threading.Thread(target=second)
    keeper.read = slow  # type: ignore[method-assign]
    assert session["a"] == 1
    thread.join()
    assert ([1], 1) == (seen, keeper.reads)


def test_save() -> None:
    """`save` is the keeper's."""
    assert anyio.run(session_of()[0].save)
