"""Bodies to compress: JSON, HTML and JavaScript as applications send them, made from a seed, the same on each machine.

Words, names and numbers follow the laws that real ones follow (few are common, most are rare), so that bodies shrink
about as real ones do: ratios and times stand beside each other in the table, to be judged.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from functools import cache

SIZES = {"1 KB": 1_000, "10 KB": 10_000, "100 KB": 100_000, "1 MB": 1_000_000}

# fmt: off
_SYLLABLES = [
    "an", "ar", "be", "co", "con", "de", "di", "el", "en", "er", "es", "fi", "ge", "in", "is", "la", "le", "ma",
    "men", "na", "ne", "no", "on", "or", "per", "ra", "re", "ri", "ro", "se", "si", "ta", "te", "ti", "to", "tion",
]
# fmt: on


@cache
def body(kind: str, size: int) -> bytes:
    """A body of `size` bytes of a kind, cut off at its end."""
    rng = random.Random(f"{kind} {size}")
    words = _Words(rng)
    text = ""
    for piece in KINDS[kind](rng, words):
        text += piece
        if len(text) >= size:
            return text[:size].encode("ascii")
    raise AssertionError  # the generators are endless


class _Words:
    """A vocabulary whose word of rank n is 1/n times as frequent as the first (Zipf)."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._words = ["".join(rng.choices(_SYLLABLES, k=rng.randint(1, 4))) for _ in range(4000)]
        self._weights = list(_cumulated(len(self._words)))

    def some(self, count: int) -> list[str]:
        return self._rng.choices(self._words, cum_weights=self._weights, k=count)

    def sentence(self) -> str:
        return " ".join(self.some(self._rng.randint(5, 20))).capitalize() + "."

    def name(self) -> str:
        return "_".join(self.some(self._rng.randint(1, 2)))


def _cumulated(count: int) -> Iterator[float]:
    total = 0.0
    for rank in range(1, count + 1):
        total += 1 / rank
        yield total


def _json(rng: random.Random, words: _Words) -> Iterator[str]:
    """A list of orders, as an API gives it."""
    yield "["
    number = rng.randrange(100_000)
    while True:
        number += rng.randint(1, 9)
        order = {
            "id": number,
            "uuid": f"{rng.getrandbits(128):032x}",
            "created_at": f"2026-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}T{rng.randint(0, 23):02}:17:42Z",
            "status": rng.choice(["paid", "shipped", "cancelled", "open"]),
            "customer": {"name": " ".join(words.some(2)).title(), "email": f"{words.name()}@example.com"},
            "items": [
                {
                    "sku": f"{rng.randrange(10**6):06}",
                    "title": " ".join(words.some(3)),
                    "price": rng.randrange(9999) / 100,
                }
                for _ in range(rng.randint(1, 4))
            ],
            "note": rng.choice([None, words.sentence()]),
            "is_gift": rng.random() < 0.1,
        }
        yield json.dumps(order) + ", "


def _html(rng: random.Random, words: _Words) -> Iterator[str]:
    """A page of articles."""
    yield "<!doctype html>\n<html lang='en'>\n<head><meta charset='utf-8'><title>Articles</title></head>\n<body>\n"
    while True:
        slug = "-".join(words.some(3))
        text = "</p>\n    <p>".join(" ".join(words.sentence() for _ in range(rng.randint(2, 6))) for _ in range(3))
        yield (
            f'  <article class="card card--wide" id="article-{rng.randrange(10**5)}">\n'
            f'    <h2 class="card__title"><a href="/articles/{slug}">{words.sentence()}</a></h2>\n'
            f"    <p>{text}</p>\n"
            f'    <p class="card__meta">By <a href="/authors/{words.name()}">{words.name().title()}</a></p>\n'
            "  </article>\n"
        )


def _js(rng: random.Random, words: _Words) -> Iterator[str]:
    """Functions of a script, not minified."""
    while True:
        name, first, second, field = (words.name() for _ in range(4))
        yield (
            f"// {words.sentence()}\n"
            f"export function {name}({first}, {second} = {rng.randrange(100)}) {{\n"
            f"  const {field} = {first}.map((item) => item.{words.name()} * {second});\n"
            f"  if ({field}.length === 0 || !{first}.{words.name()}) {{\n"
            f'    throw new TypeError("{words.sentence()}");\n  }}\n'
            f"  for (const {words.name()} of {field}) {{\n"
            f"    this.{words.name()}({second}, {rng.randrange(10)});\n  }}\n"
            f"  return {rng.choice([field, f'this.{words.name()}({field})', 'null'])};\n}}\n\n"
        )


KINDS: dict[str, Callable[[random.Random, _Words], Iterator[str]]] = {"JSON": _json, "HTML": _html, "JS": _js}
TYPES = {"JSON": b"application/json", "HTML": b"text/html; charset=utf-8", "JS": b"text/javascript; charset=utf-8"}
