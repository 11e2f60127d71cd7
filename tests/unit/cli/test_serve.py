"""harness serve: the address by which a proxy makes it reachable is the one that browsers say."""

from __future__ import annotations

import pytest

from harness.cli.commands.serve import _origin
from harness.errors import ConfigError

pytestmark = pytest.mark.parallel


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("https://rooms.example.com", "https://rooms.example.com"),
        ("https://rooms.example.com/", "https://rooms.example.com"),
        ("HTTPS://Rooms.Example.COM", "https://rooms.example.com"),
        ("https://rooms.example.com:443", "https://rooms.example.com"),
        ("http://rooms.example.com:80/", "http://rooms.example.com"),
        ("http://rooms.example.com:443", "http://rooms.example.com:443"),
        ("https://rooms.example.com:8443", "https://rooms.example.com:8443"),
        ("https://rooms.example.com:", "https://rooms.example.com"),
        ("https://192.0.2.1:0443", "https://192.0.2.1"),
        ("https://[2001:DB8:0::1]:443", "https://[2001:db8::1]"),
        ("https://xn--rume-loa.example.com", "https://xn--rume-loa.example.com"),
    ],
)
def test_an_address_becomes_what_browsers_say_in_origin(given: str, said: str) -> None:
    """In lower case, without a slash, and without the port that everybody leaves out."""
    assert said == _origin(given)


@pytest.mark.parametrize(
    "given",
    [
        *("", "rooms.example.com", "//rooms.example.com", "ftp://rooms.example.com", "https://", "https://:443"),
        *("https://rooms.example.com/x", "https://rooms.example.com?x", "https://rooms.example.com/#x"),
        *("https://rooms.example.com:port", "https://rooms.example.com:65536", "https://[2001:db8", "https://[x:y]"),
        *("https://rooms example.com", "https://räume.example.com", "https://*.example.com", "https://a,https://b"),
    ],
)
def test_what_no_browser_says_is_refused(given: str) -> None:
    """Else every page of that address would be refused, and nobody would know why."""
    with pytest.raises(ConfigError, match="is no address of a server, as https"):
        _origin(given)


@pytest.mark.parametrize("given", ["https://alice@rooms.example.com", "https://alice:secret@rooms.example.com:port"])
def test_a_user_in_an_address_is_refused_without_saying_who(given: str) -> None:
    """Browsers leave it out, and a password is not printed."""
    with pytest.raises(ConfigError, match="leave them out") as refusal:
        _origin(given)

    assert "alice" not in str(refusal.value)
    assert "secret" not in str(refusal.value)
