"""Composition: layers named outermost first, conditions on the path, and a check of their order.

```python
from middlewares import CORSMiddleware, RequestIDMiddleware, ServerErrorMiddleware, Stack, use, when

stack = Stack(
    use(RequestIDMiddleware),
    use(CORSMiddleware, allow_origins=["https://app.example"]),
    when("/app", use(ServerErrorMiddleware)),
)
app = stack(app)
```

`wrap` does the same by keywords, in the one order that the library knows to be right. `check` tells what is wrong with
an order that someone else made.

Order rules are data on the classes: see `middlewares.asgi.OrderRules`, which classes of your own can carry as well:

```python
class AuthMiddleware:
    asgi_order = {"kinds": ("answers",), "inside": {"sessions": "it reads the session, which is not there yet"}}
```
"""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from inspect import Parameter
from itertools import zip_longest
from types import MappingProxyType
from typing import Any, Concatenate, NamedTuple, Never, ParamSpec, Protocol, Self, TypeAlias, cast
from weakref import WeakKeyDictionary

from ._http.paths import Condition, matcher
from ._index import ROOMS
from ._options import (
    ORDER,
    CompressionOptions,
    CORSOptions,
    DecompressionOptions,
    RequestIDOptions,
    ServerErrorOptions,
    SessionOptions,
    TimingOptions,
)
from ._order import STARLETTE_ERRORS, Conditions, OrderError, OrderProblem, OrderWarning, Placed, find_problems
from .asgi import AnyASGIApp, ASGIApp, Receive, Scope, Send, single_callable

__all__ = ["Layer", "OrderError", "OrderProblem", "OrderWarning", "Stack", "When", "check", "use", "when", "wrap"]

P = ParamSpec("P")


class _Immutable:
    """Its own copy, also deep: Litestar copies the middleware of controllers, and keywords may be of any kind."""

    __slots__ = ()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self


class LayerSpec(Protocol):
    """A layer as Starlette writes it: `Middleware(cls, *args, **kwargs)`."""

    @property
    def cls(self) -> Any: ...
    @property
    def args(self) -> Any: ...
    @property
    def kwargs(self) -> Any: ...


AnyLayer: TypeAlias = Callable[[Any], ASGIApp] | LayerSpec
"""What a `Stack` takes: `use(...)`, `when(...)`, another `Stack`, Starlette's `Middleware(...)`, any `app -> app`."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Layer(_Immutable):
    """What `use` returns: a class and its keywords, `app -> app`. It cannot be changed, and can be used many times.

    Attributes:
        cls: The middleware class, or function.
        args: Its arguments after the application.
        kwargs: Its keywords; read-only.
    """

    cls: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def __call__(self, app: AnyASGIApp) -> ASGIApp:
        """Wrap an application in this layer; an ASGI 2 one is adapted first, as most classes know ASGI 3 alone."""
        wrapped: Any = self.cls(single_callable(app), *self.args, **self.kwargs)
        if not callable(wrapped):
            raise TypeError(f"{self!r} must return an ASGI application (it returned {wrapped!r})")
        with suppress(TypeError):  # what has no hash or no weak reference is known by its class alone
            _built[wrapped] = self
        return wrapped  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[object]:
        """`cls, args, kwargs`, as of Starlette's specs: `Starlette(middleware=[*stack])`."""
        return iter((self.cls, self.args, self.kwargs))

    def __repr__(self) -> str:
        return f"use({', '.join([_short_name(self.cls), *_shown(self)])})"


_built: WeakKeyDictionary[Any, Layer] = WeakKeyDictionary()
"""The layers that built what is in use, for `outline`."""


def use(cls: Callable[Concatenate[Any, P], ASGIApp], /, *args: P.args, **kwargs: P.kwargs) -> Layer:
    """A layer of a `Stack`: a middleware class, of this package or any other, and the keywords it is built with.

    Type checkers compare the keywords with the constructor. At run time unknown and missing ones fail here, wrong
    values when the layer is built.

    Args:
        cls: A class whose first argument is the application, or a function `app -> app`.
        args: What follows the application, for classes that take it by position.
        kwargs: The keywords.

    Raises:
        TypeError: `cls` does not take the application and these arguments.
    """
    return _layer(f"use({_short_name(cls)})", cls, args, kwargs)


