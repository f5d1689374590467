"""What all tests share: how a missing optional part is treated, and the hypothesis profiles."""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, settings

CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}

# Deadlines fail on a busy machine, not on a wrong program. In CI a failure must come back in the next run.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, print_blob=True)
settings.load_profile("ci" if CI else "default")


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
    if CI:
        pytest.fail(f"{message} (nothing may be skipped in CI)", pytrace=False)
    pytest.skip(message, allow_module_level=True)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A certificate for localhost and 127.0.0.1, which clients have to be told to trust."""
    from .certificate import Certificate

    return Certificate.make(tmp_path_factory.mktemp("certificate"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests begin first: the last minute of a run is shared by all workers, and not left to one of them."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the matrix of servers where it ran."""
    reports = terminalreporter.stats.get("passed", [])
    cells = {tuple(value) for report in reports for name, value in report.user_properties if name == "cell"}
    if cells:
        from .servers.matrix import table

        terminalreporter.section("servers")
        terminalreporter.write(table(cells))
