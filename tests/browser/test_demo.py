"""The demo, opened in a browser."""

from __future__ import annotations

import pytest

from ..servers.harness import start

pytestmark = pytest.mark.servers


def test_opens(page):
    """The first page of the demo shows what to try, and the browser finds nothing to complain about."""
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    with start(lambda _: ["examples/demo.py"], lambda port: {"PORT": str(port)}) as server:
        response = page.goto(server.url)
        assert response.status == 200
        assert "curl" in page.inner_text("pre")
        page.wait_for_load_state("networkidle")
    assert complaints == []
