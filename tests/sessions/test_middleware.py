"""Sessions in the cookie: when it is set, what else the response gets, and which cookies are read."""

from __future__ import annotations

import json
import logging
from collections import ChainMap, UserDict
from types import MappingProxyType
from typing import Any

import anyio
import pytest
from starlette.datastructures import Secret
from starlette.middleware.sessions import SessionMiddleware as StarletteSessions

from middlewares.sessions import MemoryStore, Session, SessionMiddleware
from middlewares.testing import Recorder, http_scope, lifespan_scope, record
from tests.conftest import require
from tests.sessions.visitor import Answer, Store, Visitor

pytestmark = pytest.mark.anyio

ATTRIBUTES = b"; Path=/; Max-Age=1209600; HttpOnly; SameSite=Lax"
REMOVAL = b"session=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax"
START = {"type": "http.response.start", "status": 200, "headers": []}
BODY = {"type": "http.response.body", "body": b""}


def visitor(**keywords: Any) -> Visitor:
    return Visitor(SessionMiddleware, **{"secret_key": "key", **keywords})


def sets(**values: Any) -> Any:
    return lambda session: session.update(values)


async def app(scope, receive, send): ...


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({}, ValueError, "secret_key must be given: a cookie session needs one .*; or give a store"),
        ({"secret_key": None}, ValueError, "secret_key must be given"),
        ({"secret_key": ""}, ValueError, "secret_key must not be empty"),
        ({"secret_key": []}, ValueError, "secret_key must hold a key"),
        ({"secret_key": ["a", ""]}, ValueError, "secret_key must not be empty"),
        ({"secret_key": 5}, TypeError, "secret_key must be str"),
        ({"store": MemoryStore(), "secret_key": ""}, ValueError, "secret_key must not be empty"),
        ({"store": MemoryStore(), "encrypted": True}, ValueError, "secret_key must be given: encrypted=True needs one"),
        ({"store": MemoryStore(), "starlette_cookies": True}, ValueError, "given: starlette_cookies=True needs one"),
        ({"secret_key": "k", "scope_key": ""}, ValueError, "scope_key must be a key of the scope"),
        ({"secret_key": "k", "scope_key": None}, TypeError, "scope_key must be a key of the scope"),
        ({"secret_key": "k", "encrypted": "no"}, TypeError, "encrypted must be True or False"),
        ({"secret_key": "k", "starlette_cookies": 1}, TypeError, "starlette_cookies must be True or False"),
        ({"secret_key": "k", "on_store_error": "log"}, ValueError, "on_store_error must be 'raise' or 'ignore'"),
        ({"secret_key": "k", "serializer": 5}, TypeError, "serializer must be an object with dumps and loads"),
        ({"store": MemoryStore}, TypeError, "store must be a session store.*got a class"),
        ({"store": {}}, TypeError, "store must be a session store.*got dict without create"),
        ({"secret_key": "k", "same_site": "none"}, ValueError, "needs https_only=True"),
    ],
)
async def test_refused(keywords, error, message) -> None:
    """Bad configuration fails when built, with an error that names the keyword (contract, constructor)."""
    with pytest.raises(error, match=message):
        SessionMiddleware(app, **keywords)


async def test_untouched() -> None:
    """A session that nobody touches leaves the messages as the same objects: no cookie, no Vary (contract; #828)."""
    answer = await visitor().ask(lambda _: None, START)
    assert answer.sent[0] is START


@pytest.mark.parametrize("read", [dict, len, json.dumps, lambda s: s.get("a"), lambda s: s.mark_accessed()])
async def test_read_only(read) -> None:
    """Reading gives Vary alone, whether there is a session or not, and no cookie, nor for an empty one (#2019)."""
    client = visitor()
    assert [(b"vary", b"Cookie")] == (await client.ask(read)).headers
    await client.ask(sets(a=1))
    assert [(b"vary", b"Cookie")] == (await client.ask(read)).headers


