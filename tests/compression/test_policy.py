"""What is decided as a response starts, and what configuration is refused."""

from __future__ import annotations

import base64
import hashlib
import inspect

import pytest

from middlewares.compression import CompressionMiddleware
from middlewares.compression import policy as module
from middlewares.compression.policy import CompressionPolicy, Plan
from middlewares.testing import http_scope

DEFAULTS = {
    name: parameter.default
    for name, parameter in inspect.signature(CompressionMiddleware).parameters.items()
    if name not in ("app", "thread_minimum_size")
}
JSON = (b"content-type", b"application/json")
LONG = (b"content-length", b"1000")
VARY = (b"vary", b"Accept-Encoding")


def policy(**keywords):
    return CompressionPolicy(**{**DEFAULTS, **keywords})


def start(headers, status=200, **more):
    return {"type": "http.response.start", "status": status, "headers": headers, **more}


def outcome(message, accept=b"gzip", scope=None, **keywords):
    deciding = policy(**keywords)
    return deciding.start(message, scope or http_scope(), deciding.asked(accept))


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([JSON, LONG], id="json"),
        pytest.param([JSON], id="no length"),
        pytest.param([JSON, (b"x-a", b"1"), (b"set-cookie", b"a=b")], id="others"),
        pytest.param([JSON, (b"content-length", b"nonsense")], id="no number"),
        pytest.param([JSON, (b"content-length", b"9" * 5000)], id="no number that fits"),
        pytest.param([JSON, (b"content-length", b"500")], id="the minimum, inclusive"),
        pytest.param([], id="no type"),
        pytest.param([(b"Content-Type", b"text/html"), (b"Content-Length", b"1000")], id="capitals"),
        pytest.param([(b"content-type", b"text/event-stream"), (b"content-length", b"10")], id="events"),
        pytest.param([JSON, (b"cache-control", b"public, x-no-transform, max-age=5")], id="a longer directive"),
    ],
)
def test_coded(headers):
    """A response of a type to code, that is large or of unknown size, has a plan, and Vary in both of its forms."""
    plan = outcome(start(headers))
    assert isinstance(plan, Plan)
    assert [*headers, VARY] == plan.plain()["headers"]
    kept = [pair for pair in headers if pair[0].lower() != b"content-length"]
    assert [*kept, VARY, (b"content-encoding", b"gzip")] == plan.coded(None)["headers"]


@pytest.mark.parametrize(
    ("message", "accept"),
    [
        pytest.param(start([JSON, (b"content-length", b"499")]), b"gzip", id="small"),
        pytest.param(start([JSON, LONG]), b"", id="not accepted"),
        pytest.param(start([JSON, LONG]), b"identity, gzip;q=0.5", id="plain preferred"),
        pytest.param(start([JSON], 304), b"gzip", id="304"),
        pytest.param(start([JSON, LONG], 206), b"gzip", id="206 (starlette #3414)"),
        pytest.param(start([JSON, LONG, (b"content-range", b"bytes 0-9/10")], 206), b"gzip", id="206 with its range"),
    ],
)
def test_plain_with_vary(message, accept):
    """What another client could get coded has Vary, parts and 304 too (RFC 9110 12.5.5, 15.3.7; starlette #2863)."""
    assert {**message, "headers": [*message["headers"], VARY]} == outcome(message, accept)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(start([(b"content-type", b"image/png"), LONG]), id="type"),
        pytest.param(start([JSON, LONG, (b"content-encoding", b"br")]), id="coded"),
        pytest.param(start([JSON, LONG, (b"Content-Encoding", b"identity")]), id="opted out (rainbond #1909)"),
        pytest.param(start([JSON, LONG, (b"content-range", b"bytes 0-9/10")]), id="content-range"),
        pytest.param(start([JSON, LONG, (b"content-encoding", b"br")], 206), id="a part of what is coded"),
        pytest.param(start([JSON], 204), id="204"),
        pytest.param(start([JSON], 205), id="205"),
        pytest.param(start([JSON], 103), id="1xx"),
        pytest.param(start([JSON, LONG, (b"cache-control", b"max-age=5, No-Transform")]), id="no-transform"),
        pytest.param(start([JSON, LONG, (b"cache-control", b"a"), (b"cache-control", b"no-transform")]), id="2nd line"),
        pytest.param(start(((b"content-type", b"image/png"), LONG)), id="tuple"),
    ],
)
def test_left_alone(message):
    """What is never coded passes as the same object, without Vary (RFC 9111 5.2.2.6; RFC 9110 15.3.5, 15.3.7)."""
    assert outcome(message) is message


