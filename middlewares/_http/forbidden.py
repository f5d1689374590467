"""What scripts of a page may not set on a request (WHATWG Fetch): browsers leave it out without a word."""

from __future__ import annotations

_NAMES = frozenset(
    {
        *(b"accept-charset", b"accept-encoding", b"access-control-request-headers", b"access-control-request-method"),
        *(b"access-control-request-private-network", b"connection", b"content-length", b"cookie", b"cookie2", b"date"),
        *(b"dnt", b"expect", b"host", b"keep-alive", b"origin", b"referer", b"set-cookie", b"te", b"trailer"),
        *(b"transfer-encoding", b"upgrade", b"via"),
    }
)


def is_forbidden_name(name: bytes) -> bool:
    """Fetch, "forbidden request-header", by its name in lower case; the private network header is the browser's, too.

    Those that override a method are forbidden by some of their values alone.
    """
    return name in _NAMES or name.startswith((b"proxy-", b"sec-"))
