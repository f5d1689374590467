"""Which id a request gets, and what the headers say then."""

from __future__ import annotations

import logging
import re
import uuid
from functools import partial
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from middlewares._http.headers import pairs
from middlewares.request_id.policy import FIRST_NAME, RequestIDPolicy, replaced
from middlewares.testing import http_scope

NAME = b"x-request-id"
HEX = re.compile(r"[0-9a-f]{32}").fullmatch
# The rule of the manual page, written by itself.
FIRST = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
LATER = FIRST | set("._:=+/@~-")


def policy(**keywords: Any) -> RequestIDPolicy:
    defaults: dict[str, Any] = {
        "header_name": "X-Request-ID",
        "response_header": FIRST_NAME,
        "generator": "hex",
        "validator": None,
        "transformer": None,
        "trust_incoming": True,
    }
    return RequestIDPolicy(**{**defaults, **keywords})


def adopted(*values: bytes, **keywords: Any) -> str | None:
    return policy(**keywords).adopted([(NAME, value) for value in values])


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"7f9c2e4b1d6a48f0b35e9a1c04d7e862", id="hex"),
        pytest.param(b"d4e8a1c2-3b5f-4a6d-8e9f-0123456789ab", id="uuid"),
        pytest.param(b"01ARZ3NDEKTSV4RRFFQ69G5FAV", id="ulid"),
        pytest.param(b"Root=1-67891233-abcdef012345678912345678", id="aws alb"),
        pytest.param(b"C0A80164:D2F0_0A000001:01BB_5F3C_0001:7A3B", id="haproxy"),
        pytest.param(b"host.example/x9Tz-000001", id="chi"),
        pytest.param(b"a", id="one character"),
        pytest.param(b"0._:=+/@~-", id="all punctuation"),
        pytest.param(b"a" * 128, id="128"),
        pytest.param(b"a" * 127 + b"-", id="128 with punctuation"),
    ],
)
def test_safe_ids_are_adopted(value) -> None:
    """The ids of the usual proxies pass, with whitespace around as well (RFC 9110 5.5)."""
    assert value.decode() == adopted(value) == adopted(b" \t" + value + b"\t ")


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b" \t ", id="whitespace"),
        pytest.param(b"a" * 129, id="129"),
        pytest.param(b"a-" * 65, id="130 with punctuation"),
        pytest.param(b"a" * 500_000, id="500 KB"),
        pytest.param(b" " * 500_000, id="500 KB of spaces"),
        pytest.param(b"-a" * 250_000, id="500 KB of punctuation"),
        pytest.param(b"-a", id="begins with a dash"),
        pytest.param(b"=a", id="begins with ="),
        pytest.param(b"a b", id="space"),
        pytest.param(b"a\tb", id="tab"),
        pytest.param(b"a\n", id="line feed at the end"),
        pytest.param(b"a\r\nset-cookie: b=c", id="header injection"),
        pytest.param(b"a\x00", id="nul"),
        pytest.param(b"\x1b[31m", id="terminal"),
        pytest.param(b"a,b", id="list"),
        pytest.param(b"a;b", id="semicolon"),
        pytest.param(b'"a"', id="quotes"),
        pytest.param(b"<b>", id="markup"),
        pytest.param(b"${jndi:ldap://a}", id="lookup"),
        pytest.param(b"{a}", id="braces"),
        pytest.param(b"%0a", id="percent"),
        pytest.param("ä".encode(), id="utf-8"),
        pytest.param(b"\xb2", id="superscript two in latin-1"),
        pytest.param("\u0661".encode(), id="digit of another script"),
    ],
)
def test_unsafe_ids_are_refused(value) -> None:
    """What could break a header, a log or a page is no id."""
    assert adopted(value) is None


