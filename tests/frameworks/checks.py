"""What every application has to do behind our stack: a check raises AssertionError where it does not."""

from __future__ import annotations

import gzip
import os
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import httpx

from middlewares.testing import websocket_scope

from .apps import LARGE, SECRET, digest
from .matrix import ORIGIN

CODINGS = ("identity", "gzip", "br", "zstd")


class Client:
    """Asks an application in this process, between its startup and its shutdown."""

    def __init__(self, app: Any, http: httpx.AsyncClient) -> None:
        self.app = app
        self.get, self.post, self.head, self.options = http.get, http.post, http.head, http.options


@asynccontextmanager
async def client(app: Any):
    """A client for an application that is started, where it has a lifespan."""
    requests, wanted = anyio.create_memory_object_stream[Any](2)
    told, events = anyio.create_memory_object_stream[Any](2)

    async def live() -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
        try:
            await app(scope, wanted.receive, told.send)
        except (ValueError, AssertionError, KeyError, TypeError):  # servers take it for "unsupported" (ASGI, lifespan)
            pass
        finally:
            told.close()

    with requests, wanted, told, events:
        async with anyio.create_task_group() as group:
            group.start_soon(live)
            await requests.send({"type": "lifespan.startup"})
            with suppress(anyio.EndOfStream):
                event = await events.receive()
                assert event == {"type": "lifespan.startup.complete"}, event
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
                yield Client(app, http)
            await requests.send({"type": "lifespan.shutdown"})
            with anyio.fail_after(10), suppress(anyio.EndOfStream):
                event = await events.receive()
                assert event == {"type": "lifespan.shutdown.complete"}, event


def _once(response: httpx.Response, *names: str) -> None:
    for name in names:
        assert len(response.headers.get_list(name)) == 1, (name, response.headers)


def _whole(response: httpx.Response, status: int = 200) -> None:
    """What every answer has."""
    assert response.status_code == status, (response.status_code, response.text)
    _once(response, "x-request-id", "server-timing", "vary", "access-control-allow-origin")
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert "origin" in response.headers["vary"].lower()
    assert len(response.headers.get_list("content-length")) <= 1


FOREIGN, OURS = {"origin": "https://evil.example"}, {"origin": ORIGIN}


async def _coded(client: Client, path: str) -> None:
    for coding in CODINGS:
        response = await client.get(path, headers={**OURS, "accept-encoding": coding})
        _whole(response)
        assert response.text == LARGE
        assert response.headers.get("content-encoding", "identity") == coding
        assert "accept-encoding" in response.headers["vary"].lower()


async def large(client: Client) -> None:
    await _coded(client, "/large")


async def stream(client: Client) -> None:
    await _coded(client, "/stream")


async def head(client: Client) -> None:
    response = await client.head("/large", headers={**OURS, "accept-encoding": "gzip"})
    _whole(response)
    assert response.content == b""
    assert response.headers["content-encoding"] == "gzip"


async def cors(client: Client) -> None:
    _whole(await client.get("/large", headers=OURS))
    refused = await client.get("/large", headers=FOREIGN)
    assert refused.status_code == 200
    assert "access-control-allow-origin" not in refused.headers
    preflight = await client.options("/upload", headers={**OURS, "access-control-request-method": "POST"})
    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (204, ORIGIN)


async def request_id(client: Client) -> None:
    response = await client.get("/id", headers=OURS)
    _whole(response)
    assert response.json() == {"id": response.headers["x-request-id"]}
    adopted = await client.get("/id", headers={**OURS, "x-request-id": "0123456789abcdef"})
    assert adopted.json() == {"id": "0123456789abcdef"}


async def upload(client: Client) -> None:
    body = os.urandom(300_000)
    response = await client.post("/upload", content=body, headers=OURS)
    _whole(response)
    assert response.text == digest(body)


async def upload_gzip(client: Client) -> None:
    body = os.urandom(200_000) + bytes(100_000)
    headers = {**OURS, "content-encoding": "gzip"}
    response = await client.post("/upload", content=gzip.compress(body), headers=headers)
    _whole(response)
    assert response.text == digest(body), response.text


async def cookies(client: Client) -> None:
    response = await client.get("/cookies", headers=OURS)
    _whole(response)
    lines = response.headers.get_list("set-cookie")
    assert [line.strip().partition(";")[0] for line in lines] == ["a=1", "b=2"]


async def session(client: Client) -> None:
    counted = [(await client.get("/count", headers=OURS)).text for _ in range(3)]
    assert counted == ["1", "2", "3"], counted
    assert "set-cookie" not in (await client.get("/large", headers=OURS)).headers


async def not_found(client: Client) -> None:
    _whole(await client.get("/nothing", headers=OURS), 404)


async def error(client: Client) -> None:
    response = await client.get("/boom", headers=OURS)
    _whole(response, 500)
    assert SECRET not in response.text


async def websocket(client: Client) -> None:
    talk = await _talk(client.app, OURS["origin"])
    assert talk == ["websocket.accept", "tea", "websocket.close"], talk
    refused = ["websocket.http.response.start", "websocket.http.response.body", "websocket.close"]
    assert await _talk(client.app, FOREIGN["origin"]) == refused


async def _talk(app: Any, origin: str) -> list[str]:
    """What a client sees that sends one message and then leaves; servers close a connection that nobody has closed."""
    seen: list[str] = []
    answered = anyio.Event()
    incoming = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "tea"}]

    async def receive() -> Any:
        if incoming:
            return incoming.pop(0)
        await answered.wait()
        return {"type": "websocket.disconnect", "code": 1000, "reason": ""}

    async def send(message: Any) -> None:
        if message["type"] == "websocket.send":
            seen.append(message.get("text") or message["bytes"].decode())
            answered.set()
        else:
            seen.append(message["type"])

    scope = websocket_scope("/ws", [(b"host", b"localhost"), (b"origin", origin.encode())])
    with anyio.fail_after(10):
        await app(scope, receive, send)
    return seen if seen[-1] == "websocket.close" else [*seen, "websocket.close"]


Check = Callable[[Client], Awaitable[None]]
CHECKS: dict[str, Check] = {
    "body in each coding": large,
    "stream in each coding": stream,
    "HEAD": head,
    "CORS": cors,
    "request id": request_id,
    "upload": upload,
    "upload in gzip": upload_gzip,
    "cookies": cookies,
    "session": session,
    "404": not_found,
    "500": error,
    "WebSocket": websocket,
}
"""The title of a column -> what it asks for."""
