"""What is known of a request when it is over, and the template of the route that it took."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from .._http.headers import request_values
from ..asgi import Scope
from .spans import Span


class TimingRecord(NamedTuple):
    """One request, or one WebSocket connection, after its end. Times are in seconds.

    Attributes:
        type: "http" or "websocket".
        method: As the client sent it, in any length and case; "GET" for a WebSocket handshake.
        path: As the request came, decoded: it may hold line feeds and escapes. Never write it to a log as it is.
        route: The template of the matched route, with the prefix of mounts; None where none matched, or none is known.
        scheme: "http", "https", "ws", "wss"; None if the server does not tell.
        http_version: "1.0", "1.1", "2", "3"; None if the server does not tell.
        status: The status code; 500 if the application raised before the start, else None without a start. Of a
            WebSocket: 101 if it was accepted, 403 if it was refused, or the status of the denial.
        ttfb: From the request to the start of the response; None without a start.
        duration: From the request to the end of the response.
        request_bytes: Of the body that the application received; of all messages of a WebSocket.
        response_bytes: Of the body that the application sent; of all messages of a WebSocket.
        aborted: Whether the response did not reach its end: the client left, the task was cancelled, or the application
            returned too early.
        error: The exception that the application raised before the end; None if none.
        spans: The spans and entries, in the order of their ends.
        request_id: The id that a request-id layer put into the state; None if none.
        receive_wait: How long the application waited for the client's body.
        send_wait: How long it waited for messages to be taken: what a slow client costs.
        root_path: As in the scope when the request came; Starlette's mounts have written their own into it since.
        scope: The scope itself, as the application left it.
    """

    type: str
    method: str
    path: str
    route: str | None
    scheme: str | None
    http_version: str | None
    status: int | None
    ttfb: float | None
    duration: float
    request_bytes: int
    response_bytes: int
    aborted: bool
    error: Exception | None
    spans: tuple[Span, ...]
    request_id: str | None
    receive_wait: float
    send_wait: float
    root_path: str
    scope: Scope

    def __repr__(self) -> str:
        # Without the scope: cookies and credentials stand in its headers.
        shown = ", ".join([f"{name}={value!r}" for name, value in zip(self._fields[:-1], self[:-1], strict=True)])
        return f"TimingRecord({shown})"


def state_value(scope: Scope, key: str) -> str | None:
    """A `str` in the state of a scope, which may be missing or of another kind; None if there is none."""
    state: Any = scope.get("state")
    # `dict` first, as the check of an abstract class takes long.
    value: Any = cast("Mapping[str, Any]", state).get(key) if isinstance(state, (dict, Mapping)) else None
    return value if isinstance(value, str) else None


def route_template(scope: Scope) -> str | None:
    """The template of the route that routers left in the scope, without values of the request; None if none matched."""
    route: Any = scope.get("route")
    path: Any = getattr(route, "path", None)
    template: Any = scope.get("path_template")
    is_litestar = bool(template)
    if not is_litestar:
        fastapi: Any = scope.get("fastapi")
        context: Any = cast("Mapping[str, Any]", fastapi).get("effective_route_context") if fastapi else None
        # FastAPI: the path of the route itself lacks the prefix of include_router.
        template = (getattr(context, "path_format", None) or path) if context else path
    if not isinstance(template, str):
        return None
    # Starlette leaves the mount itself where nothing below it was matched, or where what is mounted has no routes.
    is_mount = hasattr(route, "routes")
    at_mount = is_mount and not is_litestar and path == template
    if at_mount and route.routes:
        return None
    outer: Any = scope.get("app_root_path")
    root: Any = scope.get("root_path") or ""
    if outer is None or root == outer or not root.startswith(outer):
        return template
    if is_litestar:
        # It has replaced the parameters of the mount that it is in, which is the last route before it. A mount in a
        # mount has fewer segments than root_path.
        is_whole = is_mount and isinstance(path, str) and path.count("/") == root.count("/", len(outer))
        return path + template if is_whole else None
    own = "" if at_mount else template  # the path of a mount is the end of root_path already
    prefix = _mount_prefix(scope, root[len(outer) :], own)
    return None if prefix is None else prefix + own


def _mount_prefix(scope: Scope, prefix: str, template: str) -> str | None:
    """What mounts added to `root_path`, with `{name}` in place of the values; None if one cannot be put back."""
    params: dict[str, Any] = scope.get("path_params") or {}
    # From the end: mounts nest, and a parameter inside is a later one.
    for name, value in reversed(params.items()):
        if "{" + name + "}" in template or "{" + name + ":" in template:
            continue
        if isinstance(value, str) and value not in prefix and _is_in_host(value, scope):
            continue  # Starlette: Host("{name}.app.example", …)
        restored = _put_back(prefix, name, value)
        if restored is None:
            return None  # a value in the template would make it another one for each request
        prefix = restored
    return prefix


def _is_in_host(value: str, scope: Scope) -> bool:
    return any(value in host.decode("latin-1") for host in request_values(scope, b"host"))


def _put_back(prefix: str, name: str, value: Any) -> str | None:
    if isinstance(value, str) and "/" in value:  # the path convertor
        head, found, tail = prefix.rpartition(value)
        return f"{head}{{{name}}}{tail}" if found else None
    segments = prefix.split("/")
    for index in reversed(range(len(segments))):
        if _is_written_as(value, segments[index]):
            segments[index] = "{" + name + "}"
            return "/".join(segments)
    return None


def _is_written_as(value: Any, segment: str) -> bool:
    try:
        return bool(segment) and type(value)(segment) == value  # 007 is 7 to the convertor
    except Exception:  # noqa: BLE001 - a convertor of any kind
        return False
