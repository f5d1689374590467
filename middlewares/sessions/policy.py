"""What holds for every session of a middleware: its cookie, how long it lives, and what headers it asks for."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Literal, TypeAlias

from .._http.cookies import SetCookie
from .._http.headers import Header, pairs
from .._http.lists import is_token
from .._http.options import checked_bool
from .._http.vary import add_vary
from .records import AS_CONFIGURED, MAX_SECONDS, UNTIL_CLOSED, Envelope

Seconds: TypeAlias = int | timedelta
SameSite: TypeAlias = Literal["lax", "strict", "none"]

MAX_COOKIE = 4096
UNTIL_CLOSED_TTL = 14 * 24 * 60 * 60
"""How long a store keeps a session that ends with the session of the browser: nobody tells when that is."""

_is_path = re.compile(r"/[\x20-\x3a\x3c-\x7e]*").fullmatch  # RFC 6265bis 4.1.1: no controls, no semicolon
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_is_domain = re.compile(rf"\.?{_LABEL}(?:\.{_LABEL})*").fullmatch
_VARY: Header = (b"vary", b"Cookie")
_directives = re.compile(rb'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+', re.DOTALL).findall  # split at commas, but for quoted ones
_SAFE = {b"private", b"no-store", b"no-cache"}
_SHARED = {b"public", b"s-maxage"}


class SessionPolicy:
    """The configuration of `SessionMiddleware` that needs neither keys nor a store. For the keywords see there.

    Attributes:
        name: The name of the cookie.
        max_age: Seconds, or None.
        renews: Whether every request that reads a session begins its life anew.
        removal: The header that removes the cookie.
    """

    __slots__ = ("_absolute_timeout", "_age", "_cookie", "_idle_timeout", "max_age", "name", "removal", "renews")

    def __init__(
        self,
        *,
        session_cookie: str,
        max_age: Seconds | None,
        path: str,
        same_site: SameSite,
        https_only: bool,
        domain: str | None,
        partitioned: bool,
        rolling: bool,
        idle_timeout: Seconds | None,
        absolute_timeout: Seconds | None,
    ) -> None:
        for keyword, value in (("https_only", https_only), ("partitioned", partitioned), ("rolling", rolling)):
            checked_bool(keyword, value)
        _check_cookie(session_cookie, path, domain)
        if same_site not in ("lax", "strict", "none"):
            raise ValueError(f"same_site must be 'lax', 'strict' or 'none' (got {same_site!r})")
        _check_secure(session_cookie, path, same_site, domain, https_only=https_only, partitioned=partitioned)
        self.max_age = checked_seconds("max_age", max_age, "for a cookie that ends with the session of the browser")
        self._idle_timeout = checked_seconds("idle_timeout", idle_timeout, "for no such limit")
        self._absolute_timeout = checked_seconds("absolute_timeout", absolute_timeout, "for no such limit")
        self.renews = rolling or idle_timeout is not None
        # What alone limits a session that has no age of its own; None where there is nothing, or more.
        self._age = min(filter(None, (self.max_age, self._idle_timeout)), default=None)
        if self._absolute_timeout is not None:
            self._age = None
        self._cookie = SetCookie(
            session_cookie,
            path=path,
            domain=domain,
            secure=https_only,
            same_site=same_site.capitalize(),
            partitioned=partitioned,
        )
        self.name = self._cookie.name
        self.removal = self._cookie.removal

    def max_age_of(self, envelope: Envelope) -> int | None:
        """The age that a session may reach after it was last issued; None for no limit but the browser's."""
        own = envelope.max_age
        return own if own > 0 else self.max_age if own == AS_CONFIGURED else None

    def expires(self, envelope: Envelope) -> int | None:
        """When the session is over, in seconds since 1970."""
        created, issued, own = envelope
        age = own if own > 0 else self.max_age if own == AS_CONFIGURED else None
        idle = self._idle_timeout
        if idle is not None and (age is None or idle < age):
            age = idle
        expires = None if age is None else issued + age
        if self._absolute_timeout is not None:
            end = created + self._absolute_timeout
            return end if expires is None else min(end, expires)
        return expires

    def is_alive(self, envelope: Envelope, now: float) -> bool:
        """Whether the session is not over yet."""
        if self._age is not None and envelope.max_age == AS_CONFIGURED:
            return now < envelope.issued + self._age
        expires = self.expires(envelope)
        return expires is None or now < expires

    def ttl(self, envelope: Envelope, now: float) -> int:
        """For how many seconds a store has to keep the session, at least 1."""
        expires = self.expires(envelope)
        left = UNTIL_CLOSED_TTL if expires is None else expires - int(now)
        if self.max_age_of(envelope) is None:
            left = min(left, UNTIL_CLOSED_TTL)
        return max(left, 1)

    def set_cookie(self, value: bytes, envelope: Envelope, now: float) -> Header:
        """The header that sets the cookie.

        Raises:
            ValueError: browsers would drop it.
        """
        size = self._cookie.size(value)
        if size > MAX_COOKIE:
            raise ValueError(
                f"the session takes {size} bytes as a cookie, and browsers drop a cookie of more than {MAX_COOKIE} "
                "(RFC 6265bis 5.6): keep less in it, or keep it on the server: SessionMiddleware(store=...)"
            )
        max_age = self.max_age_of(envelope)
        if max_age is not None and self._absolute_timeout is not None:
            max_age = max(min(max_age, envelope.created + self._absolute_timeout - int(now)), 1)
        return self._cookie.line(value, max_age)

    def add_headers(self, headers: Any, cookie: Header | None) -> list[Header]:
        """The headers of a response that depends on the session, and sets its cookie if one is given; a fresh list.

        Args:
            headers: What the application gave, or None.
            cookie: The pair that sets the cookie.
        """
        if cookie is None and headers.__class__ is list:
            # In one pass, without another call, since this runs for every response to one who reads the session.
            for pair in headers:
                if pair.__class__ is not tuple:
                    break
                name, value = pair
                if name.__class__ is not bytes or value.__class__ is not bytes:
                    break
                if len(name) == 4 and name.lower() == b"vary":
                    break
            else:
                return [*headers, _VARY]
        fresh = pairs(headers)
        add_vary(fresh, b"Cookie")
        if cookie is not None:
            fresh.append(cookie)
            _keep_private(fresh)
        return fresh


