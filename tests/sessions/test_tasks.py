"""Tasks of one request that write, save and end its session at the same time, in a store that is slow, and may fail.

Hypothesis chooses what each task does, where each call of the store waits, which calls fail, and which are given up.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import Any

import anyio
import anyio.lowlevel
from hypothesis import given, settings
from hypothesis import strategies as st

from middlewares.sessions import SessionMiddleware
from middlewares.sessions.records import unpack
from tests.sessions.visitor import Store, Visitor

OPERATIONS = [
    "set",
    "set",
    "remove",
    "save",
    "begin a save",
    "give up",
    "regenerate",
    "invalidate",
    "clear",
    "max_age",
    "mark",
    "id",
]


class DownError(Exception): ...


class SlowStore(Store):
    """A store whose calls wait for some turns, and then fail, or not."""

    def __init__(self, waits: list[int], faults: list[bool]) -> None:
        super().__init__()
        self.waits, self.faults = iter(waits), iter(faults)

    async def wait(self) -> None:
        for _ in range(next(self.waits, 0)):
            await anyio.lowlevel.checkpoint()
        if next(self.faults, False):
            raise DownError

    async def get(self, id: str) -> bytes | None:
        return await super().get(id)  # how a request goes on without a session is told elsewhere

    async def create(self, id: str, data: bytes, ttl: int) -> None:
        await self.wait()
        await super().create(id, data, ttl)

    async def update(self, id: str, fn: Any, ttl: int) -> bool:
        await self.wait()
        updated = await super().update(id, fn, ttl)
        await anyio.lowlevel.checkpoint()  # cancelled here, it has taken effect
        return updated

    async def delete(self, id: str) -> None:
        await self.wait()
        await super().delete(id)

    def living(self) -> set[str]:
        return {id for id, record in self.records.items() if unpack(record) is not None}


def key(id: str) -> str:
    return hashlib.sha256(id.encode()).hexdigest()


class Play:
    """What the tasks of one request did."""

    def __init__(self, store: SlowStore) -> None:
        self.store = store
        self.dead: set[str] = set()
        self.data: dict[str, Any] = {}
        self.session: Any = None

    async def act(self, session: Any, number: int, operation: str, background: Any) -> None:
        state = session._state
        if operation in ("regenerate", "invalidate") and state.base is not None:
            self.dead.add(state.base.id)
        match operation:
            case "set":
                session[f"key {number}"] = session.get(f"key {number}", 0) + 1
            case "remove":
                session.pop(f"key {number}", None)
            case "save":
                with suppress(DownError):
                    await session.save()
            case "begin a save":
                background.start_soon(self.act, session, number, "save", background)
                await anyio.lowlevel.checkpoint()
            case "give up":
                with anyio.CancelScope() as scope:
                    background.start_soon(self.cancel, scope)
                    with suppress(DownError):
                        await session.save()
            case "max_age":
                session.max_age = 100 + number
            case "mark":
                session.mark_modified()
            case "id":
                assert session.id
            case _:
                getattr(session, operation)()

    async def cancel(self, scope: anyio.CancelScope) -> None:
        for _ in range(next(self.store.waits, 2)):
            await anyio.lowlevel.checkpoint()
        scope.cancel()

    async def request(self, session: Any, tasks: list[list[str]], background: Any) -> None:
        self.session = session

        async def task(number: int) -> None:
            for operation in tasks[number]:
                await self.act(session, number, operation, background)

        async with anyio.create_task_group() as group:
            for number in range(len(tasks)):
                group.start_soon(task, number)
        self.data = dict(session)


async def play(has: bool, tasks: list[list[str]], waits: list[int], faults: list[bool], **keywords: Any) -> None:
    store = SlowStore([], [])
    client = Visitor(SessionMiddleware, store=store, **keywords)
    if has:
        await client.ask(lambda session: session.update(base=1))
    store.waits, store.faults = iter(waits), iter(faults)
    made = Play(store)
    before = client.cookie
    async with anyio.create_task_group() as background:
        try:
            await client.ask(lambda session: made.request(session, tasks, background))
        except DownError:
            return  # the request failed, which its client was told
    store.faults = iter([])
    state = made.session._state
    after = await client.ask(lambda session: (dict(session), session.max_age, session.id))

    assert not state.dead
    if client.cookie != before and client.cookie is not None:
        assert client.cookie.decode() not in made.dead
        assert key(client.cookie.decode()) in store.living()
    if state.failed:
        return  # which was logged
    assert made.data == after.result[0]
    assert not {key(id) for id in made.dead} & store.living()
    if made.data:
        assert (made.session.max_age, made.session.id) == after.result[1:]
    if not any(faults) and not any("give up" in operations for operations in tasks):
        assert len(store.records) == bool(made.data)


TASKS = st.lists(st.lists(st.sampled_from(OPERATIONS), max_size=5), min_size=1, max_size=3)
WAITS = st.lists(st.integers(0, 4), max_size=20)
BACKENDS = st.sampled_from(["asyncio", "trio"])


@settings(max_examples=300)
@given(st.booleans(), TASKS, WAITS, st.booleans(), BACKENDS)
def test_any_order(has, tasks, waits, rolling, backend) -> None:
    """What the tasks wrote is stored, what they ended is dead, and the client has the id (OWASP, contract)."""

    async def main() -> None:
        await play(has, tasks, waits, [], rolling=rolling)

    anyio.run(main, backend=backend)


@settings(max_examples=300)
@given(
    *(st.booleans(), TASKS, WAITS, st.lists(st.booleans(), max_size=12)),
    *(st.sampled_from(["raise", "ignore"]), BACKENDS),
)
def test_any_fault(has, tasks, waits, faults, on_store_error, backend) -> None:
    """A store that fails at any call leaves no id alive that was to be dead, and gives the client none without a record."""

    async def main() -> None:
        await play(has, tasks, waits, faults, on_store_error=on_store_error)

    anyio.run(main, backend=backend)
