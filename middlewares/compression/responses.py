"""One response while it is coded: holds its start until the body tells what becomes of it, then codes each message.

This file imports anyio, which is third-party: it is imported as a middleware is constructed, not with the room.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, TypeAlias

from anyio import CancelScope, Event, Lock, sleep

from .._http.tasks import run_detached
from ..asgi import Message, Send
from .policy import Plan
from .threads import run_in_thread

# What was sent can be decoded after this time, at the latest. A slower stream is flushed with each message, a faster
# one so seldom that it shrinks: 2000 messages of 20 bytes, each flushed, would shrink to two thirds only.
FLUSH_SECONDS = 0.025

Run: TypeAlias = Callable[[Callable[[bytes], Any], bytes], Awaitable[Any]]
"""Calls a function with bytes, in a thread if they are many."""

_FILES = frozenset({"http.response.pathsend", "http.response.zerocopysend"})


class CodedResponse:
    """What the application sends from its start on, where there is a `Plan` for it.

    Args:
        plan: What is to become of it.
        send: Where the messages go.
        is_head: Whether the request is HEAD.
        minimum_size: From how many bytes on a whole body is coded.
        thread_minimum_size: From how many bytes on a body, or a piece of it, is coded in a thread.
    """

    __slots__ = ("_is_head", "_minimum_size", "_plan", "_send", "_stream", "_thread_minimum_size", "send")

    def __init__(self, plan: Plan, send: Send, is_head: bool, minimum_size: int, thread_minimum_size: int) -> None:
        self._plan = plan
        self._send = send
        self._is_head = is_head
        self._minimum_size = minimum_size
        self._thread_minimum_size = thread_minimum_size
        self._stream: _Stream | None = None
        self.send: Send = self._first
        """Takes the messages that follow the start."""

    async def begin(self) -> None:
        """Take the start: an event stream sends it at once, since its client waits for it, not for an event."""
        if self._plan.is_events:
            await self._begin_stream()

    async def _first(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.body":
            plan = self._plan
            body = message.get("body") or b""
            if body.__class__ is not bytes:
                body = bytes(body)
            size = len(body)
            if not message.get("more_body", False):
                if self._is_head and not size:
                    # RFC 9110 9.3.2: the header fields of GET, as far as they are known without its body.
                    await self._settle(plan.coded(None), message)
                    return
            elif size == 0 or size != plan.length:
                await (await self._begin_stream()).send(message)
                return
            # A whole body. (Bridges to WSGI and some frameworks send it so, and then an empty end.)
            if size >= self._minimum_size or plan.is_forced:
                if size < self._thread_minimum_size and not plan.codec.is_slow:
                    coded = plan.codec.whole(body)
                else:
                    coded = await run_in_thread(plan.codec.whole, body)
                if len(coded) < size or plan.is_forced:
                    message = {**message}
                    message["body"] = coded
                    await self._settle(plan.coded(len(coded)), message)
                    if plan.learn is not None:
                        await self._run(plan.learn, body)
                    return
            await self._settle(plan.plain(), message)
        elif kind in _FILES:  # was not offered, and is sent all the same
            await self._settle(self._plan.plain(), message)
        else:
            await self._send(message)

    async def _settle(self, start: Message, message: Message) -> None:
        self.send = self._send  # whatever follows passes
        await self._send(start)
        await self._send(message)

    async def _begin_stream(self) -> _Stream:
        self._stream = stream = _Stream(self._plan, self._send, self._run, is_head=self._is_head)
        self.send = stream.send
        await self._send(self._plan.coded(None))
        return stream

    async def _run(self, step: Callable[[bytes], Any], body: bytes) -> Any:
        if len(body) < self._thread_minimum_size and not self._plan.codec.is_slow:
            return step(body)
        return await run_in_thread(step, body)

    async def close(self) -> None:
        """Leave no timer behind, however the application ended. A stream without its end stays without it."""
        if self._stream is not None:
            await self._stream.stop_timer()


class _Stream:
    """A body that comes in pieces."""

    __slots__ = (
        "_encoder",
        "_failure",
        "_flushed",
        "_is_head",
        "_is_pending",
        "_learned",
        "_lock",
        "_plan",
        "_run",
        "_send",
        "_timer",
    )

    def __init__(self, plan: Plan, send: Send, run: Run, *, is_head: bool) -> None:
        self._plan = plan
        self._send = send
        self._run = run
        self._is_head = is_head
        self._encoder = plan.codec.stream(events=plan.is_events)
        self._lock = Lock(fast_acquire=True)
        self._timer: _Timer | None = None
        self._failure: Exception | None = None
        self._flushed = float("-inf")
        self._is_pending = False
        self._learned: list[bytes] = []

    async def send(self, message: Message) -> None:
        """Take a message that follows the start."""
        kind = message["type"]
        if kind in _FILES:
            raise RuntimeError(f"{kind} cannot follow the start of a coded response; the extension was not offered")
        if kind != "http.response.body":
            await self._send(message)
            return
        # The timer sends, too, and event streams have several writers: one of events, one of what keeps them open.
        async with self._lock:
            if self._failure is not None:
                raise self._failure
            body = _bytes(message)
            if not message.get("more_body", False):
                await self._last(message, body)
            elif body:
                await self._next(message, body)
            else:
                await self._send(message)  # some servers hold the start until there is a body, were it an empty one

    async def _next(self, message: Message, body: bytes) -> None:
        if self._plan.learn is not None:
            self._learned.append(body)
        now = monotonic()
        wait = self._flushed + FLUSH_SECONDS - now
        if wait <= 0 or self._plan.is_events:
            coded = await self._flush(body)
        else:
            coded = await self._run(self._encoder.encode, body)
            self._is_pending = True
            if self._timer is None or self._timer.done.is_set():
                self._timer = _Timer()
                run_detached(self._flush_after(wait, self._timer))
        if coded:
            await self._send({**message, "body": coded})

    async def _flush(self, body: bytes) -> Any:
        coded = await self._run(self._encoder.flush, body)
        self._flushed = monotonic()
        self._is_pending = False
        return coded

    async def _last(self, message: Message, body: bytes) -> None:
        await self.stop_timer()
        if self._is_head and not body:
            await self._send(message)  # nothing of a body goes out
            return
        coded = await self._run(self._encoder.finish, body)
        await self._send({**message, "body": coded})
        if self._plan.learn is not None:
            await self._run(self._plan.learn, b"".join([*self._learned, body]))

    async def _flush_after(self, seconds: float, timer: _Timer) -> None:
        try:
            with timer.scope:
                await sleep(seconds)
                async with self._lock:
                    if self._is_pending:
                        coded = await self._flush(b"")
                        await self._send({"type": "http.response.body", "body": coded, "more_body": True})
        except Exception as error:  # noqa: BLE001
            self._failure = error  # what `send` raises, once the client has gone, is for the application
        finally:
            timer.done.set()

    async def stop_timer(self) -> None:
        """End the timer, if one runs, and wait until it has ended."""
        timer = self._timer
        if timer is not None and not timer.done.is_set():
            timer.scope.cancel()
            with CancelScope(shield=True):
                await timer.done.wait()


class _Timer:
    __slots__ = ("done", "scope")

    def __init__(self) -> None:
        self.scope = CancelScope()
        self.done = Event()


def _bytes(message: Message) -> bytes:
    body = message.get("body") or b""
    return body if body.__class__ is bytes else bytes(body)
