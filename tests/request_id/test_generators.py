"""The generators that have a name."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
import uuid

import pytest

from middlewares.request_id.generators import GENERATORS

NAMES = pytest.mark.parametrize("name", GENERATORS)
NOW = 1_785_000_000_123_456_789  # 2026-07-25


@pytest.mark.parametrize(
    ("name", "length", "alphabet"),
    [
        ("hex", 32, "0123456789abcdef"),
        ("uuid4", 36, "0123456789abcdef-"),
        ("uuid7", 36, "0123456789abcdef-"),
        ("ulid", 26, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"),
    ],
)
def test_form(name, length, alphabet) -> None:
    """Each has its length and alphabet, in canonical case (RFC 9562 4, the ULID specification)."""
    for _ in range(200):
        made = GENERATORS[name]()
        assert length == len(made)
        assert set(made) <= set(alphabet)


@pytest.mark.parametrize(("name", "version"), [("uuid4", 4), ("uuid7", 7)])
def test_uuids(name, version) -> None:
    """They are UUIDs of RFC 9562: version and variant are set, the text is canonical."""
    for _ in range(200):
        made = uuid.UUID(GENERATORS[name]())
        assert (version, uuid.RFC_4122) == (made.version, made.variant)
        assert str(made) == str(uuid.UUID(bytes=made.bytes))


def test_uuid7_time(monkeypatch) -> None:
    """The first 48 bits are the milliseconds since 1970 (RFC 9562 5.7)."""
    monkeypatch.setattr(time, "time_ns", lambda: NOW)
    assert NOW // 1_000_000 == uuid.UUID(GENERATORS["uuid7"]()).int >> 80


def test_ulid_time(monkeypatch) -> None:
    """The first ten characters are the milliseconds since 1970 in Crockford's base 32 (the specification's example)."""
    monkeypatch.setattr(time, "time_ns", lambda: 1_469_918_176_385_000_000)
    assert GENERATORS["ulid"]().startswith("01ARYZ6S41")


@pytest.mark.parametrize("name", ["uuid7", "ulid"])
def test_ids_sort_by_time(name, monkeypatch) -> None:
    """Later ids are greater as text."""
    made = []
    for milliseconds in (0, 1, 31, 32, 2**40, 2**48 - 1):
        monkeypatch.setattr(time, "time_ns", lambda milliseconds=milliseconds: milliseconds * 1_000_000)
        made.append(GENERATORS[name]())
    assert sorted(made) == made


@pytest.mark.parametrize(
    "nanoseconds", [0, NOW, -1_000_000, -(2**70), 2**80], ids=["1970", "now", "1969", "early", "late"]
)
@pytest.mark.parametrize("name", ["uuid7", "ulid"])
def test_unique_under_a_frozen_clock(name, nanoseconds, monkeypatch) -> None:
    """A clock that stands, also outside of the 48 bits, gives no exception and no id twice."""
    monkeypatch.setattr(time, "time_ns", lambda: nanoseconds)
    assert 2000 == len({GENERATORS[name]() for _ in range(2000)})


@pytest.mark.parametrize("name", ["uuid7", "ulid"])
def test_unique_under_a_clock_that_goes_back(name, monkeypatch) -> None:
    """The same hour lived twice gives no id twice."""
    ticks = [NOW + minute * 60_000_000_000 for minute in range(60)] * 2
    monkeypatch.setattr(time, "time_ns", iter(ticks).__next__)
    assert len(ticks) == len({GENERATORS[name]() for _ in ticks})


@NAMES
def test_unique_in_threads(name) -> None:
    """100 000 ids drawn by eight threads at once are all different."""
    drawn: list[list[str]] = [[] for _ in range(8)]

    def draw(into: list[str]) -> None:
        into.extend([GENERATORS[name]() for _ in range(12_500)])

    threads = [threading.Thread(target=draw, args=(into,)) for into in drawn]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 100_000 == len({made for into in drawn for made in into})


@NAMES
def test_no_seed_repeats_them(name) -> None:
    """`random.seed` has no say."""
    random.seed(1)
    first = [GENERATORS[name]() for _ in range(100)]
    random.seed(1)
    assert not {GENERATORS[name]() for _ in range(100)} & set(first)


FORK = """
import os, time
from middlewares.request_id.generators import GENERATORS
time.time_ns = lambda: 1_785_000_000_000_000_000
for make in GENERATORS.values():
    make()
reader, writer = os.pipe()
children = []
for _ in range(2):
    child = os.fork()
    if child == 0:
        os.write(writer, "".join(make() + "\\n" for make in GENERATORS.values() for _ in range(20)).encode())
        os._exit(0)
    children.append(child)
print("".join(make() + "\\n" for make in GENERATORS.values() for _ in range(20)), end="")
assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
os.close(writer)
print(os.fdopen(reader).read(), end="")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot fork")
def test_unique_after_fork() -> None:
    """Two workers forked from a process that has drawn ids already, and the process itself, draw different ones."""
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, check=True, text=True, timeout=60)
    made = done.stdout.split()
    assert 3 * 20 * len(GENERATORS) == len(made) == len(set(made))
