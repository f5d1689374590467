"""The two caches of a browser that decide whether a cross-origin fetch gets through. No I/O, no clock of their own.

Sources: WHATWG Fetch "CORS-preflight cache"; RFC 9111 (HTTP Caching), as a private cache.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from .._http.headers import Header
from .._http.lists import members


class Response(NamedTuple):
    """An answer as a browser got it: names lower-case, values without space around them.

    Status 0 is a network error, which `note` explains; on another status it tells what the network knows besides.
    """

    status: int
    headers: list[Header]
    body: bytes = b""
    note: str = ""


def combined(headers: Iterable[Header], name: bytes) -> bytes | None:
    """The values of a header joined by `, `, as every check of the standard reads them; None if it is absent.

    Fetch "Headers", get: this is why a CORS header sent twice never passes.
    """
    values = [value for key, value in headers if key == name]
    return b", ".join(values) if values else None


class PreflightKey(NamedTuple):
    """Whose permission it is: the origin as it is sent, the URL, and whether it holds for credentials."""

    origin: bytes
    url: str
    include: bool


@dataclass(slots=True)
class _Permission:
    """Fetch "cache entry": one method or one header name."""

    key: PreflightKey
    method: bytes | None
    header: bytes | None
    expires: float


class PreflightCache:
    """What preflights have permitted: an entry for each method and each header name, until their max-age is over."""

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: list[_Permission] = []

    def __len__(self) -> int:
        return len(self._entries)

    def store(
        self, key: PreflightKey, methods: Iterable[bytes], headers: Iterable[bytes], *, max_age: float, now: float
    ) -> None:
        """Fetch "CORS-preflight fetch": renew the entries that match, create those that do not exist."""
        wanted = [(method, None) for method in methods] + [(None, name.lower()) for name in headers]
        for method, header in wanted:
            found = self._find(key, method, header, now)
            for entry in found:
                entry.expires = now + max_age
            if not found:
                self._entries.append(_Permission(key, method, header, now + max_age))

    def covers(self, key: PreflightKey, method: bytes | None, headers: Iterable[bytes], *, now: float) -> bool:
        """Fetch "method cache entry match" (unless the method is None) and, for all names, the "header-name" one."""
        return (method is None or bool(self._find(key, method, None, now))) and all(
            self._find(key, None, name, now) for name in headers
        )

    def clear(self, key: PreflightKey) -> None:
        """Fetch "clear cache entries": what a failed fetch does for its origin and URL."""
        self._entries = [entry for entry in self._entries if entry.key[:2] != key[:2]]

    def _find(self, key: PreflightKey, method: bytes | None, header: bytes | None, now: float) -> list[_Permission]:
        self._entries = [entry for entry in self._entries if now < entry.expires]
        methods = () if method is None else (method, b"*")
        # The wildcard never stands for Authorization ("CORS non-wildcard request-header name").
        headers = () if header is None else (header,) if header == b"authorization" else (header, b"*")
        return [
            entry
            for entry in self._entries
            if entry.key[:2] == key[:2]
            and (entry.key.include or not key.include)
            and (entry.method in methods or entry.header in headers)
        ]


@dataclass(frozen=True, slots=True)
class Stored:
    """A response in the HTTP cache, with the request headers that its Vary may ask for."""

    url: str
    request_headers: list[Header]
    response: Response
    fresh_until: float

    def validators(self) -> list[Header]:
        """The conditions of a validation request (RFC 9111 4.3.1); empty if the response cannot be validated."""
        asked = ((b"etag", b"if-none-match"), (b"last-modified", b"if-modified-since"))
        values = [(condition, combined(self.response.headers, name)) for name, condition in asked]
        return [(condition, value) for condition, value in values if value is not None]

    def matches(self, headers: list[Header]) -> bool:
        """Whether a request with these headers may be answered with it, as far as Vary goes (RFC 9111 4.1)."""
        names = members(value for name, value in self.response.headers if name == b"vary")
        return b"*" not in names and all(
            combined(self.request_headers, name.lower()) == combined(headers, name.lower()) for name in names
        )


class HTTPCache:
    """A private cache keyed by URL and by what Vary names; with explicit freshness only (no heuristics).

    Browsers keep one such cache for each site that a page belongs to. This one is for pages of a single site, such as
    app.example.com and api.example.com: what a visit to the one has stored, a fetch from the other finds.
    """

    __slots__ = ("_stored",)

    def __init__(self) -> None:
        self._stored: list[Stored] = []

    def __len__(self) -> int:
        return len(self._stored)

    def select(self, url: str, headers: list[Header]) -> Stored | None:
        """RFC 9111 4: the stored response for a GET of `url` with these headers, fresh or not; the newest first."""
        for stored in reversed(self._stored):
            if stored.url == url and stored.matches(headers):
                return stored
        return None

    def store(self, url: str, headers: list[Header], response: Response, now: float) -> None:
        """RFC 9111 3: keep the answer to a GET, where it may be kept and can be used again."""
        directives = _directives(response.headers)
        if response.status in (206, 304) or b"no-store" in directives or b"no-store" in _directives(headers):
            return
        stored = Stored(url, headers, response, now + _lifetime(response, directives))
        if stored.fresh_until > now or stored.validators():
            self._stored = [old for old in self._stored if not (old.url == url and old.matches(headers))]
            self._stored.append(stored)

    def freshen(self, stored: Stored, headers: list[Header], now: float) -> Response:
        """RFC 9111 4.3.4: a 304 updates the headers of what is stored, and only those that it carries."""
        replaced = {name for name, _ in headers} - {b"content-length"}  # RFC 9111 3.2
        kept = [pair for pair in stored.response.headers if pair[0] not in replaced]
        response = stored.response._replace(headers=kept + [pair for pair in headers if pair[0] in replaced])
        lifetime = _lifetime(response, _directives(response.headers))
        renewed = replace(stored, response=response, fresh_until=now + lifetime)
        self._stored = [renewed if old is stored else old for old in self._stored]
        return response

    def invalidate(self, url: str) -> None:
        """RFC 9111 4.4: an unsafe method was answered without an error."""
        self._stored = [stored for stored in self._stored if stored.url != url]


def _directives(headers: list[Header]) -> dict[bytes, bytes]:
    found = members(value for name, value in headers if name == b"cache-control")
    pairs = [directive.partition(b"=") for directive in found]
    return {name.strip().lower(): value.strip(b' \t"') for name, _, value in pairs}


def _lifetime(response: Response, directives: dict[bytes, bytes]) -> float:
    """RFC 9111 4.2.1, for a private cache; 0 if nothing says that the response is fresh."""
    if b"no-cache" in directives:
        return 0
    if b"max-age" in directives:
        return int(directives[b"max-age"]) if directives[b"max-age"].isdigit() else 0
    date, expires = combined(response.headers, b"date"), combined(response.headers, b"expires")
    if date is None or expires is None:
        return 0
    try:
        until, since = (parsedate_to_datetime(value.decode("latin-1")) for value in (expires, date))
        return (until - since).total_seconds()
    except (ValueError, TypeError):  # RFC 9111 5.3: an invalid Expires, such as 0, is in the past
        return 0
