"""Real engines as subprocesses: started, frozen, killed and started again by tests, each ended within bounded time."""

import signal
import socket
import subprocess
import time
from contextlib import suppress

from tests.conftest import require
from tests.servers.harness import free_port

START_SECONDS = 60  # on a busy machine
STOP_SECONDS = 10


class Engine:
    """A server program. Subclasses give `command` and `answers`."""

    process = None

    def start(self):
        """Start it, and wait until it answers."""
        for _ in range(3):  # another process can take the free port first
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **self.options()
            )
            deadline = time.monotonic() + START_SECONDS
            while self.process.poll() is None and time.monotonic() < deadline:
                if self.answers():
                    return
                time.sleep(0.02)
            self.kill()
        raise RuntimeError(f"{self.process.args} did not start")

    def options(self):
        """More keywords of `subprocess.Popen`."""
        return {}

    def signal(self, number):
        """Send a signal to all of its processes."""
        self.process.send_signal(number)

    def freeze(self):
        """Stop it, with its connections open."""
        self.signal(signal.SIGSTOP)

    def thaw(self):
        """Let it go on."""
        self.signal(signal.SIGCONT)

    def kill(self):
        """End it at once, frozen or not."""
        with suppress(ProcessLookupError):
            self.signal(signal.SIGKILL)
        self.process.wait(STOP_SECONDS)


class RedisServer(Engine):
    """A redis-server on a free port of the loopback interface."""

    def __init__(self, directory, *options):
        self.port = free_port()
        self.arguments = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(directory), "--save", ""]
        self.arguments += options

    def command(self):
        return [require("redis-server"), *self.arguments]

    def answers(self):
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as connection:
            connection.sendall(b"PING\r\n")
            return b"+PONG\r\n" == connection.recv(100)
        return False

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"
