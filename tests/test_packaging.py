"""What users install: the wheel under its two names, the source distribution, the editable install."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from email.parser import BytesParser
from pathlib import Path

import pytest

from middlewares._index import ROOMS

from .conftest import require

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def _run(*arguments, cwd):
    """What a program prints, which must end well and complain of nothing."""
    command = [str(argument) for argument in arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()


def _install(wheel, folder):
    """A Python of a fresh environment where nothing is installed but the wheel: no room needs a dependency to be imported."""
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    _run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel, cwd=folder)
    return python


def _import(python, code, *, cwd):
    return _run(python, "-W", "error", "-c", code, cwd=cwd)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of the project's own files, so that builds leave nothing behind."""
    folder = tmp_path_factory.mktemp("source") / "project"
    folder.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "hatch_build.py"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "middlewares", folder / "middlewares")  # with its caches, which a build has to leave out
    (folder / "middlewares" / "__pycache__").mkdir(exist_ok=True)
    (folder / "middlewares" / "__pycache__" / "asgi.cpython-311.pyc").touch()
    return folder


@pytest.fixture(scope="module")
def built(source, tmp_path_factory):
    """The folder with the wheel and the source distribution."""
    require("build")
    require("hatchling")
    folder = tmp_path_factory.mktemp("dist")
    # The wheel is built from the source distribution, as installers do where there is no wheel.
    _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, source, cwd=source)
    return folder


@pytest.fixture(scope="module")
def wheel(built):
    """The wheel."""
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """A Python that has the wheel."""
    return _install(wheel, tmp_path_factory.mktemp("environment") / "venv")


def test_wheel_has_both_names(wheel, source):
    """The wheel has each file of the package twice, `py.typed` as well, and nothing else."""
    files = {
        path.relative_to(source / "middlewares").as_posix()
        for path in (source / "middlewares").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == {f"{package}/{name}" for package in ("middlewares", "asgi_middlewares") for name in files}
    assert "py.typed" in files


def test_metadata(wheel):
    """Version, licence (PEP 639) and required Python stand in the metadata; the licence's text in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        folder = f"asgi_middlewares-{VERSION}.dist-info"
        metadata = BytesParser().parsebytes(archive.read(f"{folder}/METADATA"))
        assert archive.read(f"{folder}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    assert (metadata["Name"], metadata["Version"]) == ("asgi-middlewares", VERSION)
    assert (metadata["License-Expression"], metadata["Requires-Python"]) == ("MIT", ">=3.11")
    assert metadata.get_payload() == (ROOT / "README.md").read_text()


def test_script_without_its_extra(python, tmp_path):
    """The script `middlewares` is installed, and says in one line how to get what it needs."""
    script = python.with_name("middlewares")
    done = subprocess.run([script, "--help"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    message = "the command needs the extra `serve`: pip install 'asgi-middlewares[serve]'"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"Error: click is not installed; {message}\n")


def test_source_distribution(built):
    """The source distribution has what a build and the tests need."""
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= {"pyproject.toml", "hatch_build.py", "LICENSE", "README.md", "middlewares/py.typed"}


@pytest.mark.parametrize("name", ["middlewares", "asgi_middlewares"])
def test_each_name_works_alone(python, tmp_path, name):
    """Either name gives every middleware, without the other and without any dependency."""
    other = {"middlewares": "asgi_middlewares", "asgi_middlewares": "middlewares"}[name]
    code = f"import sys, {name} as package; print([getattr(package, n).__module__.rpartition('.')[0] for n in {list(ROOMS)}])"
    code += f"; assert {other!r} not in sys.modules"
    assert _import(python, code, cwd=tmp_path) == str([f"{name}.{room}" for room in ROOMS.values()])


def test_version(python, tmp_path):
    """The version is the same in the package and in its metadata."""
    assert _import(python, "import middlewares; print(middlewares.__version__)", cwd=tmp_path) == VERSION


def test_second_name_beside_a_folder_of_the_application(python, tmp_path):
    """In an application with a folder `middlewares` of its own, `asgi_middlewares` is ours, and `middlewares` theirs."""
    (tmp_path / "middlewares").mkdir()
    (tmp_path / "middlewares" / "__init__.py").write_text("mine = True")
    code = "import middlewares; from asgi_middlewares import CORSMiddleware as C; print(middlewares.mine, C.__module__)"
    assert _import(python, code, cwd=tmp_path) == "True asgi_middlewares.cors.middleware"


def test_editable_install_sees_edits(source, tmp_path):
    """An editable install runs the source under both names, and leaves no copy anywhere."""
    require("hatchling")
    project = shutil.copytree(source, tmp_path / "project")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    build = f"import tempfile; tempfile.tempdir = {str(temporary)!r}; import hatchling.build as b; print(b.build_editable('.'))"
    name = _run(sys.executable, "-c", build, cwd=project).splitlines()[-1]
    assert list(temporary.iterdir()) == []
    python = _install(project / name, tmp_path / "venv")
    (project / "middlewares" / "asgi.py").write_text("EDITED = __name__, __file__")
    code = "from middlewares.asgi import EDITED as a; from asgi_middlewares.asgi import EDITED as b; print(*a, *b)"
    file = project / "middlewares" / "asgi.py"
    assert _import(python, code, cwd=tmp_path) == f"middlewares.asgi {file} asgi_middlewares.asgi {file}"
