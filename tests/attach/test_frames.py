"""Tests for calls in an attached page's frames and pop-up windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness import (
    ConfigError,
    InvalidStateError,
    Participant,
)
from harness.browser.pages.page_processes import page_processes
from tests.support.application_calls import meet, record_call
from tests.support.reports import check_recording

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness import Room
    from tests.support.servers.application_site import Site

    Enter = Callable[..., Participant]


@pytest.mark.thorough
def test_call_in_a_frame_of_the_same_site_is_recorded(room: Room, enter: Enter, site: Site) -> None:
    """The harness records in the frame that holds the WebRTC connections."""
    alice, bob = enter(f"{site.url}/frames/same-site.html", "alice"), enter(f"{site.url}/frames/same-site.html", "bob")
    meet(room, alice, bob)

    report = check_recording(record_call(room, alice))

    assert report.participant("bob").is_audible(0.5, 2.5)


def test_call_in_a_frame_of_another_site_is_recorded(room: Room, site: Site) -> None:
    """The frame runs in its own process.

    The frame has its own content security policy, which the room's contexts bypass.
    """
    alice, bob = (room.enter(name, ignore_https_errors=True) for name in ("alice", "bob"))
    for one in (alice, bob):
        one.page.goto(f"{site.url}/frames/other-site.html")
    meet(room, alice, bob)
    assert 2 == len(page_processes(alice.page))

    report = check_recording(record_call(room, alice))

    assert report.participant("bob").is_audible(0.5, 2.5)


def test_call_in_a_sandboxed_frame_is_refused(enter: Enter, site: Site) -> None:
    """A sandboxed frame can't use the camera or connect to its own site, so there is no call to record."""
    alice = enter(f"{site.url}/frames/sandboxed.html", "alice")

    with pytest.raises(InvalidStateError, match="not in a call"):
        alice.start_media_recording()


def test_window_opened_by_the_page_is_not_attached(room: Room, enter: Enter, site: Site) -> None:
    """A call in a new window is not recorded, and the window can't be attached because it has already loaded."""
    alice = enter(f"{site.url}/empty.html", "alice")
    with alice.page.expect_popup() as opened:
        alice.page.evaluate("(url) => void window.open(url)", f"{site.url}/simple-peer.html?room=window")
    opened.value.wait_for_load_state()

    with pytest.raises(InvalidStateError, match="not in a call"):
        alice.start_media_recording()
    with pytest.raises(ConfigError, match="attach to a page before it loads anything"):
        room.attach(opened.value, "bob")