async def test_written() -> None:
    """The first write sets the cookie, with Vary and Cache-Control; the next request has the data (contract)."""
    client = visitor()
    answer = await client.ask(sets(a="ä", b=[1, None]))
    assert client.cookie is not None
    line = b"session=" + client.cookie + ATTRIBUTES
    expected = {
        **START,
        "headers": [(b"vary", b"Cookie"), (b"set-cookie", line), (b"cache-control", b"private")],
    }
    assert [expected, BODY] == answer.sent
    assert {"a": "ä", "b": [1, None]} == (await client.ask()).result


@pytest.mark.parametrize("key", [b"key", Secret("key"), ["new", "key"]], ids=repr)
async def test_keys(key) -> None:
    """Any form of the key, and any in the list, reads the cookie; the first one signs the next (contract)."""
    client = visitor()
    await client.ask(sets(a=1))
    client.keywords["secret_key"] = key
    assert {"a": 1} == (await client.ask()).result
    await client.ask(sets(b=1))
    client.keywords["secret_key"] = key[0] if isinstance(key, list) else key
    assert {"a": 1, "b": 1} == (await client.ask()).result


@pytest.mark.parametrize(
    ("do", "changed"),
    [
        (lambda s: s["n"]["x"].append(1), True),
        (lambda s: s.update(a=True), True),
        (lambda s: s.pop("a"), True),
        (lambda s: s.__setitem__("a", 1), False),
        (lambda s: (s.update(c=1), s.pop("c")), False),
        (lambda s: s.update(dict(s)), False),
        (lambda s: s.update(n={"x": []}), False),
        (lambda s: (s.pop("a"), s.update(a=1)), False),
        (lambda s: (s.clear(), s.update(n={"x": []}, a=1)), False),
        (lambda s: s.update(n={"x": ()}), False),
        (lambda s: s.regenerate(), True),
        (lambda s: setattr(s, "max_age", 60), True),
        (lambda s: setattr(s, "max_age", None), True),
        (lambda s: (s.invalidate(), s.update(a=1, n={"x": []})), True),
        (lambda s: s.setdefault("a", 2), False),
        (lambda s: s.mark_accessed(), False),
    ],
)
async def test_only_changes(do, changed) -> None:
    """The cookie is set for a change, also inside of values, and not for a write that changes nothing (#3166)."""
    client = visitor()
    await client.ask(sets(a=1, n={"x": []}))
    told = []
    answer = await client.ask(lambda s: (do(s), told.append(s.modified))[0])
    assert changed is (answer[b"set-cookie"] != [])
    assert [changed] == told


async def test_another_serializer() -> None:
    """Data that another serializer writes in another form is no change (contract: only if data changed)."""
    client = visitor()
    await client.ask(sets(a=[1], b=2))
    client.keywords["serializer"] = json
    assert [] == (await client.ask(lambda s: s.update(a=s.pop("a"))))[b"set-cookie"]
    assert (await client.ask(lambda s: s.update(b=1)))[b"set-cookie"]
    assert {"a": [1], "b": 1} == (await client.ask()).result


@pytest.mark.parametrize(
    "do",
    [lambda s: s.clear(), lambda s: s.invalidate(), lambda s: s.pop("a"), lambda s: (s.invalidate(), s.get("b"))],
)
async def test_ended(do) -> None:
    """A session that is left empty removes its cookie, once, with the attributes that it was set with (#1207)."""
    client = visitor()
    await client.ask(sets(a=1))
    told = []
    answer = await client.ask(lambda s: (do(s), told.append(s.modified))[0])
    assert [REMOVAL] == answer[b"set-cookie"]
    assert [True] == told
    assert [(b"vary", b"Cookie")] == (await client.ask()).headers


@pytest.mark.parametrize("do", [lambda s: s.clear(), lambda s: s.invalidate(), lambda s: (s.update(a=1), s.pop("a"))])
async def test_nothing_to_end(do) -> None:
    """Who brings no session is not told to remove one (contract)."""
    answer = await visitor().ask(lambda s: (do(s), s.modified)[1])
    assert answer.result is False
    assert [(b"vary", b"Cookie")] == answer.headers


