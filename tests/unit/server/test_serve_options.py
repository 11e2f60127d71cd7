"""ServeOptions normalizes addresses to the form that browsers send, and refuses codes that are easy to guess."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

from harness.errors import ConfigError
from harness.server.serve_options import ServeOptions

pytestmark = pytest.mark.parallel


@pytest.mark.parametrize(
    ("given", "sent"),
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
def test_an_origin_has_the_form_that_browsers_send(given: str, sent: str) -> None:
    """Origins are converted to lower case, and a trailing slash and the default port are removed."""
    assert (sent,) == ServeOptions(origins=(given,)).origins


@pytest.mark.parametrize(
    "given",
    [
        *("", "rooms.example.com", "//rooms.example.com", "ftp://rooms.example.com", "https://", "https://:443"),
        *("https://rooms.example.com/x", "https://rooms.example.com?x", "https://rooms.example.com/#x"),
        *("https://rooms.example.com:port", "https://rooms.example.com:65536", "https://[2001:db8", "https://[x:y]"),
        *("https://rooms example.com", "https://räume.example.com", "https://*.example.com", "https://a,https://b"),
    ],
)
def test_an_origin_that_no_browser_sends_is_refused(given: str) -> None:
    """An origin that browsers never send is refused, because it could never match a page's origin."""
    with pytest.raises(ConfigError, match="is not the address of a server, for example https"):
        ServeOptions(origins=(given,))


@pytest.mark.parametrize("given", ["https://alice@rooms.example.com", "https://alice:secret@rooms.example.com:port"])
def test_an_origin_with_a_password_is_refused_without_printing_it(given: str) -> None:
    """An origin with a password is refused, since no browser sends a password in an origin."""
    with pytest.raises(ConfigError, match="leave them out") as refusal:
        ServeOptions(origins=(given,))

    assert "alice" not in str(refusal.value)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"port": 65_536}, "--port: 65536 is not a port"),
        ({"host": "a..b"}, "--host: 'a..b' is not an address"),
        ({"join_code": "1234567"}, "--code: a code of 7 characters is too easy to guess"),
        ({"join_code": "x" * 129}, "--code: invalid code"),
        ({"view_code": "12345678"}, "--view-code: without --code, everybody can join"),
        ({"join_code": "ABCD-EFGH", "view_code": "abcd-efgh"}, "--view-code: this is the join code"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any], message: str) -> None:
    """The error for an invalid option value contains the name of the command-line option."""
    with pytest.raises(ConfigError, match=message):
        ServeOptions(**options)


def test_addresses_of_the_page_are_listed_with_the_origins() -> None:
    """The page's URLs use https if TLS is enabled, and omit the default port."""
    plain = ServeOptions(host="LOCALHOST.", origins=("https://rooms.example.com/",))
    encrypted = ServeOptions(host="192.0.2.1", tls=ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))

    assert ["http://localhost:8080", "https://rooms.example.com"] == plain.urls(8080)
    assert ["https://192.0.2.1"] == encrypted.urls(443)
