"""Decides about coded requests: what Content-Encoding says, what is accepted, and which status refuses a body."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, Final, cast

from .._http.headers import Header
from .._http.lists import members
from ..asgi import Message
from .decoders import CODINGS, DecodeError, Decoder, decoder_maker
from .keywords import checked_encodings

# RFC 9110 8.4.1.3: a recipient takes x-gzip for gzip.
_ALIASES = {b"gzip": (b"x-gzip",)}

# RFC 9110 9.3: content has no meaning in requests with these methods, so that most have none.
_WITHOUT_CONTENT = frozenset({"GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "CONNECT"})


class Refusal(Exception):  # noqa: N818 - no error of the program: an answer on its way
    """The body cannot be handed on; raised by `receive`, and answered with the status and the detail."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail


class DecompressionPolicy:
    """What is accepted, checked at construction.

    Args:
        max_size: The most bytes that a body may decode to.
        encodings: The codings that are accepted.
    """

    __slots__ = ("_makers", "accept_encoding", "max_size", "unsupported")

    def __init__(self, *, max_size: int, encodings: Iterable[str]) -> None:
        if cast("Any", type(max_size)) is not int:
            raise TypeError(f"max_size must be a number of bytes, an int (got {max_size!r})")
        if max_size < 1:
            raise ValueError(f"max_size must be at least 1 byte (got {max_size}); for no limit give sys.maxsize")
        self.max_size = max_size
        names = checked_encodings(encodings, CODINGS)
        self._makers: dict[bytes, tuple[str, Callable[[], Decoder]]] = {}
        for name in names:
            made = (name, decoder_maker(name))
            for token in (name.encode("ascii"), *_ALIASES.get(name.encode("ascii"), ())):
                self._makers[token] = made
        listed = ", ".join(names)
        # RFC 9110 12.5.3: in a 415, Accept-Encoding says what would have been accepted.
        self.accept_encoding: Final[Header] = (b"accept-encoding", listed.encode("ascii"))
        self.unsupported: Final = f"The request body must be sent plain, or in one of these content codings: {listed}."

    def body(self, values: Iterable[bytes], method: str) -> DecodedBody | None:
        """The decoder for a request with these Content-Encoding lines; None if its body is plain.

        Args:
            values: The lines of Content-Encoding.
            method: The method of the request: see `DecodedBody`.

        Raises:
            Refusal: The coding is not accepted (415). Codings upon each other are not, either: nobody sends them but to
                multiply the work.
        """
        codings = [member.lower() for member in members(values)]
        codings = [coding for coding in codings if coding != b"identity"]  # RFC 9110 8.4.1: reserved for "none"
        if not codings:
            return None
        if len(codings) > 1 or codings[0] not in self._makers:
            raise Refusal(415, self.unsupported)
        name, make = self._makers[codings[0]]
        return DecodedBody(make(), name, self.max_size, may_be_empty=method in _WITHOUT_CONTENT)


def decoded_headers(headers: Iterable[Header]) -> list[Header]:
    """The headers of a request without those that are true of its coded body alone.

    Content-Length counts coded bytes (RFC 9110 8.6), Content-MD5 and Content-Digest are of them (RFC 9530 2); a
    Repr-Digest is of the representation, whose codings are part of it (RFC 9530 3).
    """
    return [pair for pair in headers if pair[0] not in _CODED_FIELDS]


_CODED_FIELDS = frozenset(
    {b"content-encoding", b"content-length", b"content-md5", b"content-digest", b"digest", b"repr-digest"}
)


class DecodedBody:
    """The body of one request, decoded as it comes: `feed` a message, `step`, then `take` a message.

    A step may be made in a thread. If its caller is cancelled meanwhile, nothing is lost: the next step waits for it,
    finds its outcome, and leaves it at that.

    Args:
        decoder: Decodes it.
        name: The name of its coding, for the client.
        max_size: The most bytes that it may decode to.
        may_be_empty: Whether not a single byte is no content at all, of which Content-Encoding says nothing (some
            clients send the field with every request). Else that is a body cut off before its first byte.
    """

    __slots__ = ("_decoder", "_lock", "_max_size", "_may_be_empty", "_more", "_name", "_outcome", "_size", "is_over")

    def __init__(self, decoder: Decoder, name: str, max_size: int, *, may_be_empty: bool) -> None:
        self._decoder = decoder
        self._name = name
        self._max_size = max_size
        self._may_be_empty = may_be_empty  # as long as no byte has come
        self._size = 0
        self._more = True
        self._outcome: Message | Refusal | None = None
        self._lock = threading.Lock()
        self.is_over = False

    @property
    def needs_input(self) -> bool:
        """Whether the next message of the client is to be fed, since nothing is left of the last one."""
        with self._lock:
            return self._outcome is None and self._more and self._decoder.needs_input

    def feed(self, message: Message) -> int:
        """Take a message of the client; the number of its bytes."""
        data = message.get("body") or b""
        with self._lock:
            self._more = message.get("more_body", False)
            self._may_be_empty = self._may_be_empty and not data
            self._decoder.feed(data)
        return len(data)

    def step(self, limit: int) -> None:
        """Decode about `limit` bytes, with no exception: what went wrong is for `take`."""
        with self._lock:
            if self._outcome is None:
                try:
                    self._outcome = self._next(min(limit, self._max_size - self._size + 1))
                except DecodeError:
                    self._outcome = Refusal(400, self._invalid("is damaged"))

    def take(self) -> Message | None:
        """The message that the last step has made; None if it came to none yet.

        Raises:
            Refusal: The body is none that can be handed on.
        """
        outcome = self._outcome
        if isinstance(outcome, Refusal):
            raise outcome.with_traceback(None)  # each time that somebody asks
        self._outcome = None
        if outcome is not None:
            self.is_over = not outcome["more_body"]
        return outcome

    def _next(self, limit: int) -> Message | Refusal | None:
        piece = self._decoder.read(limit)
        self._size += len(piece)
        if self._size > self._max_size:
            return Refusal(413, f"The request body decodes to more than {self._max_size} bytes.")
        is_last = not self._more and self._decoder.needs_input
        if is_last and not self._decoder.is_complete and not self._may_be_empty:
            return Refusal(400, self._invalid("ends too early"))
        if piece or is_last:
            return {"type": "http.request", "body": piece, "more_body": not is_last}
        return None

    def _invalid(self, what: str) -> str:
        window = ", or has a window above 8 MB" if self._name == "zstd" and what == "is damaged" else ""
        return f"The request body is not valid {self._name}: it {what}{window}."
