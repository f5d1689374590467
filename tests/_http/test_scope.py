"""What inner layers write into a changed copy of the scope, for the layers outside."""

from __future__ import annotations

import pytest

from middlewares._http.scope import share_routing
from middlewares.testing import http_scope

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
