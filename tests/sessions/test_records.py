"""What is kept of a session: envelopes, serialised data, changes."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from middlewares.sessions.records import Codec, Delta, Envelope, delta, is_same, pack, snapshot, unpack

SECONDS = st.integers(0, 2**32 - 1)
ENVELOPES = st.builds(Envelope, SECONDS, SECONDS, st.integers(-2, 2**31 - 1))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
DATA = st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4)
JSON = Codec(None)


@given(ENVELOPES, st.binary(min_size=1))
def test_round_trip(envelope, data) -> None:
    """Envelope and data come back as they were."""
    assert (envelope, data) == unpack(pack(envelope, data))


@given(st.binary(max_size=40))
def test_any_bytes(record) -> None:
    """Whatever a store or a token gives, it is a record or none."""
    unpacked = unpack(record)
    assert unpacked is None or pack(*unpacked) == record


def test_ended() -> None:
    """A record without data is no session, and neither is one of another form."""
    record = pack(Envelope(1, 2), b"{}")
    assert unpack(record) is not None
    assert unpack(pack(Envelope(1, 2), b"")) is None
    assert unpack(b"\x02" + record[1:]) is None
    assert unpack(b"") is None


@given(DATA)
def test_json_round_trip(data) -> None:
    """JSON is the standard library's, without white space; what holds nothing is no session."""
    dumped = JSON.dumps(data)
    assert dumped == json.dumps(data, separators=(",", ":")).encode()
    loaded = JSON.loads(dumped)
    assert loaded is None if not data else JSON.dumps(loaded) == dumped


@given(st.binary())
def test_json_any_bytes(data) -> None:
    """Bytes that are no JSON object are no session, and raise nothing."""
    loaded = JSON.loads(data)
    assert loaded is None or isinstance(loaded, dict)


@pytest.mark.parametrize(
    "data", [b"[1]", b"null", b'"a"', b"{}", b'{"a":1}x', b'{"a":1} ', b"\xff", b"", b'{"a":' * 10**5], ids=repr
)
def test_json_of_no_session(data) -> None:
    """What is no object, has something behind it, is empty, or is nested without end is no session."""
    assert JSON.loads(data[:50] if len(data) < 50 else data) is None


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", 1j])
def test_what_cannot_be_stored(value) -> None:
    """A value that JSON does not know raises TypeError, with a note that names its key."""
    with pytest.raises(TypeError) as caught:
        JSON.dumps({"fine": 1, "wrong": value})
    assert ["raised for session['wrong']"] == caught.value.__notes__


def test_what_holds_itself() -> None:
    """Data that holds itself, or is nested too deeply, raises ValueError."""
    ring: list[object] = []
    ring.append(ring)
    with pytest.raises(ValueError, match="Circular"):
        JSON.dumps({"a": ring})
    deep: list[object] = []
    for _ in range(10**5):
        deep = [deep]
    with pytest.raises(ValueError, match="nested too deeply"):
        JSON.dumps({"a": deep})


def test_note_only_where_a_key_is_found() -> None:
    """A serializer that fails for the whole alone gets no note."""

    class Whole:
        def dumps(self, data):
            if len(data) > 1:
                raise ValueError("too many")
            return "{}"

        loads = staticmethod(json.loads)

    with pytest.raises(ValueError, match="too many") as caught:
        Codec(Whole()).dumps({"a": 1, "b": 2})
    assert not hasattr(caught.value, "__notes__")


class Octets:
    """As orjson."""

    loads = staticmethod(json.loads)

    def dumps(self, data):
        return json.dumps(data).encode()


@pytest.mark.parametrize("serializer", [json, Octets(), None], ids=["text", "bytes", "default"])
def test_serializers(serializer) -> None:
    """A serializer may give text or bytes."""
    codec = Codec(serializer)
    assert {"ä": "ö"} == codec.loads(codec.dumps({"ä": "ö"}))


@pytest.mark.parametrize("serializer", [5, object(), type("Half", (), {"dumps": None, "loads": print})])
def test_no_serializer(serializer) -> None:
    """An object without the two methods is refused at construction."""
    with pytest.raises(TypeError, match=r"serializer must be an object with dumps and loads, or None for JSON \(got "):
        Codec(serializer)


