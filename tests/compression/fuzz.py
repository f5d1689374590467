"""Fuzz the decoders of request bodies: `nice python -m tests.compression.fuzz 600 [seed]` runs for ten minutes.

Bodies of many kinds in all codings, cut at random, are sent through the middleware, half of the time on asyncio and
half on trio: whole ones, ends cut off, garbage behind the end, one bit changed, many bytes changed or spliced, random
bytes, codings upon each other, bombs, clients that leave, responses that begin before the body is read. It stops at the
first exception, 500, broken rule of ASGI, output beyond the limit, or answer that the kind of body does not allow, with
the seed that shows it again; at the end it prints how many bodies there were, by kind, coding and answer.
"""

import random
import resource
import sys
import time
import zlib
from collections import Counter
from itertools import pairwise

import anyio
import anyio.lowlevel

from middlewares.compression import DecompressionMiddleware
from middlewares.testing import Lint, LintError, Recorder, http_scope
from tests.compression.coded import CODINGS, SEVERAL, bomb, encode

MAX_SIZE = 300_000
REFUSED = {400, 413}
START = {"type": "http.response.start", "status": 200, "headers": []}
END = {"type": "http.response.body", "body": b"", "more_body": False}


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
    return [(body, encode(coding, body)) for body in plain]


CORPUS = {coding: corpus(coding) for coding in CODINGS}
# 256 MB of zeros in zstd are 8 KB.
BOMBS = {coding: [bomb(coding, size << 20) for size in (1, 4, 256 if coding == "zstd" else 32)] for coding in CODINGS}


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


class Case:
    """A request: its codings, its bytes, the answers that are right, and the body if it is known (None: any)."""

    def __init__(self, coding, coded, allowed, plain=None):
        self.fields = [coding.encode()]
        self.coded = coded
        self.allowed = allowed
        self.plain = plain


def whole(rng, coding):
    plain, coded = rng.choice(CORPUS[coding])
    while coding in SEVERAL and rng.random() < 0.5 and len(plain) < MAX_SIZE - 100_000:
        second = rng.choice(CORPUS[coding])
        plain, coded = plain + second[0], coded + second[1]
    if coding == "deflate" and rng.random() < 0.5:
        coder = zlib.compressobj(rng.randrange(10), zlib.DEFLATED, -15)
        coded = coder.compress(plain) + coder.flush()
    return Case(coding, coded, {200}, plain)


def cut_short(rng, coding):
    _, coded = rng.choice(CORPUS[coding])
    return Case(coding, coded[: rng.randrange(len(coded))], {400})


def garbage_behind(rng, coding):
    _, coded = rng.choice(CORPUS[coding])
    return Case(coding, coded + rng.randbytes(rng.choice([1, 2, 4, 20, 5000])), {400})


def one_bit(rng, coding):
    plain, coded = rng.choice(CORPUS[coding])
    coded = bytearray(coded)
    coded[rng.randrange(len(coded))] ^= 1 << rng.randrange(8)
    # A gzip head has parts that say nothing of the body; br has no checksum.
    return Case(coding, bytes(coded), {200, *REFUSED}, None if coding == "br" else plain)


def many_bytes(rng, coding):
    others = CORPUS[rng.choice(CODINGS) if rng.random() < 0.2 else coding]
    return Case(coding, mutated(rng, rng.choice(CORPUS[coding])[1], others), {200, *REFUSED})


def random_bytes(rng, coding):
    head = rng.choice(CORPUS[coding])[1][: rng.choice([0, 0, 2, 10, 20])]
    return Case(coding, head + rng.randbytes(rng.randrange(300)), {200, *REFUSED})


def nested(rng, coding):
    """Coded twice: named once, one of them is decoded; named twice, it is refused unread."""
    inner = rng.choice(CODINGS)
    data = rng.choice([rng.choice(CORPUS[inner])[1], BOMBS[inner][0]])
    case = Case(coding, encode(coding, data), {200}, data)
    if rng.random() < 0.7:
        both = [inner.encode(), coding.encode()]
        case.fields = [b", ".join(both)] if rng.random() < 0.5 else both
        case.allowed, case.plain = {415}, None
    return case


def bombs(rng, coding):
    coded, allowed = rng.choice(BOMBS[coding]), {413}
    if rng.random() < 0.3:
        coded, allowed = coded[: rng.randrange(1, len(coded))], REFUSED
    if coding in SEVERAL and rng.random() < 0.5:
        coded = rng.choice(CORPUS[coding])[1] + coded
    if rng.random() < 0.3:
        coded, allowed = mutated(rng, coded, CORPUS[coding]), {200, *REFUSED}
    return Case(coding, coded, allowed)


