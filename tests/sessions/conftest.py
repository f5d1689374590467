"""Engines that the tests of one worker share. Tests that stop or fill an engine start one of their own."""

import tempfile
from types import SimpleNamespace

import pytest

from tests.conftest import require
from tests.sessions.engines import PostgresServer, RedisServer


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory):
    """A redis-server, not to be stopped."""
    require("redis")
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="session")
def postgres_server():
    """A cluster of PostgreSQL; a test that stops it starts it again."""
    require("sqlalchemy")
    require("asyncpg")
    with tempfile.TemporaryDirectory() as directory:  # pytest's own directories are closed to other users
        server = PostgresServer(directory)
        try:
            server.start()
            yield server
        finally:
            server.kill()


@pytest.fixture
def clock(monkeypatch):
    """The time that sessions see, which a test sets: `clock.now += 60`."""
    clock = SimpleNamespace(now=1_800_000_000.5)
    clock.time = lambda: clock.now
    for name in ("middleware", "cookie_keeper", "store_keeper"):
        monkeypatch.setattr(f"middlewares.sessions.{name}.time", clock)
    return clock
