"""The legacy application of the guide, by each command that the page names."""

from __future__ import annotations

import httpx
import pytest

from ..conftest import require
from .harness import start

pytestmark = pytest.mark.servers

FOLDER = "examples/guides"
COMMANDS = {
    "middlewares": f"middlewares run legacy:app --app-dir {FOLDER} --config {FOLDER}/legacy.toml --port {{port}}",
    "uvicorn": f"uvicorn legacy_asgi:app --app-dir {FOLDER} --workers 2 --port {{port}}",
    "gunicorn": f"gunicorn legacy_asgi:app --chdir {FOLDER} --worker-class uvicorn_worker.UvicornWorker --workers 2"
    " --bind 127.0.0.1:{port}",
}
PAGE = {"Origin": "https://app.example"}
PREFLIGHT = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "content-type"}


@pytest.mark.parametrize("command", COMMANDS)
def test_legacy_application(command):
    """The policy replaces the application's own `*`, answers preflights, and lets a page log in, order and read errors."""
    for name in ("a2wsgi", "click", "uvicorn", "uvicorn_worker", command):
        require(name)
    with (
        start(lambda port: ["-m", *COMMANDS[command].format(port=port).split()]) as server,
        httpx.Client(base_url=server.url, timeout=30, trust_env=False, cookies={"user": "ada"}) as client,
    ):
        preflight = client.options("/orders", headers={**PAGE, **PREFLIGHT})
        assert preflight.status_code == 204, server.log()
        assert preflight.headers["access-control-allow-methods"] == "GET, PUT"
        answer = client.put("/orders", json={"tea": 2}, headers=PAGE)
        assert (answer.status_code, answer.json()["orders"]) == (200, [{"tea": 2}])
        assert answer.headers.get_list("access-control-allow-origin") == ["https://app.example"]
        assert answer.headers["access-control-allow-credentials"] == "true"
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
        foreign = client.get("/orders", headers={"Origin": "https://evil.example"})
        assert not [name for name in foreign.headers if name.startswith("access-control-")]
        assert client.options("/orders", headers={"Origin": "https://evil.example", **PREFLIGHT}).status_code == 403
        client.cookies.clear()
        refused = client.get("/orders", headers=PAGE)
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "https://app.example")
        if command == "middlewares":
            assert server.logs(f'"GET /orders HTTP/1.1" 401 Unauthorized {refused.headers["x-request-id"]}')
