"""The ASGI 2 adapter: which applications are taken for which version, and that both run."""

import functools
from typing import ClassVar

import pytest

from middlewares.asgi import OrderRules, entry, single_callable
from middlewares.testing import http_scope, record, run

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
BODY = {"type": "http.response.body", "body": b"/", "more_body": False}


async def answer(scope, receive, send):
    await receive()
    await send(START)
    await send({**BODY, "body": scope["path"].encode()})


class Double:
    def __init__(self, scope):
        self.scope = scope

    async def __call__(self, receive, send):
        await answer(self.scope, receive, send)


class DoubleOfArgs:
    def __init__(self, *args):
        (self.scope,) = args

    async def __call__(self, receive, send):
        await answer(self.scope, receive, send)


class DoubleInstance:
    def __call__(self, scope):
        return functools.partial(answer, scope)


def double_function(scope):
    async def instance(receive, send):
        await answer(scope, receive, send)

    return instance


class Single:
    async def __call__(self, scope, receive, send):
        await answer(scope, receive, send)

    async def method(self, scope, receive, send):
        await answer(scope, receive, send)

    def plain_method(self, scope, receive, send):
        return answer(scope, receive, send)


class Awaitable:
    """As Starlette's HTTPEndpoint: `await Awaitable(scope, receive, send)`."""

    def __init__(self, scope, receive, send):
        self.arguments = scope, receive, send

    def __await__(self):
        return answer(*self.arguments).__await__()


class AwaitableOfArgs(Awaitable):
    def __init__(self, *args):
        super().__init__(*args)


class AnswersAtConstruction:
    """A class that is no ASGI 2 application, as the scope alone is not enough for it."""

    def __new__(cls, scope, receive, send):
        return answer(scope, receive, send)


@functools.wraps(double_function)
async def decorated(scope, receive, send):
    await answer(scope, receive, send)


async def of_args(*args):
    await answer(*args)


def plain_of_args(*args, **kwargs):
    return answer(*args, **kwargs)


def hinted(function, **hints):
    def app(*args):
        return function(*args)

    for name, value in hints.items():
        setattr(app, name, value)
    return app


class Builtin:
    """As a compiled function: it does not tell what it takes."""

    __signature__ = "none"

    def __call__(self, *arguments):
        return answer(*arguments)


SINGLE = {
    "async function": answer,
    "instance with async call": Single(),
    "bound async method": Single().method,
    "bound plain method": Single().plain_method,
    "partial of async function": functools.partial(answer),
    "partial of instance": functools.partial(Single()),
    "lambda": lambda scope, receive, send: answer({**scope}, receive, send),
    "lambda with defaults": lambda scope, receive, send, more=None: answer({**scope}, receive, send),
    "awaitable class": Awaitable,
    "awaitable class of args": AwaitableOfArgs,
    "class of all three": AnswersAtConstruction,
    "async function of args": of_args,
    "plain function of args": plain_of_args,
    "async, pretends to be another": decorated,
    "no signature": Builtin(),
    "hint single": hinted(answer, _asgi_single_callable=True),
    "both hints": hinted(answer, _asgi_single_callable=True, _asgi_double_callable=True),
}

DOUBLE = {
    "class": Double,
    "class of args": DoubleOfArgs,
    "function of scope": double_function,
    "lambda of scope": lambda scope: Double({**scope}),
    "partial of class": functools.partial(Double),
    "instance with plain call of scope": DoubleInstance(),
    "bound method of scope": DoubleInstance().__call__,
    "function with default": lambda scope, option=None: Double({**scope}),
    "hint double": hinted(Double, _asgi_double_callable=True),
}


@pytest.mark.parametrize("app", SINGLE.values(), ids=SINGLE)
def test_asgi3_is_itself(app):
    """An ASGI 3 application in any form is returned as the same object, and runs."""
    assert single_callable(app) is app
    assert run(app, http_scope()) == [START, BODY]


class Layer:
    """One of ours, or one like them."""

    asgi_order: ClassVar[OrderRules] = {"kinds": ("other",)}

    async def __call__(self, scope, receive, send):
        await answer(scope, receive, send)


