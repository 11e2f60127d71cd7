"""Open an application's address in a participant's page, and explain each failure and its remedy in one line."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from harness.cli.context_options import without_credentials
from harness.errors import ConfigError

if TYPE_CHECKING:
    from playwright.sync_api import Error as PlaywrightError
    from playwright.sync_api import Page, Response

# Maximum time for loading the page, in seconds.
_LOADED_WITHIN: Final = 30.0
_CERTIFICATE: Final = "net::ERR_CERT_"
# For each of Chrome's network errors: the cause and the remedy.
_CAUSES: Final = {
    "net::ERR_CERT_AUTHORITY_INVALID": "the server's certificate is not signed by a trusted authority",
    "net::ERR_CERT_COMMON_NAME_INVALID": "the server's certificate is for another host",
    "net::ERR_CERT_DATE_INVALID": "the server's certificate has expired or is not valid yet",
    _CERTIFICATE: "the server's certificate is not valid",
    "net::ERR_CONNECTION_REFUSED": (
        "nothing is listening at this address. Check the host and the port, and start the server"
    ),
    "net::ERR_NAME_NOT_RESOLVED": "the host name can't be resolved. Check the spelling and the DNS settings",
    "net::ERR_ADDRESS_UNREACHABLE": "there is no route to the host. Check the network and the VPN",
    "net::ERR_INTERNET_DISCONNECTED": "this machine has no network connection. Check the network and the VPN",
    "net::ERR_CONNECTION_TIMED_OUT": "the server is not responding. Check the host, the port and the firewall",
    "net::ERR_CONNECTION_RESET": "the server closed the connection. Check whether the port expects http or https",
    "net::ERR_EMPTY_RESPONSE": "the server closed the connection. Check whether the port expects http or https",
    "net::ERR_SSL_PROTOCOL_ERROR": "the server does not use TLS on this port. Give an address that begins with http://",
    "net::ERR_TOO_MANY_REDIRECTS": (
        "the server redirects in an endless loop. Check the login, for example the file in --storage-state"
    ),
    "Download is starting": "the server sent a file to download instead of a page. Check the address",
    "net::ERR_UNSAFE_PORT": "Chrome blocks this port. Serve the application on another port",
    "net::ERR_PROXY_CONNECTION_FAILED": "the proxy is not responding. Check the proxy settings of this machine",
}
IGNORE_CERTIFICATE: Final = "Use --ignore-https-errors to accept the certificate if you trust the server."


def open_page(page: Page, url: str, *, who: str, tolerant: bool) -> str | None:
    """Open an address; if the server answered with an HTTP error, return a sentence about the error, otherwise None.

    ``who`` is the name of the participant. If ``tolerant`` is true, a page with an HTTP error is accepted, because a
    script may still log in or join there.

    Raises ConfigError if the page can't be loaded, or if the server answered with an HTTP error that is not tolerated.
    """
    from playwright.sync_api import Error as PlaywrightError

    answers: list[Response] = []

    def on_response(response: Response) -> None:
        if response.request.is_navigation_request() and response.frame == page.main_frame:
            answers.append(response)

    page.on("response", on_response)
    try:
        page.goto(without_credentials(url), timeout=_LOADED_WITHIN * 1000)
    except PlaywrightError as error:
        answered = _http_error(answers, url, who)
        message = answered or f"--url: {without_credentials(url)} can't be opened: {_cause(error, answers)}"
        raise ConfigError(message) from error
    finally:
        page.remove_listener("response", on_response)
    answered = _http_error(answers, url, who)
    if answered and not tolerant:
        raise ConfigError(answered)
    return answered


def certificate_error(text: str) -> str | None:
    """Return a sentence about the certificate error that ``text`` mentions, or None if it mentions none."""
    code = next((word.strip(".,:;()'\"") for word in text.split() if _CERTIFICATE in word), None)
    return f"Chrome rejected a server's certificate ({code}). {IGNORE_CERTIFICATE}" if code else None


def _http_error(answers: list[Response], url: str, who: str) -> str | None:
    """Return a sentence about the server's last response if it was an HTTP error, otherwise None."""
    if not answers or answers[-1].status < HTTPStatus.BAD_REQUEST:
        return None
    status, place = answers[-1].status, without_credentials(answers[-1].url)
    requested = without_credentials(url)
    redirected = "" if _same(place, requested) else f" redirected to {place}, which"
    what = f"{requested}{redirected} returned {status}{_phrase(status)} when {who} opened it"
    return f"--url: {what}. {_remedy(status, redirected=bool(redirected))}"


def _same(place: str, requested: str) -> bool:
    """Return whether two addresses differ only in their fragments or a final slash."""
    return place.partition("#")[0].rstrip("/") == requested.partition("#")[0].rstrip("/")


def _phrase(status: int) -> str:
    """Return a status's standard phrase, enclosed in parentheses, or an empty string if the status is unknown."""
    return f" ({HTTPStatus(status).phrase})" if status in set(HTTPStatus) else ""


def _remedy(status: int, *, redirected: bool) -> str:
    if status == HTTPStatus.UNAUTHORIZED:
        where = (
            " The password is sent only to the server in --url, so set --url to the address after the redirect."
            if redirected
            else ""
        )
        return f"Pass the user name and password with --http-credentials, or a saved login with --storage-state.{where}"
    if status == HTTPStatus.FORBIDDEN:
        return "Check the login (--storage-state, --http-credentials) and the headers (--header)."
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return "This machine's proxy requires a login; check the proxy settings."
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "The server or its proxy has an error; check its log."
    return "Check the address. If the page can join a call despite this error, use --script."


def _cause(error: PlaywrightError, answers: list[Response]) -> str:
    if error.name == "TimeoutError":
        if answers:
            return (
                f"the server returned {answers[-1].status}, but the page did not finish loading within "
                f"{_LOADED_WITHIN:g} s."
            )
        return f"the server did not respond within {_LOADED_WITHIN:g} s. Check the host, the port and the firewall."
    first = error.message.splitlines()[0].removeprefix("Page.goto: ")
    code = first.partition(" at ")[0].rstrip(".")
    cause = next((cause for known, cause in _CAUSES.items() if code.startswith(known)), None)
    if cause is None:
        return f"{code}."
    remedy = f" {IGNORE_CERTIFICATE}" if code.startswith(_CERTIFICATE) else ""
    return f"{code}: {cause}.{remedy}"
