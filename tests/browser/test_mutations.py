"""The mutations that `python -m tests.browser.mutations` makes: that each still has its place in the code."""

from __future__ import annotations

import pytest

from tests.browser.mutations import MUTATIONS, ROOT


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: f"{mutation.room}: {mutation.what}")
def test_place(mutation) -> None:
    """There is one place of the text that a mutation replaces; it is run by hand, so nothing else would tell."""
    text = (ROOT / "middlewares" / mutation.file).read_text()
    assert 1 == text.count(mutation.old)
    assert mutation.new != mutation.old
