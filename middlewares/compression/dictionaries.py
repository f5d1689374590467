"""Compression dictionaries (RFC 9842): `dcz`, who may get it, and dictionaries that are learned from responses."""

from __future__ import annotations

import re
import threading
from binascii import a2b_base64
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from os import PathLike
from pathlib import Path
from typing import Any, cast

from .._http.headers import Header
from .._http.paths import matcher
from ..asgi import Scope
from .encoders import Encoder, Zstd, with_first_output, zstd_module

# RFC 9842 5: the magic number of a skippable frame, and its size, which is that of the hash behind it.
_MAGIC = b"\x5e\x2a\x4d\x18\x20\x00\x00\x00"

# RFC 8941 3.3.5: a byte sequence stands between colons; its parameters say nothing here. 32 bytes are 43 digits of
# base64 and one of padding, which may be missing (4.2.7). No two parts that follow each other take the same bytes, so
# that no value makes the expression go back: linear whatever comes.
_HASH = re.compile(rb" *:([A-Za-z0-9+/]{43})=?: *(?:;[^:,]*)?")

# Clients hold few versions of few files: this is room for 64 of 256 KB. In use, one takes 2 MB at level 3, 10 MB at 19.
MOST_LEARNED, MOST_LEARNED_BYTES = 64, 16_777_216
LARGEST_LEARNED = 4_194_304

_SMALLEST = 8  # of zstd