def _keep_private(headers: list[Header]) -> None:
    """Let no shared cache hand the cookie of one visitor to others (RFC 9111 7.3: Set-Cookie does not prevent it)."""
    lines = [
        (index, [member for part in _directives(value) if (member := part.strip(b" \t"))])
        for index, (name, value) in enumerate(headers)
        if name.lower() == b"cache-control"
    ]
    if not lines:
        headers.append((b"cache-control", b"private"))
        return
    directives = [member for _, line in lines for member in line]
    # RFC 9111 5.2.2.3: caches that know the status ignore this no-store.
    safe = _SAFE - {b"no-store"} if any(_directive(member) == b"must-understand" for member in directives) else _SAFE
    if any(_directive(member) in safe and _concerns_cookies(member) for member in directives):
        return
    for index, line in lines:
        # RFC 9111 5.2.2.9, 5.2.2.10: these two are for shared caches alone.
        headers[index] = (headers[index][0], b", ".join([m for m in line if _directive(m) not in _SHARED]))
    index = lines[-1][0]
    name, value = headers[index]
    headers[index] = (name, b", ".join(filter(None, [value, b"private"])))
    headers[:] = [pair for pair in headers if pair[1] or pair[0].lower() != b"cache-control"]


def _directive(member: bytes) -> bytes:
    return member.partition(b"=")[0].rstrip().lower()


def _concerns_cookies(member: bytes) -> bool:
    """Whether a directive is for the whole response, or for a field named Set-Cookie (RFC 9111 5.2.2.4, 5.2.2.7)."""
    _, qualified, names = member.partition(b"=")
    return not qualified or b"set-cookie" in [name.strip().lower() for name in names.strip(b' \t"').split(b",")]


def checked_seconds(keyword: str, value: object, none: str) -> int | None:
    """Whole seconds, at least 1, or None.

    Raises:
        TypeError: it is neither int nor timedelta nor None.
        ValueError: it is no whole number of seconds, or out of range.
    """
    if value is None:
        return None
    if isinstance(value, timedelta):
        if value.microseconds:
            raise ValueError(f"{keyword} must be whole seconds (got {value!r})")
        value = value.days * 86400 + value.seconds
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{keyword} must be whole seconds, a timedelta, or None {none} (got {value!r})")
    if not 1 <= value <= MAX_SECONDS:
        raise ValueError(f"{keyword} must be 1 to {MAX_SECONDS} seconds, or None {none} (got {value!r})")
    return int(value)


def _check_cookie(session_cookie: object, path: object, domain: object) -> None:
    # RFC 6265bis 4.1.1: a name is a token.
    if not isinstance(session_cookie, str) or not session_cookie.isascii() or not is_token(session_cookie.encode()):
        raise _error(
            session_cookie,
            f"session_cookie must be a token, such as 'session' or '__Host-session' (got {session_cookie!r})",
        )
    # RFC 6265bis 5.6: an attribute of more than 1024 bytes is ignored.
    if not isinstance(path, str) or not _is_path(path) or len(path) > 1024:
        raise _error(path, f"path must start with '/', without control characters and semicolons (got {path!r})")
    if domain is not None and (not isinstance(domain, str) or not _is_domain(domain) or len(domain) > 253):
        raise _error(
            domain, f"domain must be a host name, such as 'app.example', or None for this host alone (got {domain!r})"
        )


def _error(value: object, message: str) -> ValueError | TypeError:
    return ValueError(message) if isinstance(value, str) else TypeError(message)


def _check_secure(
    name: str, path: str, same_site: str, domain: str | None, *, https_only: bool, partitioned: bool
) -> None:
    """Refuse what browsers refuse."""
    # RFC 6265bis 4.1.3; newer drafts add __Http- and __Host-Http-. Browsers compare without case (5.4).
    prefix = next((p for p in ("__host-", "__secure-", "__http-") if name.lower().startswith(p)), None)
    reasons = [
        *([f"session_cookie={name!r}"] if prefix else []),
        *(["same_site='none'"] if same_site == "none" else []),  # RFC 6265bis 5.7
        *(["partitioned=True"] if partitioned else []),  # CHIPS: a partitioned cookie is Secure
    ]
    if reasons and not https_only:
        raise ValueError(f"{reasons[0]} needs https_only=True: browsers refuse such a cookie without Secure")
    if prefix == "__host-" and (path != "/" or domain is not None):
        wrong = f"path={path!r}" if path != "/" else f"domain={domain!r}"
        raise ValueError(f"session_cookie={name!r} needs path='/' and no domain (got {wrong}): browsers refuse it")


def as_override(max_age: int | None) -> int:
    """`max_age` of one session as its envelope has it."""
    return UNTIL_CLOSED if max_age is None else max_age
