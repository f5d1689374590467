"""Which layers must not stand where: decides over the classes of a stack, outermost first, by their order rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, cast

from .asgi import OrderRules


class OrderWarning(UserWarning):
    """Layers stand in an order that breaks one of them; the text is an `OrderProblem`'s."""


class OrderError(ValueError):
    """The same as `OrderWarning`, raised by a `Stack` with `strict=True`.

    Attributes:
        problems: The list of every `OrderProblem`.
    """

    def __init__(self, problems: Sequence[OrderProblem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(map(str, self.problems)))

    def __reduce__(self) -> tuple[type[OrderError], tuple[list[OrderProblem]]]:
        return type(self), (self.problems,)  # not the text, which an exception is made of by default


@dataclass(frozen=True, slots=True)
class OrderProblem:
    """One mistake in the order of layers; `str()` says it in one sentence.

    Attributes:
        outer: The class that stands outside; with its module, unless it is one of this package.
        inner: The class that stands inside.
        why: What goes wrong.
        fix: What to do about it.
    """

    outer: str
    inner: str
    why: str
    fix: str

    def __str__(self) -> str:
        return f"{self.inner} stands inside of {self.outer}: {self.why}; {self.fix}."


Conditions: TypeAlias = tuple[object, ...]
"""Those of each `when` around a layer."""


class Placed(NamedTuple):
    """A layer in its place: its class, the function that makes it, or a key of `KNOWN`; and its conditions."""

    cls: Any
    conditions: Conditions = ()


_CORS: OrderRules = {
    "kinds": ("cors",),
    "outside": {
        "answers": "what that layer answers by itself has no CORS headers, so no page can read it",
        "errors": "the 500 of that layer has no CORS headers, so pages see a network error in its place",
    },
    "once": {"cors": "two policies decide about the same answers"},
}
_REQUEST_ID: OrderRules = {
    "kinds": ("request-id",),
    "outside": {
        "log": "what that layer logs before this one runs has no id, or the id of the request before",
        "errors": "the 500 of that layer goes out without the request id header",
    },
}
_COMPRESSOR: OrderRules = {
    "kinds": ("compressor",),
    "outside": {"cache": "that layer keeps one copy for each coding, and can answer 304 only after compressing"},
    "once": {"compressor": "the outer one works for nothing, or codes a body that is coded already"},
}
_PROXY_HEADERS: OrderRules = {
    "kinds": ("proxy-headers",),
    "outside": {
        "https-redirect": "behind a proxy that ends TLS, that layer sees http and redirects for ever",
        "log": "that layer records the address of the proxy in place of the client's",
    },
}
_ANSWERS: OrderRules = {"kinds": ("answers",)}
_HTTPS_REDIRECT: OrderRules = {"kinds": ("answers", "https-redirect")}
_LOG: OrderRules = {"kinds": ("log",)}
_SESSIONS: OrderRules = {"kinds": ("sessions",)}

STARLETTE_ERRORS = "starlette.ServerErrorMiddleware"
"""What every Starlette and FastAPI application puts outside of its `user_middleware` by itself."""

KNOWN: dict[str, OrderRules] = {
    "asgi_correlation_id.CorrelationIdMiddleware": _REQUEST_ID,
    "asgi_logger.AccessLoggerMiddleware": _LOG,
    "asgi_request_id.RequestIdMiddleware": _REQUEST_ID,
    "brotli_asgi.BrotliMiddleware": _COMPRESSOR,
    "hypercorn.HTTPToHTTPSRedirectMiddleware": _HTTPS_REDIRECT,
    "hypercorn.ProxyFixMiddleware": _PROXY_HEADERS,
    "litestar.CORSMiddleware": _CORS,
    "litestar.CompressionMiddleware": _COMPRESSOR,
    "slowapi.SlowAPIASGIMiddleware": _ANSWERS,
    "slowapi.SlowAPIMiddleware": _ANSWERS,
    "starlette.AuthenticationMiddleware": _ANSWERS,
    # Its source (1.10): the application runs in a task of its own; `assert message["type"] == "http.response.body"`.
    "starlette.BaseHTTPMiddleware": {
        "avoid": (
            "it runs the application in a task of its own, loses the ContextVars set in there, and fails on trailers",
            "write it as a pure ASGI middleware",
        )
    },
    "starlette.CORSMiddleware": _CORS,
    "starlette.GZipMiddleware": _COMPRESSOR,
    "starlette.HTTPSRedirectMiddleware": _HTTPS_REDIRECT,
    "starlette.RequestBodyLimitMiddleware": _ANSWERS,
    STARLETTE_ERRORS: {"kinds": ("errors",), "builtin": True},
    "starlette.SessionMiddleware": _SESSIONS,
    "starlette.TrustedHostMiddleware": _ANSWERS,
    "starlette_compress.CompressMiddleware": _COMPRESSOR,
    "starlette_csrf.CSRFMiddleware": _ANSWERS,
    "starlette_exporter.PrometheusMiddleware": _LOG,
    "starsessions.SessionMiddleware": _SESSIONS,
    "timing_asgi.TimingMiddleware": _LOG,
    "uvicorn.ProxyHeadersMiddleware": _PROXY_HEADERS,
    "zstd_asgi.ZstdMiddleware": _COMPRESSOR,
}
"""Rules of classes that cannot carry `asgi_order` themselves, by top package and class: projects move their modules."""


class _Layer(NamedTuple):
    name: str
    rules: OrderRules
    conditions: Conditions


def find_problems(placed: Iterable[Placed], first: int | None = None) -> list[OrderProblem]:
    """The problems among layers, outermost first; with `first`, only those that one of the first so many is part of."""
    found: list[OrderProblem] = []
    all_layers = [_Layer(_name(cls), _rules(cls), conditions) for cls, conditions in placed]
    layers = [(i, layer) for i, layer in enumerate(all_layers) if not _is_idle(layer, all_layers[i + 1 :])]
    for n, (_, inner) in enumerate(layers):
        outers = [outer for i, outer in layers[:n] if (first is None or i < first) and _can_meet(outer, inner)]
        is_doubled = False
        for outer in outers:
            if problem := _between(outer, inner, is_doubled=is_doubled):
                found.append(problem)
            is_doubled = is_doubled or _stands_for(outer, inner)
        harmed = [outer for outer in outers if outer.rules.get("kinds") and not outer.rules.get("builtin")]
        if harmed and (harm := inner.rules.get("avoid")):
            found.append(OrderProblem(harmed[0].name, inner.name, *harm))
    return found


def _between(outer: _Layer, inner: _Layer, *, is_doubled: bool) -> OrderProblem | None:
    """At most one problem for each pair: the first rule that speaks of it.

    `is_doubled`: a layer further out does already what the inner one would have to be outside of the outer one for.
    """
    if not is_doubled and (why := _about(inner.rules.get("outside"), outer)):
        fix = f"place {inner.name} outside of {outer.name}"
        if outer.rules.get("builtin"):
            fix = f"the framework places {outer.name}, so wrap the whole application in {inner.name}"
    elif why := _about(outer.rules.get("inside"), inner):
        fix = f"place {outer.name} inside of {inner.name}"
    elif why := _about(inner.rules.get("once"), outer) or _about(outer.rules.get("once"), inner):
        fix = "remove one of the two"
    else:
        return None
    return OrderProblem(outer.name, inner.name, why, fix)


def _about(whys: dict[str, str] | None, other: _Layer) -> str | None:
    return next((why for kind, why in (whys or {}).items() if kind in other.rules.get("kinds", ())), None)


def _stands_for(other: _Layer, layer: _Layer) -> bool:
    # It is of the same kinds, and sees every request that the layer sees.
    kinds = layer.rules.get("kinds", ())
    is_alike = bool(kinds) and set(kinds) <= {*other.rules.get("kinds", ())}
    return is_alike and all(c in layer.conditions for c in other.conditions)


def _can_meet(a: _Layer, b: _Layer) -> bool:
    # Two layers of different conditions may never see the same request: what is not certain is no problem.
    return all(c in b.conditions for c in a.conditions) or all(c in a.conditions for c in b.conditions)


def _is_idle(layer: _Layer, inside: list[_Layer]) -> bool:
    # The innermost layer that answers exceptions answers them all; the framework's own, outside of it, has none left.
    return bool(layer.rules.get("builtin")) and any(
        kind in layer.rules.get("kinds", ())
        for other in inside
        if not other.rules.get("builtin") and all(c in layer.conditions for c in other.conditions)
        for kind in other.rules.get("kinds", ())
    )


def _rules(cls: Any) -> OrderRules:
    merged: dict[str, Any] = {}
    if isinstance(cls, str):
        return KNOWN[cls]
    # A subclass has the rules of its bases as well: kinds add up, and its own reasons stand first.
    bases = cls.__mro__ if isinstance(cls, type) else ()
    own = [_checked(base, vars(base).get("asgi_order", {})) for base in bases]
    own = own or [_checked(cls, getattr(cls, "asgi_order", {}))]
    for rules in [*own, *(KNOWN[name] for base in bases if (name := _key(base)) in KNOWN)]:
        for key, value in cast("dict[str, Any]", rules).items():
            if key == "kinds":
                merged[key] = merged.get(key, ()) + tuple(value)
            elif isinstance(value, dict):
                merged[key] = {**value, **merged.get(key, {})}
            else:
                merged.setdefault(key, value)
    return cast("OrderRules", merged)


def _checked(cls: Any, rules: dict[str, Any]) -> dict[str, Any]:
    keys = OrderRules.__annotations__
    if unknown := rules.keys() - keys.keys():
        raise TypeError(f"{_name(cls)}.asgi_order has the unknown key {min(unknown)!r}; it takes {', '.join(keys)}")
    if isinstance(kinds := rules.get("kinds"), str):  # its letters are no kinds
        raise TypeError(f"{_name(cls)}.asgi_order must have a tuple as kinds, such as ({kinds!r},) (got {kinds!r})")
    return rules


def _key(cls: type) -> str:
    return f"{cls.__module__.partition('.')[0]}.{cls.__qualname__}"


def _name(cls: Any) -> str:
    """What problems call a layer: by its name alone where it is ours, else with its module."""
    if isinstance(cls, str):
        return cls
    name = getattr(cls, "__qualname__", type(cls).__qualname__)
    module = getattr(cls, "__module__", None)
    is_ours = str(module).partition(".")[0] == __package__
    return name if is_ours or not module else f"{module}.{name}"
