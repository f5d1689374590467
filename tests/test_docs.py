"""Each Python block of the README, the guides and the manual pages runs, and the documentation builds without a warning."""

from __future__ import annotations

import ast
import doctest
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from middlewares._index import ROOMS

from .conftest import require

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(?:python|pycon)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SNIPPET = re.compile(r'^--8<-- "(.+)"$', re.MULTILINE)
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
FENCE = re.compile(r"^ *```(.+)$", re.MULTILINE)
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TOML = re.compile(r"^```toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MANUALS = sorted([*ROOT.glob("middlewares/[a-z]*/__init__.py"), *ROOT.glob("middlewares/[a-z]*.py")])
# The page with the reference of each public module, and the public names of `middlewares.stack` that `use` and `when` return.
REFERENCES = {f"rooms/{room.replace('_', '-')}": f"middlewares.{room}" for room in dict.fromkeys(ROOMS.values())} | {
    "testing": "middlewares.testing",
    "composition": "middlewares.stack",
}
UNNAMED = {"Layer", "When"}


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


@pytest.fixture(autouse=True)
def _no_second_name():
    """A page may import the package under its second name, which the command takes for the application's choice."""
    before = {*sys.modules}
    yield
    for name in {*sys.modules} - before:
        if name.partition(".")[0] == "asgi_middlewares":
            del sys.modules[name]


@pytest.mark.parametrize("path", [path for path in [*PAGES, *MANUALS] if BLOCK.search(_text(path))], ids=_name)
def test_blocks_run(path, tmp_path, monkeypatch):
    """The blocks of one page run one after the other in one namespace; what sessions (`>>>`) show is what comes out."""
    monkeypatch.chdir(tmp_path)
    text = _text(path)
    namespace = {"__name__": "page", "app": hello}
    for block in BLOCK.finditer(text):
        code, line = block[1], text.count("\n", 0, block.start(1))
        _require_imports(code)
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


def _require_imports(code):
    """What a block imports may be missing where no peer and no framework is installed."""
    for name in re.findall(r"^(?:>>> )?(?:import|from) (\w+)", code, re.MULTILINE):
        require(name)
    if "get_asgi_application" in code:
        django_is_configured()


def django_is_configured():
    """Django takes its settings once for a process."""
    from django.conf import settings

    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["*"], SECRET_KEY="tea", ROOT_URLCONF=(), LOGGING_CONFIG=None)


def _call(test):
    """Run a test that a page shows, once for each row of its `parametrize`."""
    tables = [mark.args for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
    for names, rows in tables or [((), [()])]:
        for row in rows:
            test(**dict(zip(names, row, strict=True)))


def test_readme_shows_the_minimal_example():
    """The first application of the README and of the quick start is `examples/minimal.py`, which other tests serve."""
    minimal = (ROOT / "examples" / "minimal.py").read_text()
    assert all(
        f"```python\n{minimal}```\n" in path.read_text() for path in (ROOT / "README.md", ROOT / "docs/quickstart.md")
    )


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
    for page, module in REFERENCES.items():
        built = (tmp_path / "site" / page / "index.html").read_text()
        described = {name for name in import_module(module).__all__ if f'id="{module}.{name}"' in built}
        assert described == set(import_module(module).__all__) - UNNAMED, page


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


def _commands(path):
    """The commands of a page's console blocks, with what they are shown to print."""
    for block in CONSOLE.findall(_text(path)):
        for shown in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = shown.replace("\\\n", " ").partition("\n")
            yield shlex.split(command, comments=True), output


@pytest.mark.parametrize("path", [path for path in PAGES if "```console" in path.read_text()], ids=_name)
def test_commands_exist(path):
    """Each `middlewares` command of a console block has a subcommand and options that exist; each `make` a target."""
    click, cli = require("click"), require("middlewares._cli.command").command
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for words, _ in _commands(path):
        if words[0] == "make":
            assert words[1] in targets
        elif words[0] == "middlewares":
            command = cli.commands[words[1]]
            command.make_parser(click.Context(command)).parse_args(words[2:])  # raises for an unknown one


def test_commands_print_what_is_shown():
    """What `middlewares cors` is shown to say on the page of questions is what it says."""
    testing, cli = require("click.testing"), require("middlewares._cli.command").command
    shown = [(words[1:], output.strip()) for words, output in _commands(ROOT / "docs" / "faq.md")]
    assert len(shown) > 2
    for words, output in shown:
        assert testing.CliRunner().invoke(cli, words).output.strip() == output


def test_kinds_of_blocks():
    """No block is of a kind that no test looks at: text is what programs print, and titles name files of the guides."""
    found = {kind.partition(" title=")[0] for path in [*PAGES, *MANUALS] for kind in FENCE.findall(_text(path))}
    assert found == {"python", "pycon", "console", "toml", "text", "js"}  # which tests/browser/test_guides.py runs


@pytest.mark.parametrize("path", [path for path in PAGES if TOML.search(_text(path))], ids=_name)
def test_toml_can_be_read(path):
    """Each TOML block of a page is TOML."""
    for block in TOML.findall(_text(path)):
        assert tomllib.loads(block)


def test_toml_of_the_command(tmp_path, monkeypatch):
    """Each TOML file of the page is one that the command takes."""
    config = require("middlewares._cli.config")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SESSION_KEY", "a key for tests")
    blocks = TOML.findall(_text(ROOT / "docs" / "command.md"))
    assert len(blocks) == 2
    for block in blocks:
        file = tmp_path / ("pyproject.toml" if "[tool." in block else "middlewares.toml")
        file.write_text(block)
        assert config.layers(config.read(file), {}, "middlewares")
