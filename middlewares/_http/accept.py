"""Weighted lists of preferences (RFC 9110 12.4.2), and the choice of a media type by Accept (12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from .lists import is_token

Parameter: TypeAlias = tuple[bytes, bytes]

# What stands behind each border that is not inside of a quoted string; a quote that is never closed takes the rest.
# Possessive (`++`), so that no input makes the expressions go back: linear whatever comes.
_BEHIND_COMMA = re.compile(rb',((?:[^",]++|"(?:[^"\\]++|\\.)*+"?)*+)', re.DOTALL)
_BEHIND_SEMICOLON = re.compile(rb';((?:[^";]++|"(?:[^"\\]++|\\.)*+"?)*+)', re.DOTALL)
_QUOTED_STRING = re.compile(rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]++|\\[\t \x21-\x7e\x80-\xff])*+"')
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)
_QVALUE = re.compile(rb"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


def quality(value: bytes) -> int:
    """A qvalue in thousandths, from 0 to 1000; one that does not parse counts as 0, "not acceptable".

    RFC 9110 12.4.2: three digits after the point at most, nothing above 1.
    """
    if not _QVALUE.fullmatch(value):
        return 0
    whole, _, digits = value.partition(b".")
    return int(whole + digits.ljust(3, b"0"))


def weighted(values: Iterable[bytes]) -> Iterator[tuple[bytes, list[Parameter], int]]:
    """The members of a weighted list over all its lines: item, parameters, weight in thousandths (see `quality`).

    Items, names and values of parameters are in lower case, quoted strings without their quotes. A parameter `q` is the
    weight wherever it stands (RFC 9110 12.5.1); without one it is 1000; two of them do not parse. Members with a
    malformed parameter are left out; the item's own form is for the caller to check.
    """
    for value in values:
        for member in _split(value, b",", _BEHIND_COMMA):
            item, *rest = [part.strip(b" \t") for part in _split(member, b";", _BEHIND_SEMICOLON)]
            parsed = _parameters(rest)
            if item and parsed is not None:
                yield item.lower(), *parsed


def _split(value: bytes, border: bytes, behind: re.Pattern[bytes]) -> list[bytes]:
    return behind.findall(border + value) if b'"' in value else value.split(border)


def _parameters(parts: list[bytes]) -> tuple[list[Parameter], int] | None:
    parameters: list[Parameter] = []
    weights: list[bytes] = []
    for part in filter(None, parts):  # RFC 9110 5.6.6: a parameter may be empty
        name, _, value = part.lower().partition(b"=")
        if name == b"q":
            weights.append(value)
        elif not is_token(name):
            return None
        elif is_token(value):
            parameters.append((name, value))
        elif _QUOTED_STRING.fullmatch(value):
            parameters.append((name, _QUOTED_PAIR.sub(rb"\1", value[1:-1])))
        else:
            return None
    if len(weights) > 1:
        return parameters, 0
    return parameters, quality(weights[0]) if weights else 1000


def preferred(accept: Iterable[bytes], offers: Sequence[bytes]) -> bytes | None:
    """The best of the offered media types for the lines of an Accept field; None if none is acceptable.

    Offers are in lower case, the server's favourite first: it wins where the weights are equal. They may have
    parameters (`text/plain;charset=utf-8`). Without Accept, or with nothing in it that can be read, everything is
    acceptable.
    """
    ranges = [
        (item, frozenset(parameters), weight)
        for item, parameters, weight in weighted(accept)
        if item == b"*/*" or _is_media_type(item)
    ]
    if not ranges:
        return offers[0]
    best, best_weight = None, 0
    for offer in offers:
        weight = _weight(offer, ranges)
        if weight > best_weight:
            best, best_weight = offer, weight
    return best


def _is_media_type(item: bytes) -> bool:
    kind, _, subtype = item.partition(b"/")
    return bool(is_token(kind) and is_token(subtype)) and kind != b"*"


def _weight(offer: bytes, ranges: list[tuple[bytes, frozenset[Parameter], int]]) -> int:
    """The weight of the most specific range that holds the offer (RFC 9110 12.5.1), the highest among equal ones."""
    full, *rest = offer.split(b";")
    own = {(name, value) for name, _, value in (part.strip().partition(b"=") for part in rest)}
    precedence = {b"*/*": 0, full.partition(b"/")[0] + b"/*": 1, full: 2}
    matching = [
        (precedence[item], len(parameters), weight)
        for item, parameters, weight in ranges
        if item in precedence and parameters <= own
    ]
    return max(matching)[2] if matching else 0
