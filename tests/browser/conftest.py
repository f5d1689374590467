"""Headless Chromium, driven by Playwright: one browser for each test process, a fresh profile for each test."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..certificate import Certificate
from ..conftest import require

# As root, and in containers, Chromium needs the first two; the others keep it quiet: no QUIC, no calls home.
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # `http://a.test:<port>` is this machine: an origin that is neither secure nor the same site as localhost.
    "--host-resolver-rules=MAP *.test 127.0.0.1",
]
_FOLDER = Path(__file__).parent
_TIMEOUT_MS = 30_000  # the first start takes about 14 s on a busy machine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder drives a browser and starts servers."""
    for item in items:
        if item.path.parent == _FOLDER:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser(certificate: Certificate) -> Iterator[object]:
    """Chromium, as Playwright's synchronous `Browser`."""
    program = require("chromium", "the browser tests drive it")
    playwright = require("playwright.sync_api", "the browser tests drive Chromium by it")
    trusted = f"--ignore-certificate-errors-spki-list={certificate.key_hash}"
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(
            executable_path=program, args=[*_ARGUMENTS, trusted], headless=True, timeout=_TIMEOUT_MS
        )
        yield launched
        asyncio._set_running_loop(launched._loop)
        launched.close()


@pytest.fixture(autouse=True)
def _loop(browser: object) -> Iterator[None]:
    """Between its calls, Playwright leaves its loop marked as the running one: no other test could run its own then."""
    asyncio._set_running_loop(browser._loop)  # type: ignore[attr-defined]
    yield
    asyncio._set_running_loop(None)


@pytest.fixture
def page(browser: object) -> Iterator[object]:
    """A page with a profile of its own: cookies, caches and dictionaries begin empty."""
    context = browser.new_context()  # type: ignore[attr-defined]
    context.set_default_timeout(_TIMEOUT_MS)
    yield context.new_page()
    context.close()
