"""Objects named as `module:attribute`: the application, in whatever interface it speaks, and what TOML cannot hold."""

from __future__ import annotations

import inspect
import sys
import traceback
from importlib import import_module
from pkgutil import iter_modules
from types import TracebackType
from typing import Any, NamedTuple

from ..asgi import ASGIApp, single_callable
from .errors import CommandError, FailureError, did_you_mean, required


class Loaded(NamedTuple):
    """An application as ASGI 3, and what it was: `"ASGI 3"`, `"ASGI 2"` or `"WSGI"`."""

    app: ASGIApp
    kind: str


def load(target: str, *, factory: bool = False, wsgi: bool = False) -> Loaded:
    """The application that `target` names.

    Args:
        target: `module:attribute`; the attribute may have dots.
        factory: Whether to call what it names, without arguments, for the application.
        wsgi: Whether it is a WSGI application, whatever it looks like.

    Raises:
        CommandError: There is no such object, it is no application, or its module or factory raises.
    """
    app = find(target)
    if factory:
        if not callable(app):
            raise CommandError(f"{target} must be callable with --factory (got {_kind(app)})")
        try:
            app = app()
        except Exception as exc:  # noqa: BLE001 - the user's code
            print_traceback(exc)
            raise FailureError(f"the factory {target} raised {_told(exc)}") from None
    return _adapted(target, app, wsgi=wsgi)


def find(target: str, where: str = "") -> Any:
    """The object that `module:attribute` names; `where` begins each message about it.

    Raises:
        CommandError: There is no such module or attribute, or the module raises as it is imported.
    """
    name, path = split(target, where)
    value: Any = _module(name, where)
    for part in path.split("."):
        try:
            value = getattr(value, part)
        except AttributeError:
            raise CommandError(
                f"{where}{name} has no attribute {part!r}{did_you_mean(part, dir(value))} (looked for {target})"
            ) from None
    return value


def split(target: str, where: str = "") -> tuple[str, str]:
    """The module and the attribute of `module:attribute`.

    Raises:
        CommandError: It is not written so.
    """
    name, _, path = target.partition(":")
    if not name or not path or name.endswith(".py") or "/" in name:
        module = name.removesuffix(".py").strip("./").replace("/", ".") or "main"
        raise CommandError(f"{where}{target!r} must be module:attribute, such as {module}:{path or 'app'}")
    return name, path


def _module(name: str, where: str) -> Any:
    try:
        return import_module(name)
    except Exception as exc:  # noqa: BLE001 - the user's code
        missing = exc.name if isinstance(exc, ModuleNotFoundError) else None
        if missing and f"{name}.".startswith(f"{missing}."):
            beside = [module.name for module in iter_modules(sys.path[:1])]
            raise CommandError(
                f"{where}there is no module {missing!r} in {sys.path[0] or '.'}, nor is one installed"
                f"{did_you_mean(missing, beside)} (--app-dir names another folder)"
            ) from None
        print_traceback(exc)
        raise FailureError(f"{where}the import of {name} raised {_told(exc)}") from None


def print_traceback(exc: BaseException) -> None:
    """Write to standard error what the user's own code did: from the first frame that is not ours."""
    frame: TracebackType | None = exc.__traceback__
    while frame is not None and (
        frame.tb_frame.f_code.co_filename.startswith("<frozen importlib")
        or frame.tb_frame.f_code.co_filename in (__file__, import_module.__code__.co_filename)
    ):
        frame = frame.tb_next
    traceback.print_exception(exc.with_traceback(frame))


def _told(exc: Exception) -> str:
    return f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__


def _adapted(target: str, app: Any, *, wsgi: bool) -> Loaded:
    if wsgi:
        if not callable(app):
            raise CommandError(f"{target} is no WSGI application, which is called with (environ, start_response)")
        return Loaded(required("a2wsgi").WSGIMiddleware(app), "WSGI")
    # One that takes anything is what a decorator made of an application.
    if inspect.isfunction(app) and _takes(app, 0) and not _takes(app, 3):
        raise CommandError(f"{target} is called without arguments: if it makes the application, add --factory")
    try:
        adapted = single_callable(app)
    except TypeError:
        if _takes(app, 2):
            return Loaded(required("a2wsgi").WSGIMiddleware(app), "WSGI")
        raise CommandError(
            f"{target} is no application, neither of ASGI nor of WSGI (got {_kind(app)}); name the application itself, "
            f"or what makes it, with --factory"
        ) from None
    return Loaded(adapted, "ASGI 3" if adapted is app else "ASGI 2")


def _takes(app: Any, count: int) -> bool:
    try:
        inspect.signature(app, follow_wrapped=False).bind(*[None] * count)
    except (TypeError, ValueError):
        return False
    # An `async def` of two arguments is an endpoint of some framework: WSGI knows no coroutines.
    return not inspect.iscoroutinefunction(app)


def _kind(value: Any) -> str:
    name = getattr(value, "__qualname__", None)
    return f"the {type(value).__name__} {name}" if name else f"an object of the type {type(value).__qualname__}"