def test_headers_that_can_be_read_once():
    """They are read, so that another message with what they held goes on (Sanic)."""
    message = start(pair for pair in [(b"content-type", b"image/png")])
    assert start([(b"content-type", b"image/png")]) == outcome(message)


@pytest.mark.parametrize(
    "headers", [[[b"content-type", b"text/css"]], [(bytearray(b"content-type"), memoryview(b"text/css"))]]
)
def test_inexact_pairs(headers):
    """Lists as pairs and bytes-like values become exact pairs."""
    assert [(b"content-type", b"text/css"), VARY] == outcome(start(headers)).plain()["headers"]


def test_vary_is_merged():
    """Names are added to the application's Vary, and none beside a star (RFC 9110 12.5.5)."""
    assert [(b"vary", b"Cookie, Accept-Encoding")] == outcome(start([(b"vary", b"Cookie")]), b"")["headers"]
    assert [(b"Vary", b"*")] == outcome(start([(b"Vary", b"*")]), b"")["headers"]
    given = [(b"vary", b"accept-encoding")]
    assert given == outcome(start(given), b"")["headers"]


def test_what_is_not_true_of_the_coded_body():
    """Ranges and digests of the plain body go, the tag changes (RFC 9110 14.3, 8.8.3.3; RFC 9530 2, 3)."""
    others = [(b"x-a", b"1"), (b"set-cookie", b"a=b"), (b"want-repr-digest", b"sha-256=1")]
    gone = [
        *((b"Accept-Ranges", b"bytes"), (b"content-md5", b"x"), (b"digest", b"x"), (b"content-digest", b"x")),
        *((b"repr-digest", b"x"), LONG),
    ]
    plan = outcome(start([JSON, (b"ETag", b'"v1"'), *others, *gone]))
    coded = [JSON, (b"ETag", b'"v1-gzip"'), *others, VARY, (b"content-encoding", b"gzip"), (b"content-length", b"7")]
    assert coded == plan.coded(7)["headers"]
    assert [JSON, (b"ETag", b'"v1"'), *others, *gone, VARY] == plan.plain()["headers"]


def test_length_beside_trailers():
    """A response with trailers gets no Content-Length that it had not before: it has to be chunked (RFC 9112 7.1.2)."""
    assert (b"content-length", b"7") not in outcome(start([JSON], trailers=True)).coded(7)["headers"]
    assert (b"content-length", b"7") in outcome(start([JSON, LONG], trailers=True)).coded(7)["headers"]
    assert (b"content-length", b"7") in outcome(start([JSON], trailers=False)).coded(7)["headers"]


def test_length_beside_transfer_encoding():
    """A response that says how it is transferred gets no Content-Length beside it (RFC 9112 6.2)."""
    chunked = (b"Transfer-Encoding", b"chunked")
    assert (b"content-length", b"7") not in outcome(start([JSON, chunked])).coded(7)["headers"]


def test_other_keys_of_the_start():
    """Keys of the start that are not known here stay."""
    assert outcome(start([JSON], trailers=True, other=1)).coded(None)["other"] == 1
    assert outcome(start([JSON], other=1), b"")["other"] == 1


def test_plain_tags_that_end_like_ours():
    """A tag of the application that ends like a coded one is marked, whatever the reason to leave the body plain."""
    tag, marked = (b"etag", b'"v1-gzip"'), (b"etag", b'"v1-gzip-identity"')
    assert [JSON, marked, VARY] == outcome(start([JSON, tag]), b"")["headers"]
    assert [JSON, marked, VARY] == outcome(start([JSON, tag])).plain()["headers"]
    assert [JSON, (b"content-encoding", b"gzip"), marked] == (
        outcome(start([JSON, (b"content-encoding", b"gzip"), tag]))["headers"]
    )


