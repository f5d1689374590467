"""Origins, as a configuration writes them and as browsers send them (WHATWG HTML, "origin"; WHATWG URL).

A browser sends one serialisation of an origin, and the answer has to repeat it byte for byte. So each origin of the
configuration is brought into that form once, or refused with the reason; requests are compared by bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_URL = re.compile(r"([a-z][a-z0-9+.\-]*)://([^/?#\\]*)(.*)", re.ASCII | re.IGNORECASE | re.DOTALL)
_AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([^:]*))?", re.DOTALL)
_DOMAIN = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?")
_OPAQUE_HOST = re.compile(r"[A-Za-z0-9._~!$&'()+;=%-]+")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_WEB_PORTS = {b"http": b":80", b"ws": b":80", b"https": b":443", b"wss": b":443"}
# Of these, IDNA 2003, which the standard library has, makes another host than UTS 46, which browsers use: deviations of
# UTS 46, a soft hyphen that is one no more, the ideographs of Unicode's Corrigendum 4. Of a thousand letters that are
# newer, or have got small ones since (Cherokee), it makes a host that no browser sends: such an entry never matches.
_IDNA_DEVIATIONS = frozenset("ßẞς\u1806\u200c\u200d\U0002f868\U0002f874\U0002f91f\U0002f95f\U0002f9bf")

_SERIALISED = re.compile(rb"[A-Za-z][A-Za-z0-9+.\-]*://[^\x00-\x20\x7f-\xff/\\?#@,]*")

is_serialised = _SERIALISED.fullmatch
"""Truthy if bytes of a request look like one origin, in visible ASCII: nothing else is asked of a rule or mirrored."""


class Origins:
    """The origins of one configuration: any, a set of exact ones, and one expression for all patterns.

    Raises:
        TypeError: an entry is no `str`.
        ValueError: an entry is no origin and no pattern; the message says what to write instead.
    """

    __slots__ = ("any", "exact", "pattern")

    def __init__(self, entries: Iterable[str]) -> None:
        exact: dict[bytes, None] = {}
        patterns: list[bytes] = []
        self.any = False
        for entry in entries:
            if entry == "*":
                self.any = True
            elif entry == "null":
                exact[b"null"] = None
            elif "*" in (origin := _normalised(entry)):
                patterns.append(_pattern(origin))
            else:
                exact[origin.encode("ascii")] = None
        self.exact = tuple(exact)
        self.pattern = re.compile(b"|".join(patterns)) if patterns else None


def authority(origin: bytes) -> bytes:
    """Host and port of a web origin, in lower case, without the default port; empty for other origins.

    Clients that are no browsers send the URL of the WebSocket as its origin (Starscream: `wss://host`).
    """
    scheme, _, rest = origin.lower().partition(b"://")
    port = _WEB_PORTS.get(scheme)
    return b"" if port is None else rest.removesuffix(port)


def same_host(origin: bytes, host: bytes) -> bool:
    """Whether the page of `origin` came from the host that the request's Host field names (RFC 6455 10.2).

    The scheme of the request is not compared: behind a proxy that ends TLS, the server does not know it.
    """
    host = host.lower()
    page = authority(origin)
    return page != b"" and page in (host, authority(origin.partition(b"://")[0] + b"://" + host))


def _wrong(entry: object, why: str) -> ValueError:
    return ValueError(f"allow_origins: {entry!r} {why}")


def _normalised(entry: object) -> str:
    """The serialisation that a browser would send; stars of a pattern stay where they are."""
    if isinstance(entry, re.Pattern):
        raise TypeError(
            f"allow_origins must hold origins as str; give the pattern as allow_origin_regex (got {entry!r})"
        )
    if not isinstance(entry, str):
        raise TypeError(f"allow_origins must hold origins as str, such as 'https://app.example' (got {entry!r})")
    if entry != entry.strip() or any(char.isspace() or char == "," or not char.isprintable() for char in entry):
        raise _wrong(
            entry, "has a space, comma or control character; an origin has none, and each is an entry of its own"
        )
    url = _URL.fullmatch(entry)
    if url is None:
        raise _wrong(entry, "has no scheme; write the whole origin, such as 'https://app.example'")
    scheme, rest, path = url[1].lower(), url[2], url[3]
    if path:
        raise _wrong(entry, f"has a path, query or fragment; an origin ends after host and port: '{scheme}://{rest}'")
    if "@" in rest:
        raise _wrong(entry, "has user information; an origin is scheme, host and port alone")
    parts = _AUTHORITY.fullmatch(rest)
    if parts is None:
        raise _wrong(entry, "has no valid host; an IPv6 address stands in brackets: 'http://[::1]:8000'")
    host, port = parts[1], parts[2]
    if not host:
        if scheme == "file" and port is None:
            return "file://"
        raise _wrong(entry, "has no host")
    return f"{scheme}://{_host(entry, scheme, host)}{_port(entry, scheme, port)}"


def _port(entry: str, scheme: str, port: str | None) -> str:
    if port is None:
        return ""
    if port == "*":
        return ":*"
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536 and len(port) < 6):
        raise _wrong(entry, "has a bad port; write 1 to 65535, or '*' for any port")
    return "" if int(port) == _DEFAULT_PORTS.get(scheme) else f":{int(port)}"


def _host(entry: str, scheme: str, host: str) -> str:
    if host.startswith("["):
        return _ipv6(entry, host[1:-1])
    wildcard, host = ("*.", host[2:]) if host.startswith("*.") else ("", host)
    if "*" in host:
        raise _wrong(
            entry,
            "has a star that is not its whole first label; write 'https://*.app.example', or use allow_origin_regex",
        )
    if scheme not in _DEFAULT_PORTS:
        # Hosts of other schemes are opaque (WHATWG URL): nothing to normalise.
        if not _OPAQUE_HOST.fullmatch(host):
            raise _wrong(entry, "has a character that no host has")
        return wildcard + host
    if not host.isascii():
        host = _idna(entry, host)
    host = host.lower()
    if not _DOMAIN.fullmatch(host):
        raise _wrong(entry, "has a character that no host has, or an empty label")
    last = host.rstrip(".").rpartition(".")[2]
    if last.isdigit() or last.startswith("0x"):
        from ipaddress import IPv4Address  # 2 ms of import that few configurations need

        # WHATWG URL, "ends in a number": browsers read such a host as an IPv4 address.
        try:
            address = str(IPv4Address(host))
        except ValueError:
            address = ""
        if wildcard or not address:
            raise _wrong(entry, "ends in a number but is no IPv4 address in its usual form, such as '127.0.0.1'")
    return wildcard + host


def _idna(entry: str, host: str) -> str:
    if _IDNA_DEVIATIONS.isdisjoint(host):
        try:
            return host.encode("idna").decode("ascii")
        except UnicodeError:
            pass
    raise _wrong(entry, "has a host that browsers write in punycode; write it as 'xn--…'")


def _ipv6(entry: str, text: str) -> str:
    from ipaddress import IPv6Address

    try:
        address = IPv6Address(text)
    except ValueError:
        raise _wrong(entry, "has a bad IPv6 address") from None
    if address.scope_id is not None:
        raise _wrong(entry, "has an IPv6 zone, which no origin has")
    if address.ipv4_mapped is not None:
        # WHATWG URL writes all pieces in hexadecimal; ipaddress writes a dotted quad from Python 3.13 on.
        low = int(address) & 0xFFFFFFFF
        return f"[::ffff:{low >> 16:x}:{low & 0xFFFF:x}]"
    return f"[{address.compressed}]"


def _pattern(origin: str) -> bytes:
    """The expression of `scheme://*.host`, `scheme://host:*`, or both; it runs in linear time."""
    scheme, _, rest = origin.partition("://")
    labels = "(?:[a-z0-9_-]+[.])+" if rest.startswith("*.") else ""
    port = "(?::[0-9]{1,5})?" if rest.endswith(":*") else ""
    host = rest.removeprefix("*.").removesuffix(":*")
    return f"{re.escape(scheme)}://{labels}{re.escape(host)}{port}".encode("ascii")