@given(
    st.lists(
        st.one_of(st.binary(max_size=140), st.text(sorted(LATER), max_size=140).map(str.encode)), min_size=1, max_size=3
    )
)
@example([b"a\n"])
@example([b"a", b" a "])
def test_only_safe_ids_are_adopted(values) -> None:
    """Of any bytes, exactly what follows the rule is adopted, and only if all lines say the same."""
    trimmed = {value.strip(b" \t").decode("latin-1") for value in values}
    [first, *others] = trimmed
    is_safe = not others and 1 <= len(first) <= 128 and first[0] in FIRST and set(first) <= LATER
    assert (first if is_safe else None) == adopted(*values)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param([(NAME, b"a"), (NAME, b"a")], "a", id="the same twice"),
        pytest.param([(NAME, b"a"), (NAME, b"b")], None, id="two different"),
        pytest.param([(NAME, b"a"), (NAME, b"")], None, id="one empty"),
        pytest.param([(b"x-correlation-id", b"b")], "b", id="second name"),
        pytest.param([(b"x-correlation-id", b"b"), (NAME, b"a")], "a", id="both: the first name"),
        pytest.param([(b"x-correlation-id", b"b"), (NAME, b"?")], None, id="both: the first name decides"),
        pytest.param(
            [(NAME, b"a"), (b"x-correlation-id", b"b"), (b"x-correlation-id", b"c")],
            "a",
            id="the second name has no say",
        ),
    ],
)
def test_which_header_decides(found, expected) -> None:
    """Names are looked up in order, the first that is there decides, and different values of one name refuse each other."""
    assert expected == policy(header_name=["X-Request-ID", "X-Correlation-ID"]).adopted(found)


@pytest.mark.parametrize(
    ("validator", "value", "expected"),
    [
        pytest.param(lambda text: text == "good", b"good", "good", id="callable: yes"),
        pytest.param(lambda text: text == "good", b"bad", None, id="callable: no"),
        pytest.param(re.compile("[a-f]+"), b"abc", "abc", id="pattern: all of it"),
        pytest.param(re.compile("[a-f]+"), b"abcx", None, id="pattern: the begin"),
        pytest.param(re.compile("[a-f]+$"), b"abc\n", None, id="pattern: before a line feed"),
        pytest.param(re.compile(".*", re.DOTALL), b"a\r\nb", None, id="never instead of the rule"),
        pytest.param(
            uuid.UUID, b"d4e8a1c2-3b5f-4a6d-8e9f-0123456789ab", "d4e8a1c2-3b5f-4a6d-8e9f-0123456789ab", id="raises not"
        ),
    ],
)
def test_validator(validator, value, expected) -> None:
    """The validator runs after the rule that always holds, never instead of it."""
    assert expected == adopted(value, validator=validator)


def test_validator_sees_safe_ids_alone() -> None:
    """What the rule refuses does not reach the validator."""
    seen = []
    assert adopted(b"?", validator=seen.append) is None
    assert [] == seen


def test_validator_that_raises(caplog) -> None:
    """It counts as no, and is logged once at ERROR, without the id and the text of the exception."""
    refusing = policy(validator=uuid.UUID)
    for value in (b"secret1", b"secret2"):
        assert refusing.adopted([(NAME, value)]) is None
    assert [
        ("middlewares.request_id", logging.ERROR, "validator raised ValueError: the id is refused (logged once)")
    ] == caplog.record_tuples
    assert caplog.records[0].exc_info is None


