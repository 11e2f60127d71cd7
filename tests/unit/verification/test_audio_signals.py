"""The page generates the audio signals that ``verify`` looks for."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from harness.recording.timeline import VOICES
from harness.verification.markers.audio_markers import AudioMarkerDetector
from harness.verification.markers.audio_signals import CHIRP_LEVEL, SECONDS, SPACINGS, TONE_LEVEL
from harness.verification.markers.strip import COUNTER_PERIOD, COUNTS_PER_SECOND
from harness.verification.probe.tracks import AudioBlock

pytestmark = pytest.mark.parallel

ROOT = Path(__file__).parents[3]
DURATION = 5
# A participant's audio as the page generates it, starting at second FIRST, as 32-bit floating-point samples.
SCRIPT = """
import { TONE_LEVEL, burstAt, chirp, toneOf } from './web/src/shared/marker.js';
const [marker, first, duration] = process.argv.slice(1).map(Number);
const audio = new Float32Array(duration * 48000);
for (let index = 0; index < audio.length; index += 1)
  audio[index] = TONE_LEVEL * Math.sin((2 * Math.PI * toneOf(marker) * index) / 48000);
for (let second = first; second < first + duration; second += 1)
  for (const { at, direction } of burstAt(second)) {
    const start = Math.round((at - first) * 48000);
    chirp(marker, 48000, direction).forEach((sample, index) => (audio[start + index] += sample));
  }
process.stdout.write(Buffer.from(audio.buffer));
"""


@pytest.mark.parametrize(("marker", "first"), [(0, 1), (5, 14), (15, 1000), (16, 7)])
def test_audio_that_the_page_generates_is_identified(marker: int, first: int) -> None:
    """The tone has the expected level, and every burst has the expected start and second."""
    command = (ROOT / "scripts/with-node", "node", "--input-type=module", "-e", SCRIPT)
    arguments = [str(number) for number in (marker, first, DURATION)]
    output = subprocess.run([*command, "--", *arguments], cwd=ROOT, capture_output=True, check=True, timeout=60).stdout
    detector = AudioMarkerDetector()
    detector.on_audio(AudioBlock(0.1, np.frombuffer(output, np.float32)))
    detector.on_audio(AudioBlock(0.1 + DURATION, np.zeros(4800, np.float32)))

    analysis = detector.finish()

    bursts = analysis.bursts[marker % VOICES]
    tones = analysis.tones[:, marker % VOICES]
    # The burst at the first sample of a file is not expected, because it can't be distinguished from a cut.
    assert [0.1 + second for second in range(1, DURATION)] == pytest.approx(bursts.times.tolist()[-4:], abs=0.001)
    expected = [SPACINGS[(first + second) % SECONDS] for second in range(1, DURATION)]
    assert expected == pytest.approx(bursts.spacings.tolist()[-4:], abs=0.001)
    assert bursts.similarity.min() > 0.95
    assert np.median(tones) == pytest.approx(TONE_LEVEL, rel=0.01)
    assert [0] * (VOICES - 1) == [one.times.size for voice, one in enumerate(analysis.bursts) if voice != marker % 16]


def test_counter_contains_a_whole_number_of_cycles_of_the_audio_marker() -> None:
    """When the counter starts again at 0, the audio marker's seconds also start again at 0."""
    assert 0 == COUNTER_PERIOD % (COUNTS_PER_SECOND * SECONDS)


def test_signals_of_a_burst_do_not_overlap() -> None:
    """The falling chirp starts after the rising chirp, and ends before the next burst."""
    assert SPACINGS.min() >= 0.16
    assert SPACINGS.max() + 0.16 <= 1
    assert (np.diff(SPACINGS) >= 0.04 - 1e-9).all()
    assert TONE_LEVEL < CHIRP_LEVEL