def _layer(where: str, cls: Any, args: Iterable[Any], kwargs: Any) -> Layer:
    if not callable(cls):
        raise TypeError(f"{where}: a layer must be a middleware class or a function app -> app (got {cls!r})")
    layer = Layer(cls, tuple(args), MappingProxyType(dict(kwargs)))
    signature = _signature(cls)
    if next(iter(signature.parameters), None) == "scope":
        raise TypeError(f"{where}: an application is no layer: call the stack with it (got {cls!r})")
    try:
        signature.bind(None, *layer.args, **layer.kwargs)
    except TypeError as exc:
        takes = ", ".join([*signature.parameters][1:]) or "nothing"
        raise TypeError(f"{where}: {exc} (beside the application, {_short_name(cls)} takes {takes})") from None
    return layer


def _signature(cls: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(cls)
    except (TypeError, ValueError):  # compiled code need not tell: anything may be right

        def anything(app: Any, *args: Any, **kwargs: Any) -> None: ...

        return inspect.signature(anything)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class When(_Immutable):
    """What `when` returns: layers that apply under a condition, `app -> app`. It cannot be changed.

    Attributes:
        condition: As given.
        layers: The layers, outermost first.
        matches: The condition as a function of the scope.
        strict: Whether one of the layers came from a strict `Stack`.
    """

    condition: Condition
    layers: tuple[Layer | When, ...]
    matches: Callable[[Scope], bool]
    strict: bool = False

    def __call__(self, app: AnyASGIApp) -> ASGIApp:
        """Wrap an application: `.app` of the result is the outermost layer, `.inner` the application."""
        return _Conditional(single_callable(app), self)

    def __iter__(self) -> Iterator[object]:
        """`cls, args, kwargs`, as of Starlette's specs: `Starlette(middleware=[*stack])`."""
        no_keywords: dict[str, object] = {}
        return iter((self, (), no_keywords))

    def __repr__(self) -> str:
        return f"when({', '.join([_condition_text(self.condition), *map(repr, self.layers)])})"


def when(condition: Condition, *layers: AnyLayer) -> When:
    """Layers that apply only where a condition holds; elsewhere requests go directly to the application within.

    The condition is asked for each HTTP request and each WebSocket handshake. Everything else, the lifespan first of
    all, has no path and goes through the layers, which may have something to open and to close; like any layer, they
    hand it on, so that the application sees it exactly once.

    Args:
        condition: A path prefix on segment borders (`"/health"`: also `/health/live`, not `/healthy`), a compiled
            pattern that is searched in the path (both: below `root_path`), or a callable of the scope that returns
            whether.
        layers: The layers, outermost first: whatever a `Stack` takes.

    Raises:
        TypeError: The condition is none of the three, there is no layer, or something that is none.
        ValueError: The prefix does not start with a slash, or has a `..` segment.
    """
    matches = matcher("condition", condition)
    if not layers:
        raise TypeError("when() takes a condition and at least one layer (got the condition alone)")
    return When(condition, _flat("when", layers), matches, _is_strict(layers))


class _Conditional:
    def __init__(self, app: ASGIApp, when_: When) -> None:
        self.inner = app
        self.when = when_
        self.app = _build(when_.layers, app)
        self._matches = when_.matches

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and not self._matches(scope):
            await self.inner(scope, receive, send)
        else:
            await self.app(scope, receive, send)


class Stack(_Immutable):
    """Layers, outermost first; called with an application it returns the wrapped one.

    A stack cannot be changed. It can be iterated, joined with `+` (to a stack, or to a layer on either side), and
    prints as a tree, in which values of keywords that are named like secrets are hidden.

    When it is called, the layers and those that the application already has are checked (see `check`).

    Args:
        layers: `use(...)`, `when(...)`, other stacks, Starlette's `Middleware(...)`, or any function `app -> app`.
        strict: Whether an order that breaks a layer raises `OrderError`. Default: one `OrderWarning` for each problem.
            A joined stack is strict if one of its parts is, also one within `when`; so is `wrap` by one of `extra`.

    Raises:
        TypeError: Something is no layer, or does not take its keywords.
    """

    __slots__ = ("_layers", "_strict")

    def __init__(self, *layers: AnyLayer, strict: bool = False) -> None:
        self._layers = _flat("Stack", layers)
        self._strict: bool = strict or _is_strict(layers)

    @property
    def strict(self) -> bool:
        """Whether an order that breaks a layer raises."""
        return self._strict

    def __call__(self, app: AnyASGIApp) -> ASGIApp:
        """Wrap an application in the layers."""
        _report(self._layers, app, strict=self._strict)
        return _build(self._layers, single_callable(app))

    def __iter__(self) -> Iterator[Layer | When]:
        """The layers, outermost first."""
        return iter(self._layers)

    def __add__(self, other: AnyLayer) -> Stack:
        """The layers of this stack, and inside of them another layer, or those of another stack."""
        return Stack(self, other) if _is_layer(other) else NotImplemented

    def __radd__(self, other: AnyLayer) -> Stack:
        """Another layer, and inside of it those of this stack."""
        return Stack(other, self) if _is_layer(other) else NotImplemented

    def __repr__(self) -> str:
        return f"Stack({', '.join([*map(repr, self._layers), *(['strict=True'] if self._strict else [])])})"

    def __str__(self) -> str:
        return "\n".join(["Stack", *_tree(_spec_nodes(self._layers))])


def _is_layer(layer: Any) -> bool:
    return callable(layer) or hasattr(layer, "cls")


def _flat(where: str, layers: Iterable[Any]) -> tuple[Layer | When, ...]:
    flat: list[Layer | When] = []
    for given in layers:
        layer = given
        if not isinstance(layer, Layer | When | Stack):
            if hasattr(layer, "cls") and hasattr(layer, "kwargs"):
                layer = _layer(where, layer.cls, getattr(layer, "args", ()), layer.kwargs)
            else:
                layer = _layer(where, layer, (), {})
        layer = _unwrapped(layer)
        if isinstance(layer, Stack):
            flat.extend(layer)
        else:
            flat.append(layer)
    return tuple(flat)


def _unwrapped(spec: Any) -> Any:
    """What `Middleware(stack)` of Starlette, or `use(stack)`, holds; anything else as it is."""
    while isinstance(held := getattr(spec, "cls", None), Layer | When | Stack):
        spec = held
    return spec


def _is_strict(layers: Iterable[Any]) -> bool:
    return any(isinstance(layer, Stack | When) and layer.strict for layer in map(_unwrapped, layers))


def _build(layers: Iterable[Layer | When], app: ASGIApp) -> ASGIApp:
    for layer in reversed(tuple(layers)):
        app = layer(app)
    return app


def wrap(
    app: AnyASGIApp,
    *,
    request_id: bool | RequestIDOptions = False,
    timing: bool | TimingOptions = False,
    cors: bool | CORSOptions = False,
    server_errors: bool | ServerErrorOptions = False,
    compression: bool | CompressionOptions = False,
    decompression: bool | DecompressionOptions = False,
    sessions: bool | SessionOptions = False,
    extra: Iterable[AnyLayer] = (),
    **unknown: Never,
) -> ASGIApp:
    """Wrap an application in the rooms that are named, in the order that the library knows to be right.

    Outermost first: `request_id`, `timing`, `cors`, `server_errors`, `compression`, `decompression`, `sessions`, the
    layers of `extra`, the application. Each room takes True (its defaults), False (left out, the default), or a mapping
    of its keywords.

    Args:
        app: The application to wrap (ASGI 3, or an ASGI 2 double callable).
        request_id: The keywords of `RequestIDMiddleware`.
        timing: The keywords of `TimingMiddleware`.
        cors: The keywords of `CORSMiddleware`.
        server_errors: The keywords of `ServerErrorMiddleware`.
        compression: The keywords of `CompressionMiddleware`.
        decompression: The keywords of `DecompressionMiddleware`.
        sessions: The keywords of `SessionMiddleware`, which needs a key or a store.
        extra: Layers of other origin, outermost first: whatever a `Stack` takes.
        unknown: Any other name is refused.

    Raises:
        TypeError: There is no such room, or the room has no such keyword; or `extra` is no list of layers.
        ValueError: A room refuses the value of a keyword; a note names the room.
        OrderError: The order breaks a layer, and a strict `Stack` is among `extra`.
    """
    # Specs of Starlette, and ours, can be iterated, but not as layers.
    if isinstance(extra, Layer | When) or hasattr(extra, "cls") or not isinstance(cast("Any", extra), Iterable):
        is_foreign = hasattr(extra, "cls") and not isinstance(extra, Layer)  # whose repr may tell a secret
        got = f"a {type(extra).__name__}" if is_foreign else repr(extra)
        raise TypeError(f"extra must be a list of layers, such as [use(...)] (got {got})")
    extra = (extra,) if isinstance(extra, Stack) else tuple(extra)
    if unknown:
        raise TypeError(f"wrap() has no room {min(unknown)!r}; it takes {', '.join(ORDER)} and extra")
    given = {
        "request_id": request_id,
        "timing": timing,
        "cors": cors,
        "server_errors": server_errors,
        "compression": compression,
        "decompression": decompression,
        "sessions": sessions,
    }
    layers = {room: _room(room, name, given[room]) for room, name in ORDER.items() if given[room] is not False}
    within = _flat("wrap(extra=...)", extra)
    _report((*layers.values(), *within), app, strict=_is_strict(extra))
    wrapped = _build(within, single_callable(app))
    for room, layer in reversed(layers.items()):
        try:
            wrapped = layer(wrapped)
        except Exception as exc:
            exc.add_note(f"raised for wrap({room}=...)")
            raise
    return wrapped


def _room(room: str, name: str, options: Any) -> Layer:
    if options is True:
        options = {}
    elif not isinstance(options, Mapping):  # its repr may be a secret
        raise TypeError(f"{room} must be True, False or a mapping of keywords (got a {type(options).__name__})")
    cls = getattr(import_module(f".{ROOMS[name]}", __package__), name)
    return _layer(f"wrap({room}=...)", cls, (), options)


def check(app: AnyASGIApp | Stack) -> list[OrderProblem]:
    """The mistakes in the order of the layers around an application; empty where there is none that is known.

    It walks from the outside through `.app` (also `.inner` of Channels, `.asgi_app` of Quart, `.asgi_handler` of
    Litestar), then through the `user_middleware` of a Starlette or FastAPI application, or the `middleware` of a
    Litestar application (not of its routers and handlers), also within the layers that it does not know. A layer that
    keeps its application in a closure ends the walk. What stands under different conditions of `when` is not compared.

    Args:
        app: The application as the server gets it; or a `Stack`, alone.

    Raises:
        TypeError: An `asgi_order` has an unknown key, or a text as kinds.
    """
    return find_problems(_placed(app))


def _report(layers: Iterable[Layer | When], app: Any, *, strict: bool) -> None:
    own = list(_placed_specs(layers))
    problems = find_problems([*own, *_placed(app)], first=len(own))
    if problems and strict:
        raise OrderError(problems)
    for problem in problems:
        warnings.warn(str(problem), OrderWarning, stacklevel=3)  # the line that called the stack, or wrap


def _placed_specs(specs: Iterable[Any], conditions: Conditions = ()) -> Iterator[Placed]:
    for spec in map(_unwrapped, specs):
        if isinstance(spec, When):
            yield from _placed_specs(spec.layers, (*conditions, spec.condition))
        elif isinstance(spec, Stack):
            yield from _placed_specs(spec, conditions)
        else:
            yield Placed(getattr(spec, "cls", spec), conditions)


def _placed(app: Any) -> Iterator[Placed]:
    node: Any = app
    seen: dict[int, Any] = {}  # keeps the nodes alive, so that no id comes twice
    around: list[_Conditional] = []
    routed: list[Placed] = []
    # A proxy or a mock may have an `app` without end.
    while node is not None and id(node) not in seen and len(seen) < 1000:
        seen[id(node)] = node
        while around and node is around[-1].inner:
            around.pop()
        conditions: Conditions = tuple([conditional.when.condition for conditional in around])
        if isinstance(node, Layer | When | Stack):
            yield from _placed_specs([node], conditions)
            return
        if isinstance(node, _Conditional):
            around.append(node)
        else:
            yield Placed(type(node), conditions)
        if isinstance(specs := getattr(node, "user_middleware", None), list):
            yield from _placed_specs([STARLETTE_ERRORS, *specs], conditions)
        routed += _placed_specs(_routed(node), conditions)
        node = next(filter(callable, (getattr(node, name, None) for name in _INWARD)), None)
    yield from routed


def _routed(app: Any) -> list[Layer]:
    """The `middleware` of a Litestar application, outermost first, which stands inside of all that the walk meets."""
    specs: list[Any] | None = getattr(app, "middleware", None) if hasattr(app, "asgi_handler") else None
    return [_of_litestar(spec) for spec in specs] if isinstance(specs, list) else []


def _of_litestar(spec: Any) -> Layer:
    if not hasattr(spec, "middleware"):
        return Layer(spec, (), _NO_KEYWORDS)
    # `DefineMiddleware` gives the application behind its arguments, by its name.
    arguments = _signature(spec.middleware).bind_partial(*spec.args).arguments
    return Layer(spec.middleware, (), MappingProxyType({**arguments, **spec.kwargs}))


_NO_KEYWORDS: Mapping[str, Any] = MappingProxyType({})
_INWARD = ("app", "asgi_app", "asgi_handler", "inner")
_SECRET = re.compile("secret|password|passwd|token|credential|private|(^|_)(key|keys|dsn|salt)$", re.IGNORECASE)
_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_ADDRESS = re.compile(r"(?: object)? at 0x[0-9A-Fa-f]+")
_USER_INFO = re.compile(r"//[^/\s'\"]+@")  # to the last `@`: passwords have them, too, though none should be raw


def _short_name(cls: Any) -> str:
    return str(getattr(cls, "__qualname__", type(cls).__qualname__))


def _shown(layer: Layer) -> list[str]:
    # A secret may be given by position, and be one of many.
    parameters = _signature(layer.cls).parameters.values()
    names = [parameter.name for parameter in parameters if parameter.kind in _POSITIONAL][1 : 1 + len(layer.args)]
    others = next((parameter.name for parameter in parameters if parameter.kind is Parameter.VAR_POSITIONAL), "")
    by_position = [_safe_repr(value, name) for value, name in zip_longest(layer.args, names, fillvalue=others)]
    return by_position + [f"{key}={_safe_repr(value, key)}" for key, value in layer.kwargs.items()]


def _safe_repr(value: Any, name: str = "") -> str:
    """`repr` for logs and terminals: no secret, as far as names tell, no password of a URL, no address of an object."""
    if _SECRET.search(name) and not isinstance(value, bool | None):
        return "'***'"
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value).items()
        return "{" + ", ".join(f"{key!r}: {_safe_repr(item, str(key))}" for key, item in items) + "}"
    return _ADDRESS.sub("", _USER_INFO.sub("//***@", repr(value)))


