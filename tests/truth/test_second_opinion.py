"""A second opinion on the A/V offset: av-drift-detector reads its own markers from the same file."""

import shutil
from pathlib import Path

import av_drift_detector as drift
import numpy as np
import pytest

from harness import verify
from tests.support.goals import FULL, Goals
from tests.support.media.audio import mix_audio
from tests.support.media.frames import FrameRenderer
from tests.support.media.scene import Scene, participants
from tests.truth.plant import SAMPLE_RATE, DecodedMedia, encoded

pytestmark = pytest.mark.parallel
RATE = 30
SECONDS = 10 if FULL else 3
# Two tiles next to each other: our markers on the left, those of av-drift-detector on the right.
WIDTH, HEIGHT, WIDE, HIGH = 1280, 720, 640, 360


def with_both_markers(late: float) -> DecodedMedia:
    """Return media with both kinds of markers, and with audio that is delayed by ``late`` seconds."""
    scene = Scene(participants=participants("alice"), width=WIDE, height=HIGH, seconds=SECONDS)
    renderer = FrameRenderer(scene)
    theirs = drift.PatternRenderer(fps=str(RATE), width=WIDE, height=HIGH)
    frames = []
    for tick in range(scene.ticks):
        planes = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
        planes[:HEIGHT] = 16
        middle = slice((HEIGHT - HIGH) // 2, (HEIGHT + HIGH) // 2)
        planes[middle, :WIDE] = renderer.render(tick)[:HIGH]
        planes[middle, WIDE:] = np.frombuffer(theirs.render(tick), np.uint8).reshape(HIGH, WIDE)
        frames.append(planes)
    count = SECONDS * SAMPLE_RATE
    tones = np.asarray(drift.synthesize_audio(count, fps=str(RATE), sample_rate=SAMPLE_RATE, music=False))
    audio = mix_audio(scene)[:count] + 0.5 * tones.astype(np.float32)
    shift = round(late * SAMPLE_RATE)
    moved = np.roll(audio, shift)
    moved[: max(shift, 0)] = 0
    return DecodedMedia(RATE, frames, np.stack((moved, moved)).astype(np.float32))


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="av-drift-detector needs FFmpeg's programs to read files.")
@pytest.mark.parametrize("late", [-0.08, 0.0, 0.08] if FULL else [0.08])
def test_av_drift_detector_measures_the_same_offset(tmp_path: Path, goals: Goals, late: float) -> None:
    """Both measurements match the planted offset and each other to within ten milliseconds."""
    path = tmp_path / "twice.webm"
    encoded(with_both_markers(late), path)

    report = verify(path)

    ours = report.participants[0].av_offset_ms
    theirs = drift.analyze(str(path))["summary"]["mean_ms"]
    assert ours is not None
    assert theirs is not None
    goals.measured(
        f"second opinion on {late * 1000:+.0f} ms",
        bar="both accurate to 10 ms",
        figure=f"verify {ours.median:+.1f}, av-drift-detector {theirs:+.1f}",
        met=abs(ours.median - late * 1000) <= 10 and abs(theirs - ours.median) <= 10,
    )
    assert ours.median == pytest.approx(late * 1000, abs=10)
    assert theirs == pytest.approx(ours.median, abs=10)
