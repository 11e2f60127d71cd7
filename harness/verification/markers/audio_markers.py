"""The markers in synthetic audio: a tone for each participant, and a burst every second.

Marker ``m`` has a continuous tone of ``300 + 50 (m mod 16)`` Hz. The participant is audible while this tone is in the
file. A burst starts every second, whenever the counter in the video marker is a multiple of 30. The burst is an 80 ms
chirp that rises by 240 Hz, is centered on ``1350 + 300 (m mod 16)`` Hz, and is faded in and out. A matched filter
locates the start of each burst to within a millisecond, even while all participants are audible.
``web/src/media/synthetic.js`` generates the audio that this module analyzes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from harness.recording.timeline import VOICES
from harness.verification.probe.tracks import SAMPLE_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.verification.probe.tracks import AudioBlock

TONES: Final = 300.0 + 50.0 * np.arange(VOICES)
BURSTS: Final = 1350.0 + 300.0 * np.arange(VOICES)
BURST_SECONDS: Final = 0.08
SWEEP: Final = 120.0
HOP: Final = 0.05

_BLOCK: Final = 65_536
_STEP: Final = SAMPLE_RATE
# The analysis window is 80 ms long, because a Hann window of this length can separate tones that are 50 Hz apart. If a
# jitter buffer inserts or removes audio, or a delay is corrected, only this much audio around the splice is affected.
_WINDOW: Final = round(SAMPLE_RATE * 0.08)
_HOP: Final = round(SAMPLE_RATE * HOP)
# A tone is present if it is 12 dB above the noise between the tones, and above -50 dBFS.
_ABOVE_NOISE: Final = 4.0
_FAINTEST_TONE: Final = 0.003
# Minimum similarity between a burst and the signal in its frequency band. An undistorted burst has a similarity of 1,
# while noise reaches 0.7 only once every few days.
_SIMILARITY: Final = 0.7
_FAINTEST_BURST: Final = 0.01
_BURSTS_APART: Final = 0.5
# A jump in the timestamps of more than this many seconds starts a new section. The timestamps of 60 ms packets normally
# jitter by several milliseconds.
_SECTION_STEP: Final = 0.045


@dataclass(frozen=True, kw_only=True)
class AudioAnalysis:
    """The markers and levels in the audio, in steps of 50 ms.

    ``steps`` has two columns: the start and the end of each step, in seconds. Each step starts where the previous step
    ends, except at gaps in the audio. ``tones`` has a column for each of the 16 tones: the amplitude of the tone during
    each step, or 0 if the tone is not above the noise. ``levels`` holds the RMS level of the mixed audio. ``bursts``
    holds the sorted start times of each marker's bursts, in seconds.
    """

    steps: NDArray[np.float64]
    tones: NDArray[np.float32]
    levels: NDArray[np.float32]
    bursts: tuple[NDArray[np.float64], ...]


def burst(voice: int) -> NDArray[np.complex128]:
    """Return one of the 16 different bursts, at 48 kHz, as an analytic signal of amplitude 1.

    A synthetic participant plays the real part of this signal.
    """
    at = np.arange(round(BURST_SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    phase = (BURSTS[voice] - SWEEP) * at + SWEEP / BURST_SECONDS * at**2
    fade = 0.5 - 0.5 * np.cos(2 * np.pi * at / BURST_SECONDS)
    return np.asarray(fade * np.exp(2j * np.pi * phase))


class BurstDetector:
    """Finds all bursts in a block of audio.

    One Fourier transform of the block is enough: each of the 16 different bursts has its own narrow frequency band.
    """

    _WIDTH: Final = 1024
    _HALF_BAND: Final = 200.0

    def __init__(self) -> None:
        resolution = SAMPLE_RATE / _BLOCK
        half = round(self._HALF_BAND / resolution)
        centers = np.round(BURSTS / resolution).astype(int)
        self._bins = centers[:, None] + np.arange(-half, half + 1)
        templates = np.array([burst(voice) for voice in range(VOICES)])
        spectra = np.fft.fft(templates, _BLOCK, axis=1)
        self._templates = np.take_along_axis(spectra, self._bins, axis=1).conj()
        self._energy = float((np.abs(templates[0]) ** 2).sum())
        self._stride = _BLOCK // self._WIDTH
        self._span = templates.shape[1] // self._stride
        self._valid = (_BLOCK - templates.shape[1]) // self._stride

    def find(self, block: NDArray[np.float32]) -> list[list[tuple[float, float]]]:
        """Return a list for each of the 16 different bursts, with (start in samples, amplitude) of each burst found.

        Only bursts that are completely inside the block are found.
        """
        band = np.fft.rfft(block)[self._bins]
        scale = self._WIDTH / _BLOCK
        signal = np.fft.ifft(band, self._WIDTH, axis=1) * scale
        match = np.abs(np.fft.ifft(band * self._templates, self._WIDTH, axis=1) * scale)
        running = np.cumsum(np.abs(signal) ** 2, axis=1) * self._stride
        energy = np.pad(running[:, self._span :] - running[:, : -self._span], ((0, 0), (0, self._span)), mode="edge")
        similarity = match / np.sqrt(energy * self._energy + 1e-12)
        amplitude = 2 * match / self._energy
        inner = slice(1, self._valid)
        peaks = (match[:, 1:-1] >= match[:, :-2]) & (match[:, 1:-1] > match[:, 2:])
        good = (
            peaks[:, : self._valid - 1] & (similarity[:, inner] > _SIMILARITY) & (amplitude[:, inner] > _FAINTEST_BURST)
        )
        found: list[list[tuple[float, float]]] = [[] for _ in range(VOICES)]
        for voice, index in np.argwhere(good):
            before, at, after = match[voice, index : index + 3]
            offset = 0.5 * (before - after) / (before - 2 * at + after)
            found[voice].append(((index + 1 + offset) * self._stride, float(amplitude[voice, index + 1])))
        return found


class AudioMarkerDetector:
    """Detects tones and bursts, and measures the level of the mixed audio, block by block."""

    def __init__(self) -> None:
        self._burst_detector = BurstDetector()
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
        self._bursts: list[list[tuple[float, float]]] = [[] for _ in range(VOICES)]
        self._fade = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
        self._tone_bins = np.round(TONES * _WINDOW / SAMPLE_RATE).astype(int)
        # Noise is measured halfway between two tones, because neither tone contributes to it there.
        between = np.array([-75, -25, 25, 75])
        self._noise_bins = np.round((TONES[:, None] + between) * _WINDOW / SAMPLE_RATE).astype(int)

    def on_audio(self, block: AudioBlock) -> None:
        """Analyze the next block of audio."""
        if self._end is not None and abs(block.at - self._end) > _SECTION_STEP:
            self._end_section()
        self._stamps.append((self._size, block.at))
        self._blocks.append(block.samples)
        self._size += block.samples.size
        self._end = block.at + block.samples.size / SAMPLE_RATE
        while self._size >= _BLOCK:
            buffer = np.concatenate(self._blocks)
            self._analyze(buffer[:_BLOCK], np.arange(0, _STEP, _HOP))
            self._blocks = [buffer[_STEP:]]
            self._size -= _STEP
            moved = [(place - _STEP, at) for place, at in self._stamps]
            self._stamps = moved[max(0, sum(place <= 0 for place, _ in moved) - 1) :]

    def finish(self) -> AudioAnalysis:
        """Return the analysis of all audio, and free the detector's memory."""
        self._end_section()
        steps, tones, levels = self._steps, self._tones, self._levels
        # Free the arrays, which take 150 MB per day of audio, because the result replaces them.
        self._steps, self._tones, self._levels = [], [], []
        return AudioAnalysis(
            steps=np.concatenate([np.zeros((0, 2)), *steps]),
            tones=np.concatenate([np.zeros((0, VOICES), np.float32), *tones]),
            levels=np.concatenate([np.zeros(0, np.float32), *levels]),
            bursts=tuple(_without_echoes(found) for found in self._bursts),
        )

    def _end_section(self) -> None:
        """Analyze the rest of a section of audio, so that the next block starts a new section."""
        if self._size:
            buffer = np.concatenate(self._blocks)
            last = max(1, self._size - _WINDOW + 1)
            self._analyze(np.pad(buffer, (0, _BLOCK - self._size)), np.arange(0, last, _HOP))
            self._steps[-1][-1, 1] = self._end
        self._blocks, self._size, self._stamps, self._in_section = [], 0, [], False

    def _analyze(self, block: NDArray[np.float32], windows: NDArray[np.int64]) -> None:
        """Measure the windows that start at the sample positions ``windows``, and find all bursts in the block."""
        frames = np.lib.stride_tricks.sliding_window_view(block, _WINDOW)[windows]
        spectrum = np.abs(np.fft.rfft(frames * self._fade, axis=1)) * (2 / self._fade.sum())
        tones = spectrum[:, self._tone_bins]
        noise = spectrum[:, self._noise_bins].mean(axis=2)
        clear = (tones > _ABOVE_NOISE * noise) & (tones > _FAINTEST_TONE)
        self._tones.append(np.where(clear, tones, 0).astype(np.float32))
        middle = slice((_WINDOW - _HOP) // 2, (_WINDOW + _HOP) // 2)
        self._levels.append(np.sqrt((frames[:, middle] ** 2).mean(axis=1)))
        starts = self._time(windows + (_WINDOW - _HOP) / 2)
        steps = np.stack((starts, starts + HOP), axis=1)
        if not self._in_section:
            self._in_section = True
            steps[0, 0] = self._stamps[0][1]
        self._steps.append(steps)
        for voice, found in enumerate(self._burst_detector.find(block)):
            times = self._time(np.array([start for start, _ in found]))
            self._bursts[voice].extend(zip(times.tolist(), (size for _, size in found), strict=True))

    def _time(self, samples: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Return the times of samples in the block, in seconds.

        Each time is computed from the last timestamp before the sample.
        """
        places, stamps = np.array(self._stamps).T
        which = np.maximum(np.searchsorted(places, samples, side="right") - 1, 0)
        return np.asarray(stamps[which] + (samples - places[which]) / SAMPLE_RATE)


def _without_echoes(found: list[tuple[float, float]]) -> NDArray[np.float64]:
    """Return the times of bursts that are at least half a second apart.

    If bursts are closer together, keep only the loudest.
    """
    kept: list[tuple[float, float]] = []
    for at, size in sorted(found):
        if not kept or at - kept[-1][0] >= _BURSTS_APART:
            kept.append((at, size))
        elif size > kept[-1][1]:
            kept[-1] = (at, size)
    return np.array([at for at, _ in kept])
