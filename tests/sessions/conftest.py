"""Engines that the tests of one worker share. Tests that stop or fill an engine start one of their own."""

import tempfile

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
