"""mypy, pyright and ty, over what must pass (`typing/applications.py`) and what must not (`typing/mistakes.py`)."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import require

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
FILES = ["tests/typing/applications.py", "tests/typing/mistakes.py"]

# All three print `path:line:column`, then the level.
ERROR = re.compile(r"(tests[\\/]typing[\\/]\w+\.py):(\d+):\d+(?:: | - )error\b.*")

COMMANDS = {
    "mypy": ["mypy", "--show-column-numbers", "--no-error-summary", "--python-executable", sys.executable],
    "pyright": ["pyright", "--pythonpath", sys.executable],
    "ty": ["ty", "check", "--output-format", "concise", "--python", sys.prefix],
}

# What the examples need, so that "cannot find module" is not taken for a mistake.
FRAMEWORKS = ["a2wsgi", "asgiref", "blacksheep", "channels", "django", "falcon", "fastapi", "litestar", "quart"]


@pytest.fixture(scope="module", params=COMMANDS)
def errors(request):
    """The lines that a checker calls errors: (file, line) -> its words."""
    for name in FRAMEWORKS:
        require(name, "the typing examples import it")
    require(request.param, "a type checker")
    program, *options = COMMANDS[request.param]
    done = subprocess.run(
        [sys.executable, "-m", program, *options, *FILES],
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
        timeout=300,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr  # 2: the checker itself failed
    found = {}
    for match in ERROR.finditer(done.stdout):
        found.setdefault((Path(match[1]).name, int(match[2])), match[0])
    assert found, done.stdout + done.stderr
    return found


def test_applications(errors):
    """The applications of all frameworks can be wrapped directly, by `Stack` and by `wrap`, without a type error."""
    assert [words for (file, _), words in errors.items() if file == "applications.py"] == []


def test_mistakes(errors):
    """Wrong, missing and mistyped arguments are type errors; what stands around them is none."""
    lines = (ROOT / "tests/typing/mistakes.py").read_text(encoding="utf-8").splitlines()
    marked = {number for number, line in enumerate(lines, start=1) if line.endswith("# expect-error")}
    found = {number: words for (file, number), words in errors.items() if file == "mistakes.py"}
    assert [lines[number - 1] for number in sorted(marked - found.keys())] == [], "taken for right"
    assert [words for number, words in found.items() if number not in marked] == [], "taken for wrong"