@pytest.mark.parametrize("cookie", [b"", b"garbage", b"a.b", b"\xff\x00", b"x" * 9000, b'"', b"." * 40])
async def test_garbage(cookie) -> None:
    """A cookie that is none of ours is an empty session, and is not removed (contract)."""
    client = visitor()
    client.cookie = cookie
    answer = await client.ask()
    assert {} == answer.result
    assert [(b"vary", b"Cookie")] == answer.headers


async def test_foreign_payloads() -> None:
    """What was signed with the key and is no session of ours is an empty session (Starlette crashes: contract)."""
    client = visitor()
    layer = SessionMiddleware(app, secret_key="key")
    tokens = layer._cookie_keeper._tokens  # type: ignore[union-attr]
    head = b"\x01" + b"\xff" * 4 + b"\xff" * 4 + b"\xff" * 4
    for payload in (
        b"",
        b"{}",
        b'{"a":1}',
        head,
        head + b"[1]",
        head + b"{}",
        head + b"{",
        b"\x02" + head[1:] + b'{"a":1}',
    ):
        client.cookie = tokens.dumps(payload)
        assert {} == (await client.ask()).result


async def test_every_cookie_of_the_name() -> None:
    """All cookies of the name are tried, over all lines: a planted one shadows nothing (RFC 9113 8.2.3, 6265bis 5.8.3)."""
    client = visitor()
    await client.ask(sets(a=1))
    good = b"session=" + (client.cookie or b"")

    async def read(*lines: bytes) -> Any:
        seen: list[Any] = []

        async def inner(scope, receive, send):
            seen.append(dict(scope["session"]))

        scope = http_scope(headers=[(b"cookie", line) for line in lines])
        recorder = Recorder(scope)
        await SessionMiddleware(inner, secret_key="key")(scope, recorder.receive, recorder.send)
        return seen[0]

    assert {"a": 1} == await read(b"session=planted; " + good)
    assert {"a": 1} == await read(b"session=planted", b"other=1; " + good)
    assert {"a": 1} == await read(good, b"session=planted")
    assert {} == await read(b"Session=x; x" + good)


async def test_bound_to_the_name() -> None:
    """The token of one cookie is worth nothing as another one (contract: salt)."""
    client = visitor()
    await client.ask(sets(a=1))
    other = visitor(session_cookie="other")
    other.cookie = client.cookie
    assert {} == (await other.ask()).result


async def test_encrypted() -> None:
    """With `encrypted` the cookie holds the data unreadable, and a signed cookie does not pass."""
    client = visitor()
    await client.ask(sets(a=1))
    client.keywords["encrypted"] = True
    assert {} == (await client.ask()).result
    await client.ask(sets(a=2))
    assert {"a": 2} == (await client.ask()).result


async def test_age(clock) -> None:
    """A session ends `max_age` after it was last written, for us as for the browser (#178)."""
    client = visitor(max_age=100)
    await client.ask(sets(a=1))
    clock.now += 60
    answer = await client.ask(sets(b=1))
    assert b"Max-Age=100;" in answer[b"set-cookie"][0]
    clock.now += 99
    assert {"a": 1, "b": 1} == (await client.ask()).result
    clock.now += 1
    assert {} == (await client.ask()).result


@pytest.mark.parametrize("keywords", [{"rolling": True, "max_age": 100}, {"idle_timeout": 100}])
async def test_renewed(clock, keywords) -> None:
    """With rolling or an idle timeout each read renews at once, an untouched request does not (#3069, #25)."""
    client = visitor(**keywords)
    assert [] == (await client.ask())[b"set-cookie"]
    await client.ask(sets(a=1))
    for _ in range(3):
        clock.now += 99
        answer = await client.ask()
        assert {"a": 1} == answer.result
        assert len(answer[b"set-cookie"]) == 1
    assert [] == (await client.ask(lambda _: None))[b"set-cookie"]
    assert (await client.ask(lambda s: s.mark_accessed()))[b"set-cookie"]
    clock.now += 101
    assert {} == (await client.ask()).result


