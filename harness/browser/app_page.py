"""AppPage: the page object of somebody else's page, whose own call is recorded (attach.js)."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import Error as PlaywrightError

from harness.browser.driven_page import DrivenPage, chromes_only
from harness.errors import ConfigError, NotSupportedError, PageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Frame, Page

# hooks.js: how many peer connections a frame has, and whether it was woken; null where nothing of it can be recorded.
_LOOK: Final = """() => {
  const hooks = isSecureContext && window[Symbol.for('recording-harness')];
  return hooks ? { connections: hooks.connections.size, awake: hooks.isAwake } : null;
}"""
# Who may open what is on this machine, which our server is, and nothing else of the local network.
_PERMISSION: Final = "loopback-network"
# How Chrome says that a page could not import a module.
_NO_MODULE: Final = "dynamically imported module"


class AppPage(DrivenPage):
    """A page that belongs to somebody else: it is prepared before it loads, and stays open when we let go of it.

    One that is ``owned`` is closed then, with its context. ``url`` is our server's address, ``script`` what comes first
    in each of its frames. The page's content policy is bypassed, and it may reach this machine's own addresses, where
    our server is.

    Raises ConfigError for a page that has loaded something already, NotSupportedError where it is not Chromium's.
    """

    _driven = "await window[Symbol.for('recording-harness')].wake()"

    def __init__(self, page: Page, url: str, script: str, *, owned: bool = False) -> None:
        chromes_only(page.context)
        if page.url != "about:blank":
            message = f"The page is at {page.url} already: attach before it goes anywhere, so that nothing is missed."
            raise ConfigError(message)
        super().__init__(page, url)
        self._owned = owned
        try:
            # Where its call is, is not known before it loads: every origin of its context may.
            self._allow(_PERMISSION)
        except PlaywrightError:
            # A Chrome that does not ask for it does not know its name.
            self.log.append(f"no permission {_PERMISSION}")
        # Whoever grants something else meanwhile denies it by that.
        page.on("framenavigated", self._allow_again)
        # As the context's bypass_csp, which whoever made it may not have asked for.
        page.context.new_cdp_session(page).send("Page.setBypassCSP", {"enabled": True})
        page.add_init_script(script)

    def begin(self, name: str, argument: object = None) -> Callable[[], Any]:
        """Start a call in the frame that the call is in; whoever never was in one has nothing to leave."""
        if name == "leave" and not any(state["awake"] for state, _ in self._frames()):
            return lambda: None
        try:
            return super().begin(name, argument)
        except PageError as error:
            if _NO_MODULE not in str(error):
                raise
            message = (
                f"{self.page.url} can't reach the harness's server on 127.0.0.1: grant its context other permissions "
                "before it loads, give it bypass_csp=True, or let Room.enter make it."
            )
            raise NotSupportedError(message, code=10450, page_log=list(self.log)) from error

    def close(self) -> None:
        """Let go of the page; twice is fine."""
        if self._owned and not self.page.is_closed():
            self._guard(self.page.context.close)

    def _allow_again(self, frame: Frame) -> None:
        parts = urlsplit(frame.url)
        if parts.netloc:
            with contextlib.suppress(PlaywrightError):
                self._allow(_PERMISSION, origin=f"{parts.scheme}://{parts.netloc}")

    def _ready(self) -> Frame:
        """Return the frame in which the call is: the one that was woken, with the most connections."""
        self._guard(lambda: self.page.wait_for_load_state("domcontentloaded"))
        found = self._frames()
        if not found:
            message = (
                f"Nothing can be recorded at {self.page.url}: no frame of it can use WebRTC. It must come over https "
                "or from localhost, and not in a sandboxed frame."
            )
            raise NotSupportedError(message, code=10450)
        return max(found, key=lambda one: (one[0]["awake"], one[0]["connections"]))[1]

    def _frames(self) -> list[tuple[dict[str, Any], Frame]]:
        """Return the frames that can use WebRTC, each with how many connections it has and whether it was woken."""
        found = []
        for frame in self.page.frames:
            # A frame that goes away meanwhile is none.
            with contextlib.suppress(PlaywrightError):
                state = frame.evaluate(_LOOK)
                if state is not None:
                    found.append((state, frame))
        return found
