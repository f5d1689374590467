"""`python -m tests.browser.mutations` breaks each room on purpose, and wants the tests in a browser to see it.

Each mutation is made in a copy of the project, in which the tests of that room run until one fails. A line for each names
that test; the exit code is 1 where one passes all of them. It takes some minutes, and is no part of `make test`.
"""
# ruff: noqa: T201 - what it prints is what it is for

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PARTS = ("examples", "middlewares", "pyproject.toml", "tests")


class Mutation(NamedTuple):
    """What is broken: in a file, one place.

    Attributes:
        room: The room.
        what: What goes wrong then.
        file: Where, in `middlewares/`.
        old: The text there, of which there is one.
        new: What stands in its place.
        tests: The arguments of pytest: which tests are to see it.
    """

    room: str
    what: str
    file: str
    old: str
    new: str
    tests: str


CORS, COMPRESSION, SESSIONS, TIMING = (
    f"tests/browser/test_{room}.py" for room in ("cors", "compression", "sessions", "timing")
)
MUTATIONS = [
    Mutation(
        *("request_id", "the header is empty", "request_id/middleware.py"),
        *("pair = (policy.response_name, sent_id)", 'pair = (policy.response_name, b"")'),
        f"{CORS} -k allowed_origin",
    ),
    Mutation(
        *("request_id", "the state has another id than the header", "request_id/middleware.py"),
        *('state["request_id"] = request_id', 'state["request_id"] = policy.new()'),
        f"{CORS} -k unhandled",
    ),
    Mutation(
        *("timing", "descriptions are not quoted", "timing/policy.py"),
        *('b";desc=" + quoted(desc)', 'b";desc=" + desc.encode()'),
        TIMING,
    ),
    Mutation(
        *("timing", "other origins are not allowed", "timing/middleware.py"),
        *("headers.append(policy.allow_origin)", "pass"),
        TIMING,
    ),
    Mutation(
        *("cors", "credentials are not allowed", "cors/policy.py"),
        *('return ((_ALLOW_ORIGIN, origin), (_ALLOW_CREDENTIALS, b"true"))', "return ((_ALLOW_ORIGIN, origin),)"),
        f"{CORS} -k credentials",
    ),
    Mutation(
        *("cors", "preflights of foreign pages pass", "cors/middleware.py"),
        *("allowed=answer is not policy.refused", "allowed=True"),
        f"{CORS} -k refused_preflight",
    ),
    Mutation(
        *("cors", "sockets of foreign pages open", "cors/middleware.py"),
        *("is policy.refused and not _is_same_host", "is None and not _is_same_host"),
        f"{CORS} -k websocket",
    ),
    Mutation(
        *("cors", "the permission of the application stays beside ours", "cors/policy.py"),
        *("elif name not in (_ALLOW_ORIGIN, _ALLOW_CREDENTIALS):", "elif name != _ALLOW_CREDENTIALS:"),
        f"{CORS} -k permissions",
    ),
    Mutation(
        *("server_errors", "no answer to an exception", "server_errors/middleware.py"),
        *(
            'if not started:\n                await self._answer(scope, send, error, "http")',
            "if started:\n                pass",
        ),
        f"{CORS} -k unhandled",
    ),
    Mutation(
        *("compression", "streams are not flushed", "compression/responses.py"),
        *("coded = await self._run(self._encoder.flush, body)", "coded = await self._run(self._encoder.encode, body)"),
        f"{COMPRESSION} -k events",
    ),
    Mutation(
        *("compression", "zstd is called br", "compression/encoders.py"),
        *('field: Header = (b"content-encoding", b"zstd")', 'field: Header = (b"content-encoding", b"br")'),
        f"{COMPRESSION} -k codings",
    ),
    Mutation(
        *("compression", "no response becomes a dictionary", "compression/dictionaries.py"),
        *("""f'match="{quoted}"'""", """f'match="/no{quoted}"'"""),
        f"{COMPRESSION} -k deltas",
    ),
    Mutation(
        *("decompression", "the application does not get the decoded body", "compression/decompression.py"),
        *("await self._app(inner, receive_decoded, send_watched)", "await self._app(inner, receive, send_watched)"),
        f"{COMPRESSION} -k upload",
    ),
    Mutation(
        *("sessions", "scripts read the cookie", "_http/cookies.py"),
        *('            "HttpOnly",\n', ""),
        f"{SESSIONS} -k login",
    ),
    Mutation(
        *("sessions", "SameSite is always Lax", "_http/cookies.py"),
        *('f"SameSite={same_site}"', '"SameSite=lax"'),
        f"{SESSIONS} -k another_site",
    ),
    Mutation(
        *("sessions", "no cookie is partitioned", "_http/cookies.py"),
        *('*(["Partitioned"] if partitioned else []),', ""),
        f"{SESSIONS} -k partitioned",
    ),
    Mutation(
        *("sessions", "no cookie is Secure", "_http/cookies.py"),
        *('*(["Secure"] if secure else []),', ""),
        f"{SESSIONS} -k plain_http",
    ),
    Mutation(
        *("sessions", "a login keeps the id", "sessions/session.py"),
        *("state.regenerated = True", "state.regenerated = False"),
        f"{SESSIONS} -k login",
    ),
    Mutation(
        *("sessions", "a logout leaves the cookie", "_http/cookies.py"),
        *('ended = b"0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"', 'ended = b"60"'),
        f"{SESSIONS} -k login",
    ),
]


def seen_by(mutation: Mutation) -> str | None:
    """The first test that fails by a mutation; None if none does."""
    with tempfile.TemporaryDirectory() as folder:
        for part in PARTS:
            source = ROOT / part
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, Path(folder, part))
        broken = Path(folder, "middlewares", mutation.file)
        text = broken.read_text()
        if text.count(mutation.old) != 1 or mutation.new == mutation.old:
            raise SystemExit(f"{mutation.file} has {text.count(mutation.old)} places with {mutation.old!r}")
        broken.write_text(text.replace(mutation.old, mutation.new))
        command = [sys.executable, "-m", "pytest", "-q", "-x", "--tb=no", "-p", "no:cacheprovider"]
        done = subprocess.run(
            [*command, *mutation.tests.split()], cwd=folder, capture_output=True, text=True, check=False
        )
    if done.returncode == 0:
        return None
    failed = re.search(r"^FAILED \S+::(\S+)", done.stdout, re.MULTILINE)
    if failed is None:  # not seen by a test: the tests could not run
        raise SystemExit(f"{mutation.room}, {mutation.what}:\n{done.stdout}{done.stderr}")
    return failed[1]


if __name__ == "__main__":
    survived = 0
    for mutation in MUTATIONS:
        test = seen_by(mutation)
        survived += test is None
        print(f"{mutation.room:14} {mutation.what:52} {test or 'SURVIVED'}", flush=True)
    sys.exit(bool(survived))
