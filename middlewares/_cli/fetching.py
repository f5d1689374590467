"""`middlewares cors`: the browser's algorithm, played on the real messages of the CORS layer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..asgi import Message, Receive, Scope, Send
from ..cors import CORSMiddleware
from ..cors.origins import is_serialised
from ..testing import FetchResult, browser_allows
from .config import OPTIONS, Given, Source, layers
from .errors import CommandError

_SHOWN = ("origin", "access-control-")


class Exchange(NamedTuple):
    """A request as it went over the network, and the answer, as far as they are about CORS."""

    request: list[str]
    response: list[str]


@dataclass(frozen=True)
class Answer:
    """What a browser would do.

    Attributes:
        result: What became of the fetch.
        exchanges: What went over the network, in order.
        reasons: What in the configuration stands against it.
    """

    result: FetchResult
    exchanges: list[Exchange]
    reasons: list[str]


async def ask(
    source: Source,
    given: Given,
    *,
    origin: str,
    method: str,
    headers: Iterable[tuple[str, str]],
    credentials: bool,
    path: str,
) -> Answer:
    """Play a fetch of a page at `origin`.

    Raises:
        CommandError: There is no CORS layer, or no browser would begin such a fetch.
    """
    found = layers(source, given, __name__.partition(".")[0], ["cors"])
    if not found:
        where = f"{source.name} has no table {source.prefix}cors" if source.name else "there is no configuration"
        option = OPTIONS["cors", "allow_origins"]
        raise CommandError(f"{where}: without a CORS layer no other origin may read anything; --config or {option}")
    if origin != "null" and is_serialised(origin.encode("utf-8", "surrogatepass")) is None:
        raise CommandError(
            f"--origin must be as browsers send it, such as https://app.example: scheme, host, and a port that is not "
            f"the scheme's own; lower case, no path, no slash at the end (got {origin!r})"
        )
    if not path.startswith("/"):
        raise CommandError(f"--path must begin with a slash (got {path!r})")
    exchanges: list[Exchange] = []
    pairs = list(headers)
    cors: Any = found[0](_answering)

    async def network(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_shown(message: Message) -> None:
            if message["type"] == "http.response.start":
                request = [f"{scope['method']} {scope['path']}", *_shown(scope["headers"])]
                exchanges.append(Exchange(request, [str(message["status"]), *_shown(message["headers"])]))
            await send(message)

        await cors(scope, receive, send_shown)

    try:
        result = await browser_allows(network, origin, method, pairs, credentials, path)
    except ValueError as exc:
        raise CommandError(f"no browser begins such a fetch: {exc}") from None
    explained: CORSMiddleware = cors
    reasons = explained.explain(origin, method, [name for name, _ in pairs], credentials, path)
    return Answer(result, exchanges, [] if result else [_with_option(reason) for reason in reasons])


async def _answering(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Stands for an application that answers everything, and says nothing of CORS."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"tea"})


def _with_option(reason: str) -> str:
    options = [option for (_, keyword), option in OPTIONS.items() if f" {keyword}" in reason]
    return f"{reason} ({options[0]})" if options else reason


def _shown(headers: Iterable[tuple[bytes, bytes]]) -> list[str]:
    lines = [f"{name.decode('latin-1').lower()}: {value.decode('latin-1')}" for name, value in headers]
    return [line for line in lines if line.startswith(_SHOWN)]
