"""Sessions in a store: what it is asked and when, ids, faults, WebSockets, and what overlapping requests do."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from middlewares.sessions import MemoryStore, SessionMiddleware
from middlewares.testing import Recorder, http_scope
from tests.sessions.visitor import Answer, Store, Visitor

pytestmark = pytest.mark.anyio

REMOVAL = b"session=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax"
START = {"type": "http.response.start", "status": 200, "headers": []}
BODY = {"type": "http.response.body", "body": b""}


def visitor(store: Any = None, **keywords: Any) -> tuple[Visitor, Any]:
    store = Store() if store is None else store
    return Visitor(SessionMiddleware, store=store, **keywords), store


def twin(client: Visitor) -> Visitor:
    """Another tab of the same browser."""
    other = Visitor(client.layer, **client.keywords)
    other.cookie = client.cookie
    return other


def sets(**values: Any) -> Any:
    return lambda session: session.update(values)


def warnings_of(caplog: Any) -> list[str]:
    messages = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    caplog.clear()
    return messages


async def test_no_calls() -> None:
    """Without a cookie the store is not asked, neither for an untouched nor for a read or emptied session (contract)."""
    client, store = visitor()
    answer = await client.ask(lambda _: None, START)
    assert answer.sent[0] is START
    for do in (dict, lambda s: s.clear(), lambda s: s.invalidate(), lambda s: (s.update(a=1), s.pop("a"))[0]):
        assert [(b"vary", b"Cookie")] == (await client.ask(do)).headers
    assert [] == store.taken()


@pytest.mark.parametrize("secret_key", [None, "key"])
async def test_written(secret_key) -> None:
    """The cookie holds a random id, signed if there is a key, never data; the store knows its hash alone (contract)."""
    client, store = visitor(secret_key=secret_key)
    answer = await client.ask(lambda s: (s.update(a=1), s.id)[1])
    cookie = client.cookie or b""
    assert re.fullmatch("[A-Za-z0-9_-]{43}", answer.result)
    assert [hashlib.sha256(answer.result.encode()).hexdigest()] == [*store.records]
    assert (secret_key is None) is (cookie == answer.result.encode())
    line = b"session=" + cookie + b"; Path=/; Max-Age=1209600; HttpOnly; SameSite=Lax"
    expected = {**START, "headers": [(b"vary", b"Cookie"), (b"set-cookie", line), (b"cache-control", b"private")]}
    assert [expected, BODY] == answer.sent
    assert (["create"], [1209600]) == (store.taken(), store.ttls)
    answer = await client.ask(lambda s: (dict(s), s.id, s.is_new, s.modified))
    assert answer.result == ({"a": 1}, next(iter([answer.result[1]])), False, False)
    assert [(b"vary", b"Cookie")] == answer.headers
    assert ["get"] == store.taken()
    await client.ask(sets(b=1))
    assert client.cookie == cookie
    assert ["get", "update"] == store.taken()


async def test_keys_of_the_store_are_no_cookies() -> None:
    """Who reads the store cannot take over a session: its keys are not ids (OWASP; contract)."""
    client, store = visitor()
    await client.ask(sets(a=1))
    client.cookie = next(iter(store.records)).encode()
    assert {} == (await client.ask()).result


async def test_ids_are_not_adopted() -> None:
    """An id that the store does not know is never taken up, nor is one that has ended (session fixation; contract)."""
    client, store = visitor()
    client.cookie = planted = b"A" * 43
    assert {} == (await client.ask()).result
    assert ["get"] == store.taken()
    await client.ask(sets(a=1))
    assert client.cookie != planted
    ended = client.cookie
    await client.ask(lambda s: s.invalidate())
    client.cookie = ended
    await client.ask(sets(a=2))
    assert client.cookie not in (ended, planted)


async def test_every_cookie_of_the_name() -> None:
    """All cookies of the name are tried, each once; garbage costs the store nothing (contract)."""
    client, store = visitor()
    await client.ask(sets(a=1))
    good = client.cookie or b""
    store.taken()
    client.cookie = b"; session=".join([b"planted", b"A" * 43, b"A" * 43, good, b"B" * 43])
    assert {"a": 1} == (await client.ask()).result
    assert ["get", "get"] == store.taken()


@pytest.mark.parametrize("record", [b"", b"garbage", b"\x01" + b"\0" * 12 + b"{}", b"\x01" + b"\xff" * 12 + b"[1]"])
async def test_damaged_records(record) -> None:
    """A damaged or expired record counts as absent, and the next write makes a new session (contract)."""
    client, store = visitor()
    await client.ask(sets(a=1))
    before = client.cookie
    store.records = dict.fromkeys(store.records, record)
    assert {} == (await client.ask()).result
    await client.ask(sets(b=1))
    assert client.cookie != before
    assert {"b": 1} == (await client.ask()).result


async def test_record_damaged_meanwhile(caplog) -> None:
    """A record that is damaged during the request is not merged with: what was written is dropped, with a warning."""
    client, store = visitor()
    for damage in (b"garbage", b"\x01" + b"\xff" * 12 + b"[1]"):
        await client.ask(sets(a=1))

        def do(session, damage=damage):
            session["b"] = 1
            store.records = dict.fromkeys(store.records, damage)

        assert [] == (await client.ask(do))[b"set-cookie"]
        assert ["ended by another request" in message for message in warnings_of(caplog)] == [True]


async def test_regenerate() -> None:
    """`regenerate` keeps data and age under a new id; the old one is dead when the response begins (OWASP; contract)."""
    client, store = visitor()
    await client.ask(sets(a=1))
    before = twin(client)
    store.taken()
    answer = await client.ask(lambda s: (s.regenerate(), s.update(b=2), s.id, s.modified))
    assert client.cookie == answer.result[2].encode()
    assert answer.result[3] is True
    assert client.cookie != before.cookie
    assert ["get", "create", "update", "delete"] == store.taken()
    assert {} == (await before.ask()).result
    assert {"a": 1, "b": 2} == (await client.ask()).result
    await client.ask(lambda s: s.regenerate())
    assert {"a": 1, "b": 2} == (await client.ask()).result
    assert len(store.records) == 1


@pytest.mark.parametrize("do", [lambda s: s.clear(), lambda s: s.invalidate(), lambda s: s.pop("a")])
async def test_ended(do) -> None:
    """A session that is left empty is deleted, and its cookie removed (#65, contract)."""
    client, store = visitor()
    await client.ask(sets(a=1))
    store.taken()
    answer = await client.ask(lambda s: (do(s), s.modified)[1])
    assert answer.result is True
    assert [REMOVAL] == answer[b"set-cookie"]
    assert (["get", "delete"], {}) == (store.taken(), store.records)


async def test_invalidate_and_write() -> None:
    """What is written after `invalidate` is another session, in the same response (contract)."""
    client, store = visitor()
    await client.ask(sets(a=1))
    before = client.cookie
    answer = await client.ask(lambda s: (s.invalidate(), s.update(b=1), s.modified)[2])
    assert answer.result is True
    assert len(answer[b"set-cookie"]) == 1
    assert client.cookie != before
    assert {"b": 1} == (await client.ask()).result
    assert len(store.records) == 1


async def test_renewed(clock) -> None:
    """With an idle timeout every read renews record and cookie, an untouched request does not (OWASP, #25)."""
    client, store = visitor(idle_timeout=100)
    await client.ask(sets(a=1))
    for _ in range(3):
        clock.now += 99
        answer = await client.ask()
        assert ({"a": 1}, 1) == (answer.result, len(answer[b"set-cookie"]))
    store.taken()
    assert [] == (await client.ask(lambda _: None))[b"set-cookie"]
    assert ["get"] == store.taken()
    await client.ask(lambda s: s.mark_accessed())
    assert ["get", "update"] == store.taken()
    assert {100} == set(store.ttls)
    clock.now += 101
    assert {} == (await client.ask()).result


async def test_renewing_what_has_ended(clock, caplog) -> None:
    """A mere renewal of a session that was ended meanwhile is no loss: no cookie, and no warning."""
    client, store = visitor(rolling=True)
    await client.ask(sets(a=1))
    answer = await client.ask(lambda s: (dict(s), store.records.clear())[0])
    assert ({"a": 1}, []) == (answer.result, answer[b"set-cookie"])
    assert [] == warnings_of(caplog)


async def test_own_age(clock) -> None:
    """A session's own max_age is the record's as well, and a request that did not set it keeps it (#73, contract)."""
    client, store = visitor(max_age=100)
    await client.ask(sets(a=1))
    other = twin(client)

    async def remember(session):
        session["x"] = 1
        await other.ask(lambda s: setattr(s, "max_age", 1000))

    answer = await client.ask(remember)
    assert b"Max-Age=1000;" in answer[b"set-cookie"][0]
    assert store.ttls[-1] == 1000
    clock.now += 900
    assert (1000, {"a": 1, "x": 1}) == (await client.ask(lambda s: (s.max_age, dict(s)))).result


async def test_until_closed() -> None:
    """With `max_age=None` a record lasts 14 days (contract)."""
    client, store = visitor(max_age=None)
    assert b"Max-Age" not in (await client.ask(sets(a=1)))[b"set-cookie"][0]
    assert [14 * 86400] == store.ttls


async def test_overlapping_writes() -> None:
    """Two requests that overlap keep what both set and removed, key by key (connect-redis#75, fastify-session#237)."""
    client, _ = visitor()
    await client.ask(sets(a=1, b=1, c={"n": 1}))
    other = twin(client)

    async def do(session):
        session.update(a=2, x=1)
        await other.ask(lambda s: (s.update(y=1), s.pop("b"), s["c"].update(n=2)))

    await client.ask(do)
    assert {"a": 2, "c": {"n": 2}, "x": 1, "y": 1} == (await client.ask()).result


async def test_overlapping_regenerate() -> None:
    """What another request writes while the id changes is not lost (express#923, #935)."""
    client, store = visitor()
    await client.ask(sets(a=1))
    other = twin(client)

    async def do(session):
        session.regenerate()
        session["x"] = 1
        await other.ask(sets(y=1))

    await client.ask(do)
    assert {"a": 1, "x": 1, "y": 1} == (await client.ask()).result
    assert len(store.records) == 1


@pytest.mark.parametrize("end", [lambda s: s.invalidate(), lambda s: s.clear(), lambda s: s.regenerate()])
@pytest.mark.parametrize(
    "late", [lambda s: s.update(x=1), lambda s: s.regenerate(), lambda s: setattr(s, "max_age", 5)]
)
async def test_no_revival(end, late, caplog) -> None:
    """A late response of an ended session neither revives it nor sets a cookie, and is told (starsessions#58, #632)."""
    client, store = visitor()
    await client.ask(sets(a=1))
    other = twin(client)
    ids: list[str] = []

    async def do(session):
        late(session)
        await other.ask(end)
        ids.extend(store.records)

    answer = await client.ask(do)
    assert [] == answer[b"set-cookie"]
    assert ids == [*store.records]
    (message,) = warnings_of(caplog)
    assert "ended by another request" in message


@pytest.mark.parametrize("also", [lambda _: None, lambda s: s.regenerate()], ids=["write", "regenerate"])
async def test_emptied_by_both(also, caplog) -> None:
    """Two requests that each remove what the other leaves end the session together: record and cookie are removed."""
    client, store = visitor()
    await client.ask(sets(a=1, b=1))
    other = twin(client)

    async def do(session):
        del session["a"]
        also(session)
        await other.ask(lambda s: s.pop("b"))

    assert [REMOVAL] == (await client.ask(do))[b"set-cookie"]
    assert {} == store.records
    assert [] == warnings_of(caplog)
    assert {} == (await client.ask()).result


async def test_age_set_while_the_id_changes() -> None:
    """The age that another request gives the session meanwhile is that of the new record and of its cookie, too."""
    client, store = visitor()
    await client.ask(sets(a=1))
    other = twin(client)

    async def do(session):
        session.regenerate()
        await other.ask(lambda s: setattr(s, "max_age", 30 * 86400))

    assert b"; Max-Age=2592000;" in (await client.ask(do))[b"set-cookie"][0]
    assert 30 * 86400 == store.ttls[-1]
    assert 30 * 86400 == (await client.ask(lambda s: s.max_age)).result


async def test_ended_between_create_and_move(caplog) -> None:
    """A record that goes bad while the id changes leaves no second one behind."""
    client, store = visitor()
    await client.ask(sets(a=1))

    def do(session):
        session.regenerate()
        store.records = dict.fromkeys(store.records, b"garbage")

    answer = await client.ask(do)
    assert [] == answer[b"set-cookie"]
    assert len(store.records) == 1
    assert len(warnings_of(caplog)) == 1


class DownError(Exception): ...


class Failing(Store):
    """A store of which some calls fail."""

    failing: tuple[str, ...] = ()

    def check(self, name: str) -> None:
        if name in self.failing:
            raise DownError(name)

    async def get(self, id: str) -> bytes | None:
        self.check("get")
        return await super().get(id)

    async def create(self, id: str, data: bytes, ttl: int) -> None:
        self.check("create")
        await super().create(id, data, ttl)

    async def update(self, id: str, fn: Any, ttl: int) -> bool:
        self.check("update")
        return await super().update(id, fn, ttl)

    async def delete(self, id: str) -> None:
        self.check("delete")
        await super().delete(id)


FAULTS: Any = pytest.mark.parametrize(
    ("call", "has", "do"),
    [
        ("get", True, lambda s: s.update(b=1)),
        ("create", False, lambda s: s.update(b=1)),
        ("create", True, lambda s: s.regenerate()),
        ("update", True, lambda s: s.update(b=1)),
        ("update", True, lambda s: s.regenerate()),
        ("delete", True, lambda s: s.invalidate()),
    ],
)


@FAULTS
async def test_store_errors_raise(call, has, do) -> None:
    """When the store fails the request fails before any response, with the store's error (contract, default)."""
    client, store = visitor(Failing())
    if has:
        await client.ask(sets(a=1))
    before = client.cookie
    store.failing = (call,)
    sent: list[Any] = []

    async def app(scope, receive, send):
        do(scope["session"])
        await send(START)

    scope = http_scope(headers=client.headers())
    recorder = Recorder(scope)
    with pytest.raises(DownError, match=call):
        await SessionMiddleware(app, store=store)(scope, recorder.receive, recorder.send)
    assert [] == recorder.sent == sent
    store.failing = ()
    client.cookie = before
    if has and call != "delete":
        assert {"a": 1} == (await client.ask()).result


@FAULTS
async def test_store_errors_ignored(call, has, do, caplog) -> None:
    """With "ignore" the response goes out, no cookie is set or removed, and that is logged (contract, rule 8)."""
    client, store = visitor(Failing(), on_store_error="ignore")
    if has:
        await client.ask(sets(a=1))
    before = client.cookie
    store.failing = (call,)
    answer = await client.ask(do)
    assert ([], before) == (answer[b"set-cookie"], client.cookie)
    messages = warnings_of(caplog)
    assert messages
    assert all("the store of sessions failed" in message for message in messages)
    store.failing = ()
    if has and call != "delete":
        assert {"a": 1} == (await client.ask()).result
        await client.ask(sets(b=1))
        assert {"a": 1, "b": 1} == (await client.ask()).result


async def test_reads_of_a_failing_store(caplog) -> None:
    """With "ignore" a failing `get` is an empty session: a read is logged once, and what is written once more."""
    client, store = visitor(Failing(), on_store_error="ignore")
    await client.ask(sets(a=1))
    store.failing = ("get",)
    assert {} == (await client.ask()).result
    assert ["the store of sessions failed: this request has an empty session"] == warnings_of(caplog)
    assert False is (await client.ask(lambda s: (s.update(b=1), s.save())[1])).result
    assert any("is dropped" in message for message in warnings_of(caplog))


async def test_what_cannot_be_stored() -> None:
    """A value that cannot be stored raises before the start, and the store keeps what it had (contract)."""
    client, store = visitor()
    await client.ask(sets(a=1))
    before = dict(store.records)
    told = []
    with pytest.raises(TypeError):
        await client.ask(lambda s: (s.invalidate(), s.update(b=object()), told.append(s.modified))[2])
    assert [True] == told
    assert before == store.records


async def test_modified_by_what_cannot_be_stored() -> None:
    """A value that cannot be stored is a change like any other, and asking for it raises nothing."""
    client, _ = visitor()
    await client.ask(sets(a=1))

    def do(session):
        session["a"] = object()
        modified = session.modified
        session["a"] = 1
        return modified, session.modified

    assert (True, False) == (await client.ask(do)).result


async def test_saves_keep_the_age_of_another_request(caplog) -> None:
    """A later save of a WebSocket leaves the age that another request has set, and there is nothing left to save."""
    client, _ = visitor()
    await client.ask(sets(a=1))
    other = twin(client)

    async def run(session, receive, send):
        await send({"type": "websocket.accept"})
        await other.ask(lambda s: setattr(s, "max_age", 30 * 86400))
        for number in range(2):
            session["seen"] = number
            assert await session.save()
            assert (False, 30 * 86400) == (session.modified, session.max_age)

    await client.socket(run)
    assert [] == warnings_of(caplog)
    assert (30 * 86400, {"a": 1, "seen": 1}) == (await client.ask(lambda s: (s.max_age, dict(s)))).result


@pytest.mark.parametrize(
    ("do", "expected", "keeps_id"),
    [
        (lambda s: (s.regenerate(), s.update(user=1)), {"a": 1, "b": 1, "user": 1}, False),
        (lambda s: (s.invalidate(), s.update(user=1)), {"user": 1}, False),
        (lambda s: s.invalidate(), {}, False),
        (lambda s: (s.update(user=1), s.mark_modified()), {"a": 1, "b": 1, "user": 1}, True),
        (lambda s: setattr(s, "max_age", 60), {"a": 1, "b": 1}, True),
    ],
    ids=["regenerate", "invalidate and write", "invalidate", "mark", "max_age"],
)
@pytest.mark.parametrize("moves", [False, True], ids=["update", "move"])
async def test_while_a_save_is_at_the_store(moves, do, expected, keeps_id) -> None:
    """What is done to the session while a save waits for the store is not lost, and an id of before is dead (OWASP)."""
    client, store = visitor()
    await client.ask(sets(a=1))
    old = twin(client)

    async def run(session):
        session["b"] = 1
        if moves:
            session.regenerate()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(session.save)
            await anyio.lowlevel.checkpoint()
            do(session)
            age = session.max_age
        return session.id, age

    id, age = (await client.ask(run)).result
    assert ({*store.records} == {hashlib.sha256(id.encode()).hexdigest()}) is bool(expected)
    assert (expected, age) == (await client.ask(lambda s: (dict(s), s.max_age))).result
    assert (expected if keeps_id and not moves else {}) == (await old.ask()).result


async def test_ended_while_it_is_saved() -> None:
    """`invalidate` while a save waits for the store, and another request has ended the session: nothing is left."""
    client, store = visitor()
    await client.ask(sets(a=1))

    async def run(session):
        session["b"] = 1
        store.records.clear()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(session.save)
            await anyio.lowlevel.checkpoint()
            session.invalidate()

    assert [REMOVAL] == (await client.ask(run))[b"set-cookie"]
    assert {} == store.records


@pytest.mark.parametrize("late", [lambda s: s.update(late=1), lambda s: s.regenerate()], ids=["write", "regenerate"])
async def test_no_revival_of_what_is_over(clock, late, caplog) -> None:
    """A session that has expired meanwhile by the age that another request gave it is not revived (contract)."""
    client, store = visitor()
    await client.ask(sets(a=1))
    other = twin(client)

    async def do(session):
        late(session)
        await other.ask(lambda s: setattr(s, "max_age", 1))
        clock.now += 2

    assert [] == (await client.ask(do))[b"set-cookie"]
    assert 1 == len(store.records)
    assert 1 == len(warnings_of(caplog))
    assert {} == (await client.ask()).result


async def test_saves_after_the_store_is_back(caplog) -> None:
    """With "ignore", a save that fails is False, and the next one is made again, with what that one would have stored."""
    client, store = visitor(Failing(), on_store_error="ignore")
    await client.ask(sets(a=1))

    async def run(session, receive, send):
        await send({"type": "websocket.accept"})
        saved = []
        for number, failing in enumerate([("update",), ("update",), (), ()]):
            store.failing = failing
            session[f"seen {number}"] = number
            saved.append(await session.save())
        return saved

    assert [False, False, True, True] == (await client.socket(run)).result
    assert ["the store of sessions failed: the session was not stored"] * 2 == warnings_of(caplog)
    assert {"a": 1, **{f"seen {number}": number for number in range(4)}} == (await client.ask()).result


@pytest.mark.parametrize("on_store_error", ["raise", "ignore"])
async def test_old_record_that_cannot_be_deleted(on_store_error, caplog) -> None:
    """Once the session has moved, its old record is dead: that it stays for its minute is logged, and no fault."""
    client, store = visitor(Failing(), on_store_error=on_store_error)
    await client.ask(sets(a=1))
    old = twin(client)
    store.failing = ("delete",)
    await client.ask(lambda s: (s.regenerate(), s.update(b=1)))
    assert ["the store of sessions failed: a record without data stays for a minute"] == warnings_of(caplog)
    assert ({"a": 1, "b": 1}, {}) == ((await client.ask()).result, (await old.ask()).result)
    assert [60] == store.ttls[-1:]


@pytest.mark.parametrize("end", [lambda s: s.invalidate(), lambda s: s.regenerate()], ids=["invalidate", "regenerate"])
async def test_no_cookie_of_what_was_to_end(end, caplog) -> None:
    """With "ignore", a store that fails as a session is to end, or to move, leaves the client no cookie of its old id."""
    client, store = visitor(Failing(), on_store_error="ignore")

    async def do(session):
        session["user"] = "ada"
        assert await session.save()
        end(session)
        store.failing = ("delete", "create")

    assert [] == (await client.ask(do))[b"set-cookie"]
    assert len(warnings_of(caplog)) == 1


@pytest.mark.parametrize("ends", [False, True])
async def test_no_move_after_the_start(ends, caplog) -> None:
    """With "ignore", an id that could not be given as the response began is not given later: no client learns it."""
    client, store = visitor(Failing(), on_store_error="ignore")
    await client.ask(sets(a=1))

    async def run(session, receive, send):
        session.regenerate()
        session["user"] = "ada"
        store.failing = ("create",)
        await send({"type": "websocket.accept"})
        store.failing = ()
        if ends:
            session.invalidate()
        session["seen"] = 1
        return await session.save()

    assert False is (await client.socket(run)).result
    assert len(warnings_of(caplog)) == 1
    assert ({} if ends else {"a": 1}) == (await client.ask()).result
    assert len(store.records) == (not ends)


def meanwhile(store: Any, do: Any) -> None:
    """Have `do` awaited in the midst of the next update of the store."""
    update = store.update

    async def slow(*arguments: Any) -> bool:
        store.update = update
        await do()
        return await update(*arguments)

    store.update = slow


async def test_undone_while_it_is_saved() -> None:
    """A write that is undone while a save waits for the store with it is not what is left there."""
    client, store = visitor()
    await client.ask(sets(a=1))

    async def run(session):
        begun = anyio.Event()

        async def undo():
            del session["busy"]
            begun.set()
            assert await session.save()

        async def begin():
            tasks.start_soon(undo)
            await begun.wait()

        session["busy"] = True
        meanwhile(store, begin)
        async with anyio.create_task_group() as tasks:
            await session.save()
        assert {"a": 1} == (await twin(client).ask()).result

    await client.ask(run)
    assert {"a": 1} == (await client.ask()).result


async def test_marked_while_it_is_saved() -> None:
    """A mark that comes while a save waits for the store is for the next one."""
    client, store = visitor()
    await client.ask(sets(a=1))

    async def run(session):
        async def mark():
            session.mark_modified()

        session["b"] = 1
        meanwhile(store, mark)
        for is_modified in (True, False):
            assert await session.save()
            assert session.modified is is_modified

    await client.ask(run)


class Lost(Store):
    """A store whose next call of a name takes effect, and has no answer."""

    next: str | None = None

    async def update(self, id: str, fn: Any, ttl: int) -> bool:
        updated = await super().update(id, fn, ttl)
        if self.next == "update":
            self.next = None
            await anyio.sleep_forever()
        return updated


@pytest.mark.parametrize(
    ("do", "undo", "expected"),
    [
        (lambda s: s.update(busy=True), lambda s: s.pop("busy"), {"a": 1}),
        (lambda s: s.pop("a"), lambda s: s.update(a=1), {"a": 1}),
        (lambda s: s.update(a=2), lambda s: s.update(a=1), {"a": 1}),
        (lambda s: setattr(s, "max_age", 60), lambda s: setattr(s, "max_age", 1209600), {"a": 1}),
    ],
    ids=["put", "removed", "changed", "max_age"],
)
async def test_undone_after_a_save_that_was_given_up(do, undo, expected) -> None:
    """Whether a save that was cancelled has taken effect is not known: what is undone then is stored as it is."""
    client, store = visitor(Lost())
    await client.ask(lambda s: (s.update(b=1, a=1), setattr(s, "max_age", 1209600)))

    async def run(session):
        do(session)
        store.next = "update"
        with anyio.move_on_after(0.01):
            await session.save()
        undo(session)
        assert session.modified
        assert await session.save()
        assert not session.modified

    await client.ask(run)
    assert ({**expected, "b": 1}, 1209600) == (await client.ask(lambda s: (dict(s), s.max_age))).result


async def test_move_that_was_given_up(caplog) -> None:
    """A move whose end of the old record had no answer goes on when it is tried again, and loses nothing."""
    client, store = visitor(Lost())
    await client.ask(sets(a=1))
    old = twin(client)

    async def run(session):
        session.regenerate()
        store.next = "update"
        with anyio.move_on_after(0.01):
            await session.save()

    await client.ask(run)
    assert ({"a": 1}, {}) == ((await client.ask()).result, (await old.ask()).result)
    assert 1 == len(store.records)
    assert [] == warnings_of(caplog)


async def test_start_that_never_ran() -> None:
    """A start that was cancelled before its first step was none: the next one stores the session."""
    client, store = visitor()

    async def app(scope, receive, send):
        scope["session"]["a"] = 1
        send(START).close()
        await send(START)

    scope = http_scope()
    recorder = Recorder(scope)
    await SessionMiddleware(app, store=store)(scope, recorder.receive, recorder.send)
    client.keep(Answer(recorder.sent, None))
    assert {"a": 1} == (await client.ask()).result


async def test_nothing_to_save_too_late() -> None:
    """A session of Starlette's cookie that a WebSocket reads after accept need not be stored, though it would renew."""
    import base64

    import itsdangerous

    client, store = visitor(secret_key="key", starlette_cookies=True, rolling=True)
    client.cookie = itsdangerous.TimestampSigner("key").sign(base64.b64encode(b'{"user": 1}'))

    async def run(session, receive, send):
        await send({"type": "websocket.accept"})
        return dict(session), await session.save()

    assert ({"user": 1}, True) == (await client.socket(run)).result
    assert {} == store.records


async def test_saved_while_the_response_begins() -> None:
    """A new session that another task saves while the response begins is stored, whichever comes first."""
    client, store = visitor()

    async def app(scope, receive, send):
        session = scope["session"]
        session["a"] = 1

        async def more():
            session["b"] = 1
            assert await session.save()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(more)
            tasks.start_soon(send, START)
            tasks.start_soon(more)

    scope = http_scope()
    recorder = Recorder(scope)
    await SessionMiddleware(app, store=store)(scope, recorder.receive, recorder.send)
    client.keep(Answer(recorder.sent, None))
    assert {"a": 1, "b": 1} == (await client.ask()).result
    assert len(store.records) == 1


async def test_cookie_of_an_early_save_with_an_error_page() -> None:
    """An error page after a session that could not be stored tells the client the id that an early save has given."""
    client, store = visitor()
    await client.ask(sets(a=1))

    async def app(scope, receive, send):
        session = scope["session"]
        session.regenerate()
        assert await session.save()
        session["bad"] = object()
        with pytest.raises(TypeError):
            await send(START)
        await send({**START, "status": 500})

    scope = http_scope(headers=client.headers())
    recorder = Recorder(scope)
    await SessionMiddleware(app, store=store)(scope, recorder.receive, recorder.send)
    client.keep(Answer(recorder.sent, None))
    assert {"a": 1} == (await client.ask()).result


async def test_cookie_of_what_was_stored(caplog) -> None:
    """With "ignore", the client learns the id that an early save has stored, though a later one fails."""
    client, store = visitor(Failing(), on_store_error="ignore")

    async def do(session):
        session["a"] = 1
        assert await session.save()
        store.failing = ("update",)
        session["b"] = 1

    assert len((await client.ask(do))[b"set-cookie"]) == 1
    assert {"a": 1} == (await client.ask()).result


async def test_new_session_of_a_failed_store(caplog) -> None:
    """With "ignore", a session that could not be made before the start is not saved after it, and nothing raises."""
    client, store = visitor(Failing(), on_store_error="ignore")
    store.failing = ("create",)

    async def run(session, receive, send):
        session["a"] = 1
        await send({"type": "websocket.accept"})
        store.failing = ()
        session["b"] = 1
        return await session.save()

    assert False is (await client.socket(run)).result
    assert {} == store.records
    assert len(warnings_of(caplog)) == 1


async def test_starlette_cookies_that_the_serializer_refuses() -> None:
    """What Starlette's cookie holds and the serializer does not take is no session, and breaks no request."""
    import base64
    from types import SimpleNamespace

    import itsdangerous

    utf8 = SimpleNamespace(dumps=lambda data: json.dumps(data, ensure_ascii=False), loads=json.loads)
    client, _ = visitor(secret_key="key", starlette_cookies=True, serializer=utf8)
    client.cookie = itsdangerous.TimestampSigner("key").sign(base64.b64encode(b'{"user": "\\ud800"}'))
    assert {} == (await client.ask()).result


async def test_starlette_cookies() -> None:
    """A session from Starlette's cookie moves into the store on its first write (contract)."""
    import base64

    import itsdangerous

    client, store = visitor(secret_key="key", starlette_cookies=True)
    client.cookie = itsdangerous.TimestampSigner("key").sign(base64.b64encode(b'{"user": 1}'))
    answer = await client.ask()
    assert ({"user": 1}, [], []) == (answer.result, answer[b"set-cookie"], store.taken())
    old = twin(client)
    answer = await client.ask(lambda s: (s.update(a=1), s.max_age))
    assert answer.result[1] == 1209600
    assert ["create"] == store.taken()
    assert {"user": 1, "a": 1} == (await client.ask()).result
    answer = await old.ask(lambda s: s.clear())
    assert ([REMOVAL], []) == (answer[b"set-cookie"], [call for call in store.taken() if call == "delete"])
    old.cookie = b"garbage"
    assert {} == (await old.ask()).result


async def drive(client: Visitor, do: Any, body: Any = None) -> Answer:
    """One request whose application is given the session before and after the start."""

    async def app(scope, receive, send):
        session = scope["session"]
        do(session)
        await send(START)
        await body(session)
        await send(BODY)

    scope = http_scope(headers=client.headers())
    recorder = Recorder(scope)
    await client.layer(app, **client.keywords)(scope, recorder.receive, recorder.send)
    return client.keep(Answer(recorder.sent, None))


async def test_late_writes(caplog) -> None:
    """A write after the start is warned of once, and names `await session.save()`, which stores it (contract)."""
    client, _ = visitor()

    async def lost(session):
        session["late"] = 1
        session["late"] = 2

    await drive(client, sets(a=1), lost)
    (message,) = warnings_of(caplog)
    assert "await session.save()" in message
    assert {"a": 1} == (await client.ask()).result

    async def saved(session):
        session["late"] = 1
        assert await session.save()
        assert await session.save()

    await drive(client, dict, saved)
    assert {"a": 1, "late": 1} == (await client.ask()).result


async def test_late_sessions(caplog) -> None:
    """A new session after the start cannot be saved, as the client cannot learn its id; an empty one need not be."""
    client, store = visitor()

    async def late(session):
        assert await session.save()
        session["a"] = 1
        with pytest.raises(RuntimeError, match="the client cannot learn its id"):
            await session.save()

    assert [] == (await drive(client, dict, late))[b"set-cookie"]
    assert {} == store.records


async def test_early_save() -> None:
    """A save before the start tells the client with the start, once (contract)."""
    client, store = visitor()

    async def do(session):
        session["a"] = 1
        assert await session.save()
        assert len(store.records) == 1
        return session.modified

    answer = await client.ask(do)
    assert answer.result is False
    assert len(answer[b"set-cookie"]) == 1
    assert {"a": 1} == (await client.ask()).result


async def test_saves_at_the_same_time() -> None:
    """Tasks of one request that save at once make one session: one goes to the store after the other."""
    client, store = visitor()

    async def do(session):
        session["a"] = 1
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(session.save)

    await client.ask(do)
    assert len(store.records) == 1


async def test_save_of_an_ended_session(caplog) -> None:
    """`save` tells that another request has ended the session, then and later on (contract, rule 6)."""
    client, store = visitor()
    await client.ask(sets(a=1))

    async def run(session, receive, send):
        session["b"] = 1
        await send({"type": "websocket.accept"})
        store.records.clear()
        session["c"] = 1
        saved = [await session.save()]
        session["d"] = 1
        saved.append(await session.save())
        session.clear()
        saved.append(await session.save())
        return saved

    assert [False] * 3 == (await client.socket(run)).result
    assert {} == store.records
    assert len(warnings_of(caplog)) == 1


async def test_websocket_loop(caplog) -> None:
    """A WebSocket gets its cookie with accept, and saves in a loop, with changes inside of values, quietly (#483)."""
    client, store = visitor()

    async def run(session, receive, send):
        session["seen"] = []
        await receive()
        await send({"type": "websocket.accept"})
        for number in range(3):
            session["seen"].append(number)
            assert await session.save()

    answer = await client.socket(run)
    assert len(answer[b"set-cookie"]) == 1
    assert {"seen": [0, 1, 2]} == (await client.ask()).result
    assert [] == warnings_of(caplog)
    assert ["create", "update", "update", "update", "get"] == store.taken()


async def test_websocket_unsaved(caplog) -> None:
    """What a WebSocket leaves unsaved at its end is told (contract)."""
    client, _ = visitor()

    async def run(session, receive, send):
        session["a"] = 1
        await send({"type": "websocket.accept"})
        session["a"] = 2

    await client.socket(run)
    (message,) = warnings_of(caplog)
    assert "`await session.save()` stores it" in message
    assert {"a": 1} == (await client.ask()).result


async def test_websocket_logout(caplog) -> None:
    """A session that a WebSocket ends after accept is deleted by save, though its cookie stays until the next answer."""
    client, store = visitor()
    await client.ask(sets(a=1))

    async def run(session, receive, send):
        await send({"type": "websocket.accept"})
        session.invalidate()
        assert await session.save()

    await client.socket(run)
    assert {} == store.records
    assert {} == (await client.ask()).result


async def test_websocket_of_a_failed_store(caplog) -> None:
    """A WebSocket that was told that the store failed is not told a second time at its end."""
    client, store = visitor(Failing(), on_store_error="ignore")
    store.failing = ("create",)

    async def run(session, receive, send):
        session["a"] = 1
        await send({"type": "websocket.accept"})

    assert [] == (await client.socket(run))[b"set-cookie"]
    assert len(warnings_of(caplog)) == 1


async def test_exceptions() -> None:
    """The application's exception before the start: nothing is saved (contract)."""
    client, store = visitor()

    def fail(session):
        session["a"] = 1
        raise DownError

    with pytest.raises(DownError):
        await client.ask(fail)
    assert {} == store.records


async def test_nested() -> None:
    """Two layers on one store keep a session each: the outer one never stores the inner one's data (contract)."""
    store = MemoryStore()
    client = Visitor(
        lambda app, **more: SessionMiddleware(SessionMiddleware(app, **more), store=store),
        store=store,
        session_cookie="inner",
    )
    assert len((await client.ask(sets(a=1)))[b"set-cookie"]) == 1
    assert json.dumps({"a": 1}) == (await client.ask(json.dumps)).result
