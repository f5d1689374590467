"""The networks of `trust_incoming`, compared with the peer of a request."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import middlewares
from middlewares.request_id.trust import trusted_networks

trusts = trusted_networks(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1"])


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        pytest.param(("10.1.2.3", 5), True, id="in"),
        pytest.param(["10.1.2.3", 5], True, id="list, as daphne gives it"),
        pytest.param(("11.1.2.3", 5), False, id="out"),
        pytest.param(("192.0.2.7", 5), True, id="one address"),
        pytest.param(("192.0.2.8", 5), False, id="its neighbour"),
        pytest.param(("2001:db8::5", 5), True, id="IPv6"),
        pytest.param(("2001:0DB8:0:0::5", 5), True, id="IPv6 written otherwise"),
        pytest.param(("2001:db9::5", 5), False, id="IPv6 out"),
        pytest.param(("::1", 5), True, id="IPv6 loopback"),
        pytest.param(("::ffff:10.1.2.3", 5), True, id="IPv4-mapped"),
        pytest.param(("::ffff:a01:203", 5), True, id="IPv4-mapped in hex"),
        pytest.param(("::ffff:11.1.2.3", 5), False, id="IPv4-mapped out"),
        pytest.param(("2001:db8::5%eth0", 5), True, id="zone"),
        pytest.param(None, False, id="None"),
        pytest.param((), False, id="empty"),
        pytest.param(("", 0), False, id="no host"),
        pytest.param((None, None), False, id="host None"),
        pytest.param(("/run/app.sock", 0), False, id="Unix socket"),
        pytest.param(("unix:", 0), False, id="Unix socket of a proxy"),
        pytest.param(("localhost", 5), False, id="name"),
        pytest.param(("testclient", 50000), False, id="test client"),
        pytest.param((167_837_955, 5), False, id="number"),
        pytest.param(("10.1.2.3:5", 5), False, id="port"),
        pytest.param(("010.001.002.003", 5), False, id="leading zeros"),
        pytest.param((" 10.1.2.3", 5), False, id="space"),
        pytest.param("10.1.2.3", False, id="no pair"),
    ],
)
def test_peer(client, expected) -> None:
    """An address in one of the networks is trusted; no client, or what is no address, is not."""
    assert expected is trusts({"client": client})


@pytest.mark.parametrize(
    ("network", "host", "expected"),
    [
        ("::ffff:10.0.0.0/104", "10.1.2.3", True),
        ("::ffff:10.0.0.0/104", "::ffff:10.1.2.3", True),
        ("::ffff:10.0.0.0/104", "11.1.2.3", False),
        ("::ffff:10.1.2.3", "10.1.2.3", True),
        ("::ffff:0:0/96", "10.1.2.3", True),
        ("::fffe:0:0/95", "10.1.2.3", False),
        ("::/0", "10.1.2.3", False),
    ],
)
def test_mapped_network(network, host, expected) -> None:
    """A network of IPv4-mapped addresses (RFC 4291 2.5.5.2) is the one of IPv4, which peers are compared as."""
    assert expected is trusted_networks([network])({"client": (host, 5)})


@pytest.mark.parametrize("scope", [{}, {"state": None}, {"state": {}}, {"state": {"proxy_headers": None}}], ids=repr)
def test_no_peer(scope) -> None:
    """A scope that tells no client is not trusted (ASGI: optional)."""
    assert trusts(scope) is False


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        pytest.param({"client": ("10.0.0.1", 5)}, True, id="in"),
        pytest.param({"client": ("203.0.113.9", 5)}, False, id="out"),
        pytest.param({"client": None}, False, id="no peer"),
    ],
)
@pytest.mark.parametrize("client", [("203.0.113.9", 5), ("10.0.0.2", 5)], ids=["user outside", "user inside"])
def test_peer_kept_by_a_layer_outside(client, peer, expected) -> None:
    """Where a layer resolved the end user's address, the peer that the server saw counts, not the user."""
    assert expected is trusts({"client": client, "state": {"proxy_headers": peer}})


def test_proxy_headers_without_a_client() -> None:
    """A layer that kept no peer leaves the client of the scope."""
    assert trusts({"client": ("10.0.0.1", 5), "state": {"proxy_headers": {"scheme": "https"}}}) is True


@given(st.one_of(st.none(), st.tuples(st.one_of(st.text(), st.integers(), st.none()), st.integers())))
def test_whatever_the_peer(client) -> None:
    """Any client gives an answer."""
    assert trusts({"client": client}) in (True, False)


@pytest.mark.parametrize(
    ("networks", "error", "message"),
    [
        pytest.param(
            ["10.0.0.1/8"],
            ValueError,
            r"trust_incoming must hold networks, such as '10.0.0.0/8' or '::1' \(got .*10\.0\.0\.1/8 has host bits set",
            id="host bits",
        ),
        pytest.param(["proxy.internal"], ValueError, "trust_incoming must hold networks.*'proxy.internal'", id="name"),
        pytest.param(["10.0.0.0/33"], ValueError, "trust_incoming must hold networks.*'10.0.0.0/33'", id="mask"),
        pytest.param([""], ValueError, "trust_incoming must hold networks.*''", id="empty"),
        pytest.param([10], TypeError, r"trust_incoming must hold networks as str, .*\(got 10\)", id="number"),
        pytest.param(
            ["10.0.0.0/8", None], TypeError, r"trust_incoming must hold networks as str.*\(got None\)", id="None"
        ),
    ],
)
def test_mistakes(networks, error, message) -> None:
    """A network that is none fails at construction, by name."""
    with pytest.raises(error, match=message):
        trusted_networks(networks)


def test_ipaddress_is_loaded_for_networks_only() -> None:
    """The room does not load `ipaddress` before it is needed, and not on a request."""
    code = """
import sys
from middlewares.request_id import RequestIDMiddleware
async def app(scope, receive, send): ...
RequestIDMiddleware(app)
assert "ipaddress" not in sys.modules
RequestIDMiddleware(app, trust_incoming=["10.0.0.0/8"])
assert "ipaddress" in sys.modules
"""
    subprocess.run(
        [sys.executable, "-S", "-c", code], check=True, cwd=Path(middlewares.__file__).parents[1], timeout=60
    )
