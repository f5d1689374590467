"""Entity tags of coded responses: told from the plain ones on the way out, and told back on the way in.

A coded body is another representation than the plain one, and has another strong tag (RFC 9110 8.8.3.3). The
application knows only its own tags, so that a client's If-None-Match, If-Match and If (WebDAV's) are translated for it.
With a weak tag alone every If-Match would fail, as it is compared strongly (RFC 9110 13.1.1).
"""

from __future__ import annotations

import re

# What ours end with, before the quote, or at the very end of a tag that (against the grammar) has none.
_OURS = rb"-(?:zstd|br|gzip|dcz-[0-9a-f]{16})"
_MARKED = re.compile(rb"(%s)((?:-identity)*)(?=\"|\Z)" % _OURS)
_TAGS = re.compile(rb'(?:W/)?"[^"]*"')
_WEAK = re.compile(rb'W/(?="[^"]*(?:%s)(?:-identity)*")' % _OURS)


def suffixed(tag: bytes, suffix: bytes, *, weak: bool = False) -> bytes:
    """The tag of a coded response: `"v1"` becomes `"v1-gzip"`; with `weak`, where no two are alike, `W/"v1-gzip"`."""
    inner, quote = (tag[:-1], b'"') if tag.endswith(b'"') else (tag, b"")
    return b"".join([b"W/" if weak and not tag.startswith(b"W/") else b"", inner, suffix, quote])


def kept_apart(tag: bytes) -> bytes:
    """The tag of a plain response: as it is, unless it ends like ours by itself, as Apache's do.

    Such a one is marked, or it would be translated into another one when it comes back.
    """
    return suffixed(tag, b"-identity") if _MARKED.search(tag) else tag


def translated(field: bytes, *, weak: bool = False) -> bytes:
    """A condition of a request in the application's own tags. With `weak`, ours are taken for strong ones again."""
    if weak:
        field = _WEAK.sub(b"", field)
    return _MARKED.sub(lambda match: match[1] + match[2][:-9] if match[2] else b"", field)


def repeated(tag: bytes, field: bytes, suffix: bytes, *, weak: bool = False) -> bytes:
    """The tag of a 304 with the application's `tag`, answering If-None-Match `field`: the one that the client holds.

    Of several it is the one with `suffix`, which a 200 would most likely have now, then the plain one. It is the first,
    too, where If-Modified-Since alone was asked (RFC 9110 15.4.5).
    """
    now, plain = suffixed(tag, suffix, weak=weak), kept_apart(tag)
    if not field:
        return now if suffix else plain
    if field == plain or (suffix and field == now):  # most clients hold one
        return field
    sent: list[bytes] = _TAGS.findall(field)
    opaque = tag.removeprefix(b"W/")
    ours = [mine for mine in sent if (back := translated(mine)) != mine and back.removeprefix(b"W/") == opaque]
    if now in ours:
        return now
    return plain if plain in sent or not ours else ours[0]
