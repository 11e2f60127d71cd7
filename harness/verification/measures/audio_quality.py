"""Measure the level, similarity and echo of each participant's audio, and the noise in the mixed audio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from harness.verification.markers.audio_markers import HOP
from harness.verification.markers.audio_signals import SPEAKING, TONE_LEVEL
from harness.verification.values.intervals import merged
from harness.verification.values.models import Echo

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.recording.timeline import Interval
    from harness.verification.markers.audio_markers import AudioAnalysis
    from harness.verification.markers.bursts import Bursts

_BRIDGE: Final = 2 * HOP
# An echo repeats at least this share of the bursts, and at least this many of them, after the same delay. Delays within
# the slack, in seconds, count as the same.
_REPEATED: Final = 0.5
_FEWEST_REPEATED: Final = 2
_DELAY_SLACK: Final = 0.01
_QUIETEST: Final = -120.0


class Deviation(NamedTuple):
    """An interval, and the level there: relative to the expected level in dB, or absolute in dBFS."""

    at: Interval
    level: float


def decibels(amplitude: float) -> float:
    """Return an amplitude in dB relative to 1."""
    return float(20 * np.log10(amplitude))


def median_level(audio: AudioAnalysis, voice: int) -> float | None:
    """Return the median level of a voice's tone while the tone is present, in dBFS, or None if it is never present."""
    tone = audio.tones[:, voice]
    present = tone[tone > 0]
    return round(decibels(float(np.median(present))), 1) if present.size else None


def level_deviations(audio: AudioAnalysis, voice: int, limit: float) -> list[Deviation]:
    """Return the intervals in which a tone is too quiet or too loud.

    The tone is too quiet if it is more than ``limit`` dB below the level that a synthetic microphone plays, and too
    loud if it is more than ``limit`` dB above the level of a participant who is speaking.
    """
    tone = audio.tones[:, voice]
    present = tone > 0
    relative = np.full(tone.shape, 0.0, np.float32)
    np.log10(tone / TONE_LEVEL, out=relative, where=present)
    relative *= 20
    quiet = present & (relative < -limit)
    loud = present & (relative > limit + decibels(SPEAKING))
    return [*_deviations(audio.steps, relative, quiet), *_deviations(audio.steps, relative, loud)]


def noisy_intervals(audio: AudioAnalysis, limit: float) -> list[Deviation]:
    """Return the intervals in which everything except the markers is louder than ``limit`` dBFS (RMS)."""
    noise = np.nan_to_num(audio.noise)
    noisy = noise > 10 ** (limit / 20)
    levels = np.full(noise.shape, limit, np.float32)
    np.log10(noise, out=levels, where=noisy)
    levels[noisy] *= 20
    return _deviations(audio.steps, levels, noisy)


def noise_floor(audio: AudioAnalysis) -> float | None:
    """Return the median level of everything except the markers, in dBFS (RMS), or None if it could not be measured."""
    noise = audio.noise[np.isfinite(audio.noise)]
    if not noise.size:
        return None
    return round(max(decibels(float(np.median(noise)) + 1e-9), _QUIETEST), 1)


def similarity(bursts: Bursts) -> float | None:
    """Return the median similarity of a voice's bursts to undistorted bursts, or None if there are no bursts."""
    return round(float(np.median(bursts.similarity)), 3) if bursts.similarity.size else None


def echo(bursts: Bursts) -> Echo | None:
    """Return the echo that repeats most of the bursts after the same delay, or None if there is no echo."""
    if len(bursts.echoes) < _FEWEST_REPEATED:
        return None
    delays = np.sort(bursts.echoes[:, 0])
    near = np.searchsorted(delays, delays + _DELAY_SLACK, side="right") - np.arange(delays.size)
    start = int(near.argmax())
    if near[start] < max(_FEWEST_REPEATED, _REPEATED * bursts.times.size):
        return None
    delay = delays[start : start + near[start]]
    same = (bursts.echoes[:, 0] >= delay[0]) & (bursts.echoes[:, 0] <= delay[-1])
    return Echo(
        delay_ms=round(float(np.median(delay)) * 1000, 1),
        level_db=round(decibels(float(np.median(bursts.echoes[same, 1]))), 1),
    )


def _deviations(steps: NDArray[np.float64], levels: NDArray[np.float32], wrong: NDArray[np.bool_]) -> list[Deviation]:
    """Merge the wrong steps into intervals, and return each interval with its median level."""
    intervals = merged(((float(start), float(end)) for start, end in steps[wrong]), bridge=_BRIDGE)
    found = []
    for start, end in intervals:
        first, last = np.searchsorted(steps[:, 0], (start, end))
        inside = slice(int(first), int(last))
        found.append(Deviation((start, end), round(float(np.median(levels[inside][wrong[inside]])), 1)))
    return found
