"""If an application's address can't be opened, the error states the cause and the remedy in one line."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

from harness.cli.context_options import ContextOptions
from harness.cli.navigation import open_page
from harness.errors import ConfigError
from tests.support.servers.guarded_site import HEADER, PASSWORD, USER, GuardedSite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import BrowserContext

    from tests.support.servers.application_site import Site

pytestmark = pytest.mark.parallel

ACCESS: dict[str, Any] = {"ignore_https_errors": True, "credentials": (USER, PASSWORD)}
LOGIN = "Pass the user name and password with --http-credentials, or a saved login with --storage-state."


@pytest.fixture(scope="module")
def staging() -> Iterator[GuardedSite]:
    """Serve the applications with a certificate that Chrome does not accept, and with a login."""
    with GuardedSite(header="42") as site:
        yield site


@pytest.fixture
def open_address(new_context: Callable[..., BrowserContext]) -> Callable[..., str | None]:
    """Return a function that opens an address as ``harness record`` does."""

    def open_address(url: str, *, tolerant: bool = False, **options: Any) -> str | None:
        page = new_context(**ContextOptions(**options).for_participant("alice", url)).new_page()
        return open_page(page, url, who="alice", tolerant=tolerant)

    return open_address


def failure(open_address: Callable[..., str | None], url: str, **options: Any) -> str:
    """Return the error message for an address that can't be opened, and check that the message is a single line."""
    with pytest.raises(ConfigError) as raised:
        open_address(url, **options)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_invalid_certificate_names_the_option(open_address: Callable[..., str | None], staging: GuardedSite) -> None:
    """The error names the option --ignore-https-errors. With this option, the page can be opened."""
    url = f"{staging.url}/empty.html"

    assert (
        f"--url: {url} can't be opened: net::ERR_CERT_AUTHORITY_INVALID: the server's certificate is not signed by a "
        "trusted authority. Use --ignore-https-errors to accept the certificate if you trust the server."
    ) == failure(open_address, url)
    assert open_address(url, **ACCESS, headers={HEADER: "42"}) is None


@pytest.mark.parametrize("credentials", [None, (USER, "wrong")])
def test_missing_or_wrong_password_names_the_options(
    open_address: Callable[..., str | None], staging: GuardedSite, credentials: tuple[str, str] | None
) -> None:
    """The error names --http-credentials and --storage-state, but not the password."""
    url = f"{staging.url}/empty.html"

    message = failure(open_address, url, ignore_https_errors=True, credentials=credentials)

    assert f"--url: {url} returned 401 (Unauthorized) when alice opened it. {LOGIN}" == message


def test_password_in_the_address_is_used_but_not_shown(
    open_address: Callable[..., str | None], staging: GuardedSite
) -> None:
    """As with curl, an address can contain the user name and the password."""
    host = staging.url.removeprefix("https://")
    missing = f"https://{USER}:{PASSWORD.replace(':', '%3A')}@{host}/missing.html"

    message = failure(open_address, missing, ignore_https_errors=True, headers={HEADER: "42"})

    assert f"--url: https://{host}/missing.html returned 404 (Not Found) when alice opened it. " in message


def test_page_with_an_http_error_is_accepted_for_a_script(
    open_address: Callable[..., str | None], staging: GuardedSite
) -> None:
    """An HTTP error is returned instead of raised if there is a script, because the script may log in on the page."""
    url = f"{staging.url}/empty.html"

    answered = open_address(url, tolerant=True, **ACCESS)

    assert (
        (
            f"--url: {url} returned 403 (Forbidden) when alice opened it. Check the login (--storage-state, "
            "--http-credentials) and the headers (--header)."
        )
        == answered
        == failure(open_address, url, **ACCESS)
    )


def test_missing_page_is_reported(open_address: Callable[..., str | None], site: Site) -> None:
    """If the server has no page at the address, the error states this, whatever the server sends instead."""
    url = f"{site.url}/missing.html"

    assert (
        f"--url: {url} returned 404 (Not Found) when alice opened it. Check the address. If the page can join a "
        "call despite this error, use --script."
    ) == failure(open_address, url)


def test_server_that_does_not_answer_properly_is_reported(open_address: Callable[..., str | None], site: Site) -> None:
    """The error states different causes and remedies for a closed port, an unresolvable host and an HTTPS server."""
    with socket.socket() as closed_port:
        closed_port.bind(("127.0.0.1", 0))
        refused = failure(open_address, f"https://localhost:{closed_port.getsockname()[1]}/")
    unknown = failure(open_address, "https://harness.invalid/")
    mistaken = failure(open_address, site.url.replace("https", "http"))

    assert "net::ERR_CONNECTION_REFUSED: nothing is listening at this address. Check the host and the port" in refused
    assert "net::ERR_NAME_NOT_RESOLVED: the host name can't be resolved. Check the spelling" in unknown
    assert "Check whether the port expects http or https" in mistaken


def test_server_that_never_answers_is_reported(
    open_address: Callable[..., str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a server accepts connections but never answers, an error is raised after the time limit."""
    monkeypatch.setattr("harness.cli.navigation._LOADED_WITHIN", 1.0)
    with socket.socket() as silent_port:
        silent_port.bind(("127.0.0.1", 0))
        silent_port.listen()
        url = f"http://localhost:{silent_port.getsockname()[1]}/"

        message = failure(open_address, url)

    assert (
        f"--url: {url} can't be opened: the server did not respond within 1 s. Check the host, the port and the "
        "firewall."
    ) == message
