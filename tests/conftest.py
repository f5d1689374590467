"""What all tests share: the hypothesis profiles, the certificate, and `require`, for a part that may be missing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from .required import CI, require

__all__ = ["require"]

# Deadlines fail on a busy machine, not on a wrong program. In CI a failure must come back in the next run.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, print_blob=True)
settings.register_profile("fast", settings.get_profile("default"), max_examples=10)  # for `make test-fast`
settings.load_profile("ci" if CI else "default")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A certificate for localhost and 127.0.0.1, which clients have to be told to trust."""
    from .certificate import Certificate

    return Certificate.make(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def demo_server() -> Any:
    """`examples/demo.py` as `make demo` runs it."""
    from .servers.harness import start

    for name in ("a2wsgi", "flask", "prometheus_client", "starlette", "uvicorn", "websockets"):
        require(name)
    with start(lambda _: ["examples/demo.py"], lambda port: {"PORT": str(port)}) as server:
        yield server


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
