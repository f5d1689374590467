"""Each Python block of the README, the guides and the manual pages runs, and the documentation builds without a warning."""

from __future__ import annotations

import ast
import doctest
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from .conftest import require

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(?:python|pycon)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SNIPPET = re.compile(r'^--8<-- "(.+)"$', re.MULTILINE)
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
MANUALS = sorted([*ROOT.glob("middlewares/[a-z]*/__init__.py"), *ROOT.glob("middlewares/[a-z]*.py")])


def _text(path):
    text = path.read_text()
    if path.suffix == ".py":
        return ast.get_docstring(ast.parse(text)) or ""
    return SNIPPET.sub(lambda found: (ROOT / found[1]).read_text().rstrip("\n"), text)


def _name(path):
    return path.relative_to(ROOT).as_posix()


async def hello(scope, receive, send):
    """The application that pages call `app` when it does not matter which one it is."""
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"Hello, world!\n"})


@pytest.mark.parametrize("path", [path for path in [*PAGES, *MANUALS] if BLOCK.search(_text(path))], ids=_name)
def test_blocks_run(path, tmp_path, monkeypatch):
    """The blocks of one page run one after the other in one namespace; what sessions (`>>>`) show is what comes out."""
    require("fastapi")
    monkeypatch.chdir(tmp_path)
    before = {*sys.modules}
    text = _text(path)
    namespace = {"__name__": "page", "app": hello}
    for block in BLOCK.finditer(text):
        code, line = block[1], text.count("\n", 0, block.start(1))
        if code.startswith(">>> "):
            session = doctest.DocTestParser().get_doctest(code, namespace, _name(path), str(path), line)
            report: list[str] = []
            result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(
                session, out=report.append, clear_globs=False
            )
            assert not result.failed, "".join(report)
            namespace.update(session.globs)
        else:
            # Empty lines in front: an exception names the line of the page.
            exec(compile("\n" * line + code, str(path), "exec", dont_inherit=True), namespace)
    for name, test in namespace.items():
        if name.startswith("test_"):
            _call(test)
    # A page may import the package under its second name, which the command takes for the application's choice.
    for name in {*sys.modules} - before:
        if name.partition(".")[0] == "asgi_middlewares":
            del sys.modules[name]


def _call(test):
    """Run a test that a page shows, once for each row of its `parametrize`."""
    tables = [mark.args for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
    for names, rows in tables or [((), [()])]:
        for row in rows:
            test(**dict(zip(names, row, strict=True)))


def test_readme_shows_the_minimal_example():
    """The README's first application is `examples/minimal.py`, which other tests serve."""
    assert (ROOT / "examples" / "minimal.py").read_text() in _text(ROOT / "README.md")


def test_picture_of_server_timing():
    """The picture is what its script draws, of a header that the README shows, and well-formed."""
    folder = ROOT / "docs" / "pictures"
    script = runpy.run_path(str(folder / "server_timing.py"))
    assert (folder / "server-timing.svg").read_text() == script["draw"](script["HEADER"]) + "\n"
    assert f"server-timing: {script['HEADER']}\n" in (ROOT / "README.md").read_text()
    ET.parse(folder / "server-timing.svg")


@pytest.mark.slow
def test_documentation_builds_without_a_warning(tmp_path):
    """`zensical build --strict` is content with links and references, and griffe with the docstrings."""
    require("zensical")
    for name in ("docs", "middlewares", "examples"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "griffe" not in done.stdout
    for manual in ("request-id", "timing", "cors", "server-errors", "sessions"):
        assert "Middleware" in (tmp_path / "site" / "rooms" / manual / "index.html").read_text()


@pytest.mark.parametrize("name", ["run", "explain", "cors", "bench", "demo"])
def test_options_of_the_command(name):
    """The page of the command has each option of each subcommand in the section of it, and no other."""
    options = require("middlewares._cli.command").command.commands[name].params
    known = {text for option in options for text in (*option.opts, *option.secondary_opts) if text.startswith("--")}
    page = (ROOT / "docs" / "command.md").read_text()
    section = re.split(r"^## ", page, flags=re.MULTILINE)
    [section] = [text for text in section if text.lower().startswith(f"{name}\n")]
    rows = [line for line in section.splitlines() if line.startswith("| `--")]
    assert {option for row in rows for option in re.findall(r"`(--[a-z-]+)", row.split(" | ")[0])} == known


def test_toml_of_the_command(tmp_path, monkeypatch):
    """Each TOML file of the page is one that the command takes."""
    config = require("middlewares._cli.config")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SESSION_KEY", "a key for tests")
    blocks = re.findall(r"^```toml\n(.*?)^```$", _text(ROOT / "docs" / "command.md"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        file = tmp_path / ("pyproject.toml" if "[tool." in block else "middlewares.toml")
        file.write_text(block)
        assert config.layers(config.read(file), {}, "middlewares")