async def test_absolute(clock) -> None:
    """No renewal passes the absolute timeout, nor does Max-Age, nor a new id (OWASP; contract)."""
    client = visitor(rolling=True, max_age=100, absolute_timeout=150)
    await client.ask(sets(a=1))
    clock.now += 90
    answer = await client.ask(lambda s: s.regenerate())
    assert b"Max-Age=60;" in answer[b"set-cookie"][0]
    clock.now += 60
    assert {} == (await client.ask()).result


async def test_own_age(clock) -> None:
    """`session.max_age` holds for this session, is kept by later writes, and is enforced (#73, #3758)."""
    client = visitor(max_age=100)
    await client.ask(lambda s: (s.update(a=1), setattr(s, "max_age", 1000))[0])
    clock.now += 900
    answer = await client.ask(lambda s: (s.update(b=1), s.max_age)[1])
    assert answer.result == 1000
    assert b"Max-Age=1000;" in answer[b"set-cookie"][0]
    answer = await client.ask(lambda s: setattr(s, "max_age", None))
    assert b"Max-Age" not in answer[b"set-cookie"][0]
    clock.now += 10**6
    assert (None, {"a": 1, "b": 1}) == (await client.ask(lambda s: (s.max_age, dict(s)))).result


async def test_until_closed() -> None:
    """`max_age=None` makes a cookie that ends with the session of the browser (contract)."""
    client = visitor(max_age=None)
    assert b"Max-Age" not in (await client.ask(sets(a=1)))[b"set-cookie"][0]
    assert {"a": 1} == (await client.ask()).result


async def test_headers_of_the_application() -> None:
    """Its Vary and Cache-Control are merged; a safe value of its own stays (contract, responses)."""
    headers = [(b"X-A", b"1"), (b"Vary", b"Accept"), (b"Cache-Control", b"public, max-age=9")]
    answer = await visitor().ask(sets(a=1), {**START, "headers": headers})
    made = [(b"X-A", b"1"), (b"Vary", b"Accept, Cookie"), (b"Cache-Control", b"max-age=9, private")]
    assert made == [pair for pair in answer.headers if pair[0] != b"set-cookie"]
    answer = await visitor().ask(sets(a=1), {**START, "headers": [(b"vary", b"*"), (b"cache-control", b"no-store")]})
    assert ([b"*"], [b"no-store"]) == (answer[b"vary"], answer[b"cache-control"])


@pytest.mark.parametrize("headers", [None, (), [[b"a", b"b"]], ((b"a", b"b"),)], ids=repr)
async def test_constant_starts(headers) -> None:
    """An application that sends one constant start message to all gives no visitor another one's cookie (contract)."""
    start: dict[str, Any] = {"type": "http.response.start", "status": 200}
    if headers is not None:
        start["headers"] = headers
    before = repr(start)
    one, other = visitor(), visitor()
    await one.ask(sets(a=1), start)
    answer = await other.ask(dict, start)
    assert repr(start) == before
    assert [] == answer[b"set-cookie"]
    assert all(type(pair) is tuple for pair in answer.headers)


async def test_headers_from_an_iterator() -> None:
    """Headers may come from an iterator, which can be read once (contract)."""
    answer = await visitor().ask(sets(a=1), {**START, "headers": iter([(b"a", b"b")])})
    assert answer.headers[:2] == [(b"a", b"b"), (b"vary", b"Cookie")]


class RaisedError(Exception): ...


