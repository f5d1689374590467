"""The decisions of CORS as tables and properties, without an event loop."""

from __future__ import annotations

import re
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middlewares._http.headers import add_at_start
from middlewares.cors.policy import TWO_ORIGINS, CORSPolicy, CORSRules, Preflight

A = b"https://a.example"
ACAO = b"access-control-allow-origin"
ACAC = b"access-control-allow-credentials"
EXPOSE = b"access-control-expose-headers"
VARY_PREFLIGHT = (b"vary", b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
SAFE = b"accept, accept-language, content-language, content-type"


def answered(
    policy: CORSPolicy, origins: list[bytes], headers: list[tuple[bytes, bytes]] | None = None
) -> list[tuple[bytes, bytes]]:
    origin = None if not origins else origins[0] if len(origins) == 1 else TWO_ORIGINS
    sent: list[Any] = []
    send = add_at_start(sent.append, policy.answer(origin))  # type: ignore[arg-type]
    send({"type": "http.response.start", "status": 200, "headers": list(headers or [])})
    return sent[0]["headers"]


@pytest.mark.parametrize(
    ("keywords", "origins", "headers", "expected"),
    [
        pytest.param({"allow_origins": "*"}, [], [], [(ACAO, b"*")], id="everyone, no origin"),
        pytest.param({"allow_origins": "*"}, [A], [], [(ACAO, b"*")], id="everyone"),
        pytest.param({"allow_origins": "*"}, [A, A], [], [(ACAO, b"*")], id="everyone, two origins"),
        pytest.param(
            {"allow_origins": "*"}, [A], [(b"Vary", b"x")], [(b"Vary", b"x"), (ACAO, b"*")], id="everyone keeps vary"
        ),
        pytest.param({"allow_origins": [A.decode()]}, [A], [], [(ACAO, A), (b"vary", b"Origin")], id="listed"),
        pytest.param({"allow_origins": [A.decode()]}, [], [], [(b"vary", b"Origin")], id="no origin"),
        pytest.param(
            {"allow_origins": [A.decode()]}, [b"https://b.example"], [], [(b"vary", b"Origin")], id="not listed"
        ),
        pytest.param({"allow_origins": [A.decode()]}, [A, A], [], [(b"vary", b"Origin")], id="twice"),
        pytest.param({"allow_origins": [A.decode()]}, [A.upper()], [], [(b"vary", b"Origin")], id="other case"),
        pytest.param(
            {"allow_origins": [A.decode()], "allow_credentials": True},
            [A],
            [],
            [(ACAO, A), (ACAC, b"true"), (b"vary", b"Origin")],
            id="credentials",
        ),
        pytest.param(
            {"allow_origins": [A.decode()], "expose_headers": ["X-A", "x-b", "x-a"]},
            [A],
            [],
            [(ACAO, A), (EXPOSE, b"x-a, x-b"), (b"vary", b"Origin")],
            id="expose",
        ),
        pytest.param(
            {"allow_origins": "*", "expose_headers": "*"}, [], [], [(ACAO, b"*"), (EXPOSE, b"*")], id="expose all"
        ),
        pytest.param(
            {"allow_origins": [A.decode()], "expose_headers": ["*", "X-Request-ID"], "allow_credentials": True},
            [A],
            [(b"Content-Type", b"x"), (b"Set-Cookie", b"a=b"), (b"ETag", b"1"), (b"etag", b"2")],
            [
                (b"Content-Type", b"x"),
                (b"Set-Cookie", b"a=b"),
                (b"ETag", b"1"),
                (b"etag", b"2"),
                (ACAO, A),
                (ACAC, b"true"),
                (EXPOSE, b"x-request-id, content-type, etag"),
                (b"vary", b"Origin"),
            ],
            id="expose all with credentials names what is there",
        ),
        pytest.param(
            {"allow_origins": [A.decode()], "expose_headers": "*", "allow_credentials": True},
            [A],
            [],
            [(ACAO, A), (ACAC, b"true"), (b"vary", b"Origin")],
            id="expose all with credentials, nothing there",
        ),
        pytest.param(
            {"allow_origins": [A.decode()], "expose_headers": ["X-A"]},
            [A],
            [(b"Access-Control-Expose-Headers", b"X-B, x-a"), (b"x", b"1"), (EXPOSE, b"bad name, X-C")],
            [(b"x", b"1"), (ACAO, A), (EXPOSE, b"x-a, x-b, x-c"), (b"vary", b"Origin")],
            id="expose merged",
        ),
        pytest.param(
            {"allow_origins": [A.decode()]},
            [A],
            [
                (b"Access-Control-Allow-Origin", b"*"),
                (ACAO, b"x"),
                (b"a", b"1"),
                (b"ACCESS-control-allow-credentials", b"true"),
                (b"Vary", b"Accept"),
            ],
            [(b"a", b"1"), (b"Vary", b"Accept, Origin"), (ACAO, A)],
            id="the application's are replaced",
        ),
        pytest.param(
            {"allow_origins": [A.decode()]},
            [b"https://b.example"],
            [
                (b"Access-Control-Allow-Origin", b"*"),
                (b"a", b"1"),
                (ACAC, b"true"),
                (EXPOSE, b"x"),
                (b"Access-Control-Max-Age", b"5"),
            ],
            [(b"a", b"1"), (b"vary", b"Origin")],
            id="the application's are removed for a refused origin",
        ),
        pytest.param(
            {"allow_origins": [A.decode()]},
            [A],
            [(b"vary", b"*")],
            [(b"vary", b"*"), (ACAO, A)],
            id="vary star stays",
        ),
        pytest.param(
            {"allow_origins": [A.decode()]},
            [A],
            [(b"vary", b"origin"), (b"vary", b"b")],
            [(b"vary", b"origin"), (b"vary", b"b"), (ACAO, A)],
            id="vary in several lines (RFC 9110 5.3)",
        ),
    ],
)
def test_answers(keywords: dict[str, Any], origins: list[bytes], headers: list, expected: list) -> None:
    """What an answer says of CORS, beside and in place of the application's headers (Fetch, "HTTP responses")."""
    assert expected == answered(CORSPolicy(**keywords), origins, headers)


@pytest.mark.parametrize(
    ("regex", "origin", "allowed"),
    [
        (r"https://.*\.example", A, True),
        (re.compile(r"HTTPS://A\.EXAMPLE", re.IGNORECASE), A, True),
        (r"https://a", A, False),
        (r"a\.example", A, False),
        (r".*", b"null", False),
        (r".*", b"https://a.example/path", False),
        (r".*", b"https://\xff", False),
        (r".*", b"https://a b", False),
        (r"(?s).*", b"https://a\n", False),
        (r".*", b"", False),
        (r".*", b"https://", True),
        (r"chrome-extension://[a-p]{32}", b"chrome-extension://" + b"abcdefghijklmnop" * 2, True),
    ],
)
def test_regex(regex: Any, origin: bytes, allowed: bool) -> None:
    """An expression matches whole serialised origins alone; `null`, which anyone can have, is never one of them."""
    policy = CORSPolicy(allow_origin_regex=regex)
    assert allowed is (policy.answer(origin) is not policy.refused)


def test_either_is_enough() -> None:
    """List, patterns and expression stand beside each other."""
    policy = CORSPolicy(allow_origins=["null", "https://*.b.example"], allow_origin_regex=r"https://c\d\.example")
    for origin in (b"null", b"https://x.b.example", b"https://c1.example"):
        assert [(ACAO, origin), (b"vary", b"Origin")] == answered(policy, [origin])
    for origin in (b"https://b.example", b"https://cx.example"):
        assert [(b"vary", b"Origin")] == answered(policy, [origin])


def asked(methods: list[bytes], *headers: bytes, origin: bytes = A, private: list[bytes] | None = None) -> Preflight:
    return Preflight(origin, methods, list(headers), private or [])


@pytest.mark.parametrize(
    ("keywords", "request_", "expected"),
    [
        pytest.param(
            {},
            asked([b"GET"]),
            [
                (b"access-control-allow-methods", b"GET"),
                (b"access-control-allow-headers", SAFE),
                (b"access-control-max-age", b"600"),
            ],
            id="defaults",
        ),
        pytest.param(
            {"allow_methods": ["put", "PATCH", "x"], "allow_headers": ["X-A", "authorization"], "max_age": 0},
            asked([b"PUT"], b"AUTHORIZATION,x-a"),
            [
                (b"access-control-allow-methods", b"PATCH, PUT, x"),
                (
                    b"access-control-allow-headers",
                    b"accept, accept-language, authorization, content-language, content-type, x-a",
                ),
                (b"access-control-max-age", b"0"),
            ],
            id="lists; put is normalised; 0 is sent",
        ),
        pytest.param(
            {"allow_methods": "*", "allow_headers": "*", "max_age": None},
            asked([b"patch"], b"authorization, X-A", b"x-a"),
            [(b"access-control-allow-methods", b"patch"), (b"access-control-allow-headers", b"authorization, x-a")],
            id="stars are mirrored; no max-age",
        ),
        pytest.param(
            {"allow_methods": "*", "allow_headers": "*", "max_age": None},
            asked([b"GET"], b"", b" , "),
            [(b"access-control-allow-methods", b"GET")],
            id="empty request-headers",
        ),
        pytest.param(
            {"allow_private_network": True, "max_age": None},
            asked([b"GET"], private=[b"true"]),
            [
                (b"access-control-allow-private-network", b"true"),
                (b"access-control-allow-methods", b"GET"),
                (b"access-control-allow-headers", SAFE),
            ],
            id="private network",
        ),
        pytest.param(
            {"allow_private_network": True, "max_age": None},
            asked([b"GET"], private=[b"1"]),
            [(b"access-control-allow-methods", b"GET"), (b"access-control-allow-headers", SAFE)],
            id="private network not asked",
        ),
        pytest.param(
            {"max_age": None},
            asked([b"GET"], private=[b"true"]),
            [(b"access-control-allow-methods", b"GET"), (b"access-control-allow-headers", SAFE)],
            id="private network not opted in",
        ),
        pytest.param(
            {"allow_methods": "*", "allow_headers": ["x-b"], "allow_credentials": True, "max_age": 5},
            asked([b"PROPFIND"], b" content-type ,\tx-b,,"),
            [
                (ACAC, b"true"),
                (b"access-control-allow-methods", b"PROPFIND"),
                (b"access-control-allow-headers", b"accept, accept-language, content-language, content-type, x-b"),
                (b"access-control-max-age", b"5"),
            ],
            id="credentials",
        ),
    ],
)
def test_accepted_preflights(keywords: dict[str, Any], request_: Preflight, expected: list) -> None:
    """An accepted preflight names what it allows, mirrored where the policy says everything (Fetch, "CORS-preflight fetch")."""
    policy = CORSPolicy(allow_origins=[A.decode()], **keywords)
    headers, reasons = policy.preflight(request_, allowed=True)
    assert [] == reasons
    vary = (
        VARY_PREFLIGHT[0],
        VARY_PREFLIGHT[1]
        + (b", Access-Control-Request-Private-Network" if "allow_private_network" in keywords else b""),
    )
    assert [(ACAO, A), *expected, vary] == headers


def test_preflight_of_everyone() -> None:
    """Everyone's preflight is answered with the star, whatever the Origin (which nobody mirrors)."""
    headers, reasons = CORSPolicy(allow_origins="*", max_age=None).preflight(
        asked([b"GET"], origin=b"\xff\n"), allowed=True
    )
    assert [] == reasons
    assert (ACAO, b"*") == headers[0]


@pytest.mark.parametrize(
    ("keywords", "request_", "allowed", "expected"),
    [
        pytest.param(
            {},
            asked([b"GET"], origin=b"https://b.example"),
            False,
            ["origin 'https://b.example' is not allowed"],
            id="origin",
        ),
        pytest.param({}, asked([b"GET"], origin=b"\xff"), False, [r"'\xff' is no origin"], id="no origin"),
        pytest.param(
            {},
            Preflight(TWO_ORIGINS, [b"GET"], [], []),
            False,
            ["no origin, or two, which no browser sends"],
            id="two origins",
        ),
        pytest.param({}, asked([b"PUT"]), True, ["method PUT is not in allow_methods"], id="method"),
        pytest.param(
            {"allow_methods": ["PATCH"]},
            asked([b"patch"]),
            True,
            ["method patch is not in allow_methods"],
            id="method in another case",
        ),
        pytest.param({"allow_methods": "*"}, asked([b""]), True, ["'' is no method"], id="empty method"),
        pytest.param(
            {"allow_methods": "*"}, asked([b"GET", b"PUT"]), True, ["'GET, PUT' is no method"], id="two methods"
        ),
        pytest.param(
            {},
            asked([b"GET"], b"x-a, X-B"),
            True,
            ["header x-a is not in allow_headers", "header x-b is not in allow_headers"],
            id="headers",
        ),
        pytest.param(
            {"allow_headers": "*"},
            asked([b"GET"], b"x a, x\xff"),
            True,
            ["'x a' is no header name", r"'x\xff' is no header name"],
            id="no names",
        ),
        pytest.param(
            {},
            asked([b"PUT"], b"x-a,x-b, X-A"),
            True,
            [
                "method PUT is not in allow_methods",
                "header x-a is not in allow_headers",
                "header x-b is not in allow_headers",
            ],
            id="all reasons, each once",
        ),
        pytest.param(
            {},
            asked([b"PUT"], b"x-a", origin=b"null"),
            False,
            ["origin 'null' is not allowed: any sandboxed frame has it, so only its own entry in allow_origins does"],
            id="null; of a refused origin no more is read",
        ),
        pytest.param(
            {},
            asked([b"GET"], b",".join(b"x-%d" % i for i in range(12))),
            True,
            [*[f"header x-{i} is not in allow_headers" for i in range(10)], "and 2 more"],
            id="many headers",
        ),
        pytest.param(
            {"allow_headers": "*"},
            asked([b"GET"], b",".join(b"x %d" % i for i in range(11))),
            True,
            [*[f"'x {i}' is no header name" for i in range(10)], "and 1 more"],
            id="many that are no names",
        ),
    ],
)
def test_refused_preflights(keywords: dict[str, Any], request_: Preflight, allowed: bool, expected: list[str]) -> None:
    """A refused preflight says why to us, and nothing to the client but what the answer depends on."""
    headers, reasons = CORSPolicy(allow_origins=[A.decode()], **keywords).preflight(request_, allowed=allowed)
    assert expected == reasons
    assert [VARY_PREFLIGHT] == headers


def test_preflight_of_half_a_megabyte_is_linear() -> None:
    """100 000 names or commas are read in one pass (rs/cors #170): ten times the input takes ten times the work at most."""
    policy = CORSPolicy(allow_origins=[A.decode()], allow_headers="*")
    for field in (b"," * 500_000, b"x-a," * 125_000, b" " * 500_000):
        _, reasons = policy.preflight(asked([b"GET"], field), allowed=True)
        assert [] == reasons
    headers, _ = policy.preflight(asked([b"GET"], b"x-a," * 125_000), allowed=True)
    assert (b"access-control-allow-headers", b"x-a") in headers


@pytest.mark.parametrize("origin", [A, b"https://b.example"], ids=["allowed", "refused"])
def test_refused_preflight_of_many_headers_takes_little_memory(origin: bytes) -> None:
    """What a refusal costs grows with the request by no large factor (rs/cors #170), however often a name is repeated."""
    policy = CORSPolicy(allow_origins=[A.decode()])
    request_ = asked([b"GET"], b"x," * 100_000, origin=origin)
    tracemalloc.start()
    try:
        policy.preflight(request_, allowed=origin == A)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 15 * len(request_.headers[0])


@given(
    st.binary(max_size=20),
    st.lists(st.binary(max_size=10), max_size=2),
    st.lists(st.binary(max_size=30), max_size=3),
)
def test_any_bytes_in_a_preflight(origin: bytes, methods: list[bytes], names: list[bytes]) -> None:
    """No bytes raise, and none come back but as tokens of an accepted preflight, or as an allowed origin."""
    policy = CORSPolicy(allow_origins=[A.decode()], allow_origin_regex=".*", allow_methods="*", allow_headers="*")
    allowed = policy.answer(origin) is not policy.refused
    headers, reasons = policy.preflight(Preflight(origin, methods, names, []), allowed=allowed)
    assert bool(reasons) is (headers == [VARY_PREFLIGHT])
    assert all(0x20 <= byte < 0x7F for _, value in headers for byte in value)
    assert all(reason.isascii() and reason.isprintable() for reason in reasons)


@given(st.binary(max_size=40))
def test_any_bytes_in_origin(origin: bytes) -> None:
    """An Origin that no rule of ours spelled out is mirrored in visible ASCII alone, or not at all."""
    for headers in (
        answered(CORSPolicy(allow_origin_regex="(?s).*"), [origin]),
        answered(CORSPolicy(allow_origins=["https://*.x"]), [origin]),
    ):
        assert all(0x20 <= byte < 0x7F for _, value in headers for byte in value)


NAMES = st.sampled_from(
    [
        b"Access-Control-Allow-Origin",
        b"access-control-allow-credentials",
        b"Access-Control-Expose-Headers",
        b"Vary",
        b"vary",
        b"x",
        b"Etag",
    ]
)


@given(
    st.lists(st.tuples(NAMES, st.binary(max_size=12))),
    st.sampled_from([[], [A], [b"https://b.example"], [A, A]]),
    st.fixed_dictionaries(
        {
            "allow_origins": st.sampled_from(["*", [A.decode()]]),
            "expose_headers": st.sampled_from([(), "*", ["x-a", "x"]]),
        }
    ),
    st.booleans(),
)
def test_each_cors_header_once(
    headers: list, origins: list[bytes], keywords: dict[str, Any], credentials: bool
) -> None:
    """Whatever the application sent: each CORS header at most once, ours, lower-case; the others in their order (Fetch, CORS protocol)."""
    policy = CORSPolicy(**keywords, allow_credentials=credentials and keywords["allow_origins"] != "*")
    after = answered(policy, origins, headers)
    ours = [name for name, _ in after if name.lower().startswith(b"access-control-")]
    assert len(ours) == len(set(ours))
    assert all(name == name.lower() for name in ours)
    allowed = keywords["allow_origins"] == "*" or origins == [A]
    assert allowed is (ACAO in ours)
    origin = None if not origins else origins[0] if len(origins) == 1 else TWO_ORIGINS
    ready, merge = policy.answer(origin)
    assert after == merge.merged([*headers], ready)  # the ways past it, for usual responses, come to the same
    plain = [pair for pair in headers if pair[0] in {b"x", b"Etag"}]
    assert plain == [pair for pair in after if pair[0] in {b"x", b"Etag"}]


@pytest.mark.parametrize(
    ("keywords", "error", "hint"),
    [
        ({"allow_origins": "https://a.example"}, TypeError, "allow_origins.*write \\['https://a.example'\\]"),
        ({"allow_methods": "GET"}, TypeError, "allow_methods"),
        ({"allow_headers": "X-A"}, TypeError, "allow_headers"),
        ({"expose_headers": "X-A"}, TypeError, "expose_headers"),
        ({"allow_origins": b"*"}, TypeError, "allow_origins"),
        ({"allow_origins": None}, TypeError, "allow_origins"),
        ({"allow_methods": 5}, TypeError, "allow_methods"),
        ({"allow_credentials": "false"}, TypeError, "allow_credentials must be True or False"),
        ({"allow_private_network": 1}, TypeError, "allow_private_network must be True or False"),
        ({"websockets": None}, TypeError, "websockets must be True or False"),
        ({"allow_methods": [b"GET"]}, TypeError, "allow_methods.*b'GET'"),
        ({"allow_methods": ["GET "]}, ValueError, "allow_methods.*'GET '"),
        ({"allow_methods": [""]}, ValueError, "allow_methods"),
        ({"allow_headers": ["X-A, X-B"]}, ValueError, "allow_headers"),
        ({"allow_headers": ["X:A"]}, ValueError, "allow_headers"),
        ({"allow_headers": ["X\r\nA"]}, ValueError, "allow_headers"),
        ({"allow_headers": ["\udc80"]}, ValueError, "allow_headers"),
        ({"expose_headers": ["ü"]}, ValueError, "expose_headers"),
        ({"expose_headers": [None]}, TypeError, "expose_headers"),
        ({"allow_origins": "*", "allow_credentials": True}, ValueError, "allow_origins.*allow_credentials"),
        ({"allow_origins": ["https://a.example", "*"], "allow_credentials": True}, ValueError, "allow_credentials"),
        ({"allow_origin_regex": "("}, re.error, "allow_origin_regex.*got '\\('"),
        ({"allow_origin_regex": "a{99999999999}"}, re.error, "allow_origin_regex.*got 'a{9"),
        ({"allow_origin_regex": "(" * 9999 + ")" * 9999}, re.error, "allow_origin_regex.*got '\\(\\("),
        ({"allow_origin_regex": re.compile(b"x")}, TypeError, "allow_origin_regex"),
        ({"allow_origin_regex": ["x"]}, TypeError, "allow_origin_regex"),
        ({"allow_origin_func": "x"}, TypeError, "allow_origin_func"),
        ({"max_age": -1}, ValueError, "max_age must be 0 or more seconds, or None for no header \\(got -1\\)"),
        ({"max_age": 1.5}, TypeError, "max_age"),
        ({"max_age": "600"}, TypeError, "max_age"),
        ({"max_age": True}, TypeError, "max_age"),
    ],
)
def test_configuration_mistakes(keywords: dict[str, Any], error: type[Exception], hint: str) -> None:
    """A mistake is refused when built, by keyword and value."""
    with pytest.raises(error, match=hint):
        CORSPolicy(**keywords)


def test_collections_are_read_once() -> None:
    """Iterators serve, and overrides start from what they held."""
    rules = CORSRules(
        {"/a": {"max_age": 5}},
        allow_origins=iter([A.decode()]),
        allow_methods=(m for m in ("PUT",)),
        allow_headers={"x-a": 1}.keys(),
        expose_headers=iter(["x-b"]),
        max_age=600,
    )
    for path in ("/", "/a"):
        policy = rules.at(path)
        assert policy is not None
        assert [(ACAO, A), (EXPOSE, b"x-b"), (b"vary", b"Origin")] == answered(policy, [A])
        assert [] == policy.preflight(asked([b"PUT"], b"x-a"), allowed=True)[1]


def test_overrides_by_longest_prefix() -> None:
    """The longest prefix on segment borders wins; None is no policy; keywords are merged over the outer ones."""
    rules = CORSRules(
        {
            "/api": {"allow_origins": ["https://b.example"]},
            "/api/open": {"allow_origins": "*", "allow_credentials": False},
            "/old/": None,
        },
        allow_origins=[A.decode()],
        allow_credentials=True,
    )
    both = [(ACAC, b"true"), (b"vary", b"Origin")]
    assert [(ACAO, A), *both] == answered(rules.at("/apix"), [A])
    assert [(ACAO, b"https://b.example"), *both] == answered(rules.at("/api/x"), [b"https://b.example"])
    assert [(b"vary", b"Origin")] == answered(rules.at("/api"), [A])
    assert [(ACAO, b"*")] == answered(rules.at("/api/open"), [A])
    assert rules.at("/old") is None
    assert rules.at("/old/x") is None
    assert rules.at("/old/../x") is rules.outer


def undecodable() -> Any:
    yield b"\xff".decode("ascii")


@pytest.mark.parametrize(
    ("overrides", "error", "hint"),
    [
        ([], TypeError, "overrides must be a mapping"),
        ({5: None}, TypeError, "overrides must have path prefixes"),
        ({"api": None}, ValueError, "overrides must be a path prefix"),
        ({"/a": True}, TypeError, r"overrides\['/a'\] must be a mapping"),
        ({"/a": {"origins": "*"}}, TypeError, r"overrides\['/a'\] has the unknown keyword 'origins'"),
        ({"/a": {"max_age": -1}}, ValueError, r"overrides\['/a'\]: max_age"),
        ({"/a": {"allow_credentials": True}}, ValueError, r"overrides\['/a'\]: allow_origins"),
        ({"/a": {"allow_methods": "GET"}}, TypeError, r"overrides\['/a'\]: allow_methods"),
        ({"/a": {"allow_origin_regex": "("}}, re.error, r"overrides\['/a'\]: allow_origin_regex"),
        ({"/a": {"allow_methods": undecodable()}}, ValueError, r"overrides\['/a'\]: 'ascii' codec"),
        ({"/a": None, "/b": None, "/a/": {}}, ValueError, "same prefix twice, as '/a' and as '/a/'"),
        ({"/": {}, "//": None}, ValueError, "same prefix twice, as '/' and as '//'"),
    ],
)
def test_wrong_overrides(overrides: Any, error: type[Exception], hint: str) -> None:
    """A mistake in an override names its prefix; forbidden pairs are found in the merged keywords."""
    with pytest.raises(error, match=hint):
        CORSRules(
            overrides,
            allow_origins="*",
            max_age=600,
            allow_credentials=False,
            allow_methods=(),
            allow_origin_regex=None,
        )


@pytest.mark.parametrize(
    ("keywords", "fetch", "expected"),
    [
        pytest.param({}, (A.decode(), "GET", [], False), [], id="allowed"),
        pytest.param(
            {}, ("https://b.example", "GET", [], False), ["origin 'https://b.example' is not allowed"], id="origin"
        ),
        pytest.param({}, ("https://ü", "GET", [], False), [r"'https://\xc3\xbc' is no origin"], id="no origin"),
        pytest.param(
            {},
            ("\udcff", "\udcff", ["\udcff"], False),
            [
                r"'\xed\xb3\xbf' is no origin",
                r"'\xed\xb3\xbf' is no method",
                r"header '\xed\xb3\xbf' is not in allow_headers",
            ],
            id="surrogates",
        ),
        pytest.param({}, (A.decode(), "POST", [], False), [], id="safelisted method, no preflight"),
        pytest.param({}, (A.decode(), "POST", ["Accept"], False), [], id="safelisted header, no preflight"),
        pytest.param(
            {},
            (A.decode(), "POST", ["Content-Type"], False),
            ["method POST is not in allow_methods"],
            id="JSON needs a preflight",
        ),
        pytest.param({"allow_methods": ["PUT"]}, (A.decode(), "put", [], False), [], id="normalised"),
        pytest.param(
            {"allow_methods": ["PATCH"]},
            (A.decode(), "patch", [], False),
            ["method patch is not in allow_methods"],
            id="not normalised",
        ),
        pytest.param(
            {"allow_methods": "*"},
            (A.decode(), "trace", [], False),
            ["method trace is forbidden in browsers"],
            id="forbidden",
        ),
        pytest.param(
            {},
            (A.decode(), "GET", ["X-A"], True),
            ["credentials are not allowed: allow_credentials is False", "header x-a is not in allow_headers"],
            id="several",
        ),
        pytest.param(
            {"allow_headers": "*"},
            (A.decode(), "GET", ["Authorization", "x a"], False),
            ["'x a' is no header name"],
            id="star",
        ),
        pytest.param(
            {},
            (A.decode(), "POST", ["Cookie", "Sec-Fetch-Site", "proxy-authorization", "X-A"], False),
            ["method POST is not in allow_methods", "header x-a is not in allow_headers"],
            id="forbidden headers are not sent",
        ),
        pytest.param({}, (A.decode(), "POST", ["Host"], False), [], id="no preflight for them"),
        pytest.param(
            {"allow_origin_func": lambda origin, scope: True},
            ("https://b.example", "GET", [], False),
            ["depends on allow_origin_func"],
            id="function",
        ),
        pytest.param(
            {"allow_origin_func": lambda origin, scope: True},
            ("not one", "GET", [], False),
            ["'not one' is no origin"],
            id="function not asked",
        ),
    ],
)
def test_explain(keywords: dict[str, Any], fetch: tuple, expected: list[str]) -> None:
    """A reason in words for each rule that refuses a fetch, none if a browser would allow it."""
    origin, method, headers, credentials = fetch
    assert expected == CORSPolicy(allow_origins=[A.decode()], **keywords).explain(
        origin, method, headers, credentials=credentials
    )


@pytest.mark.parametrize("headers", ["X-Token", b"X-Token"])
def test_explain_takes_no_lone_name(headers: Any) -> None:
    """One name in place of a list is a TypeError, as in the keywords: its letters are no headers."""
    with pytest.raises(TypeError, match=r"^headers must be a collection of names as str.*\(got b?'X-Token'\)"):
        CORSPolicy().explain(A.decode(), "GET", headers, credentials=False)
