"""Tests for devices and participants that change during a recording."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserType

from harness import Limits, Participant, RecordConfig, Report, Room, verify
from harness.recording.manifest import Manifest
from harness.server.room_server import RoomServer
from tests.support.reports import SMOOTHNESS_CHECKS, check_recording

# Tests that request the browser in advance share it, and with it the recorded calls. For a test that requests a call
# only by its name, pytest would start another browser.
pytestmark = [pytest.mark.alone, pytest.mark.usefixtures("browser")]

SMOOTH = RecordConfig(record_video_quality="360p", record_video_frame=15)
# Two calls of five participants need less CPU time at once than one call of nine.
MUTING = ("alice", "bob", "carol", "heidi", "ivan")
CHANGING = ("alice", "dave", "erin", "frank", "grace")
_OPEN_CAMERA = "() => navigator.mediaDevices.getUserMedia({ video: true }).then(() => 'open', (error) => error.name)"
SIZES = ("width: 240, height: 136", "width: 1280, height: 720", "width: 426, height: 240")


def finish_and_verify(participant: Participant) -> Report:
    """Stop, download and clean a recording, check that its report contains no failures, and return the report."""
    participant.stop_media_recording()
    recording = participant.download_media_recording()
    participant.clean_media_recording()
    return check_recording(recording)


@pytest.fixture(scope="module")
def muting_call(browser: Browser, room_server: RoomServer, recordings: Path) -> Report:
    """Record a call in which microphones and cameras are turned off and on, and return the report.

    Alice records. Bob mutes himself for a while, and Carol turns her camera off and on. Heidi's camera changes its
    resolution, and Ivan repeatedly mutes and unmutes his microphone. Alice does all of this, and changes her devices.
    """
    with Room(server=room_server, new_context=browser.new_context, recordings=recordings, name="call") as room:
        by_name = dict(zip(MUTING, room.join_all(*MUTING), strict=True))
        alice = by_name["alice"]
        alice.start_media_recording(recorder="all", record_config=SMOOTH)
        room.wait(seconds=1)
        by_name["bob"].mute()
        for name in ("alice", "carol"):
            by_name[name].turn_camera_off()
        for number in range(10):
            if number % 3 == 0 and number // 3 < len(SIZES):
                by_name["heidi"].page.evaluate(f"client.media.fit({{ {SIZES[number // 3]}, frameRate: 15 }})")
            for name in ("alice", "ivan"):
                by_name[name].mute()
            room.wait(seconds=0.08)
            for name in ("alice", "ivan"):
                by_name[name].unmute()
            room.wait(seconds=0.1)
        by_name["bob"].unmute()
        for name in ("alice", "carol"):
            by_name[name].turn_camera_on()
        _replace(alice)
        room.wait(seconds=1)
        _unplug(alice)
        room.wait(seconds=1)
        _replace(alice)
        room.wait(seconds=2)
        return verify(alice.download_media_recording())


@pytest.fixture(scope="module")
def changing_call(browser: Browser, room_server: RoomServer, recordings: Path) -> Report:
    """Record a call in which devices and participants change, and return the report.

    Alice records. Dave switches devices. Erin's devices are unplugged and replaced, Frank shares his screen, and Grace
    leaves and returns.
    """
    with Room(server=room_server, new_context=browser.new_context, recordings=recordings, name="call") as room:
        by_name = dict(zip(CHANGING, room.join_all(*CHANGING), strict=True))
        alice = by_name["alice"]
        alice.start_media_recording(recorder="all", record_config=SMOOTH)
        room.wait(seconds=1)
        _unplug(by_name["erin"])
        by_name["frank"].share_screen()
        by_name["grace"].leave()
        room.wait(seconds=1.5)
        _replace(by_name["erin"])
        by_name["frank"].stop_sharing_screen()
        _replace(by_name["dave"])
        room.wait(seconds=1)
        room.join("grace")
        room.wait(seconds=3)
        # Freezes of up to 1 s are allowed, because opening Grace's page takes CPU time from the other participants.
        return verify(alice.download_media_recording(), limits=Limits(frozen=1))


@pytest.fixture
def call(request: pytest.FixtureRequest) -> Report:
    """Return the report on the call that a test's parameter names."""
    report: Report = request.getfixturevalue(request.param)
    return report


def _unplug(participant: Participant) -> None:
    participant.unplug_device("audio")
    participant.unplug_device("video")


def _replace(participant: Participant) -> None:
    participant.replace_device("audio")
    participant.replace_device("video")


def on_states(report: Report, event: str, participant: str) -> list[bool | None]:
    """Return whether a participant's audio or video was on after each event in the manifest."""
    timeline = Manifest.read(report.path.with_suffix(".manifest.json")).timeline
    return [one.on for one in timeline.events if one.event == event and one.participant == participant]


