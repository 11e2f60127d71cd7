"""DrivenPage: a page that Python calls (entry/python.js). One method a call; plain data in, plain data out."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from harness.errors import (
    ConfigError,
    PageError,
    StepTimeout,
    disk_full,
    not_supported,
    page_error,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from playwright.sync_api import BrowserContext, CDPSession, ConsoleMessage, Download, Frame, Page

_KEPT_LINES: Final = 50
_KEPT_CONSOLE: Final = 2000
# What the page calls when something happens to its recording (entry/python.js).
_BINDING: Final = "harnessEvent"
_CRASHED: Final = "the page crashed"
# Milliseconds.
_CRASH_WITHIN: Final = 5000


def chromes_only(context: BrowserContext) -> None:
    """Raise NotSupportedError unless the context is Chromium's."""
    if context.browser is not None:
        chrome_only(context.browser.browser_type.name)


def chrome_only(name: str) -> None:
    """Raise NotSupportedError unless Playwright's browser type of that name can record a room: Chromium alone can."""
    if name != "chromium":
        message = (
            f"{name} can't record a room: it has no MediaStreamTrackProcessor, which the mixer needs. "
            "Use Chromium, Chrome or Edge: Playwright's browser type 'chromium', with pytest --browser chromium."
        )
        raise not_supported(message)


@dataclass(frozen=True)
class ConsoleLine:
    """A line of a page's console: ``time`` in seconds since 1970, ``kind`` (log, warning, error ...), ``text``."""

    time: float
    kind: str
    text: str


