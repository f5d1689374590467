"""Composition: `use`, `when`, `Stack`, `wrap`, and the check of the order."""

import copy
import pickle
import re
import sys
import typing
import warnings
from inspect import Parameter, signature
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

import middlewares
from middlewares import OrderError, OrderProblem, OrderWarning, Stack, check, use, when, wrap
from middlewares._index import ROOMS
from middlewares._options import ORDER
from middlewares._order import KNOWN
from middlewares.stack import outline
from middlewares.testing import http_scope, run, websocket_scope
from tests.conftest import require
from tests.needs import NEEDS


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await send({"type": "lifespan.startup.complete"})
    elif scope["type"] == "websocket":
        await send({"type": "websocket.accept", "headers": []})
        await send({"type": "websocket.close"})
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"app"})


class Named:
    """Adds its name in front of the headers, so that an answer tells through which layers it went."""

    name = b"named"

    def __init__(self, app, *, label=None):
        self.app = app
        self.label = label

    async def __call__(self, scope, receive, send):
        async def send_named(message):
            if "headers" in message:
                message = {**message, "headers": [(b"x-layer", self.name), *message["headers"]]}
            elif message["type"].startswith("lifespan"):
                message = {**message, "by": [self.name, *message.get("by", [])]}
            await send(message)

        await self.app(scope, receive, send_named)


class A(Named):
    name = b"a"


class B(Named):
    name = b"b"


class C(Named):
    name = b"c"


class Secretive(Named):
    def __init__(self, app, secret_key=None, **kwargs):
        self.app = app


def plain(app):
    return C(app)


def forgetful(app):
    C(app)


def layers_of(app, scope=None):
    """The names of the layers that an answer went through, outermost first."""
    start = run(app, scope or http_scope())[0]
    return [value for name, value in start["headers"] if name == b"x-layer"]


class HelloWorld:
    """An ASGI 2 application."""

    def __init__(self, scope):
        self.scope = scope

    async def __call__(self, receive, send):
        await app(self.scope, receive, send)


class TestUse:
    def test_holds_what_was_given(self):
        """A layer tells its class, arguments and keywords."""
        layer = use(A, label="x")
        assert (layer.cls, layer.args, dict(layer.kwargs)) == (A, (), {"label": "x"})
        assert use(Secretive, "key").args == ("key",)

    def test_builds(self):
        """Called with an application, it builds the class with its keywords around it, each time anew."""
        layer = use(A, label="x")
        first, second = layer(app), layer(app)
        assert isinstance(first, A)
        assert (first.app, first.label) == (app, "x")
        assert first is not second

    def test_immutable(self):
        """Neither the layer nor its keywords can be changed, nor does a later change of what was given."""
        options = {"label": "x"}
        layer = use(A, **options)
        options["label"] = "y"
        with pytest.raises(AttributeError):
            layer.cls = B
        with pytest.raises(TypeError):
            layer.kwargs["label"] = "y"
        assert layer(app).label == "x"

    def test_asgi2(self):
        """An ASGI 2 application is adapted for classes that know ASGI 3 alone."""
        wrapped = use(A)(HelloWorld)
        assert wrapped.app.app is HelloWorld
        assert layers_of(wrapped) == [b"a"]

    @pytest.mark.parametrize("kwargs", [{"lable": "x"}, {"label": "x", "more": 1}], ids=["misspelt", "one more"])
    def test_unknown_keyword(self, kwargs):
        """An unknown keyword fails at once, and the message names it, the class and what it takes."""
        with pytest.raises(TypeError, match=r"use\(A\): got an unexpected keyword .* A takes label\)"):
            use(A, **kwargs)

    def test_missing_keyword(self):
        """A missing keyword fails at once, by name."""

        class Strict:
            def __init__(self, app, *, secret):
                pass

        with pytest.raises(TypeError, match=r"use\(.*Strict\): missing a required .*'secret'"):
            use(Strict)

    def test_takes_nothing(self):
        """For a function of the application alone the message says so."""
        with pytest.raises(TypeError, match=r"use\(plain\): .* plain takes nothing\)"):
            use(plain, label="x")

    @pytest.mark.parametrize("cls", [None, 42, "A"], ids=repr)
    def test_not_callable(self, cls):
        """What cannot be called is no layer."""
        with pytest.raises(TypeError, match=f"use.*a layer must be .* {re.escape(f'(got {cls!r})')}"):
            use(cls)

    def test_without_signature(self):
        """A class that does not tell what it takes is tried."""

        class Opaque(A):
            __signature__ = "none"

        assert use(Opaque, label="x")(app).label == "x"

    def test_returns_no_application(self):
        """A function that forgot to return the application fails when it is called, by name."""
        with pytest.raises(TypeError, match=r"use\(forgetful\) must return an ASGI application \(it returned None\)"):
            use(forgetful)(app)

    def test_not_an_application(self):
        """A layer around something that is no application fails when it is built."""
        with pytest.raises(TypeError, match="app must be an ASGI application"):
            use(A)(None)


