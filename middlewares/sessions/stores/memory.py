"""Records in the memory of this process."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from heapq import heapify, heappop, heappush
from threading import Lock

from . import Update

_logger = logging.getLogger("middlewares.sessions")


class MemoryStore:
    """Sessions in the memory of one process, for tests, development and servers with a single worker.

    They end with the process, and another worker knows nothing of them. It runs on asyncio and trio, and may be used
    from several threads and event loops. Expired records leave the memory whenever one is created.

    Args:
        max_records: How many records it holds. One more takes the place of the one that was not used for longest, and
            the first time that happens is logged as a warning: whoever can begin sessions can push out others.
            Default: 100 000.

    Raises:
        TypeError: `max_records` is no int.
        ValueError: `max_records` is less than 1.
    """

    def __init__(self, *, max_records: int = 100_000) -> None:
        if type(max_records) is not int:
            raise TypeError(f"max_records must be an int, 1 or more (got {max_records!r})")
        if max_records < 1:
            raise ValueError(f"max_records must be 1 or more (got {max_records})")
        self._max_records = max_records
        self._records: OrderedDict[str, tuple[bytes, float]] = OrderedDict()  # id -> data, end; least used first
        self._ends: list[tuple[float, str]] = []  # a heap; an entry that a later write has overtaken counts for nothing
        self._lock = Lock()
        self._clock = time.monotonic  # nobody else reads these times, and nobody can set this clock
        self._warned = False

    async def get(self, id: str) -> bytes | None:
        """See `SessionStore.get`."""
        with self._lock:
            return self._data(id)

    async def create(self, id: str, data: bytes, ttl: int) -> None:
        """See `SessionStore.create`."""
        with self._lock:
            self._drop_expired()
            if len(self._records) >= self._max_records and id not in self._records:
                self._records.popitem(last=False)
                if not self._warned:
                    self._warned = True
                    _logger.warning(
                        "MemoryStore is full: new sessions take the place of old ones (max_records=%d)",
                        self._max_records,
                    )
            self._write(id, data, ttl)

    async def update(self, id: str, fn: Update, ttl: int) -> bool:
        """See `SessionStore.update`."""
        with self._lock:
            data = self._data(id)
            if data is None:
                return False
            data = fn(data)
            if data is None:
                return False
            self._write(id, data, ttl)
            return True

    async def delete(self, id: str) -> None:
        """See `SessionStore.delete`."""
        with self._lock:
            self._records.pop(id, None)

    async def purge(self) -> int:
        """Remove all expired records, and tell how many there were."""
        with self._lock:
            return self._drop_expired()

    async def aclose(self) -> None:
        """Nothing: there is nothing to close."""

    def _data(self, id: str) -> bytes | None:
        record = self._records.get(id)
        if record is None or record[1] <= self._clock():
            return None
        self._records.move_to_end(id)
        return record[0]

    def _write(self, id: str, data: bytes, ttl: int) -> None:
        end = self._clock() + ttl
        self._records[id] = data, end
        self._records.move_to_end(id)
        heappush(self._ends, (end, id))
        if len(self._ends) > 2 * len(self._records) + 100:  # mostly overtaken ones
            self._ends = [(end, key) for key, (_, end) in self._records.items()]
            heapify(self._ends)

    def _drop_expired(self) -> int:
        before = len(self._records)
        now = self._clock()
        while self._ends and self._ends[0][0] <= now:
            end, key = heappop(self._ends)
            record = self._records.get(key)
            if record is not None and record[1] == end:
                del self._records[key]
        return before - len(self._records)
