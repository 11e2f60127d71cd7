"""ApplicationPage: the page object of somebody else's page, whose own call is recorded (attach.js)."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import Error as PlaywrightError

from harness.browser.pages.driven_page import DrivenPage, chromes_only
from harness.errors import ConfigError, PageError, not_supported

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Frame, Page

# hooks.js: how many peer connections a frame has, and whether it was woken; null where nothing of it can be recorded.
_LOOK: Final = """() => {
  const hooks = isSecureContext && window[Symbol.for('recording-harness')];
  return hooks ? { connections: hooks.connections.size, awake: hooks.isAwake } : null;
}"""
# To open what is on this machine, which our server is, and nothing else of the local network.
_PERMISSION: Final = "loopback-network"
# What a page calls before it does (hooks.js).
_ASKING: Final = "harnessMayReach"
# How Chrome says that a page could not import a module.
_NO_MODULE: Final = "dynamically imported module"


class ApplicationPage(DrivenPage):
    """A page that belongs to somebody else: it is prepared before it loads, and stays open when we let go of it.

    One that is ``owned`` is closed then, with its context. ``url`` is our server's address, ``script`` what comes first
    in each of its frames. The page's content policy is bypassed, and its origin may reach this machine's own addresses,
    where our server is, once it has to.

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
        # Who may open what is on this machine, as long as we follow the page.
        self._origin: str | None = None
        # As the context's bypass_csp, which whoever made it may not have asked for; it goes with its session.
        session = page.context.new_cdp_session(page)
        session.send("Page.setBypassCSP", {"enabled": True})
        asking = page.expose_binding(_ASKING, lambda _: self._let_in())
        put_in = page.add_init_script(script)
        self._undo: list[Callable[[], None]] = [put_in.close, session.detach, asking.close, self._listen_no_more]

    def begin(self, name: str, argument: object = None) -> Callable[[], Any]:
        """Start a call in the frame that the call is in; whoever never was in one has nothing to leave."""
        if name == "leave" and not any(state["awake"] for state, _ in self._frames()):
            return lambda: None
        # Whoever granted something else meanwhile denied it by that.
        self._permit("granted")
        try:
            return super().begin(name, argument)
        except PageError as error:
            if _NO_MODULE not in str(error):
                raise
            message = (
                f"{self.page.url} can't reach the harness's server on 127.0.0.1: give its context bypass_csp=True, or "
                "let Room.enter make it."
            )
            raise not_supported(message, page_log=list(self.log)) from error

    def close(self) -> None:
        """Let go of the page; twice is fine. One that stays open carries nothing of ours from its next load on."""
        undo, self._undo = self._undo, []
        if self._owned and not self.page.is_closed():
            self._guard(self.page.context.close)
        elif undo and not self.page.is_closed():
            self._permit("prompt")
            # A page that crashed answers no more, and one that closes meanwhile has nothing left to undo.
            with contextlib.suppress(PlaywrightError):
                for step in undo if self.alive else ():
                    step()

    def _let_in(self) -> None:
        """Let the page's origin reach this machine, for all of its frames, and none that it came from any more."""
        parts = urlsplit(self.page.url)
        origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        if origin != self._origin:
            self._permit("prompt")
            self._origin = origin
        self._permit("granted")

    def _permit(self, setting: str) -> None:
        if self._origin is None:
            return
        try:
            self._allow(_PERMISSION, origin=self._origin, setting=setting)
        except PlaywrightError as error:
            # A Chrome that does not ask for it does not know its name.
            self.log.append(f"no permission {_PERMISSION} for {self._origin}: {error.message.splitlines()[0]}")
            self._origin = None

    def _ready(self) -> Frame:
        """Return the frame in which the call is: the one that was woken, with the most connections."""
        self._guard(lambda: self.page.wait_for_load_state("domcontentloaded"))
        found = self._frames()
        if not found:
            message = (
                f"Nothing can be recorded at {self.page.url}: no frame of it can use WebRTC. It must come over https "
                "or from localhost, and not in a sandboxed frame."
            )
            raise not_supported(message)
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
