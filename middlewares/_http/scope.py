"""Scopes that a layer changes for the layers inside of it, and what those write into them for the layers outside."""

from __future__ import annotations

from ..asgi import Scope


def share_written(inner: Scope, outer: Scope) -> None:
    """Copy what routers, sessions and logins have written into `inner`, a changed copy of `outer`, back to `outer`.

    A layer that hands on a copy of the scope would hide from the layers outside which route was matched, and whose
    request it is; logs and metrics name requests by it, and a predicate of compression may ask for it. Call this as the
    response starts, and again when the application has returned or raised.

    The keys are those of Starlette (`route`, `path_params`, `endpoint`, `session`, `user`, `auth`), Litestar
    (`path_template`) and FastAPI (`fastapi`), each as the innermost layer left it.
    """
    # Written out: this runs twice for each request, and a loop takes twice as long.
    if "route" in inner:
        outer["route"] = inner["route"]
    if "path_params" in inner:
        outer["path_params"] = inner["path_params"]
    if "endpoint" in inner:
        outer["endpoint"] = inner["endpoint"]
    if "path_template" in inner:
        outer["path_template"] = inner["path_template"]
    if "fastapi" in inner:
        outer["fastapi"] = inner["fastapi"]
    if "session" in inner:
        outer["session"] = inner["session"]
    if "user" in inner:
        outer["user"] = inner["user"]
    if "auth" in inner:
        outer["auth"] = inner["auth"]
