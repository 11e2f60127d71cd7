"""Tests that record a room with start, stop, download and clean, and read the file back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness import InvalidStateError, Participant, RecordConfig, Recording, Room, verify
from harness.recording.manifest import Manifest
from tests.support.reports import check_recording


def record(participant: Participant, *, seconds: float = 1.5, recorder: Any = "all", **config: Any) -> Recording:
    """Record for the given number of seconds, and return the downloaded recording."""
    participant.start_media_recording(recorder=recorder, record_config=RecordConfig(**config))
    participant.wait(seconds)
    participant.stop_media_recording()
    recording = participant.download_media_recording()
    participant.clean_media_recording()
    return recording


@pytest.mark.parametrize(
    ("quality", "frame_rate", "size"),
    [("360p", 15, (640, 360)), ("720p", 30, (1280, 720))],
)
def test_a_recording_has_the_requested_size_and_exact_frame_times(
    alice_with_bob: Participant,
    read_back: Callable[[Path], Any],
    quality: Any,
    frame_rate: Any,
    size: tuple[int, int],
) -> None:
    """Frame times are multiples of the frame interval, and every missing frame is counted in the manifest."""
    recording = record(alice_with_bob, record_video_quality=quality, record_video_frame=frame_rate)

    media = read_back(recording.path)
    step = 1000 / frame_rate
    ticks = [round(gap / step) for gap in media.gaps]
    assert {"vp9", "opus"} == media.codecs
    assert {size} == media.sizes
    # The container stores timestamps in whole milliseconds.
    assert all(abs(gap - tick * step) < 1 for gap, tick in zip(media.gaps, ticks, strict=True))
    assert sum(ticks) - len(ticks) <= Manifest.read(recording.manifest).ticks_missed
    assert (recording.width, recording.height, recording.frame_rate) == (*size, frame_rate)


@pytest.mark.parametrize("codec", ["vp8", "av1"])
def test_vp8_and_av1_can_be_recorded(alice_with_bob: Participant, read_back: Callable[[Path], Any], codec: Any) -> None:
    """VP8 and AV1 recordings contain the requested codec and pass their checks."""
    recording = record(alice_with_bob, codec=codec)

    media = read_back(recording.path)
    assert {"opus", {"vp8": "vp8", "av1": "libdav1d"}[codec]} == media.codecs
    assert {(640, 360)} == media.sizes
    check_recording(recording)


def test_an_audio_recording_is_a_webm_with_opus_only(
    alice_with_bob: Participant, read_back: Callable[[Path], Any]
) -> None:
    """A recording of type ``audio`` has no video track."""
    recording = record(alice_with_bob, record_type="audio")

    media = read_back(recording.path)
    assert {"opus"} == media.codecs
    assert [] == media.video_times
    assert recording.duration > 1
    assert (media.audio_times[-1] - media.audio_times[0]) / 1000 == pytest.approx(recording.duration, abs=0.2)
    check_recording(recording)


def test_a_start_and_an_immediate_stop_yield_a_valid_file(alice: Participant) -> None:
    """The start call returns only after the server has received data from both tracks, so the file is never empty."""
    recording = record(alice, seconds=0)

    report = verify(recording)
    assert report.media is not None
    assert report.media.seekable


def test_every_participant_is_visible_and_audible_while_present(room: Room) -> None:
    """Carol joins and Bob leaves during the recording, and the report shows when each participant is present."""
    alice, bob = room.join_all("alice", "bob")
    config = RecordConfig(record_name="standup", record_video_frame=30)
    alice.start_media_recording(recorder="all", record_config=config)
    room.wait(seconds=1)
    room.join("carol")
    room.wait(seconds=1)
    bob.leave()
    room.wait(seconds=1)
    alice.stop_media_recording()

    recording = alice.download_media_recording()

    report = check_recording(recording)
    present = {one.name: (one.present[0][0], one.present[-1][1]) for one in report.participants}
    assert {"alice", "bob", "carol"} == set(present)
    # Carol appears more than 1 s into the recording, because joining takes time.
    assert 1 < present["carol"][0] < recording.duration - 1.5
    assert 2 < present["bob"][1] < recording.duration - 0.5
    assert present["alice"] == pytest.approx((0, recording.duration), abs=0.5)
    assert "standup.webm" == recording.path.name
    assert recording.recovered is None


def test_a_camera_is_recorded_like_any_other_source(room: Room) -> None:
    """A real camera's video has no marker, so only the file as a whole can be examined."""
    alice = room.join("alice", media="camera")
    alice.start_media_recording(recorder="local")
    room.wait(seconds=1)
    alice.stop_media_recording()

    recording = alice.download_media_recording()

    assert [None] == [member.marker for member in Manifest.read(recording.manifest).timeline.members]
    report = check_recording(recording)
    assert ["alice"] == [finding.participant for finding in report.unverified]