@given(DATA, DATA.filter(bool))
def test_delta(before, after) -> None:
    """A change that is applied to what it was told against gives the new state; equal states have none."""
    old, new = JSON.dumps(before), JSON.dumps(after)
    change = delta(JSON, old, new)
    result = before if change is None else change.applied(json.loads(old))
    text = {key: JSON.dumps({key: value}) for key, value in after.items()}
    assert text == {key: JSON.dumps({key: value}) for key, value in result.items()}
    assert delta(JSON, old, old) is None


@given(DATA, DATA, DATA)
def test_deltas_of_different_keys_meet(base, one, other) -> None:
    """Two changes of different keys give the same in either order."""
    one = {**base, **{f"1{key}": value for key, value in one.items()}}
    other = {**base, **{f"2{key}": value for key, value in other.items()}}
    changes = [delta(JSON, JSON.dumps(base), JSON.dumps(after)) or Delta({}, []) for after in (one, other)]
    both = changes[1].applied(changes[0].applied(base))
    assert both.keys() == changes[0].applied(changes[1].applied(base)).keys() == {*one, *other}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": 1}, {"a": True}, Delta({"a": True}, [])),
        ({"a": 1}, {"a": 1.0}, Delta({"a": 1.0}, [])),
        ({"a": 0.0}, {"a": -0.0}, Delta({"a": -0.0}, [])),
        ({"a": [0]}, {"a": [False]}, Delta({"a": [False]}, [])),
        ({"a": math.nan}, {"a": math.nan}, None),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, None),
        ({"a": 1, "b": 2}, {"b": 3}, Delta({"b": 3}, ["a"])),
        ({}, {"a": 1}, Delta({"a": 1}, [])),
    ],
    ids=["bool", "float", "zero", "nested bool", "nan", "order", "set and removed", "from nothing"],
)
def test_delta_is_strict(before, after, expected) -> None:
    """Values are compared as they are stored: to Python `1 == True == 1.0`, and `nan != nan`; their order is none."""
    assert expected == delta(JSON, JSON.dumps(before), JSON.dumps(after))


def test_serializer_that_loses() -> None:
    """Data that the serializer does not read back is refused, since it would be lost."""

    class Forgetful:
        dumps = staticmethod(json.dumps)

        def loads(self, data):
            return json.loads(data) if b"secret" not in data else None

    with pytest.raises(ValueError, match=r"serializer\.loads must give back the dict"):
        delta(Codec(Forgetful()), b'{"a": 1}', b'{"secret": 1}')


@given(DATA, DATA)
def test_is_same_is_certain(before, after) -> None:
    """If a snapshot says that nothing has changed, the serialised data says so, too."""
    assume(before)
    if is_same(after, snapshot(before)):
        assert delta(JSON, JSON.dumps(before), JSON.dumps(after)) is None


@pytest.mark.parametrize(
    ("data", "change"),
    [
        ({"a": "x", "b": 1000}, lambda data: data.update(a="y")),
        ({"a": "x", "b": 1000}, lambda data: data.update(c=None)),
        ({"a": "x", "b": 1000}, lambda data: data.pop("a")),
        ({"a": "x", "b": 1000}, lambda data: (data.pop("a"), data.update(c="x"))),
        ({"a": 1}, lambda data: data.update(a=True)),
        ({"a": [1, {"b": 2}]}, lambda data: data["a"][1].update(b=3)),
        ({"a": [1]}, lambda data: data.update(a=[True])),
        ({"a": [1]}, lambda data: data["a"].append(object())),
        ({"a": {1}}, lambda data: data["a"].add(2)),
    ],
    ids=["set", "new", "removed", "renamed", "bool", "nested", "nested bool", "not plain", "a set"],
)
def test_is_same_sees_changes(data, change) -> None:
    """A snapshot sees each change, at the top and inside of values; without one it says "the same"."""
    before = snapshot(dict(data))
    assert is_same(data, before)
    change(data)
    assert not is_same(data, before)


def test_no_snapshot() -> None:
    """Of values that are not plain there is no snapshot: it is never "the same"."""
    data = {"a": object()}
    assert snapshot(data) is None
    assert not is_same(data, None)