class TestStack:
    def test_outermost_first(self):
        """The first layer is the outermost."""
        wrapped = Stack(use(A), use(B))(app)
        assert isinstance(wrapped, A)
        assert isinstance(wrapped.app, B)
        assert wrapped.app.app is app
        assert layers_of(wrapped) == [b"a", b"b"]

    @pytest.mark.parametrize(
        "layers",
        [
            (use(A), plain),
            (A, C),
            (Stack(use(A)), Stack(Stack(plain), Stack())),
            (lambda app: A(app, label="x"), use(plain)),
            (SimpleNamespace(cls=A, args=(), kwargs={"label": "x"}), C),
            (SimpleNamespace(cls=A, kwargs={}), C),
            (when("/", use(A)), when("/", C)),
        ],
        ids=["use, function", "classes", "stacks", "lambda", "spec", "spec without args", "when"],
    )
    def test_takes(self, layers):
        """It takes layers, classes, functions, stacks, and specs with `cls`, `args`, `kwargs`."""
        assert layers_of(Stack(*layers)(app)) == [b"a", b"c"]

    def test_starlette_spec(self):
        """Starlette's `Middleware(...)` is built with its arguments and keywords."""
        middleware = require("starlette.middleware").Middleware
        (layer,) = Stack(middleware(Secretive, "by position", more=1))
        assert (layer.cls, layer.args, dict(layer.kwargs)) == (Secretive, ("by position",), {"more": 1})

    def test_in_starlette(self):
        """A stack can be unpacked into Starlette's own list of middleware, `when` as well."""
        starlette = require("starlette.applications").Starlette
        stack = Stack(use(A), when("/app", use(B)), plain)
        application = starlette(middleware=[*stack])
        assert layers_of(application, http_scope(path="/app")) == [b"a", b"b", b"c"]
        assert layers_of(application, http_scope(path="/")) == [b"a", b"c"]

    def test_within_specs(self):
        """A stack within Starlette's spec, or within `use`, is its layers, strict as it is."""
        middleware = require("starlette.middleware").Middleware
        layers = [use(A), when("/", B)]
        for spec in (middleware(Stack(*layers)), use(Stack(*layers)), use(use(Stack(*layers)))):
            assert list(Stack(spec)) == layers
        assert Stack(use(Stack(A, strict=True))).strict
        with pytest.raises(TypeError, match=r"^Stack: .*unexpected keyword argument 'label'"):
            Stack(SimpleNamespace(cls=Stack(A), kwargs={"label": "x"}))

    def test_empty(self):
        """A stack without layers is the application, adapted to ASGI 3."""
        assert Stack()(app) is app
        assert layers_of(Stack()(HelloWorld)) == []

    def test_iterates(self):
        """It can be iterated, and built anew from its layers."""
        layers = [use(A), when("/", use(B))]
        assert list(Stack(*layers)) == layers
        assert list(Stack(*Stack(*layers))) == layers

    def test_joins(self):
        """`+` joins stacks and layers, on either side, into a new stack."""
        one, two, conditional = use(A), use(B), when("/", C)
        stack = Stack(one)
        assert list(stack + Stack(two)) == [one, two]
        assert list(stack + conditional) == [one, conditional]
        assert list(two + stack) == [two, one]
        assert layers_of((B + stack + plain)(app)) == [b"b", b"a", b"c"]
        assert list(stack) == [one]

    @pytest.mark.parametrize("other", [None, 1, "/", [use(A)]], ids=repr)
    def test_joins_layers_only(self, other):
        """`+` with anything else is a TypeError of the operator."""
        with pytest.raises(TypeError, match=r"unsupported operand|can only concatenate"):
            Stack() + other
        with pytest.raises(TypeError, match=r"unsupported operand|can only concatenate"):
            other + Stack()

    def test_immutable(self):
        """Nothing of it can be set."""
        stack = Stack(use(A))
        for name in ("strict", "layers", "more"):
            with pytest.raises(AttributeError):
                setattr(stack, name, ())

    @pytest.mark.parametrize("layer", [use(A, label=object()), when("/", A), Stack(A)], ids=["use", "when", "stack"])
    def test_copies(self, layer):
        """What cannot be changed is its own copy, shallow and deep (the rule of the module `copy` for tuples of atoms)."""
        assert copy.copy(layer) is layer
        assert copy.deepcopy([layer])[0] is layer

    @pytest.mark.parametrize("layer", [use(A), when("/", A), Stack(A)], ids=["use", "when", "stack"])
    def test_in_litestar(self, layer):
        """Litestar copies the middleware of a controller's handlers: `DefineMiddleware(stack)` stands in front of them."""
        litestar = require("litestar")
        define = require("litestar.middleware").DefineMiddleware

        class Controller(litestar.Controller):
            @litestar.get("/", middleware=[define(layer)], sync_to_thread=False)
            def show(self) -> str:
                return "x"

        assert layers_of(litestar.Litestar([Controller], openapi_config=None)) == [b"a"]

    @pytest.mark.parametrize("layer", [None, 3, "cors"], ids=repr)
    def test_no_layer(self, layer):
        """What is no layer fails at construction."""
        with pytest.raises(TypeError, match=r"^Stack: a layer must be a middleware class or a function"):
            Stack(use(A), layer)

    @pytest.mark.parametrize("layer", [app, A(app), HelloWorld], ids=["function", "built", "ASGI 2"])
    def test_application(self, layer):
        """An application among the layers is told apart, with what to do in its place."""
        with pytest.raises(TypeError, match=r"^Stack: an application is no layer: call the stack with it"):
            Stack(use(A), layer)

    def test_reused(self):
        """One stack wraps many applications."""
        stack = Stack(use(A))
        assert stack(app) is not stack(app)

    def test_asgi2(self):
        """The ASGI 2 class is answered through all layers."""
        assert layers_of(Stack(use(A), use(B))(HelloWorld)) == [b"a", b"b"]


class TestPrinting:
    def test_tree(self):
        """`str` is a tree of the layers, outermost first."""
        stack = Stack(
            use(A),
            when("/app", use(B, label=[1]), when(re.compile("x"), plain), use(C)),
            when(callable, use(C, label=None)),
        )
        assert str(stack).splitlines() == [
            "Stack",
            "├── A()",
            "├── when '/app'",
            "│   ├── B(label=[1])",
            "│   ├── when re.compile('x')",
            "│   │   └── plain()",
            "│   └── C()",
            "└── when callable",
            "    └── C(label=None)",
        ]

    def test_repr(self):
        """`repr` is what one would write."""
        stack = Stack(use(A, label="x"), when("/app", B), strict=True)
        assert repr(stack) == "Stack(use(A, label='x'), when('/app', use(B)), strict=True)"
        assert repr(Stack()) == "Stack()"

    @pytest.mark.parametrize(
        ("layer", "shown"),
        [
            (use(Secretive, secret_key="hunter2"), "secret_key='***'"),
            (use(Secretive, "hunter2"), "'***'"),
            (use(Secretive, db_password=b"hunter2"), "db_password='***'"),
            (use(Secretive, keys=["hunter2"]), "keys='***'"),
            (use(Secretive, options={"api_key": "hunter2", "size": 1}), "options={'api_key': '***', 'size': 1}"),
            (use(Secretive, url="redis://user:hunter2@host/0"), "url='redis://***@host/0'"),
            (use(Secretive, url="redis://u:p@hunter2@host/0?x=a@b"), "url='redis://***@host/0?x=a@b'"),
            (use(Secretive, url=["redis://u:p@a/0", "//u:p@b"]), "url=['redis://***@a/0', '//***@b']"),
            (use(Secretive, allow_credentials=True), "allow_credentials=True"),
            (use(Secretive, secret_key=None), "secret_key=None"),
            (use(Secretive, keyword="monkey"), "keyword='monkey'"),
            (use(Secretive, None, x=1), "None, x=1"),
        ],
        ids=[
            "keyword",
            "position",
            "bytes",
            "list",
            "mapping",
            "URL",
            "URL with @",
            "URLs",
            "flag",
            "None",
            "no secret",
            "mixed",
        ],
    )
    def test_secrets(self, layer, shown):
        """Values of keywords that are named like secrets are not printed, nor are passwords of URLs."""
        assert repr(layer) == f"use(Secretive, {shown})"
        assert shown in str(Stack(layer))
        assert "hunter2" not in repr(Stack(when("/", layer)))

    def test_secrets_of_one_parameter(self):
        """Every value of a parameter that takes many is hidden, none of what stands beside it."""

        class Keyed(Named):
            def __init__(self, app, size, *secrets, stores=()):
                self.app = app

        assert repr(use(Keyed, 5, "hunter1", "hunter2", stores=[1])).endswith("Keyed, 5, '***', '***', stores=[1])")
        assert repr(use(Keyed, 5)).endswith("Keyed, 5)")
        assert repr(use(lambda *secrets: A(secrets[0]), "hunter2")).endswith("<lambda>, '***')")


