"""Engines that the tests of one worker share. Tests that stop or fill an engine start one of their own."""

import pytest

from tests.conftest import require
from tests.sessions.engines import RedisServer


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