def test_method_of_a_layer():
    """Of a layer, its method is called: what is looked up once need not be for each request."""
    layer = Layer()
    assert single_callable(layer) is layer
    assert entry(layer) == layer.__call__
    assert run(entry(layer), http_scope()) == [START, BODY]
    layer.__dict__["__call__"] = None  # Python looks for it on the class, and so do we
    assert run(entry(layer), http_scope()) == [START, BODY]


@pytest.mark.parametrize("app", SINGLE.values(), ids=SINGLE)
def test_call_of_an_application(app):
    """Of an application, the object is called, which tools may have changed by then."""
    assert entry(app) is app


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("app", DOUBLE.values(), ids=DOUBLE)
def test_asgi2_is_adapted(app, backend):
    """An ASGI 2 application in any form runs as an ASGI 3 one, whose `.app` it is."""
    adapted = single_callable(app)
    assert adapted is not app
    assert adapted.app is app
    assert run(adapted, http_scope(), backend=backend) == [START, BODY]


def test_adapted_once():
    """What was adapted is an ASGI 3 application, also for a second layer."""
    adapted = single_callable(Double)
    assert single_callable(adapted) is adapted


def test_class_without_signature():
    """A class that does not tell what it takes is ASGI 2, as for asgiref."""

    class Opaque(Double):
        __signature__ = "none"

    assert single_callable(Opaque).app is Opaque


def test_exception_of_construction():
    """What the first call raises (for lifespan, mostly) reaches the server unchanged."""

    class OnlyHTTP(Double):
        def __init__(self, scope):
            raise ValueError("no lifespan here")

    with pytest.raises(ValueError, match=r"^no lifespan here$"):
        run(single_callable(OnlyHTTP), {"type": "lifespan"})


def test_callable_by_keyword():
    """The adapted application can be called by keyword, as daphne does."""
    adapted = single_callable(Double)

    async def by_keyword(scope, receive, send):
        await adapted(scope=scope, receive=receive, send=send)

    assert run(by_keyword, http_scope()) == [START, BODY]


@pytest.mark.parametrize("app", [None, 42, "module:app"], ids=["None", "number", "import string"])
def test_not_callable(app):
    """What cannot be called is refused by name."""
    with pytest.raises(TypeError, match="app must be an ASGI application") as caught:
        single_callable(app)
    assert repr(app) in str(caught.value)


async def endpoint(request):
    """An endpoint of a framework."""


REFUSED = {
    "WSGI function": (lambda environ, start_response: [], "a2wsgi.WSGIMiddleware"),
    "endpoint": (endpoint, "_asgi_single_callable = True"),
    "no argument": (lambda: None, "_asgi_single_callable = True"),
    "class of two": (type("Two", (), {"__init__": lambda self, a, b: None}), "a2wsgi.WSGIMiddleware"),
    "called application": (Double(http_scope()), "a2wsgi.WSGIMiddleware"),
    "class of ASGI 3": (Single, "give an instance of this class"),
    "consumer of Channels": (type("Chat", (Single,), {"as_asgi": None}), "give Chat.as_asgi()"),
    "class of ASGI 3 that takes one": (type("Layer", (Single,), {"__init__": lambda self, app: None}), "give an"),
    "class of ASGI 3 that takes any": (
        type("Framework", (Single,), {"__init__": lambda self, a=1, b=2, c=3: None}),
        "give an",
    ),
}


@pytest.mark.parametrize(("app", "way_out"), REFUSED.values(), ids=REFUSED)
def test_other_callables(app, way_out):
    """What takes neither (scope, receive, send) nor a scope fails at construction, not on a request."""
    with pytest.raises(TypeError, match="app must be an ASGI application") as caught:
        single_callable(app)
    assert way_out in str(caught.value)


def test_recorder_takes_both():
    """The test kit runs ASGI 2 applications, too."""
    assert run(Double, http_scope(path="/x")) == [START, {**BODY, "body": b"/x"}]
    assert callable(record)
