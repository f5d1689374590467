"""The browser's side of Fetch, over random policies and requests: it allows exactly what the policy says."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from middlewares.cors import CORSMiddleware
from middlewares.testing.browser import Browser, browser_allows

HOST = "http://testserver"
ORIGINS = [
    "https://a.example",
    "https://b.example",
    "https://x.b.example",
    "http://localhost:3000",
    "https://c7.example",
    "null",
]
# What a configuration may list, and which of ORIGINS it means.
ENTRIES = {
    "https://a.example": {"https://a.example"},
    "HTTPS://B.example:443": {"https://b.example"},
    "https://*.b.example": {"https://x.b.example"},
    "http://localhost:*": {"http://localhost:3000"},
    "null": {"null"},
}
REGEXES = {
    r"https://c\d\.example": {"https://c7.example"},
    r"https://.*b\.example": {"https://b.example", "https://x.b.example"},
    ".*": {*ORIGINS} - {"null"},
}
METHODS = ["GET", "HEAD", "POST", "PUT", "put", "PATCH", "patch", "PROPFIND"]
# Header, and whether it asks for a preflight by its name and value (Fetch, "CORS-safelisted request-header").
HEADERS = {
    ("Accept", "text/html"): False,
    ("Accept", "a" * 129): True,
    ("Accept", '"\x7f"'): True,
    ("Accept-Language", "en, de;q=0.5"): False,
    ("Accept-Language", "<en>"): True,
    ("Content-Language", "de"): False,
    ("Content-Type", "text/plain;charset=utf-8"): False,
    ("Content-Type", "application/json"): True,
    ("X-A", "1"): True,
    ("X-B", ""): True,
    ("Authorization", "Bearer x"): True,
}
SAFELISTED_NAMES = {"accept", "accept-language", "content-language", "content-type"}


@st.composite
def policies(draw: st.DrawFn) -> dict[str, Any]:
    """The keywords of a policy that can be built."""
    everyone = draw(st.booleans())
    stars = st.sampled_from(["*", None])
    return {
        "allow_origins": "*" if everyone else draw(st.lists(st.sampled_from(sorted(ENTRIES)), unique=True)),
        "allow_methods": draw(stars) or draw(st.lists(st.sampled_from(METHODS), unique=True)),
        "allow_headers": draw(stars) or draw(st.lists(st.sampled_from(["X-A", "x-b", "Authorization"]), unique=True)),
        "allow_credentials": not everyone and draw(st.booleans()),
        "allow_origin_regex": None if everyone else draw(st.sampled_from([None, *sorted(REGEXES)])),
        "expose_headers": draw(stars) or draw(st.lists(st.sampled_from(["X-Own", "Server"]), unique=True)),
        "max_age": draw(st.sampled_from([None, 0, 600])),
    }


@st.composite
def fetches(draw: st.DrawFn) -> tuple[str, str, dict[str, str], bool]:
    """Origin, method, headers and credentials of a fetch."""
    headers = dict(draw(st.lists(st.sampled_from(sorted(HEADERS)), max_size=3)))
    return draw(st.sampled_from(ORIGINS)), draw(st.sampled_from(METHODS)), headers, draw(st.booleans())


# What caches are about: the same answer, for page after page.
reads = st.tuples(st.sampled_from(ORIGINS[:3]), st.just("GET"), st.just({}), st.booleans())


def says(policy: dict[str, Any], origin: str, method: str, headers: dict[str, str], credentials: bool) -> bool:
    """What the keywords mean, told apart from how the middleware does it."""
    listed = policy["allow_origins"] == "*" or any(origin in ENTRIES[entry] for entry in policy["allow_origins"])
    if not listed and origin not in REGEXES.get(policy["allow_origin_regex"], ()):
        return False
    if credentials and not policy["allow_credentials"]:
        return False
    unsafe = [name.lower() for (name, value) in headers.items() if HEADERS[name, value]]
    method = method.upper() if method == "put" else method
    if method in {"GET", "HEAD", "POST"} and not unsafe:
        return True  # no preflight: nothing else is asked
    if policy["allow_methods"] != "*" and method not in {"PUT" if m == "put" else m for m in policy["allow_methods"]}:
        return False
    allowed = {name.lower() for name in policy["allow_headers"]} | SAFELISTED_NAMES
    return policy["allow_headers"] == "*" or allowed.issuperset(unsafe)


CACHED = [(b"cache-control", b"max-age=60"), (b"x-own", b"1"), (b"server", b"s")]
LEGACY = [
    (b"Access-Control-Allow-Origin", b"*"),
    (b"Access-Control-Allow-Credentials", b"true"),
    (b"Vary", b"Accept-Language"),
]


def answering(headers: list[tuple[bytes, bytes]]) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"body"})

    return app


# Cacheable answers; and those of a legacy application that allows anybody by itself.
apps = st.sampled_from([answering(CACHED), answering(CACHED + LEGACY)])


@settings(max_examples=300)
@given(apps, policies(), fetches())
def test_the_browser_allows_what_the_policy_says(
    application: Any, policy: dict[str, Any], fetch: tuple[str, str, dict[str, str], bool]
) -> None:
    """One fetch with empty caches, through CORS check, preflight, safelists, star and credentials rules of Fetch."""
    app = CORSMiddleware(application, **policy)
    result = anyio.run(browser_allows, app, *fetch)
    assert says(policy, *fetch) is bool(result), result.reason
    if result:
        exposed = policy["expose_headers"]
        names = {name for name, _ in result.headers}
        for name in ("X-Own", "Server"):
            assert (exposed == "*" or name in exposed) is (name.lower().encode() in names)


@settings(max_examples=300)
@given(apps, policies(), fetches())
def test_explain_agrees_with_the_browser(
    application: Any, policy: dict[str, Any], fetch: tuple[str, str, dict[str, str], bool]
) -> None:
    """No reason: the browser allows it, whatever the values; a reason: it refuses, where values ask for a preflight as supposed."""
    app = CORSMiddleware(application, **policy)
    origin, method, headers, credentials = fetch
    reasons = app.explain(origin, method, list(headers), credentials)
    supposed = all(
        HEADERS[pair] is (pair[0] not in {"Accept", "Accept-Language", "Content-Language"}) for pair in headers.items()
    )
    allowed = says(policy, *fetch)
    if supposed:
        assert allowed is (reasons == [])
    elif not reasons and not any(HEADERS[pair] for pair in headers.items()):
        assert allowed


@settings(max_examples=150)
@given(apps, policies(), st.lists(st.one_of(st.none(), reads, reads, fetches()), min_size=5, max_size=8))
def test_caches_change_nothing(
    application: Any, policy: dict[str, Any], visits: list[tuple[str, str, dict[str, str], bool] | None]
) -> None:
    """With an HTTP cache that obeys Vary and a preflight cache, no visit (None: a navigation) breaks or opens a later one."""
    # A cached preflight lets GET, HEAD and POST through, listed or not: Fetch asks for their headers alone.
    if policy["allow_methods"] != "*":
        policy = {**policy, "allow_methods": ["GET", "HEAD", "POST", *policy["allow_methods"]]}

    async def main() -> None:
        browser = Browser(CORSMiddleware(application, **policy), base=HOST)
        for visit in visits:
            browser.now += 1.0
            if visit is None:
                assert await browser.fetch("/")
                continue
            origin, method, headers, credentials = visit
            result = await browser.fetch(
                "/",
                origin=origin,
                method=method,
                headers=headers,
                credentials="include" if credentials else "same-origin",
            )
            assert says(policy, *visit) is bool(result), result.reason

    anyio.run(main)


@pytest.mark.parametrize("application", [answering(CACHED), answering(CACHED + LEGACY)], ids=["plain", "legacy"])
@pytest.mark.parametrize(
    "visits",
    [["https://a.example", "https://b.example"], [None, "https://a.example"]],
    ids=["two pages", "a visit first"],
)
def test_a_cached_answer_breaks_no_other_page(application: Any, visits: list[str | None]) -> None:
    """What one page or a navigation left in the cache is not given to another allowed page (Fetch, "CORS protocol and HTTP caches")."""

    async def main() -> None:
        browser = Browser(
            CORSMiddleware(application, allow_origins=["https://a.example", "https://b.example"]), base=HOST
        )
        for origin in visits:
            assert await browser.fetch("/", origin=origin)

    anyio.run(main)