@pytest.mark.parametrize(
    ("generator", "expected"),
    [
        pytest.param("hex", r"[0-9a-f]{32}", id="hex"),
        pytest.param("uuid4", r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", id="uuid4"),
        pytest.param("uuid7", r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", id="uuid7"),
        pytest.param("ulid", r"[0-7][0-9A-HJKMNP-TV-Z]{25}", id="ulid"),
        pytest.param(lambda: "mine-1", "mine-1", id="callable"),
        pytest.param(lambda: 42, "42", id="no str"),
        pytest.param(lambda: uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001", id="a UUID"),
    ],
)
def test_generator(generator, expected) -> None:
    """A generator is a name, or a callable whose result goes through `str`."""
    assert re.fullmatch(expected, policy(generator=generator).new())


@pytest.mark.parametrize(
    "bad", ["", "a b", "a\r\nb", "ä", "a" * 129, None], ids=["empty", "space", "injection", "not ascii", "long", "None"]
)
@pytest.mark.parametrize("keyword", ["generator", "transformer"])
def test_unsafe_result(keyword, bad, caplog) -> None:
    """A hex id takes the place of an unsafe id, which is logged once at ERROR without it."""
    careless = policy(**{keyword: lambda *_: bad})
    made = [careless.new() for _ in range(3)]
    assert 3 == len(set(made))
    assert all(map(HEX, made))
    [record] = caplog.records
    assert ("middlewares.request_id", logging.ERROR) == (record.name, record.levelno)
    assert record.getMessage().startswith(f"{keyword} gave an unsafe id (1 to 128 of ")


@pytest.mark.parametrize("keyword", ["generator", "transformer"])
def test_function_that_raises(keyword, caplog) -> None:
    """What a generator or transformer raises breaks no request: it counts as an unsafe id."""

    def fails(*_: object) -> str:
        raise RuntimeError("secret")

    failing = policy(**{keyword: fails})
    assert HEX(failing.new())
    assert HEX(failing.new())
    assert [f"{keyword} raised RuntimeError: a hex id takes its place (logged once)"] == caplog.messages


def test_interrupt_passes() -> None:
    """What is no `Exception` goes up, as from everywhere."""

    def interrupted() -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        policy(generator=interrupted).new()


def test_transformer() -> None:
    """It is applied to adopted and to new ids, once."""
    assert "x-abc" == adopted(b"abc", transformer="x-{}".format)
    assert "x-new" == policy(generator=lambda: "new", transformer="x-{}".format).new()
    assert re.fullmatch("x-[0-9a-f]{32}", policy(transformer="x-{}".format).new())


def test_transformer_of_an_adopted_id() -> None:
    """An id that it makes unsafe is replaced as well."""
    made = adopted(b"abc", transformer="{}\r\n".format)
    assert made is not None
    assert HEX(made)


A, ID = (b"accept", b"*/*"), (NAME, b"abc")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param([A], [A, ID], id="none"),
        pytest.param([], [ID], id="no headers"),
        pytest.param([ID, A], None, id="the same"),
        pytest.param([(NAME, b" abc"), A], [A, ID], id="whitespace"),
        pytest.param([(NAME, b"b\x00d"), A], [A, ID], id="refused"),
        pytest.param([ID, A, ID], [A, ID], id="twice"),
        pytest.param([(b"x-correlation-id", b"abc"), A], [A, ID], id="other name"),
        pytest.param([ID, (b"x-correlation-id", b"\x00"), A], [A, ID], id="both names"),
        pytest.param(([NAME, b"no"], list(A)), [A, ID], id="lists as pairs"),
    ],
)
def test_request_headers(headers, expected) -> None:
    """The application sees one header with the id, under the first name; nothing is rewritten where it is so already."""
    both = policy(header_name=("X-Request-ID", "X-Correlation-ID"))
    found = tuple((name, value) for name, value in headers if name in both.names)
    given_headers = [*headers]
    changed = both.request_headers(headers, found, b"abc")
    assert expected == (None if changed is headers else changed)
    assert given_headers == [*headers]


JSON = (b"Content-Type", b"application/json")  # a name as long as ours


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param(None, [ID], id="None"),
        pytest.param([], [ID], id="empty"),
        pytest.param((A, JSON), [A, JSON, ID], id="tuple"),
        pytest.param(iter([A, JSON]), [A, JSON, ID], id="iterator"),
        pytest.param([list(A), JSON], [A, JSON, ID], id="lists as pairs"),
        pytest.param([(bytearray(b"accept"), b"*/*")], [A, ID], id="bytearray name"),
        pytest.param([(b"accept", memoryview(b"*/*")), ID], [A, ID], id="memoryview value"),
        pytest.param([ID, A], [A, ID], id="the same"),
        pytest.param([(b"X-Request-ID", b"theirs"), A, (NAME, b"again")], [A, ID], id="replaced in any case"),
        pytest.param([(b"X-Request-IDs", b"theirs")], [(b"X-Request-IDs", b"theirs"), ID], id="another name"),
    ],
)
def test_response_headers(headers, expected) -> None:
    """The id is there exactly once, in a fresh list of exact pairs of bytes (granian and daphne take nothing else)."""
    fresh = replaced(pairs(headers), ID)
    assert expected == fresh
    assert fresh is not headers
    assert {tuple} == {type(pair) for pair in fresh}
    assert {bytes} == {type(part) for pair in fresh for part in pair}


