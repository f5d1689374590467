"""The checks of keywords."""

import pytest

from middlewares._http.options import checked_bool


@pytest.mark.parametrize("value", [True, False])
def test_switch(value):
    """A switch is handed back."""
    assert checked_bool("trailers", value) is value


@pytest.mark.parametrize("value", [0, 1, "false", None, print])
def test_no_switch(value):
    """Whatever is only true or false in a condition is refused, by the name of the keyword."""
    with pytest.raises(TypeError, match=r"trailers must be True or False \(got "):
        checked_bool("trailers", value)
