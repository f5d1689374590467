"""Conditions on the path of a request."""

from __future__ import annotations

import re

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


@pytest.mark.parametrize("condition", [None, 5, b"/x", re.compile(rb"/x")])
def test_other_conditions(condition: object) -> None:
    """Anything else is a TypeError that names the keyword and the value."""
    with pytest.raises(TypeError, match=r"^exclude must .*got "):
        matcher("exclude", condition)  # type: ignore[arg-type]


def test_matchers():
    """Several conditions hold where one of them does; one alone need not be in a list."""
    scope = http_scope(path="/a/b")
    assert [True] == [matches(scope) for matches in matchers("k", "/a")]
    assert [True] == [matches(scope) for matches in matchers("k", re.compile("b$"))]
    assert [True] == [matches(scope) for matches in matchers("k", lambda scope: True)]
    assert [False, True] == [matches(scope) for matches in matchers("k", iter(["/b", "/a"]))]
    assert matchers("k", ()) == ()


@pytest.mark.parametrize("conditions", [5, None, [5]])
def test_no_conditions(conditions):
    """What is no condition, and no list of them, is refused by the keyword's name."""
    with pytest.raises(TypeError, match=r"^k must"):
        matchers("k", conditions)
