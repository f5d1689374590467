"""The decisions of CORS: which origins, methods and headers are allowed, and what the answer says of it.

Source: WHATWG Fetch, "CORS protocol" (https://fetch.spec.whatwg.org/#http-cors-protocol).

Synchronous, and without the scope: what can be rendered before the first request is rendered in the constructors.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias, cast

from .._http.forbidden import is_forbidden_name
from .._http.headers import Header, Merge
from .._http.lists import is_token, members
from .._http.options import checked_bool
from .._http.paths import checked_prefix, covers
from .._http.vary import Varied, add_vary
from .origins import Origins, is_serialised

Answer: TypeAlias = tuple[list[Header], Merge]
"""How a request is answered: the pairs that join the application's headers, and how."""

_ALLOW_ORIGIN = b"access-control-allow-origin"
_ALLOW_CREDENTIALS = b"access-control-allow-credentials"
_EXPOSE_HEADERS = b"access-control-expose-headers"
_CORS_HEADERS = frozenset(
    {
        _ALLOW_ORIGIN,
        _ALLOW_CREDENTIALS,
        _EXPOSE_HEADERS,
        b"access-control-allow-headers",
        b"access-control-allow-methods",
        b"access-control-allow-private-network",
        b"access-control-max-age",
    }
)
_TOUCHED = _CORS_HEADERS | {b"vary"}
_VARY_ORIGIN = (b"vary", b"Origin")
_VARIED = Varied(b"Origin")
# WHATWG Fetch, "forbidden response-header name": no list can expose them.
_NEVER_EXPOSED = frozenset({b"set-cookie", b"set-cookie2"})
# WHATWG Fetch, "CORS-safelisted request-header": their names need no permission; some of their values ask for it.
_SAFELISTED_HEADERS = frozenset({b"accept", b"accept-language", b"content-language", b"content-type"})
_SAFELISTED_METHODS = frozenset({b"GET", b"HEAD", b"POST"})
# WHATWG Fetch, "normalize a method": any other is compared as it is written, so that `patch` is not PATCH.
_NORMALISED_METHODS = frozenset({b"DELETE", b"GET", b"HEAD", b"OPTIONS", b"POST", b"PUT"})
_FORBIDDEN_METHODS = frozenset({b"CONNECT", b"TRACE", b"TRACK"})
_MOST_NAMED = 10  # anyone can name thousands
TWO_ORIGINS = b""
"""Stands for several Origin lines, which no browser sends: no rule allows it."""


class Preflight(NamedTuple):
    """What a preflight asks: its origin, and of the other fields one value for each line."""

    origin: bytes
    methods: list[bytes]
    headers: list[bytes]
    private_network: list[bytes]