def _condition_text(condition: Condition) -> str:
    return _short_name(condition) if callable(condition) else repr(condition)


class _Node(NamedTuple):
    text: str
    below: list[_Node]


def _spec_nodes(layers: Iterable[Layer | When]) -> list[_Node]:
    return [
        _Node(f"when {_condition_text(layer.condition)}", _spec_nodes(layer.layers))
        if isinstance(layer, When)
        else _Node(f"{_short_name(layer.cls)}({', '.join(_shown(layer))})", [])
        for layer in layers
    ]


def _tree(nodes: list[_Node], indent: str = "") -> Iterator[str]:
    for i, node in enumerate(nodes, start=1):
        branch, below = ("└── ", "    ") if i == len(nodes) else ("├── ", "│   ")
        yield f"{indent}{branch}{node.text}"
        yield from _tree(node.below, indent + below)


def outline(app: Any) -> list[str]:
    """The lines of a tree of what `check` walks through, outermost first; the application, or what hides it, is last.

    Layers that `use`, `wrap` or a `Stack` has built show their keywords, as far as they are no secrets; those that were
    built by hand their class.
    """
    return list(_tree(_nodes(app)))


def _nodes(app: Any, end: Any = None) -> list[_Node]:
    nodes: list[_Node] = []
    routed: list[Layer] = []
    node: Any = app
    seen: dict[int, Any] = {}
    while node is not None and node is not end and id(node) not in seen and len(seen) < 1000:
        seen[id(node)] = node
        if isinstance(node, _Conditional):
            nodes.append(_Node(f"when {_condition_text(node.when.condition)}", _nodes(node.app, node.inner)))
            node = node.inner
            continue
        layer = None
        with suppress(TypeError):
            layer = _built.get(node)
        specs: list[Any] | None = getattr(node, "user_middleware", None)
        inside = _spec_nodes(_flat("user_middleware", specs)) if isinstance(specs, list) else []
        if layer is not None:
            nodes += _spec_nodes([layer])
        elif not _short_name(node).startswith("_"):  # an adapter of ours
            nodes.append(_Node(_short_name(node), inside))
        routed += _routed(node)
        node = next(filter(callable, (getattr(node, name, None) for name in _INWARD)), None)
    if routed:
        nodes[-1].below.extend(_spec_nodes(_flat("middleware", routed)))
    return nodes
