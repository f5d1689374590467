"""The types of ASGI, and the adapter that lets an ASGI 2 application work wherever an ASGI 3 application does.

Scope and messages are `Any` on purpose: frameworks annotate them as `dict`, `MutableMapping`, or unions of `TypedDict`s
of their own, and none of these types accepts the others. With `Any` mypy, pyright and ty take the applications of all
of them.

Source: https://asgi.readthedocs.io/en/latest/specs/main.html
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from types import FunctionType, MethodType
from typing import Any, Protocol, TypeAlias, TypedDict, cast

Scope: TypeAlias = Any
Message: TypeAlias = Any
Receive: TypeAlias = Callable[[], Awaitable[Any]]
Send: TypeAlias = Callable[[Any], Awaitable[None]]

ASGIApp: TypeAlias = Callable[[Any, Any, Any], Awaitable[Any]]
"""An ASGI 3 application: `await app(scope, receive, send)`."""


class ASGI2Instance(Protocol):
    """What an ASGI 2 application returns for one scope: `await instance(receive, send)`."""

    def __call__(self, receive: Any, send: Any, /) -> Awaitable[Any]:
        """Run the application for this scope."""
        ...


ASGI2App: TypeAlias = Callable[[Any], ASGI2Instance]
"""An ASGI 2 application, the "double callable": `await app(scope)(receive, send)`; most often a class."""

AnyASGIApp: TypeAlias = ASGIApp | ASGI2App
"""What every middleware of this package wraps."""


class OrderRules(TypedDict, total=False):
    """What `middlewares.check` knows of a layer: plain data in the class attribute `asgi_order`, yours as well as ours.

    Layers speak of each other by kind, never by class, so that no layer imports another. Each `why` is a clause in
    lower case, without a full stop, that says what goes wrong; "that layer" in it is the other one. Those of a subclass
    are added to those of its bases.
    """

    kinds: tuple[str, ...]
    """What the layer is. In use: `request-id`, `log` (records or measures requests), `cors`, `errors` (answers
    exceptions), `answers` (may answer without asking the application), `compressor`, `decompressor`, `sessions`,
    `timing`, `cache` (stores answers, or makes validators of bodies), `proxy-headers`. Any other word is your own."""
    outside: dict[str, str]
    """Kind -> why: this layer belongs outside of layers of that kind."""
    inside: dict[str, str]
    """Kind -> why: this layer belongs inside of layers of that kind."""
    once: dict[str, str]
    """Kind -> why: no second layer of that kind may stand in the same stack."""
    avoid: tuple[str, str]
    """(why, what to do): this layer harms whatever stands outside of it."""
    builtin: bool
    """The framework puts the layer in place by itself: it has no say where another of its kind stands inside of it."""


def single_callable(app: AnyASGIApp) -> ASGIApp:
    """`app` itself if it is an ASGI 3 application; an ASGI 3 application that runs it if it is an ASGI 2 one.

    The arguments that `app` takes tell them apart: three (scope, receive, send), or the scope alone. Where the look of
    an application misleads, asgiref's hints decide: `app._asgi_single_callable = True` (ASGI 3) or
    `app._asgi_double_callable = True` (ASGI 2).

    Raises:
        TypeError: `app` cannot be called, or not in one of these ways (a WSGI application, an endpoint, a class in
            place of its instance, ...).
    """
    return _DoubleCallable(app) if _is_double_callable(app) else cast("ASGIApp", app)


def entry(app: AnyASGIApp) -> ASGIApp:
    """What a layer calls for each request: `single_callable(app)`, or its method where the class has `asgi_order`.

    A call of the method takes less time than a call of the object. It is looked up here, once: what replaces `__call__`
    of such a class has to do so before. Tools that trace applications do it later, so of those the object is called.
    """
    single = single_callable(app)
    method = getattr(type(single), "__call__", None)  # noqa: B004
    if isinstance(method, FunctionType) and hasattr(type(single), "asgi_order"):
        return MethodType(method, single)
    return single


def _is_double_callable(app: Any) -> bool:
    if not callable(app):
        raise TypeError(f"app must be an ASGI application, which is called with (scope, receive, send) (got {app!r})")
    if getattr(app, "_asgi_single_callable", False):
        return False
    if getattr(app, "_asgi_double_callable", False):
        return True
    try:
        # What a decorator pretends to take (`__wrapped__`) is not what it takes.
        signature = inspect.signature(app, follow_wrapped=False)
    except (TypeError, ValueError):  # compiled code need not tell
        return inspect.isclass(app)
    # asgiref takes every class for ASGI 2. One that is awaitable is ASGI 3 (`await Endpoint(scope, receive, send)`,
    # Starlette's HTTPEndpoint; uvicorn's rule), and so is one that cannot do with the scope alone.
    is_double = inspect.isclass(app) and _takes(signature, 1) and not hasattr(app, "__await__")
    if _takes(signature, 3) and not is_double:
        return False
    needs_instance = _has_single_instances(app)
    if _takes(signature, 1) and not _is_async(app) and not needs_instance:
        return True
    way_out = (
        f"give {app.__name__}.as_asgi()"  # a consumer of Channels
        if hasattr(app, "as_asgi")
        else "give an instance of this class"
        if needs_instance
        else "a2wsgi.WSGIMiddleware makes an ASGI application of a WSGI application"
        if _takes(signature, 2)
        else "set its attribute _asgi_single_callable = True if the signature misleads"
    )
    raise TypeError(
        f"app must be an ASGI application, which is called with (scope, receive, send) "
        f"(got {app!r}, which takes {signature}; {way_out})"
    )


def _has_single_instances(app: Any) -> bool:
    # Of a class for one scope, instances are called with (receive, send).
    call = getattr(app, "__call__", None)  # noqa: B004
    if not inspect.isclass(app) or not isinstance(call, FunctionType):
        return False
    signature = inspect.signature(call, follow_wrapped=False)
    return _takes(signature, 4) and not _takes(signature, 3)


def _is_async(app: Any) -> bool:
    # A coroutine cannot be called with (receive, send): an `async def` of one argument is an endpoint, not ASGI 2.
    return inspect.iscoroutinefunction(app) or (
        not inspect.isclass(app) and inspect.iscoroutinefunction(getattr(app, "__call__", None))  # noqa: B004
    )


def _takes(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True


class _DoubleCallable:
    """An ASGI 2 application as an ASGI 3 one; `.app` leads on to it, as in every layer."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope)(receive, send)
