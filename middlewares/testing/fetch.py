"""The browser's side of WHATWG Fetch: what it sends, what it refuses, what it lets a script see. No I/O, no clock.

`fetch` is a generator: it yields what goes over the network, is sent the answers, and returns the `FetchResult`.
The rules it asks are functions over bytes, each named in its docstring by its section of the standard.

Source: https://fetch.spec.whatwg.org/ (review draft of June 2026); for private networks
https://wicg.github.io/private-network-access/.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeAlias, cast
from urllib.parse import urljoin, urlsplit

from .._http.forbidden import is_forbidden_name
from .._http.headers import Header
from .._http.lists import is_token, members
from .caches import HTTPCache, PreflightCache, PreflightKey, Response, combined

_SAFELISTED_METHODS = {b"GET", b"HEAD", b"POST"}
_NORMALIZED_METHODS = {b"DELETE", b"GET", b"HEAD", b"OPTIONS", b"POST", b"PUT"}
_FORBIDDEN_METHODS = {b"CONNECT", b"TRACE", b"TRACK"}
_METHOD_OVERRIDES = {b"x-http-method", b"x-http-method-override", b"x-method-override"}
_REQUEST_BODY_HEADERS = {b"content-encoding", b"content-language", b"content-location", b"content-type"}
_SAFELISTED_RESPONSE_HEADERS = {
    *(b"cache-control", b"content-language", b"content-length", b"content-type"),
    *(b"expires", b"last-modified", b"pragma"),
}
_FORBIDDEN_RESPONSE_HEADERS = {b"set-cookie", b"set-cookie2"}
_CONDITIONS = {b"if-modified-since", b"if-none-match", b"if-unmodified-since", b"if-match", b"if-range", b"range"}
_ALLOW_METHODS, _ALLOW_HEADERS = b"access-control-allow-methods", b"access-control-allow-headers"
_REDIRECTS = {301, 302, 303, 307, 308}
_DEFAULT_PORTS = {"http": 80, "https": 443}

_find_unsafe_byte = re.compile(rb'[\x00-\x08\x0a-\x1f"():<>?@\[\\\]{}\x7f]').search
_is_language_value = re.compile(rb"[0-9A-Za-z *,\-.;=]*").fullmatch
_match_range = re.compile(rb"bytes=([0-9]+)-([0-9]*)").fullmatch
_is_form_type = re.compile(
    rb"[\t\n\r ]*(?:application/x-www-form-urlencoded|multipart/form-data|text/plain)[\t\n\r ]*(?:;.*)?",
    re.IGNORECASE | re.DOTALL,
).fullmatch
_is_digits = re.compile(rb"[0-9]+").fullmatch

Headers: TypeAlias = Mapping[str, str] | Mapping[bytes, bytes] | Iterable[tuple[str | bytes, str | bytes]]
"""What a script gives as headers."""


class Outgoing(NamedTuple):
    """A request as it goes over the network."""

    method: bytes
    url: str
    headers: list[Header]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Request:
    """What a script asked for; `origin` None is a navigation, which no check applies to."""

    url: str
    origin: bytes | None
    method: bytes = b"GET"
    headers: list[Header] = field(default_factory=list[Header])
    credentials: str = "same-origin"
    body: bytes = b""

    @property
    def include(self) -> bool:
        """Whether the checks of the CORS protocol are the strict ones."""
        return self.credentials == "include"


@dataclass(frozen=True, slots=True)
class FetchResult:
    """What became of a fetch; true if it was allowed, that is, if the script got the response.

    Attributes:
        allowed: Whether the script got the response (of any status).
        reason: Why not, in words; empty if it was allowed.
        status: The status that the script sees; None if it was not allowed.
        headers: The response headers that the script can read, names in lower case.
        body: The body that the script can read.
        preflighted: Whether a preflight went over the network for this fetch.
        from_cache: Whether the HTTP cache gave the response, also after it asked the server for a validation.
    """

    allowed: bool
    reason: str = ""
    status: int | None = None
    headers: list[Header] = field(default_factory=list[Header])
    body: bytes = b""
    preflighted: bool = False
    from_cache: bool = False

    def __bool__(self) -> bool:
        """Whether the fetch was allowed."""
        return self.allowed


# What a script may ask for


def normalized_method(method: str) -> bytes:
    """Fetch "Methods", normalize: six methods become upper-case, `patch` stays `patch`.

    Raises:
        ValueError: no token, or a method that no script may use (`fetch()` rejects with a TypeError).
    """
    given = method.encode("latin-1")
    if not is_token(given) or given.upper() in _FORBIDDEN_METHODS:
        raise ValueError(f"method must be a token, and not CONNECT, TRACE or TRACK (got {method!r})")
    return given.upper() if given.upper() in _NORMALIZED_METHODS else given


def request_headers(headers: Headers) -> list[Header]:
    """The headers that a script's wish leads to: values trimmed, names in lower case, forbidden ones left out.

    Fetch "Headers class", append, with the guard "request".

    Raises:
        ValueError: a name that is no token, a value with CR, LF, NUL or a character beyond latin-1.
    """
    pairs = cast(
        "Iterable[tuple[str | bytes, str | bytes]]", headers.items() if isinstance(headers, Mapping) else headers
    )
    kept: list[Header] = []
    for given_name, given_value in pairs:
        name = (given_name if isinstance(given_name, bytes) else given_name.encode("latin-1")).lower()
        value = (given_value if isinstance(given_value, bytes) else given_value.encode("latin-1")).strip(b" \t\r\n")
        if not is_token(name) or any(byte in value for byte in (b"\r", b"\n", b"\0")):
            raise ValueError(
                "headers must have tokens as names, and values without CR, LF and NUL"
                f" (got {given_name!r}: {given_value!r})"
            )
        if not _is_forbidden(name, value):
            kept.append((name, value))
    return kept


def _is_forbidden(name: bytes, value: bytes) -> bool:
    """Fetch "forbidden request-header"."""
    return is_forbidden_name(name) or (
        name in _METHOD_OVERRIDES and any(method.upper() in _FORBIDDEN_METHODS for method in members([value]))
    )


# URLs and origins


def absolute_url(url: str, base: str) -> str:
    """`url` against `base`, without its fragment, its host in lower case and ASCII, its default port left out.

    Raises:
        ValueError: not http or https, without a host, or with a user name in it (`fetch()` rejects these).
    """
    parts = urlsplit(urljoin(base + "/", url))
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
        raise ValueError(f"url must be a path or an http or https URL without credentials (got {url!r})")
    try:
        host = parts.hostname if parts.hostname.isascii() else parts.hostname.encode("idna").decode("ascii")
    except UnicodeError:
        raise ValueError(f"url must have a host that IDNA knows (got {url!r})") from None
    host = f"[{host}]" if ":" in host else host
    if parts.port not in (None, _DEFAULT_PORTS[parts.scheme]):
        host = f"{host}:{parts.port}"
    return parts._replace(netloc=host, path=parts.path or "/", fragment="").geturl()


def origin_of(url: str) -> bytes:
    """HTML "serialization of an origin", of an absolute URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".encode("ascii")