LAYERED = [b"a", b"b"]


class TestWhen:
    @pytest.mark.parametrize(
        ("condition", "path", "expected"),
        [
            ("/health", "/health", LAYERED),
            ("/health", "/health/live", LAYERED),
            ("/health", "/healthy", []),
            ("/health", "/health/../admin", []),
            ("/", "/anything", LAYERED),
            (re.compile(r"\.json$"), "/a.json", LAYERED),
            (re.compile(r"\.json$"), "/a.jsonp", []),
            (lambda scope: scope["method"] == "GET", "/", LAYERED),
            (lambda scope: scope["method"] == "PUT", "/", []),
        ],
    )
    def test_conditions(self, condition, path, expected):
        """A prefix on segment borders, a pattern that is searched, a callable of the scope."""
        assert layers_of(when(condition, use(A), use(B))(app), http_scope(path=path)) == expected

    def test_websocket(self):
        """The condition holds for WebSockets as well."""
        wrapped = when("/ws", use(A))(app)
        assert layers_of(wrapped, websocket_scope("/ws")) == [b"a"]
        assert layers_of(wrapped, websocket_scope("/other")) == []

    def test_below_root_path(self):
        """The path is the one that routes see: below `root_path`, be it the server's or that of Starlette's mount."""
        routing = require("starlette.routing")
        wrapped = when("/health", use(A))(when(re.compile("^/health$"), use(B))(app))
        assert layers_of(wrapped, http_scope(path="/api/health", root_path="/api")) == LAYERED
        assert layers_of(wrapped, http_scope(path="/health/x", root_path="/health")) == []
        mounted = routing.Router([routing.Mount("/api", app=wrapped)])
        assert layers_of(mounted, http_scope(path="/api/health")) == LAYERED

    def test_lifespan(self):
        """The lifespan goes through the layers, whatever the condition, and reaches the application once."""
        times = []

        async def counting(scope, receive, send):
            times.append(scope["type"])
            await app(scope, receive, send)

        def never(scope):
            raise AssertionError("asked without a path")

        wrapped = Stack(when("/x", use(A)), when(never, use(B)), C)(counting)
        assert run(wrapped, {"type": "lifespan"}) == [{"type": "lifespan.startup.complete", "by": [b"a", b"b", b"c"]}]
        assert times == ["lifespan"]

    def test_unknown_scope_type(self):
        """A scope of an unknown type goes through the layers with the same objects."""
        got = []

        async def keep(*arguments):
            got.extend(arguments)

        class Through:
            def __init__(self, app):
                self.app = app

            async def __call__(self, scope, receive, send):
                await self.app(scope, receive, send)

        scope = {"type": "custom"}
        run(when("/x", use(Through))(keep), scope)
        assert got[0] is scope

    def test_same_objects_elsewhere(self):
        """Where the condition does not hold, the application gets the same scope, receive and send."""
        got = []

        async def keep(*arguments):
            got.append(arguments)

        wrapped = when("/x", use(A))(keep)
        given = (http_scope(), object(), object())

        async def drive(scope, receive, send):
            await wrapped(*given)

        run(drive, {"type": "custom"})
        assert all(one is other for one, other in zip(got[0], given, strict=True))

    def test_walkable(self):
        """`.app` leads through the conditional layers to the application."""
        wrapped = when("/x", use(A), use(B))(app)
        assert isinstance(wrapped.app, A)
        assert isinstance(wrapped.app.app, B)
        assert wrapped.app.app.app is wrapped.inner is app

    def test_asgi2(self):
        """An ASGI 2 application is reached on both ways."""
        wrapped = when("/x", use(A))(HelloWorld)
        assert layers_of(wrapped, http_scope(path="/x")) == [b"a"]
        assert layers_of(wrapped, http_scope(path="/")) == []

    def test_nested(self):
        """Conditions can be nested: both have to hold."""
        wrapped = when("/x", A, when("/x/y", B))(app)
        assert layers_of(wrapped, http_scope(path="/x/y")) == [b"a", b"b"]
        assert layers_of(wrapped, http_scope(path="/x")) == [b"a"]
        assert layers_of(wrapped, http_scope(path="/")) == []

    def test_immutable(self):
        """Nothing of it can be set; the condition and the layers can be read."""
        layer = use(A)
        conditional = when("/x", layer)
        assert (conditional.condition, conditional.layers) == ("/x", (layer,))
        with pytest.raises(AttributeError):
            conditional.condition = "/y"

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            (("x", A), ValueError, "condition must be a path prefix"),
            (("/a/../b", A), ValueError, "condition must be a path prefix"),
            ((re.compile(b"x"), A), TypeError, "condition must hold patterns of str"),
            ((None, A), TypeError, "condition must be a path prefix, a compiled pattern or a plain callable"),
            (("/x",), TypeError, "at least one layer"),
            (("/x", "/y"), TypeError, "^when: a layer must be"),
        ],
        ids=["relative", "dots", "bytes", "None", "no layer", "two paths"],
    )
    def test_refused(self, arguments, error, message):
        """A condition or a layer that cannot be one fails at construction."""
        with pytest.raises(error, match=message):
            when(*arguments)


