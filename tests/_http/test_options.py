"""The checks of keywords."""

import pytest

from middlewares._http.options import checked_bool, checked_callable


@pytest.mark.parametrize("value", [True, False])
def test_switch(value):
    """A switch is handed back."""
    assert checked_bool("trailers", value) is value


@pytest.mark.parametrize("value", [0, 1, "false", None, print])
def test_no_switch(value):
    """Whatever is only true or false in a condition is refused, by the name of the keyword."""
    with pytest.raises(TypeError, match=r"trailers must be True or False \(got "):
        checked_bool("trailers", value)


async def _async(_):
    return False


class _AsyncCall:
    async def __call__(self, _):
        return False


def test_plain_callable():
    """A plain function is handed back."""
    assert checked_callable("expose", print, "a plain callable") is print


@pytest.mark.parametrize("value", [None, "print", _async, _AsyncCall()], ids=["none", "name", "async", "async-call"])
def test_no_plain_callable(value):
    """What cannot be called is refused, and so is what is async: its coroutine would be true."""
    with pytest.raises(TypeError, match=r"expose must be a plain callable \(got "):
        checked_callable("expose", value, "a plain callable")
