"""Tests that call join, start, stop, pause, download and clean in unusual orders."""

import sys
from collections.abc import Callable
from pathlib import Path

import av
import pytest
from playwright.sync_api import BrowserContext

from harness import InvalidStateError, Participant, RecordConfig, Room, StepTimeout
from harness.recording.manifest import Manifest
from tests.support.processes import added_niceness, renderer_of
from tests.support.reports import check_recording


def config_named(name: str) -> RecordConfig:
    """Return a configuration with the given recording name."""
    return RecordConfig(record_name=name)


def test_a_join_returns_when_the_subscriber_has_video_and_audio(room: Room) -> None:
    """Bob's join returns only after Alice, who subscribes to him, has received his audio and video."""
    alice = room.join("alice", subscribe=True)

    room.join("bob")

    members = "[...client.room.participants.values()].map((one) => [one.name, one.received])"
    assert [["bob", True]] == alice.page.evaluate(members)


def test_a_join_returns_immediately_if_nobody_subscribes(room: Room) -> None:
    """Nobody subscribes to Bob, so his join returns although he sends no media."""
    alice = room.join("alice")

    room.join("bob")

    members = "[...client.room.participants.values()].map((one) => [one.name, one.received, one.videoTrack])"
    assert [["bob", False, None]] == alice.page.evaluate(members)


def test_a_join_without_a_connection_ends_in_a_step_timeout(
    room: Room, new_context: Callable[..., BrowserContext]
) -> None:
    """If Alice does not receive Bob's media, the error says so, and the room continues without Bob."""

    def unreachable() -> BrowserContext:
        context = new_context()
        # Force this page to use a TURN relay; no relay exists, so the page can't connect.
        context.add_init_script(
            """window.RTCPeerConnection = class extends RTCPeerConnection {
                constructor(options) { super({ ...options, iceTransportPolicy: 'relay' }); }
            };"""
        )
        return context

    alice = room.join("alice", subscribe=True)
    room._new_context = unreachable

    with pytest.raises(StepTimeout, match="alice did not receive our first frame and audio within 1 s"):
        room.join("bob", timeout=1)

    alice.start_media_recording(recorder="local")
    alice.stop_media_recording()


def test_a_participant_in_the_room_cannot_join_again(alice: Participant) -> None:
    """A client that is already in a room can't join again, and the refused call does not remove it from the room."""
    page = alice.page

    refusal = page.evaluate("client.join({ name: 'alice' }).catch(({ code, message }) => [code, message])")

    assert [10454, "alice is already in a room; leave it first."] == refusal
    assert "joined" == page.evaluate("client.state")


def test_a_start_downloads_an_earlier_recording_that_was_not_downloaded(alice: Participant) -> None:
    """A stopped recording that was not downloaded is downloaded when the next one starts."""
    alice.start_media_recording(record_config=config_named("stopped"))
    alice.stop_media_recording()

    alice.start_media_recording(record_config=config_named("next"))

    assert ["stopped.webm"] == [recording.path.name for recording in alice.recordings]
    check_recording(alice.recordings[0])
    assert "next.webm" == alice.download_media_recording().path.name


def test_a_start_after_a_downloaded_recording_downloads_nothing(alice: Participant) -> None:
    """A recording that was already downloaded is not downloaded again."""
    alice.start_media_recording(record_config=config_named("one"))
    alice.download_media_recording()

    alice.start_media_recording(record_config=config_named("two"))

    assert ["one.webm"] == [recording.path.name for recording in alice.recordings]


def test_stop_resolves_when_the_file_is_complete(alice: Participant) -> None:
    """Stop returns the size and hash of the file that is later downloaded, and a second stop is refused."""
    alice.start_media_recording(record_config=config_named("complete"))

    finished = alice.page.evaluate("client.stopMediaRecording()")

    with pytest.raises(InvalidStateError, match="Nothing is being recorded"):
        alice.stop_media_recording()
    recording = alice.download_media_recording()
    assert ("complete.webm", recording.size, recording.sha256) == (
        finished["name"],
        finished["size"],
        finished["sha256"],
    )


def test_leaving_ends_a_recording_and_rejoining_starts_a_new_one(room: Room) -> None:
    """A participant records, leaves, rejoins and records again, and both files are complete."""
    alice = room.join("alice")
    alice.start_media_recording(record_config=config_named("before"))
    alice.page.evaluate("client.leave()")
    assert "stopped" == alice.get_media_recording().state
    token = room._server.token(room.name, "alice")
    alice.page.evaluate("(token) => client.join({ name: 'alice', token })", token)

    alice.start_media_recording(record_config=config_named("after"))
    alice.download_media_recording()

    assert ["before.webm", "after.webm"] == [recording.path.name for recording in alice.recordings]
    for recording in alice.recordings:
        check_recording(recording)


def test_clean_while_recording_stops_and_frees_the_recording(alice: Participant, recordings: Path) -> None:
    """Calling clean during a recording discards the recording, and a new one can start."""
    alice.start_media_recording(record_config=config_named("discarded"))
    number = alice.get_media_recording().id

    alice.clean_media_recording()

    assert "cleaned" == alice.get_media_recording().state
    assert [] == alice.recordings
    assert not (recordings / ".spool" / str(number)).exists()
    with pytest.raises(InvalidStateError, match="Nothing has been recorded"):
        alice.download_media_recording()
    alice.start_media_recording()


