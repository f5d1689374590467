"""One response while it is coded: holds its start until the body tells what becomes of it, then codes each message.

This file imports anyio, which is third-party: it is imported as a middleware is constructed, not with the room.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

from anyio import CancelScope, Event, Lock, sleep

from .._http.tasks import run_detached
from ..asgi import Message, Send
from .policy import NOT_OF_CODED_TRAILERS, Plan
from .threads import run_in_thread

if TYPE_CHECKING:
    from .dictionaries import Learning

# What was sent can be decoded after this time, at the latest. A slower stream is flushed with each message, a faster
# one so seldom that it shrinks: 2000 messages of 20 bytes, each flushed, would shrink to two thirds only.
FLUSH_SECONDS = 0.025

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

    __slots__ = ("_done", "_is_busy", "_is_head", "_minimum_size", "_plan", "_send", "_stream", "_threads_from", "send")

    def __init__(self, plan: Plan, send: Send, is_head: bool, minimum_size: int, thread_minimum_size: int) -> None:
        self._plan = plan
        self._send = send
        self._is_head = is_head
        self._minimum_size = minimum_size
        self._threads_from = thread_minimum_size
        self._stream: _Stream | None = None
        self._is_busy = False
        self._done: Event | None = None
        self.send: Send = self._first
        """Takes the messages that follow the start."""

    async def begin(self) -> None:
        """Take the start: an event stream sends it at once, since its client waits for it, not for an event."""
        if self._plan.is_events:
            self._is_busy = True
            try:
                stream = self._new_stream()
                await self._send(self._plan.coded(None))
                self.send = stream.send
            except BaseException as error:
                self._break(error)
                raise
            finally:
                self._release()

    async def _first(self, message: Message) -> None:
        """Take a message before it is clear what becomes of the response."""
        kind = message["type"]
        if kind != "http.response.body" and kind not in _FILES and kind != "http.response.start":
            await self._send(message)
        elif self._is_busy:
            # Another task of the application has sent the first piece, which is on its way.
            if self._done is None:
                self._done = Event()
            await self._done.wait()
            await self.send(message)
        else:
            self._is_busy = True
            try:
                if kind == "http.response.body":
                    await self._first_body(message)
                else:  # a file, which was not offered; or another start, which is for the server to refuse
                    await self._settle(self._plan.plain(), message)
            except BaseException as error:
                self._break(error)
                raise
            finally:
                self._release()

    async def _first_body(self, message: Message) -> None:
        plan = self._plan
        body = message.get("body") or b""
        if body.__class__ is not bytes:
            body = bytes(body)
        size = len(body)
        more = message.get("more_body", False)
        if self._is_head and not size and not more:
            # RFC 9110 9.3.2: the header fields of GET, as far as they are known without its body.
            await self._settle(plan.coded(None), message, is_coded=True)
        elif more and (size == 0 or size != plan.length):
            stream = self._new_stream()
            await self._send(plan.coded(None))
            await stream.send(message)
            self.send = stream.send
        elif (size < self._minimum_size and not plan.is_forced) or (plan.length is not None and size != plan.length):
            # Small; or not what Content-Length says, which is for the server to refuse.
            await self._settle(plan.plain(), message)
        else:
            # A whole body. (Bridges to WSGI and some frameworks send it so, and then an empty end.)
            if size < self._threads_from and not plan.codec.is_slow:
                coded = plan.codec.whole(body)
            else:
                coded = await run_in_thread(plan.codec.whole, body)
            if len(coded) < size or plan.is_forced:
                message = {**message}
                message["body"] = coded
                await self._settle(plan.coded(len(coded)), message, is_coded=True)
                if plan.learning is not None:
                    await _learn(plan.learning, body, self._threads_from)
            else:
                await self._settle(plan.plain(), message)

    async def _settle(self, start: Message, message: Message, *, is_coded: bool = False) -> None:
        await self._send(start)
        await self._send(message)
        # Whatever follows passes. (No method here: a response that holds its own is left to the garbage collector.)
        self.send = _after_coded(self._send) if "trailers" in start and is_coded else self._send

    def _new_stream(self) -> _Stream:
        self._stream = _Stream(self._plan, self._send, self._threads_from, is_head=self._is_head)
        return self._stream

    def _break(self, error: BaseException) -> None:
        async def broken(_: Message) -> None:
            raise RuntimeError("the response broke off") from error

        self.send = broken

    def _release(self) -> None:
        self._is_busy = False
        if self._done is not None:
            self._done.set()

    async def close(self) -> None:
        """Leave nothing behind, however the application ended. A stream without its end stays without it."""
        if self._stream is not None:
            await self._stream.stop_timer()
        if self._plan.learning is not None:
            self._plan.learning.drop()


async def _learn(learning: Learning, last: bytes, threads_from: int) -> None:
    """Keep a body that has been sent, of which this is the last piece: it is to be a dictionary."""
    learning.add(last)
    if learning.size < threads_from:
        learning.finish()
    else:
        await run_in_thread(lambda learning: learning.finish(), learning)


class _Stream:
    """A body that comes in pieces."""

    __slots__ = (
        "_encoder",
        "_failure",
        "_flushed",
        "_is_head",
        "_is_pending",
        "_left",
        "_lock",
        "_plan",
        "_send",
        "_threads_from",
        "_timer",
    )

    def __init__(self, plan: Plan, send: Send, threads_from: int, *, is_head: bool) -> None:
        self._plan = plan
        self._send = send
        self._threads_from = threads_from
        self._is_head = is_head
        self._left = plan.length
        self._encoder = plan.codec.stream(events=plan.is_events)
        self._lock = Lock(fast_acquire=True)
        self._timer: _Timer | None = None
        self._failure: Exception | None = None
        self._flushed = float("-inf")
        self._is_pending = False

    async def send(self, message: Message) -> None:
        """Take a message that follows the start."""
        kind = message["type"]
        if kind in _FILES:
            raise RuntimeError(f"{kind} cannot follow the start of a coded response; the extension was not offered")
        if kind != "http.response.body":
            await self._send(_of_coded(message))
            return
        # The timer sends, too, and event streams have several writers: one of events, one of what keeps them open.
        async with self._lock:
            if self._failure is not None:
                raise self._failure
            try:
                await self._coded(message)
            except BaseException as error:
                self._break(error)
                raise

    async def _coded(self, message: Message) -> None:
        body = message.get("body") or b""
        if body.__class__ is not bytes:
            body = bytes(body)
        if self._left is not None:
            self._left -= len(body)
        if not message.get("more_body", False):
            await self._last(message, body)
        elif body:
            await self._next(message, body)
        else:
            await self._send(message)  # some servers hold the start until there is a body, were it an empty one

    def _break(self, error: BaseException) -> None:
        # What was coded and did not go out is missing: no end may follow, as if nothing had happened.
        self._failure = error if isinstance(error, Exception) else RuntimeError("the response broke off")

    async def _next(self, message: Message, body: bytes) -> None:
        if self._plan.learning is not None:
            self._plan.learning.add(body)
        now = monotonic()
        wait = self._flushed + FLUSH_SECONDS - now
        if wait <= 0 or self._plan.is_events:
            coded = await self._flush(body)
        else:
            coded = await self._run(self._encoder.encode, body)
            self._is_pending = True
            if self._timer is None or self._timer.done.is_set():
                self._timer = _Timer()
                run_detached(self._flush_after(wait, self._timer), self._timer.done.set)
        if coded:
            await self._send({**message, "body": coded})

    async def _flush(self, body: bytes) -> Any:
        coded = await self._run(self._encoder.flush, body)
        self._flushed = monotonic()
        self._is_pending = False
        return coded

    async def _run(self, step: Callable[[bytes], Any], body: bytes) -> Any:
        if len(body) < self._threads_from and not self._plan.codec.is_slow:
            return step(body)
        return await run_in_thread(step, body)

    async def _last(self, message: Message, body: bytes) -> None:
        await self.stop_timer()
        if self._is_head and not body:
            await self._send(message)  # nothing of a body goes out
            return
        if self._left:
            raise RuntimeError(
                f"the body has not the length that Content-Length says: {self._plan.length} bytes; it is not ended"
            )
        coded = await self._run(self._encoder.finish, body)
        await self._send({**message, "body": coded})
        if self._plan.learning is not None:
            await _learn(self._plan.learning, body, self._threads_from)

    async def _flush_after(self, seconds: float, timer: _Timer) -> None:
        try:
            with timer.scope:
                await sleep(seconds)
                async with self._lock:
                    if self._is_pending and self._failure is None:
                        coded = await self._flush(b"")
                        await self._send({"type": "http.response.body", "body": coded, "more_body": True})
        except Exception as error:  # noqa: BLE001
            self._break(error)  # what `send` raises, once the client has gone, is for the application
        except BaseException as error:
            self._break(error)
            raise
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


def _after_coded(send: Send) -> Send:
    return lambda message: send(_of_coded(message))


def _of_coded(message: Message) -> Message:
    """A message beside a coded body: trailers lose what is true of the plain one alone, all others are as they were."""
    if message["type"] != "http.response.trailers":
        return message
    headers = [*(message.get("headers") or ())]
    kept = [pair for pair in headers if pair[0].lower() not in NOT_OF_CODED_TRAILERS]
    return message if len(kept) == len(headers) else {**message, "headers": [(bytes(n), bytes(v)) for n, v in kept]}
