"""What scripts may not set on a request."""

from __future__ import annotations

import pytest

from middlewares._http.forbidden import is_forbidden_name


@pytest.mark.parametrize(
    ("name", "forbidden"),
    [
        (b"cookie", True),
        (b"te", True),
        (b"sec-", True),
        (b"sec-fetch-mode", True),
        (b"proxy-authorization", True),
        (b"access-control-request-private-network", True),
        (b"authorization", False),
        (b"user-agent", False),
        (b"secret", False),
        (b"x-method-override", False),
    ],
)
def test_names(name: bytes, forbidden: bool) -> None:
    """Some names, and two beginnings of names, are the browser's alone (Fetch, "forbidden request-header")."""
    assert forbidden is is_forbidden_name(name)