class TestWrap:
    def test_order(self):
        """Whatever the order of the keywords: request ids outside, then CORS, errors, the extra layers."""
        wrapped = wrap(app, extra=[use(A), B], server_errors=True, cors=True, request_id=True)
        chain = []
        while wrapped is not app:
            chain.append(type(wrapped).__name__)
            wrapped = wrapped.app
        assert chain == ["RequestIDMiddleware", "CORSMiddleware", "ServerErrorMiddleware", "A", "B"]

    @pytest.mark.parametrize("room", ORDER)
    def test_each_alone(self, room):
        """Each room can be taken alone, with True or a mapping; False leaves it out."""
        expected, needs = getattr(middlewares, ORDER[room]), NEEDS.get(ORDER[room], {})
        assert type(wrap(app, **{room: needs or True})) is expected
        assert type(wrap(app, **{room: needs})) is expected
        assert wrap(app, **{room: False}) is app

    def test_options(self):
        """The keywords of a mapping reach the constructor."""
        wrapped = wrap(app, cors={"allow_origins": ["https://app.example"]})
        sent = run(wrapped, http_scope(headers=[(b"origin", b"https://app.example")]))
        assert (b"access-control-allow-origin", b"https://app.example") in sent[0]["headers"]

    def test_nothing(self):
        """Without rooms it is the application, adapted to ASGI 3."""
        assert wrap(app) is app
        assert wrap(HelloWorld).app is HelloWorld

    @pytest.mark.parametrize("room", ["corse", "session"])
    def test_unknown_room(self, room):
        """A room that does not exist is refused, and the message names those that do."""
        expected = re.escape(f"wrap() has no room {room!r}; it takes {', '.join(ORDER)} and extra")
        with pytest.raises(TypeError, match=expected):
            wrap(app, cors=True, **{room: True})

    @pytest.mark.parametrize("options", [None, 1, "hunter2", ["allow_origins"]], ids=repr)
    def test_neither_flag_nor_mapping(self, options):
        """Anything else than True, False or a mapping is refused by name, and its value is not told."""
        with pytest.raises(TypeError, match=r"^cors must be True, False or a mapping of keywords") as caught:
            wrap(app, cors=options)
        assert "hunter2" not in str(caught.value)

    def test_unknown_keyword(self):
        """An unknown keyword in a mapping names the room, and the keywords that it has."""
        with pytest.raises(
            TypeError, match=r"^wrap\(cors=...\): .*'allow_origin'.* CORSMiddleware takes allow_origins"
        ):
            wrap(app, cors={"allow_origin": "*"})

    def test_missing_keyword(self, monkeypatch):
        """Where a room has to be told something, True is refused, and the message names room and keyword."""

        class Needy:
            def __init__(self, app, *, secret_key):
                pass

        monkeypatch.setitem(middlewares.__dict__, "CORSMiddleware", Needy)
        monkeypatch.setattr("middlewares.cors.CORSMiddleware", Needy)
        with pytest.raises(TypeError, match=r"^wrap\(cors=...\): missing a required .*'secret_key'"):
            wrap(app, cors=True)

    def test_error_of_the_constructor(self):
        """What a constructor raises passes as it is, with a note that names the room."""
        with pytest.raises(ValueError, match="max_age") as caught:
            wrap(app, request_id=False, cors={"max_age": -5})
        assert caught.value.__notes__ == ["raised for wrap(cors=...)"]

    @pytest.mark.parametrize("extra", [use(A), when("/", A), None, 5, A], ids=repr)
    def test_extra_is_no_list(self, extra):
        """A layer, or anything else, in place of a list of layers is refused by keyword and value, with the way out."""
        expected = re.escape(f"extra must be a list of layers, such as [use(...)] (got {extra!r})")
        with pytest.raises(TypeError, match=f"^{expected}$"):
            wrap(app, extra=extra)

    def test_extra_is_a_spec(self):
        """Of Starlette's spec in place of a list, no value is told: one may be a secret."""
        spec = require("starlette.middleware").Middleware(Secretive, secret_key="hunter2")
        with pytest.raises(TypeError, match=r"^extra must be a list of layers, .* \(got a Middleware\)$"):
            wrap(app, extra=spec)

    def test_extra_is_any_iterable(self):
        """A stack, or an iterator, serves for a list."""
        assert layers_of(wrap(app, extra=Stack(A, B))) == [b"a", b"b"]
        assert layers_of(wrap(app, extra=iter([A, use(B)]))) == [b"a", b"b"]

    def test_extra_is_checked(self):
        """`extra` is checked with the rest: a second CORS layer in it is told."""
        with pytest.warns(OrderWarning, match="CORSMiddleware stands inside of CORSMiddleware"):
            wrap(app, cors=True, extra=[use(middlewares.CORSMiddleware)])

    def test_asgi2(self):
        """An ASGI 2 application answers behind all rooms."""
        assert run(wrap(HelloWorld, cors=True, server_errors=True), http_scope())[0]["status"] == 200


class TestOptions:
    """The types of `wrap` are those of the constructors."""

    def test_rows(self):
        """The parameters of `wrap` are the rooms in their order, each of a class that the index knows."""
        assert list(signature(wrap).parameters) == ["app", *ORDER, "extra", "unknown"]
        assert set(ORDER.values()) <= set(ROOMS)

    @pytest.mark.parametrize("room", ORDER)
    def test_same_keywords(self, room):
        """The options of a room have the names and types of its constructor's keywords."""
        constructor = getattr(middlewares, ORDER[room]).__init__
        keywords = [p.name for p in signature(constructor).parameters.values() if p.kind is Parameter.KEYWORD_ONLY]
        types = typing.get_type_hints(constructor)
        flag, options = typing.get_args(typing.get_type_hints(wrap)[room])
        assert flag is bool
        # Composition names the types of a room without importing it.
        names = vars(sys.modules[constructor.__module__])
        assert typing.get_type_hints(options, localns=names) == {name: types[name] for name in keywords}
        assert list(options.__annotations__) == keywords
        assert options.__required_keys__ == {
            p.name
            for p in signature(constructor).parameters.values()
            if p.kind is Parameter.KEYWORD_ONLY and p.default is Parameter.empty
        }


