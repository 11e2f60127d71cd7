"""The memory limit of the process that reads files is high enough for a recording that lasts a whole day."""

import tracemalloc

import numpy as np
import pytest

from harness.recording.isolation.child import MEMORY
from harness.recording.timeline import VOICES, Member, Timeline
from harness.verification.markers.audio_markers import AudioAnalysis
from harness.verification.markers.bursts import Bursts
from harness.verification.markers.marker_reader import MarkerReader
from harness.verification.markers.places import Place
from harness.verification.markers.tracks import Readings
from harness.verification.measures.observations import Observations
from harness.verification.measures.participants import measure_participants

pytestmark = pytest.mark.parallel

PARTICIPANTS = 9
MINUTES = 5
FRAME_RATE = 30


def test_day_of_nine_participants_at_30_fps_fits_in_memory() -> None:
    """Memory use is proportional to duration, so the use for a day is extrapolated from a five-minute recording."""
    frames = np.arange(MINUTES * 60 * FRAME_RATE)
    members = tuple(Member(name=f"participant {marker}", marker=marker) for marker in range(1, PARTICIPANTS + 1))
    timeline = Timeline(members=members)
    tracemalloc.start()
    try:
        reader = MarkerReader(timeline, (1280, 720))
        reader._times.frombytes((frames / FRAME_RATE).tobytes())
        for member in members:
            found = Readings(member.marker or 0, Place(0, 0, 1280, 720))
            found.frames.frombytes(frames.astype(np.uint32).tobytes())
            found.counters.frombytes((frames % (1 << 18)).astype(np.uint32).tobytes())
            found.captures.frombytes((frames * 100 // 3 % (1 << 22)).astype(np.uint32).tobytes())
            found.in_own_tile.frombytes(np.ones(frames.size, np.int8).tobytes())
            reader._finder._readings.append(found)
        steps = MINUTES * 60 * 20
        seconds = np.arange(MINUTES * 60)
        bursts = Bursts(
            times=seconds.astype(np.float64),
            spacings=(seconds % 16).astype(np.float64),
            similarity=np.ones(seconds.size, np.float32),
            echoes=np.zeros((0, 2), np.float32),
        )
        audio = AudioAnalysis(
            steps=np.stack((np.arange(steps) / 20, np.arange(1, steps + 1) / 20), axis=1),
            tones=np.full((steps, VOICES), 0.04, np.float32),
            levels=np.full(steps, 0.1, np.float32),
            noise=np.full(steps, 0.0001, np.float32),
            bursts=tuple(bursts for _ in range(VOICES)),
        )

        measured = measure_participants(
            Observations(
                marker_tracks=reader.finish(), audio=audio, rate=FRAME_RATE, duration=MINUTES * 60.0, zero_ms=0.0
            ),
            timeline,
        )

        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [frames.size] * PARTICIPANTS == [
        one.report.video.frames for one in measured[:PARTICIPANTS] if one.report.video
    ]
    day = most * 24 * 60 / MINUTES
    assert day < MEMORY, f"{day / 1e6:.0f} MB"