@pytest.mark.parametrize(
    ("sent", "tag", "expected"),
    [
        (b'"v1-gzip"', b'"v1"', b'"v1-gzip"'),
        (b'"v1-br"', b'"v1"', b'"v1-br"'),
        (b'"v1"', b'"v1"', b'"v1"'),
        (b'"v2-gzip"', b'"v1"', b'"v1"'),
    ],
)
def test_304(sent, tag, expected):
    """A 304 repeats the tag that the client sent, and has the Vary of the 200 (RFC 9110 15.4.5)."""
    deciding = policy()
    scope = http_scope(headers=[(b"accept-encoding", b"gzip"), (b"if-none-match", sent)])
    asked, headers = deciding.conditional(scope, deciding.asked(b"gzip"))
    assert [(b"etag", expected), VARY] == deciding.start(start([(b"etag", tag)], 304), scope, asked)["headers"]
    plain = [(b"accept-encoding", b"gzip"), (b"if-none-match", sent.replace(b"-gzip", b"").replace(b"-br", b""))]
    assert (None if sent == b'"v1"' else plain) == headers


def test_304_without_what_is_not_true_of_the_coded_body():
    """Caches write what a 304 says onto the response that they hold: nothing of the plain one (RFC 9111 3.2)."""
    deciding = policy()
    scope = http_scope(headers=[(b"if-none-match", b'"v1-gzip"')])
    asked, _ = deciding.conditional(scope, deciding.asked(b"gzip"))
    plain = [LONG, (b"accept-ranges", b"bytes"), (b"repr-digest", b"x")]
    message = start([(b"etag", b'"v1"'), *plain], 304)
    assert [(b"etag", b'"v1-gzip"'), VARY] == deciding.start(message, scope, asked)["headers"]
    held = deciding.conditional(http_scope(headers=[(b"if-none-match", b'"v1"')]), deciding.asked(b"gzip"))[0]
    assert [(b"etag", b'"v1"'), *plain, VARY] == deciding.start(message, scope, held)["headers"]


def test_304_without_coding():
    """A client that would get plain content now still gets the tag back that it holds."""
    deciding = policy()
    scope = http_scope(headers=[(b"if-none-match", b'"v1-gzip"')])
    asked, _ = deciding.conditional(scope, deciding.known[None])
    assert [(b"etag", b'"v1-gzip"'), VARY] == deciding.start(start([(b"etag", b'"v1"')], 304), scope, asked)["headers"]


def test_conditions_come_in_the_application_s_tags():
    """If-None-Match and If-Match are translated in each line, If-Range is not (RFC 9110 13.1)."""
    deciding = policy()
    lines = [(b"if-match", b'"a-br"'), (b"if-none-match", b'"b-gzip"'), (b"if-none-match", b'"c"'), (b"x", b'"d-br"')]
    scope = http_scope(headers=[*lines, (b"if-range", b'"e-br"')])
    asked, headers = deciding.conditional(scope, deciding.asked(b"br"))
    assert b'"b-gzip", "c"' == asked.if_none_match
    assert [b'"a"', b'"b"', b'"c"', b'"d-br"', b'"e-br"'] == [value for _, value in headers]
    assert scope["headers"][0] == (b"if-match", b'"a-br"')


@pytest.mark.parametrize(
    ("field", "plain"),
    [
        (b'(["v1-gzip"])', b'(["v1"])'),
        (b'(<urn:x-gzip> [W/"v1-br"]) (Not ["v2-zstd"])', b'(<urn:x-gzip> [W/"v1"]) (Not ["v2"])'),
        (b'<http://a/-gzip> (<urn:a> ["v1-gzip-identity"])', b'<http://a/-gzip> (<urn:a> ["v1-gzip"])'),
    ],
)
def test_conditions_of_webdav(field, plain):
    """The tags in `If` are translated as well, its URLs are not, and no 304 repeats one (RFC 4918 10.4)."""
    deciding = policy()
    assert b"if" in deciding.fields
    asked, headers = deciding.conditional(http_scope("PUT", headers=[(b"if", field)]), deciding.asked(b"gzip"))
    assert [(b"if", plain)] == headers
    assert b"" == asked.if_none_match


def test_weak_tags_with_padding():
    """With padding the tag is weak, and comes back strong (RFC 9110 8.8.1, 13.1.1)."""
    deciding = policy(random_padding=10)
    plan = deciding.start(start([JSON, (b"etag", b'"v1"')]), http_scope(), deciding.asked(b"br"))
    assert (b"etag", b'W/"v1-br"') in plan.coded(None)["headers"]
    scope = http_scope(headers=[(b"if-match", b'W/"v1-br"'), (b"if-none-match", b'W/"v1-br"')])
    asked, headers = deciding.conditional(scope, deciding.asked(b"br"))
    assert [(b"if-match", b'"v1"'), (b"if-none-match", b'"v1"')] == headers
    assert (b"etag", b'W/"v1-br"') in deciding.start(start([(b"etag", b'"v1"')], 304), scope, asked)["headers"]


