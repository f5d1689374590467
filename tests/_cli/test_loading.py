"""How an application is found, and what it is."""

from __future__ import annotations

import pytest

from middlewares.testing import http_scope, run

from ..conftest import require

require("click")

from middlewares._cli.errors import CommandError, required  # noqa: E402
from middlewares._cli.loading import load  # noqa: E402


def refused(target, exit_code=2, **options):
    with pytest.raises(CommandError) as raised:
        load(target, **options)
    assert raised.value.exit_code == exit_code
    return raised.value.message


@pytest.mark.parametrize(
    ("target", "kind", "body"),
    [("main:app", "ASGI 3", b"Hello, world!"), ("main:Old", "ASGI 2", b"ASGI 2"), ("main:wsgi", "WSGI", b"WSGI")],
)
def test_detection(project, target, kind, body):
    """ASGI 3, ASGI 2 and WSGI are told apart by what the application can be called with."""
    require("a2wsgi")
    loaded = load(target)
    assert loaded.kind == kind
    assert run(loaded.app, http_scope())[1]["body"].startswith(body)


@pytest.mark.parametrize(
    ("import_", "make", "kind"),
    [
        ("flask", "Flask('a')", "WSGI"),
        ("falcon", "App()", "WSGI"),
        ("falcon.asgi", "App()", "ASGI 3"),
        ("quart", "Quart('a')", "ASGI 3"),
        ("bottle", "Bottle()", "WSGI"),
    ],
)
def test_frameworks(project, import_, make, kind):
    """The applications of the frameworks are what they are."""
    require("a2wsgi")
    require(import_)
    project.write("framework.py", f"import {import_}\napp = {import_}.{make}\n")
    assert load("framework:app").kind == kind


def test_wsgi_by_option(project):
    """With `wsgi`, what looks like anything is served as WSGI."""
    require("a2wsgi")
    project.write("odd.py", "def app(*args):\n    args[1]('200 OK', [])\n    return [b'odd']\n")
    loaded = load("odd:app", wsgi=True)
    assert (loaded.kind, run(loaded.app, http_scope())[1]["body"]) == ("WSGI", b"odd")
    assert refused("main:number", wsgi=True).startswith("main:number is no WSGI application")


def test_decorated(project):
    """What a decorator has made of an application, which takes anything, is taken for ASGI 3."""
    project.write("decorated.py", "import main\ndef app(*args, **kwargs):\n    return main.app(*args, **kwargs)\n")
    assert load("decorated:app").kind == "ASGI 3"


def test_factory(project):
    """With `factory`, what is named is called for the application."""
    assert run(load("main:make", factory=True).app, http_scope())[0]["status"] == 200
    assert (
        refused("main:number", factory=True)
        == "main:number must be callable with --factory (got an object of the type int)"
    )


def test_dotted_names(project):
    """Module and attribute may have dots; the working directory comes first."""
    (project.folder / "shop").mkdir()
    project.write("shop/web.py", "import main\nclass Holder: app = staticmethod(main.app)\n")
    assert load("shop.web:Holder.app").kind == "ASGI 3"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("main", "'main' must be module:attribute, such as main:app"),
        ("main:", "'main:' must be module:attribute, such as main:app"),
        (":app", "':app' must be module:attribute, such as main:app"),
        ("main.py", "'main.py' must be module:attribute, such as main:app"),
        ("./site/main.py:api", "'./site/main.py:api' must be module:attribute, such as site.main:api"),
        ("mian:app", "there is no module 'mian' in {folder}, nor is one installed; did you mean 'main'? (--app-dir"),
        ("main.sub:app", "there is no module 'main.sub' in {folder}, nor is one installed; did you mean 'main'?"),
        ("main:ap", "main has no attribute 'ap'; did you mean 'app'? (looked for main:ap)"),
        ("main:app.inner", "main has no attribute 'inner' (looked for main:app.inner)"),
        (
            "main:number",
            "main:number is no application, neither of ASGI nor of WSGI (got an object of the type int); name",
        ),
        ("main:make", "main:make is called without arguments: if it makes the application, add --factory"),
        ("main:create", "main:create is called without arguments: if it makes the application, add --factory"),
        (
            "main:endpoint",
            "main:endpoint is no application, neither of ASGI nor of WSGI (got the function endpoint); name",
        ),
    ],
)
def test_names_that_are_refused(project, target, message):
    """What is not there, or is no application, is told in one line with the likely name."""
    project.write(
        "main.py",
        (project.folder / "main.py").read_text()
        + "async def endpoint(request, reply): ...\ndef create(settings=None): ...\n",
    )
    assert refused(target).startswith(message.format(folder=project.folder))


def test_traceback_of_the_module(project, capsys):
    """A module that raises shows its own traceback, from its own first frame, and then one line."""
    project.write("broken.py", "import deeper\n")
    project.write("deeper.py", "def fail():\n    {}['tea']\nfail()\n")
    assert refused("broken:app", exit_code=1) == "the import of broken raised KeyError: 'tea'"
    shown = capsys.readouterr().err
    assert "_cli" not in shown
    assert "importlib" not in shown
    assert shown.index('broken.py", line 1') < shown.index('deeper.py", line 3') < shown.index('deeper.py", line 2')


def test_missing_import_of_the_module(project, capsys):
    """A module that is there, and imports one that is not, is not taken for missing itself."""
    project.write("needs.py", "import no_such_module\n")
    message = refused("needs:app", exit_code=1)
    assert message == "the import of needs raised ModuleNotFoundError: No module named 'no_such_module'"
    assert 'needs.py", line 1' in capsys.readouterr().err


def test_factory_that_raises(project, capsys):
    """So does a factory; an exception without a text is told by its type."""
    project.write("broken.py", "def make():\n    raise RuntimeError\n")
    assert refused("broken:make", exit_code=1, factory=True) == "the factory broken:make raised RuntimeError"
    assert "_cli" not in capsys.readouterr().err


def test_missing_extra(project, monkeypatch):
    """A module of the extra that is missing is named with the extra; one that it needs itself is another error."""
    with pytest.raises(
        CommandError, match=r"^no_such_module is not installed; .*pip install 'asgi-middlewares\[serve\]'"
    ) as raised:
        required("no_such_module")
    assert raised.value.exit_code == 1
    project.write("needs.py", "import no_such_module\n")
    with pytest.raises(ModuleNotFoundError):
        required("needs")
