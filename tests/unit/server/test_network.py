"""Host names are normalized, and invalid names are refused with a one-line error."""

from __future__ import annotations

import pytest

from harness.errors import ConfigError
from harness.server.access.network import client_of, names_of, normal_host, parse_host

pytestmark = pytest.mark.parallel


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("LOCALHOST", "localhost"),
        ("localhost.", "localhost"),
        ("Rooms.Example.COM.", "rooms.example.com"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "::1"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("::", "::"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("XN--rume-loa.example", "xn--rume-loa.example"),
        ("under_score", "under_score"),
        ("a" * 63, "a" * 63),
    ],
)
def test_a_host_is_normalized(given: str, normal: str) -> None:
    """A host is normalized to the form that browsers send."""
    assert normal == parse_host(given)
    assert normal == normal_host(normal)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("", "it is empty"),
        (".", "it is empty"),
        ("a..b", "each part between dots"),
        (".a", "each part between dots"),
        ("a..", "each part between dots"),
        ("a b", "each part between dots"),
        (" 127.0.0.1", "not a valid IPv4 address"),
        ("-a", "each part between dots"),
        ("a/b", "each part between dots"),
        ("*", "each part between dots"),
        ("a\nb", "each part between dots"),
        ("a" * 64, "each part between dots"),
        ("a" * 300, "longer than 253"),
        (".".join(["a" * 60] * 5), "longer than 253"),
        ("räume.example", "begins with xn--"),
        ("１２７.0.0.1", "begins with xn--"),
        ("999.1.1.1", "not a valid IPv4 address"),
        ("1.2.3", "not a valid IPv4 address"),
        ("127.0.0.01", "not a valid IPv4 address"),
        ("0x7f000001", "not a valid IPv4 address"),
        ("4294967296", "not a valid IPv4 address"),
        ("fe80::1%eth0", "address with a zone"),
        ("[fe80::1%25eth0]", "address with a zone"),
        ("[::1", "a bracket is missing"),
        ("::1]", "a bracket is missing"),
        ("[localhost]", "only IPv6 addresses can have brackets"),
        ("[]", "only IPv6 addresses can have brackets"),
        ("::1::", "not a valid IPv6 address"),
        ("12345::", "not a valid IPv6 address"),
        ("localhost:8080", "it has a port"),
        ("[::1]:8080", "a bracket is missing"),
        ("http://localhost", "it has a scheme"),
        ("HTTP://[::1]:8080/", "it has a scheme"),
    ],
)
def test_an_invalid_host_is_refused_in_one_line(given: str, why: str) -> None:
    """The error for an invalid host states what is wrong and how to fix it."""
    with pytest.raises(ConfigError, match=why) as refusal:
        parse_host(given)

    assert str(refusal.value).startswith("--host: ")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        (None, ""),
        ("", ""),
        ("/run/socket", "/run/socket"),
    ],
)
def test_a_client_is_an_address_or_an_ipv6_network(address: str | None, client: str) -> None:
    """An IPv6 /64 network counts as one client, so that nobody can try more join codes by changing their address."""
    assert client == client_of(address)


def test_a_servers_names_are_in_normal_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's names are normalized, and names that no browser could open are omitted."""
    monkeypatch.setattr("socket.gethostname", lambda: "Rooms")
    monkeypatch.setattr("socket.getfqdn", lambda: "not a name")

    names = names_of("0.0.0.0")  # noqa: S104 - nothing listens here

    assert "rooms" in names
    assert not [name for name in names if name != name.lower() or " " in name]