def ruled(name, **rules):
    """A layer class with order rules of its own."""
    return type(name, (Named,), {"asgi_order": rules, "__module__": "elsewhere"})


Auth = ruled("Auth", kinds=("answers",))
Early = ruled("Early", kinds=("answers", "log"))
Outermost = ruled("Outermost", kinds=("cors",), outside={"answers": "no headers on it", "log": "no id in it"})
Innermost = ruled("Innermost", inside={"answers": "it would be answered first"})
Single = ruled("Single", kinds=("one",), once={"one": "they disagree"})
Other = ruled("Other", kinds=("one",))
Harmful = ruled("Harmful", avoid=("it breaks streams", "leave it out"))
Builtin = ruled("Builtin", kinds=("errors",), builtin=True)
Errors = ruled("Errors", kinds=("errors",))
NeedsErrors = ruled("NeedsErrors", kinds=("x",), outside={"errors": "its 500 lacks them"})


def found(*classes):
    """(outer, inner, why, fix) of each problem in a nesting of classes, outermost first."""
    wrapped = app
    for cls in reversed(classes):
        wrapped = cls(wrapped)
    problems = [(p.outer, p.inner, p.why, p.fix) for p in check(wrapped)]
    assert problems == [(p.outer, p.inner, p.why, p.fix) for p in check(Stack(*classes))]
    return [tuple(text.replace("elsewhere.", "") for text in problem) for problem in problems]


class TestCheck:
    @pytest.mark.parametrize(
        ("classes", "expected"),
        [
            ((), []),
            ((A, B), []),
            ((Outermost, Auth), []),
            ((Auth, Outermost), [("Auth", "Outermost", "no headers on it", "place Outermost outside of Auth")]),
            ((Auth, A, Outermost), [("Auth", "Outermost", "no headers on it", "place Outermost outside of Auth")]),
            ((Early, Outermost), [("Early", "Outermost", "no headers on it", "place Outermost outside of Early")]),
            (
                (Auth, Early, Outermost),
                [
                    ("Auth", "Outermost", "no headers on it", "place Outermost outside of Auth"),
                    ("Early", "Outermost", "no headers on it", "place Outermost outside of Early"),
                ],
            ),
            ((Auth, Innermost), []),
            (
                (Innermost, Auth),
                [("Innermost", "Auth", "it would be answered first", "place Innermost inside of Auth")],
            ),
            ((Single, Other), [("Single", "Other", "they disagree", "remove one of the two")]),
            ((Other, Single), [("Other", "Single", "they disagree", "remove one of the two")]),
            ((Single, Single), [("Single", "Single", "they disagree", "remove one of the two")]),
            ((Harmful, Auth), []),
            ((A, Harmful), []),
            ((Auth, A, Early, Harmful), [("Auth", "Harmful", "it breaks streams", "leave it out")]),
            (
                (Builtin, NeedsErrors),
                [
                    (
                        "Builtin",
                        "NeedsErrors",
                        "its 500 lacks them",
                        "the framework places Builtin, so wrap the whole application in NeedsErrors",
                    )
                ],
            ),
            ((Builtin, NeedsErrors, Errors), []),
            ((Builtin, NeedsErrors, Builtin), [("Builtin", "NeedsErrors", "its 500 lacks them", None)]),
            (
                (Builtin, Errors, NeedsErrors),
                [("Errors", "NeedsErrors", "its 500 lacks them", "place NeedsErrors outside of Errors")],
            ),
            ((Builtin, Harmful), []),
        ],
    )
    def test_rules(self, classes, expected):
        """Each kind of rule, at any distance; one problem for each pair."""
        problems = found(*classes)
        assert [p[:3] for p in problems] == [p[:3] for p in expected]
        assert all(want[3] in (None, got[3]) for got, want in zip(problems, expected, strict=True))

    def test_sentence(self):
        """`str` of a problem is one sentence; the parts can be had apart."""
        (problem,) = check(Auth(Outermost(app)))
        assert problem == OrderProblem(
            outer="elsewhere.Auth",
            inner="elsewhere.Outermost",
            why="no headers on it",
            fix="place elsewhere.Outermost outside of elsewhere.Auth",
        )
        assert str(problem) == (
            "elsewhere.Outermost stands inside of elsewhere.Auth: no headers on it; "
            "place elsewhere.Outermost outside of elsewhere.Auth."
        )

    def test_unknown_key(self):
        """A misspelt key of the rules is refused, by class and key."""
        with pytest.raises(
            TypeError, match=r"elsewhere\.Wrong\.asgi_order has the unknown key 'insde'; it takes .*inside"
        ):
            check(ruled("Wrong", insde={})(app))

    @pytest.mark.parametrize("kinds", ["answers", ""])
    def test_kinds_in_one_text(self, kinds):
        """A text in place of the tuple of kinds is refused, by class and value: `("answers")` is none."""
        with pytest.raises(TypeError, match=rf"elsewhere\.Wrong\.asgi_order must .* \(got {kinds!r}\)"):
            check(ruled("Wrong", kinds=kinds)(app))

    def test_subclass(self):
        """A subclass has the rules of its class."""
        assert found(Auth, type("Mine", (Outermost,), {"__module__": "elsewhere"}))[0][1] == "Mine"

    def test_subclass_with_rules(self):
        """Rules of a subclass are added to those of its bases: kinds add up, and its own reasons stand first."""
        own = {"kinds": ("log",), "outside": {"answers": "its own reason"}}
        mine = type("Mine", (Outermost,), {"asgi_order": own, "__module__": "elsewhere"})
        assert [problem[2] for problem in found(Auth, mine)] == ["its own reason"]
        assert [problem[2] for problem in found(Early, mine)] == ["its own reason"]
        logged = ruled("Logged", outside={"log": "no id"})
        assert [problem[2] for problem in found(mine, logged)] == ["no id"]
        assert len(found(ruled("Log", kinds=("log",)), mine)) == 1
        assert len(found(mine, ruled("Once", once={"cors": "two"}))) == 1

    def test_function_layer(self):
        """A function can carry rules, too; they are known while its `Stack` is checked."""

        def layer(app):
            return A(app)

        layer.asgi_order = {"kinds": ("answers",)}
        assert [p.inner for p in check(Stack(layer, Outermost))] == ["elsewhere.Outermost"]

    @pytest.mark.parametrize("name", ["app", "asgi_app", "asgi_handler", "inner"])
    def test_walks(self, name):
        """The walk follows the attributes that layers and frameworks use, also of layers without rules."""

        async def foreign(scope, receive, send):
            """A layer that keeps its application in an attribute."""

        setattr(foreign, name, Outermost(app))
        assert len(check(Auth(foreign))) == 1

    def test_ends(self):
        """A layer that hides its application ends the walk; an `app` that is no application is not followed."""
        assert check(Auth(lambda scope, receive, send: None)) == []
        assert check(Auth(SimpleNamespace(app="module:app"))) == []

    def test_cycle(self):
        """A cycle ends the walk, and so does a chain without end."""
        outer = Auth(None)
        outer.app = Outermost(outer)
        assert len(check(outer)) == 1
        assert check(Auth(MagicMock())) == []

    @pytest.mark.parametrize(
        ("layers", "problems"),
        [
            ((when("/a", Auth), when("/b", Outermost)), 0),
            ((when("/a", Auth), when("/a", Outermost)), 1),
            ((when("/a", Auth, Outermost),), 1),
            ((when("/a", Auth), Outermost), 1),
            ((Auth, when("/a", Outermost)), 1),
            ((when("/a", Auth, when("/a/b", Outermost)),), 1),
            ((when("/a", Auth, when("/a/b", B)), when("/a/b", Outermost)), 0),
            ((when("/a", A), when("/b", B), Auth, Outermost), 1),
            ((when("/a", when("/b", Outermost)), Auth), 0),
        ],
    )
    def test_conditions(self, layers, problems):
        """Layers are compared where it is certain that both see a request: `check` and `Stack` agree."""
        wrapped = app
        for layer in reversed(layers):
            wrapped = layer(wrapped)
        assert len(check(wrapped)) == len(check(Stack(*layers))) == problems

    def test_when_alone(self):
        """A `when` or a layer can be checked alone, too."""
        assert len(check(when("/a", Auth, Outermost))) == 1
        assert check(use(Auth)) == []


