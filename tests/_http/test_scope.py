"""What inner layers write into a changed copy of the scope, for the layers outside."""

from __future__ import annotations

import pytest

from middlewares._http.scope import share_written
from middlewares.testing import http_scope

WRITTEN = {
    "route": object(),
    "path_params": {"id": "1"},
    "endpoint": object(),
    "path_template": "/items/{id}",
    "fastapi": {"effective_route_context": object()},
    "session": {"user": "ada"},
    "user": object(),
    "auth": object(),
}


def test_keys_are_shared() -> None:
    """What is said of the matched route, the session and the user is seen outside: the same objects, other keys stay."""
    outer = http_scope(headers=[(b"a", b"1")])
    before = dict(outer)
    inner = {**outer, "headers": [], "state": {}, "root_path": "/mounted", **WRITTEN}
    share_written(inner, outer)
    assert {**before, **WRITTEN} == outer
    assert all(outer[key] is WRITTEN[key] for key in WRITTEN)


@pytest.mark.parametrize("key", WRITTEN)
def test_each_key_alone(key) -> None:
    """A layer that sets one of the keys is not asked for the others."""
    outer: dict[str, object] = {}
    share_written({key: WRITTEN[key]}, outer)
    assert {key: WRITTEN[key]} == outer


def test_the_innermost_router_wins() -> None:
    """A key that an outer router has set already gets the value of the inner one, as without the copy."""
    outer = {"path_params": {"tenant": "acme"}, "endpoint": "mount"}
    inner = {**outer, "path_params": {"tenant": "acme", "id": "1"}, "endpoint": "view"}
    share_written(inner, outer)
    assert inner == outer


def test_nothing_to_share() -> None:
    """Where nothing was written inside, nothing is written."""
    outer = http_scope()
    before = dict(outer)
    share_written({**outer, "headers": []}, outer)
    assert before == outer
