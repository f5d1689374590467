"""Every check on every server, behind the whole stack, and without it where a server fails by itself."""

from __future__ import annotations

import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from ..conftest import require
from .checks import CHECKS
from .clients import DEADLINE, eventually
from .matrix import (
    ALONE,
    COLUMNS,
    GAPS,
    PAGE,
    PROCESSES,
    SHUTDOWN,
    STOPPING,
    Processes,
    documented,
    expected,
    run,
    table,
)
from .matrix_app import SECRET

pytestmark = [pytest.mark.servers, pytest.mark.matrix]

# What a server fails by itself is not asked for behind the rooms; alone, every server is asked, so that a gap is one.
CELLS = [
    (column, check, prefix)
    for column in COLUMNS
    for check in CHECKS
    for prefix in ("/", "/bare/")
    if (check in ALONE if prefix == "/bare/" else check not in GAPS[column])
]
GAP_SECONDS = 3  # a server is not waited for where it is known to fail


@pytest.fixture(scope="module")
def processes(certificate):
    """The servers: one runs at a time, for all its checks."""
    running = Processes(certificate)
    yield running
    running.close()


@pytest.mark.parametrize(("column", "check", "prefix"), CELLS)
def test_check(processes, column, check, prefix, record_property):
    """Behind the rooms, a server passes each check and logs no traceback; alone, it fails what is listed as its gap."""
    running = processes.get(COLUMNS[column].process)
    before = len(running.server.log())
    if gap := GAPS[column].get(check):
        with (
            running.client(COLUMNS[column], patience=GAP_SECONDS) as client,
            pytest.raises(gap.error, match=gap.match),
        ):
            CHECKS[check](client, prefix)
        if gap.ends:
            running.server.process.wait(DEADLINE)
        if check in STOPPING:
            processes.close()
        assert eventually(lambda: gap.log in running.server.log()[before:])
        return
    try:
        with running.client(COLUMNS[column]) as client:
            CHECKS[check](client, prefix)
    except BaseException as error:
        error.add_note(running.server.log()[before:])
        raise
    if check == "500":
        assert eventually(lambda: f"RuntimeError: {SECRET}" in running.server.log()[before:])
    else:
        assert "Traceback" not in running.server.log()[before:]
    if prefix == "/":
        record_property("cell", (column, check))


@pytest.mark.parametrize("process", PROCESSES)
def test_graceful_shutdown(process, certificate, record_property):
    """Requests in flight are completed before the server ends, where it lets them; lifespan ends once, and the log stays clean."""
    columns = [name for name, column in COLUMNS.items() if column.process == process]
    requests = [(name, prefix) for name in columns for prefix in ("/", "/bare/") for _ in range(3)]
    curl = require("curl", "it asks over HTTP/2 where a server shuts down: httpx takes nothing behind a GOAWAY")
    with run(process, certificate, grace=8) as running, ThreadPoolExecutor(len(requests)) as pool:
        folder = Path(running.folder)
        with ExitStack() as clients:
            waiting = []
            for number, (name, prefix) in enumerate(requests):
                path = f"{prefix}slow?key={number}"
                if COLUMNS[name].http == 2:
                    waiting.append(pool.submit(_curl, curl, running, COLUMNS[name], path))
                else:
                    client = clients.enter_context(running.client(COLUMNS[name]))
                    waiting.append(pool.submit(lambda client=client, path=path: client.fetch(path).body))
            assert eventually(lambda: len([*folder.iterdir()]) == len(requests))
            running.server.process.terminate()
            # Most servers refuse connections from then on; one that does so later passes all the same.
            eventually(lambda: _refuses(running.server.port), seconds=2)
            (folder / "go").touch()
            for (name, _), future in zip(requests, waiting, strict=True):
                if gap := GAPS[name].get(SHUTDOWN):
                    with pytest.raises(gap.error, match=gap.match):
                        future.result(DEADLINE)
                else:
                    assert future.result(DEADLINE) == b"begun, and ended"
        running.server.process.wait(DEADLINE)
        log = running.server.log()
        for name in columns:
            assert SHUTDOWN not in GAPS[name] or GAPS[name][SHUTDOWN].log in log
        assert log.count("lifespan.shutdown\n") == (process != "daphne")
        assert "Traceback" not in log
    for name in columns:
        if SHUTDOWN not in GAPS[name]:
            record_property("cell", (name, SHUTDOWN))


def _curl(program, running, column, path):
    port, version = (running.tls_port, "--http2") if column.tls else (running.server.port, "--http2-prior-knowledge")
    url = f"http{'s' if column.tls else ''}://127.0.0.1:{port}{path}"
    command = [program, "--silent", "--show-error", "--max-time", str(DEADLINE), version, url]
    done = subprocess.run([*command, "--cacert", str(running.certificate.path)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def _refuses(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return True
    return False


def test_documented():
    """The table of the docs is that of these checks and gaps; `python -m tests.servers` writes it."""
    assert documented(PAGE.read_text()) == table(expected())