class CORSPolicy:
    """One set of rules, for one origin server or one part of its paths. `CORSMiddleware` documents the keywords.

    Raises:
        TypeError: a keyword holds a value of the wrong type.
        ValueError: a keyword holds a value that no browser would honour; the message says what to write instead.
        re.error: `allow_origin_regex` is no regular expression.
    """

    def __init__(
        self,
        *,
        allow_origins: Iterable[str] = (),
        allow_methods: Iterable[str] = ("GET",),
        allow_headers: Iterable[str] = (),
        allow_credentials: bool = False,
        allow_origin_regex: str | re.Pattern[str] | None = None,
        allow_private_network: bool = False,
        expose_headers: Iterable[str] = (),
        max_age: int | None = 600,
        allow_origin_func: Callable[[str, Any], Any] | None = None,
        websockets: bool = True,
    ) -> None:
        origins = Origins(collected("allow_origins", allow_origins))
        self._credentials = checked_bool("allow_credentials", allow_credentials)
        self._private_network = checked_bool("allow_private_network", allow_private_network)
        self.websockets = checked_bool("websockets", websockets)
        if origins.any and allow_credentials:
            raise ValueError(
                "allow_origins '*' cannot go with allow_credentials=True: browsers refuse the pair, and mirroring the "
                "origin instead would hand every site the user's session; name the origins, or set "
                "allow_credentials=False"
            )
        if allow_origin_func is not None and not callable(allow_origin_func):
            raise TypeError(
                f"allow_origin_func must be a callable of (origin, scope), or None (got {allow_origin_func!r})"
            )
        self.any_origin = origins.any
        self.allow_origin_func = None if origins.any else allow_origin_func
        self._pattern = origins.pattern
        self._regex = _compiled(allow_origin_regex)
        self._methods = frozenset(_methods(allow_methods))
        self._headers = frozenset(_names("allow_headers", allow_headers))
        self._expose = tuple(dict.fromkeys(_names("expose_headers", expose_headers)))
        self._preflight_constants = _preflight_constants(
            self._methods, self._headers, max_age, private=self._private_network
        )
        self.refused: Answer = ([_VARY_ORIGIN], Merge(_TOUCHED, _without_cors, varied=_VARIED))
        self._anyone = self.granted(b"*")
        self.answers: dict[bytes | None, Answer] = {None: self._anyone if origins.any else self.refused}
        self.answers.update({origin: self.granted(origin) for origin in origins.exact})

    def answer(self, origin: bytes | None) -> Answer:
        """How the request of an origin (None: without one) is answered; `refused` where no rule allows it.

        `answers` has those that need no thought, for a look-up before this call. `allow_origin_func` is left to the
        caller, who can await it: see `asks`.
        """
        if self.any_origin:
            return self._anyone
        answer = self.answers.get(origin)
        if answer is None and origin is not None and self._matches(origin):
            answer = self.granted(origin)
        return answer or self.refused

    def asks(self, origin: bytes | None) -> bool:
        """Whether `allow_origin_func` has to decide, where `answer` said `refused`."""
        if self.allow_origin_func is None or origin is None:
            return False
        return origin == b"null" or is_serialised(origin) is not None

    def granted(self, origin: bytes) -> Answer:
        """How the request of an allowed origin is answered."""
        return _with_cors(
            self._permission(origin), self._expose, vary=not self.any_origin, credentials=self._credentials
        )

    def preflight(self, request: Preflight, *, allowed: bool) -> tuple[list[Header], list[str]]:
        """The headers of the answer to a preflight, and the reasons why it is refused (none: accepted)."""
        constants = self._preflight_constants
        if not allowed:  # what else it asks for, which may be long, is not read
            return [constants[-1]], [origin_refused(request.origin)]
        method = request.methods[0] if len(request.methods) == 1 else b", ".join(request.methods)
        names = dict.fromkeys(members([line.lower() for line in request.headers]))
        reasons = self._method_refused(method) + self._headers_refused(names)
        if reasons:
            return [constants[-1]], reasons
        headers = [*self._permission(request.origin)]
        # Mirrored, not `*`: a browser takes the star literally with credentials, and never for Authorization.
        if b"*" in self._methods:
            headers.append((b"access-control-allow-methods", method))
        if b"*" in self._headers and names:
            headers.append((b"access-control-allow-headers", b", ".join(names)))
        if self._private_network and request.private_network == [b"true"]:
            headers.append((b"access-control-allow-private-network", b"true"))
        return [*headers, *constants], []

    def explain(self, origin: str, method: str, headers: Iterable[str], *, credentials: bool) -> list[str]:
        """Why a browser would refuse this fetch, in words; empty if it would not. See `CORSMiddleware.explain`."""
        if isinstance(headers, str | bytes):
            raise TypeError(f"headers must be a collection of names as str, such as ['X-Token'] (got {headers!r})")
        reasons: list[str] = []
        page = origin.encode("utf-8", "surrogatepass")
        if self.answer(page) is self.refused:
            reasons.append("depends on allow_origin_func" if self.asks(page) else origin_refused(page))
        if credentials and not self._credentials:
            reasons.append("credentials are not allowed: allow_credentials is False")
        verb = _normalised(method.encode("utf-8", "surrogatepass"))
        if verb.upper() in _FORBIDDEN_METHODS:
            reasons.append(f"method {_shown(verb)} is forbidden in browsers")
            return reasons
        named = dict.fromkeys(name.encode("utf-8", "surrogatepass").lower() for name in headers)
        names = [name for name in named if not is_forbidden_name(name)]
        # Without these two there is no preflight, so nothing else of the policy is asked.
        if verb not in _SAFELISTED_METHODS or not _SAFELISTED_HEADERS.difference({b"content-type"}).issuperset(names):
            reasons += self._method_refused(verb)
            reasons += self._headers_refused(names)
        return reasons

    def _matches(self, origin: bytes) -> bool:
        # `null` belongs to any sandboxed frame: no expression lets it in, only its own entry in allow_origins does.
        if (self._pattern is None and self._regex is None) or is_serialised(origin) is None:
            return False
        if self._pattern is not None and self._pattern.fullmatch(origin):
            return True
        return self._regex is not None and self._regex.fullmatch(origin.decode("ascii")) is not None

    def _permission(self, origin: bytes) -> tuple[Header, ...]:
        if self.any_origin:
            return ((_ALLOW_ORIGIN, b"*"),)
        if self._credentials:
            return ((_ALLOW_ORIGIN, origin), (_ALLOW_CREDENTIALS, b"true"))
        return ((_ALLOW_ORIGIN, origin),)

    def _method_refused(self, method: bytes) -> list[str]:
        if not is_token(method):
            return [f"{_shown(method)} is no method"]
        if method in self._methods or b"*" in self._methods:
            return []
        return [f"method {_shown(method)} is not in allow_methods"]

    def _headers_refused(self, names: Iterable[bytes]) -> list[str]:
        if b"*" in self._headers:
            refused = [name for name in names if not is_token(name)]
            return _each(refused, "{} is no header name") if refused else []
        refused = [name for name in names if name not in self._headers and name not in _SAFELISTED_HEADERS]
        return _each(refused, "header {} is not in allow_headers") if refused else []