async def drive(do: Any, **keywords: Any) -> Recorder:
    """Run `do(scope, receive, send)` as the application; what was sent stays, also when it raises."""
    scope = http_scope(headers=keywords.pop("headers", ()))
    recorder = Recorder(scope)
    try:
        await SessionMiddleware(do, **{"secret_key": "key", **keywords})(scope, recorder.receive, recorder.send)
    except Exception as error:
        recorder.error = error  # type: ignore[attr-defined]
    return recorder


@pytest.mark.parametrize(
    ("value", "error", "match"),
    [("x" * 4096, ValueError, "as a cookie"), (object(), TypeError, "serializable"), ({1}, TypeError, "serializable")],
    ids=["oversize", "object", "set"],
)
async def test_what_cannot_be_stored(value, error, match) -> None:
    """What does not fit or cannot be stored raises before the response starts (#2412, contract)."""

    async def do(scope, receive, send):
        scope["session"]["a"] = value
        assert scope["session"].modified
        await send(START)

    recorder = await drive(do)
    assert [] == recorder.sent
    with pytest.raises(error, match=match):
        raise recorder.error  # type: ignore[attr-defined]


@pytest.mark.parametrize("keywords", [{}, {"store": MemoryStore()}], ids=["cookie", "store"])
async def test_another_answer_after_the_error(keywords, caplog) -> None:
    """After such an error an error page can still be sent, without a cookie; that it tells nothing is logged."""

    async def do(scope, receive, send):
        scope["session"]["a"] = object()
        try:
            await send(START)
        except TypeError:
            await send({**START, "status": 500})

    assert [{**START, "status": 500, "headers": [(b"vary", b"Cookie")]}] == (await drive(do, **keywords)).sent
    assert ["the session could not be stored, and the response goes out without it"] == caplog.messages


@pytest.mark.parametrize(
    ("mend", "expected"),
    [
        (lambda s: (s.pop("big"), s.update(flash="too big")), {"a": 1, "cart": {}, "flash": "too big"}),
        (lambda s: (s.pop("big"), s.regenerate()), {"a": 1, "cart": {}}),
        (lambda s: s.invalidate(), {}),
        (lambda s: s["cart"].clear(), {"a": 1, "big": "", "cart": {}}),
    ],
    ids=["write", "regenerate", "invalidate", "inside"],
)
@pytest.mark.parametrize("keywords", [{}, {"store": MemoryStore()}], ids=["cookie", "store"])
async def test_mended_after_the_error(keywords, mend, expected, caplog) -> None:
    """Such an error comes before the response begins: what mends the session is no late write, and is stored."""
    client = visitor(**keywords)
    await client.ask(sets(a=1))

    async def do(scope, receive, send):
        session = scope["session"]
        inside = "big" not in expected
        session["big"], session["cart"] = object() if inside else "", {} if inside else {"bad": object()}
        with pytest.raises(TypeError):
            await send(START)
        mend(session)
        await send(START)

    recorder = await drive(do, headers=client.headers(), **keywords)
    client.keep(Answer(recorder.sent, None))
    assert (1, []) == (len(recorder.sent), caplog.messages)
    assert expected == (await client.ask()).result


async def test_cancelled_as_the_response_begins() -> None:
    """A start that is given up while the store is slow was none: what is written then is stored with the next."""
    store = Store()
    client = visitor(store=store)
    create = store.create

    async def slow(*arguments: Any) -> None:
        store.create = create  # type: ignore[method-assign]
        await anyio.sleep_forever()

    store.create = slow  # type: ignore[method-assign]

    async def do(scope, receive, send):
        scope["session"]["a"] = 1
        with anyio.move_on_after(0.01):
            await send(START)
        scope["session"].update(flash="slow", bad=object())
        with pytest.raises(TypeError):  # the first error of the session's goes up, as without the cancellation
            await send(START)
        del scope["session"]["bad"]
        await send(START)

    recorder = await drive(do, store=store)
    client.keep(Answer(recorder.sent, None))
    assert {"a": 1, "flash": "slow"} == (await client.ask()).result


