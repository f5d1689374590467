"""The event hooks, with the real httpx."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextvars import Context
from pathlib import Path
from typing import Any

import pytest

import middlewares
from middlewares.request_id import httpx_event_hooks, request_id_var
from middlewares.request_id.context import outbound_var
from middlewares.request_id.trace import Trace

from ..conftest import require

httpx = require("httpx")

TRACE = Trace("0af7651916cd43dd8448eb211c80319c", "01", "congo=1")
OURS = ("x-request-id", "traceparent", "tracestate")


def calls(
    url: str = "https://api.example/",
    *,
    trace: Trace | None = None,
    request_id: str | None = "abc",
    headers: Any = None,
    **keywords: Any,
) -> list[dict[str, str]]:
    """What of ours arrived at the other end, for each request of one call."""
    arrived: list[dict[str, str]] = []

    def answer(request: Any) -> Any:
        arrived.append({name: request.headers[name] for name in OURS if name in request.headers})
        if request.url.path.startswith("/to/"):
            return httpx.Response(302, headers={"location": f"https://{request.url.path[4:]}/"})
        return httpx.Response(204)

    def call() -> None:
        if request_id is not None:
            request_id_var.set(request_id)
            outbound_var.set((request_id, "X-Request-ID", trace))
        hooks = httpx_event_hooks(**keywords)
        with httpx.Client(transport=httpx.MockTransport(answer), event_hooks=hooks, follow_redirects=True) as client:
            assert 204 == client.get(url, headers=headers).status_code

    Context().run(call)
    return arrived


def test_id_is_sent() -> None:
    """A call made in a request carries its id."""
    assert [{"x-request-id": "abc"}] == calls()


def test_outside_of_requests() -> None:
    """A call made outside of requests stays as it is."""
    assert [{}] == calls(request_id=None)


def test_trace_is_sent() -> None:
    """With a trace, the call carries traceparent and tracestate, each call with a parent-id of its own."""
    [first], [second] = calls(trace=TRACE), calls(trace=TRACE)
    assert ("abc", "congo=1") == (first["x-request-id"], first["tracestate"])
    assert first["traceparent"].startswith(f"00-{TRACE.trace_id}-")
    assert first["traceparent"] != second["traceparent"]


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        pytest.param({"X-REQUEST-ID": "mine"}, {"x-request-id": "mine", "tracestate": "congo=1"}, id="id"),
        pytest.param(
            {"Traceparent": "mine"},
            {"x-request-id": "abc", "traceparent": "mine"},
            id="traceparent: no tracestate of ours",
        ),
        pytest.param(
            {"traceparent": "mine", "tracestate": "a=1"},
            {"x-request-id": "abc", "traceparent": "mine", "tracestate": "a=1"},
            id="both",
        ),
        pytest.param({"tracestate": "a=1"}, {"x-request-id": "abc", "tracestate": "a=1"}, id="tracestate"),
    ],
)
def test_headers_of_the_caller_stay(own, expected) -> None:
    """A header that the caller has set is not overwritten, in any case."""
    [arrived] = calls(trace=TRACE, headers=own)
    if "traceparent" not in expected:
        assert arrived.pop("traceparent").startswith(f"00-{TRACE.trace_id}-")
    assert expected == arrived


@pytest.mark.parametrize(
    ("url", "hosts", "expected"),
    [
        pytest.param("https://api.example/", ["api.example"], True, id="named"),
        pytest.param("https://API.example:8443/", ["Api.Example"], True, id="any case, any port"),
        pytest.param("https://other.example/", ["api.example"], False, id="other"),
        pytest.param("https://x.api.example/", ["api.example"], False, id="subdomain"),
        pytest.param("https://api.example.evil/", ["api.example"], False, id="longer"),
        pytest.param("https://api.example@evil.example/", ["api.example"], False, id="user name"),
        pytest.param("http://[::1]:8000/", ("::1",), True, id="IPv6"),
        pytest.param("https://München.example/", ["münchen.example"], True, id="IDNA"),
        pytest.param("https://münchen.example/", ["XN--mnchen-3ya.example"], True, id="IDNA, named in ASCII"),
        pytest.param("https://xn--mnchen-3ya.example/", ["MÜNCHEN.example"], True, id="IDNA, asked in ASCII"),
        pytest.param("https://münchen.example/", ["munchen.example"], False, id="IDNA, other"),
        pytest.param("https://api.example/", [], False, id="none"),
        pytest.param("https://any.example/", None, True, id="all"),
    ],
)
def test_hosts(url, hosts, expected) -> None:
    """Only the hosts that are named learn the id."""
    assert [{"x-request-id": "abc"} if expected else {}] == calls(url, hosts=hosts)


def test_redirect_to_a_stranger() -> None:
    """What was sent to a named host does not follow a redirect to another one, and comes back with the next."""
    arrived = calls("https://api.example/to/evil.example", hosts=["api.example"], trace=TRACE)
    assert [set(OURS), set()] == [set(headers) for headers in arrived]
    arrived = calls("https://api.example/to/evil.example/to/api.example", hosts=["api.example"], trace=TRACE)
    assert [set(OURS), set(), set(OURS)] == [set(headers) for headers in arrived]


def test_redirect_is_a_call_of_its_own() -> None:
    """A redirect carries the same id, and a new parent-id."""
    first, second = calls("https://api.example/to/other.example", trace=TRACE)
    assert first["x-request-id"] == second["x-request-id"]
    assert first["traceparent"] != second["traceparent"]


def test_redirect_with_a_header_of_the_caller() -> None:
    """A header of the caller goes where the caller's client lets it go."""
    assert [{"x-request-id": "mine"}] * 2 == calls(
        "https://api.example/to/evil.example", hosts=["api.example"], headers={"x-request-id": "mine"}
    )


