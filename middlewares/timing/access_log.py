"""The access log: one line for each request, whatever the request holds."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from time import gmtime, time
from typing import Any

from .._http.headers import request_values
from .._http.paths import Condition, matchers
from ..asgi import Scope
from .hooks import collected
from .records import TimingRecord

_SECRETS = (
    "access_token", "api_key", "apikey", "auth", "client_secret", "code", "id_token", "jwt", "key", "passwd",
    "password", "pwd", "refresh_token", "secret", "session", "sig", "signature", "token",
)  # fmt: skip
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class AccessLog:
    """An exporter that writes one line for each request, to take the place of the server's access log.

    Every field is escaped: one line, ASCII, no control characters. The logger needs a handler and the level INFO, or
    nobody writes them: `logging.basicConfig(level=logging.INFO, format="%(message)s")`.

    Args:
        logger: The name of the logger, or a logger. Lines have the level INFO. Default: `"middlewares.access"`.
        format: `"combined"` (the Combined Log Format, with our fields behind it) or `"json"`. Default: `"combined"`.
        redact: Names of query parameters, in any case, whose values become `***`, in the query and in the Referer.
            What is not named is logged as it is. Default: the usual names of tokens, keys and passwords.
        exclude: What is not logged: path prefixes on segment borders, compiled patterns that are searched in the path
            (both: below `root_path`), or callables of the scope as it is at the end; one, or a list. Default: nothing.

    Raises:
        TypeError: A keyword has a value of the wrong type.
        ValueError: There is no such format, or a prefix that is none.
    """

    def __init__(
        self,
        *,
        logger: str | logging.Logger = "middlewares.access",
        format: str = "combined",  # noqa: A002 - the name that servers give it
        redact: Iterable[str] = _SECRETS,
        exclude: Condition | Iterable[Condition] = (),
    ) -> None:
        if format not in ("combined", "json"):
            raise ValueError(f"format must be 'combined' or 'json' (got {format!r})")
        self._logger = logging.getLogger(logger) if isinstance(logger, str) else logger
        names = collected("redact", redact)
        if isinstance(redact, str) or not all(isinstance(name, str) for name in names):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"redact must be a list of names (got {redact!r})")
        self._redacted = frozenset([name.lower() for name in names])
        self._excludes = matchers("exclude", exclude)
        # Here, as others who import the room need neither.
        from urllib.parse import quote, unquote_plus

        self._quote, self._unquote = quote, unquote_plus
        self._line: Callable[[TimingRecord, dict[str, str]], str] = _combined
        if format == "json":
            from json import dumps

            self._line = partial(_as_json, dumps)

    def on_start(self, scope: Scope) -> None:
        """Nothing: a line is written at the end."""

    def on_complete(self, record: TimingRecord) -> None:
        """Write the line."""
        if self._logger.isEnabledFor(logging.INFO) and not (self._excludes and self._is_excluded(record)):
            self._logger.info("%s", self._line(record, self._fields(record)))

    def _is_excluded(self, record: TimingRecord) -> bool:
        # As the request came: Litestar changes the path in place, and Starlette's mounts root_path.
        scope = {**record.scope, "path": record.path, "root_path": record.root_path}
        return any(excludes(scope) for excludes in self._excludes)

    def _fields(self, record: TimingRecord) -> dict[str, str]:
        """What a request says about itself, as text without secrets that is not escaped yet."""
        scope = record.scope
        client = scope.get("client")
        query = self._without_secrets(_text(scope.get("query_string") or b""))
        referer, mark, referer_query = _header(scope, b"referer").partition("?")
        return {
            "client": str(client[0]) if client else "",
            "target": self._quote(record.path, safe="/:@!$&'()*+,;=~", errors="surrogatepass")
            + ("?" + query if query else ""),
            "referer": referer + mark + self._without_secrets(referer_query),
            "user_agent": _header(scope, b"user-agent"),
        }

    def _without_secrets(self, query: str) -> str:
        parts = query.split("&")
        for index, part in enumerate(parts):
            name, equals, _ = part.partition("=")
            if equals and self._unquote(name).strip().lower() in self._redacted:
                parts[index] = name + "=***"
        return "&".join(parts)


def _text(value: bytes) -> str:
    return bytes(value).decode("latin-1")


def _header(scope: Scope, name: bytes) -> str:
    return ", ".join([_text(value) for value in request_values(scope, name)])


def _escaped(text: str) -> str:
    """Visible ASCII on one line, without a quote that could end a field."""
    return text.encode("unicode_escape").decode("ascii").replace('"', '\\"')


def _combined(record: TimingRecord, fields: dict[str, str]) -> str:
    at = gmtime(time() - record.duration)
    date = (
        f"{at.tm_mday:02d}/{_MONTHS[at.tm_mon - 1]}/{at.tm_year}:{at.tm_hour:02d}:{at.tm_min:02d}:{at.tm_sec:02d} +0000"
    )
    request = f"{record.method} {fields['target']} HTTP/{record.http_version or '1.1'}"
    line = (
        f'{_word(fields["client"])} - - [{date}] "{_escaped(request)}" {record.status or "-"} {record.response_bytes} '
        f'"{_escaped(fields["referer"]) or "-"}" "{_escaped(fields["user_agent"]) or "-"}" '
        f"request_id={_word(record.request_id)} duration={record.duration:.6f} "
        f"ttfb={'-' if record.ttfb is None else f'{record.ttfb:.6f}'} route={_word(record.route)}"
    )
    return line + " aborted" if record.aborted else line


def _word(text: str | None) -> str:
    return _escaped(text).replace(" ", "\\x20") if text else "-"


def _as_json(dumps: Callable[[Any], str], record: TimingRecord, fields: dict[str, str]) -> str:
    return dumps(
        {
            "time": round(time() - record.duration, 6),
            "type": record.type,
            "method": record.method,
            **fields,
            "http_version": record.http_version,
            "status": record.status,
            "duration": round(record.duration, 6),
            "ttfb": None if record.ttfb is None else round(record.ttfb, 6),
            "request_bytes": record.request_bytes,
            "response_bytes": record.response_bytes,
            "route": record.route,
            "aborted": record.aborted,
            "error": None if record.error is None else type(record.error).__qualname__,
            "request_id": record.request_id,
        }
    )
