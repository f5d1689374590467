"""`python -m tests.frameworks` runs the matrix, and writes its table into docs/compatibility.md; it takes pytest's options."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

if __name__ == "__main__":
    tests = Path(__file__).with_name("test_matrix.py")
    code = pytest.main(["-q", str(tests), "-k", "not documented", *sys.argv[1:]])
    if code == pytest.ExitCode.OK:  # each cell that says "yes" passed, each gap is one
        from .matrix import table
        from .test_matrix import BEGIN, END, PAGE

        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}{table()}{END}{rest.partition(END)[2]}")
    sys.exit(code)
