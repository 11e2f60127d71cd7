"""DrivenPage lets Python call functions in a page (entry/python.js), with plain data as arguments and results."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from playwright.sync_api import Error as PlaywrightError

from harness.browser.pages.network_emulation import NetworkEmulation
from harness.browser.pages.page_downloads import PageDownloads
from harness.errors import ConfigError, PageError, not_supported, page_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from playwright.sync_api import BrowserContext, CDPSession, ConsoleMessage, Frame, Page

_KEPT_LINES: Final = 50
_KEPT_CONSOLE: Final = 2000
# The page calls this binding for every event of its recording (entry/python.js).
_BINDING: Final = "harnessEvent"
_CRASHED: Final = "the page crashed"
# Maximum time for loading Chrome's crash URL, in milliseconds.
_CRASH_WITHIN: Final = 5000


def require_chromium_context(context: BrowserContext) -> None:
    """Raise NotSupportedError unless the context belongs to Chromium."""
    if context.browser is not None:
        require_chromium(context.browser.browser_type.name)


def require_chromium(name: str) -> None:
    """Raise NotSupportedError unless Playwright's browser type is Chromium, because only Chromium can record a room."""
    if name != "chromium":
        message = (
            f"{name} can't record a room: it has no MediaStreamTrackProcessor, which the mixer needs. "
            "Use Chromium, Chrome or Edge (Playwright's browser type 'chromium'; for pytest, --browser chromium)."
        )
        raise not_supported(message)


@dataclass(frozen=True)
class ConsoleLine:
    """A line from a page's console."""

    time: float
    """Time of the message, in seconds since 1970-01-01 UTC."""
    monotonic: float
    """Time of the message as measured by ``time.monotonic()``, in seconds. Changing the machine's clock does not affect
    this time."""
    kind: str
    """Type of the message as reported by Playwright, for example ``"log"``, ``"warning"`` or ``"error"``."""
    text: str
    """Text of the message."""


