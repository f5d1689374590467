"""Requests of one session that overlap in any way: what they wrote is there, and what was ended stays ended.

Every call of the store is a point where another request may go on; hypothesis chooses which one does.
"""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
from hypothesis import given, settings
from hypothesis import strategies as st

from middlewares.sessions import SessionMiddleware
from middlewares.sessions.records import Codec, unpack
from tests.sessions.visitor import Answer, Store, Visitor

KINDS = ["write", "remove", "nothing", "end", "clear", "regenerate"]
BASE = {"keep": 0, "r0": 0, "r1": 0, "r2": 0, "shared": -1}


class TurnStore(Store):
    """A store that waits before each call until it is its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open = True
        self.waiting: dict[int, anyio.Event] = {}
        self.busy: set[int] = set()
        self.trace: list[tuple[int, str]] = []

    def of(self, number: int) -> Any:
        """The store as the request of that number has it."""
        store = self

        class Mine:
            def __getattr__(self, name: str) -> Any:
                async def call(*args: Any) -> Any:
                    store.waiting[number] = event = anyio.Event()
                    store.busy.discard(number)
                    await event.wait()
                    store.trace.append((number, name))
                    return await getattr(store, name)(*args)

                return call

        return Mine()

    async def run(self, schedule: list[int]) -> None:
        """Let one call after the other happen, as the schedule says, until nobody waits."""
        turns = iter(schedule)
        while True:
            while self.busy:
                await anyio.lowlevel.checkpoint()
            if not self.waiting:
                return
            ready = sorted(self.waiting)
            number = ready[next(turns, 0) % len(ready)]
            self.busy.add(number)
            self.waiting.pop(number).set()


def act(session: Any, kind: str, number: int) -> Any:
    """What the application does in a request; returns what it saw."""
    seen = dict(session)
    if kind in ("write", "regenerate"):
        session[f"w{number}"] = session["shared"] = number
    if kind == "remove":
        session.pop(f"r{number}", None)
    if kind == "end":
        session.invalidate()
    if kind == "clear":
        session.clear()
    if kind == "regenerate":
        session.regenerate()
    return seen


async def play(kinds: list[str], schedule: list[int], **keywords: Any) -> tuple[list[Answer], TurnStore, Any]:
    """Let the requests overlap; the answers, the store, and what the old cookie then leads to."""
    store = TurnStore()
    client = Visitor(SessionMiddleware, store=store, **keywords)
    await client.ask(lambda session: session.update(BASE))
    answers: dict[int, Answer] = {}

    async def request(number: int, kind: str) -> None:
        visitor = Visitor(SessionMiddleware, store=store.of(number), **keywords)
        visitor.cookie = client.cookie
        answers[number] = await visitor.ask(lambda session: act(session, kind, number))
        store.busy.discard(number)

    async with anyio.create_task_group() as tasks:
        for number, kind in enumerate(kinds):
            store.busy.add(number)
            tasks.start_soon(request, number, kind)
        tasks.start_soon(store.run, schedule)
    return [answers[number] for number in range(len(kinds))], store, (await client.ask()).result


@settings(max_examples=200)
@given(
    st.lists(st.sampled_from(KINDS), min_size=2, max_size=3),
    st.lists(st.integers(0, 2), max_size=16),
    st.sampled_from(["asyncio", "trio"]),
    st.booleans(),
)
def test_any_interleaving(kinds, schedule, backend, rolling) -> None:
    """No acknowledged write is lost, and no ended session revived (starsessions#58, express#632, connect-redis#75)."""

    async def main() -> Any:
        return await play(kinds, schedule, rolling=rolling)

    answers, store, after = anyio.run(main, backend=backend)
    records = [unpack(record) for record in store.records.values()]
    sessions = [Codec(None).loads(record[1]) or {} for record in records if record is not None]
    living = [session for session in sessions if "keep" in session]
    cookies = [[line for line in answer[b"set-cookie"] if b"Max-Age=0;" not in line] for answer in answers]
    saw = [number for number, answer in enumerate(answers) if "keep" in answer.result]
    enders = [number for number in saw if kinds[number] in ("end", "clear")]
    movers = [number for number in saw if kinds[number] == "regenerate" and cookies[number]]

    assert len(sessions) == len(records)  # what is marked as ended has been deleted
    assert len(living) <= 1
    assert len(movers) <= 1
    assert not (enders or movers) or "keep" not in after
    if enders and not movers:
        assert living == []
    if not enders:
        (session,) = living
        for number in saw:
            if not cookies[number]:  # told that its session is no more, or had nothing to tell
                assert movers or kinds[number] == "nothing"
            elif kinds[number] in ("write", "regenerate"):
                assert session[f"w{number}"] == number
            elif kinds[number] == "remove":
                assert f"r{number}" not in session
        assert {f"r{number}" for number in range(3) if number not in saw or kinds[number] != "remove"} <= session.keys()
        writers = [number for number in saw if kinds[number] in ("write", "regenerate") and cookies[number]]
        assert session["shared"] in (writers or [-1])
    for ender in enders:
        deleted = store.trace.index((ender, "delete"))
        for number in set(saw) - set(enders):
            calls = [index for index, call in enumerate(store.trace) if call == (number, "update")]
            if cookies[number]:
                assert calls[0] < deleted
