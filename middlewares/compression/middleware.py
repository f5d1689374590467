"""The ASGI shell of compression: asks the policy as a response starts, and hands coded ones to a `CodedResponse`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar

from .._http.headers import Header
from .._http.options import checked_int
from .._http.paths import Condition
from .._http.scope import share_written
from ..asgi import AnyASGIApp, Message, OrderRules, Receive, Scope, Send, entry
from .content_types import CODED, EXCLUDED_CONTENT_TYPES
from .policy import DECISIVE, USUAL, Asked, CompressionPolicy, Plan

if TYPE_CHECKING:
    from .responses import CodedResponse

# A file that is sent by the server itself goes past every layer, so that it would go out plain.
_FILE_EXTENSIONS = ("http.response.pathsend", "http.response.zerocopysend")


class CompressionMiddleware:
    """Codes the bodies of responses by what Accept-Encoding prefers: zstd, brotli or gzip, or `dcz` by a dictionary.

    Args:
        app: The application to wrap (ASGI 3, or an ASGI 2 double callable).
        minimum_size: The least bytes of a body to code, where its size is known: complete bodies, and streams with a
            Content-Length. It does not hold for event streams, nor where the client refuses plain content.
            Default: 500.
        encodings: The codings on offer, of "zstd", "br" and "gzip", the favourite first: it wins where the client likes
            several as much. Default: all, in this order.
        gzip_level: 0 to 9. Default: 4, which takes half the time of 6 for 6 % more bytes.
        compresslevel: Starlette's name for `gzip_level`. None: not given.
        brotli_quality: 0 to 11. Default: 4. From 9 on it takes more than 1 ms for the smallest body. In event streams 4
            is 3, which takes half the memory.
        zstd_level: -131072 to 22. Default: 3.
        thread_minimum_size: From how many bytes on a body, or a piece of a stream, is coded in a thread, so that the
            event loop stays free. Default: 65 536, which take 1 ms at most at the default levels.
        exclude_content_types: Types to leave alone: exact, or "image/*". Given, they stand in place of the default:
            images (but for SVG and bitmaps), audio, video, web fonts, archives, PDF, gRPC, application/octet-stream.
        exclude_paths: Where to code nothing: path prefixes on segment borders, compiled patterns that are searched in
            the path (both: below `root_path`), or callables of the scope; one, or a list. Default: nowhere.
        predicate: `(scope, start_message) -> bool`, asked last, once for each response that would be coded by all
            else; False leaves it alone. The scope is what the layer inside got, with what that wrote into it, such as a
            session; the start is a copy. What it raises goes up. None: not asked.
        random_padding: The most bytes, up to 65 536, that each coded body grows by at random: against BREACH, where
            secrets stand in one body with what a client has sent. The tags of such bodies are weak. Default: 0.
        dictionaries: Compression dictionaries (RFC 9842), as bytes or paths of files that are read here: clients that
            hold one get `dcz`. What attackers may write must not stand in one. Default: none.
        use_as_dictionary: Where responses are dictionaries for later ones: `{"/app": "/app/*.js"}` maps conditions, as
            of `exclude_paths`, to URL patterns. Coded responses to GET and HEAD are marked by Use-As-Dictionary there,
            and what clients got is kept to code against: the latest 64, 16 MiB in all, 4 MiB at most each. One of
            256 KB that was used takes 2 MB, and 10 MB at `zstd_level=19`. The application's own Use-As-Dictionary
            counts, too, even with `{}`. None: nowhere.

    Raises:
        TypeError: A keyword has a value of the wrong type.
        ValueError: A keyword has a value out of its bounds, or an unknown name.
        OSError: A file of `dictionaries` cannot be read.

    Source: RFC 9110 8.4, 8.8.3, 12.5.3; RFC 9659; RFC 9842.
    """

    asgi_order: ClassVar[OrderRules] = {
        "kinds": ("compressor",),
        "outside": {
            "cache": "that layer keeps one copy for each coding, and can answer 304 only after compressing",
            "etag": "that layer makes its tags of coded bytes, and can answer 304 only after compressing",
        },
        "once": {"compressor": "the outer one works for nothing, or codes a body that is coded already"},
    }

    def __init__(
        self,
        app: AnyASGIApp,
        *,
        minimum_size: int = 500,
        encodings: Iterable[str] = ("zstd", "br", "gzip"),
        gzip_level: int = 4,
        compresslevel: int | None = None,
        brotli_quality: int = 4,
        zstd_level: int = 3,
        thread_minimum_size: int = 65_536,
        exclude_content_types: Iterable[str] = EXCLUDED_CONTENT_TYPES,
        exclude_paths: Condition | Iterable[Condition] = (),
        predicate: Callable[[Scope, Message], bool] | None = None,
        random_padding: int = 0,
        dictionaries: Iterable[bytes | str | PathLike[str]] = (),
        use_as_dictionary: Mapping[Any, str] | None = None,
    ) -> None:
        from .responses import CodedResponse  # imports anyio: not with the room, nor on the first request

        self.app = app
        self._app = entry(app)
        self._policy = CompressionPolicy(
            minimum_size=minimum_size,
            encodings=encodings,
            gzip_level=gzip_level,
            compresslevel=compresslevel,
            brotli_quality=brotli_quality,
            zstd_level=zstd_level,
            exclude_content_types=exclude_content_types,
            exclude_paths=exclude_paths,
            predicate=predicate,
            random_padding=random_padding,
            dictionaries=dictionaries,
            use_as_dictionary=use_as_dictionary,
        )
        self._thread_minimum_size = checked_int("thread_minimum_size", thread_minimum_size, 0)
        self._new_response = CodedResponse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application, and code its response if it is to be."""
        policy = self._policy
        if scope["type"] != "http" or (policy.excluded and any(matches(scope) for matches in policy.excluded)):
            await self._app(scope, receive, send)
            return
        accept: bytes | None = None
        is_conditional = policy.marks
        fields = policy.fields
        for name, value in scope["headers"]:
            if name in fields:
                if name != b"accept-encoding":
                    is_conditional = True
                else:
                    accept = value if accept is None else accept + b"," + value
        asked = policy.known.get(accept) or policy.asked(accept or b"")
        inner = scope
        if is_conditional or (asked.codec is not None and "extensions" in scope):
            headers = None
            if is_conditional:
                asked, headers = policy.conditional(scope, asked)
            inner = _inner(scope, headers, codes=asked.codec is not None or asked.dictionary is not None)
            send = send if inner is scope else _sharing(send, inner, scope)
        response: CodedResponse | None = None

        # Defaults in place of a closure, since that is what keeps the layer cheap.
        # No await of its own: hands the inner awaitable on.
        def send_coded(
            message: Message,
            policy: CompressionPolicy = policy,
            asked: Asked = asked,
            scope: Scope = inner,  # where sessions and routes are, which a predicate may ask for
            send: Send = send,
        ) -> Awaitable[None]:
            nonlocal response
            if message["type"] == "http.response.start" and response is None:
                headers = message.get("headers")
                content_type = length = b""
                outcome: Any = None
                if headers.__class__ is list:
                    # In one pass, without another call, since this runs for every response. Most are plain, and of
                    # the headers that matter they have no other than Vary, of a layer inside.
                    vary: Header | None = None
                    rare: dict[bytes, bytes] | None = None
                    for pair in headers:
                        if pair.__class__ is not tuple:
                            break
                        name, value = pair
                        if name.__class__ is not bytes or value.__class__ is not bytes:
                            break
                        if name == b"content-type":
                            content_type = value
                        elif name == b"content-length":
                            length = value
                        elif name.lower() in DECISIVE:
                            if name == b"vary" and vary is None:
                                vary = pair
                            elif name not in DECISIVE:
                                break  # it has capitals: the policy reads it
                            elif rare is None:
                                rare = {name: value}
                            elif name in rare:
                                break  # a second line: the policy joins them
                            else:
                                rare[name] = value
                    else:
                        if (
                            rare is None
                            and length in asked.plain_lengths
                            and policy.kinds.get(content_type) is CODED
                            and message["status"] == 200
                        ):
                            message = {**message}
                            if vary is None:
                                message["headers"] = headers + policy.vary
                            else:
                                message["headers"] = fresh = headers.copy()
                                fresh[headers.index(vary)] = (b"vary", policy.varied[vary[1]])
                            return send(message)
                        if vary is not None:
                            rare = rare or {}
                            rare[b"vary"] = vary[1]
                        outcome = policy.decided(
                            message, message, headers, content_type, length, rare or USUAL, scope, asked
                        )
                if outcome is None:
                    outcome = policy.start(message, scope, asked)
                if outcome.__class__ is not Plan:
                    return send(outcome)
                response = self._new_response(
                    outcome, send, scope["method"] == "HEAD", policy.minimum_size, self._thread_minimum_size
                )
                return response.begin()
            return send(message) if response is None else response.send(message)

        try:
            await self._app(inner, receive, send_coded)
        finally:
            if inner is not scope:
                share_written(inner, scope)
            if response is not None:
                await response.close()


def _inner(scope: Scope, headers: list[Header] | None, *, codes: bool) -> Scope:
    """The scope for the application: with other headers, without the extensions for files, or the same."""
    changed: dict[str, Any] = {} if headers is None else {"headers": headers}
    extensions = scope.get("extensions") if codes else None
    if extensions and not extensions.keys().isdisjoint(_FILE_EXTENSIONS):
        changed["extensions"] = {name: value for name, value in extensions.items() if name not in _FILE_EXTENSIONS}
    return {**scope, **changed} if changed else scope


def _sharing(send: Send, inner: Scope, scope: Scope) -> Send:
    def send_shared(message: Message) -> Awaitable[None]:  # no await of its own: hands the inner awaitable on
        if message["type"] == "http.response.start":
            share_written(inner, scope)
        return send(message)

    return send_shared
