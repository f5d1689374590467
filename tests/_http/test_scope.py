"""What inner layers write into a changed copy of the scope, for the layers outside."""

from __future__ import annotations

import pytest

from middlewares._http.scope import share_routing, share_routing_at_start
from middlewares.testing import http_scope, run

ROUTING = {
    "route": object(),
    "path_params": {"id": "1"},
    "endpoint": object(),
    "path_template": "/items/{id}",
    "fastapi": {"effective_route_context": object()},
}


def test_routing_keys_are_shared() -> None:
    """What Starlette, FastAPI and Litestar say of the matched route is seen outside: the same objects, all other keys stay."""
    outer = http_scope(headers=[(b"a", b"1")])
    before = dict(outer)
    inner = {**outer, "headers": [], "session": {}, "root_path": "/mounted", **ROUTING}
    share_routing(inner, outer)
    assert {**before, **ROUTING} == outer
    assert all(outer[key] is ROUTING[key] for key in ROUTING)


@pytest.mark.parametrize("key", ROUTING)
def test_each_key_alone(key) -> None:
    """A router that sets one of the keys is not asked for the others."""
    outer: dict[str, object] = {}
    share_routing({key: ROUTING[key]}, outer)
    assert {key: ROUTING[key]} == outer


def test_the_innermost_router_wins() -> None:
    """A key that an outer router has set already gets the value of the inner one, as without the copy."""
    outer = {"path_params": {"tenant": "acme"}, "endpoint": "mount"}
    inner = {**outer, "path_params": {"tenant": "acme", "id": "1"}, "endpoint": "view"}
    share_routing(inner, outer)
    assert inner == outer


def test_nothing_to_share() -> None:
    """Where no router ran, nothing is written."""
    outer = http_scope()
    before = dict(outer)
    share_routing({**outer, "headers": []}, outer)
    assert before == outer


@pytest.mark.parametrize("start", ["http.response.start", "websocket.accept", "websocket.http.response.start"])
def test_shared_at_start(start) -> None:
    """The keys are there when a layer outside sees the response start, and the messages pass as the same objects."""
    messages = [{"type": "http.response.debug", "info": {}}, {"type": start}, {"type": "http.response.body"}]
    seen = []

    async def app(scope, receive, send):
        inner = dict(scope)

        async def watching(message):
            seen.append("route" in scope)
            await send(message)

        sharing = share_routing_at_start(watching, inner, scope)
        await sharing(messages[0])
        inner["route"] = "/"
        await sharing(messages[1])
        await sharing(messages[2])

    sent = run(app, http_scope())
    assert [False, True, True] == seen
    assert all(a is b for a, b in zip(messages, sent, strict=True))
