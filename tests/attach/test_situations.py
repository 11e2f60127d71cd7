"""Record what happens in real calls: a camera is off, a screen is shared, or a participant reconnects."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from harness import InvalidStateError, RecordConfig, RecordingError
from tests.support.application_calls import SMALL, meet
from tests.support.media.colors import color_at
from tests.support.reports import audible_share, check_recording

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import BrowserContext, Page

    from harness import Participant, Recording, Report, Room
    from tests.support.servers.application_site import Site

    Enter = Callable[..., Participant]

AUDIO = RecordConfig(record_name="call", record_type="audio")


@pytest.fixture
def join(enter: Enter, site: Site) -> Enter:
    """Return a function that attaches a participant who joins the call with the given media."""

    def join(name: str, media: str = "camera,microphone", **options: object) -> Participant:
        return enter(f"{site.url}/situations.html?join={media}", name, **options)

    return join


def change(page: Page, call: str) -> None:
    """Call a function of the application."""
    page.wait_for_function("() => 'situation' in window")
    page.evaluate(f"situation.{call}")


def record(room: Room, participant: Participant, seconds: float = 3.0, config: RecordConfig = SMALL) -> Recording:
    """Record for a while, and return the downloaded recording."""
    participant.start_media_recording(record_config=config)
    room.wait(seconds=seconds)
    participant.stop_media_recording()
    return participant.download_media_recording()


def events(recording: Recording, kind: str) -> list[dict[str, object]]:
    """Return the events of one kind in a recording's manifest."""
    manifest = json.loads(recording.manifest.read_text(encoding="utf-8"))
    return [event for event in manifest["timeline"]["events"] if event["event"] == kind]


def problems(report: Report) -> list[str]:
    """Return what could not be examined, and the warnings about participants, the call and the completeness."""
    found = (*report.unverified, *report.warnings)
    return [one.message for one in found if one.check in {"presence", "call", "complete"}]


def test_participant_who_joins_with_the_camera_off_is_identified_by_audio(room: Room, join: Enter) -> None:
    """As soon as the camera is switched on, its video is assigned to the participant identified by audio."""
    alice, bob = join("alice"), join("bob", "microphone")
    meet(room, alice, bob)
    alice.start_media_recording(record_config=SMALL)
    room.wait(seconds=1.5)
    change(bob.page, "addCamera()")
    switched_on = alice.get_media_recording().elapsed
    room.wait(seconds=3)
    alice.stop_media_recording()

    report = check_recording(alice.download_media_recording(), crowded=True)

    assert ["alice", "bob"] == [one.name for one in report.participants]
    assert audible_share(report.participant("bob"), 0.5, switched_on) > 0.9
    assert report.participant("bob").is_visible(switched_on + 1.5, switched_on + 2.5)


@pytest.mark.parametrize("config", [SMALL, AUDIO], ids=["video", "audio"])
def test_call_without_video_is_recorded(room: Room, join: Enter, config: RecordConfig) -> None:
    """Both participants are identified and audible, whether the recording has audio only or shows placeholders."""
    alice, bob = join("alice", "microphone"), join("bob", "microphone")
    meet(room, alice, bob)

    report = check_recording(record(room, alice, config=config), crowded=True)

    assert [] == problems(report)
    for name in ("alice", "bob"):
        assert audible_share(report.participant(name), 0.5, 2.5) > 0.9


def test_track_without_frames_is_a_camera_that_is_off(room: Room, join: Enter) -> None:
    """The recording contains the participant's audio and shows a placeholder, and does not wait for the camera."""
    alice, bob = join("alice"), join("bob", "microphone,muted-camera")
    meet(room, alice, bob)
    room.wait(seconds=2)

    began = alice.page.evaluate("performance.now()")
    alice.start_media_recording(record_config=SMALL)
    waited = alice.page.evaluate("performance.now()") - began
    room.wait(seconds=3)
    alice.stop_media_recording()
    report = check_recording(alice.download_media_recording(), crowded=True)

    # On an otherwise idle machine, the limit would be 2 s.
    assert waited < 4000
    assert not report.participant("bob").is_visible(1, 1.1)
    assert audible_share(report.participant("bob"), 0.5, 2.5) > 0.9