def seconds_off(report: Report, event: str, participant: str) -> float:
    """Return how long a participant's audio or video was off, in seconds, according to the manifest."""
    timeline = Manifest.read(report.path.with_suffix(".manifest.json")).timeline
    times = [one.at for one in timeline.events if one.event == event and one.participant == participant]
    return sum(after - before for before, after in zip(times[1::2], times[2::2], strict=False))


def seconds_silent(report: Report, participant: str) -> float:
    """Return how long a participant is silent, in seconds, ignoring the first and last 0.4 s of the file."""
    audio = report.participant(participant).audio
    assert audio is not None
    return sum(end - start for start, end in audio.silent if start > 0.4 and end < duration_of(report) - 0.4)


def duration_of(report: Report) -> float:
    """Return the recording's duration in seconds."""
    assert report.media is not None
    return report.media.duration


def failures_of(report: Report, participant: str) -> list[str]:
    """Return the messages of a participant's failed findings, except those from smoothness checks."""
    return [
        finding.message
        for finding in report.failures
        if finding.participant == participant and finding.check not in SMOOTHNESS_CHECKS
    ]


def in_sync(report: Report, participant: str) -> bool:
    """Return whether a participant's median A/V offset is below 200 ms."""
    offset = report.participant(participant).av_offset_ms
    return offset is not None and abs(offset.median) < 200


@pytest.mark.parametrize("call", ["muting_call", "changing_call"], indirect=True)
def test_a_recording_in_which_everything_changes_passes_the_file_checks(
    call: Report, read_back: Callable[[Path], Any]
) -> None:
    """Every check of the whole file passes, and the video size never changes."""
    assert [] == [finding.message for finding in call.failures if finding.participant is None]
    assert {(640, 360)} == read_back(call.path).sizes


def test_a_muted_microphone_leaves_silence_and_returns_in_sync(muting_call: Report) -> None:
    """Bob is silent for as long as his microphone is muted, and is in sync with his video afterwards."""
    assert [True, False, True] == on_states(muting_call, "audio", "bob")
    assert seconds_silent(muting_call, "bob") == pytest.approx(seconds_off(muting_call, "audio", "bob"), abs=0.5)
    assert seconds_silent(muting_call, "carol") < 0.3
    assert [] == failures_of(muting_call, "bob")
    assert in_sync(muting_call, "bob")


def test_toggling_the_microphone_repeatedly_keeps_audio_and_video_in_sync(muting_call: Report) -> None:
    """NERTC's guide advises against toggling the microphone.

    After the microphone is toggled ten times, audio and video are still in sync.
    """
    assert [True, *[False, True] * 10] == on_states(muting_call, "audio", "ivan")
    assert [True, *[False, True] * 11] == on_states(muting_call, "audio", "alice")
    assert [] == failures_of(muting_call, "ivan")
    assert in_sync(muting_call, "ivan")
    assert in_sync(muting_call, "alice")


def test_a_camera_that_is_off_shows_the_placeholder_and_returns(muting_call: Report) -> None:
    """While Carol's or Alice's camera is off, her tile shows a placeholder instead of the last frame."""
    assert [True, False, True] == on_states(muting_call, "video", "carol")
    assert [True, False, True, False, True] == on_states(muting_call, "video", "alice")
    for name in ("alice", "carol"):
        assert [] == failures_of(muting_call, name)


@pytest.mark.parametrize(("call", "name"), [("muting_call", "alice"), ("changing_call", "dave")], indirect=["call"])
def test_a_replaced_device_is_recorded_to_the_end(call: Report, name: str) -> None:
    """Alice, who is recording, and Dave both switch to another microphone and camera."""
    assert call.participant(name).present[-1][1] > duration_of(call) - 0.5
    assert [] == failures_of(call, name)


def test_an_unplugged_device_leaves_silence_and_the_placeholder(changing_call: Report) -> None:
    """The recording continues when a participant's devices are unplugged and later replaced."""
    assert [True, False, True] == on_states(changing_call, "audio", "erin")
    assert [True, False, True] == on_states(changing_call, "video", "erin")
    assert [] == failures_of(changing_call, "erin")


def test_a_shared_screen_replaces_the_camera_until_it_ends(changing_call: Report) -> None:
    """The participant is visible before, during and after sharing a screen."""
    assert [True] == on_states(changing_call, "video", "frank")
    assert [] == failures_of(changing_call, "frank")


def test_a_camera_that_changes_its_resolution_does_not_change_the_recording(muting_call: Report) -> None:
    """Frames that are smaller, larger or of an unusual size all fill the same tile."""
    assert [] == failures_of(muting_call, "heidi")