async def test_late_writes() -> None:
    """A write after the start raises, as the cookie is gone; reading does not, nor does what writes nothing."""

    async def do(scope, receive, send):
        session = scope["session"]
        session["a"] = 1
        await send(START)
        assert {"a": 1} == dict(session)
        assert session.setdefault("a", 2) == 1
        assert session.pop("b", 3) == 3
        for write in (
            lambda: session.update(b=1),
            lambda: session.pop("a"),
            lambda: setattr(session, "max_age", 5),
            session.clear,
            session.invalidate,
            session.regenerate,
        ):
            with pytest.raises(RuntimeError, match="response has begun"):
                write()
        assert {"a": 1} == dict(session)
        await send(BODY)

    recorder = await drive(do)
    assert ["http.response.start", "http.response.body"] == [message["type"] for message in recorder.sent]


async def test_no_id() -> None:
    """A session in a cookie has no id, new or not (contract)."""
    client = visitor()
    assert (await client.ask(lambda s: (s.update(a=1), s.id))).result == (None, None)
    assert (await client.ask(lambda s: (s.id, s.regenerate(), s.id))).result == (None, None, None)


async def test_save() -> None:
    """`save` is for stores, and says so."""
    with pytest.raises(RuntimeError, match=r"session\.save\(\) is for sessions in a store"):
        await visitor().ask(lambda s: s.save())


async def test_exceptions() -> None:
    """The application's exception before the start goes up unchanged, and nothing is saved (contract)."""
    raised = RaisedError()

    async def do(scope, receive, send):
        scope["session"]["a"] = 1
        raise raised

    recorder = await drive(do)
    assert [] == recorder.sent
    assert recorder.error is raised  # type: ignore[attr-defined]


async def test_error_pages_save() -> None:
    """A 5xx answer that the application sends itself saves (decided, as in Starlette)."""
    client = visitor()
    await client.ask(sets(a=1), {**START, "status": 500})
    assert {"a": 1} == (await client.ask()).result


@pytest.mark.parametrize(
    ("assigned", "expected"),
    [({"b": 2}, {"b": 2}), ({}, {}), (None, {"a": 1}), ("text", {"a": 1}), (..., {"a": 1})],
    ids=["dict", "empty", "None", "text", "removed"],
)
async def test_replaced(assigned, expected) -> None:
    """A plain dict in the session's place is adopted, `{}` ends it; removing it or None changes nothing (contract)."""
    client = visitor()
    await client.ask(sets(a=1))
    seen = []

    async def do(scope, receive, send):
        session = scope["session"]
        if assigned is ...:
            del scope["session"]
        else:
            scope["session"] = assigned
        await send(START)
        seen.append((scope.get("session") is session, isinstance(session, Session)))

    recorder = await drive(do, headers=client.headers())
    client.keep(Answer(recorder.sent, None))
    assert expected == (await client.ask()).result
    assert [(isinstance(assigned, dict), True)] == seen


