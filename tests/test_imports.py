"""Each room alone: what its import loads, in a fresh interpreter."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import middlewares
from middlewares._index import ROOMS

ROOM_NAMES = sorted(set(ROOMS.values()))

# `-S`: no site-packages, so that nothing is loaded beforehand, and a third-party module cannot be imported at all.
CODE = """
import asyncio, json, sys
before = set(sys.modules)
import middlewares.{room}
print(json.dumps(sorted(set(sys.modules) - before)))
"""


@pytest.fixture(scope="module", params=ROOM_NAMES)
def loaded(request):
    """(room, the modules that its import loads beyond `import asyncio`)."""
    done = subprocess.run(
        [sys.executable, "-E", "-S", "-c", CODE.format(room=request.param)],
        cwd=Path(middlewares.__file__).parent.parent,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return request.param, json.loads(done.stdout)


def test_no_other_room(loaded):
    """A room imports its own files, `_http` and `asgi`: no other room, and no composition."""
    room, modules = loaded
    ours = {name.split(".")[1] for name in modules if name.startswith("middlewares.")}
    assert room in ours
    assert ours <= {room, "_http", "asgi"}


def test_no_third_party_module(loaded):
    """A room needs the standard library alone until something optional is constructed."""
    _, modules = loaded
    ours = {"middlewares", "_asgi_middlewares"}  # the second has what both names of the package share, and no file
    foreign = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names - ours
    assert foreign == set()


def test_few_modules(loaded):
    """A room loads at most 25 modules beyond `import asyncio`, its own files included."""
    _, modules = loaded
    assert len(modules) <= 25, modules
