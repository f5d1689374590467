"""What the guide to a legacy application has its readers type into the developer tools, in Chromium."""

from __future__ import annotations

import re

import pytest

from ..conftest import require
from ..servers.harness import ROOT, start

pytestmark = pytest.mark.servers

GUIDE = ROOT / "docs" / "guides" / "legacy-wsgi.md"


@pytest.fixture(scope="module")
def legacy(certificate):
    """The legacy application behind its layers, over TLS: its cookie is for other sites, and so has to be Secure."""
    for name in ("a2wsgi", "uvicorn"):
        require(name)
    command = f"uvicorn legacy_asgi:app --app-dir examples/guides --ssl-certfile {certificate.path}"
    command += f" --ssl-keyfile {certificate.key_path} --port"
    with start(lambda port: ["-m", *command.split(), str(port)]) as server:
        yield f"https://localhost:{server.port}"


def test_fetch_of_the_guide(page, legacy):
    """A page of the allowed origin reads the 401, logs in, orders with the cookie, and reads the id; a foreign one cannot."""
    [script] = re.findall(r"^```js\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    assert script.count("https://legacy.example") == 1
    script = script.replace("https://legacy.example", legacy)
    run = f"async () => {{ {script.replace('console.log(', 'return [').rpartition(');')[0]}] }}"
    page.route(re.compile(r"https://\w+\.example/"), lambda route: route.fulfill(body="<!doctype html>"))
    # Its answers come from here: Chromium asks its user before a page of the internet may fetch from this machine.
    page.context.grant_permissions(["local-network-access"])
    told = []
    page.on("console", lambda message: told.append(message.text))
    page.goto("https://app.example/")
    status, request_id, answer = page.evaluate(run)
    assert (status, len(request_id), answer) == (401, 32, {"error": "who are you?"})
    page.evaluate(f"fetch('{legacy}/login', {{credentials: 'include'}})")
    status, request_id, answer = page.evaluate(run)
    assert (status, answer["user"], answer["orders"][-1], answer["request_id"]) == (200, "ada", {"tea": 2}, request_id)
    page.goto("https://evil.example/")
    with pytest.raises(Exception, match="Failed to fetch"):
        page.evaluate(run)
    assert any("No 'Access-Control-Allow-Origin' header" in text for text in told), told