@pytest.mark.parametrize("view", [MappingProxyType, ChainMap, UserDict, dict], ids=lambda view: view.__name__)
@pytest.mark.parametrize("keywords", [{}, {"store": MemoryStore()}], ids=["cookie", "store"])
async def test_replaced_by_a_view(view, keywords) -> None:
    """What stands in the session's place and looks into it leaves the data as it is."""
    client = visitor(**keywords)
    await client.ask(sets(a=1))

    async def do(scope, receive, send):
        scope["session"] = view(scope["session"])
        await send(START)

    recorder = await drive(do, headers=client.headers(), **keywords)
    assert [START["headers"]] == [
        [pair for pair in message["headers"] if pair[0] != b"vary"] for message in recorder.sent
    ]
    assert {"a": 1} == (await client.ask()).result


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_litestar() -> None:
    """Litestar's `clear_session` ends the session, and its `set_session` gives it a dict."""
    litestar = require("litestar")

    async def do(request: Any) -> dict[str, Any]:
        before = dict(request.session)
        if request.query_params:
            request.set_session(dict(request.query_params))
        else:
            request.clear_session()
        return before

    do.__annotations__["request"] = litestar.Request
    app = SessionMiddleware(litestar.Litestar([litestar.get("/")(do)], openapi_config=None), secret_key="key")
    client = visitor()

    async def ask(query: bytes) -> Any:
        scope = http_scope(query_string=query, headers=client.headers())
        recorder = Recorder(scope)
        await app(scope, recorder.receive, recorder.send)
        client.keep(Answer(recorder.sent, None))
        return json.loads(recorder.sent[1]["body"])

    assert [{}, {"user": "ada"}, {}] == [await ask(b"user=ada"), await ask(b""), await ask(b"")]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_pydantic() -> None:
    """FastAPI gives pydantic `request.session`, which it takes without asking it."""
    fastapi = require("fastapi")
    user = require("pydantic").create_model("User", user=(str | None, None))

    async def inside(request: Any) -> Any:
        return {"session": request.session}

    async def itself(request: Any) -> Any:
        return request.session

    app = fastapi.FastAPI()
    for path, do, made in (("/inside", inside, dict[str, Any]), ("/itself", itself, user)):
        do.__annotations__.update({"request": fastapi.Request, "return": made})
        app.get(path)(do)
    client = visitor()
    await client.ask(sets(user="ada"))
    for path, expected in (("/inside", {"session": {"user": "ada"}}), ("/itself", {"user": "ada"})):
        sent = await record(SessionMiddleware(app, secret_key="key"), http_scope(path=path, headers=client.headers()))
        assert expected == json.loads(sent[1]["body"])


@pytest.mark.parametrize("keywords", [{}, {"store": MemoryStore()}], ids=["cookie", "store"])
@pytest.mark.parametrize("mark", [Session.mark_modified, lambda session: setattr(session, "modified", True)])
async def test_marked(mark, keywords, clock) -> None:
    """A session that is marked as modified is stored though nothing has changed, and its age begins anew (Starlette)."""
    client = visitor(max_age=100, **keywords)
    assert [] == (await client.ask(mark))[b"set-cookie"]
    await client.ask(sets(a=1))
    clock.now += 90
    answer = await client.ask(lambda session: (session.modified, mark(session), session.modified))
    assert ((False, None, True), 1) == (answer.result, len(answer[b"set-cookie"]))
    clock.now += 90
    answer = await client.ask()
    assert ({"a": 1}, []) == (answer.result, answer[b"set-cookie"])


@pytest.mark.parametrize("inner", [SessionMiddleware, StarletteSessions])
async def test_nested(inner) -> None:
    """Nested middlewares keep a session each; the outer one never stores what is the inner one's (contract)."""

    async def do(scope, receive, send):
        scope["session"]["in"] = scope["session"].get("in", 0) + 1
        await send({**START, "headers": []})

    keywords = {"session_cookie": "inner"}
    recorder = await drive(inner(do, secret_key="key", **keywords))
    names = [value.partition(b"=")[0] for name, value in recorder.sent[0]["headers"] if name == b"set-cookie"]
    assert [b"inner"] == names


async def test_scope_keys() -> None:
    """Two layers with keys of their own both keep their data (contract: scope_key)."""
    client = Visitor(
        lambda app, **more: SessionMiddleware(SessionMiddleware(app, **more), secret_key="key"),
        secret_key="key",
        session_cookie="b",
        scope_key="b",
    )
    answer = await client.ask(sets(x=1))
    assert len(answer[b"set-cookie"]) == 1
    assert {"x": 1} == (await client.ask()).result


async def test_other_scopes() -> None:
    """Other scopes pass as the same objects, without a session (house rule 3)."""
    seen = []

    async def do(scope, receive, send):
        seen.extend([scope, receive, send])

    scope = lifespan_scope()
    recorder = Recorder(scope)
    given_: list[Any] = [scope, recorder.receive, recorder.send]
    await SessionMiddleware(do, secret_key="key")(*given_)
    assert all(one == other for one, other in zip(seen, given_, strict=True))
    assert seen[0] is scope
    assert "session" not in scope