def test_a_second_start_keeps_the_first_recording(alice: Participant) -> None:
    """When the second recording starts, the first one is stopped and downloaded automatically."""
    alice.start_media_recording(record_config=RecordConfig(record_name="first"))
    first = alice.get_media_recording().id
    alice.wait(0.5)
    alice.start_media_recording(record_config=RecordConfig(record_name="second"))

    assert [first] == [recording.id for recording in alice.recordings]
    assert first != alice.get_media_recording().id
    assert "recording" == alice.get_media_recording().state
    alice.wait(0.5)
    alice.download_media_recording()
    assert ["first.webm", "second.webm"] == [recording.path.name for recording in alice.recordings]
    for recording in alice.recordings:
        check_recording(recording)


def test_calls_at_the_wrong_moment_are_refused(room: Room) -> None:
    """Stop, download and start raise errors that explain why each call is refused. Calling clean is always allowed."""
    alice = room.join("alice")

    with pytest.raises(InvalidStateError, match="Nothing is being recorded"):
        alice.stop_media_recording()
    with pytest.raises(InvalidStateError, match="Nothing has been recorded"):
        alice.download_media_recording()
    alice.clean_media_recording()
    alice.clean_media_recording()
    alice.leave()
    with pytest.raises(InvalidStateError, match="Not in a room"):
        alice.start_media_recording()


def test_a_recording_can_still_be_downloaded_after_leaving(room: Room) -> None:
    """Leaving the room ends the recording, and the downloaded file is complete."""
    alice = room.join("alice")
    alice.start_media_recording(record_config=RecordConfig(record_name="left"))
    room.wait(seconds=1)
    alice.leave()

    recording = alice.download_media_recording()

    alice.clean_media_recording()
    check_recording(recording)


def test_a_recording_is_kept_when_its_page_is_closed(room: Room) -> None:
    """The recording contains everything that was acknowledged before the tab closed, and states why it ended."""
    alice = room.join("alice")
    alice.start_media_recording(record_config=RecordConfig(record_name="gone"))
    room.wait(seconds=1)
    elapsed = alice.get_media_recording().elapsed
    alice.page.close()

    alice.close()

    (recording,) = alice.recordings
    assert recording.recovered is not None
    assert recording.duration == pytest.approx(elapsed, abs=0.7)
    check_recording(recording)


def test_an_exception_inside_the_room_keeps_the_recording(room: Room) -> None:
    """An exception in the ``with`` block closes the room, which finishes the recording."""
    alice = room.join("alice")
    alice.start_media_recording(record_config=RecordConfig(record_name="exception"))
    room.wait(seconds=1)

    room.close()

    assert ["exception.webm"] == [recording.path.name for recording in room.recordings]


def test_two_participants_with_the_same_name_get_different_names(room: Room) -> None:
    """Names in a room are unique, so that reports can tell participants apart."""
    both = room.join_all("alice", "alice")

    assert {"alice", "alice 2"} == {one.name for one in both}


def test_participants_who_subscribe_to_each_other_at_once_are_connected(room: Room) -> None:
    """Both participants send offers at the same time, and still receive each other's media."""
    subscriptions = {"*": {"width": 320, "height": 180, "frameRate": 15}}
    for number in range(2):
        pair = [room._open(f"{name} {number}") for name in ("alice", "bob")]
        room.participants.extend(pair)
        joining = [
            one._begin_join(
                {"name": one.name, "token": room._server.token(room.name, one.name), "subscriptions": subscriptions}
            )
            for one in pair
        ]
        for joined in joining:
            joined()

        received = "() => [...client.room.participants.values()].every((member) => member.received)"
        for one in pair:
            one.page.wait_for_function(received)
            one.leave()


def test_consecutive_recordings_share_one_connection(room: Room) -> None:
    """The second recording reuses the first one's RTP senders, which send nothing between the recordings."""
    alice = room.join("alice")
    bob = room._open("bob")
    room.participants.append(bob)
    bob.page.evaluate("""() => {
        const Original = RTCPeerConnection;
        globalThis.connections = [];
        globalThis.RTCPeerConnection = class extends Original {
            constructor(options) {
                super(options);
                connections.push(this);
            }
        };
    }""")
    bob._begin_join({"name": "bob", "token": room._server.token(room.name, "bob")})()
    sending = "connections.flatMap((one) => one.getSenders()).map(({ track }) => track?.kind ?? null)"

    for _ in range(2):
        alice.start_media_recording(recorder="all")
        assert bob.page.evaluate(sending) == ["audio", "video"]
        alice.clean_media_recording()
        bob.page.wait_for_function(f"() => {sending}.every((kind) => kind === null)")

    assert bob.page.evaluate(sending) == [None, None]
