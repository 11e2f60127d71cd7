"""RoomPage: the page object of our own page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.browser.driven_page import DrivenPage, chromes_only

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext


class RoomPage(DrivenPage):
    """Our own page, opened in a context for a participant, and closed with it.

    ``watched`` draws it for people; ``shaped`` lets its network be made worse later.

    Raises NotSupportedError where the context is not Chromium's.
    """

    def __init__(self, context: BrowserContext, url: str, *, watched: bool = False, shaped: bool = False) -> None:
        chromes_only(context)
        super().__init__(context.new_page())
        if shaped:
            self._take_network()
        address = url if watched else f"{url}/?view=off"
        self._guard(lambda: self.page.goto(address, wait_until="commit"))

    def close(self) -> None:
        """Close the page and its context; twice is fine."""
        if not self.page.is_closed():
            self._guard(self.page.context.close)