@pytest.mark.parametrize("sharer", ["alice", "bob"], ids=["own", "remote"])
def test_shared_screen_has_its_own_tile_next_to_the_camera(room: Room, join: Enter, sharer: str) -> None:
    """The report lists the screen under its owner, who may be the recording participant or another participant."""
    alice, bob = join("alice"), join("bob")
    meet(room, alice, bob)
    change((alice if sharer == "alice" else bob).page, "addImage(10)")
    room.wait(seconds=3)

    recording = record(room, alice)
    report = check_recording(recording, crowded=True)

    assert ["bob"] == alice.others
    assert ["screen"] == [track.track for track in report.participant(sharer).tracks]
    tiles = events(recording, "layout")[-1]["tiles"]
    assert isinstance(tiles, list)
    (tile,) = [tile for tile in tiles if tile.get("track") == "screen"]
    assert tile["participant"] == sharer
    middle = (tile["x"] + tile["width"] // 2, tile["y"] + tile["height"] // 2)
    red, green, blue = color_at(recording.path, 2.0, *middle)
    assert (red > 200, green < 60, blue > 200) == (True, True, True)


def test_participant_stays_the_same_during_a_reconnect_on_a_second_connection(room: Room, join: Enter) -> None:
    """For a while, both connections carry Bob's tracks, because the first one closes after the second one opens."""
    alice, bob = join("alice"), join("bob")
    meet(room, alice, bob)
    alice.start_media_recording(record_config=SMALL)
    room.wait(seconds=1)
    change(alice.page, "migrate()")
    assert ["bob"] == alice.others
    room.wait(seconds=2)
    alice.stop_media_recording()

    recording = alice.download_media_recording()
    report = check_recording(recording, crowded=True)

    assert [] == events(recording, "leave")
    assert ["alice", "bob"] == [one.name for one in report.participants]
    assert audible_share(report.participant("bob"), 0.5, recording.duration - 0.5) > 0.8


def test_recording_fails_if_the_call_ends_before_the_recording(room: Room, join: Enter) -> None:
    """The report states the time after which nobody was in the call."""
    alice, bob = join("alice"), join("bob")
    meet(room, alice, bob)
    alice.start_media_recording(record_config=SMALL)
    room.wait(seconds=1.5)
    change(bob.page, "hangUp()")
    change(alice.page, "hangUp()")
    room.wait(seconds=2)
    alice.stop_media_recording()

    report = check_recording(alice.download_media_recording(), crowded=True, excused={"call"})

    (failure,) = [one for one in report.failures if one.check == "call"]
    assert failure.message.startswith("Nobody was in the call from")
    assert failure.at is not None
    assert failure.at[0] == pytest.approx(1.5, abs=0.8)


@pytest.mark.parametrize("still", ["alice", "bob"], ids=["own", "remote"])
def test_static_video_stays_in_the_recording(room: Room, join: Enter, still: str) -> None:
    """A static slide causes no alarm, even if the slide was painted long before the recording started."""
    alice, bob = (join(name, "still,microphone" if name == still else "camera,microphone") for name in ("alice", "bob"))
    meet(room, alice, bob)
    room.wait(seconds=1)
    change((alice if still == "alice" else bob).page, "paint()")
    room.wait(seconds=2)

    recording = record(room, alice, seconds=4)
    report = check_recording(recording, crowded=True)

    assert [] == events(recording, "alarm")
    (warning,) = problems(report)
    assert warning.startswith(f"{still}'s video has no marker")
    tiles = events(recording, "layout")[-1]["tiles"]
    assert isinstance(tiles, list)
    (tile,) = [tile for tile in tiles if tile["participant"] == still]
    middle = (tile["x"] + tile["width"] // 2, tile["y"] + tile["height"] // 2)
    red, green, blue = color_at(recording.path, 3.5, *middle)
    assert (red > 200, 120 < green < 210, blue < 60) == (True, True, True)


def test_deliberate_mute_of_an_unidentified_participant_raises_no_alarm(
    room: Room, join: Enter, site: Site, new_context: Callable[..., BrowserContext]
) -> None:
    """The manifest states when the participant was muted, and contains no alarm."""
    alice = join("alice")
    other = new_context(ignore_https_errors=True).new_page()
    other.goto(f"{site.url}/situations.html")
    room.wait_for(lambda: alice.others == ["unidentified 1"], what="the other participant", timeout=20)
    alice.start_media_recording(record_config=SMALL)
    room.wait(seconds=1.5)
    change(other, "setMicrophone(false)")
    room.wait(seconds=3)
    alice.stop_media_recording()

    recording = alice.download_media_recording()
    check_recording(recording, crowded=True)

    assert [] == events(recording, "alarm")
    (switch,) = [event for event in events(recording, "audio") if event["on"] is False]
    assert switch["participant"] == "unidentified 1"


def test_page_with_only_a_data_channel_is_in_no_call(join: Enter) -> None:
    """The error states that none of the page's WebRTC connections carries audio or video."""
    alice = join("alice")
    change(alice.page, "openDataChannel()")

    with pytest.raises(InvalidStateError, match="none of the page's WebRTC connections carries audio or video"):
        alice.start_media_recording(record_config=SMALL)


def test_recording_of_a_page_that_opens_another_document_is_kept(room: Room, join: Enter, site: Site) -> None:
    """If the page opens another document, the next API call raises an error that contains the recording so far."""
    alice, bob = join("alice"), join("bob")
    meet(room, alice, bob)
    alice.start_media_recording(record_config=SMALL)
    room.wait(seconds=1.5)
    alice.page.goto(f"{site.url}/empty.html")

    with pytest.raises(RecordingError, match="navigated to another document") as error:
        alice.stop_media_recording()

    assert error.value.recording is not None
    assert error.value.recording.duration > 1


def test_own_audio_that_comes_back_is_recorded_once(room: Room, enter: Enter, site: Site) -> None:
    """A page that calls itself receives its own audio with a delay. Recording this audio too would cause an echo."""
    alice = enter(f"{site.url}/alone.html", "alice")
    alice.page.get_by_text("connected").wait_for()

    recording = record(room, alice)

    check_recording(recording, crowded=True)
    assert {"alice"} == {event["participant"] for event in events(recording, "audio")}
