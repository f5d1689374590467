"""The demo on uvicorn."""

from __future__ import annotations

import contextlib
import logging
import socket

from ..asgi import ASGIApp
from .application import CURLS, application
from .log import LINES, logger

_LOOPBACK = ("127.0.0.1", "::1")
_EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - addresses to listen on that nobody can ask for


def serve(host: str = "127.0.0.1", port: int = 8000, *, beside: ASGIApp | None = None, curls: str = CURLS) -> None:
    """Serve the demo until the process is told to end. Log lines go to standard error.

    Args:
        host: The address to listen on. Default: this machine alone, which is what the page is for.
        port: The port; 0 takes a free one. Default: 8000.
        beside: The application of every path but `/` and those under `/demo`. None: there is nothing else.
        curls: What to try in a terminal, printed and shown by the page; see `application`.

    Raises:
        ImportError: The extra `serve` is not installed.
        OSError: The address is not free.
    """
    try:
        import uvicorn
    except ImportError as error:
        raise ImportError("the demo needs `pip install 'asgi-middlewares[serve]'`") from error
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as listener:
        port = listener.getsockname()[1]
        logging.basicConfig(level=logging.INFO, format="%(message)s")  # the lines of access logs, in place of uvicorn's
        shown = f"[{host}]" if ":" in host else host
        if host in _EVERYWHERE:
            shown = "localhost"
        name = "localhost" if host in _LOOPBACK else shown
        app = application(beside, host=name, port=port, curls=curls)
        config = uvicorn.Config(app, access_log=False, timeout_graceful_shutdown=3)
        logging.getLogger("uvicorn.error").addHandler(LINES)  # which gets exceptions; set up anew by the line above
        tries = curls.format(host=name, port=port)
        logger.info("In a terminal:\n\n%s\nOr in a browser: http://%s:%d/ (Ctrl+C ends it)\n", tries, shown, port)
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])
