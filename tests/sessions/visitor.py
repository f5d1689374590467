"""A visitor of an application with sessions: asks for it with raw messages, and keeps its cookie as a browser does."""

from __future__ import annotations

import re
from typing import Any

import anyio
import anyio.lowlevel

from middlewares.testing import Recorder, http_scope, websocket_scope

SET = re.compile(rb"([^=]+)=([^;]*)((?:; [^;]+)*)")


class Store:
    """A dict as a store, which remembers what it was asked."""

    def __init__(self) -> None:
        self.records: dict[str, bytes] = {}
        self.calls: list[str] = []
        self.ttls: list[int] = []

    async def get(self, id: str) -> bytes | None:
        await anyio.lowlevel.checkpoint()
        self.calls.append("get")
        return self.records.get(id)

    async def create(self, id: str, data: bytes, ttl: int) -> None:
        await anyio.lowlevel.checkpoint()
        self.calls.append("create")
        self.ttls.append(ttl)
        self.records[id] = data

    async def update(self, id: str, fn: Any, ttl: int) -> bool:
        await anyio.lowlevel.checkpoint()
        self.calls.append("update")
        self.ttls.append(ttl)
        new = fn(fn and self.records[id]) if id in self.records else None
        if new is None:
            return False
        self.records[id] = new
        return True

    async def delete(self, id: str) -> None:
        await anyio.lowlevel.checkpoint()
        self.calls.append("delete")
        self.records.pop(id, None)

    def taken(self) -> list[str]:
        """The calls since the last time."""
        calls, self.calls = self.calls, []
        return calls


class Answer:
    """What came back for one request."""

    def __init__(self, sent: list[Any], result: Any) -> None:
        self.sent = sent
        self.result = result
        self.headers: list[tuple[bytes, bytes]] = list(sent[0].get("headers", ())) if sent else []

    def __getitem__(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key.lower() == name]


class Visitor:
    """Asks `middleware(app)` what `do(session)` returns, within one event loop: all methods are coroutines."""

    def __init__(self, middleware: Any, **keywords: Any) -> None:
        self.layer = middleware
        self.keywords = keywords
        self.cookie: bytes | None = None
        self.name = keywords.get("session_cookie", "session").encode()

    def headers(self) -> list[tuple[bytes, bytes]]:
        return [] if self.cookie is None else [(b"cookie", self.name + b"=" + self.cookie)]

    async def ask(self, do: Any = dict, start: Any = None, **more: Any) -> Answer:
        """One request: `do`, plain or async, is given the session before the response begins."""
        start = {"type": "http.response.start", "status": 200, "headers": []} if start is None else start
        result: list[Any] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            value = do(scope[self.keywords.get("scope_key", "session")])
            result.append(await value if hasattr(value, "__await__") else value)
            await send(start)
            await send({"type": "http.response.body", "body": b""})

        scope = http_scope(headers=self.headers(), **more)
        recorder = Recorder(scope)
        await self.layer(app, **self.keywords)(scope, recorder.receive, recorder.send)
        return self.keep(Answer(recorder.sent, result[0]))

    async def socket(self, run: Any, *incoming: Any) -> Answer:
        """One WebSocket: `run(session, receive, send)` is the application."""
        result: list[Any] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            result.append(await run(scope["session"], receive, send))

        scope = websocket_scope(headers=self.headers())
        recorder = Recorder(scope, *incoming)
        await self.layer(app, **self.keywords)(scope, recorder.receive, recorder.send)
        return self.keep(Answer(recorder.sent, result[0]))

    def keep(self, answer: Answer) -> Answer:
        for line in answer[b"set-cookie"]:
            found = SET.fullmatch(line)
            assert found is not None, line
            if found[1] == self.name:
                self.cookie = None if b"; Max-Age=0;" in found[3] else found[2]
        return answer
