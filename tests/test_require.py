"""`require` of the tests themselves: nothing may be skipped where `CI=true`."""

import sys

import pytest

from tests import required


@pytest.mark.parametrize("name", ["json", "xml.dom"])
def test_module(name):
    """A module that is there is imported and returned."""
    assert required.require(name) is sys.modules[name]


def test_program(tmp_path, monkeypatch):
    """A program on the path is found, if no module has its name."""
    program = tmp_path / "some-program"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert required.require("some-program") == str(program)


@pytest.mark.parametrize("name", ["no_such_module", "json.no_such_module", "no_such_module.part"])
@pytest.mark.parametrize(("ci", "outcome"), [(False, pytest.skip.Exception), (True, pytest.fail.Exception)])
def test_missing(name, ci, outcome, monkeypatch):
    """What is missing skips the test on a laptop and fails it in CI; the message names it and the reason."""
    monkeypatch.setattr(required, "CI", ci)
    with pytest.raises(outcome, match=f"{name} is not installed: the reason"):
        required.require(name, "the reason")
