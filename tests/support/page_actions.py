"""User actions on the page; they find elements by name and label."""

import re
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

Visit = Callable[..., Page]


def join(page: Page, name: str, media: str = "Synthetic video and audio") -> None:
    """Fill in the form, press Join, and wait until the room is shown."""
    page.get_by_label("Your name").fill(name)
    page.get_by_label(media).check()
    button(page, "Join").click()
    expect(button(page, "Leave")).to_be_visible()


def button(page: Page, name: str) -> Locator:
    """Return the button with the given name."""
    return page.get_by_role("button", name=name, exact=True)


def tile(page: Page, name: str) -> Locator:
    """Return a participant's tile."""
    return page.locator("#tiles").get_by_role("listitem").filter(has_text=name)


def wait_until_recorded(page: Page, *, seconds: int) -> None:
    """Wait until the page shows this many seconds or more; polling may miss the exact number."""
    expect(page.get_by_role("timer")).to_have_text(re.compile(rf"0:(0[{seconds}-9]|[1-5]\d)"))


def wait_until_video_plays(page: Page, name: str) -> None:
    """Wait until a participant's video has played for a quarter of a second."""
    video = tile(page, name).locator("video").element_handle()
    page.wait_for_function("video => video.videoWidth > 0", arg=video)
    start = video.evaluate("video => video.currentTime")
    page.wait_for_function("([video, start]) => video.currentTime > start + 0.25", arg=[video, start])


def is_audible(page: Page, name: str) -> bool:
    """Return whether a participant's audio is playing."""
    video = tile(page, name).locator("video")
    return bool(video.evaluate("video => !video.muted && video.srcObject.getAudioTracks().length > 0"))
