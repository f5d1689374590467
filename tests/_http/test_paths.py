"""Conditions on the path of a request."""

from __future__ import annotations

import re
from typing import Any

import pytest

from middlewares._http.paths import checked_prefix, covers, matcher, matchers
from middlewares.testing import http_scope


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