def test_refused_plain_content():
    """Where plain content is refused, small responses have a plan, too, that holds in any case (RFC 9110 12.5.3)."""
    plan = outcome(start([JSON, (b"content-length", b"5")]), b"gzip, identity;q=0")
    assert plan.is_forced
    assert not outcome(start([JSON, LONG])).is_forced


def test_predicate():
    """It is asked last, once for a response that would be coded by all else, with scope and start; False leaves it alone."""
    asked = []

    def predicate(scope, message):
        asked.append((scope, message))
        return message["status"] == 200

    scope = http_scope()
    fine, not_found, image = start([JSON, LONG]), start([JSON, LONG], 404), start([(b"content-type", b"image/png")])
    assert isinstance(outcome(fine, scope=scope, predicate=predicate), Plan)
    assert outcome(not_found, scope=scope, predicate=predicate) is not_found
    assert outcome(image, scope=scope, predicate=predicate) is image
    assert [(scope, fine), (scope, not_found)] == asked


def test_memory_is_bounded():
    """Neither thousands of Accept-Encoding and Content-Type values nor long ones are remembered."""
    deciding = policy()
    for number in range(2000):
        deciding.asked(b"gzip;q=0.%d" % number)
        deciding.start(start([(b"content-type", b"text/%d" % number)]), http_scope(), deciding.known[None])
    deciding.asked(b"gzip," * 1000)
    assert max(len(deciding.known), len(deciding.kinds)) <= 256
    assert None in deciding.known
    assert b"gzip;q=0.1999" in deciding.known  # what comes now is remembered, whatever came before
    assert b"text/1999" in deciding.kinds
    assert b"gzip," * 1000 not in policy().known


@pytest.mark.parametrize("ending", [b"", b", *;q=0"], ids=["", "plain content refused"])
def test_long_accept_encoding(ending, monkeypatch):
    """Of Accept-Encoding 4 KB are read; a longer one is as none, whatever it says, and costs nothing (RFC 9110 12.5.3)."""
    deciding, read = policy(), []
    negotiating = module.negotiate
    monkeypatch.setattr(module, "negotiate", lambda accept, offers: read.append(accept) or negotiating(accept, offers))
    longest = (b"gzip" + ending).rjust(4096, b",")
    assert (b"content-encoding", b"gzip") == deciding.asked(longest).codec.field
    assert deciding.asked(b"," + longest) is deciding.asked(b"x" * 65_536) is deciding.known[None]
    assert [longest] == read


# ---- dictionaries

OLD = b"an old version of a file"
WITH_DCZ = b"gzip, br, zstd, dcz"
VARY_BOTH = (b"vary", b"Accept-Encoding, Available-Dictionary")


def dictionary_scope(*headers, **more):
    named = b":" + base64.b64encode(hashlib.sha256(OLD).digest()) + b":"
    return http_scope(headers=[(b"accept-encoding", WITH_DCZ), (b"available-dictionary", named), *headers], **more)


def planned(scope, message, accept=WITH_DCZ, **keywords):
    deciding = policy(**keywords)
    asked, _ = deciding.conditional(scope, deciding.asked(accept))
    return deciding.start(message, scope, asked)


def test_dictionary():
    """A client that names a dictionary that we have gets `dcz`, and Vary names both fields (RFC 9842 6.2)."""
    plan = planned(dictionary_scope(), start([JSON, (b"etag", b'"v1"')]), dictionaries=[OLD])
    suffix = plan.codec.suffix
    tag = b'"v1' + suffix + b'"'
    assert [JSON, (b"etag", tag), VARY_BOTH, (b"content-encoding", b"dcz")] == plan.coded(None)["headers"]
    assert [JSON, VARY_BOTH] == outcome(start([JSON]), b"", dictionaries=[OLD])["headers"]