@given(
    st.lists(
        st.tuples(
            st.one_of(st.sampled_from([NAME, b"X-Request-Id", b"a"]), st.binary(max_size=14)), st.binary(max_size=3)
        )
    )
)
def test_response_headers_keep_the_others(headers) -> None:
    """Whatever the application has set, only headers of this name are taken out."""
    before = list(headers)
    assert [*[pair for pair in headers if pair[0].lower() != NAME], ID] == replaced(pairs(headers), ID)
    assert before == headers


@pytest.mark.parametrize(
    ("trust", "expected"),
    [
        pytest.param(False, False, id="False"),
        pytest.param(lambda scope: scope["path"] == "/in", True, id="callable: yes"),
        pytest.param(lambda scope: scope["path"] == "/out", False, id="callable: no"),
        pytest.param(["127.0.0.0/8"], True, id="networks: in"),
        pytest.param(["10.0.0.0/8"], False, id="networks: out"),
        pytest.param([], False, id="no networks"),
    ],
)
def test_trust(trust, expected) -> None:
    """Trust is for nobody, for whom a callable says, or for the peers in some networks."""
    trusts = policy(trust_incoming=trust).trusts
    assert trusts is not None
    assert expected is trusts(http_scope(path="/in"))


def test_trust_in_everyone() -> None:
    """With True nothing has to be asked."""
    assert policy().trusts is None


def test_trust_that_raises(caplog) -> None:
    """A callable that fails trusts nobody, and is logged once."""
    trusts = policy(trust_incoming=lambda scope: scope["missing"]).trusts
    assert trusts is not None
    assert trusts(http_scope()) is False
    assert trusts(http_scope()) is False
    assert ["trust_incoming raised KeyError: the id is refused (logged once)"] == caplog.messages


async def asynchronous(*_: object) -> str:
    raise AssertionError("never called")


