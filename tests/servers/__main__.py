"""`python -m tests.servers` runs the matrix, and writes its table into docs/compatibility.md; it takes pytest's options."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest


class _Cells:
    """The cells that passed."""

    def __init__(self) -> None:
        self.passed: set[tuple[str, str]] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.passed and report.when == "call":
            self.passed |= {tuple(value) for name, value in report.user_properties if name == "cell"}


if __name__ == "__main__":
    cells = _Cells()
    code = pytest.main(
        ["-q", str(Path(__file__).with_name("test_matrix.py")), "-k", "not documented", *sys.argv[1:]], [cells]
    )
    from .matrix import PAGE, documented, table  # after pytest, which rewrites the assertions of what it imports

    PAGE.write_text(documented(PAGE.read_text(), table(cells.passed)))
    sys.exit(code)
