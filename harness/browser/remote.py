"""RemoteChromes has the same interface as Chrome, but spreads contexts over remote browsers that Playwright serves."""

from __future__ import annotations

import contextlib
import itertools
import json
from typing import TYPE_CHECKING, Any, Final

from playwright.sync_api import Error as PlaywrightError

from harness.browser.chrome import ARGUMENTS, FAKE_DEVICES, gist, start_playwright
from harness.browser.pages.driven_page import require_chromium
from harness.errors import SetupError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence
    from types import TracebackType
    from typing import Self

    from playwright.sync_api import Browser, BrowserContext, Playwright

_CONNECTED_WITHIN: Final = 30_000
# JavaScript that tests whether the browser was started with our switches, one of which lets pages trigger garbage
# collection.
_HAS_SWITCHES: Final = "() => typeof gc === 'function'"


class RemoteChromes:
    """A context manager that connects to Chrome browsers that are served by ``playwright run-server --unsafe``.

    Contexts are assigned in turn to the browsers at ``endpoints``. Playwright's connection lets each browser reach this
    machine's loopback interface, where the room is served. Media is sent directly between browsers. ``executable`` is
    Chrome's path on the server's machine.

    Raises SetupError if a server does not respond, has a different Playwright version, or ignores the harness's
    command-line switches.
    """

    def __init__(
        self, endpoints: Sequence[str], executable: str | os.PathLike[str] | None = None, *, headed: bool = False
    ) -> None:
        self._endpoints = endpoints
        self._options: dict[str, Any] = {"headless": not headed, "args": [*ARGUMENTS, *FAKE_DEVICES]}
        if executable is None:
            self._options["channel"] = "chromium"
        else:
            self._options["executablePath"] = str(executable)
        self._playwright: Playwright
        self._browsers: list[Browser] = []
        self._turns: Iterator[Browser]

    def __enter__(self) -> Self:
        self._playwright = start_playwright()
        try:
            for endpoint in self._endpoints:
                self._browsers.append(self._connect(endpoint))
        except BaseException:
            self.close()
            raise
        self._turns = itertools.cycle(self._browsers)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect from every browser."""
        try:
            for browser in self._browsers:
                # If the browser server has crashed, the browser is already disconnected.
                with contextlib.suppress(PlaywrightError):
                    browser.close()
        finally:
            self._playwright.stop()

    @property
    def version(self) -> str:
        """The version of the first remote browser."""
        return self._browsers[0].version

    def new_context(self, **options: Any) -> BrowserContext:
        """Return a new context in the next browser that is still connected."""
        for browser in itertools.islice(self._turns, len(self._browsers)):
            if browser.is_connected():
                return browser.new_context(**options)
        message = f"All browsers at {', '.join(self._endpoints)} have disconnected."
        raise SetupError(message)

    def _connect(self, endpoint: str) -> Browser:
        headers = {"x-playwright-launch-options": json.dumps(self._options)}
        try:
            browser = self._playwright.chromium.connect(
                endpoint, expose_network="<loopback>", headers=headers, timeout=_CONNECTED_WITHIN
            )
        except PlaywrightError as error:
            raise SetupError(_reason(endpoint, error)) from error
        try:
            require_chromium(browser.browser_type.name)
            page = browser.new_page()
            has_switches = page.evaluate(_HAS_SWITCHES)
            page.close()
        except PlaywrightError as error:
            raise SetupError(_reason(endpoint, error)) from error
        if not has_switches:
            message = (
                f"--connect: the browser at {endpoint} runs without our switches, so its audio may stop and its memory "
                "may grow. Start its server with 'playwright run-server --unsafe'."
            )
            raise SetupError(message)
        return browser


def _reason(endpoint: str, error: PlaywrightError) -> str:
    lines = [line.strip(" ║╔╗╚╝═") for line in error.message.splitlines()]
    details = [line for line in lines if line and not line.startswith(("BrowserType.connect:", "Call log"))]
    text = " ".join(lines)
    if "version mismatch" in text:
        versions = ", ".join(line.removeprefix("- ") for line in details if line.startswith("- "))
        return (
            f"--connect: the Playwright at {endpoint} has a different version than ours ({versions}). Install the same "
            "major and minor version on both sides."
        )
    if "ECONNREFUSED" in text or "ENOTFOUND" in text:
        return (
            f"--connect: no Playwright server answers at {endpoint}. Start one there: playwright run-server --unsafe "
            "--host 127.0.0.1 --port PORT."
        )
    if "Executable doesn't exist" in text:
        return (
            f"--connect: the Playwright at {endpoint} can't find a Chrome. Install one there, or start the server with "
            "--unsafe so that it accepts --executable."
        )
    return f"--connect: {endpoint} can't be used: {gist(error)}"
