"""Decides about responses: which are coded, by what, and what their headers say. Configuration becomes bytes here."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

from .._http.headers import Header, pairs, request_values
from .._http.lists import members
from .._http.options import checked_callable, checked_int
from .._http.paths import Condition, matchers
from .._http.vary import Varied
from ..asgi import Message, Scope
from .content_types import ALONE, EVENTS, checked_types, kind_of
from .encoders import Brotli, Codec, Gzip, Zstd
from .etags import kept_apart, repeated, suffixed, translated
from .keywords import checked_encodings
from .negotiation import negotiate

if TYPE_CHECKING:
    from .dictionaries import Dictionary, Learning, Shelf

CODINGS = ("zstd", "br", "gzip")

_NO_CONTENT = frozenset({204, 205})

# Of a 304 the body is elsewhere, and of a 206 it is a part, by ranges of the plain bytes. Both have the Vary of a 200
# (RFC 9110 15.3.7, 15.4.5).
_UNCODED = frozenset({206, 304})

# The response headers that matter. But for the first two, few responses have one.
DECISIVE = frozenset(
    {
        *(b"content-type", b"content-length", b"content-encoding", b"content-range", b"cache-control", b"vary"),
        *(b"etag", b"accept-ranges", b"content-md5", b"digest", b"content-digest", b"repr-digest"),
        *(b"use-as-dictionary", b"transfer-encoding"),
    }
)

USUAL: Mapping[bytes, bytes] = {}
"""The decisive headers of a response that has, beside those two in lower case, none."""

# Not true of the coded body. RFC 9110 14.3: ranges would be of coded bytes, which no application counts; RFC 9530 2, 3:
# digests are of the content with its codings.
_NOT_OF_CODED = frozenset(
    {b"content-length", b"accept-ranges", b"content-md5", b"digest", b"content-digest", b"repr-digest"}
)
# A tag in trailers is of the plain body, too, and comes late: the coded one has another (RFC 9110 8.8.3.3).
NOT_OF_CODED_TRAILERS = _NOT_OF_CODED | {b"etag"}

# The request headers with tags to translate; `If` is WebDAV's (RFC 4918 10.4). Not If-Range: see `conditional`.
_CONDITIONS = frozenset({b"if-none-match", b"if-match", b"if"})

_MOST_KNOWN = 256
_LONGEST_KNOWN = 256  # of Accept-Encoding; a browser's has 40 bytes
# To read the 64 KB that servers let through holds the event loop for 30 to 70 ms, each time, as what is so long is not
# remembered. No client needs it, and plain content is right without the field, too.
_LONGEST_READ = 4096


class Asked:
    """What a request asks for.

    Args:
        codec: What its Accept-Encoding prefers; None for plain content.
        is_forced: Whether plain content is refused.
        takes_dictionary: Whether it would take a body coded by a dictionary.
        plain_lengths: What stands in Content-Length of bodies that are plain for it: some, or all.
        dictionary: The one that it names, if we have it.
        if_none_match: The tags that it holds, as it sent them.
        came: Its `path` and `root_path`, where they count: Litestar changes the one, mounts of Starlette the other.
    """

    __slots__ = ("came", "codec", "dictionary", "if_none_match", "is_forced", "plain_lengths", "takes_dictionary")

    def __init__(
        self,
        codec: Codec | None,
        is_forced: bool,
        takes_dictionary: bool,
        plain_lengths: Container[bytes],
        dictionary: Dictionary | None = None,
        if_none_match: bytes = b"",
        came: dict[str, Any] | None = None,
    ) -> None:
        self.codec = codec
        self.is_forced = is_forced
        self.takes_dictionary = takes_dictionary
        self.plain_lengths = plain_lengths
        self.dictionary = dictionary
        self.if_none_match = if_none_match
        self.came = came


class _All(Container[Any]):
    def __contains__(self, _: object) -> bool:
        return True


_ALL = _All()


class Plan:
    """A response that is to be coded, unless its whole body is too small, or does not shrink.

    Args:
        message: The start, as the application gave it.
        headers: Its headers, as exact pairs, with Vary.
        codec: By what it is to be coded.
        length: Content-Length as the application gave it, or None.
        is_usual: Whether of all headers only Content-Length, in lower case, is not true of the coded body.
        is_events: Whether it is an event stream, of which nothing is kept back, neither the start nor an event.
        is_forced: Whether it is coded whatever its size.
        is_weak: Whether its tag has to be weak.
    """

    __slots__ = (
        *("_headers", "_is_usual", "_is_weak", "_message"),
        *("codec", "is_events", "is_forced", "learning", "length", "mark"),
    )

    def __init__(
        self,
        message: Message,
        headers: list[Header],
        codec: Codec,
        length: int | None,
        is_usual: bool,
        is_events: bool,
        is_forced: bool,
        is_weak: bool,
    ) -> None:
        self._message = message
        self._headers = headers
        self._is_usual = is_usual
        self._is_weak = is_weak
        self.codec = codec
        self.length = length
        self.is_events = is_events
        self.is_forced = is_forced
        self.mark: Header | None = None
        """What tells the client that the coded response is a dictionary."""
        self.learning: Learning | None = None
        """Takes the body, which is a dictionary to be."""

    def plain(self) -> Message:
        """The start of the plain response."""
        headers = self._headers if self._is_usual else _tagged(self._headers, kept_apart)
        return {**self._message, "headers": headers}

    def coded(self, length: int | None) -> Message:
        """The start of the coded response, with the length of its body, or None if that is not known."""
        codec = self.codec
        if self._is_usual:
            headers = [pair for pair in self._headers if pair[0] != b"content-length"]
        else:
            headers = [pair for pair in self._headers if pair[0].lower() not in _NOT_OF_CODED]
            headers = _tagged(headers, lambda tag: suffixed(tag, codec.suffix, weak=self._is_weak))
        headers.append(codec.field)
        if length is not None and (self.length is not None or self._can_have_length(headers)):
            headers.append((b"content-length", b"%d" % length))
        if self.mark is not None:
            headers.append(self.mark)
        message = {**self._message}
        message["headers"] = headers
        return message

    def _can_have_length(self, headers: list[Header]) -> bool:
        # RFC 9112 7.1.2: trailers are a part of the chunked coding; 6.2: Content-Length does not stand beside it.
        return not self._message.get("trailers", False) and not (
            not self._is_usual and any(name.lower() == b"transfer-encoding" for name, _ in headers)
        )


class CompressionPolicy:
    """What `CompressionMiddleware` decides, by its keywords."""

    def __init__(
        self,
        *,
        minimum_size: int,
        encodings: Iterable[str],
        gzip_level: int,
        compresslevel: int | None,
        brotli_quality: int,
        zstd_level: int,
        exclude_content_types: Iterable[str],
        exclude_paths: Condition | Iterable[Condition],
        predicate: Callable[[Scope, Message], bool] | None,
        random_padding: int,
        dictionaries: Iterable[bytes | str | PathLike[str]],
        use_as_dictionary: Mapping[Any, str] | None,
    ) -> None:
        self.minimum_size = checked_int("minimum_size", minimum_size, 0)
        # The lengths below it, as they stand in Content-Length: looked up, and not parsed, for most responses. Of a
        # larger minimum not all of them; what is not found takes the longer way.
        self._small = frozenset([b"%d" % size for size in range(min(minimum_size, 1024))])
        padding = checked_int("random_padding", random_padding, 0, 65_536)
        gzip = _checked_gzip_level(gzip_level, compresslevel)
        brotli = checked_int("brotli_quality", brotli_quality, 0, 11)
        zstd = checked_int("zstd_level", zstd_level, -131_072, 22)
        made: dict[str, Callable[[], Codec]] = {
            "gzip": lambda: Gzip(gzip, padding),
            "br": lambda: Brotli(brotli, padding),
            "zstd": lambda: Zstd(zstd, padding),
        }
        self._codecs = {name.encode("ascii"): made[name]() for name in checked_encodings(encodings, CODINGS)}
        self.known: dict[bytes | None, Asked] = {None: Asked(None, False, False, _ALL)}
        """What requests ask for by Accept-Encoding, its lines joined by commas; for those of them that came."""
        self._excluded_types = checked_types(exclude_content_types)
        self.kinds: dict[bytes, str] = {}
        """What becomes of responses by their Content-Type, for those that came; empty where a predicate is asked."""
        self.excluded = matchers("exclude_paths", exclude_paths)
        if predicate is not None:
            checked_callable("predicate", predicate, "a plain callable of the scope and the start message, or None")
        self._predicate = predicate
        self._weak = padding > 0  # RFC 9110 8.8.1: a strong tag is of the very bytes, and no two paddings are alike
        self._shelf: Shelf | None = None
        if dictionaries not in ((), []) or use_as_dictionary is not None:
            from .dictionaries import Shelf  # here, as few need it

            self._shelf = Shelf(dictionaries, use_as_dictionary, zstd, padding)
        self.marks = self._shelf is not None and self._shelf.marks
        """Whether it is asked of paths, at the start of a response, if that is a dictionary."""
        self.varied = Varied(b"Accept-Encoding", *([] if self._shelf is None else [b"Available-Dictionary"]))
        """One line of Vary -> the same with the request headers that decide."""
        self.vary: list[Header] = [(b"vary", b", ".join(self.varied.names))]
        """What joins the headers of every response that could be coded, if they have no Vary of their own."""
        self.fields = _CONDITIONS | {b"accept-encoding", *([b"available-dictionary"] if self._shelf else [])}
        """The request headers that are looked for, in every request."""

    # ---- the request

    def asked(self, accept: bytes) -> Asked:
        """What a request asks for by Accept-Encoding, its lines joined by commas.

        Without that field, RFC 9110 12.5.3 allows any coding; but such a client may know none, and gets plain content.
        So does one whose field is too long to be read.
        """
        if len(accept) > _LONGEST_READ:
            return self.known[None]
        choice = negotiate(accept, tuple(self._codecs))
        codec = None if choice.coding is None else self._codecs[choice.coding]
        plain_lengths = _ALL if codec is None else frozenset[bytes]() if choice.is_forced else self._small
        asked = Asked(codec, choice.is_forced, choice.takes_dictionary, plain_lengths)
        # Few are in use. Clients that send others by the thousand fill no memory, and spoil nothing for long.
        if len(accept) <= _LONGEST_KNOWN:
            if len(self.known) >= _MOST_KNOWN:
                self.known = {None: self.known[None]}
            self.known[accept] = asked
        return asked

    def conditional(self, scope: Scope, asked: Asked) -> tuple[Asked, list[Header] | None]:
        """What a request asks for that names tags or a dictionary, and its headers in the application's own tags.

        The headers are None if they are as they should be. If-Range stays as it is: no range is answered from a coded
        response, so that its tag must not match (RFC 9110 13.1.5).
        """
        tags: list[bytes] = []
        fresh: list[Header] | None = None
        for index, (name, value) in enumerate(scope["headers"]):
            if name in _CONDITIONS:
                if name == b"if-none-match":
                    tags.append(value)
                field = translated(value, weak=self._weak)
                if field != value:
                    fresh = fresh or [*scope["headers"]]
                    fresh[index] = (name, field)
        dictionary = None
        if self._shelf is not None and asked.takes_dictionary:
            named = request_values(scope, b"available-dictionary")
            dictionary = self._shelf.find(named[0]) if len(named) == 1 else None
        asked = Asked(
            *(asked.codec, asked.is_forced, asked.takes_dictionary),
            # Where `dcz` is all that it takes, no length says that the body is plain.
            asked.plain_lengths if dictionary is None or asked.codec is not None else (),
            dictionary,
            b", ".join(tags),
            {key: scope[key] for key in ("path", "root_path") if key in scope} if self.marks else None,
        )
        return asked, fresh

    # ---- the response

    def start(self, message: Message, scope: Scope, asked: Asked) -> Message | Plan:
        """What becomes of a response that starts with `message`: the start to send, if it is plain, or a plan."""
        given = message.get("headers")
        headers = pairs(given)
        rare = _decisive(headers)
        content_type, length = rare.pop(b"content-type", b""), rare.pop(b"content-length", b"")
        fresh = {**message, "headers": headers}
        # Headers that could be read only once have been.
        unchanged = message if given is None or given.__class__ in (list, tuple) else fresh
        return self.decided(unchanged, fresh, headers, content_type, length, rare, scope, asked)

    def decided(
        self,
        given: Message,
        message: Message,
        headers: list[Header],
        content_type: bytes,
        declared: bytes,
        rare: Mapping[bytes, bytes],
        scope: Scope,
        asked: Asked,
    ) -> Message | Plan:
        """The same as `start`, of a response whose headers have been read.

        Args:
            given: What to send if nothing is changed.
            message: The start, with `headers`.
            headers: A list of exact pairs.
            content_type: Its Content-Type, or nothing.
            declared: Its Content-Length, or nothing.
            rare: Its other `DECISIVE` headers; or `USUAL`, if it has none, and those two in lower case.
            scope: Of the request, as the application got it.
            asked: What the request asks for.
        """
        kind = self.kinds.get(content_type) or self._kind(content_type)
        status = message["status"]
        if kind is ALONE or (
            (status != 200 or rare or self._predicate is not None)
            and self._is_left_alone(message, headers, rare, scope)
        ):
            tagged = _tagged(headers, kept_apart) if b"etag" in rare else headers
            return given if tagged is headers else {**message, "headers": tagged}
        headers = headers.copy()
        if b"vary" in rare:
            self.varied.add_to(headers)
        else:
            headers += self.vary
        length = _number(declared) if declared else None
        codec = asked.codec
        if codec is None and asked.dictionary is not None and kind is not EVENTS:  # `dcz` is all that it takes
            codec = asked.dictionary if self._shelf is not None and self._shelf.serves(scope, headers) else None
        if (
            codec is None
            or status in _UNCODED
            or (length is not None and length < self.minimum_size and kind is not EVENTS and not asked.is_forced)
        ):
            if b"etag" in rare:
                plain = headers
                headers = _tagged(headers, self._held_tag(asked) if status == 304 else kept_apart)
                if status == 304 and headers is not plain:
                    # RFC 9111 3.2: caches write what a 304 says onto the coded response that they hold.
                    headers = [pair for pair in headers if pair[0].lower() not in _NOT_OF_CODED]
            return {**message, "headers": headers}
        plan = Plan(message, headers, codec, length, rare is USUAL, kind is EVENTS, asked.is_forced, self._weak)
        if self._shelf is not None and kind is not EVENTS:
            self._use_dictionary(plan, self._shelf, message, headers, rare, scope, asked)
        return plan

    def _is_left_alone(
        self, message: Message, headers: list[Header], rare: Mapping[bytes, bytes], scope: Scope
    ) -> bool:
        """Whether a response of a type to code is plain for every client, and has no Vary of ours."""
        if message["status"] in _NO_CONTENT or message["status"] < 200:
            return True
        # The application has coded the body itself, or sends a part of it. `identity` is how it opts out.
        if b"content-encoding" in rare or (b"content-range" in rare and message["status"] != 206):
            return True
        if b"no-transform" in _directives(rare):  # RFC 9111 5.2.2.6
            return True
        # A copy, as it is the user's: what it writes goes nowhere.
        return self._predicate is not None and not self._predicate(scope, {**message, "headers": headers.copy()})

    def _held_tag(self, asked: Asked) -> Callable[[bytes], bytes]:
        codec = asked.dictionary or asked.codec
        suffix = b"" if codec is None else codec.suffix
        return lambda tag: repeated(tag, asked.if_none_match, suffix, weak=self._weak)

    def _use_dictionary(
        self,
        plan: Plan,
        shelf: Shelf,
        message: Message,
        headers: list[Header],
        rare: Mapping[bytes, bytes],
        scope: Scope,
        asked: Asked,
    ) -> None:
        if not shelf.serves(scope, headers):
            return
        plan.codec = asked.dictionary or plan.codec
        method = scope["method"]
        if method not in ("GET", "HEAD") or message["status"] != 200 or not _is_kept(rare):
            return
        is_learned, plan.mark = shelf.mark({**scope, **(asked.came or {})}, rare.get(b"use-as-dictionary"))
        # RFC 9110 9.3.2: HEAD has the header fields of GET, but no client gets its body.
        plan.learning = shelf.learning() if is_learned and method == "GET" else None

    def _kind(self, content_type: bytes) -> str:
        kind = kind_of(content_type, self._excluded_types)
        if self._predicate is None:
            if len(self.kinds) >= _MOST_KNOWN:
                self.kinds = {}
            self.kinds[content_type] = kind
        return kind


def _number(value: bytes) -> int | None:
    try:
        return int(value)
    except ValueError:  # for the server to judge
        return None


def _decisive(headers: Iterable[Header]) -> dict[bytes, bytes]:
    """The headers that matter, by name in lower case; lines of the same name are joined, if it is a list's."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        field = name.lower()
        if field in DECISIVE:
            # RFC 9110 5.3; the two of which there must be one, last wins, as where they are read in one pass.
            is_more = field in found and field not in (b"content-type", b"content-length")
            found[field] = found[field] + b", " + value if is_more else value
    return found


def _is_kept(rare: Mapping[bytes, bytes]) -> bool:
    """Whether a client may keep the response as a dictionary: it has to be fresh when it is used (RFC 9842 2.2.1)."""
    return not {b"no-store", b"no-cache"} & _directives(rare)


def _directives(rare: Mapping[bytes, bytes]) -> set[bytes]:
    value = rare.get(b"cache-control")
    return set() if value is None else {member.lower() for member in members([value])}


def _tagged(headers: list[Header], edit: Callable[[bytes], bytes]) -> list[Header]:
    """The headers with another ETag; the same list if it has none, or stays as it is."""
    fresh = headers
    for index, (name, value) in enumerate(headers):
        if name.lower() == b"etag" and (tag := edit(value)) != value:
            fresh = headers.copy() if fresh is headers else fresh
            fresh[index] = (name, tag)
    return fresh


def _checked_gzip_level(gzip_level: int, compresslevel: int | None) -> int:
    level = checked_int("gzip_level", gzip_level, 0, 9)
    if compresslevel is None:
        return level
    if level not in (4, compresslevel):
        raise ValueError(
            f"give gzip_level or compresslevel, two names of one thing (got {level} and {compresslevel!r})"
        )
    return checked_int("compresslevel", compresslevel, 0, 9)
