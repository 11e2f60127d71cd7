"""Simulate hours of recording faster than real time: memory usage stays low, and finalizing is quick."""

from collections.abc import Iterator
from pathlib import Path

import av
import psutil
import pytest

from harness.recording.manifest import Manifest
from harness.server.spool.spool import Spool
from harness.verification.probe.container import read_structure
from tests.support.goals import FULL, Goals
from tests.support.recordings.long_recording import (
    KEYFRAME_EVERY,
    EndlessRecording,
    begin_recording,
    feed_recording,
    finish_time,
)

LONG = 8 * 3600 if FULL else 300
MB = 1_000_000


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """Return an empty spool."""
    spool = Spool(tmp_path, {})
    yield spool
    spool.close()


def test_long_recording_uses_little_memory_and_has_a_correct_index(spool: Spool, tmp_path: Path, goals: Goals) -> None:
    """Memory usage hardly grows during hours of recording, and the file's duration, ticks and index are correct."""
    footage = EndlessRecording(tmp_path, rate=15)
    active = begin_recording(spool, footage, "hours")
    me = psutil.Process()
    sizes = [me.memory_info().rss / MB for at in feed_recording(active, footage, LONG) if at > 60]
    manifest = active.finish_with_manifest()
    grown = max(sizes) - sizes[0]

    path = active.path
    structure = read_structure(path)
    assert structure is not None
    assert structure.cues
    assert structure.duration == pytest.approx(LONG, abs=0.2)
    assert 0 == manifest.ticks_missed
    assert manifest == Manifest.read(path.with_suffix(".manifest.json"))
    with av.open(path) as media:
        for share in (0.0, 0.1, 0.5, 0.9, 0.9999):
            target = share * LONG
            media.seek(round(target * av.time_base))
            landed = next(packet for packet in media.demux(video=0) if packet.pts is not None)
            assert landed.is_keyframe
            assert landed.pts is not None
            assert target - KEYFRAME_EVERY - 0.1 <= float(landed.pts * landed.time_base) <= target + 0.1
    goals.measured(
        f"memory growth during {LONG / 3600:g} hours of recording; index",
        bar="<= 150 MB; correct",
        figure=f"{grown:.0f} MB; correct",
        met=grown <= 150,
    )


def test_finalization_time_does_not_depend_on_the_length(spool: Spool, tmp_path: Path, goals: Goals) -> None:
    """At 2.5 Mbps, a recording of 10 min is finalized as quickly as a recording of 10 s."""
    footage = EndlessRecording(tmp_path, rate=30, frame_bytes=9_700)
    took = {}
    for seconds in (10, 600):
        active = begin_recording(spool, footage, f"{seconds} s")
        for _ in feed_recording(active, footage, seconds):
            pass
        took[seconds] = finish_time(active, seconds)
        assert active.finish_with_manifest().recording.duration == pytest.approx(seconds, abs=0.2)
        active.clean()

    goals.measured(
        "time from the last byte to the complete file, 10 s and 10 min",
        bar="<= 150 ms each",
        figure=f"{took[10]:.0f} ms and {took[600]:.0f} ms",
        met=max(took.values()) <= 150,
    )