def test_a_participant_who_leaves_and_returns_is_the_same_participant(changing_call: Report) -> None:
    """A participant who leaves and rejoins keeps the same name and marker, and is present in two intervals."""
    assert set(CHANGING) == {one.name for one in changing_call.participants}
    assert 2 == len(changing_call.participant("grace").present)
    assert [] == failures_of(changing_call, "grace")


def test_a_local_recording_contains_only_the_recording_participant(room: Room) -> None:
    """Bob joins, mutes, unmutes, shares his screen and leaves, but never appears in Alice's local recording."""
    alice = room.join("alice")
    alice.start_media_recording(recorder="local", record_config=SMOOTH)
    bob = room.join("bob")
    bob.mute()
    bob.unmute()
    bob.share_screen()
    room.wait(seconds=1)
    bob.leave()
    room.wait(seconds=0.5)

    report = finish_and_verify(alice)

    assert ["alice"] == [one.name for one in report.participants if one.present]


def test_a_pause_is_not_in_the_recording(room: Room, read_back: Callable[[Path], Any]) -> None:
    """After two pauses, frame times are still multiples of the frame interval, and audio and video are in sync."""
    alice, _ = room.join_all("alice", "bob")
    alice.start_media_recording(recorder="all", record_config=SMOOTH)
    for _ in range(2):
        room.wait(seconds=1)
        alice.pause_media_recording()
        assert "paused" == alice.get_media_recording().state
        room.wait(seconds=1)
        alice.resume_media_recording()
    # The A/V offset can't be measured close to the point at which the paused time was cut out, and needs a whole burst.
    room.wait(seconds=3.5)
    elapsed = alice.get_media_recording().elapsed

    report = finish_and_verify(alice)

    manifest = Manifest.read(report.path.with_suffix(".manifest.json"))
    media = read_back(report.path)
    step = 1000 / 15
    assert duration_of(report) == pytest.approx(elapsed, abs=0.5)
    assert all(abs(gap - round(gap / step) * step) < 1 for gap in media.gaps)
    # A frame that is still in the encoder when recording stops counts as a missed tick, but leaves no gap.
    assert manifest.ticks_missed >= sum(round(gap / step) - 1 for gap in media.gaps)
    assert manifest.ticks - manifest.ticks_missed == len(media.gaps) + 1
    assert in_sync(report, "alice")
    assert in_sync(report, "bob")


def test_stop_while_paused_yields_the_recording_up_to_the_pause(alice: Participant) -> None:
    """A recording that is stopped during a pause ends where the pause began."""
    alice.start_media_recording(record_config=SMOOTH)
    alice.wait(0.5)
    alice.pause_media_recording()
    until_then = alice.get_media_recording().elapsed
    alice.wait(1)

    report = finish_and_verify(alice)

    assert duration_of(report) == pytest.approx(until_then, abs=0.4)


def test_a_speaker_layout_shows_one_large_tile_above_a_strip(room: Room) -> None:
    """The participant who shares a screen gets the large tile, and every participant is still visible."""
    alice, bob, _ = room.join_all("alice", "bob", "carol")
    config = RecordConfig(layout="speaker", names=False, record_video_quality="720p", record_video_frame=15)
    alice.start_media_recording(recorder="all", record_config=config)
    room.wait(seconds=1)
    bob.share_screen()
    room.wait(seconds=1.2)

    report = finish_and_verify(alice)

    timeline = Manifest.read(report.path.with_suffix(".manifest.json")).timeline
    tiles = [event for event in timeline.events if event.event == "layout"][-1].tiles or ()
    assert {"bob": 1280} == {tile.participant: tile.width for tile in tiles if tile.height == 540}


def test_only_our_own_page_gets_the_camera(
    browser_type: BrowserType, browser_type_launch_args: dict[str, Any], room_server: RoomServer, tmp_path: Path
) -> None:
    """Our page can open the camera.

    Another site's page can't open the camera, because nobody answers Chrome's permission prompt.
    """
    asking = [switch for switch in browser_type_launch_args["args"] if switch != "--use-fake-ui-for-media-stream"]
    browser = browser_type.launch(
        **{**browser_type_launch_args, "args": [*asking, "--use-fake-device-for-media-stream"]}
    )
    with Room(server=room_server, new_context=browser.new_context, recordings=tmp_path, name="asking") as room:
        alice = room.join("alice", media="camera")
        other_page = alice.page.context.new_page()
        other_page.goto(room_server.url.replace("127.0.0.1", "localhost"))

        assert alice.page.evaluate("() => client.camera && client.microphone")
        assert other_page.evaluate(_OPEN_CAMERA) == "NotAllowedError"
    browser.close()
