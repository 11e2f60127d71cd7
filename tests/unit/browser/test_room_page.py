"""RoomPage accepts only Chromium."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.browser.pages.room_page import RoomPage
from harness.errors import NotSupportedError

pytestmark = pytest.mark.parallel


def context_of(name: str) -> Any:
    """Return a fake Playwright context of a browser with the given name."""
    return SimpleNamespace(browser=SimpleNamespace(browser_type=SimpleNamespace(name=name)))


@pytest.mark.parametrize("name", ["firefox", "webkit"])
def test_browser_other_than_chromium_is_refused_before_a_page_opens(name: str) -> None:
    """For a browser other than Chromium, the error has NERTC's code, and names the browser, a reason and a remedy."""
    with pytest.raises(NotSupportedError, match=f"^{name} can't record a room: .* Use Chromium") as refusal:
        RoomPage(context_of(name), "http://127.0.0.1:1")

    assert 10450 == refusal.value.code
