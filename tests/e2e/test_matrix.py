"""Tests that record with combinations of options, and tests that look for gaps between consecutive recordings."""

import os
from collections.abc import Iterator
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from harness import Participant, RecordConfig, Recording, Report, Room, verify
from harness.recording.manifest import Manifest
from harness.server.room_server import RoomServer
from harness.verification.markers.marker_reader import MarkerReader
from harness.verification.markers.strip import COUNTS_PER_SECOND
from harness.verification.markers.tracks import MarkerTrack
from harness.verification.probe.probe import probe
from tests.support.goals import Goals
from tests.support.reports import check_recording

pytestmark = pytest.mark.release

SIZES = {"360p": (640, 360), "480p": (640, 480), "720p": (1280, 720)}
# With HARNESS_FULL=1, the tests run all combinations and 50 restarts; the quick form runs fewer.
FULL = os.environ.get("HARNESS_FULL") == "1"
RESTARTS = 50 if FULL else 3
COMBINATIONS = list(product(("local", "all"), ("audio", "video"), SIZES, (15, 30)))
# For any two options, the quick form covers every combination of their values. Audio recordings have no size or frame
# rate.
QUICK = [
    ("local", "audio", "360p", 15),
    ("all", "audio", "720p", 30),
    ("local", "video", "360p", 30),
    ("all", "video", "360p", 15),
    ("local", "video", "480p", 15),
    ("all", "video", "480p", 30),
    ("local", "video", "720p", 30),
    ("all", "video", "720p", 15),
]


@pytest.fixture(scope="module")
def room_of_two(
    browser: Browser, room_server: RoomServer, recordings: Path
) -> Iterator[tuple[Room, Participant, Participant]]:
    """Yield the room that all tests share, and its participants Alice and Bob. Alice always subscribes to Bob."""
    with Room(server=room_server, new_context=browser.new_context, recordings=recordings, name="matrix") as room:
        alice, bob = room.join_all("alice", "bob", subscriber="alice")
        yield room, alice, bob


@pytest.mark.parametrize(("recorder", "kind", "quality", "frame_rate"), COMBINATIONS if FULL else QUICK)
def test_every_combination_passes_its_checks(
    room_of_two: tuple[Room, Participant, Participant], recorder: Any, kind: Any, quality: Any, frame_rate: Any
) -> None:
    """The report shows the requested participants, tracks, size and frame rate."""
    room, alice, _ = room_of_two
    config = RecordConfig(record_type=kind, record_video_quality=quality, record_video_frame=frame_rate)

    alice.start_media_recording(recorder=recorder, record_config=config)
    room.wait(seconds=0.9)
    alice.stop_media_recording()
    recording = alice.download_media_recording()
    alice.clean_media_recording()

    report = verify_recording(recording)
    assert (recorder, kind) == (recording.recorder, recording.type)
    assert ["alice", "bob"][: 2 if recorder == "all" else 1] == [one.name for one in report.participants if one.present]
    assert report.media is not None
    assert report.media.audio is not None
    assert "opus" == report.media.audio.codec
    if kind == "audio":
        assert report.media.video is None
    else:
        assert report.media.video is not None
        assert SIZES[quality] == (report.media.video.width, report.media.video.height)
        # The video has only about 18 ticks, so a single missed tick lowers the mean frame rate by 5 %.
        manifest = Manifest.read(recording.manifest)
        kept = 1 - manifest.ticks_missed / manifest.ticks
        assert frame_rate * kept == pytest.approx(report.media.video.frame_rate, rel=0.1)


def test_starts_while_recording_leave_no_gap(room_of_two: tuple[Room, Participant, Participant], goals: Goals) -> None:
    """Bob's first frame in each file directly follows his last frame in the previous file."""
    room, alice, _ = room_of_two
    config = RecordConfig(record_name="restart", record_video_frame=30)
    before = len(alice.recordings)

    for _ in range(RESTARTS + 1):
        alice.start_media_recording(recorder="all", record_config=config)
        # Chrome fact 20: Chrome drops all downloads after the tenth in one second, so make at most two per second.
        room.wait(seconds=0.6)
    alice.download_media_recording()
    alice.clean_media_recording()

    files = alice.recordings[before:]
    assert RESTARTS + 1 == len({recording.path for recording in files})
    for recording in files:
        verify_recording(recording)
    tracks = [marker_track(recording, "bob") for recording in files]
    step = COUNTS_PER_SECOND // 30
    steps = [int(new.counters[0] - old.counters[-1]) for old, new in pairwise(tracks)]
    gaps = [one for one in steps if one > step]
    figure = f"{len(gaps)} gaps; {len(files)} files"
    goals.measured(f"{RESTARTS} restarts", bar=f"no gap; {RESTARTS + 1} files", figure=figure, met=not gaps)
    assert [] == gaps


def verify_recording(recording: Recording) -> Report:
    """Verify a recording. In a thorough run, no other tests run at the same time, so every check must pass."""
    if not FULL:
        return check_recording(recording)
    report = verify(recording)
    report.raise_for_failures()
    return report


def marker_track(recording: Recording, name: str) -> MarkerTrack:
    """Return a participant's marker track from a recording."""
    timeline = Manifest.read(recording.manifest).timeline
    marker = next(member.marker for member in timeline.members if member.name == name)
    assert marker is not None
    assert recording.width is not None
    assert recording.height is not None
    reader = MarkerReader(timeline, (recording.width, recording.height))
    probe(recording.path, video_sinks=[reader])
    return reader.finish()[marker]