class Asynchronous:
    async def __call__(self, *_: object) -> str:
        raise AssertionError("never called")


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        pytest.param(
            {"header_name": "X Request"},
            ValueError,
            r"header_name must be a token .*such as 'X-Request-ID' \(got 'X Request'\)",
            id="name no token",
        ),
        pytest.param({"header_name": ""}, ValueError, r"header_name must be a token .*\(got ''\)", id="name empty"),
        pytest.param({"header_name": "X-Größe"}, ValueError, "header_name must be a token", id="name not ASCII"),
        pytest.param({"header_name": "a\ud800"}, ValueError, "header_name must be a token", id="name with a surrogate"),
        pytest.param({"header_name": "a\n"}, ValueError, "header_name must be a token", id="name with a line feed"),
        pytest.param(
            {"header_name": []},
            ValueError,
            r"header_name must name one header at least, such as 'X-Request-ID' \(got \[\]\)",
            id="no names",
        ),
        pytest.param(
            {"header_name": ["X-Request-ID", "b:"]},
            ValueError,
            r"header_name must be a token .*\(got 'b:'\)",
            id="second name",
        ),
        pytest.param(
            {"header_name": ["X-Request-ID", b"b"]},
            TypeError,
            r"header_name must be a str, .*\(got b'b'\)",
            id="second name bytes",
        ),
        pytest.param(
            {"header_name": b"X-Request-ID"},
            TypeError,
            r"header_name must be a str, .*or a list of them \(got b'X-Request-ID'\)",
            id="name bytes",
        ),
        pytest.param({"header_name": None}, TypeError, r"header_name must be a str, .*\(got None\)", id="name None"),
        pytest.param(
            {"response_header": ""}, ValueError, r"response_header must be a token .*\(got ''\)", id="response empty"
        ),
        pytest.param(
            {"response_header": ["a"]},
            TypeError,
            r"response_header must be a str, .*\(got \['a'\]\)",
            id="response list",
        ),
        pytest.param(
            {"generator": "uuid"},
            ValueError,
            r"generator must be one of 'hex', 'uuid4', 'uuid7', 'ulid', or a callable \(got 'uuid'\)",
            id="unknown generator",
        ),
        pytest.param(
            {"generator": None},
            TypeError,
            r"generator must be a name or a plain callable .*\(got None\)",
            id="generator None",
        ),
        pytest.param(
            {"generator": asynchronous},
            TypeError,
            r"generator must be a name or a plain callable",
            id="generator async",
        ),
        pytest.param(
            {"validator": "[a-f]+"},
            TypeError,
            r"validator must be .*re\.compile.* \(got '\[a-f\]\+'\)",
            id="validator str",
        ),
        pytest.param(
            {"validator": re.compile(b"a")},
            TypeError,
            r"validator must be a pattern of str",
            id="validator bytes pattern",
        ),
        pytest.param({"validator": True}, TypeError, r"validator must be .* \(got True\)", id="validator bool"),
        pytest.param(
            {"validator": asynchronous}, TypeError, r"validator must be a plain callable", id="validator async"
        ),
        pytest.param(
            {"transformer": 1},
            TypeError,
            r"transformer must be a plain callable of the id, or None \(got 1\)",
            id="transformer",
        ),
        pytest.param(
            {"transformer": partial(asynchronous, 1)},
            TypeError,
            r"transformer must be a plain callable",
            id="transformer async partial",
        ),
        pytest.param(
            {"trust_incoming": "10.0.0.0/8"},
            TypeError,
            r"trust_incoming must be .*\['10\.0\.0\.0/8'\] \(got '10\.0\.0\.0/8'\)",
            id="trust str",
        ),
        pytest.param({"trust_incoming": b"10.0.0.0/8"}, TypeError, "trust_incoming must be", id="trust bytes"),
        pytest.param({"trust_incoming": None}, TypeError, r"trust_incoming must be .*\(got None\)", id="trust None"),
        pytest.param({"trust_incoming": 1}, TypeError, r"trust_incoming must be .*\(got 1\)", id="trust number"),
        pytest.param(
            {"trust_incoming": Asynchronous()},
            TypeError,
            r"trust_incoming must be a plain callable of the scope",
            id="trust async object",
        ),
    ],
)
def test_mistakes(keywords, error, message) -> None:
    """A wrong keyword fails at construction: the message names it, its value and the way out."""
    with pytest.raises(error, match=message) as caught:
        policy(**keywords)
    assert error is caught.type


def test_names() -> None:
    """Names are compared in lower case; the first is also the one of the response and of outgoing calls."""
    several = policy(header_name=(name for name in ["X-Correlation-ID", "X-REQUEST-ID"]))
    assert (b"x-correlation-id", b"x-request-id") == several.names
    assert ("X-Correlation-ID", b"x-correlation-id") == (several.name, several.response_name)
    assert b"x-trace" == policy(response_header="X-Trace").response_name
    assert policy(response_header=None).response_name is None