class DrivenPage:
    """A participant's open page.

    Python calls functions in the page; an error in a called function is raised as the corresponding Python error.
    ``url`` is the URL of the harness's server. ``log`` contains the last lines of the page's console, and ``console``
    contains more lines, each with its time. ``downloads`` are the downloads from the harness's server that have not
    been collected yet. ``on_event`` is called with the name and details of each recording event, and also with anything
    else that a script in the page reports.
    """

    # The JavaScript expression for the object that Python calls.
    _driven = "window.harness"

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self._url = url
        self.on_event: Callable[..., None] = lambda *_: None
        self._binding = page.expose_binding(_BINDING, lambda _, *reported: self.on_event(*reported))
        self.log: deque[str] = deque(maxlen=_KEPT_LINES)
        self.console: deque[ConsoleLine] = deque(maxlen=_KEPT_CONSOLE)
        self.downloads = PageDownloads(page, lambda address: address.startswith(f"{url}/"))
        page.on("console", self._on_console)
        page.on("pageerror", self._on_error)
        page.on("crash", self._on_crash)
        self._network: NetworkEmulation | None = None
        # The CDP session that sets permissions, and the ID of the browser context.
        self._permissions: tuple[CDPSession, str] | None = None
        self._probed = False
        self._browser_lost = False

    @property
    def alive(self) -> bool:
        """Whether the page is open and has not crashed."""
        # Chrome fact 25: Playwright does not report a crashed page as closed.
        return not self.page.is_closed() and _CRASHED not in self.log

    @property
    def crashed(self) -> bool:
        """Whether the tab or the browser crashed."""
        browser = self.page.context.browser
        crashed = _CRASHED in self.log or self._browser_lost
        if crashed or browser is None:
            return crashed
        if self.page.is_closed() and not self._probed:
            # Playwright notices the loss of a remote browser only when it makes a call to the browser, so make one.
            self._probed = True
            try:
                browser.new_browser_cdp_session().detach()
            except PlaywrightError:
                self._browser_lost = True
        return self._browser_lost or not browser.is_connected()

    def begin(self, name: str, argument: object = None) -> Callable[[], Any]:
        """Call a function in the page without waiting; the returned function waits for the result and returns it.

        Calls that are started on several pages run at the same time.
        """
        frame = self._ready()
        number = self._guard(
            lambda: frame.evaluate(
                f"async ([name, argument]) => ({self._driven}).begin(name, argument)", [name, argument]
            )
        )
        return lambda: self._answer(
            self._guard(lambda: frame.evaluate(f"async (number) => ({self._driven}).finish(number)", number))
        )

    def _ready(self) -> Frame:
        """Wait until functions in the page's frame can be called, and return the frame."""
        # The page's modules are deferred, so they have run when the DOM is ready.
        self._guard(lambda: self.page.wait_for_load_state("domcontentloaded"))
        return self.page.main_frame

    def call(self, name: str, argument: object = None) -> Any:
        """Call a function in the page, and return its result."""
        return self.begin(name, argument)()

    def wait(self, seconds: float) -> None:
        """Wait while handling the page's events."""
        self._guard(lambda: self.page.wait_for_timeout(seconds * 1000))

    def emulate_network(self, *, loss_percent: float = 0.0, latency_ms: float = 0.0, kbps: float | None = None) -> None:
        """Emulate poor network conditions for WebRTC in both directions.

        Raises ConfigError if the page was not opened with network emulation.
        """
        if self._network is None:
            message = (
                "This participant joined without network emulation. Join with room.join_all(..., "
                "emulate_network=[name]); for another application, call room.enter or attach with emulate_network=True."
            )
            raise ConfigError(message)
        network = self._network
        self._guard(lambda: network.emulate(loss_percent=loss_percent, latency_ms=latency_ms, kbps=kbps))

    def crash(self) -> None:
        """Crash the page's process."""
        # This URL makes Chrome crash the renderer, so the call fails.
        with contextlib.suppress(PlaywrightError):
            self.page.goto("chrome://crash", timeout=_CRASH_WITHIN)

    def close(self) -> None:
        """Close the page, or detach from it without closing it. ``close`` can be called twice."""

    def _remove_listeners(self) -> None:
        """Remove every event listener, and the binding that the page calls."""
        self._binding.close()
        self.downloads.close()
        for event, handler in (
            ("console", self._on_console),
            ("pageerror", self._on_error),
            ("crash", self._on_crash),
        ):
            self.page.remove_listener(event, handler)

    def _allow(self, *permissions: str, origin: str, setting: str = "granted") -> None:
        """Grant permissions (W3C names) to an origin's pages, or revoke them if the setting is "prompt".

        Permissions that are not named are not changed, whereas Playwright's ``grant_permissions`` denies them. Raises
        PlaywrightError for a permission that this Chrome does not know.
        """
        if self._permissions is None:
            # Ending a session revokes all permissions in its context, including those that other sessions granted, so
            # this session stays open.
            session = self.page.context.new_cdp_session(self.page)
            target = session.send("Target.getTargetInfo")["targetInfo"]
            self._permissions = session, target["browserContextId"]
        session, context = self._permissions
        where = {"browserContextId": context, "origin": origin}
        for name in permissions:
            session.send("Browser.setPermission", {"permission": {"name": name}, "setting": setting, **where})

    def _prepare_network(self) -> NetworkEmulation:
        """Set up network emulation in advance, because Chrome can't enable it after the page's first connection."""
        self._network = NetworkEmulation(self.page)
        return self._network

    def _on_console(self, message: ConsoleMessage) -> None:
        self.log.append(f"{message.type}: {message.text}")
        self.console.append(ConsoleLine(time.time(), time.monotonic(), message.type, message.text))

    def _on_error(self, error: PlaywrightError) -> None:
        self.log.append(f"uncaught: {error}")
        self.console.append(ConsoleLine(time.time(), time.monotonic(), "uncaught", str(error)))

    def _on_crash(self, _: Page) -> None:
        self.log.append(_CRASHED)

    def _answer(self, answer: Mapping[str, Any]) -> Any:
        if answer["ok"]:
            return answer["value"]
        error = answer["error"]
        raise page_error(message=error["message"], code=error["code"], name=error["name"], page_log=list(self.log))

    def _guard(self, step: Callable[[], Any]) -> Any:
        try:
            return step()
        except PlaywrightError as error:
            # The call can fail before the crash event arrives.
            if "crashed" in error.message:
                self.log.append(_CRASHED)
            first = error.message.strip().splitlines()[0] if error.message.strip() else "no reason given"
            message = f"The page can no longer be reached: {first}"
            raise PageError(message, name=error.name or "Error", page_log=list(self.log)) from error
