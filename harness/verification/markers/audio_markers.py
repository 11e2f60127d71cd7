"""Detect the markers in synthetic audio, and measure the levels of tones, noise and the mixed audio.

``audio_signals.py`` describes the markers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from harness.recording.timeline import VOICES
from harness.verification.markers.audio_signals import CHIRP_SECONDS, TONES
from harness.verification.markers.bursts import BLOCK, Bursts, Chirp, ChirpDetector, join_chirps
from harness.verification.probe.tracks import SAMPLE_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.verification.probe.tracks import AudioBlock

HOP: Final = 0.05

_STEP: Final = SAMPLE_RATE
# The analysis window is 80 ms long, because a Hann window of this length can separate tones that are 50 Hz apart. If a
# jitter buffer inserts or removes audio, or a delay is corrected, only this much audio around the splice is affected.
_WINDOW: Final = round(SAMPLE_RATE * 0.08)
_HOP: Final = round(SAMPLE_RATE * HOP)
# A tone is present if it is 12 dB above the noise between the tones, and above -60 dBFS.
_ABOVE_NOISE: Final = 4.0
_FAINTEST_TONE: Final = 0.001
# A tone starts or ends if it is absent for this many steps and then present for as many, or the other way around. The
# second value is the number of steps before and after this moment that may contain a part of a chirp.
_MUTED: Final = 4
_EDGE: Final = 3
# Noise is measured in these frequency ranges, in Hz: below and above the participants' tones. The markers of shared
# screens are above 6 kHz.
_NOISE_RANGES: Final = ((50.0, 250.0), (1100.0, 6000.0))
# A jump in the timestamps of more than this many seconds starts a new section. The timestamps of 60 ms packets normally
# jitter by several milliseconds.
_SECTION_STEP: Final = 0.045


@dataclass(frozen=True, kw_only=True)
class AudioAnalysis:
    """The markers and levels in the audio, in steps of 50 ms.

    ``steps`` has two columns: the start and the end of each step, in seconds. Each step starts where the previous step
    ends, except at gaps in the audio. ``tones`` has a column for each of the 16 tones: the amplitude of the tone during
    each step, or 0 if the tone is not above the noise. ``levels`` holds the RMS level of the mixed audio. ``noise``
    holds the RMS level of everything up to 6 kHz except the tones, or NaN while a chirp is played. ``bursts`` holds the
    bursts of each voice.
    """

    steps: NDArray[np.float64]
    tones: NDArray[np.float32]
    levels: NDArray[np.float32]
    noise: NDArray[np.float32]
    bursts: tuple[Bursts, ...]


class AudioMarkerDetector:
    """Detects tones and bursts, and measures the level of the mixed audio, block by block."""

    def __init__(self) -> None:
        self._chirp_detector = ChirpDetector()
        self._blocks: list[NDArray[np.float32]] = []
        self._size = 0
        # For each packet in the blocks, its first sample and the time of this sample. Times are always based on the
        # packets' timestamps, and never computed by counting samples from the start of the file.
        self._stamps: list[tuple[int, float]] = []
        self._in_section = False
        self._end: float | None = None
        self._steps: list[NDArray[np.float64]] = []
        self._tones: list[NDArray[np.float32]] = []
        self._levels: list[NDArray[np.float32]] = []
        self._noise: list[NDArray[np.float32]] = []
        self._rising: list[list[Chirp]] = [[] for _ in range(VOICES)]
        self._falling: list[list[Chirp]] = [[] for _ in range(VOICES)]
        self._fade = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
        self._tone_bins = np.round(TONES * _WINDOW / SAMPLE_RATE).astype(int)
        # Noise is measured halfway between two tones, because neither tone contributes to it there.
        between = np.array([-75, -25, 25, 75])
        self._noise_bins = np.round((TONES[:, None] + between) * _WINDOW / SAMPLE_RATE).astype(int)
        ranges = np.round(np.array(_NOISE_RANGES) * _WINDOW / SAMPLE_RATE).astype(int)
        self._free_bins = np.concatenate([np.arange(first, last) for first, last in ranges])
        # The sum over all bins of a sine's squared amplitude spectrum is this many times its squared amplitude.
        self._spread = float((self._fade**2).sum() * _WINDOW / self._fade.sum() ** 2)

    def on_audio(self, block: AudioBlock) -> None:
        """Analyze the next block of audio."""
        if self._end is not None and abs(block.at - self._end) > _SECTION_STEP:
            self._end_section()
        self._stamps.append((self._size, block.at))
        self._blocks.append(block.samples)
        self._size += block.samples.size
        self._end = block.at + block.samples.size / SAMPLE_RATE
        while self._size >= BLOCK:
            buffer = np.concatenate(self._blocks)
            self._analyze(buffer[:BLOCK], np.arange(0, _STEP, _HOP))
            self._blocks = [buffer[_STEP:]]
            self._size -= _STEP
            moved = [(place - _STEP, at) for place, at in self._stamps]
            self._stamps = moved[max(0, sum(place <= 0 for place, _ in moved) - 1) :]

    def finish(self) -> AudioAnalysis:
        """Return the analysis of all audio, and free the detector's memory."""
        self._end_section()
        steps = np.concatenate([np.zeros((0, 2)), *self._steps])
        noise = np.concatenate([np.zeros(0, np.float32), *self._noise])
        starts = [one.start for chirps in (*self._rising, *self._falling) for one in chirps]
        tones = np.concatenate([np.zeros((0, VOICES), np.float32), *self._tones])
        noise[_during_chirps(steps, starts) | _around_edges(steps, tones)] = np.nan
        levels = np.concatenate([np.zeros(0, np.float32), *self._levels])
        bursts = tuple(
            join_chirps(self._rising[voice], self._falling[voice], partial(_loudest_at, steps, tones[:, voice]))
            for voice in range(VOICES)
        )
        # Free the arrays, which take 160 MB per day of audio, because the result replaces them.
        self._steps, self._tones, self._levels, self._noise = [], [], [], []
        return AudioAnalysis(
            steps=steps,
            tones=tones,
            levels=levels,
            noise=noise,
            bursts=bursts,
        )

    def _end_section(self) -> None:
        """Analyze the rest of a section of audio, so that the next block starts a new section."""
        if self._size:
            buffer = np.concatenate(self._blocks)
            last = max(1, self._size - _WINDOW + 1)
            self._analyze(np.pad(buffer, (0, BLOCK - self._size)), np.arange(0, last, _HOP))
            self._steps[-1][-1, 1] = self._end
        self._blocks, self._size, self._stamps, self._in_section = [], 0, [], False

    def _analyze(self, block: NDArray[np.float32], windows: NDArray[np.int64]) -> None:
        """Measure the windows that start at the sample positions ``windows``, and find all chirps in the block."""
        frames = np.lib.stride_tricks.sliding_window_view(block, _WINDOW)[windows]
        spectrum = np.abs(np.fft.rfft(frames * self._fade, axis=1)) * (2 / self._fade.sum())
        tones = spectrum[:, self._tone_bins]
        noise = spectrum[:, self._noise_bins].mean(axis=2)
        clear = (tones > _ABOVE_NOISE * noise) & (tones > _FAINTEST_TONE)
        self._tones.append(np.where(clear, tones, 0).astype(np.float32))
        # A sine of amplitude 1 has an RMS level of the square root of 1/2.
        power = (spectrum[:, self._free_bins] ** 2).sum(axis=1) / (2 * self._spread)
        self._noise.append(np.sqrt(power).astype(np.float32))
        middle = slice((_WINDOW - _HOP) // 2, (_WINDOW + _HOP) // 2)
        self._levels.append(np.sqrt((frames[:, middle] ** 2).mean(axis=1)))
        starts = self._time(windows + (_WINDOW - _HOP) / 2)
        steps = np.stack((starts, starts + HOP), axis=1)
        if not self._in_section:
            self._in_section = True
            steps[0, 0] = self._stamps[0][1]
        self._steps.append(steps)
        for chirps, found in zip((self._rising, self._falling), self._chirp_detector.find(block), strict=True):
            for voice, ones in enumerate(found):
                times = self._time(np.array([one.start for one in ones]))
                chirps[voice].extend(one._replace(start=at) for one, at in zip(ones, times.tolist(), strict=True))

    def _time(self, samples: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Return the times of samples in the block, in seconds.

        Each time is computed from the last timestamp before the sample.
        """
        places, stamps = np.array(self._stamps).T
        which = np.maximum(np.searchsorted(places, samples, side="right") - 1, 0)
        return np.asarray(stamps[which] + (samples - places[which]) / SAMPLE_RATE)


def _loudest_at(
    steps: NDArray[np.float64], tone: NDArray[np.float32], times: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return the largest amplitude of a tone during the chirps that start at ``times``."""
    if not tone.size:
        return np.zeros(times.size, np.float32)
    first = np.searchsorted(steps[:, 1], times)
    near = [tone[(first + away).clip(max=tone.size - 1)] for away in range(round(CHIRP_SECONDS / HOP) + 1)]
    return np.asarray(np.max(near, axis=0))


def _around_edges(steps: NDArray[np.float64], tones: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return an array that is true for each step in which a part of a chirp may have been cut off.

    Chirps are cut off at the start and the end of the audio, at gaps, and where a participant is muted or unmuted.
    """
    edges = np.zeros(len(steps) + 1, bool)
    edges[[0, -1]] = True
    edges[1:-1] = np.diff(steps[:, 0]) > 1.5 * HOP
    present = tones > 0
    for last, voice in np.argwhere(present[1:] != present[:-1]):
        edge = last + 1
        before, after = present[max(0, edge - _MUTED) : edge, voice], present[edge : edge + _MUTED, voice]
        # Noise can hide a tone for a moment, but a mute lasts longer.
        if before.all() != after.all() and before.any() != after.any():
            edges[edge] = True
    near = np.zeros(len(steps) + 1, bool)
    for away in range(-_EDGE, _EDGE + 1):
        near |= np.roll(edges, away)
    return near[:-1]


def _during_chirps(steps: NDArray[np.float64], starts: list[float]) -> NDArray[np.bool_]:
    """Return an array that is true for each step whose window contains a part of a chirp."""
    margin = (_WINDOW - _HOP) / 2 / SAMPLE_RATE
    change = np.zeros(len(steps) + 1, np.int32)
    np.add.at(change, np.searchsorted(steps[:, 1], np.array(starts) - margin), 1)
    np.add.at(change, np.searchsorted(steps[:, 0], np.array(starts) + CHIRP_SECONDS + margin), -1)
    return np.asarray(np.cumsum(change[:-1]) > 0)
