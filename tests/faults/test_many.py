"""Many short recordings, microphone toggles, joins and downloads cause no errors and lose no data."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from statistics import median

import av
import pytest

from harness import RecordConfig, Recording, Report, Room, verify
from harness.recording.manifest import Manifest
from harness.recording.recording import sha256_of
from tests.support.goals import FULL, Goals

pytestmark = pytest.mark.alone

CheckFile = Callable[[Recording], Report]

LENGTHS = (0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0) if FULL else (0.3, 1.0)
TOGGLES = 100 if FULL else 10
CHANGES = 10 if FULL else 2
JOINS = 200 if FULL else 4
DOWNLOADS = 100 if FULL else 12
STOPS = 20 if FULL else 2


def test_short_recordings_are_valid_files(room: Room, goals: Goals, check_file: CheckFile) -> None:
    """Even a recording of only 0.3 s has video, audio and an index, and other programs can read it."""
    alice = room.join("alice")
    for seconds in LENGTHS:
        alice.start_media_recording(recorder="local", record_config=RecordConfig(record_name=f"{seconds} s"))
        # Part of the given time has already been recorded when the start call returns.
        room.wait(seconds=max(0.0, seconds - alice.elapsed))
        report = check_file(alice.download_media_recording())
        assert report.media is not None
        assert report.media.seekable

    figure = f"{len(LENGTHS)} of {len(LENGTHS)} valid"
    goals.measured("recordings of 0.3 s to 5 s", bar="all valid", figure=figure, met=True)


def test_toggles_and_device_changes_leave_no_gap(room: Room, goals: Goals, check_file: CheckFile) -> None:
    """The recorded audio stays continuous and in sync while microphones are toggled and devices are replaced."""
    alice, bob = room.join_all("alice", "bob")
    alice.start_media_recording(recorder="all", record_config=RecordConfig(record_name="toggles"))
    for number in range(TOGGLES):
        for participant in (alice, bob):
            participant.mute()
        room.wait(seconds=0.05)
        for participant in (alice, bob):
            participant.unmute()
        if number % (TOGGLES // CHANGES) == 0:
            bob.replace_device("audio")
            alice.replace_device("video")
    # The A/V offset is measured with bursts, and the toggles cut bursts in two.
    room.wait(seconds=3)
    expected_duration = alice.elapsed
    recording = alice.download_media_recording()

    report = check_file(recording)
    gap = longest_gap(recording)
    length_error = abs(recording.duration - expected_duration) * 1000
    offsets = [abs(one.av_offset_ms.median) for one in report.participants if one.av_offset_ms]
    goals.measured(
        f"{TOGGLES} toggles, {CHANGES} device changes: longest audio gap; length error",
        bar="<= 60 ms; <= 50 ms",
        figure=f"{gap:.0f} ms; {length_error:.0f} ms (A/V offset {max(offsets):.0f} ms)",
        met=gap <= 60 and length_error <= 50,
    )


def longest_gap(recording: Recording) -> float:
    """Return the longest gap, in ms, between the end of an audio packet and the beginning of the next."""
    with av.open(recording.path) as media:
        packets = [packet for packet in media.demux(audio=0) if packet.size]
    starts = [float((packet.pts or 0) * packet.time_base) * 1000 for packet in packets]
    return max(after - before - 60 for before, after in pairwise(starts))


def test_joins_and_leaves_do_not_disturb_the_recorder(room: Room, goals: Goals) -> None:
    """Joins and leaves cause no recorder errors, and the frame size stays the same."""
    alice = room.join("alice")
    alice.start_media_recording(recorder="all", record_config=RecordConfig(record_name="joins"))
    errors: list[object] = []
    alice.on("recording-failed", errors.append)
    for number in range(JOINS // 2):
        room.join(f"participant {number}", timeout=60).close()
    recording = alice.download_media_recording()

    report = verify(recording)
    with av.open(recording.path) as media:
        sizes = {(frame.width, frame.height) for frame in media.decode(video=0)}
    joined = sum(event.event == "join" for event in Manifest.read(recording.manifest).timeline.events)
    assert report.media is not None
    assert report.media.seekable
    assert joined == JOINS // 2 + 1
    goals.measured(
        f"{JOINS} joins and leaves in one recording",
        bar="no recorder errors, constant frame size",
        figure=f"{len(errors)} errors, sizes {sizes}",
        met=not errors and sizes == {(640, 360)},
    )


def test_all_downloads_in_quick_succession_arrive(room: Room, goals: Goals) -> None:
    """Each download creates a separate file with the same content, and no file is lost or overwritten."""
    alice = room.join("alice")
    alice.start_media_recording(recorder="local", record_config=RecordConfig(record_name="repeated"))
    room.wait(seconds=0.5)
    alice.stop_media_recording()
    files = [alice.download_media_recording() for _ in range(DOWNLOADS)]

    arrived = {one.path for one in files if sha256_of(one.path) == files[0].sha256}
    goals.measured(
        f"{DOWNLOADS} downloads of one name in succession",
        bar=f"{DOWNLOADS} of {DOWNLOADS}; nothing overwritten",
        figure=f"{len(arrived)} of {DOWNLOADS}",
        met=len(arrived) == DOWNLOADS,
    )
    assert DOWNLOADS == len(arrived)
    assert ["repeated.webm", "repeated-2.webm"] == [one.path.name for one in files[:2]]


@pytest.fixture
def busy_core() -> Iterator[None]:
    """Keep one CPU core busy during the test."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        yield
        process.kill()


@pytest.mark.thorough
@pytest.mark.starves
@pytest.mark.usefixtures("busy_core")
def test_a_stop_waits_for_the_frames_of_a_busy_encoder(room: Room, goals: Goals) -> None:
    """Audio and video end at the same time even if a slow codec and six participants overload the encoder."""
    alice, *_ = room.join_all("alice", "bob", "carol", "dave", "erin", "frank")
    past: list[float] = []
    took: list[float] = []
    for number in range(STOPS):
        config = RecordConfig(
            record_name="busy",
            record_video_quality="720p" if number % 2 else "480p",
            record_video_frame=30,
            codec="av1",
        )
        alice.start_media_recording(recorder="all", record_config=config)
        room.wait(seconds=2)
        alice.stop_media_recording()
        recording = alice.download_media_recording()
        alice.clean_media_recording()
        past.append(end_of(recording, "audio", 60) - end_of(recording, "video", 1000 / 30))
        took.append(recording.stop_to_file_ms or 0.0)

    goals.measured(
        f"{STOPS} stops of a busy encoder: audio after the last frame",
        bar="<= 100 ms",
        figure=f"{max(past):.0f} ms; a stop takes {median(took):.0f} ms (median), {max(took):.0f} ms (max)",
        met=max(past) <= 100,
    )


def end_of(recording: Recording, kind: str, packet: float) -> float:
    """Return the time at which a track ends, in ms; ``packet`` is the duration of its last packet in ms."""
    with av.open(recording.path) as media:
        return packet + max(
            float(one.pts * one.time_base) * 1000
            for one in media.demux()
            if one.stream.type == kind and one.pts is not None and one.time_base
        )