# What needs a preflight


def is_safelisted(name: bytes, value: bytes) -> bool:
    """Fetch "CORS-safelisted request-header": it depends on the value as much as on the name (in lower case)."""
    if len(value) > 128:
        return False
    if name == b"accept":
        return _find_unsafe_byte(value) is None
    if name in (b"accept-language", b"content-language"):
        return _is_language_value(value) is not None
    if name == b"content-type":
        return _find_unsafe_byte(value) is None and _is_form_type(value) is not None
    if name == b"range":  # "parse a single range header value"; one without a start is not safelisted
        found = _match_range(value)
        return found is not None and (not found[2] or int(found[1]) <= int(found[2]))
    return False


def unsafe_names(headers: Iterable[Header]) -> list[bytes]:
    """Fetch "CORS-unsafe request-header names": lower-case, sorted, each once."""
    unsafe: set[bytes] = set()
    safe: set[bytes] = set()
    size = 0
    for name, value in headers:
        if is_safelisted(name, value):
            safe.add(name)
            size += len(value)
        else:
            unsafe.add(name)
    return sorted(unsafe | safe if size > 1024 else unsafe)


def preflight_for(request: Request, *, private_network: bool = False) -> Outgoing:
    """Fetch "CORS-preflight fetch", the request: never with credentials, the names joined without a space."""
    assert request.origin is not None  # noqa: S101  # a navigation has no preflight
    headers = [(b"accept", b"*/*"), (b"access-control-request-method", request.method)]
    if unsafe := unsafe_names(request.headers):
        headers.append((b"access-control-request-headers", b",".join(unsafe)))
    headers.append((b"origin", request.origin))
    if private_network:
        headers.append((b"access-control-request-private-network", b"true"))
    return Outgoing(b"OPTIONS", request.url, headers)


# What the answers must say