class CORSRules:
    """The policy of each path: the outer keywords, and `overrides` merged over them.

    Raises:
        TypeError, ValueError, re.error: as `CORSPolicy`; of an override, the message names its prefix.
    """

    def __init__(self, overrides: Any, **keywords: Any) -> None:
        # Collections are read once: they may be iterators, and every override starts from them.
        outer: dict[str, Any] = {
            name: collected(name, value) if name in _COLLECTIONS else value for name, value in keywords.items()
        }
        self.outer = CORSPolicy(**outer)
        self.overrides: tuple[tuple[str, CORSPolicy | None], ...] = ()
        if overrides is None:
            return
        if not isinstance(overrides, Mapping):
            raise TypeError(f"overrides must be a mapping of path prefixes to keywords, or None (got {overrides!r})")
        given = cast("Mapping[str, Any]", overrides)
        names: dict[str, str] = {}
        for name in given:
            if (first := names.setdefault(_prefix(name), name)) != name:
                raise ValueError(f"overrides has the same prefix twice, as {first!r} and as {name!r}; leave one out")
        policies = [(prefix, _override(name, outer, given[name])) for prefix, name in names.items()]
        self.overrides = tuple(sorted(policies, key=lambda item: len(item[0]), reverse=True))

    def at(self, path: str) -> CORSPolicy | None:
        """The policy for a path, by the longest prefix that covers it; None where CORS is left to the application."""
        for prefix, policy in self.overrides:
            if covers(prefix, path):
                return policy
        return self.outer


_COLLECTIONS = frozenset({"allow_origins", "allow_methods", "allow_headers", "expose_headers"})


def collected(keyword: str, value: Any) -> tuple[str, ...]:
    """The members of a collection of `str`, which may be an iterator; the one plain string is `"*"`."""
    if value == "*":
        return ("*",)
    if isinstance(value, str):
        raise TypeError(f"{keyword} must be a collection of str, or '*'; write [{value!r}] (got {value!r})")
    if isinstance(value, bytes | bytearray) or not isinstance(value, Iterable):
        raise TypeError(f"{keyword} must be a collection of str, or '*' (got {value!r})")
    return tuple(cast("Iterable[str]", value))


def _prefix(prefix: Any) -> str:
    if not isinstance(prefix, str):
        raise TypeError(f"overrides must have path prefixes as keys (got {prefix!r})")
    return checked_prefix("overrides", prefix)


def _override(prefix: str, outer: dict[str, Any], override: Any) -> CORSPolicy | None:
    if override is None:
        return None
    if not isinstance(override, Mapping):
        raise TypeError(f"overrides[{prefix!r}] must be a mapping of keywords, or None for no CORS (got {override!r})")
    own = cast("Mapping[str, Any]", override)
    unknown = own.keys() - outer.keys()
    if unknown:
        raise TypeError(
            f"overrides[{prefix!r}] has the unknown keyword {min(map(str, unknown))!r}; known are {', '.join(outer)}"
        )
    try:
        return CORSPolicy(**{**outer, **own})
    except (TypeError, ValueError, re.error) as wrong:
        # Not its own class, which may take more than a text, as UnicodeError's do.
        kind = re.error if isinstance(wrong, re.error) else TypeError if isinstance(wrong, TypeError) else ValueError
        raise kind(f"overrides[{prefix!r}]: {wrong}") from wrong


def _compiled(regex: Any) -> re.Pattern[str] | None:
    if regex is None:
        return None
    if isinstance(getattr(regex, "pattern", None), str):
        return cast("re.Pattern[str]", regex)
    if not isinstance(regex, str):
        raise TypeError(f"allow_origin_regex must be a str or a compiled pattern of str, or None (got {regex!r})")
    try:
        return re.compile(regex)
    except (re.error, OverflowError, RecursionError) as wrong:  # `a{99999999999}`; thousands of brackets
        raise re.error(f"allow_origin_regex is no regular expression: {wrong} (got {regex!r})") from None


def _methods(methods: Iterable[str]) -> list[bytes]:
    return [_normalised(method) for method in _tokens("allow_methods", "method", methods)]


