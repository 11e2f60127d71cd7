"""RoomPage is the page object for the harness's own page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from harness.browser.pages.driven_page import DrivenPage, require_chromium_context
from harness.errors import PageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import BrowserContext, Frame


# JavaScript that waits until the page has loaded, and returns whether its modules have run.
_LOADED: Final = """async () => {
  if (!window.harness && document.readyState !== 'complete')
    await new Promise((resolve) => addEventListener('load', resolve, { once: true }));
  return Boolean(window.harness);
}"""
_TRIES: Final = 3


class RoomPage(DrivenPage):
    """The harness's own page, which is opened in a participant's browser context and closed together with that context.

    If ``watched`` is true, the page shows its user interface for a user who watches the window. ``emulate_network``
    prepares the page for later network emulation.

    Raises NotSupportedError if the context does not belong to Chromium.
    """

    def __init__(
        self, context: BrowserContext, url: str, *, watched: bool = False, emulate_network: bool = False
    ) -> None:
        require_chromium_context(context)
        super().__init__(context.new_page(), url)
        self._loaded = False
        if emulate_network:
            self._prepare_network()
        address = url if watched else f"{url}/?view=off"
        self._guard(lambda: self.page.goto(address, wait_until="commit"))

    def begin(self, name: str, argument: object = None) -> Callable[[], Any]:
        """Call a function in the page; allow camera access before a join, since nobody can answer Chrome's prompt."""
        if name == "join" and isinstance(argument, dict) and argument.get("media") == "camera":
            self._guard(lambda: self._allow("camera", "microphone", origin=self._url))
        return super().begin(name, argument)

    def _ready(self) -> Frame:
        """Return the page's frame once its modules have run; if the page failed to load, reload it.

        A page fails to load if the network changes while the page loads, for example because the machine has just
        started.
        """
        frame = super()._ready()
        tries = 0
        while not self._loaded:
            self._loaded = self._guard(lambda: frame.evaluate(_LOADED))
            tries += 1
            if self._loaded:
                break
            if tries == _TRIES:
                console = " / ".join(self.log) or "nothing"
                message = f"The page at {self.page.url} did not load. Console output: {console}"
                raise PageError(message, page_log=list(self.log))
            self._guard(self.page.reload)
        return frame

    def close(self) -> None:
        """Close the page and its context. ``close`` can be called twice."""
        if not self.page.is_closed():
            self._guard(self.page.context.close)
