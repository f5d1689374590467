"""The matrix of servers and checks: its columns, and the gaps that the servers have by themselves."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from ..certificate import Certificate
from ..conftest import require
from .checks import CHECKS
from .clients import DEADLINE, Client, QUICClient
from .harness import ROOT, Server, free_port, start
from .matrix_app import FILES

PAGE = ROOT / "docs" / "compatibility.md"
BEGIN, END = "<!-- servers: written by `python -m tests.servers` -->\n\n", "\n<!-- servers: end -->"

APP = "tests.servers.matrix_app:app"
HYPERCORN = (
    "hypercorn {app} --insecure-bind 127.0.0.1:{port} --bind 127.0.0.1:{tls}"
    " --certfile {certificate} --keyfile {key} --graceful-timeout {grace}"
)
PROCESSES = {
    "uvicorn-httptools": "uvicorn {app} --port {port} --http httptools --loop uvloop",
    "uvicorn-h11": "uvicorn {app} --port {port} --http h11 --loop asyncio",
    "gunicorn": "gunicorn {app} --bind 127.0.0.1:{port} --worker-class uvicorn_worker.UvicornWorker",
    "hypercorn-asyncio": f"{HYPERCORN} --quic-bind 127.0.0.1:{{tls}}",
    "hypercorn-trio": f"{HYPERCORN} --worker-class trio",
    "daphne": "daphne {app} --bind 127.0.0.1 --port {port}",
    "granian": "granian {app} --interface asgi --host 127.0.0.1 --port {port}",
}
"""How each server is run, with `python -m`."""


@dataclass(frozen=True)
class Column:
    """A server, and a version of HTTP that it speaks."""

    process: str
    http: int
    tls: bool = False


COLUMNS = {
    "uvicorn, httptools, uvloop": Column("uvicorn-httptools", 1),
    "uvicorn, h11": Column("uvicorn-h11", 1),
    "gunicorn, uvicorn worker": Column("gunicorn", 1),
    "daphne": Column("daphne", 1),
    "granian, HTTP/1.1": Column("granian", 1),
    "granian, HTTP/2": Column("granian", 2),
    "hypercorn, HTTP/1.1": Column("hypercorn-asyncio", 1),
    "hypercorn, HTTP/2": Column("hypercorn-asyncio", 2, tls=True),
    "hypercorn, HTTP/3": Column("hypercorn-asyncio", 3, tls=True),
    "hypercorn on trio, HTTP/1.1": Column("hypercorn-trio", 1),
    "hypercorn on trio, HTTP/2": Column("hypercorn-trio", 2, tls=True),
}
"""The title of a column -> what it is; those of one process stand together, so that it starts once."""


SHUTDOWN = "graceful shutdown"
"""The row that has a test of its own, as it ends the server."""

UNREAD, LEFT = "answer before the upload", "client that leaves"
STOPPING = (UNREAD, LEFT)
"""The rows after which a server that fails is started anew: hypercorn on trio may not answer any longer."""

ALONE = (
    UNREAD,
    "capitals in names",
    LEFT,
    "early hints",
    "server push",
    "trailers",
    "WebSocket",
    "WebSocket that closes",
    "headers of a WebSocket's handshake",
    "lifespan once",
)
"""The checks that some server fails by itself. They run without the rooms, too, on every server."""


@dataclass(frozen=True)
class Gap:
    """What a server cannot do by itself.

    Attributes:
        note: The sentence for the docs.
        error: What the check raises with the application alone.
        match: A pattern in the message of `error`.
        log: What the server logs then, or when it is stopped.
        ends: Whether the server ends by it.
    """

    note: str
    error: type[BaseException] = AssertionError
    match: str | None = None
    log: str = ""
    ends: bool = False


_EXTENSION = "The server does not offer this to applications: neither over HTTP/1.1 nor, with granian, over HTTP/2."
_SOCKETS = "granian has WebSockets over HTTP/1.1 alone."
_ACCEPT = "The server drops the headers of `websocket.accept`: set cookies in a response before it."
_UNREAD = (
    "When an application answers before it has read the body, hypercorn breaks the connection off, and on trio it ends:"
    " have the body read, or its size limited in front of hypercorn."
)
_LIFESPAN = (
    "daphne has no lifespan: what has to be opened is opened by the first request that needs it."
    " [Sanic](guides/sanic.md) cannot do without."
)
_CAPITALS = (
    "hypercorn sends names as they come, and in HTTP/3 capitals are an error: the application has to lower them."
)
_LEFT = (
    "Over HTTP/3, hypercorn does not tell the application that a client has left: what streams needs an end of its own."
)
_TRAILERS = "Trailers break the response off: hypercorn sends data behind them."

_DAPHNE_CUTS = "daphne cuts requests in flight off when it ends."
_GOAWAY = "hypercorn on trio closes the connection of HTTP/2 before the end of the last response is sent."


def _gaps() -> dict[str, dict[str, Gap]]:
    offers = {"early hints": "early_hint", "server push": "push", "trailers": "trailers"}
    untold = Gap(_LEFT, match="the application is not told")
    no_headers = Gap(_ACCEPT, match=r"x-socket: \[\]")
    gaps: dict[str, dict[str, Gap]] = {name: {} for name in COLUMNS}
    for name, column in COLUMNS.items():
        if column.http == 1 or column.process == "granian":
            for check, extension in offers.items():
                gaps[name][check] = Gap(_EXTENSION, match=f"is not offered http.response.{extension}")
        if column.process.startswith("hypercorn") and column.http == 2:
            gaps[name][UNREAD] = Gap(_UNREAD, match="the connection was closed")
    gaps["hypercorn, HTTP/3"] |= {
        UNREAD: Gap(_UNREAD, TimeoutError, log="KeyError: 0"),
        LEFT: untold,
        "WebSocket that closes": untold,
        "capitals in names": Gap(_CAPITALS, match="b'Content-Type' contains"),
        "trailers": Gap(_TRAILERS, TimeoutError, log="FrameUnexpected: DATA frame is not allowed in this state"),
    }
    gaps["hypercorn on trio, HTTP/2"][UNREAD] = Gap(
        _UNREAD, match="the connection was closed", log="KeyError: 1", ends=True
    )
    no_sockets = Gap(_SOCKETS, match="no WebSockets over HTTP/2")
    gaps["granian, HTTP/1.1"]["headers of a WebSocket's handshake"] = no_headers
    gaps["granian, HTTP/2"] |= {check: no_sockets for check in CHECKS if "WebSocket" in check}
    gaps["daphne"] |= {
        "headers of a WebSocket's handshake": no_headers,
        "lifespan once": Gap(_LIFESPAN, match=r"the application has seen \{\}"),
        SHUTDOWN: Gap(
            _DAPHNE_CUTS, httpx.RemoteProtocolError, "without sending complete message body", "Killed 6 pending"
        ),
    }
    gaps["hypercorn on trio, HTTP/2"][SHUTDOWN] = Gap(_GOAWAY, match="stream 1 was not closed cleanly")
    return gaps


GAPS = _gaps()
"""Column -> check -> what the server fails by itself, without any room."""


@dataclass
class Running:
    """A server that runs the application of the matrix."""

    server: Server
    tls_port: int
    certificate: Certificate
    folder: str

    @contextmanager
    def client(self, column: Column, *, patience: float = DEADLINE, opening: float = DEADLINE) -> Iterator[Any]:
        """A client that speaks the version of a column; `again` makes another one.

        Args:
            column: The server, and the version.
            patience: How many seconds it waits for what a server may never do.
            opening: How many seconds it waits for a connection of HTTP/3, which a server may not take any longer.
        """
        port = self.tls_port if column.tls else self.server.port
        opened: Any
        if column.http == 3:
            opened = QUICClient("127.0.0.1", port, str(self.certificate.path), patience=patience, opening=opening)
        else:
            context = None
            if column.tls:
                context = ssl.create_default_context(cafile=self.certificate.path)
                context.set_alpn_protocols(["h2" if column.http == 2 else "http/1.1"])
            opened = Client("127.0.0.1", port, context, http2=column.http == 2, patience=patience)
        opened.again = lambda: self.client(column, patience=patience, opening=patience)
        try:
            yield opened
        finally:
            opened.close()


@contextmanager
def run(process: str, certificate: Certificate, *, grace: int = 1) -> Iterator[Running]:
    """Run the application of the matrix on one of `PROCESSES`.

    Args:
        process: Its name.
        certificate: What it shows where it speaks TLS.
        grace: How many seconds hypercorn gives its requests when it ends: with HTTP/3, it waits for all of them.
    """
    require(process.partition("-")[0])
    chosen = {}
    with tempfile.TemporaryDirectory() as folder:

        def arguments(port: int) -> list[str]:
            chosen["tls"] = free_port()
            command = PROCESSES[process].format(
                app=APP,
                port=port,
                tls=chosen["tls"],
                certificate=certificate.path,
                key=certificate.key_path,
                grace=grace,
            )
            return ["-m", *command.split()]

        with start(arguments, lambda _: {FILES: folder}) as server:
            yield Running(server, chosen["tls"], certificate, folder)


class Processes:
    """Starts a process when it is asked for, and ends it when the next one is."""

    def __init__(self, certificate: Certificate) -> None:
        self._certificate = certificate
        self._running: dict[str, Running] = {}
        self._closing = ExitStack()

    def get(self, process: str) -> Running:
        """The running process."""
        if process not in self._running:
            self.close()
            self._running[process] = self._closing.enter_context(run(process, self._certificate))
        return self._running[process]

    def close(self) -> None:
        """End it."""
        self._running.clear()
        self._closing.close()


def table(passed: Collection[tuple[str, str]]) -> str:
    """The matrix as Markdown, with the gaps as numbered notes below.

    Args:
        passed: The cells (column, check) that passed.
    """
    notes = list(dict.fromkeys(gap.note for gaps in GAPS.values() for gap in gaps.values()))

    def cell(column: str, check: str) -> str:
        if (column, check) in passed:
            return "yes"
        gap = GAPS[column].get(check)
        return f"[{notes.index(gap.note) + 1}]" if gap else "-"

    lines = [
        "| | " + " | ".join(COLUMNS) + " |",
        "|---" * (len(COLUMNS) + 1) + "|",
        *(
            f"| {check} | " + " | ".join(cell(column, check) for column in COLUMNS) + " |"
            for check in (*CHECKS, SHUTDOWN)
        ),
        "",
        *(f"{number}. {note}" for number, note in enumerate(notes, 1)),
    ]
    return "\n".join(lines) + "\n"


def expected() -> set[tuple[str, str]]:
    """The cells that pass: all but the gaps."""
    return {(column, check) for column in COLUMNS for check in (*CHECKS, SHUTDOWN) if check not in GAPS[column]}


def documented(text: str, new: str | None = None) -> str:
    """The part of a page between its two markers; with `new`, the page with that part in its place."""
    before, _, rest = text.partition(BEGIN)
    part, _, after = rest.partition(END)
    return part if new is None else f"{before}{BEGIN}{new}{END}{after}"