class TestReport:
    def test_warns(self):
        """A stack warns when it is called, once for each problem, at the line of the caller."""
        stack = Stack(use(Auth), use(Early), use(Outermost))
        with pytest.warns(OrderWarning) as caught:
            stack(app)
        assert [str(w.message) for w in caught] == [str(problem) for problem in check(stack)]
        assert {w.filename for w in caught} == {__file__}

    def test_wrap_warns(self):
        """`wrap` warns at the line of its caller."""
        with pytest.warns(OrderWarning, match="stands inside of") as caught:
            wrap(app, extra=[use(Auth), use(Outermost)])
        assert [w.filename for w in caught] == [__file__]

    def test_strict(self):
        """A strict stack raises, with every problem."""
        stack = Stack(Auth, Early, Outermost, strict=True)
        with pytest.raises(OrderError, match="stands inside of") as caught:
            stack(app)
        assert caught.value.problems == check(stack)
        assert str(caught.value).splitlines() == [str(problem) for problem in check(stack)]
        assert isinstance(caught.value, ValueError)

    @pytest.mark.parametrize(
        "stack", [Stack(Auth, strict=True) + Outermost, Stack(Auth) + Stack(Outermost, strict=True)]
    )
    def test_joined_strict(self, stack):
        """A joined stack is strict if one part is."""
        assert stack.strict
        with pytest.raises(OrderError):
            stack(app)

    def test_strict_within(self):
        """A strict stack makes strict what it stands in: `when`, at any depth, and `wrap`."""
        strict = Stack(Auth, Outermost, strict=True)
        for stack in (Stack(when("/x", strict)), Stack(A, when("/x", when("/x/y", A, strict)))):
            assert stack.strict
            with pytest.raises(OrderError):
                stack(app)
        for extra in ([strict], strict, [A, when("/x", strict)], iter([strict])):
            with pytest.raises(OrderError):
                wrap(app, extra=extra)
        assert not Stack(when("/x", Stack(A))).strict

    def test_error_can_be_pickled(self):
        """Processes hand errors on by pickle: `OrderError` comes back with its problems and its text."""
        with pytest.raises(OrderError) as caught:
            Stack(Auth, Early, Outermost, strict=True)(app)
        again = pickle.loads(pickle.dumps(caught.value))
        assert type(again) is OrderError
        assert (again.problems, str(again)) == (caught.value.problems, str(caught.value))

    def test_with_the_layers_of_the_application(self):
        """The layers that the application has already are checked against those of the stack."""
        with pytest.warns(OrderWarning, match=r"Outermost stands inside of elsewhere\.Auth"):
            Stack(Auth)(Outermost(app))

    def test_not_twice(self):
        """What is wrong within the application alone was told when that was built."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            inner = Stack(Auth, Outermost)(app)
        assert len(check(Stack(A)(inner))) == 1

    def test_right_order(self):
        """The right order is silent (warnings are errors here)."""
        assert check(Stack(Outermost, Auth, Innermost)(app)) == []


INSTALLED = {
    name: module
    for module, names in {
        "asgi_correlation_id": ["CorrelationIdMiddleware"],
        "asgi_request_id": ["RequestIdMiddleware"],
        "hypercorn.middleware": ["HTTPToHTTPSRedirectMiddleware", "ProxyFixMiddleware"],
        "litestar.middleware._internal.cors": ["CORSMiddleware"],
        "litestar.middleware.compression": ["CompressionMiddleware"],
        "starlette.middleware.authentication": ["AuthenticationMiddleware"],
        "starlette.middleware.base": ["BaseHTTPMiddleware"],
        "starlette.middleware.errors": ["ServerErrorMiddleware"],
        "starlette.middleware.gzip": ["GZipMiddleware"],
        "starlette.middleware.httpsredirect": ["HTTPSRedirectMiddleware"],
        "starlette.middleware.sessions": ["SessionMiddleware"],
        "starlette.middleware.trustedhost": ["TrustedHostMiddleware"],
        "uvicorn.middleware.proxy_headers": ["ProxyHeadersMiddleware"],
    }.items()
    for name in names
}


class TestKnown:
    """Third-party classes, by name; and ours."""

    @pytest.mark.parametrize(("name", "module"), INSTALLED.items(), ids=INSTALLED)
    def test_names(self, name, module):
        """The table names classes as they are in the projects that are installed here."""
        cls = getattr(require(module), name)
        assert f"{cls.__module__.partition('.')[0]}.{cls.__qualname__}" in KNOWN

    def starlette(self, name):
        module = {"GZip": "gzip", "TrustedHost": "trustedhost", "HTTPSRedirect": "httpsredirect", "CORS": "cors"}
        cls = f"{name}Middleware"
        return getattr(require(f"starlette.middleware.{module.get(name, name.lower())}"), cls)

    def test_ours_inside_starlettes(self):
        """Our CORS inside of Starlette's TrustedHost and HTTPS redirect is told, in that order."""
        stack = Stack(use(self.starlette("TrustedHost")), self.starlette("HTTPSRedirect"), middlewares.CORSMiddleware)
        assert [(p.outer, p.inner) for p in check(stack)] == [
            ("starlette.middleware.trustedhost.TrustedHostMiddleware", "CORSMiddleware"),
            ("starlette.middleware.httpsredirect.HTTPSRedirectMiddleware", "CORSMiddleware"),
        ]

    def test_two_of_a_kind(self):
        """Two compressors, and two CORS layers of different projects, are told."""
        gzip = self.starlette("GZip")
        assert [p.fix for p in check(gzip(gzip(app)))] == ["remove one of the two"]
        assert [p.fix for p in check(Stack(self.starlette("CORS"), middlewares.CORSMiddleware))] == [
            "remove one of the two"
        ]

    def test_errors_outside_cors(self):
        """Server errors outside of CORS is the mistake that hides 500s from pages (starlette #1116)."""
        wrong = Stack(middlewares.ServerErrorMiddleware, middlewares.CORSMiddleware)
        assert [(p.outer, p.inner) for p in check(wrong)] == [("ServerErrorMiddleware", "CORSMiddleware")]
        assert check(Stack(*reversed(list(wrong)))) == []

    def test_request_id_inside_the_log(self):
        """Request ids inside of what logs, or of what answers errors, are told."""
        log = ruled("Log", kinds=("log",))
        wrong = Stack(log, middlewares.ServerErrorMiddleware, middlewares.RequestIDMiddleware)
        assert [p.outer for p in check(wrong)] == ["elsewhere.Log", "ServerErrorMiddleware"]

    def test_second_of_a_kind(self):
        """A second request id, which agrees with the first (docs/faq.md), is told only of what has no first outside of it."""
        log = ruled("Log", kinds=("log",))
        ids, errors = middlewares.RequestIDMiddleware, middlewares.ServerErrorMiddleware
        assert check(Stack(ids, log, errors, ids)) == []
        assert [p.outer for p in check(Stack(log, ids, errors, ids))] == ["elsewhere.Log", "elsewhere.Log"]
        assert check(Stack(when("/a", ids, errors), when("/a", ids))) == []
        assert [p.outer for p in check(Stack(when("/a", ids), errors, ids))] == ["ServerErrorMiddleware"]

    def test_two_timings(self):
        """Two of ours are told, as spans reach the inner one alone; one beside another kind of log is right."""
        (problem,) = check(Stack(middlewares.TimingMiddleware, middlewares.TimingMiddleware))
        assert problem.why == "spans are known to the inner one alone, and a response has an entry of each"
        assert check(Stack(ruled("Log", kinds=("log",)), middlewares.TimingMiddleware)) == []

    def test_compressor_inside_cache(self):
        """A compressor inside of a cache is told."""
        cache = ruled("Cache", kinds=("answers", "cache"))
        assert [p.outer for p in check(Stack(cache, self.starlette("GZip")))] == ["elsewhere.Cache"]

    def test_proxy_headers(self):
        """Proxy headers inside of the redirect to HTTPS redirect for ever."""
        headers = require("uvicorn.middleware.proxy_headers").ProxyHeadersMiddleware
        assert len(check(self.starlette("HTTPSRedirect")(headers(app)))) == 1

    def test_base_http_middleware(self):
        """A subclass of BaseHTTPMiddleware below one of our layers is told, and one below nothing is not."""
        base = require("starlette.middleware.base").BaseHTTPMiddleware
        mine = type("Mine", (base,), {"__module__": "elsewhere"})
        (problem,) = check(middlewares.CORSMiddleware(mine(app)))
        assert (problem.outer, problem.inner) == ("CORSMiddleware", "elsewhere.Mine")
        assert problem.fix == "write it as a pure ASGI middleware"
        assert check(mine(app)) == []

    @pytest.mark.parametrize("framework", ["starlette.applications.Starlette", "fastapi.FastAPI"])
    def test_user_middleware(self, framework):
        """The middleware of a Starlette or FastAPI application is checked, outermost first, before and after its start."""
        module, _, name = framework.rpartition(".")
        application = getattr(require(module), name)()
        application.add_middleware(middlewares.CORSMiddleware)
        application.add_middleware(self.starlette("TrustedHost"))  # the last one added is the outermost
        before = check(application)
        assert [(p.outer.rpartition(".")[2], p.inner) for p in before] == [
            ("ServerErrorMiddleware", "CORSMiddleware"),
            ("TrustedHostMiddleware", "CORSMiddleware"),
        ]
        assert before[0].fix.startswith("the framework places")
        application.middleware_stack = application.build_middleware_stack()
        assert check(application) == before

    def test_user_middleware_of_ours(self):
        """A stack or a layer that was given to `add_middleware` is looked into, under its conditions."""
        starlette = require("starlette.applications").Starlette
        for outer in (Stack(Auth), use(Auth), when("/", Auth), Stack(when("/", Auth))):
            application = starlette()
            application.add_middleware(Stack(middlewares.ServerErrorMiddleware, Outermost))
            application.add_middleware(outer)
            assert [(p.outer, p.inner) for p in check(application)] == [("elsewhere.Auth", "elsewhere.Outermost")]
            assert "Outermost()" in outline(application)[-1]

    def test_user_middleware_with_errors(self):
        """With server errors inside of CORS, the framework's own 500 is never sent; under a condition, it is elsewhere."""
        starlette = require("starlette.applications").Starlette
        stack = Stack(middlewares.CORSMiddleware, middlewares.ServerErrorMiddleware)
        assert check(starlette(middleware=[*stack])) == []
        stack = Stack(middlewares.CORSMiddleware, when("/app", middlewares.ServerErrorMiddleware))
        assert len(check(starlette(middleware=[*stack]))) == 1

    def test_stack_around_user_middleware(self):
        """A second CORS layer in the application is told by the stack around it; and by `check` in a nested place."""
        starlette = require("starlette.applications").Starlette
        application = starlette(middleware=[*Stack(middlewares.CORSMiddleware, middlewares.ServerErrorMiddleware)])
        with pytest.warns(OrderWarning, match="two policies"):
            wrapped = Stack(A, middlewares.CORSMiddleware)(application)
        assert [p.fix for p in check(wrapped)] == ["remove one of the two"]

    def test_quart(self):
        """The walk goes through Quart's `asgi_app`."""
        application = require("quart").Quart(__name__)
        application.asgi_app = Outermost(application.asgi_app)
        assert len(check(Auth(application))) == 1

    def test_litestar(self):
        """The walk goes through Litestar's `asgi_handler`: its `cors_config` is a second CORS layer."""
        litestar = require("litestar")
        config = require("litestar.config.cors").CORSConfig()
        application = litestar.Litestar(cors_config=config, openapi_config=None)
        assert [p.fix for p in check(middlewares.CORSMiddleware(application))] == ["remove one of the two"]

    def test_middleware_of_litestar(self):
        """What stands in Litestar's own place is checked, outermost first, inside of its `cors_config`."""
        litestar = require("litestar")
        define = require("litestar.middleware").DefineMiddleware

        def of(*specs, **options):
            return litestar.Litestar([], middleware=[*specs], openapi_config=None, **options)

        own = Stack(when("/", Auth), B)
        for outer, inner in [
            (define(Auth), define(Outermost)),
            (Auth, Outermost),
            (define(own), define(use(Outermost))),
        ]:
            assert [(p.outer, p.inner) for p in check(A(of(outer, inner)))] == [
                ("elsewhere.Auth", "elsewhere.Outermost")
            ]
            assert check(of(inner, outer)) == []
        config = require("litestar.config.cors").CORSConfig()
        [problem] = check(of(define(middlewares.CORSMiddleware), cors_config=config))
        assert problem.outer.startswith("litestar.")
        with pytest.warns(OrderWarning, match="two policies"):
            wrap(of(define(middlewares.CORSMiddleware)), cors=True)

    def test_order_of_litestar(self):
        """Litestar runs the first of its `middleware` outermost, as the check takes it."""
        litestar = require("litestar")
        define = require("litestar.middleware").DefineMiddleware

        @litestar.get("/", sync_to_thread=False)
        def view() -> str:
            return ""

        application = litestar.Litestar([view], middleware=[define(A), B], openapi_config=None)
        assert layers_of(application) == [b"a", b"b"]