def odd_field(rng, coding):
    field = rng.choice([b"x-" + coding.encode(), coding.upper().encode(), coding.encode() + b";q=1", b"\xff\x80"])
    case = whole(rng, coding)
    case.fields, case.plain = [field], None
    case.allowed = {415} if b";" in field else {200, *REFUSED, 415}
    return case


KINDS = [whole, cut_short, garbage_behind, one_bit, many_bytes, many_bytes, random_bytes, nested, bombs, odd_field]


def pieces_of(rng, coded):
    """The body, cut anywhere."""
    if rng.random() < 0.05:
        return [coded[at : at + 1] for at in range(min(len(coded), 2000))] + [coded[2000:]]
    cuts = sorted(rng.randrange(len(coded) + 1) for _ in range(rng.choice([0, 0, 1, 5, 30])))
    return [coded[a:b] for a, b in pairwise([0, *cuts, len(coded)])]


async def attack(rng):
    """Send one body; its kind, its coding and what came of it, and how many bytes the application got."""
    kind, coding = rng.choice(KINDS), rng.choice(CODINGS)
    case = kind(rng, coding)
    incoming = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces_of(rng, case.coded)]
    incoming[-1]["more_body"] = False
    leaves, begins = rng.random() < 0.05, rng.random() < 0.05
    if leaves:
        incoming = [*incoming[:-1], {"type": "http.disconnect"}]
    got = []
    gone = False

    async def app(scope, receive, send):
        nonlocal gone
        if begins:
            await send(START)
        while not got or got[-1]["more_body"]:
            message = await receive()
            if message["type"] == "http.disconnect":
                gone = True
                return
            got.append(message)
        if not begins:
            await send(START)
        await send(END)

    layer = DecompressionMiddleware(Lint(app), max_size=MAX_SIZE, encodings=CODINGS)
    scope = http_scope("POST", headers=[(b"content-encoding", field) for field in case.fields])
    recorder = Recorder(scope, *incoming)
    try:
        await Lint(layer)(scope, recorder.receive, recorder.send)
    except LintError as error:  # the response was cut
        if not begins or "no final http.response.body was sent" not in str(error):
            raise
    body = b"".join(message["body"] for message in got)
    assert len(body) <= MAX_SIZE
    sent = recorder.sent
    complete = bool(got) and not got[-1]["more_body"]
    if gone:
        assert leaves
        assert sent == [START] * begins
        return kind, coding, "gone", len(body)
    if begins and sent[:1] == [START]:
        assert sent == [START, END] if complete else sent == [START]
        status = 200 if complete else "cut"
        assert leaves or complete or case.allowed != {200}
    else:
        status = sent[0]["status"]
        assert leaves or status in case.allowed, (case.allowed, sent)
        assert complete == (status == 200), sent
        assert len(sent) == 2
    if complete and case.plain is not None:
        assert body == case.plain
    return kind, coding, status, len(body)


async def main(seconds, seed, answers):
    end = time.monotonic() + seconds
    most = 0
    while time.monotonic() < end:
        try:
            kind, coding, status, size = await attack(random.Random(seed))
        except BaseException:
            sys.stdout.write(f"seed {seed}\n")
            raise
        answers[kind.__name__, coding, str(status)] += 1
        most = max(most, size)
        seed += 1
        if seed % 2000 == 0:
            await anyio.lowlevel.checkpoint()
    return seed, most


def fuzz(seconds, seed):
    """Run for so long, and tell what there was."""
    answers = Counter()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    most = 0
    for backend in ("asyncio", "trio"):
        seed, size = anyio.run(main, seconds / 2, seed, answers, backend=backend)
        most = max(most, size)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    lines = [
        f"{answers.total()} bodies in {seconds:g} s, next seed {seed}; at most {most} of {MAX_SIZE} bytes handed on"
    ]
    lines += [f"memory: {before} MB at the start, at most {peak} MB"]
    for index, head in enumerate(("kind", "coding")):
        lines += ["", f"{head:16}{'answer':7}{'bodies':>9}"]
        sums = Counter()
        for key, count in answers.items():
            sums[key[index], key[2]] += count
        lines += [f"{name:16}{status:7}{count:9}" for (name, status), count in sorted(sums.items())]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    fuzz(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
