"""Tests for attached pages that crash, reload, navigate, or stay open after the harness detaches from them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from harness import (
    ConfigError,
    InvalidStateError,
    Participant,
    RecordingError,
    attach,
)
from harness.session.recording_events import EVENTS
from tests.support.application_calls import SMALL, meet, record_call
from tests.support.reports import check_recording

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Page

    from harness import Room
    from tests.support.servers.application_site import Site

    Enter = Callable[..., Participant]


def test_recording_of_a_crashed_page_is_kept(room: Room, enter: Enter, site: Site) -> None:
    """After a page crashes, the next call of ``room.wait`` raises an error that contains the saved recording."""
    alice, bob = (enter(f"{site.url}/simple-peer.html", name) for name in ("alice", "bob"))
    meet(room, alice, bob)
    alice.start_media_recording(record_config=SMALL)
    room.wait(seconds=2)

    alice.crash()

    with pytest.raises(RecordingError, match="crashed") as raised:
        room.wait(seconds=5)
    assert raised.value.recording is not None
    assert raised.value.recording.duration > 1
    room.wait_for(lambda: bob.others == [], what="alice to leave", timeout=20)


@pytest.mark.thorough
def test_recording_of_a_reloaded_page_is_kept_and_the_page_records_again(room: Room, enter: Enter, site: Site) -> None:
    """Reloading a page ends its recording. Once the page has rejoined the call, it can record again."""
    alice, bob = (enter(f"{site.url}/simple-peer.html", name) for name in ("alice", "bob"))
    meet(room, alice, bob)
    alice.start_media_recording(record_config=SMALL)
    room.wait(seconds=2)

    alice.page.reload()
    room.wait_for(lambda: alice.others == ["bob"], what="bob in the reloaded page", timeout=20)
    report = check_recording(record_call(room, alice))

    assert report.participant("bob").is_audible(0.5, 2.5)


@pytest.mark.thorough
def test_navigation_inside_an_application_does_not_change_its_call(room: Room, enter: Enter, site: Site) -> None:
    """Recording continues when the application changes the page's address without loading a new page."""
    alice, bob = (enter(f"{site.url}/simple-peer.html", name) for name in ("alice", "bob"))
    meet(room, alice, bob)
    alice.start_media_recording(record_config=SMALL)
    room.wait(seconds=1)

    alice.page.evaluate("() => history.pushState({}, '', '/another/address')")
    room.wait(seconds=1)
    alice.stop_media_recording()

    check_recording(alice.download_media_recording())


def test_page_that_has_already_loaded_is_refused(room: Room, page: Page) -> None:
    """A page that has loaded may have connections that the harness did not observe, so it can't be attached."""
    page.goto("data:text/html,<h1>An application</h1>")

    with pytest.raises(ConfigError, match="attach to a page before it loads anything"):
        room.attach(page, "alice")


def test_page_without_a_call_is_refused(enter: Enter, site: Site) -> None:
    """A page without WebRTC connections has no call to record."""
    alice = enter(f"{site.url}/empty.html", "alice")

    with pytest.raises(InvalidStateError, match="not in a call"):
        alice.start_media_recording()


def test_single_page_is_attached_without_a_room(
    new_context: Callable[..., BrowserContext], site: Site, tmp_path: Path
) -> None:
    """After the ``attach`` block ends, the page stays open and its call continues."""
    page, other = (new_context(ignore_https_errors=True).new_page() for _ in range(2))
    with attach(page, "alice", media="synthetic", recordings=tmp_path) as alice:
        for one in (page, other):
            one.goto(f"{site.url}/simple-peer.html?room=alone")
        page.get_by_text("with 1").wait_for()
        alice.start_media_recording(recorder="local", record_config=SMALL)
        alice.wait(2)
        alice.stop_media_recording()

        recording = alice.download_media_recording()

    check_recording(recording)
    assert tmp_path / "call.webm" == recording.path
    expect(page.get_by_text("with 1")).to_be_visible()


# JavaScript that makes the application download a file.
_EXPORT = """() => {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob(['name,minutes']));
  link.download = 'people.csv';
  link.click();
}"""


def test_downloads_by_the_application_reach_the_page_owner(room: Room, enter: Enter, site: Site) -> None:
    """The page owner's download listener receives both the application's and the harness's downloads."""
    alice, bob = (enter(f"{site.url}/simple-peer.html", name) for name in ("alice", "bob"))
    meet(room, alice, bob)
    names: list[str] = []
    alice.page.on("download", lambda download: names.append(download.suggested_filename))
    alice.start_media_recording(record_config=SMALL)
    alice.page.evaluate(_EXPORT)
    room.wait(seconds=2)
    alice.stop_media_recording()
    alice.page.evaluate(_EXPORT)

    recording = alice.download_media_recording()

    check_recording(recording)
    assert ["people.csv", "people.csv", "call.webm"] == names
    assert not alice._page.downloads


# JavaScript that forges recording events, as a malicious script in the page could.
_FORGED = """async () => {
  const broken = { message: 'all is lost', name: 'RecordingError', code: 10453 };
  const events = [
    ['recording-failed', broken], ['recording-failed', { ...broken, id: 'forged' }], ['recording-failed', { id: 7 }],
    ['recording-stopped', null], ['recording-downloaded'], ['nothing', {}], [], [{}, {}, {}],
  ];
  await Promise.all(events.map((one) => harnessEvent(...one)));
}"""


def test_event_forged_by_the_application_has_no_effect(room: Room, enter: Enter, site: Site) -> None:
    """If a script in the page or in a frame forges an event, the event is logged and otherwise ignored."""
    alice, bob = (enter(f"{site.url}/simple-peer.html", name) for name in ("alice", "bob"))
    meet(room, alice, bob)
    received: list[str] = []

    def note(event: str, _: object) -> None:
        received.append(event)

    for event in EVENTS:
        alice.on(event, partial(note, event))
    alice.start_media_recording(record_config=SMALL)
    room.wait(seconds=1)

    alice.page.evaluate(_FORGED)
    alice.page.evaluate("() => void document.body.append(document.createElement('iframe'))")
    alice.page.frames[-1].evaluate(_FORGED)
    room.wait(seconds=1)
    alice.stop_media_recording()

    check_recording(alice.download_media_recording())
    assert ["recording-started", "recording-stopped", "recording-downloaded"] == received
    assert 16 == sum(line.startswith("not a recording event: ") for line in alice._page.log)