class Dictionary(Zstd):
    """`dcz`: zstd with one dictionary.

    Args:
        data: The dictionary, as clients got it.
        level: As of `Zstd`.
        padding: As of `Zstd`.
    """

    def __init__(self, data: bytes, level: int, padding: int = 0) -> None:
        super().__init__(level, padding)
        zstd = zstd_module()
        self.hash = sha256(data).digest()
        self.size = len(data)
        self._header = _MAGIC + self.hash
        self.field: Header = (b"content-encoding", b"dcz")
        # Bodies coded by two dictionaries are two representations.
        self.suffix = b"-dcz-" + self.hash[:8].hex().encode("ascii")
        # Used as it comes it would be searched anew for each body, which took 40 times as long for 280 KB.
        digested = zstd.ZstdDict(data, is_raw=True).as_digested_dict
        self._new = lambda options: zstd.ZstdCompressor(options=options, zstd_dict=digested)
        # RFC 9842 5: 8 MB, or a quarter more than the dictionary, 128 MB at most. It has to be named, as the window of
        # the level may be smaller, and what lies behind the window is not found.
        window = min(max(8 << 20, self.size * 5 // 4), 128 << 20)
        self._options[zstd.CompressionParameter.window_log] = window.bit_length() - 1
        self.is_slow = True  # until it is digested: 3 ms for 280 KB
        # One context, of 0.8 MB at level 3 and 5 MB at 19, and not one for each thread: there are many dictionaries.
        self._idle = deque(maxlen=1)

    def whole(self, body: bytes) -> bytes:
        """Code a complete body."""
        return self._headed(super().whole(body))

    def stream(self, *, events: bool) -> Encoder:
        """Begin a stream, which is never one of events: their window would leave nothing of a dictionary."""
        del events
        return with_first_output(self._encoder(self._new(self._options)), self._headed)

    def _headed(self, coded: bytes) -> bytes:
        self.is_slow = False
        return self._header + coded


class Shelf:
    """The dictionaries at hand: those given at construction, and the latest of those learned.

    Args:
        dictionaries: Those to keep for good, as bytes or paths.
        uses: Where responses are dictionaries: condition -> URL pattern. None: nothing is learned.
        level: As of `Zstd`.
        padding: As of `Zstd`.
    """

    def __init__(
        self,
        dictionaries: Iterable[bytes | str | PathLike[str]],
        uses: Mapping[Any, str] | None,
        level: int,
        padding: int,
    ) -> None:
        self._level, self._padding = level, padding
        self._uses = None if uses is None else _checked_uses(uses)
        given = [Dictionary(data, level, padding) for data in _checked_dictionaries(dictionaries)]
        for dictionary in given:
            dictionary.whole(b"")  # digests it
        self._given = {dictionary.hash: dictionary for dictionary in given}
        self._learned: OrderedDict[bytes, Dictionary] = OrderedDict()
        self._bytes = 0
        self.held = 0
        """The bytes of bodies that are not complete yet."""
        self._lock = threading.Lock()

    def find(self, available: bytes) -> Dictionary | None:
        """The dictionary that the value of Available-Dictionary names, if it is at hand (RFC 9842 2.2)."""
        match = _HASH.fullmatch(available)
        if match is None:
            return None
        digest = a2b_base64(match[1] + b"=")
        if digest in self._given:
            return self._given[digest]
        with self._lock:
            if digest in self._learned:
                self._learned.move_to_end(digest)
            return self._learned.get(digest)

    def learn(self, data: bytes) -> None:
        """Keep a body as a dictionary; those that were of no use for the longest time make room for it."""
        if not _SMALLEST <= len(data) <= LARGEST_LEARNED:
            return
        digest = sha256(data).digest()
        with self._lock:
            if digest in self._given or digest in self._learned:
                return
        dictionary = Dictionary(data, self._level, self._padding)  # not under the lock, which `find` takes in the loop
        with self._lock:
            if digest in self._learned:
                return
            self._learned[digest] = dictionary
            self._bytes += len(data)
            while len(self._learned) > MOST_LEARNED or self._bytes > MOST_LEARNED_BYTES:
                _, dropped = self._learned.popitem(last=False)
                self._bytes -= dropped.size

    def learning(self) -> Learning:
        """For one body that is to be learned."""
        return Learning(self)

    @property
    def marks(self) -> bool:
        """Whether there is a condition to ask."""
        return bool(self._uses)

    def mark(self, scope: Scope, own: bytes | None) -> tuple[bool, Header | None]:
        """Whether a response is a dictionary to learn, and the header to say so, unless it has its `own`."""
        if self._uses is None or own is not None:
            return self._uses is not None, None
        use = next((field for matches, field in self._uses if matches(scope)), None)
        return use is not None, use

    @staticmethod
    def serves(scope: Scope, headers: Iterable[Header]) -> bool:
        """Whether the page that asked may read the response, so that its coded size tells it nothing new.

        RFC 9842 9.3.3. Without Sec-Fetch-Mode, no browser asks.
        """
        sent = dict(scope["headers"])
        mode = sent.get(b"sec-fetch-mode")
        if sent.get(b"sec-fetch-site") == b"same-origin" or mode in (None, b"navigate", b"same-origin"):
            return True
        allowed = [value for name, value in headers if name.lower() == b"access-control-allow-origin"]
        origin = sent.get(b"origin")
        return mode == b"cors" and origin is not None and allowed in ([b"*"], [origin])


class Learning:
    """A body on its way to become a dictionary. What is held of all of them together is bounded, as what is learned is.

    Attributes:
        size: The bytes that are held.
    """

    __slots__ = ("_pieces", "_shelf", "size")

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._pieces: list[bytes] | None = []
        self.size = 0

    def add(self, piece: bytes) -> None:
        """Hold the next piece, as long as there is room."""
        if self._pieces is None:
            return
        self._pieces.append(piece)
        self.size += len(piece)
        self._shelf.held += len(piece)
        if self.size > LARGEST_LEARNED or self._shelf.held > MOST_LEARNED_BYTES:
            self.drop()

    def finish(self) -> None:
        """Learn the body, which is complete."""
        if self._pieces is not None:
            self._shelf.learn(b"".join(self._pieces))
        self.drop()

    def drop(self) -> None:
        """Let go of what is held."""
        self._shelf.held -= self.size
        self.size = 0
        self._pieces = None


def _checked_dictionaries(dictionaries: Iterable[bytes | str | PathLike[str]]) -> list[bytes]:
    if isinstance(dictionaries, str | bytes | PathLike) or not isinstance(cast("Any", dictionaries), Iterable):
        raise TypeError("dictionaries must be a list of contents, as bytes, or of paths (got one alone)")
    found: list[bytes] = []
    for given in dictionaries:
        if not isinstance(cast("Any", given), bytes | str | PathLike):
            raise TypeError(f"dictionaries must hold contents, as bytes, or paths (got {given!r})")
        data = given if isinstance(given, bytes) else _read(given)
        if len(data) < _SMALLEST:
            raise ValueError(f"dictionaries must hold contents of at least {_SMALLEST} bytes (got {data!r})")
        found.append(data)
    return found


def _read(given: str | PathLike[str]) -> bytes:
    path = Path(given)
    try:
        return path.read_bytes()
    except OSError as error:
        raise OSError(error.errno, f"dictionaries: {error.strerror}", str(path)) from error


def _checked_uses(uses: Mapping[Any, str]) -> list[tuple[Callable[[Scope], bool], Header]]:
    if not isinstance(cast("Any", uses), Mapping):
        raise TypeError(f"use_as_dictionary must map paths to URL patterns (got {uses!r})")
    checked: list[tuple[Callable[[Scope], bool], Header]] = []
    for condition, pattern in uses.items():
        if not isinstance(cast("Any", pattern), str):
            raise TypeError(f"use_as_dictionary must map to URL patterns as str (got {pattern!r})")
        # RFC 9842 2.1.1: no regular expressions; RFC 8941 3.3.3: what a string may hold.
        if not (pattern and pattern.isascii() and pattern.isprintable()) or "(" in pattern:
            raise ValueError(
                f"use_as_dictionary must map to URL patterns in ASCII, without groups, such as '/app/*.js' "
                f"(got {pattern!r})"
            )
        quoted = pattern.replace("\\", "\\\\").replace('"', '\\"')
        field = (b"use-as-dictionary", f'match="{quoted}"'.encode("ascii"))
        checked.append((matcher("use_as_dictionary", condition), field))
    return checked
