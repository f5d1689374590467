"""Python programs beside the tests, each ended by its id within bounded time."""

import os
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECONDS = 60  # on a busy machine
STOP_SECONDS = 10


@contextmanager
def python(code, *arguments, measured=True):
    """Run `code` with `sys.argv[1:]`; its standard input and output are pipes of text, its errors are ours.

    What is to be killed is not `measured`: half a file of coverage would be left behind.
    """
    environment = {name: value for name, value in os.environ.items() if measured or not name.startswith("COVERAGE_")}
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        env={**environment, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=STOP_SECONDS)  # the end of its input is a request to end
        process.kill()
        process.communicate(timeout=STOP_SECONDS)


def output(code, *arguments):
    """What `code` prints until it ends in peace."""
    with python(code, *arguments) as process:
        out, _ = process.communicate(timeout=SECONDS)
        assert 0 == process.returncode
        return out