def _normalised(method: bytes) -> bytes:
    upper = method.upper()
    return upper if upper in _NORMALISED_METHODS else method


def _names(keyword: str, names: Iterable[str]) -> list[bytes]:
    return [name.lower() for name in _tokens(keyword, "header name", names)]


def _tokens(keyword: str, what: str, values: Iterable[str]) -> list[bytes]:
    tokens: list[bytes] = []
    value: Any
    for value in collected(keyword, values):
        if not isinstance(value, str):
            raise TypeError(f"{keyword} must hold each {what} as str (got {value!r})")
        token = value.encode("utf-8", "surrogatepass")
        if not is_token(token):
            raise ValueError(f"{keyword}: {value!r} is no {what}; write one token (RFC 9110 5.6.2) for each entry")
        tokens.append(token)
    return tokens


def _preflight_constants(
    methods: frozenset[bytes], headers: frozenset[bytes], max_age: int | None, *, private: bool
) -> tuple[Header, ...]:
    """The headers that every accepted preflight gets; the last one, Vary, every refused one as well."""
    constants: list[Header] = []
    if methods and b"*" not in methods:
        constants.append((b"access-control-allow-methods", b", ".join(sorted(methods))))
    if b"*" not in headers:
        constants.append((b"access-control-allow-headers", b", ".join(sorted(headers | _SAFELISTED_HEADERS))))
    if max_age is not None:
        if type(max_age) is not int:
            raise TypeError(f"max_age must be a whole number of seconds, or None for no header (got {max_age!r})")
        if max_age < 0:
            raise ValueError(f"max_age must be 0 or more seconds, or None for no header (got {max_age!r})")
        constants.append((b"access-control-max-age", b"%d" % max_age))
    # Some CDNs cache answers to OPTIONS.
    vary = b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
    constants.append((b"vary", vary + b", Access-Control-Request-Private-Network" if private else vary))
    return tuple(constants)


def _with_cors(permission: tuple[Header, ...], expose: tuple[bytes, ...], *, vary: bool, credentials: bool) -> Answer:
    """For an allowed origin: our permission in place of the application's; Expose-Headers and Vary merged."""
    # A browser takes `*` literally when credentials are included: the names of the response do what the star says.
    by_name = credentials and b"*" in expose
    if by_name:
        expose = tuple(name for name in expose if name != b"*")
    ready = [*permission]
    if expose:
        ready.append((_EXPOSE_HEADERS, b", ".join(expose)))
    if vary:
        ready.append(_VARY_ORIGIN)

    def merged(headers: list[Header], _: list[Header]) -> list[Header]:
        kept: list[Header] = []
        exposed = dict.fromkeys(expose)
        for pair in headers:
            name = pair[0].lower()
            if name == _EXPOSE_HEADERS:
                exposed.update(dict.fromkeys(member.lower() for member in members([pair[1]]) if is_token(member)))
            elif name not in (_ALLOW_ORIGIN, _ALLOW_CREDENTIALS):
                kept.append(pair)
        if by_name:
            exposed.update(dict.fromkeys(name.lower() for name, _ in kept if name.lower() not in _NEVER_EXPOSED))
        kept += permission
        if exposed:
            kept.append((_EXPOSE_HEADERS, b", ".join(exposed)))
        if vary:
            add_vary(kept, b"Origin")
        return kept

    return ready, Merge(None if by_name else _TOUCHED, merged, varied=_VARIED if vary and not by_name else None)


def _without_cors(headers: list[Header], _: list[Header]) -> list[Header]:
    """For a refused origin, or none: no CORS header is left, and caches are told that another origin may get some."""
    kept = [pair for pair in headers if pair[0].lower() not in _CORS_HEADERS]
    add_vary(kept, b"Origin")
    return kept


def origin_refused(origin: bytes) -> str:
    """Why no rule allows an origin, in words for the log and for `explain`."""
    if origin == TWO_ORIGINS:
        return "no origin, or two, which no browser sends"
    if origin == b"null":
        return "origin 'null' is not allowed: any sandboxed frame has it, so only its own entry in allow_origins does"
    if is_serialised(origin) is None:
        return f"{_shown(origin)} is no origin"
    return f"origin {_shown(origin)} is not allowed"


def _each(names: list[bytes], why: str) -> list[str]:
    """The reason for each name, or for the first of many."""
    reasons = [why.format(_shown(name)) for name in names[:_MOST_NAMED]]
    return [*reasons, f"and {len(names) - _MOST_NAMED} more"] if names[_MOST_NAMED:] else reasons


def _shown(value: bytes) -> str:
    """Bytes of a request in a log line: ASCII on one line, bounded."""
    text = value[:200].decode("latin-1")
    return text if is_token(value[:200]) else ascii(text)