def cors_check(headers: Iterable[Header], origin: bytes, *, include: bool) -> str:
    """Fetch "CORS check": why the response may not be shared with `origin`; empty if it may."""
    headers = list(headers)
    allowed = combined(headers, b"access-control-allow-origin")
    if allowed is None:
        return "the response has no Access-Control-Allow-Origin"
    if allowed == b"*" and not include:
        return ""
    if allowed != origin:
        also = ", and a request with credentials cannot use *" if allowed == b"*" else ""
        return f"Access-Control-Allow-Origin is {_text(allowed)}, not {_text(origin)}{also}"
    if not include:
        return ""
    credentials = combined(headers, b"access-control-allow-credentials")
    if credentials == b"true":
        return ""
    return f"Access-Control-Allow-Credentials is {_text(credentials)}, not true, for a request with credentials"


def listed(headers: Iterable[Header], name: bytes) -> list[bytes] | None:
    """Fetch "extract header list values", of a list of tokens; None for failure: one bad token spoils it all."""
    found = members(value for key, value in headers if key == name)
    return found if all(map(is_token, found)) else None


def preflight_check(request: Request, response: Response, *, private_network: bool = False) -> str:
    """Fetch "CORS-preflight fetch", from the check on: why the request may not follow; empty if it may."""
    assert request.origin is not None  # noqa: S101  # a navigation has no preflight
    # The check is made with the credentials mode of the request, though the preflight carries no credentials.
    if response.status == 0:
        return response.note
    if reason := cors_check(response.headers, request.origin, include=request.include):
        return reason + response.note
    if not 200 <= response.status <= 299:
        return f"the status is {response.status}, not 200 to 299"
    if private_network and combined(response.headers, b"access-control-allow-private-network") != b"true":
        return "Access-Control-Allow-Private-Network is not true"
    methods, names = listed(response.headers, _ALLOW_METHODS), listed(response.headers, _ALLOW_HEADERS)
    if methods is None or names is None:
        bad = _ALLOW_METHODS if methods is None else _ALLOW_HEADERS
        return f"{_title(bad)} has a member that is no token: {_text(combined(response.headers, bad))}"
    wildcard = not request.include
    if not (
        request.method in methods or request.method in _SAFELISTED_METHODS or (wildcard and b"*" in methods)
    ):  # bytes: methods are case-sensitive
        return f"method {_text(request.method)} is not in Access-Control-Allow-Methods"
    allowed = {name.lower() for name in names}
    refused = [
        name
        for name in unsafe_names(request.headers)
        if name not in allowed and not (wildcard and b"*" in allowed and name != b"authorization")
    ]
    if refused:
        return f"header {_text(b', '.join(refused))} is not in Access-Control-Allow-Headers"
    return ""


def max_age(headers: Iterable[Header], cap: float) -> float:
    """Fetch "CORS-preflight fetch": for how many seconds a preflight holds; 5 unless one number says otherwise."""
    value = combined(headers, b"access-control-max-age")
    return min(int(value[:12]) if value is not None and _is_digits(value) else 5, cap)


def exposed(headers: Iterable[Header], *, cors: bool, include: bool) -> list[Header]:
    """Fetch "basic filtered response" and "CORS filtered response": the headers that a script can read."""
    headers = [pair for pair in headers if pair[0] not in _FORBIDDEN_RESPONSE_HEADERS]
    if not cors:
        return headers
    names = {name.lower() for name in listed(headers, b"access-control-expose-headers") or ()}
    if b"*" in names and not include:
        return headers
    return [pair for pair in headers if pair[0] in _SAFELISTED_RESPONSE_HEADERS or pair[0] in names]


def _text(value: bytes | None) -> str:
    return "missing" if value is None else value.decode("latin-1")


def _title(name: bytes) -> str:
    return name.decode("ascii").title()


# The fetch itself


