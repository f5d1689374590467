"""`middlewares run`: uvicorn, with the application behind its layers."""

from __future__ import annotations

import copy
import errno
import json
import logging
import os
import socket
import sys
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..asgi import ASGIApp, Receive, Scope, Send
from .config import layers, merged, package_of_the_process, read
from .errors import CommandError, FailureError, required
from .loading import find, load, split

VARIABLE = "ASGI_MIDDLEWARES_PLAN"
"""The environment variable that tells the processes of `--reload` and `--workers` what to serve; it has no secret."""

_STARTUP_FAILURE = 3  # uvicorn's: its other workers then end, too


@dataclass(frozen=True)
class Plan:
    """What to serve: plain data, which goes to other processes as JSON.

    Attributes:
        target: The application, `module:attribute`.
        factory: Whether `target` makes the application.
        wsgi: Whether it is a WSGI application for certain.
        config: The file of the layers; None for pyproject.toml, where it has the table.
        given: What the command line says of the layers; secrets by where they are, not what.
        trust: The networks of the proxies.
    """

    target: str
    factory: bool = False
    wsgi: bool = False
    config: str | None = None
    given: Mapping[str, Any] = field(default_factory=dict[str, Any])
    trust: tuple[str, ...] = ()

    def path(self) -> Path | None:
        """The file of the layers."""
        return None if self.config is None else Path(self.config)


def build(plan: Plan) -> ASGIApp:
    """The application behind its layers.

    Raises:
        CommandError: Something about it is wrong.
    """
    source = read(plan.path())
    loaded = load(plan.target, factory=plan.factory, wsgi=plan.wsgi)
    package = package_of_the_process()
    around = layers(source, plan.given, package)
    names = list(merged(source, plan.given))
    bridge = ", through a2wsgi" if loaded.kind == "WSGI" else ""
    logger = logging.getLogger("uvicorn.error")
    logger.info("Serving %s (%s%s) behind %s", plan.target, loaded.kind, bridge, ", ".join(names) or "no layer")
    if "request_id" in names:
        id_filter = import_module(f"{package}.request_id").RequestIDLogFilter()
        for handler in logging.getLogger("uvicorn.access").handlers:
            handler.addFilter(id_filter)
    with warnings.catch_warnings(record=True) as problems:
        warnings.simplefilter("always")
        stacked: ASGIApp = import_module(f"{package}.stack").Stack(*around)(loaded.app)
    for problem in problems:
        logger.warning("%s", problem.message)
    return _behind_proxies(stacked, plan.trust)


def _behind_proxies(app: ASGIApp, trust: tuple[str, ...]) -> ASGIApp:
    """Uvicorn's own layer, but the peer stays known: the ids of a proxy are believed by its address, not the user's."""
    trusted = list(trust) or os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1")
    proxied: ASGIApp = required("uvicorn.middleware.proxy_headers").ProxyHeadersMiddleware(app, trusted)

    async def keep_peer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            scope["state"] = {**scope.get("state", {}), "proxy_headers": {"client": scope.get("client")}}
        await proxied(scope, receive, send)

    return keep_peer


def application() -> ASGIApp:
    """What uvicorn's child processes call for the application; a mistake ends them with one line.

    Raises:
        SystemExit: The plan cannot be followed.
    """
    plan: dict[str, Any] = json.loads(os.environ[VARIABLE])
    try:
        return build(Plan(**plan))
    except CommandError as exc:
        exc.show()
        sys.exit(_STARTUP_FAILURE)


def serve(plan: Plan, *, host: str, port: int, reload: bool, workers: int, log_level: str, app_dir: str) -> None:
    """Serve until the process is told to end.

    Raises:
        CommandError: uvicorn is missing, the address is not free, or the plan cannot be followed.
        SystemExit: The application has failed to start.
    """
    uvicorn = required("uvicorn")
    source = read(plan.path())
    check_address(host, port)
    settings: dict[str, Any] = {
        "host": host,
        "interface": "asgi3",
        "log_config": _log_config(uvicorn.config, log_level, with_ids="request_id" in merged(source, plan.given)),
        "log_level": log_level,
        "port": port,
        "proxy_headers": False,  # see _behind_proxies
        "use_colors": False if os.environ.get("NO_COLOR") else None,
        "workers": workers,  # else uvicorn asks WEB_CONCURRENCY
    }
    if not reload and workers == 1:
        # As under `uvicorn main:app`: the log is there first, so that the application can change it, and no event loop
        # runs yet when it is loaded.
        uvicorn.Config("", **settings)
        app = build(plan)
        try:
            uvicorn.run(app, **{**settings, "log_config": None})
        except SystemExit as exc:
            # The application has failed to start, which uvicorn has told. Its own code is for the parent of workers.
            raise SystemExit(FailureError.exit_code if exc.code == _STARTUP_FAILURE else exc.code) from None
        return
    os.environ[VARIABLE] = json.dumps(asdict(plan))
    if reload:
        # The application itself is left to the child: it may be broken now, and whole after the next change.
        _check_findable(plan.target)
        layers(source, plan.given, package_of_the_process())
        settings |= {"reload": True, "reload_dirs": [app_dir]}
    else:
        build(plan)  # so that a mistake is told once, not by each worker
    uvicorn.run(f"{__name__}:application", factory=True, **settings)


def _check_findable(target: str) -> None:
    if find_spec(split(target)[0].partition(".")[0]) is None:
        find(target)


def check_address(host: str, port: int) -> None:
    """Before anything is loaded; between now and then another one may still take it, which uvicorn tells.

    Raises:
        FailureError: It is not free, or not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as exc:
        option = "--port" if exc.errno in (errno.EADDRINUSE, errno.EACCES) else "--host"
        why = str(exc.strerror).partition(" (while")[0]  # what Python adds repeats the address
        raise FailureError(f"cannot listen on {host} port {port}: {why}; take another {option}") from None


def _log_config(uvicorn_config: Any, log_level: str, *, with_ids: bool) -> dict[str, Any]:
    """Uvicorn's own, with the loggers of the layers, and the request's id in the lines of the access log."""
    config: dict[str, Any] = copy.deepcopy(uvicorn_config.LOGGING_CONFIG)
    level = uvicorn_config.LOG_LEVELS[log_level]
    config["loggers"]["middlewares"] = {"handlers": ["default"], "level": level, "propagate": False}
    if with_ids:
        config["formatters"]["access"]["fmt"] += " %(request_id)s"
    return config
