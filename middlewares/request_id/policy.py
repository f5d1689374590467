"""Which id a request gets: what is adopted, what is made anew, and what the headers say then."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias, cast

from .._http.headers import Header
from .._http.lists import is_token
from .._http.options import checked_callable
from ..asgi import Scope
from .context import DEFAULT_NAME
from .generators import GENERATORS, hex_id
from .trust import trusted_networks

_logger = logging.getLogger("middlewares.request_id")

Validator: TypeAlias = Callable[[str], bool] | re.Pattern[str]
Trust: TypeAlias = bool | Callable[[Scope], bool] | Iterable[str]

FIRST_NAME: Any = object()
"""The default of `response_header`: the first `header_name`."""

# What the ids of proxies are made of (UUID, ULID, HAProxy, AWS ALB, chi), and nothing that could break a header, a line
# of a log or a page of HTML.
_is_safe = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:=+/@~-]{0,127}").fullmatch


class RequestIDPolicy:
    """The configuration of `RequestIDMiddleware`, and its decisions. For the keywords see there."""

    __slots__ = (
        "_complaints",
        "_generator",
        "_transformer",
        "_validator",
        "first",
        "has_others",
        "is_renamed",
        "name",
        "names",
        "new",
        "response_length",
        "response_name",
        "trusts",
    )

    def __init__(
        self,
        *,
        header_name: str | Iterable[str],
        response_header: str | None,
        generator: str | Callable[[], object],
        validator: Validator | None,
        transformer: Callable[[str], str] | None,
        trust_incoming: Trust,
    ) -> None:
        names = _checked_names(header_name)
        self.name = names[0]
        """The name of the header of outgoing calls, as it was written."""
        self.names = tuple([name.lower().encode() for name in names])
        """The names of the request's header, in lower case."""
        self.first = self.names[0]
        self.has_others = len(self.names) > 1
        self.response_name: bytes | None = self.first
        """The name of the response's header, in lower case; None for none."""
        if response_header is None:
            self.response_name = None
        elif response_header is not FIRST_NAME:
            self.response_name = _checked_name("response_header", response_header).lower().encode()
        self.response_length = len(self.response_name or b"")
        self._generator = _checked_generator(generator)
        self._transformer = _checked_transformer(transformer)
        self._validator = _checked_validator(validator)
        self.new: Callable[[], str] = self._new
        """A new id."""
        if isinstance(generator, str) and transformer is None:
            self.new = GENERATORS[generator]  # safe as it is
        self.is_renamed = self.name != DEFAULT_NAME
        self.trusts: Callable[[Scope], bool] | None = None
        """Whether what the peer of a request says is believed. None: always."""
        if trust_incoming is not True:
            trusts = _checked_trust(trust_incoming)
            self.trusts = lambda scope: self._holds("trust_incoming", trusts, scope)
        self._complaints: set[str] = set()

    def found(self, headers: Iterable[Header]) -> tuple[Header, ...]:
        """What a request has of the headers that may bring an id."""
        return tuple([(name, value) for name, value in headers if name in self.names])

    def adopted(self, found: tuple[Header, ...]) -> str | None:
        """The id in the headers that a trusted request brought along, one at least; None where it is refused.

        The first of the names that the request has decides. A value that is refused goes nowhere, not into the log.
        """
        if len(found) == 1:
            return self._accepted(found[0][1].strip(b" \t"))
        first = next(name for name in self.names if any(key == name for key, _ in found))
        values = {value.strip(b" \t") for key, value in found if key == first}
        return self._accepted(values.pop()) if len(values) == 1 else None

    def _accepted(self, value: bytes) -> str | None:
        # A shortcut for ids without punctuation, such as ours; of bytes, `isalnum` is about ASCII alone.
        if not (value.isalnum() and len(value) <= 128) and not _is_safe(value.decode("latin-1")):
            return None
        request_id = value.decode("ascii")
        if self._validator is not None and not self._holds("validator", self._validator, request_id):
            return None
        return request_id if self._transformer is None else self._transformed(request_id)

    def request_headers(self, headers: Iterable[Any], found: tuple[Header, ...], request_id: bytes) -> Iterable[Any]:
        """The headers of a request with the id as the only one; the same object where they are so already."""
        pair = (self.first, request_id)
        if found == (pair,):
            return headers
        return [*self.without_ids(headers), pair]

    def without_ids(self, headers: Iterable[Any]) -> list[Header]:
        """The headers of a request without those that may bring an id."""
        return [(name, value) for name, value in headers if name not in self.names]

    def _new(self) -> str:
        return self._transformed(self._made("generator", self._generator) or hex_id())

    def _transformed(self, request_id: str) -> str:
        if self._transformer is None:
            return request_id
        return self._made("transformer", self._transformer, request_id) or hex_id()

    # What the user's own functions raise breaks no request: the ids of strangers reach them, and a function such as
    # `UUID` raises for most. Not more than the type of an exception is logged, as its text may quote the id.

    def _made(self, keyword: str, function: Callable[..., object], *arguments: object) -> str | None:
        try:
            result = function(*arguments)
            request_id = "" if result is None else str(result)
        except Exception as error:  # noqa: BLE001
            self._complain(keyword, f"raised {type(error).__name__}: a hex id takes its place")
            return None
        if _is_safe(request_id):
            return request_id
        self._complain(
            keyword, "gave an unsafe id (1 to 128 of A-Z a-z 0-9 . _ : = + / @ ~ -): a hex id takes its place"
        )
        return None

    def _holds(self, keyword: str, function: Callable[[Any], object], argument: object) -> bool:
        try:
            return bool(function(argument))
        except Exception as error:  # noqa: BLE001
            self._complain(keyword, f"raised {type(error).__name__}: the id is refused")
            return False

    def _complain(self, keyword: str, what: str) -> None:
        if keyword not in self._complaints:
            self._complaints.add(keyword)
            _logger.error("%s %s (logged once)", keyword, what)


