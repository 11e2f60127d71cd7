"""Measure each channel of the audio before the channels are mixed: clipping, silent channels and opposite phase."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.recording.timeline import Interval

# Minimum duration of a step in seconds. Blocks of audio, which are often 20 ms long, are combined into steps.
_STEP: Final = 0.1
# Samples with at least this value count as clipped. A mixer's clipped samples are at full scale or just below it, and a
# decoder may overshoot a little.
FULL_SCALE: Final = 0.999
# Maximum RMS level of a silent channel (-60 dBFS), and minimum RMS level of the other channels (-50 dBFS).
_SILENT: Final = 0.001
_AUDIBLE: Final = 0.00316
# Channels have opposite phase if mixing them removes all but this share of their power (20 dB).
_LEFT_AFTER_MIXING: Final = 0.01


@dataclass(frozen=True, kw_only=True)
class ChannelLevels:
    """The levels of all channels in steps of at least 0.1 s.

    ``steps`` has two columns: the start and the end of each step, in seconds. ``clipped`` is the share of clipped
    samples in the channel with the most clipped samples. ``powers`` has a column for each channel: the mean square of
    the samples. ``mixed`` is the mean square of the average of all channels.
    """

    steps: NDArray[np.float64]
    clipped: NDArray[np.float32]
    powers: NDArray[np.float32]
    mixed: NDArray[np.float32]

    def clipped_intervals(self, percent: float) -> list[Interval]:
        """Return the steps in which more than this share of the samples is clipped."""
        return self._where(self.clipped > percent / 100)

    def one_sided_intervals(self) -> list[tuple[int, list[Interval]]]:
        """Return (channel, steps) for each channel that is silent while another channel is not."""
        quiet = self.powers < _SILENT**2
        others = (self.powers > _AUDIBLE**2).any(axis=1)
        return [
            (channel, self._where(quiet[:, channel] & others))
            for channel in range(self.powers.shape[1])
            if (quiet[:, channel] & others).any()
        ]

    def opposite_intervals(self) -> list[Interval]:
        """Return the steps in which the channels cancel each other out when they are mixed."""
        audible = (self.powers > _AUDIBLE**2).sum(axis=1) > 1
        return self._where(audible & (self.mixed < _LEFT_AFTER_MIXING * self.powers.mean(axis=1)))

    def _where(self, chosen: NDArray[np.bool_]) -> list[Interval]:
        return [(float(start), float(end)) for start, end in self.steps[chosen]]


class ChannelMeter:
    """Measures blocks of audio with any number of channels; channels that are added later are ignored."""

    def __init__(self) -> None:
        self._rows = array("d")
        self._sums: NDArray[np.float64] | None = None
        self._samples = 0
        self._start = self._end = 0.0
        self._channels = 0

    def push(self, samples: NDArray[np.float32], mixed: NDArray[np.float32], at: float, end: float) -> None:
        """Measure a block with one row per channel, and the average of its channels. Times are in seconds."""
        if not samples.size:
            return
        self._channels = self._channels or len(samples)
        if self._samples and at - self._end > _STEP:
            self._end_step()
        if not self._samples:
            self._start = at
        powers = np.zeros(self._channels)
        known = samples[: self._channels]
        powers[: len(known)] = np.einsum("ij,ij->i", known, known)
        loudest = max(float(samples.max()), -float(samples.min()))
        clipped = int((np.abs(samples) >= FULL_SCALE).sum(axis=1).max()) if loudest >= FULL_SCALE else 0
        sums = np.array([clipped, float(mixed @ mixed), *powers])
        self._sums = sums if self._sums is None else self._sums + sums
        self._samples += samples.shape[1]
        self._end = end
        if end - self._start >= _STEP - 1e-6:
            self._end_step()

    def levels(self) -> ChannelLevels:
        """Return the levels, after all blocks have been measured."""
        if self._samples:
            self._end_step()
        rows = np.array(self._rows).reshape(-1, 4 + self._channels)
        return ChannelLevels(
            steps=rows[:, :2],
            clipped=rows[:, 2].astype(np.float32),
            mixed=rows[:, 3].astype(np.float32),
            powers=rows[:, 4:].astype(np.float32),
        )

    def _end_step(self) -> None:
        if self._sums is not None:
            self._rows.extend((self._start, self._end, *(self._sums / self._samples)))
        self._sums, self._samples = None, 0
