"""What Chromium keeps and sends of session cookies."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from ..servers.harness import SERVERS, serve, start

pytestmark = pytest.mark.servers

APP = "tests.browser.sessions_app"


@contextmanager
def _https(app, certificate):
    """Serve the application over HTTPS; its URLs on localhost and on 127.0.0.1, which is another site."""
    tls = ["--ssl-certfile", str(certificate.path), "--ssl-keyfile", str(certificate.key_path)]
    command = SERVERS["uvicorn"]
    with start(lambda port: ["-m", *command.format(app=f"{APP}:{app}", port=port).split(), *tls]) as server:
        yield f"https://localhost:{server.port}", f"https://127.0.0.1:{server.port}"


def _user(page, url):
    page.goto(url)
    return page.inner_text("p")


def _cookies(page):
    return {cookie["name"]: cookie for cookie in page.context.cookies()}


def test_login_and_logout(page, certificate):
    """The cookie of the manual page's configuration is kept, hidden from scripts, and removed by the logout."""
    with _https("production", certificate) as (url, _):
        assert _user(page, f"{url}/login") == "ada"
        cookie = _cookies(page)["__Host-session"]
        assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"], cookie["path"], cookie["domain"]) == (
            True, True, "Lax", "/", "localhost",
        )  # fmt: skip
        assert page.evaluate("document.cookie") == ""
        assert _user(page, url) == "ada"
        assert _user(page, f"{url}/login") == "ada"
        assert _cookies(page)["__Host-session"]["value"] != cookie["value"]
        assert _user(page, f"{url}/logout") == "nobody"
        assert _cookies(page) == {}
        assert _user(page, url) == "nobody"


@pytest.mark.parametrize(("app", "user"), [("production", "ada"), ("strict", "nobody")])
def test_link_of_another_site(page, certificate, app, user):
    """A link on a page of another site carries the cookie that is Lax, and not the one that is Strict."""
    with _https(app, certificate) as (url, other):
        page.goto(f"{url}/login")
        page.goto(f"{other}/link?{url}/")
        page.click("a")
        page.wait_for_url(f"{url}/")
        assert page.inner_text("p") == user
        assert _user(page, url) == "ada"  # a navigation of one's own


def test_partitioned(page, certificate):
    """A partitioned cookie is accepted, sent again, and removed by the logout."""
    with _https("partitioned", certificate) as (url, _):
        assert _user(page, f"{url}/login") == "ada"
        cookie = _cookies(page)["__Host-session"]
        assert (cookie["sameSite"], cookie["partitionKey"]) == ("None", "https://localhost")
        assert _user(page, url) == "ada"
        assert _user(page, f"{url}/logout") == "nobody"
        assert _cookies(page) == {}


@pytest.mark.parametrize(("app", "user"), [("secure", "nobody"), ("plain", "ada")])
def test_plain_http(page, app, user):
    """On an http:// host that is not this machine by name, a Secure cookie is refused; without Secure one is kept."""
    with serve("uvicorn", f"{APP}:{app}") as server:
        url = f"http://a.test:{server.port}"
        assert _user(page, f"{url}/login") == "ada"
        assert _user(page, url) == user
        assert set(_cookies(page)) == ({"session"} if user == "ada" else set())
