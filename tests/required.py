"""How a missing optional part is treated: skipped on a laptop, failed in CI."""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import sys
from pathlib import Path
from typing import Any, NoReturn

CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def require(name: str, reason: str = "") -> Any:
    """The module `name`, or the path of the program `name`; where there is neither: skip, or fail with `CI=true`.

    Use it inside of a test or a fixture, or at the top of a module of tests, instead of `pytest.importorskip`, which
    would hide in CI that a part of the suite did not run.
    """
    try:
        found = importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):  # the parent of a dotted name is missing
        found = False
    if found:
        return importlib.import_module(name)
    beside = Path(sys.executable).with_name(name)  # a virtual environment need not be activated
    program = str(beside) if os.access(beside, os.X_OK) else shutil.which(name)
    if program is not None:
        return program
    _missing(f"{name} is not installed" + (f": {reason}" if reason else ""))


def _missing(message: str) -> NoReturn:
    import pytest  # not above: servers import what tests require, and start faster without it

    if CI:
        pytest.fail(f"{message} (nothing may be skipped in CI)", pytrace=False)
    pytest.skip(message, allow_module_level=True)
