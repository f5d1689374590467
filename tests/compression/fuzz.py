"""Fuzz the decoders of request bodies: `nice python -m tests.compression.fuzz 600 [seed]` runs for ten minutes.

Mutated, spliced and random bodies in all codings, cut at random, are sent through the middleware. It stops at the first
exception, 500, broken rule of ASGI, output beyond the limit, or valid body that does not come out as it went in, with
the seed that shows it again; at the end it prints how many bodies there were, by coding and answer.
"""

import random
import resource
import sys
import time
from collections import Counter
from itertools import pairwise

import anyio
import anyio.lowlevel

from middlewares.compression import DecompressionMiddleware
from middlewares.testing import Lint, http_scope, record
from tests.compression.coded import CODINGS, SEVERAL, bomb, encode

MAX_SIZE = 300_000


def corpus(coding):
    rng = random.Random(0)
    words = [b"tea", b"cup", b"pot", b"leaf", b"\0\xff", b'{"id": 1}']
    plain = [
        b"",
        b"a",
        rng.randbytes(100),
        rng.randbytes(70_000),
        bytes(100_000),
        b" ".join(rng.choices(words, k=3000)),
        b" ".join(rng.choices(words, k=60)),
    ]
    return [*((body, encode(coding, body)) for body in plain), (None, bomb(coding, 4 << 20))]


def mutated(rng, coded, others):
    coded = bytearray(coded)
    for _ in range(rng.choice([1, 1, 1, 2, 4, 16])):
        at = rng.randrange(len(coded) + 1)
        match rng.randrange(7):
            case 0:
                coded[at : at + 1] = bytes([rng.randrange(256)])
            case 1 if at < len(coded):
                coded[at] ^= 1 << rng.randrange(8)
            case 2:
                del coded[at : at + rng.choice([1, 2, 8, 1000])]
            case 3:
                coded[at:at] = rng.randbytes(rng.choice([1, 4, 100]))
            case 4:
                del coded[at:]
            case 5:
                other = rng.choice(others)[1]
                coded[at:] = other[rng.randrange(len(other) + 1) :]
            case _:  # heads say most: windows, sizes, trees
                coded[rng.randrange(24) : 24] = rng.randbytes(rng.randrange(8))
    return bytes(coded)


async def attack(rng, bodies):
    """Send one body; its coding and status."""
    coding = rng.choice(CODINGS)
    plain, coded = rng.choice(bodies[coding])
    kind = rng.random()
    if kind < 0.1:
        plain, coded = None, rng.randbytes(rng.randrange(300))
    elif kind < 0.85:
        plain, coded = None, mutated(rng, coded, bodies[rng.choice(CODINGS) if rng.random() < 0.1 else coding])
    elif plain is not None and coding in SEVERAL:
        second = rng.choice(bodies[coding][:-1])
        plain, coded = plain + second[0], coded + second[1]
    cuts = sorted(rng.randrange(len(coded) + 1) for _ in range(rng.choice([0, 0, 1, 5, 30])))
    borders = [0, *cuts, len(coded)]
    pieces = [coded[a:b] for a, b in pairwise(borders)]
    incoming = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    incoming[-1]["more_body"] = False
    got = []

    async def app(scope, receive, send):
        while not got or got[-1]["more_body"]:
            got.append(await receive())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    layer = DecompressionMiddleware(Lint(app), max_size=MAX_SIZE, encodings=CODINGS)
    sent = await record(Lint(layer), http_scope("POST", headers=[(b"content-encoding", coding.encode())]), *incoming)
    status, body = sent[0]["status"], b"".join(message["body"] for message in got)
    assert status in {200, 400, 413}, sent
    assert len(body) <= MAX_SIZE
    if plain is not None:
        assert (status, body) == (200, plain)
    return coding, status


async def main(seconds, seed):
    bodies = {coding: corpus(coding) for coding in CODINGS}
    answers = Counter()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            answers[await attack(random.Random(seed), bodies)] += 1
        except BaseException:
            sys.stdout.write(f"seed {seed}\n")
            raise
        seed += 1
        if seed % 2000 == 0:
            await anyio.lowlevel.checkpoint()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    lines = [f"{answers.total()} bodies in {seconds:g} s, next seed {seed}, at most {peak} MB of memory"]
    lines += [f"{coding:8} {status} {count:9}" for (coding, status), count in sorted(answers.items())]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    anyio.run(main, float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
