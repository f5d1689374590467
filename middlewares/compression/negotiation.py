"""Which content coding a client gets: Accept-Encoding against what is on offer (RFC 9110 12.5.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Choice(NamedTuple):
    """What a client gets.

    Attributes:
        coding: The best of the codings on offer; None for plain content.
        is_forced: Whether plain content is refused, so that what is small or does not shrink is coded, too, if there
            is something to code it by.
        takes_dictionary: Whether `dcz` is at least as welcome as all else.
    """

    coding: bytes | None
    is_forced: bool
    takes_dictionary: bool


def negotiate(accept: bytes, offers: Sequence[bytes]) -> Choice:
    """The choice for the value of Accept-Encoding, its lines joined by commas.

    The highest weight wins, and the first of `offers` among equals. Where nothing is acceptable, not even plain
    content, it is plain content all the same: a 406 would help nobody, and RFC 9110 12.5.3 asks for none.
    """
    from .._http.accept import weighted  # here, as its expressions take 3 ms to compile

    weights: dict[bytes, int] = {}
    for item, _, weight in weighted([accept]):
        coding = b"gzip" if item == b"x-gzip" else item  # RFC 9110 8.4.1.3
        weights[coding] = min(weight, weights.get(coding, weight))  # of two that disagree, the one that asks for less
    unnamed = weights.get(b"*", 0)
    ranks = {coding: weights.get(coding, unnamed) for coding in offers}
    best = max(offers, key=ranks.__getitem__)
    # Plain content is acceptable unless it is excluded, by its name or by "*;q=0"; unnamed, it is the last resort.
    plain = weights.get(b"identity", weights.get(b"*"))
    dictionary = weights.get(b"dcz", unnamed)
    return Choice(
        coding=best if ranks[best] and ranks[best] >= (plain or 0) else None,
        is_forced=plain == 0,
        takes_dictionary=dictionary > 0 and dictionary >= max(ranks[best], plain or 0),
    )
