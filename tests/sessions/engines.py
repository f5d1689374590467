"""Real engines as subprocesses: started, frozen, killed and started again by tests, each ended within bounded time."""

import os
import pwd
import re
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

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
        if self.process is None:  # its program is missing
            return
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


class PostgresServer(Engine):
    """A cluster of PostgreSQL of its own on a free port of the loopback interface, in a directory that is its user's."""

    def __init__(self, directory):
        self.port = free_port()
        self.directory = directory
        if os.getuid() == 0:  # it does not run as root
            user = next(user for user in pwd.getpwall() if user.pw_name in {"postgres", "nobody"})
            self.owner = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            os.chown(directory, user.pw_uid, user.pw_gid)
        else:
            self.owner = {}
        subprocess.run(
            [program("initdb"), "-D", directory, "-U", "app", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
            stdout=subprocess.DEVNULL,
            cwd=directory,
            check=True,
            timeout=START_SECONDS,
            **self.owner,
        )

    def command(self):
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self.directory,
            "fsync": "off",
            "log_min_messages": "fatal",
        }
        more = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [program("postgres"), "-D", self.directory, *more]

    def options(self):
        return {"cwd": self.directory, "stderr": subprocess.DEVNULL, **self.owner}

    def answers(self):
        ready = [program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return 0 == subprocess.run(ready, check=False, timeout=START_SECONDS).returncode

    def signal(self, number):
        # Each connection is a process and a session of its own.
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        super().signal(number)
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(int(child), number)

    @property
    def url(self):
        return f"postgresql+asyncpg://app@127.0.0.1:{self.port}/postgres"


def program(name):
    """A program of PostgreSQL: Debian has them beside its path, a directory for each version."""
    found = Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    newest = max(found, key=lambda path: [int(number) for number in re.findall(r"\d+", str(path))], default=None)
    return newest or require(name)
