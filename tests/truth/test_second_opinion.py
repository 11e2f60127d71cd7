"""A second opinion on how far sound is from picture: av-drift-detector reads its own marks from the same file."""

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

RATE = 30
SECONDS = 10 if FULL else 3
# Two tiles of a grid side by side: ours to the left, theirs to the right.
WIDTH, HEIGHT, WIDE, HIGH = 1280, 720, 640, 360


def marked_twice(late: float) -> DecodedMedia:
    """Return a film that carries both kinds of marks, with the sound so many seconds late."""
    scene = Scene(participants=participants("alice"), width=WIDE, height=HIGH, seconds=SECONDS)
    renderer = FrameRenderer(scene)
    theirs = drift.PatternRenderer(fps=str(RATE), width=WIDE, height=HIGH)
    pictures = []
    for tick in range(scene.ticks):
        planes = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
        planes[:HEIGHT] = 16
        middle = slice((HEIGHT - HIGH) // 2, (HEIGHT + HIGH) // 2)
        planes[middle, :WIDE] = renderer.render(tick)[:HIGH]
        planes[middle, WIDE:] = np.frombuffer(theirs.render(tick), np.uint8).reshape(HIGH, WIDE)
        pictures.append(planes)
    count = SECONDS * SAMPLE_RATE
    tones = np.asarray(drift.synthesize_audio(count, fps=str(RATE), sample_rate=SAMPLE_RATE, music=False))
    sound = mix_audio(scene)[:count] + 0.5 * tones.astype(np.float32)
    shift = round(late * SAMPLE_RATE)
    moved = np.roll(sound, shift)
    moved[: max(shift, 0)] = 0
    return DecodedMedia(RATE, pictures, np.stack((moved, moved)).astype(np.float32))


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="av-drift-detector reads files through FFmpeg's programs.")
@pytest.mark.parametrize("late", [-0.08, 0.0, 0.08] if FULL else [0.08])
def test_another_program_measures_the_same_offset(tmp_path: Path, goals: Goals, late: float) -> None:
    """To ten milliseconds, both against what was planted and against each other."""
    path = tmp_path / "twice.webm"
    encoded(marked_twice(late), path)

    report = verify(path)

    ours = report.participants[0].av_offset_ms
    theirs = drift.analyze(str(path))["summary"]["mean_ms"]
    assert ours is not None
    assert theirs is not None
    goals.measured(
        f"second opinion on {late * 1000:+.0f} ms",
        bar="both right to 10 ms",
        figure=f"verify {ours.median:+.1f}, av-drift-detector {theirs:+.1f}",
        met=abs(ours.median - late * 1000) <= 10 and abs(theirs - ours.median) <= 10,
    )
    assert ours.median == pytest.approx(late * 1000, abs=10)
    assert theirs == pytest.approx(ours.median, abs=10)