def fetch(
    request: Request,
    preflights: PreflightCache,
    responses: HTTPCache | None,
    *,
    now: float,
    cookie: bytes = b"",
    max_age_cap: float = 7200,
    private_network: bool = False,
) -> Generator[Outgoing, Response, FetchResult]:
    """Fetch "Main fetch" for the mode "cors" (or "navigate"): yields what to send, is sent the answers."""
    tainted = preflighted = False
    for _ in range(21):  # Fetch "HTTP-redirect fetch": 20 redirects at most
        # Response tainting "cors": once it is, it stays so over redirects.
        origin = request.origin if tainted or request.origin != origin_of(request.url) else None
        tainted = origin is not None
        key = PreflightKey(origin or b"", request.url, request.include)
        unsafe = unsafe_names(request.headers) if tainted else []
        # A method that needs a preflight; in a private network each one does.
        method = request.method if private_network or request.method not in _SAFELISTED_METHODS else None
        asks = tainted and (method is not None or bool(unsafe))

        # Fetch "HTTP fetch", makeCORSPreflight
        if asks and (private_network or not preflights.covers(key, method, unsafe, now=now)):
            preflighted = True
            answer = yield preflight_for(request, private_network=private_network)
            if reason := preflight_check(request, answer, private_network=private_network):
                preflights.clear(key)
                return FetchResult(allowed=False, reason=f"preflight: {reason}", preflighted=True)
            methods, names = (listed(answer.headers, _ALLOW_METHODS), listed(answer.headers, _ALLOW_HEADERS))
            limit = max_age(answer.headers, max_age_cap)
            preflights.store(key, methods or (), names or (), max_age=limit, now=now)

        answer, from_cache = yield from _network_or_cache(request, responses, tainted=tainted, cookie=cookie, now=now)
        reason = answer.note if answer.status == 0 else ""
        if (
            origin is not None
            and not reason
            and (refusal := cors_check(answer.headers, origin, include=request.include))
        ):
            reason = refusal + answer.note
        if reason and asks:
            preflights.clear(key)
        location = combined(answer.headers, b"location")
        if not reason and (answer.status not in _REDIRECTS or location is None):
            return FetchResult(
                allowed=True,
                status=answer.status,
                headers=exposed(answer.headers, cors=tainted, include=request.include),
                body=answer.body,
                preflighted=preflighted,
                from_cache=from_cache,
            )
        following = reason or _redirected(request, answer.status, location or b"")
        if isinstance(following, str):
            return FetchResult(allowed=False, reason=following, preflighted=preflighted, from_cache=from_cache)
        request = following
    return FetchResult(allowed=False, reason="more than 20 redirects", preflighted=preflighted)


def _network_or_cache(
    request: Request, responses: HTTPCache | None, *, tainted: bool, cookie: bytes, now: float
) -> Generator[Outgoing, Response, tuple[Response, bool]]:
    """Fetch "HTTP-network-or-cache fetch"."""
    headers = list(request.headers)
    if not any(name == b"accept" for name, _ in headers):
        headers.append((b"accept", b"*/*"))
    if request.body or request.method in (b"POST", b"PUT"):
        headers.append((b"content-length", str(len(request.body)).encode()))
    # Fetch "Origin header": on a same-origin GET or HEAD it is not sent, on a same-origin POST it is.
    if request.origin is not None and (tainted or request.method not in (b"GET", b"HEAD")):
        headers.append((b"origin", request.origin))
    if cookie and (request.include or (request.credentials == "same-origin" and not tainted)):
        headers.append((b"cookie", cookie))
    outgoing = Outgoing(request.method, request.url, headers, request.body)

    if responses is None or request.method != b"GET" or any(name in _CONDITIONS for name, _ in headers):
        answer = yield outgoing
        if (
            responses is not None
            and request.method not in (b"GET", b"HEAD", b"OPTIONS")
            and 200 <= answer.status <= 399
        ):
            responses.invalidate(request.url)
        return answer, False

    stored = responses.select(request.url, headers)
    if stored is not None and now < stored.fresh_until:
        return stored.response, True
    conditions = [] if stored is None else stored.validators()
    answer = yield outgoing._replace(headers=headers + conditions)
    if stored is not None and conditions and answer.status == 304:
        # The CORS check is made on what is stored, with the headers of the 304 over it.
        return responses.freshen(stored, answer.headers, now), True
    if answer.status != 0:
        responses.store(request.url, headers, answer, now)
    return answer, False


def _redirected(request: Request, status: int, location: bytes) -> Request | str:
    """Fetch "HTTP-redirect fetch": the request that follows a redirect, or why none may."""
    try:
        url = absolute_url(location.decode("latin-1"), request.url)
    except ValueError:
        return f"redirect to {_text(location)}, which a fetch may not follow"
    headers, method, body, origin = request.headers, request.method, request.body, request.origin
    if (status in (301, 302) and method == b"POST") or (status == 303 and method not in (b"GET", b"HEAD")):
        method, body = b"GET", b""
        headers = [pair for pair in headers if pair[0] not in _REQUEST_BODY_HEADERS]
    if origin_of(url) != origin_of(request.url):
        headers = [pair for pair in headers if pair[0] != b"authorization"]
        if origin is not None and origin != origin_of(request.url):
            origin = b"null"  # Fetch "redirect-taint": from one foreign origin to another
    return replace(request, url=url, origin=origin, method=method, headers=headers, body=body)
