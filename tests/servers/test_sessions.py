"""Sessions that several servers share: two kinds of them at once, with workers that come and go."""

import os
import signal
import threading
import time
from contextlib import ExitStack, suppress

import httpx
import pytest

from tests.conftest import require
from tests.servers.harness import SERVERS, start
from tests.sessions.engines import RedisServer

APP = "tests.servers.session_app:app"

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module", params=["redis", "sqlite"])
def servers(request, tmp_path_factory):
    """An uvicorn with two workers and a hypercorn on one store; on trio, too, where the store runs there."""
    require("uvicorn")
    require("hypercorn")
    directory = tmp_path_factory.mktemp("sessions")
    with ExitStack() as stack:
        if request.param == "redis":
            require("redis")
            redis = RedisServer(directory)
            stack.callback(redis.kill)
            redis.start()
            sessions, kinds = redis.url, ["uvicorn", "hypercorn-asyncio"]
        else:
            sessions, kinds = f"{directory}/sessions.sqlite", ["uvicorn", "hypercorn-trio"]
        yield [stack.enter_context(serve(kind, sessions)) for kind in kinds]


def serve(kind, sessions):
    arguments = SERVERS[kind] + (" --workers 2" if kind == "uvicorn" else "")
    # Not measured: what is killed may leave half a file of coverage.
    environment = {"SESSIONS": sessions, "COVERAGE_PROCESS_CONFIG": "", "COVERAGE_PROCESS_START": ""}
    return start(lambda port: ["-m", *arguments.format(app=APP, port=port).split()], lambda _: environment)


class Browser:
    """Requests with one cookie, each on a connection of its own: any worker may answer."""

    def __init__(self):
        self.cookie = None
        self.pids = set()
        self.client = httpx.Client(
            limits=httpx.Limits(max_keepalive_connections=0), verify=False, timeout=30, trust_env=False
        )

    def get(self, server, path):
        """The session after a request, as the server tells it; the cookie is kept."""
        headers = {} if self.cookie is None else {"cookie": f"session={self.cookie}"}
        self.client.cookies.clear()
        response = self.client.get(f"{server.url}/{path}", headers=headers)
        assert 200 == response.status_code, response.text
        if "set-cookie" in response.headers:
            self.cookie = response.cookies.get("session")
        self.pids.add(response.json()["pid"])
        return response.json()["session"]


def test_two_kinds_of_servers(servers):
    """What is written on one is read on the other, and a logout on one ends the session on all, for good."""
    one, other = servers
    browser = Browser()
    assert {"cart": "1"} == browser.get(one, "set/cart/1")
    before = browser.cookie
    assert {"cart": "1", "user": "ann"} == browser.get(other, "login/ann")
    assert before != browser.cookie
    assert {"cart": "1", "user": "ann"} == browser.get(one, "")
    assert {"cart": "1", "user": "ann", "n": "2"} == browser.get(one, "set/n/2")
    assert {"cart": "1", "user": "ann", "n": "2"} == browser.get(other, "")
    planted = Browser()
    planted.cookie = before
    assert {} == planted.get(one, "")
    thief = Browser()
    thief.cookie = browser.cookie
    assert {} == browser.get(one, "logout")
    for server in (one, other):
        assert {} == thief.get(server, "")
    assert {"new": "1"} == thief.get(other, "set/new/1")
    assert {} == browser.get(one, "")

    browser, deadline = Browser(), time.monotonic() + 30
    browser.get(other, "set/a/b")
    pids = browser.pids
    while len(pids) < 3 and time.monotonic() < deadline:  # also the two workers share them
        assert {"a": "b"} == browser.get(one, "")
    assert 3 == len(pids)


def test_worker_killed_while_writing(servers):
    """A kill -9 of workers in the midst of writing loses nothing that a client was answered, and blocks nobody."""
    server, _ = servers
    browser = Browser()
    browser.get(server, "set/first/1")
    answered, lock, stop = {"first"}, threading.Lock(), threading.Event()

    def write(name):
        client, number = Browser(), 0
        client.cookie = browser.cookie
        while not stop.is_set():
            key = f"{name}{number}"
            number += 1
            try:
                client.get(server, f"set/{key}/1")
            except httpx.TransportError:  # its worker was killed: whether that was written is open
                continue
            with lock:
                answered.add(key)

    with ExitStack() as stack:
        threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
            stack.callback(thread.join)
        stack.callback(stop.set)
        for _ in range(2):
            enough = len(answered) + 20
            wait_for(lambda enough=enough: len(answered) >= enough)
            os.kill(worker(browser, server), signal.SIGKILL)
        enough = len(answered) + 20
        wait_for(lambda: len(answered) >= enough)
    assert answered <= browser.get(server, "").keys()


def worker(browser, server):
    """The process that answers now."""
    browser.pids.clear()

    def is_answered():
        with suppress(httpx.TransportError):  # the one before was killed a moment ago
            browser.get(server, "")
        return browser.pids

    wait_for(is_answered)
    return browser.pids.pop()


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
