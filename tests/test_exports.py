"""The public names of the package: complete, lazy, and the same for Python as for type checkers."""

import ast
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import middlewares
from middlewares import stack
from middlewares._index import ROOMS

PACKAGE = Path(middlewares.__file__).parent
COMPOSITION = {"OrderError", "OrderProblem", "OrderWarning", "Stack", "check", "use", "when", "wrap"}


def test_all():
    """`__all__` is the index, the composition and the version, sorted."""
    assert set(middlewares.__all__) == {*ROOMS, *COMPOSITION, "__version__"}
    assert sorted(middlewares.__all__) == middlewares.__all__
    assert set(stack.__all__) >= COMPOSITION


@pytest.mark.parametrize("name", middlewares.__all__)
def test_each_name(name):
    """Each name can be got, is listed by `dir`, and is the object of its module."""
    value = getattr(middlewares, name)
    assert name in dir(middlewares)
    if name in ROOMS:
        assert value.__module__.startswith(f"middlewares.{ROOMS[name]}.")
    elif name in COMPOSITION:
        assert value is getattr(stack, name)


def test_unknown_name():
    """A misspelt name is an AttributeError that names the package, as of any module."""
    with pytest.raises(AttributeError, match="module 'middlewares' has no attribute 'CorsMiddleware'"):
        _ = middlewares.CorsMiddleware
    with pytest.raises(ImportError):
        from middlewares import nothing  # noqa: F401


def test_type_checkers_see_the_same():
    """The imports under `TYPE_CHECKING` are the index and the composition, from where Python takes them."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If) and isinstance(node.test, ast.Name))
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    assert seen == {**ROOMS, **dict.fromkeys(COMPOSITION, "stack")}


def test_version():
    """`__version__` is the version that is built."""
    pyproject = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))
    assert middlewares.__version__ == pyproject["project"]["version"]


def test_lazy():
    """Importing the package loads no room; using a name loads its room alone."""
    code = """
import json, sys, middlewares
def loaded(): return sorted(name for name in sys.modules if name.startswith("middlewares."))
before = loaded()
middlewares.CORSMiddleware
print(json.dumps([before, loaded()]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True, timeout=60)
    before, after = json.loads(done.stdout)
    assert before == []
    assert {"middlewares.cors", "middlewares.asgi"} <= set(after)
    assert not {f"middlewares.{room}" for room in {*ROOMS.values(), "stack"} - {"cors"}} & set(after)