@pytest.mark.parametrize(
    ("scope", "accept", "headers", "token"),
    [
        pytest.param(dictionary_scope(), b"gzip, zstd", [JSON], b"zstd", id="dcz not accepted"),
        pytest.param(
            http_scope(headers=[(b"available-dictionary", b":abc:")]), WITH_DCZ, [JSON], b"zstd", id="unknown"
        ),
        pytest.param(dictionary_scope((b"available-dictionary", b":x:")), WITH_DCZ, [JSON], b"zstd", id="two lines"),
        pytest.param(dictionary_scope((b"sec-fetch-mode", b"no-cors")), WITH_DCZ, [JSON], b"zstd", id="a foreign page"),
        pytest.param(dictionary_scope(), WITH_DCZ, [(b"content-type", b"text/event-stream")], b"zstd", id="events"),
    ],
)
def test_no_dictionary(scope, accept, headers, token):
    """Everyone else gets what Accept-Encoding prefers (RFC 9842 2.2, 9.3.3)."""
    plan = planned(scope, start(headers), accept, dictionaries=[OLD])
    assert (b"content-encoding", token) == plan.codec.field


@pytest.mark.parametrize(
    ("accept", "is_forced"),
    [
        (b"dcz", False),
        (b"gzip;q=0, dcz", False),
        (b"dcz, identity;q=0", True),
        (b"dcz;q=0.5, identity;q=0.4, gzip;q=0.3", False),
    ],
)
def test_dictionary_alone(accept, is_forced):
    """`dcz` is given where no other coding is as welcome as plain content, small bodies only if that is refused."""
    plan = planned(dictionary_scope(), start([JSON]), accept, dictionaries=[OLD])
    assert (b"content-encoding", b"dcz") == plan.codec.field
    assert is_forced is plan.is_forced
    small = planned(dictionary_scope(), start([JSON, (b"content-length", b"5")]), accept, dictionaries=[OLD])
    assert is_forced is isinstance(small, Plan)


@pytest.mark.parametrize(
    ("scope", "headers"),
    [
        pytest.param(http_scope(), [JSON], id="none named"),
        pytest.param(dictionary_scope((b"sec-fetch-mode", b"no-cors")), [JSON], id="a foreign page"),
        pytest.param(dictionary_scope(), [(b"content-type", b"text/event-stream")], id="events"),
    ],
)
@pytest.mark.parametrize("accept", [b"dcz", b"dcz, identity;q=0"])
def test_no_dictionary_alone(scope, headers, accept):
    """Where it cannot be given, and nothing else is acceptable, the content is plain (RFC 9110 12.5.3)."""
    assert start([*headers, VARY_BOTH]) == planned(scope, start(headers), accept, dictionaries=[OLD])


USES = {"/app": "/app/*"}
MARK = (b"use-as-dictionary", b'match="/app/*"')


def test_use_as_dictionary():
    """Responses to learn are marked in their coded form: no client says `dcz` before it has one (RFC 9842 6.1)."""
    scope = http_scope(path="/app/x")
    plan = planned(scope, start([JSON]), b"gzip, br", use_as_dictionary=USES)
    assert MARK in plan.coded(None)["headers"]
    assert MARK not in plan.plain()["headers"]
    assert plan.learning is not None


def test_use_as_dictionary_of_head():
    """HEAD is marked as GET is, but teaches nothing, as its client gets no body (RFC 9110 9.3.2)."""
    plan = planned(http_scope("HEAD", "/app/x"), start([JSON]), b"gzip, br", use_as_dictionary=USES)
    assert MARK in plan.coded(None)["headers"]
    assert plan.learning is None


@pytest.mark.parametrize(
    ("scope", "message", "accept"),
    [
        pytest.param(http_scope(path="/other"), start([JSON]), WITH_DCZ, id="elsewhere"),
        pytest.param(http_scope("POST", "/app/x"), start([JSON]), WITH_DCZ, id="POST"),
        pytest.param(http_scope(path="/app/x"), start([JSON], 404), WITH_DCZ, id="404"),
        pytest.param(
            http_scope(path="/app/x"), start([JSON, (b"cache-control", b"No-Store")]), WITH_DCZ, id="no-store"
        ),
        pytest.param(
            http_scope(path="/app/x"), start([JSON, (b"cache-control", b"no-cache")]), WITH_DCZ, id="no-cache"
        ),
        pytest.param(
            http_scope(path="/app/x", headers=[(b"sec-fetch-mode", b"no-cors")]), start([JSON]), WITH_DCZ, id="foreign"
        ),
        pytest.param(
            http_scope(path="/app/x"), start([(b"content-type", b"text/event-stream")]), WITH_DCZ, id="events"
        ),
    ],
)
def test_nothing_to_learn(scope, message, accept):
    """What no client would keep as a dictionary is not marked, and not kept."""
    plan = planned(scope, message, accept, use_as_dictionary=USES)
    assert (None, None) == (plan.mark, plan.learning)


