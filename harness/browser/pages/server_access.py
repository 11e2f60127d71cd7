"""Find out why a page can't reach the harness's server, and what to do about it."""

from __future__ import annotations

import contextlib
import re
from collections import deque
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from playwright.sync_api import Error as PlaywrightError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playwright.sync_api import ConsoleMessage, Frame, Page

_KEPT: Final = 20
# Matches the errors that signaling.js and Chrome report if a page can't connect to the server or import a module.
_UNREACHABLE: Final = r"The server at ws\S* .*|Failed to fetch dynamically imported module"
_DENIED: Final = "Chrome denies the page access to this machine"
# For each of Chrome's reports of a failed connection: the report, the cause and the remedy. {host} is the server's host
# and port.
_CAUSES: Final = (
    (
        r"ERR_INTERNET_DISCONNECTED",
        "the browser context is offline",
        "Call context.set_offline(False) before the page joins the call.",
    ),
    (
        r"LOCAL_NETWORK_ACCESS|loopback",
        _DENIED,
        "Do not deny the loopback-network permission to the page's origin.",
    ),
    (
        r"Content Security Policy",
        "the page's content security policy blocks access to the server",
        "Create the page's context with bypass_csp=True, or use Room.enter.",
    ),
    (
        r"ERR_CONNECTION_REFUSED",
        "no server is listening at this address",
        'If the browser runs on another machine, connect to it with expose_network="<loopback>".',
    ),
    (
        r"Unexpected response code: (?!101)\d+",
        "a different server responds at this address",
        "Let connections to this address pass through the browser's proxy unchanged.",
    ),
)


class ServerAccess:
    """Collects what Chrome reports about a page's connections to the harness's server at ``url``.

    ``describe`` returns a message that names the cause of a failure and its remedy, and ``close`` ends the collection.
    """

    def __init__(self, page: Page, url: str) -> None:
        self._page = page
        self._host = urlsplit(url).netloc
        self._reports: deque[str] = deque(maxlen=_KEPT)
        page.on("console", self._on_console)

    def close(self) -> None:
        """Remove the page's listener."""
        self._page.remove_listener("console", self._on_console)

    def describe(self, frame: Frame, error: str) -> str | None:
        """Return why the frame can't reach the server, or None if the error has another cause.

        ``error`` is the error that the harness's code in the frame reported.
        """
        reported = re.search(_UNREACHABLE, error)
        if reported is None:
            return None
        found = _cause(reversed([*self._reports, error]))
        where = f"{frame.url or self._page.url} can't reach the harness's server on {self._host}"
        if _is_sandboxed(frame) and (found is None or found[0] == _DENIED):
            return f"{where}: the frame is sandboxed. Add allow-same-origin to the iframe's sandbox attribute."
        if found is None:
            reason = reported[0].rstrip(".")
            return f"{where}: {reason}. Let the page connect to ws://{self._host}."
        cause, remedy = found
        return f"{where}: {cause}. {remedy.replace('{host}', self._host)}"

    def _on_console(self, message: ConsoleMessage) -> None:
        if self._host in message.text or ("Content Security Policy" in message.text and "blob:" in message.text):
            self._reports.append(message.text)


def _cause(reports: Iterable[str]) -> tuple[str, str] | None:
    """Return the cause and the remedy for the first report whose cause is known, or None."""
    for report in reports:
        for pattern, cause, remedy in _CAUSES:
            if re.search(pattern, report):
                return cause, remedy
    return None


def _is_sandboxed(frame: Frame) -> bool:
    with contextlib.suppress(PlaywrightError):
        return bool(frame.evaluate("origin") == "null")
    return False
