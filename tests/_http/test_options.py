"""The checks of keywords."""

import pytest

from middlewares._http.options import checked_bool, checked_callable, checked_int


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


@pytest.mark.parametrize(("least", "most", "value"), [(0, None, 0), (0, None, 10**9), (-5, 5, -5), (-5, 5, 5)])
def test_number(least, most, value):
    """A number within its bounds, inclusive, is handed back."""
    assert checked_int("size", value, least, most) == value


@pytest.mark.parametrize("value", [None, "5", 5.0, True, b"5"])
def test_no_number(value):
    """What is no int is refused, a bool too."""
    with pytest.raises(TypeError, match=r"size must be an int, from 0 to 9 \(got "):
        checked_int("size", value, 0, 9)


@pytest.mark.parametrize(("value", "most", "bounds"), [(-1, None, "0 or more"), (10, 9, "from 0 to 9")])
def test_out_of_bounds(value, most, bounds):
    """A number out of its bounds is refused, with the bounds."""
    with pytest.raises(ValueError, match=rf"size must be {bounds} \(got {value}\)"):
        checked_int("size", value, 0, most)