def test_the_application_s_own_mark():
    """It stays alone, and its body is learned, but not where nothing is to be learned."""
    own = (b"use-as-dictionary", b'match="/x", id="1"')
    plan = planned(http_scope(path="/app/x"), start([JSON, own]), use_as_dictionary=USES)
    assert [own] == [pair for pair in plan.coded(None)["headers"] if pair[0] == b"use-as-dictionary"]
    assert plan.learning is not None
    assert planned(http_scope(), start([JSON, own]), use_as_dictionary={}).learning is not None
    assert planned(http_scope(), start([JSON, own]), dictionaries=[OLD]).learning is None


# ---- configuration


@pytest.mark.parametrize("value", [None, "5", 5.0, True, b"5"])
@pytest.mark.parametrize(
    "keyword", ["minimum_size", "gzip_level", "brotli_quality", "zstd_level", "random_padding", "thread_minimum_size"]
)
def test_no_int(keyword, value):
    """A number that is no int is refused by name."""
    with pytest.raises(TypeError, match=rf"^{keyword} must be an int"):
        CompressionMiddleware(_app, **{keyword: value})


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        *(("minimum_size", -1), ("thread_minimum_size", -1), ("random_padding", -1), ("random_padding", 65_537)),
        *(("gzip_level", -1), ("gzip_level", 10), ("compresslevel", -2), ("compresslevel", 10)),
        *(("brotli_quality", -1), ("brotli_quality", 12), ("zstd_level", 23), ("zstd_level", -131_073)),
    ],
)
def test_out_of_bounds(keyword, value):
    """A number out of its bounds is refused by name, with the bounds."""
    with pytest.raises(ValueError, match=rf"^{keyword} must be .*\(got {value}\)"):
        CompressionMiddleware(_app, **{keyword: value})


def test_starlette_s_name():
    """`compresslevel` is `gzip_level`; both may be given if they agree (Starlette)."""
    body = b"the quick brown fox " * 100
    of_9 = policy(gzip_level=9)._codecs[b"gzip"].whole(body)
    assert of_9 == policy(compresslevel=9)._codecs[b"gzip"].whole(body)
    assert of_9 == policy(compresslevel=9, gzip_level=9)._codecs[b"gzip"].whole(body)
    with pytest.raises(ValueError, match=r"give gzip_level or compresslevel, .* \(got 5 and 9\)"):
        policy(compresslevel=9, gzip_level=5)
    with pytest.raises(TypeError, match="compresslevel must be an int"):
        policy(compresslevel="9")


@pytest.mark.parametrize("encodings", ["gzip", b"gzip", 5])
def test_no_list_of_encodings(encodings):
    """A string would be a list of letters."""
    with pytest.raises(TypeError, match="encodings must be a list of names"):
        policy(encodings=encodings)


@pytest.mark.parametrize(("encodings", "why"), [(["deflate"], "unknown name 'deflate'"), ([], "at least one coding")])
def test_bad_encodings(encodings, why):
    """An unknown name, and none at all, are refused."""
    with pytest.raises(ValueError, match=why):
        policy(encodings=encodings)


def test_encodings():
    """The given codings are on offer in the given order, each once."""
    deciding = policy(encodings=iter(["gzip", "br", "gzip"]))
    assert (b"content-encoding", b"gzip") == deciding.asked(b"br, gzip, zstd").codec.field
    assert deciding.asked(b"zstd").codec is None


@pytest.mark.parametrize(
    ("keyword", "value"), [("predicate", 5), ("exclude_paths", 5), ("exclude_paths", [5]), ("use_as_dictionary", 5)]
)
def test_wrong_types(keyword, value):
    """What is not of the keyword's type is refused by name."""
    with pytest.raises(TypeError, match=f"^{keyword} must"):
        policy(**{keyword: value})


def test_no_dictionaries():
    """An empty list of dictionaries is none: Vary does not name what is never looked at."""
    assert [JSON, VARY] == outcome(start([JSON]), b"", dictionaries=[])["headers"]


async def _app(scope, receive, send):
    raise AssertionError("is not called")
