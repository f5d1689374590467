"""The rules of the Fetch standard, over bytes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middlewares.testing import fetch as rules
from middlewares.testing.caches import HTTPCache, PreflightCache, Response
from middlewares.testing.fetch import FetchResult, Outgoing, Request

A = b"https://a.example"
ACAO = (b"access-control-allow-origin", A)
ACAC = (b"access-control-allow-credentials", b"true")
ANY = (b"access-control-allow-origin", b"*")
URL = "http://testserver/"


# Methods, headers, URLs


@pytest.mark.parametrize(
    ("given_", "sent"),
    [
        *[(method, method.upper()) for method in ("get", "Head", "POST", "pUt", "delete", "options")],
        *[(method, method) for method in ("patch", "PATCH", "propfind", "Egg", "CHICKEN", "*")],
    ],
)
def test_normalized_method(given_, sent):
    """Six methods are put in capitals, all others are sent as written (Fetch "Methods", normalize)."""
    assert rules.normalized_method(given_) == sent.encode()


@pytest.mark.parametrize("method", ["", "GET ", "G\r\nT", "a,b", "ü", "中", "CONNECT", "trace", "TRACK"])
def test_refused_methods(method):
    """What is no token, and the forbidden methods, cannot be asked for."""
    with pytest.raises(ValueError, match=r"method|codec"):
        rules.normalized_method(method)


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        ({"X-A": "1"}, [(b"x-a", b"1")]),
        ({b"X-A": b"1"}, [(b"x-a", b"1")]),
        ([("X-A", "1"), (b"x-a", b"2")], [(b"x-a", b"1"), (b"x-a", b"2")]),
        ([("X-A", "\t\r\n 1 2 \n")], [(b"x-a", b"1 2")]),
        ([("X-A", "ü")], [(b"x-a", b"\xfc")]),
        (iter([("a", "")]), [(b"a", b"")]),
    ],
)
def test_request_headers(headers, kept):
    """Headers may be given in any form; values are trimmed (Fetch "Headers", normalize)."""
    assert rules.request_headers(headers) == kept


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[
            (name, "1")
            for name in (
                "Accept-Charset", "accept-encoding", "Access-Control-Request-Headers", "Access-Control-Request-Method",
                "Access-Control-Request-Private-Network", "Connection", "Content-Length", "Cookie", "Cookie2", "Date",
                "DNT", "Expect", "HOST", "Keep-Alive", "Origin", "Referer", "Set-Cookie", "TE", "Trailer",
                "Transfer-Encoding", "Upgrade", "Via", "Proxy-Anything", "Sec-Fetch-Site", "sec-",
            )
        ],
        ("X-HTTP-Method", "TRACE"),
        ("X-HTTP-Method-Override", "GET, connect"),
        ("X-Method-Override", "Track"),
    ],
)  # fmt: skip
def test_forbidden_headers(name, value):
    """What only browsers may set is left out without a word (Fetch "forbidden request-header")."""
    assert rules.request_headers([(name, value)]) == []


@pytest.mark.parametrize("name", ["X-HTTP-Method", "X-HTTP-Method-Override", "X-Method-Override"])
def test_method_overrides(name):
    """A method override is a header like others, unless it names a forbidden method."""
    assert rules.request_headers({name: "PUT"}) == [(name.lower().encode(), b"PUT")]


@pytest.mark.parametrize(
    ("name", "value"), [("", "1"), ("a b", "1"), ("a:", "1"), ("a", "1\r\n2"), ("a", "\0"), ("a", "中")]
)
def test_refused_headers(name, value):
    """What is no header cannot be asked for."""
    with pytest.raises(ValueError, match=r"headers|codec"):
        rules.request_headers({name: value})


@pytest.mark.parametrize(
    ("url", "absolute"),
    [
        ("/", "http://testserver/"),
        ("", "http://testserver/"),
        ("a?b=1#c", "http://testserver/a?b=1"),
        ("http://TestServer:80/A", "http://testserver/A"),
        ("HTTPS://b.test:443", "https://b.test/"),
        ("https://b.test:8443/", "https://b.test:8443/"),
        ("http://b.test:443/", "http://b.test:443/"),
        ("http://[::1]:8000/", "http://[::1]:8000/"),
        ("//b.test/x", "http://b.test/x"),
        ("/a/../b", "http://testserver/b"),
        ("http://München.test:8000/ü", "http://xn--mnchen-3ya.test:8000/ü"),
    ],
)
def test_absolute_url(url, absolute):
    """A URL is made absolute and normal."""
    assert rules.absolute_url(url, "http://testserver") == absolute


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.test/",
        "mailto:a@b.test",
        "http://:80/x",
        "http://u:p@a.test/",
        "http://a.test:x/",
        f"http://{'ä' * 64}/",
    ],
)
def test_refused_urls(url):
    """Only http and https, and no credentials in it."""
    with pytest.raises(ValueError, match=r"url|[pP]ort"):
        rules.absolute_url(url, "http://testserver")


@pytest.mark.parametrize(
    ("url", "origin"), [("http://a.test/x?y", b"http://a.test"), ("https://[::1]:1/", b"https://[::1]:1")]
)
def test_origin_of(url, origin):
    """The origin of a URL is its scheme, host, and port where that is not the default one."""
    assert rules.origin_of(url) == origin


# Safelists


@pytest.mark.parametrize(
    ("name", "value", "safe"),
    [
        (b"accept", b"text/html;q=0.9, */*", True),
        (b"accept", b"", True),
        (b"accept", b"a\tb", True),
        (b"accept", b"\xff", True),
        (b"accept", b"a" * 128, True),
        (b"accept", b"a" * 129, False),
        *[(b"accept", bytes([byte]), False) for byte in b'\x00\x08\x0a\x1f"():<>?@[\\]{}\x7f'],
        *[(name, b"de-DE, en;q=0.5, *=.", True) for name in (b"accept-language", b"content-language")],
        *[(b"accept-language", bytes([byte]), False) for byte in b'_/\t"\x80\xff\x00'],
        (b"content-type", b"text/plain", True),
        (b"content-type", b" TEXT/Plain ;charset=utf-8", True),
        (b"content-type", b"multipart/form-data; boundary=x", True),
        (b"content-type", b"application/x-www-form-urlencoded", True),
        (b"content-type", b"text/plain;", True),
        (b"content-type", b"text/plain \t;x", True),
        (b"content-type", b"text/plain2", False),
        (b"content-type", b"text /plain", False),
        (b"content-type", b"text/plain,application/json", False),
        (b"content-type", b"application/json", False),
        (b"content-type", b"", False),
        (b"content-type", b'text/plain;charset="utf-8"', False),
        (b"content-type", b"text/plain;a=" + b"b" * 116, False),
        (b"range", b"bytes=0-", True),
        (b"range", b"bytes=5-5", True),
        (b"range", b"bytes=5-40", True),
        (b"range", b"bytes=10-9", False),
        (b"range", b"bytes=-5", False),
        (b"range", b"bytes=0-1,2-3", False),
        (b"range", b"bytes = 0-", False),
        (b"range", b"items=0-", False),
        (b"range", b"bytes=0-\n", False),
        (b"x-a", b"", False),
        (b"authorization", b"x", False),
        (b"save-data", b"on", False),
        (b"user-agent", b"x", False),
    ],
)
def test_is_safelisted(name, value, safe):
    """Fetch "CORS-safelisted request-header"."""
    assert rules.is_safelisted(name, value) is safe


@pytest.mark.parametrize(
    ("headers", "names"),
    [
        ([], []),
        ([(b"accept", b"x")], []),
        ([(b"x-b", b""), (b"x-a", b""), (b"x-b", b"")], [b"x-a", b"x-b"]),
        ([(b"content-type", b"text/plain"), (b"content-type", b"text/xml")], [b"content-type"]),
        ([(b"accept", b"a" * 128)] * 8, []),
        ([(b"accept", b"a" * 128)] * 8 + [(b"range", b"bytes=0-")], [b"accept", b"range"]),
        ([(b"accept", b"a" * 128)] * 8 + [(b"x-a", b"a" * 2000)], [b"x-a"]),
    ],
)
def test_unsafe_names(headers, names):
    """Fetch "CORS-unsafe request-header names": all at once unsafe above 1024 bytes in sum."""
    assert rules.unsafe_names(headers) == names


# Checks


@pytest.mark.parametrize(
    ("headers", "include", "reason"),
    [
        ([], False, "no Access-Control-Allow-Origin"),
        ([ANY], False, ""),
        ([ACAO], False, ""),
        ([(ACAO[0], b"https://A.example")], False, "is https://A.example, not https://a.example"),
        ([(ACAO[0], b"https://a.example/")], False, "is https://a.example/"),
        ([(ACAO[0], b"null")], False, "is null"),
        ([(ACAO[0], b"")], False, "is ,"),
        ([ACAO, ACAO], False, "is https://a.example, https://a.example, not"),
        ([ANY, ANY], False, "is *, *"),
        ([ANY], True, "a request with credentials cannot use *"),
        ([ANY, ACAC], True, "a request with credentials cannot use *"),
        ([ACAO], True, "Access-Control-Allow-Credentials is missing"),
        ([ACAO, ACAC], True, ""),
        ([ACAO, (ACAC[0], b"True")], True, "is True, not true"),
        ([ACAO, ACAC, ACAC], True, "is true, true, not true"),
        ([ACAO, (ACAC[0], b"false")], False, ""),
    ],
)
def test_cors_check(headers, include, reason):
    """Fetch "CORS check", and its table in "CORS protocol and credentials"."""
    said = rules.cors_check(iter(headers), A, include=include)
    assert reason in said
    assert bool(said) is bool(reason)


@pytest.mark.parametrize(
    ("values", "members"),
    [
        ([], []),
        ([b""], []),
        ([b"a"], [b"a"]),
        ([b"a,b", b" c ,\td"], [b"a", b"b", b"c", b"d"]),
        ([b",a,,"], [b"a"]),
        ([b"*"], [b"*"]),
        ([b"a b"], None),
        ([b"a", b"b;q=1"], None),
        ([b'"a"'], None),
        ([b"a\x0b"], None),
        ([b"\xff"], None),
    ],
)
def test_listed(values, members):
    """Fetch "extract header list values": one bad member is a failure of the whole."""
    assert rules.listed([(b"n", value) for value in values], b"n") == members


METHODS, NAMES = b"access-control-allow-methods", b"access-control-allow-headers"


@pytest.mark.parametrize(
    ("request_", "status", "headers", "reason"),
    [
        pytest.param({"method": b"PUT"}, 204, [(METHODS, b"GET, PUT")], "", id="method"),
        pytest.param({"method": b"PUT"}, 200, [(METHODS, b"*")], "", id="any method"),
        pytest.param({"method": b"PUT"}, 200, [(METHODS, b"put")], "method PUT is not in", id="method in another case"),
        pytest.param({"method": b"patch"}, 200, [(METHODS, b"PATCH")], "method patch", id="patch"),
        pytest.param({"method": b"PUT"}, 200, [], "method PUT", id="no methods"),
        pytest.param({"method": b"PUT"}, 200, [(METHODS, b"PUT, G ET")], "no token: PUT, G ET", id="bad method"),
        pytest.param(
            {"method": b"PUT"}, 200, [(METHODS, b"PUT"), (NAMES, b"a b")], "Headers has a member", id="bad header"
        ),
        *[pytest.param({"method": method}, 200, [], "", id=f"{method}") for method in (b"GET", b"HEAD", b"POST")],
        *[
            pytest.param({"method": b"PUT"}, status, [(METHODS, b"PUT")], f"status is {status}", id=f"{status}")
            for status in (199, 301, 307, 400, 405, 500)
        ],
        *[pytest.param({"method": b"PUT"}, status, [(METHODS, b"PUT")], "", id=f"{status}") for status in (200, 299)],
        pytest.param({"headers": [(b"x-a", b"")]}, 200, [(NAMES, b"X-A")], "", id="header"),
        pytest.param({"headers": [(b"x-a", b"")]}, 200, [(NAMES, b"*")], "", id="any header"),
        pytest.param(
            {"headers": [(b"x-a", b""), (b"x-b", b"")]}, 200, [(NAMES, b"x-b")], "header x-a is not", id="one"
        ),
        pytest.param({"headers": [(b"x-a", b""), (b"x-b", b"")]}, 200, [], "header x-a, x-b is not", id="both"),
        pytest.param(
            {"headers": [(b"authorization", b"")]}, 200, [(NAMES, b"*")], "header authorization", id="wildcard"
        ),
        pytest.param({"headers": [(b"authorization", b"")]}, 200, [(NAMES, b"Authorization")], "", id="authorization"),
        pytest.param({"headers": [(b"accept", b"x")]}, 200, [], "", id="safelisted"),
    ],
)
def test_preflight_check(request_, status, headers, reason):
    """Fetch "CORS-preflight fetch": what the answer must have, without credentials."""
    said = rules.preflight_check(Request(URL, A, **request_), Response(status, [ANY, *headers]))
    assert reason in said
    assert bool(said) is bool(reason)


@pytest.mark.parametrize(
    ("request_", "headers", "reason"),
    [
        pytest.param({"method": b"PUT"}, [ACAO, ACAC, (METHODS, b"PUT")], "", id="method"),
        pytest.param({"method": b"PUT"}, [ACAO, ACAC, (METHODS, b"*")], "method PUT is not in", id="any method"),
        pytest.param({"method": b"*"}, [ACAO, ACAC, (METHODS, b"*")], "", id="the method *"),
        pytest.param(
            {"headers": [(b"x-a", b"")]}, [ACAO, ACAC, (NAMES, b"*")], "header x-a is not in", id="any header"
        ),
        pytest.param({"headers": [(b"*", b"")]}, [ACAO, ACAC, (NAMES, b"*")], "", id="the header *"),
        pytest.param({"method": b"PUT"}, [ANY, ACAC, (METHODS, b"PUT")], "cannot use *", id="any origin"),
        pytest.param({"method": b"PUT"}, [ACAO, (METHODS, b"PUT")], "Credentials is missing", id="no credentials"),
    ],
)
def test_preflight_check_with_credentials(request_, headers, reason):
    """The check is made with the credentials mode of the request; `*` is then a name like others."""
    said = rules.preflight_check(Request(URL, A, credentials="include", **request_), Response(200, headers))
    assert reason in said
    assert bool(said) is bool(reason)


def test_private_network_check():
    """Private Network Access: the answer says so, or the request does not follow."""
    request, allow = Request(URL, A), (b"access-control-allow-private-network", b"true")
    assert "Private-Network is not true" in rules.preflight_check(request, Response(200, [ANY]), private_network=True)
    assert rules.preflight_check(request, Response(200, [ANY, allow]), private_network=True) == ""
    assert rules.preflight_check(request, Response(200, [ANY, allow, allow]), private_network=True)


@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        ([], 5),
        ([b"0"], 0),
        ([b"600"], 600),
        ([b"9999"], 7200),
        ([b"9" * 5000], 7200),
        ([b"-1"], 5),
        ([b"1.5"], 5),
        ([b""], 5),
        ([b"ten"], 5),
        ([b"600", b"600"], 5),
    ],
)
def test_max_age(values, seconds):
    """Five seconds, unless it is one number; at most what the browser allows."""
    assert rules.max_age([(b"access-control-max-age", value) for value in values], 7200) == seconds


EXPOSE = b"access-control-expose-headers"
OWN = [(b"content-type", b"a"), (b"x-a", b"1"), (b"x-b", b"2"), (b"set-cookie", b"c"), (b"set-cookie2", b"c")]


@pytest.mark.parametrize(
    ("expose", "include", "names"),
    [
        ([], False, [b"content-type"]),
        ([b"X-A"], False, [b"content-type", b"x-a"]),
        ([b"x-a", b"x-b, set-cookie"], True, [b"content-type", b"x-a", b"x-b"]),
        ([b"*"], False, [b"content-type", b"x-a", b"x-b", EXPOSE]),
        ([b"*"], True, [b"content-type"]),
        ([b"x-a, b d"], False, [b"content-type"]),
    ],
)
def test_exposed(expose, include, names):
    """Fetch "CORS filtered response": the safelisted names and the listed ones, Set-Cookie never."""
    headers = OWN + [(EXPOSE, value) for value in expose]
    assert [name for name, _ in rules.exposed(headers, cors=True, include=include)] == names


def test_exposed_same_origin():
    """Fetch "basic filtered response": all but Set-Cookie."""
    assert rules.exposed(OWN, cors=False, include=True) == OWN[:3]


@pytest.mark.parametrize(
    "name", [b"cache-control", b"content-language", b"content-length", b"expires", b"last-modified", b"pragma"]
)
def test_safelisted_response_headers(name):
    """Seven names are always readable (Fetch "CORS-safelisted response-header name")."""
    assert rules.exposed([(name, b"1")], cors=True, include=True) == [(name, b"1")]


# What goes over the network


def play(request: Request, answers: dict[bytes, Response], **more: Any) -> tuple[list[Outgoing], FetchResult]:
    """Answer by method; returns what went over the network, and the result."""
    steps = rules.fetch(request, PreflightCache(), HTTPCache(), now=0, **more)
    sent = [next(steps)]
    while True:
        try:
            sent.append(steps.send(answers[sent[-1].method]))
        except StopIteration as end:
            return sent, end.value


def test_preflight_request():
    """It has Origin, the method, the unsafe names joined without space, and nothing of the page or its cookies."""
    headers = [(b"x-b", b"1"), (b"accept", b"text/html"), (b"content-type", b"application/json")]
    request = Request(URL, A, b"PUT", headers, "include", b"{}")
    ok = Response(204, [ACAO, ACAC, (METHODS, b"PUT"), (NAMES, b"content-type, x-b")])
    sent, result = play(request, {b"OPTIONS": ok, b"PUT": ok}, cookie=b"a=1")
    assert result.preflighted
    assert sent == [
        Outgoing(
            b"OPTIONS",
            URL,
            [
                (b"accept", b"*/*"),
                (b"access-control-request-method", b"PUT"),
                (b"access-control-request-headers", b"content-type,x-b"),
                (b"origin", A),
            ],
        ),
        Outgoing(b"PUT", URL, [*headers, (b"content-length", b"2"), (b"origin", A), (b"cookie", b"a=1")], b"{}"),
    ]


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (Request(URL, A), [b"accept", b"origin"]),
        (Request(URL, A, credentials="include"), [b"accept", b"origin", b"cookie"]),
        (Request(URL, A, b"POST", credentials="omit"), [b"accept", b"content-length", b"origin"]),
        (Request(URL, b"http://testserver"), [b"accept", b"cookie"]),
        (Request(URL, b"http://testserver", credentials="omit"), [b"accept"]),
        (Request(URL, b"http://testserver", b"POST"), [b"accept", b"content-length", b"origin", b"cookie"]),
        (Request(URL, b"http://testserver", b"DELETE"), [b"accept", b"origin", b"cookie"]),
        (Request(URL, None, credentials="include"), [b"accept", b"cookie"]),
        (Request(URL, None, b"POST", credentials="include"), [b"accept", b"content-length", b"cookie"]),
    ],
)
def test_request_headers_of_the_browser(request_, expected):
    """Fetch "Origin header" and "HTTP-network-or-cache fetch": who gets Origin and who gets cookies."""
    ok = Response(200, [ACAO, ACAC])
    sent, result = play(request_, {request_.method: ok}, cookie=b"a=1")
    assert result
    assert [name for name, _ in sent[0].headers] == expected


@given(
    st.sampled_from([b"GET", b"PUT"]),
    st.lists(
        st.tuples(
            st.sampled_from([b"access-control-allow-origin", b"access-control-allow-credentials", METHODS, NAMES, EXPOSE,
                             b"access-control-max-age", b"location", b"cache-control", b"vary", b"etag"]),
            st.binary(max_size=30) | st.sampled_from([A, b"*", b"true", b"PUT", b"/"]),
        )
    ),
    st.sampled_from([200, 204, 302, 304, 307, 403]),
    st.booleans(),
)  # fmt: skip
def test_any_answer(method, headers, status, include):
    """Whatever a server answers, the fetch has a result, and a refused one has a reason and shows nothing."""
    request = Request(URL, A, method, credentials="include" if include else "omit")
    answer = Response(status, headers, b"secret")
    _, result = play(request, dict.fromkeys([b"GET", b"PUT", b"OPTIONS"], answer))
    assert bool(result) is result.allowed is not bool(result.reason)
    if not result:
        assert (result.status, result.headers, result.body) == (None, [], b"")
