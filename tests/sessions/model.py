"""A state machine of hypothesis: random calls of a store, beside a plain model of what they must return."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

import anyio.from_thread
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.sessions.store_contract import Clock

IDS = st.sampled_from(["a", "b", "c"])
DATA = st.binary(max_size=20)
TTLS = st.integers(1, 5)


def store_machine(make):
    """The test case for `make`, which is given a directory of its own for each run, and returns an open store."""

    class Machine(RuleBasedStateMachine):
        def __init__(self):
            super().__init__()
            self.stack = ExitStack()
            directory = self.stack.enter_context(tempfile.TemporaryDirectory())
            self.portal = self.stack.enter_context(anyio.from_thread.start_blocking_portal())
            self.store = make(Path(directory))
            self.store._clock = self.clock = Clock()
            self.records = {}  # id -> data, end; also those that nobody has purged

        def teardown(self):
            self.portal.call(self.store.aclose)
            self.stack.close()

        def living(self, id):
            data, end = self.records.get(id, (None, 0))
            return data if end > self.clock.now else None

        @rule(id=IDS, data=DATA, ttl=TTLS)
        def create(self, id, data, ttl):
            self.portal.call(self.store.create, id, data, ttl)
            self.records[id] = data, self.clock.now + ttl

        @rule(id=IDS, more=DATA, ttl=TTLS)
        def update(self, id, more, ttl):
            calls = []
            updated = self.portal.call(self.store.update, id, lambda old: calls.append(old) or old + more, ttl)
            data = self.living(id)
            assert updated is (data is not None)
            assert calls == ([] if data is None else [data])
            if updated:
                self.records[id] = data + more, self.clock.now + ttl

        @rule(id=IDS, ttl=TTLS)
        def update_to_none(self, id, ttl):
            assert self.portal.call(self.store.update, id, lambda _: None, ttl) is False

        @rule(id=IDS)
        def delete(self, id):
            self.portal.call(self.store.delete, id)
            self.records.pop(id, None)

        @rule()
        def purge(self):
            # A store may remove expired records earlier: how many are left for `purge` is not told.
            expired = [id for id in self.records if self.living(id) is None]
            assert 0 <= self.portal.call(self.store.purge) <= len(expired)
            for id in expired:
                del self.records[id]

        @rule(seconds=st.sampled_from([0.5, 1, 2]))
        def pass_time(self, seconds):
            self.clock.now += seconds

        @invariant()
        def same_as_model(self):
            for id in ("a", "b", "c"):
                assert self.living(id) == self.portal.call(self.store.get, id)

    Machine.TestCase.settings = settings(max_examples=25, stateful_step_count=20)
    return Machine.TestCase
