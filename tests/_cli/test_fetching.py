"""`cors`: what a browser would do, and why not."""

from __future__ import annotations

import pytest

from ..conftest import require

require("click")

APP = "https://app.example"


@pytest.fixture
def ask(project):
    """Ask about a page, with a policy of two origins."""
    project.write(
        "mw.toml",
        "[cors]\nallow_origins = ['https://app.example', 'https://*.b.example']\nallow_methods = ['GET', 'PUT']\n"
        "allow_credentials = true\noverrides = {'/old' = {none = true}}\n",
    )

    def ask_(*arguments):
        result = project.run("cors", "--config", "mw.toml", *arguments)
        return result.exit_code, result.stdout

    return ask_


def test_allowed_after_a_preflight(ask):
    """An allowed fetch shows both exchanges as they went over the network, and exits with 0."""
    code, shown = ask("--origin", APP, "--method", "PUT", "--credentials")
    assert code == 0
    assert shown == (
        "> OPTIONS /\n"
        "> access-control-request-method: PUT\n"
        "> origin: https://app.example\n"
        "< 204\n"
        "< access-control-allow-origin: https://app.example\n"
        "< access-control-allow-credentials: true\n"
        "< access-control-allow-methods: GET, PUT\n"
        "< access-control-allow-headers: accept, accept-language, content-language, content-type\n"
        "< access-control-max-age: 600\n"
        "\n"
        "> PUT /\n"
        "> origin: https://app.example\n"
        "< 200\n"
        "< access-control-allow-origin: https://app.example\n"
        "< access-control-allow-credentials: true\n"
        "\n"
        "Allowed: a page of https://app.example can read the answer.\n"
    )


def test_refused_origin(ask):
    """A foreign page is refused; that its request reaches the application all the same is told."""
    code, shown = ask("--origin", "https://evil.example")
    assert code == 1
    assert shown.endswith(
        "Refused: the response has no Access-Control-Allow-Origin.\n"
        "The configuration: origin 'https://evil.example' is not allowed.\n"
        "Such a request needs no preflight: it reaches the application, and only its answer is kept back.\n"
    )


def test_refused_header(ask):
    """A preflight that is refused says which header is not allowed, and the request is never sent."""
    code, shown = ask("--origin", APP, "--header", "X-Tea")
    assert code == 1
    assert "> GET" not in shown
    assert shown.endswith(
        "Refused: preflight: the response has no Access-Control-Allow-Origin.\n"
        "The configuration: header x-tea is not in allow_headers (--cors-header).\n"
    )


@pytest.mark.parametrize(
    ("header", "preflights"),
    [("Content-Type", 1), ("Content-Type: text/plain", 0), ("Accept-Language: de", 0)],
)
def test_values_of_headers(ask, header, preflights):
    """The value decides about a preflight; Content-Type alone stands for JSON, which asks for one."""
    code, shown = ask("--origin", APP, "--header", header)
    assert (code, shown.count("OPTIONS")) == (0, preflights)


def test_path(ask):
    """The policy of the path is asked."""
    code, shown = ask("--origin", APP, "--path", "/old/a")
    assert code == 1
    assert "no policy at '/old/a'" in shown


@pytest.mark.parametrize("path", ["/old/a?b=/c", "/%6Fld/a", "/new/../old/a", "/./old/a#b"])
def test_path_as_it_is_asked_for(ask, path):
    """The policy is that of the path which the browser asks for: query, escapes and dots are none of it."""
    _, shown = ask("--origin", APP, "--path", path)
    assert "> GET /old/a\n" in shown
    assert "no policy at '/old/a'" in shown


def test_every_page_is_of_another_origin(ask):
    """No origin is that of the server which is asked, not even the name that tests like to give it."""
    code, shown = ask("--origin", "http://testserver")
    assert (code, "origin 'http://testserver' is not allowed" in shown) == (1, True)


def test_options(project):
    """The policy can come from the options alone."""
    policy = [
        "--cors-origin",
        "https://*.b.example",
        "--cors-method",
        "*",
        "--cors-header",
        "X-Tea",
        "--cors-credentials",
    ]
    page = ["--origin", "https://a.b.example", "--method", "DELETE", "--header", "X-Tea: 1", "--credentials"]
    assert project.run("cors", *policy, *page).exit_code == 0


def test_secrets_of_other_rooms_are_not_asked_for(project):
    """The other tables of the file are not looked at."""
    project.write("mw.toml", "[cors]\nallow_origins = '*'\n[sessions]\nsecret_key = {env = 'NO_SUCH_VARIABLE'}\n")
    assert project.run("cors", "--config", "mw.toml", "--origin", APP).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--origin", "app.example"], "--origin must be as browsers send it, such as https://app.example"),
        (["--origin", APP + "/"], "--origin must be as browsers send it, such as https://app.example"),
        (["--origin", APP, "--method", "TRACE"], "no browser begins such a fetch: method must be a token"),
        (["--origin", APP, "--path", "tea"], "--path must begin with one slash (got 'tea')"),
        (["--origin", APP, "--path", "//b.example/"], "--path must begin with one slash (got '//b.example/')"),
        (["--origin", "https://App.example"], "--origin must be as browsers send it, such as https://app.example"),
        (["--origin", APP, "--header", ": 5"], "Invalid value for '--header': ': 5' must be a name, or 'Name: value'"),
        (["--origin", APP, "--header", "ä"], "Invalid value for '--header': 'ä' must be a name, or 'Name: value'"),
        (["--origin", APP, "--cors-origin", "x"], "--cors-origin is refused: allow_origins"),
        ([], "Missing option '--origin'"),
    ],
)
def test_questions_that_are_refused(project, arguments, message):
    """What no browser would send is refused by one line, with code 2."""
    project.write("mw.toml", "[cors]\nallow_origins = '*'\n")
    assert project.refused("cors", "--config", "mw.toml", *arguments).startswith(message)


def test_no_policy(project):
    """Without a CORS layer there is nothing to ask, and the line says how to get one."""
    assert project.refused("cors", "--origin", APP).startswith("there is no configuration: without a CORS layer")
    project.write("mw.toml", "timing = true\n")
    message = project.refused("cors", "--origin", APP, "--config", "mw.toml")
    assert message.startswith("mw.toml has no table cors: without a CORS layer")


def test_null(project):
    """A sandboxed frame has the origin `null`."""
    assert project.run("cors", "--cors-origin", "null", "--origin", "null").exit_code == 0
