"""The messages that `docs/faq.md` explains are those of Chromium, word for word, and each of them can be caused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ..conftest import require
from ..servers.harness import start

pytestmark = pytest.mark.servers

PAGE = (Path(__file__).parents[2] / "docs" / "faq.md").read_text()
[BEGINNING, *MESSAGES] = [
    text.rstrip("\n") for text in re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
]
FETCH = """async ([url, init]) => {
    try { return (await fetch(url, init)).status; } catch (error) { return String(error); }
}"""
XHR = """([url]) => new Promise(done => {
    const request = new XMLHttpRequest();
    request.onloadend = () => done(request.getResponseHeader("x-id"));
    request.open("GET", url);
    request.send();
})"""
SOCKET = """([url]) => new Promise(done => {
    const socket = new WebSocket(url.replace("http", "ws"));
    socket.onopen = () => done("open");
    socket.onerror = () => done("error");
})"""
SANDBOX = """([url]) => new Promise(done => {
    const frame = document.createElement("iframe");
    frame.sandbox = "allow-scripts";
    addEventListener("message", event => done(event.data), {once: true});
    frame.srcdoc = `<script>fetch("${url}").catch(error => parent.postMessage(String(error), "*"))</` + `script>`;
    document.body.append(frame);
})"""
FAILED = "TypeError: Failed to fetch"
ALLOWED, ALLOWED_FIRST = "access-control-allow-origin=HOME", "p:access-control-allow-origin=HOME"
PUT, INCLUDE = {"method": "PUT"}, {"credentials": "include"}

# In the order of the page: what the server answers by, what the page asks for (or its script), what the script sees.
CASES = {
    "no header": ("", {}, FAILED),
    "other origin": ("access-control-allow-origin=https://shop.example", {}, FAILED),
    "two": (f"access-control-allow-origin=*&{ALLOWED}", {}, FAILED),
    "invalid": ("access-control-allow-origin=app.example", {}, FAILED),
    "preflight, no header": ("", PUT, FAILED),
    "preflight, status": (f"{ALLOWED_FIRST}&p:status=404", PUT, FAILED),
    "preflight, redirect": (f"{ALLOWED_FIRST}&p:status=307&p:location=/", PUT, FAILED),
    "method": (f"{ALLOWED_FIRST}&p:access-control-allow-methods=GET", PUT, FAILED),
    "patch": (f"{ALLOWED_FIRST}&p:access-control-allow-methods=PATCH", {"method": "patch"}, FAILED),
    "json": (ALLOWED_FIRST, {"method": "POST", "headers": {"Content-Type": "application/json"}, "body": "{}"}, FAILED),
    "wildcard": ("access-control-allow-origin=*", INCLUDE, FAILED),
    "credentials": (ALLOWED, INCLUDE, FAILED),
    "null": ("", SANDBOX, FAILED),
    "loopback": ("", {}, FAILED),
    "header": (f"{ALLOWED}&x-id=7", XHR, None),
    "socket": ("", SOCKET, "error"),
}


@pytest.fixture(scope="module")
def server():
    """Both origins are this one server."""
    require("uvicorn")
    arguments = "-m uvicorn tests.browser.faq_app:app --lifespan off --port"
    with start(lambda port: [*arguments.split(), str(port)]) as running:
        yield running


@pytest.mark.parametrize("case", CASES)
def test_message(page, server, case):
    """The case causes a message that the page of questions has, with the same words."""
    query, asked, seen = CASES[case]
    home = f"http://localhost:{server.port}"
    other = f"http://127.0.0.1:{server.port}/{'ours' if case == 'socket' else 'teas'}"
    url = f"{other}?{query.replace('HOME', home)}" if query else other
    script = asked if isinstance(asked, str) else FETCH
    # A page of no address space, as one from the public network is to this machine.
    page.goto("data:text/html,<p>tea" if case == "loopback" else f"{home}/page")
    starts = ("Access to ", "WebSocket ", "Refused to ")
    with page.expect_console_message(lambda message: message.text.startswith(starts)) as told:
        assert page.evaluate(script, [url, None if script is asked else asked]) == seen
    text = told.value.text.replace(f"'{url}'", "'https://api.example/teas'").replace(home, "https://app.example")
    if case == "loopback":
        text = text.replace("'null'", "'https://app.example'")
    if case == "socket":
        text = text.replace(url.replace("http", "ws"), "wss://api.example/chat")
    assert text.removeprefix(f"{BEGINNING} ") == MESSAGES[list(CASES).index(case)]


def test_each_message_is_caused():
    """There is a case for each message of the page."""
    assert len(MESSAGES) == len(CASES) == len(set(MESSAGES))