def test_the_downloaded_file_survives_the_clean(alice: Participant, recordings: Path) -> None:
    """Clean deletes the page's and the spool's copies, but not the downloaded file."""
    alice.start_media_recording(record_config=config_named("mine"))
    recording = alice.download_media_recording()

    alice.clean_media_recording()

    assert not (recordings / ".spool" / recording.id).exists()
    check_recording(recording)


@pytest.mark.parametrize("call", ["start", "download"])
def test_start_and_download_during_a_pause_behave_as_while_recording(alice: Participant, call: str) -> None:
    """Both start and download end a paused recording, and download its complete file."""
    alice.start_media_recording(record_config=config_named(f"paused {call}"))
    alice.wait(0.7)
    alice.pause_media_recording()
    until_then = alice.get_media_recording().elapsed
    alice.wait(0.7)

    if call == "start":
        alice.start_media_recording(record_config=config_named("other"))
    else:
        alice.download_media_recording()

    recording = alice.recordings[0]
    assert f"paused {call}.webm" == recording.path.name
    assert recording.duration == pytest.approx(until_then, abs=0.4)
    assert recording.recovered is None
    check_recording(recording)


def test_a_pause_without_a_recording_is_refused(alice: Participant) -> None:
    """Pausing requires a recording, and resuming requires a paused recording."""
    with pytest.raises(InvalidStateError, match="Nothing is being recorded"):
        alice.pause_media_recording()
    alice.start_media_recording()
    with pytest.raises(InvalidStateError, match="No recording is paused"):
        alice.resume_media_recording()


def test_an_invalid_option_neither_starts_nor_ends_a_recording(alice: Participant) -> None:
    """The error for an invalid option contains its name, value and valid values. The current recording continues."""
    alice.start_media_recording(record_config=config_named("unharmed"))

    refusal = alice.page.evaluate(
        "client.startMediaRecording({ recorder: 'everybody' }).catch(({ name, message }) => [name, message])"
    )

    assert ["ConfigError", 'recorder: "everybody" is not valid; choose one of "local", "all".'] == refusal
    message = alice.page.evaluate(
        "client.startMediaRecording({ recordConfig: { recordVideoFrame: 24 } }).catch((error) => error.message)"
    )
    assert "recordVideoFrame: 24 is not valid; choose one of 15, 30." == message
    assert "recording" == alice.get_media_recording().state
    assert "unharmed.webm" == alice.download_media_recording().path.name


def test_the_defaults_match_nertc(alice_with_bob: Participant) -> None:
    """Without options, start records all participants with video and audio, at 640x360 and 15 fps."""
    alice_with_bob.page.evaluate("client.startMediaRecording()")

    recording = alice_with_bob.download_media_recording()

    facts = (recording.recorder, recording.type, recording.width, recording.height, recording.frame_rate)
    assert ("all", "video", 640, 360, 15) == facts
    assert ["alice", "bob"] == [member.name for member in Manifest.read(recording.manifest).timeline.members]


def test_chrome_plays_a_recording_and_seeks_in_it(alice: Participant) -> None:
    """A video element reports the file's duration immediately, and seeks to the middle of the file."""
    alice.start_media_recording(record_config=config_named("played"))
    alice.wait(1)
    recording = alice.download_media_recording()
    player = alice.page.context.new_page()
    player.set_content("<input type=file><video muted></video>")
    player.set_input_files("input", recording.path)

    duration, at, width = player.evaluate(
        """async () => {
            const video = document.querySelector('video');
            const happens = (name) => new Promise((resolve) => video.addEventListener(name, resolve, { once: true }));
            video.src = URL.createObjectURL(document.querySelector('input').files[0]);
            await happens('loadedmetadata');
            const { duration } = video;
            video.currentTime = duration / 2;
            await happens('seeked');
            return [duration, video.currentTime, video.videoWidth];
        }"""
    )

    assert recording.duration == pytest.approx(duration, abs=0.1)
    assert duration / 2 == pytest.approx(at, abs=0.1)
    assert 640 == width


@pytest.mark.parametrize("names", [True, False])
def test_names_are_drawn_in_the_tiles_unless_turned_off(alice: Participant, *, names: bool) -> None:
    """The corner of a tile contains bright letters if names are shown, and only dark video otherwise."""
    alice.start_media_recording(recorder="local", record_config=RecordConfig(names=names))

    recording = alice.download_media_recording()

    with av.open(recording.path) as media:
        corner = next(media.decode(video=0)).to_ndarray(format="gray")[330:358, 4:64]
    assert names is bool(corner.max() > 150)


@pytest.mark.skipif(sys.platform != "linux", reason="On other systems threads have no nice values.")
def test_a_participant_who_only_sends_has_lower_priority_than_the_recording_participant(room: Room) -> None:
    """When CPU time is scarce, the recording participant's page has priority, so that fewer frames are lost."""
    alice, bob = room.join_all("alice", "bob")
    # Find both processes now, because Bob's process might not be the busiest once its priority is lower.
    alice_process, bob_process = renderer_of(alice), renderer_of(bob)
    assert [0, 0] == [added_niceness(one) for one in (alice_process, bob_process)]

    alice.start_media_recording(record_config=config_named("priority"))

    assert [0, 10] == [added_niceness(one) for one in (alice_process, bob_process)]
    alice.stop_media_recording()
