"""Origins, as a configuration writes them and as browsers send them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middlewares.cors.origins import Origins, is_serialised, same_host


@pytest.mark.parametrize(
    ("entry", "serialised"),
    [
        ("https://app.example", b"https://app.example"),
        ("http://localhost:3000", b"http://localhost:3000"),
        ("null", b"null"),
        ("file://", b"file://"),
        ("chrome-extension://abcdefgh", b"chrome-extension://abcdefgh"),
        ("capacitor://localhost", b"capacitor://localhost"),
        ("capacitor-electron://-", b"capacitor-electron://-"),
        ("vscode-webview://0Ab", b"vscode-webview://0Ab"),
        ("HTTPS://App.Example", b"https://app.example"),
        ("https://app.example:443", b"https://app.example"),
        ("http://app.example:80", b"http://app.example"),
        ("http://app.example:443", b"http://app.example:443"),
        ("http://app.example:08080", b"http://app.example:8080"),
        ("https://bücher.example", b"https://xn--bcher-kva.example"),
        ("https://my_host.example", b"https://my_host.example"),
        ("https://app.example.", b"https://app.example."),
        ("http://127.0.0.1:8000", b"http://127.0.0.1:8000"),
        ("http://[::1]:8000", b"http://[::1]:8000"),
        ("http://[0:0:0:0:0:0:0:1]", b"http://[::1]"),
        ("http://[2001:DB8::0:1]", b"http://[2001:db8::1]"),
        ("http://[::ffff:1.2.3.4]", b"http://[::ffff:102:304]"),
    ],
)
def test_exact_origins_are_normalised(entry: str, serialised: bytes) -> None:
    """An entry is brought into the one form that browsers send (WHATWG URL, host and port serialising)."""
    assert (serialised,) == Origins([entry]).exact
    assert serialised == b"null" or is_serialised(serialised)


@pytest.mark.parametrize(
    ("entry", "matching", "others"),
    [
        (
            "https://*.app.example",
            ["https://a.app.example", "https://a.b.app.example", "https://x_y.app.example"],
            [
                "https://app.example",
                "http://a.app.example",
                "https://a.app.example:8443",
                "https://.app.example",
                "https://a..app.example",
                "https://a.app.example.evil",
                "https://evil/.app.example",
                "https://a.appxexample",
                "https://a.app.example\n",
                "https://evil.example#.app.example",
                "https://A.app.example",
            ],
        ),
        (
            "https://*.app.example:8443",
            ["https://a.app.example:8443"],
            ["https://a.app.example", "https://a.app.example:443"],
        ),
        ("https://*.app.example:443", ["https://a.app.example"], ["https://a.app.example:443"]),
        (
            "http://localhost:*",
            ["http://localhost", "http://localhost:3000", "http://localhost:65535"],
            [
                "https://localhost",
                "http://localhost:",
                "http://localhost:x",
                "http://localhost:123456",
                "http://localhost.evil",
            ],
        ),
        ("http://[::1]:*", ["http://[::1]", "http://[::1]:5173"], ["http://[::2]", "http://::1"]),
        ("https://*.app.example:*", ["https://a.app.example", "https://a.b.app.example:1"], ["https://app.example:1"]),
        ("https://*.bücher.example", ["https://a.xn--bcher-kva.example"], ["https://xn--bcher-kva.example"]),
        ("app+x://*.host:*", ["app+x://a.host:1"], ["appx://a.host", "apppx://a.host"]),
    ],
)
def test_patterns(entry: str, matching: list[str], others: list[str]) -> None:
    """`*.host` is one label or more of host characters, `:*` any port or none; scheme and the rest are exact."""
    origins = Origins([entry])
    assert () == origins.exact
    assert origins.pattern is not None
    assert [] == [origin for origin in matching if not origins.pattern.fullmatch(origin.encode())]
    assert [] == [origin for origin in others if origins.pattern.fullmatch(origin.encode())]


def test_several_patterns_are_one_expression() -> None:
    """All patterns are asked at once."""
    pattern = Origins(["https://*.a.example", "http://b.example:*"]).pattern
    assert pattern is not None
    assert pattern.fullmatch(b"https://x.a.example")
    assert pattern.fullmatch(b"http://b.example:1")
    assert not pattern.fullmatch(b"http://x.a.example")


def test_a_star_alone_is_everyone() -> None:
    """`*` among other entries is everyone as well."""
    assert Origins(["https://a.example", "*"]).any
    assert not Origins(["https://a.example"]).any


@pytest.mark.parametrize(
    ("entry", "hint"),
    [
        ("app.example", "no scheme"),
        ("//app.example", "no scheme"),
        ("", "no scheme"),
        ("https:app.example", "no scheme"),
        ("https://", "no host"),
        ("https://:8000", "no host"),
        ("file://:1", "no host"),
        ("https://app.example/", "ends after host and port: 'https://app.example'"),
        ("https://app.example/path", "path"),
        ("https://app.example?q", "path"),
        ("https://app.example#f", "path"),
        ("https://app.example\\x", "path"),
        ("https://user@app.example", "user information"),
        ("https://a.example, https://b.example", "comma"),
        ("https://a.example,https://b.example", "comma"),
        (" https://app.example", "space"),
        ("https://app.example\n", "space"),
        ("https://app\x00.example", "control"),
        ("https://app.example:", "bad port"),
        ("https://app.example:0", "bad port"),
        ("https://app.example:65536", "bad port"),
        ("https://app.example:99999999999", "bad port"),
        ("https://app.example:80a", "bad port"),
        ("https://app.example:\u0661", "bad port"),
        ("https://app.example:-1", "bad port"),
        ("https://a*.app.example", "star"),
        ("https://*app.example", "star"),
        ("https://app.*.example", "star"),
        ("https://*", "star"),
        ("https://*.*.example", "star"),
        ("*://app.example", "no scheme"),
        (r"https://.*\.app\.example", "path"),
        ("https://*.", "label"),
        ("https://a..example", "label"),
        ("https://a%20b.example", "character"),
        ("ext://a b", "space"),
        ("ext://a^b", "character"),
        ("https://::1", "brackets"),
        ("https://[::1", "brackets"),
        ("https://[::g]", "IPv6"),
        ("https://[fe80::1%eth0]", "zone"),
        ("http://127.1", "ends in a number"),
        ("http://0x7f.0.0.0x1", "ends in a number"),
        ("http://256.1.1.1", "ends in a number"),
        ("http://*.0.0.1", "ends in a number"),
        ("https://straße.example", "punycode"),
        ("https://a\u1806a.example", "punycode"),
        ("https://\U0002f868.example", "punycode"),
        ("http\u017f://app.example", "no scheme"),
        ("f\u0131le://app", "no scheme"),
        ("\u0130x://app", "no scheme"),
        ("http\u212a://app", "no scheme"),
        ("https://" + "ü" * 70 + ".example", "punycode"),
    ],
)
def test_entries_that_no_browser_sends(entry: str, hint: str) -> None:
    """A wrong entry is refused when built, with its value and what to write instead."""
    with pytest.raises(ValueError, match="allow_origins") as raised:
        Origins([entry])
    assert hint in str(raised.value)
    assert repr(entry) in str(raised.value)


@pytest.mark.parametrize(
    ("entry", "hint"),
    [(b"https://a.example", "as str"), (None, "as str"), (5, "as str"), (re.compile("x"), "allow_origin_regex")],
)
def test_entries_of_other_types(entry: object, hint: str) -> None:
    """Anything but str is a TypeError; a pattern is told where it belongs."""
    with pytest.raises(TypeError, match=f"allow_origins.*{hint}"):
        Origins([entry])  # type: ignore[list-item]


@given(st.text())
def test_any_text_is_an_origin_or_a_value_error(entry: str) -> None:
    """No text makes the constructor fail otherwise, and what it accepts can be sent by a browser."""
    try:
        origins = Origins([entry])
    except ValueError:
        return
    assert origins.any or origins.pattern is not None or all(o == b"null" or is_serialised(o) for o in origins.exact)


@given(st.binary())
def test_is_serialised_takes_visible_ascii_alone(value: bytes) -> None:
    """Whatever passes may be mirrored into a header: visible ASCII, no comma, no path."""
    if is_serialised(value):
        assert all(0x21 <= byte <= 0x7E for byte in value)
        assert not {b"/", b",", b"?", b"#", b"@", b"\\"} & {
            value.partition(b"://")[2][i : i + 1] for i in range(len(value))
        }


@pytest.mark.parametrize(
    ("origin", "host", "same"),
    [
        (b"https://app.example", b"app.example", True),
        (b"https://app.example", b"APP.example", True),
        (b"https://app.example", b"app.example:443", True),
        (b"http://app.example", b"app.example:80", True),
        (b"http://app.example:8000", b"app.example:8000", True),
        (b"https://app.example", b"app.example:80", False),
        (b"http://app.example:8000", b"app.example", False),
        (b"https://evil.example", b"app.example", False),
        (b"http://[::1]:8000", b"[::1]:8000", True),
        (b"wss://app.example", b"app.example", True),
        (b"wss://app.example:443", b"app.example", True),
        (b"WS://app.example:80", b"app.example", True),
        (b"ws://app.example", b"app.example:80", True),
        (b"ws://app.example:8000", b"app.example:8000", True),
        (b"wss://app.example", b"app.example:80", False),
        (b"wss://evil.example", b"app.example", False),
        (b"wsss://app.example", b"app.example", False),
        (b"null", b"null", False),
        (b"ext://app.example", b"app.example", False),
        (b"", b"", False),
        (b"https://", b"", False),
        (b"\xff", b"\xff", False),
    ],
)
def test_same_host(origin: bytes, host: bytes, same: bool) -> None:
    """The page's host and port are those of the Host field, default ports left out, any case (RFC 6455 10.2)."""
    assert same is same_host(origin, host)