class TestOutline:
    def test_layers_of_use_show_their_keywords(self):
        """What `use` and `when` have built shows its keywords, what was built by hand its class, secrets never."""
        within = wrap(app, sessions={"secret_key": "hunter2"})
        built = A(Stack(use(B, label="b"), when("/a", use(A, label="a"), B), use(B))(within))
        assert outline(built) == [
            "├── A",
            "├── B(label='b')",
            "├── when '/a'",
            "│   ├── A(label='a')",
            "│   └── B()",
            "├── B()",
            "├── SessionMiddleware(secret_key='***')",
            "└── app",
        ]

    def test_objects(self):
        """Objects are shown without their addresses, so that a tree is the same each time."""
        store = object()
        assert outline(use(A, label=store)(app)) == ["├── A(label=<object>)", "└── app"]

    def test_frameworks(self):
        """The middlewares of a Starlette application stand below it."""
        starlette = require("starlette.applications").Starlette()
        starlette.add_middleware(A, label="a")
        starlette.add_middleware(B)
        assert outline(B(starlette)) == ["├── B", "└── Starlette", "    ├── B()", "    └── A(label='a')"]

    def test_litestar(self):
        """Those of a Litestar application stand below its router; arguments by position are known by their names."""
        define = require("litestar.middleware").DefineMiddleware

        def keyed(secret_key, *parts, app):
            return A(app)

        specs = [define(Stack(use(A, label="a"), when("/b", B))), define(keyed, "hunter2", 1), C]
        application = require("litestar").Litestar([], middleware=specs, openapi_config=None)
        assert outline(B(application))[-6:] == [
            "└── ASGIRouter",
            "    ├── A(label='a')",
            "    ├── when '/b'",
            "    │   └── B()",
            "    ├── TestOutline.test_litestar.<locals>.keyed(secret_key='***', parts=(1,))",
            "    └── C()",
        ]

    def test_asgi_2(self):
        """The adapter of an ASGI 2 application is not shown."""

        class Old:
            def __init__(self, scope): ...

        assert outline(use(A)(Old)) == ["├── A()", f"└── {Old.__qualname__}"]

    def test_ends(self):
        """What cannot be hashed or hides its application is shown by its class; a circle, and a tower, come to an end."""

        class Endless(A):
            app = property(lambda self: Endless(None), lambda self, app: None)

        class Unhashable(A):
            __hash__ = None

        assert outline(use(Unhashable)(app)) == [f"├── {Unhashable.__qualname__}", "└── app"]
        assert outline(use(lambda app: lambda scope, receive, send: None)(app)) == [
            "└── TestOutline.test_ends.<locals>.<lambda>()"
        ]
        circle = A(app)
        circle.app = circle
        assert outline(circle) == ["└── A"]
        assert len(outline(Endless(app))) == 1000
