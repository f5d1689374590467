"""Conditions on the path of a request."""

from __future__ import annotations

import re
from typing import Any

import pytest

from middlewares._http.paths import checked_prefix, covers, matcher, matchers, route_path
from middlewares.testing import http_scope
from tests.conftest import require


@pytest.mark.parametrize(
    ("prefix", "path", "covered"),
    [
        ("/health", "/health", True),
        ("/health", "/health/", True),
        ("/health", "/health/live", True),
        ("/health", "/healthy", False),
        ("/health", "/", False),
        ("/health/", "/health", True),
        ("/", "/", True),
        ("/", "/any/thing", True),
        ("/", "", True),
        ("/app", "/app/../admin", False),
        ("/app", "/app/..", False),
        ("/app", "/app/a..b", True),
        ("/", "/../x", False),
    ],
)
def test_prefixes(prefix: str, path: str, covered: bool) -> None:
    """A prefix ends on segment borders, and covers no path with a `..` segment."""
    assert covered is covers(checked_prefix("exclude", prefix), path)
    assert covered is matcher("exclude", prefix)(http_scope(path=path))


ROOTS = [
    ("", "/health", "/health"),
    (None, "/health", "/health"),
    ("/api", "/api/health", "/health"),
    ("/api", "/api/", "/"),
    ("/api", "/api", ""),
    ("/api", "/apis/health", "/apis/health"),
    ("/api", "/health", "/health"),
    ("/api", "/api/api/health", "/api/health"),
    ("/api", "/api/../health", "/../health"),
    ("/api/", "/api//health", "/health"),
    ("/", "//health", "/health"),
]


@pytest.mark.parametrize(("root", "path", "below"), [*ROOTS, ("/api/", "/api/health", "/health")])
def test_route_path(root: str | None, path: str, below: str) -> None:
    """What is below `root_path` is told, on segment borders; a path that does not begin with it is whole (ASGI, "path")."""
    scope = http_scope(path=path, root_path=root)
    assert below == route_path(scope)
    assert matcher("exclude", "/health")(scope) is (below == "/health")
    assert matcher("exclude", re.compile("^/health$"))(scope) is (below == "/health")


@pytest.mark.parametrize(("root", "path", "below"), [row for row in ROOTS if row[0] is not None])
def test_route_path_is_starlettes(root: str, path: str, below: str) -> None:
    """Conditions are compared with what Starlette's routes are compared with (its `get_route_path`)."""
    assert below == require("starlette._utils").get_route_path(http_scope(path=path, root_path=root))


def test_route_path_without_root() -> None:
    """A scope need not have `root_path` (ASGI: optional)."""
    scope = http_scope(path="/health")
    del scope["root_path"]
    assert route_path(scope) == "/health"


@pytest.mark.parametrize("prefix", ["", "health", "/a/../b", "/.."])
def test_bad_prefixes(prefix: str) -> None:
    """A prefix that no path can match is refused by name."""
    with pytest.raises(ValueError, match="exclude must be a path prefix"):
        checked_prefix("exclude", prefix)


def test_patterns_are_searched() -> None:
    """A compiled pattern may match anywhere in the path."""
    test = matcher("exclude", re.compile(r"\.(css|js)$"))
    assert test(http_scope(path="/static/a.css"))
    assert not test(http_scope(path="/static/a.html"))


def test_callables_get_the_scope() -> None:
    """A callable decides by the whole scope."""
    assert matcher("exclude", lambda scope: scope["method"] == "POST")(http_scope("POST"))


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ("/a", ["/a"]),
        (re.compile("b"), ["/b"]),
        (lambda scope: scope["path"] == "/c", ["/c"]),
        (["/a", re.compile("b")], ["/a", "/b"]),
        ((), []),
    ],
    ids=["prefix", "pattern", "callable", "list", "none"],
)
def test_one_or_several(conditions: Any, expected: list[str]) -> None:
    """Where several conditions are taken, one may stand alone."""
    tests = matchers("exclude", conditions)
    assert [path for path in ("/a", "/b", "/c") if any(test(http_scope(path=path)) for test in tests)] == expected


@pytest.mark.parametrize("conditions", [None, 5, [5], b"/x"])
def test_no_conditions(conditions: Any) -> None:
    """What is no list of conditions is a TypeError that names the keyword and the value."""
    with pytest.raises(TypeError, match=r"^exclude must .*got "):
        matchers("exclude", conditions)


@pytest.mark.parametrize("condition", [None, 5, b"/x", re.compile(rb"/x")])
def test_other_conditions(condition: object) -> None:
    """Anything else is a TypeError that names the keyword and the value."""
    with pytest.raises(TypeError, match=r"^exclude must .*got "):
        matcher("exclude", condition)  # type: ignore[arg-type]