def test_redirect_with_a_header_of_another_hook() -> None:
    """A header that was changed after us is not ours to take back."""

    def change_first(request: Any) -> None:
        if not ids:
            request.headers["x-request-id"] = "changed"

    def arrived_at(request: Any) -> Any:
        ids.append(request.headers.get("x-request-id"))
        return httpx.Response(302 if len(ids) == 1 else 204, headers={"location": "https://other.example/"})

    def call() -> None:
        request_id_var.set("abc")
        [ours] = httpx_event_hooks(hosts=["api.example"])["request"]
        hooks = [ours, change_first]
        transport = httpx.MockTransport(arrived_at)
        with httpx.Client(transport=transport, event_hooks={"request": hooks}, follow_redirects=True) as client:
            client.get("https://api.example/")

    ids: list[Any] = []
    Context().run(call)
    assert ["changed", "changed"] == ids


def test_asynchronous() -> None:
    """`AsyncClient` takes the hooks made with `asynchronous=True`."""
    arrived: list[Any] = []

    async def answer(request: Any) -> Any:
        arrived.append(request.headers.get("x-request-id"))
        return httpx.Response(204)

    async def call() -> None:
        request_id_var.set("abc")
        hooks = httpx_event_hooks(asynchronous=True, hosts=["api.example"])
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer), event_hooks=hooks) as client:
            await client.get("https://api.example/")
            await client.get("https://other.example/")

    asyncio.run(call())
    assert ["abc", None] == arrived


@pytest.mark.parametrize(
    ("hosts", "error", "message"),
    [
        pytest.param(
            "api.example",
            TypeError,
            r"hosts must be a list of names, .*or None for all \(got 'api.example'\)",
            id="str",
        ),
        pytest.param(
            [b"api.example"], TypeError, r"hosts must be a list of names, .*\(got \[b'api.example'\]\)", id="bytes"
        ),
        pytest.param(
            ["https://api.example"],
            ValueError,
            r"hosts must hold names of hosts, without scheme, port and wildcard \(got 'https://api.example'\)",
            id="URL",
        ),
        pytest.param(["api.example:443"], ValueError, "hosts must hold names of hosts", id="port"),
        pytest.param(["*.example"], ValueError, "hosts must hold names of hosts", id="wildcard"),
        pytest.param(["[::1]"], ValueError, "hosts must hold names of hosts", id="brackets"),
        pytest.param([""], ValueError, "hosts must hold names of hosts", id="empty"),
        pytest.param(["faß.example"], ValueError, r"write it as 'xn--…' \(got 'faß.example'\)", id="IDNA 2003 or 2008"),
        pytest.param(["ä" * 64], ValueError, "write it as 'xn--…'", id="IDNA, too long"),
    ],
)
def test_mistakes(hosts, error, message) -> None:
    """A name that could never match fails at once, by name."""
    with pytest.raises(error, match=message):
        httpx_event_hooks(hosts=hosts)


def test_httpx_is_not_imported() -> None:
    """Making the hooks needs no httpx."""
    code = (
        "import sys; from middlewares.request_id import httpx_event_hooks as h; h(); assert 'httpx' not in sys.modules"
    )
    subprocess.run(
        [sys.executable, "-S", "-c", code], check=True, cwd=Path(middlewares.__file__).parents[1], timeout=60
    )
