"""`middlewares cors`: the browser's algorithm, played on the real messages of the CORS layer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..cors.origins import is_serialised
from .config import OPTIONS, Given, Source, layers
from .errors import CommandError
from .playing import Answer, play


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
    is_sent = is_serialised(origin.encode("utf-8", "surrogatepass")) is not None and origin == origin.lower()
    if origin != "null" and not is_sent:
        raise CommandError(
            f"--origin must be as browsers send it, such as https://app.example: scheme, host, and a port that is not "
            f"the scheme's own; lower case, no path, no slash at the end (got {origin!r})"
        )
    if not path.startswith("/") or path.startswith(("//", "/\\")):  # which begin a host
        raise CommandError(f"--path must begin with one slash (got {path!r})")
    try:
        answer = await play(found[0], origin=origin, method=method, headers=headers, credentials=credentials, path=path)
    except ValueError as exc:
        raise CommandError(f"no browser begins such a fetch: {exc}") from None
    return replace(answer, reasons=[_with_option(reason) for reason in answer.reasons])


def _with_option(reason: str) -> str:
    options = [option for (_, keyword), option in OPTIONS.items() if f" {keyword}" in reason]
    return f"{reason} ({options[0]})" if options else reason
