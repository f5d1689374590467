"""Real servers as subprocesses on free loopback ports, each of them ended within bounded time."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[2]
START_SECONDS = 60  # on a busy machine; a server that works needs about one
STOP_SECONDS = LOG_SECONDS = 10

# `{app}` is "module:name", `{port}` a free port; all are run with the interpreter of the tests, from the project's root.
SERVERS = {
    "uvicorn": "uvicorn {app} --host 127.0.0.1 --port {port} --timeout-graceful-shutdown 1",
    "hypercorn-asyncio": "hypercorn {app} --bind 127.0.0.1:{port} --workers 0",  # 0: in the process itself
    "hypercorn-trio": "hypercorn {app} --bind 127.0.0.1:{port} --workers 0 --worker-class trio",
    "daphne": "daphne {app} --bind 127.0.0.1 --port {port}",
    "granian": "granian {app} --interface asgi --host 127.0.0.1 --port {port}",
}


@dataclass
class Server:
    """A server that accepts connections."""

    port: int
    process: subprocess.Popen[bytes]
    _log: IO[bytes]
    _whole_log: str | None = None

    @property
    def url(self) -> str:
        """Where it serves HTTP, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def log(self) -> str:
        """What it has written to standard output and standard error until now, or until its end."""
        if self._whole_log is None:
            self._log.seek(0)
            return self._log.read().decode(errors="replace")
        return self._whole_log

    def logs(self, text: str) -> bool:
        """Whether it writes `text`, which it may do after it has answered."""
        deadline = time.monotonic() + LOG_SECONDS
        while text not in self.log():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True


@contextmanager
def serve(server: str, app: str) -> Iterator[Server]:
    """Run `app` ("module:name") on one of `SERVERS`."""
    with start(lambda port: ["-m", *SERVERS[server].format(app=app, port=port).split()]) as running:
        yield running


@contextmanager
def start(
    arguments: Callable[[int], Sequence[str]], environment: Callable[[int], dict[str, str]] = lambda _: {}
) -> Iterator[Server]:
    """Run `python <arguments(port)>`, wait until it accepts connections on the port, and end it."""
    with tempfile.TemporaryFile("a+b") as log:  # appended: reading moves the offset that the server shares
        server = _started(arguments, environment, log)
        try:
            yield server
        finally:
            _stop(server.process)
            server._whole_log = server.log()


def _started(
    arguments: Callable[[int], Sequence[str]], environment: Callable[[int], dict[str, str]], log: IO[bytes]
) -> Server:
    for _ in range(3):  # another process can take the free port first
        port = free_port()
        process = subprocess.Popen(
            [sys.executable, *arguments(port)],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment(port)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a group of its own: workers end with their server
        )
        server = Server(port, process, log)
        try:
            _wait_until_accepting(server)
        except BaseException as error:
            _stop(process)
            if isinstance(error, _PortTakenError):
                continue
            raise
        return server
    raise RuntimeError(f"no free port in three attempts:\n{server.log()}")


class _PortTakenError(Exception):
    pass


def _wait_until_accepting(server: Server) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            log = server.log()
            if "in use" in log.lower() or "taken" in log:
                raise _PortTakenError
            raise RuntimeError(f"{server.process.args} ended with {server.process.returncode}:\n{log}")
        try:
            socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"{server.process.args} does not accept after {START_SECONDS} s:\n{server.log()}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):  # when the whole group has ended in peace
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(STOP_SECONDS)


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