async def test_starlette_cookies() -> None:
    """With `starlette_cookies` a switch logs nobody out: its cookie is read, ours is written, and is read alone after."""
    starlette = Visitor(StarletteSessions, secret_key="key")
    starlette.keep = lambda answer: answer  # type: ignore[method-assign]
    line = (await starlette.ask(sets(user="ä")))[b"set-cookie"][0]
    value = line.partition(b"=")[2].partition(b";")[0]
    client = visitor()
    client.cookie = value
    assert {} == (await client.ask()).result
    client.keywords["starlette_cookies"] = True
    answer = await client.ask()
    assert ({"user": "ä"}, []) == (answer.result, answer[b"set-cookie"])
    await client.ask(sets(b=1))
    del client.keywords["starlette_cookies"]
    assert {"user": "ä", "b": 1} == (await client.ask()).result


async def test_starlette_cookies_of_age(clock, monkeypatch) -> None:
    """Starlette's cookies end with their age as well, are no session if they hold no object, and garbage is none."""
    import base64

    import itsdangerous

    signer = itsdangerous.TimestampSigner("key")
    monkeypatch.setattr(signer, "get_timestamp", lambda: int(clock.now))
    client = visitor(starlette_cookies=True, max_age=100)
    client.cookie = signer.sign(base64.b64encode(b'{"a": 1}'))
    assert {"a": 1} == (await client.ask()).result
    clock.now += 101
    assert {} == (await client.ask()).result
    client.cookie = signer.sign(base64.b64encode(b"[1]"))
    assert {} == (await client.ask()).result
    monkeypatch.setattr(signer, "get_timestamp", lambda: 2**32)
    client.cookie = signer.sign(base64.b64encode(b'{"a": 1}'))
    assert {} == (await client.ask()).result
    client.cookie = b"garbage"
    assert {} == (await client.ask()).result


async def accepts(session: Session, receive: Any, send: Any) -> None:
    session["a"] = 1
    await receive()
    await send({"type": "websocket.accept"})


async def test_websocket_accept(caplog) -> None:
    """A WebSocket sets the cookie on accept (#483), which is quiet, and reads it."""
    client = visitor()
    answer = await client.socket(accepts)
    assert [b"session=" + (client.cookie or b"") + ATTRIBUTES] == answer[b"set-cookie"]
    assert {"a": 1} == (await client.ask()).result
    assert [] == caplog.records


async def test_websocket_denial() -> None:
    """A denial response sets the cookie, too (ASGI, WebSocket Denial Response)."""

    async def deny(session, receive, send):
        session["a"] = 1
        await send({"type": "websocket.http.response.start", "status": 403, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b""})

    client = visitor()
    assert (await client.socket(deny))[b"vary"] == [b"Cookie"]
    assert {"a": 1} == (await client.ask()).result


async def test_websocket_late() -> None:
    """A write after accept raises, as the cookie is gone; the socket goes on (contract, rule 10)."""

    async def late(session, receive, send):
        await send({"type": "websocket.accept"})
        with pytest.raises(RuntimeError, match=r"store=\.\.\."):
            session["a"] = 1
        await send({"type": "websocket.send", "text": "a"})

    answer = await visitor().socket(late)
    assert [{"type": "websocket.accept"}, {"type": "websocket.send", "text": "a"}] == answer.sent


async def test_websocket_closed(caplog) -> None:
    """A WebSocket that is closed without accept carries no cookie: what was written is lost, and that is logged."""

    async def close(session, receive, send):
        session["a"] = 1
        await send({"type": "websocket.close"})

    answer = await visitor().socket(close)
    assert [{"type": "websocket.close"}] == answer.sent
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "closed before it was accepted" in record.getMessage()
    assert "(path '/')" in record.getMessage()
