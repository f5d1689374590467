"""Cookies: the values of one name in a request, and the Set-Cookie lines of one cookie (RFC 6265bis, draft 22)."""

from __future__ import annotations

from collections.abc import Iterable

from .headers import Header


def cookie_values(headers: Iterable[Header], name: bytes, longest: int) -> list[bytes]:
    """The values of every cookie of that name, over all Cookie lines, in order; whatever the bytes are.

    RFC 9113 8.2.3: Cookie may come in several lines. RFC 6265bis 4.2.2: servers should not rely on the order of cookies
    with the same name; a subdomain, or a path, can add others. Quotes around a value are taken off. Values of more than
    `longest` bytes are left out.
    """
    found: list[bytes] = []
    start = name + b"="
    for key, line in headers:
        if key == b"cookie":
            for part in line.split(b";"):
                pair = part.strip(b" \t")
                if pair.startswith(start) and len(pair) <= longest + len(start):
                    value = pair[len(start) :]
                    found.append(value[1:-1] if value[-1:] == b'"' == value[:1] and len(value) > 1 else value)
    return found


class SetCookie:
    """Renders the Set-Cookie lines of one cookie; everything but the value and the age is made here, once.

    Attributes:
        name: The name, in bytes.
        removal: The line that removes the cookie.
    """

    __slots__ = ("_after_age", "_before_age", "_head", "_tail", "name", "removal")

    def __init__(
        self, name: str, *, path: str, domain: str | None, secure: bool, same_site: str, partitioned: bool
    ) -> None:
        attributes = [
            "HttpOnly",
            f"SameSite={same_site}",
            *(["Secure"] if secure else []),
            *([f"Domain={domain}"] if domain is not None else []),
            *(["Partitioned"] if partitioned else []),
        ]
        self.name = name.encode("ascii")
        self._head = self.name + b"="
        self._after_age = "".join([f"; {attribute}" for attribute in attributes]).encode("ascii")
        self._tail = f"; Path={path}".encode("ascii") + self._after_age
        self._before_age = f"; Path={path}; Max-Age=".encode("ascii")
        # RFC 6265bis 5.7: a cookie is replaced by one of the same name, domain and path (and partition). 5.6.2: an age
        # of zero ends it; the date is for clients that do not know Max-Age.
        ended = b"0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"
        self.removal: Header = (b"set-cookie", self._head + self._before_age + ended + self._after_age)

    def size(self, value: bytes) -> int:
        """What browsers count: the bytes of name and value (RFC 6265bis 5.6)."""
        return len(self.name) + len(value)

    def line(self, value: bytes, max_age: int | None) -> Header:
        """The line that sets the cookie; without an age it ends with the session of the browser."""
        if max_age is None:
            return (b"set-cookie", self._head + value + self._tail)
        return (b"set-cookie", b"%b%b%b%d%b" % (self._head, value, self._before_age, max_age, self._after_age))
