"""`explain`: the tree of the layers and the mistakes of their order."""

from __future__ import annotations

import pytest

from ..conftest import require

require("click")

DEFAULT = """\
├── RequestIDMiddleware()
├── TimingMiddleware()
├── ServerErrorMiddleware()
├── CompressionMiddleware()
"""
RIGHT = "The order is right.\n"


def test_configuration(project):
    """With a file alone, the layers stand around a nameless application; secrets are hidden."""
    project.write(
        "mw.toml",
        "timing = false\n[sessions]\nsecret_key = {env = 'KEY'}\n[cors]\nallow_origins = ['https://a.example']\n",
    )
    result = project.run("explain", "--config", "mw.toml", KEY="hunter2")
    assert (result.exit_code, result.stdout) == (
        0,
        "├── RequestIDMiddleware()\n"
        "├── CORSMiddleware(allow_origins=['https://a.example'])\n"
        "├── ServerErrorMiddleware()\n"
        "├── CompressionMiddleware()\n"
        "├── SessionMiddleware(secret_key='***')\n"
        "└── application\n" + RIGHT,
    )


def test_pyproject(project):
    """Without any argument, the table of pyproject.toml is shown; without one, the usage."""
    assert project.refused("explain") == "name an application, a --config, or layers by their options"
    project.write("pyproject.toml", "[tool.asgi-middlewares]\ntiming = false\n")
    assert "TimingMiddleware" not in project.run("explain").stdout


def test_code_of_the_application(project):
    """With an application alone, the layers of its own code are shown, and nothing that `run` would add."""
    project.write(
        "own.py",
        "from main import app\nfrom middlewares import wrap\n"
        "app = wrap(app, cors={'allow_origins': '*'}, sessions={'secret_key': 'hunter2'})\n",
    )
    assert project.run("explain", "own:app").stdout == (
        "├── CORSMiddleware(allow_origins='*')\n├── SessionMiddleware(secret_key='***')\n└── app\n" + RIGHT
    )


def test_what_run_would_serve(project):
    """With options or a file, the layers stand around the application, as `run` would serve it."""
    assert project.run("explain", "main:app", "--decompression").stdout == (
        DEFAULT + "├── DecompressionMiddleware()\n└── app\n" + RIGHT
    )
    assert project.run("explain", "main:Old", "--timing").stdout == DEFAULT + "└── Old\n" + RIGHT
    assert project.run("explain", "main:make", "--factory", "--timing").stdout == DEFAULT + "└── app\n" + RIGHT


def test_problems(project):
    """Mistakes of order are told, and the exit code is 1."""
    require("fastapi")
    project.write(
        "wrong.py",
        "from fastapi import FastAPI\nfrom middlewares import CORSMiddleware, Stack, use, ServerErrorMiddleware\n"
        "app = FastAPI()\napp.add_middleware(CORSMiddleware, allow_origins='*')\n"
        "app = ServerErrorMiddleware(app)\n",
    )
    result = project.run("explain", "wrong:app")
    assert result.exit_code == 1
    tree, _, problems = result.stdout.partition("Problem: ")
    assert tree == ("├── ServerErrorMiddleware\n└── FastAPI\n    └── CORSMiddleware(allow_origins='*')\n")
    assert problems.startswith("CORSMiddleware stands inside of ServerErrorMiddleware: ")
    assert project.run("explain", "wrong:app", "--cors-origin", "*").stdout.endswith("; remove one of the two.\n")


@pytest.mark.parametrize("arguments", [["nothing:app"], ["--config", "main.py"], ["main:number"]])
def test_mistakes(project, arguments):
    """A mistake of the user is one line."""
    assert project.refused("explain", *arguments)