class DrivenPage:
    """One open page of a participant.

    Calls answer what the page answered; a refusal or failure there is raised as its Python error. ``url`` is our
    server's address. ``log`` holds the last lines of the page's console, ``console`` more of them with their times,
    ``downloads`` what the browser has begun to download from our server and nobody has collected. ``on_event`` is
    called with the name and the detail of each of the recording's events, or whatever else a script of the page tells.
    """

    # Where entry/python.js is in the page, as an expression.
    _driven = "window.harness"

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self._url = url
        self.on_event: Callable[..., None] = lambda *_: None
        self._binding = page.expose_binding(_BINDING, lambda _, *told: self.on_event(*told))
        self.log: deque[str] = deque(maxlen=_KEPT_LINES)
        self.console: deque[ConsoleLine] = deque(maxlen=_KEPT_CONSOLE)
        self.downloads: deque[Download] = deque()
        page.on("console", self._on_console)
        page.on("pageerror", self._on_error)
        page.on("download", self._on_download)
        page.on("crash", self._on_crash)
        self._network: CDPSession | None = None
        # By what permissions are set, and in which of Chrome's contexts.
        self._permissions: tuple[CDPSession, str] | None = None
        self._asked = False
        self._browser_gone = False

    @property
    def alive(self) -> bool:
        """Whether the page can still be called."""
        # Chrome fact 25: a page that crashed does not count as closed.
        return not self.page.is_closed() and _CRASHED not in self.log

    @property
    def crashed(self) -> bool:
        """Whether the tab or the browser died, which nobody wanted."""
        browser = self.page.context.browser
        gone = _CRASHED in self.log or self._browser_gone
        if gone or browser is None:
            return gone
        if self.page.is_closed() and not self._asked:
            # A browser elsewhere that is gone is told of only while another call is waited for; it can be asked.
            self._asked = True
            try:
                browser.new_browser_cdp_session().detach()
            except PlaywrightError:
                self._browser_gone = True
        return self._browser_gone or not browser.is_connected()

    def begin(self, name: str, argument: object = None) -> Callable[[], Any]:
        """Start a call and return at once; what is returned waits for the answer and returns it.

        Calls begun on several pages run side by side.
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
        """Return the frame to call, once it can be."""
        # The page's modules have run when its DOM is ready; they are deferred.
        self._guard(lambda: self.page.wait_for_load_state("domcontentloaded"))
        return self.page.main_frame

    def call(self, name: str, argument: object = None) -> Any:
        """Make a call and return its answer."""
        return self.begin(name, argument)()

    def next_download(self, *, seconds: float = 30.0) -> Download:
        """Return the oldest download that nobody has collected, waiting for one if need be."""
        if not self.downloads:
            try:
                self.page.wait_for_event("download", self._is_ours, timeout=seconds * 1000)
            except PlaywrightTimeout:
                message = f"No download began within {seconds:g} s, although the page asked the browser for one."
                raise StepTimeout(message) from None
        return self.downloads.popleft()

    def save(self, download: Download, path: str) -> None:
        """Write what was downloaded to ``path``, waiting for its end; raises DiskFullError when it finds no room."""
        try:
            self._guard(lambda: download.save_as(path))
        except PageError as error:
            if "ENOSPC" not in str(error):
                raise
            message = f"No room for the download at {path}: the disk is full. Make room there, and download again."
            raise disk_full(message) from error

    def wait(self, seconds: float) -> None:
        """Let time pass while the page's events are heard."""
        self._guard(lambda: self.page.wait_for_timeout(seconds * 1000))

    def emulate_network(self, *, loss_percent: float = 0.0, latency_ms: float = 0.0, kbps: float | None = None) -> None:
        """Emulate a worse network for WebRTC in both directions.

        Raises ConfigError for a page that was not prepared for it when it was opened.
        """
        if self._network is None:
            message = (
                "This participant joined without network emulation; join with "
                "room.join_all(..., emulate_network=[name])."
            )
            raise ConfigError(message)
        # Throughput is in bytes a second, -1 for no limit.
        throughput = -1 if kbps is None else kbps * 1000 / 8
        rule = {
            "urlPattern": "",
            "latency": latency_ms,
            "downloadThroughput": throughput,
            "uploadThroughput": throughput,
            "packetLoss": loss_percent,
            "packetQueueLength": 0,
            "packetReordering": False,
        }
        command = "Network.emulateNetworkConditionsByRule"
        network = self._network
        self._guard(lambda: network.send(command, {"offline": False, "matchedNetworkConditions": [rule]}))

    def crash(self) -> None:
        """Let the page's process die."""
        # Chrome's own address for it, which no page is ever at: the renderer that is asked dies, and the call fails.
        with contextlib.suppress(PlaywrightError):
            self.page.goto("chrome://crash", timeout=_CRASH_WITHIN)

    def close(self) -> None:
        """Let go of the page; twice is fine."""

    def _listen_no_more(self) -> None:
        """Take back what the page calls, and hear no more of it."""
        self._binding.close()
        for event, handler in (
            ("console", self._on_console),
            ("pageerror", self._on_error),
            ("download", self._on_download),
            ("crash", self._on_crash),
        ):
            self.page.remove_listener(event, handler)

    def _allow(self, *permissions: str, origin: str, setting: str = "granted") -> None:
        """Give pages of that origin permissions by W3C's names, and leave all others; "prompt" takes them back.

        Playwright's ``grant_permissions`` denies what it does not name. Raises PlaywrightError for a permission that
        this Chrome does not know.
        """
        if self._permissions is None:
            # What a session allowed goes with it, and so does whatever others allowed in its context.
            session = self.page.context.new_cdp_session(self.page)
            target = session.send("Target.getTargetInfo")["targetInfo"]
            self._permissions = session, target["browserContextId"]
        session, context = self._permissions
        where = {"browserContextId": context, "origin": origin}
        for name in permissions:
            session.send("Browser.setPermission", {"permission": {"name": name}, "setting": setting, **where})

    def _prepare_network(self) -> None:
        """Prepare network emulation: Chrome accepts rules only before the first connection is made."""
        self._network = self.page.context.new_cdp_session(self.page)
        self.emulate_network()

    def _is_ours(self, download: Download) -> bool:
        return download.url.startswith(f"{self._url}/")

    def _on_download(self, download: Download) -> None:
        if self._is_ours(download):
            self.downloads.append(download)

    def _on_console(self, message: ConsoleMessage) -> None:
        self.log.append(f"{message.type}: {message.text}")
        self.console.append(ConsoleLine(time.time(), message.type, message.text))

    def _on_error(self, error: PlaywrightError) -> None:
        self.log.append(f"uncaught: {error}")
        self.console.append(ConsoleLine(time.time(), "uncaught", str(error)))

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
            # The call that fails may be quicker than the event.
            if "crashed" in error.message:
                self.log.append(_CRASHED)
            first = error.message.strip().splitlines()[0] if error.message.strip() else "no reason given"
            message = f"The page can't be reached any more: {first}"
            raise PageError(message, name=error.name or "Error", page_log=list(self.log)) from error