def replaced(headers: list[Header], ready: Header) -> list[Header]:
    """The headers of a response with `ready` as the only one of its name."""
    return [*[pair for pair in headers if pair[0].lower() != ready[0]], ready]


def _checked_names(names: object) -> list[str]:
    if isinstance(names, str):
        return [_checked_name("header_name", names)]
    if isinstance(names, bytes) or not isinstance(names, Iterable):
        raise TypeError(f"header_name must be a str, such as 'X-Request-ID', or a list of them (got {names!r})")
    checked = [_checked_name("header_name", name) for name in cast("Iterable[object]", names)]
    if not checked:
        raise ValueError(f"header_name must name one header at least, such as 'X-Request-ID' (got {names!r})")
    return checked


def _checked_name(keyword: str, name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"{keyword} must be a str, such as 'X-Request-ID' (got {name!r})")
    if not name.isascii() or not is_token(name.encode()):
        raise ValueError(f"{keyword} must be a token (RFC 9110 5.1), such as 'X-Request-ID' (got {name!r})")
    return name


def _checked_generator(generator: object) -> Callable[[], object]:
    if isinstance(generator, str):
        if generator not in GENERATORS:
            named = ", ".join(map(repr, GENERATORS))
            raise ValueError(f"generator must be one of {named}, or a callable (got {generator!r})")
        return GENERATORS[generator]
    return checked_callable("generator", generator, "a name or a plain callable without arguments")


def _checked_transformer(transformer: object) -> Callable[[str], object] | None:
    if transformer is None:
        return None
    return checked_callable("transformer", transformer, "a plain callable of the id, or None")


def _checked_validator(validator: object) -> Callable[[str], object] | None:
    if validator is None:
        return None
    if isinstance(validator, re.Pattern):
        pattern = cast("Any", validator)
        if not isinstance(pattern.pattern, str):
            raise TypeError(f"validator must be a pattern of str, as ids are str (got {pattern!r})")
        return pattern.fullmatch  # type: ignore[no-any-return]
    return checked_callable(
        "validator", validator, "a plain callable of the id, a compiled pattern (re.compile), or None"
    )


def _checked_trust(trust: object) -> Callable[[Scope], object]:
    if trust is False:
        return lambda _: False
    if callable(trust):
        return checked_callable("trust_incoming", trust, "a plain callable of the scope")
    if isinstance(trust, str | bytes) or not isinstance(trust, Iterable):
        raise TypeError(
            "trust_incoming must be True, False, a plain callable of the scope, or a list of networks, such as"
            f" ['10.0.0.0/8'] (got {trust!r})"
        )
    return trusted_networks(cast("Iterable[object]", trust))
