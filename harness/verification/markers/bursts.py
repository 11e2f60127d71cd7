"""Find the bursts in synthetic audio, and the second that each burst encodes."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from harness.recording.timeline import VOICES
from harness.verification.markers.audio_signals import CENTERS, CHIRP_LEVEL, SPACINGS, TONE_LEVEL, chirp
from harness.verification.probe.tracks import SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

BLOCK: Final = 65_536
# Minimum similarity between a chirp and the signal in its frequency band. An undistorted chirp has a similarity of 1,
# while noise reaches 0.7 only once every few days.
_SIMILARITY: Final = 0.7
_FAINTEST: Final = 0.01
# Two rising chirps of a participant are one second apart, and two falling chirps are at least 0.4 s apart. Chirps that
# follow sooner are echoes. The same chirp can also be found in two overlapping blocks, with nearly the same start.
_RISING_APART: Final = 0.5
_FALLING_APART: Final = 0.3
_SAME: Final = 0.01
# Maximum error of the time between two chirps, in seconds: half of the difference between neighboring spacings. The
# error is below 1 ms unless a jitter buffer inserted or removed audio between the chirps.
_SPACING_ERROR: Final = 0.02
# The two chirps of a burst are equally loud, and their level relative to the tone is fixed, both within this factor.
_UNEQUAL: Final = 2.0
_FAINTEST_TONE: Final = 1e-6
# Half of the width of a voice's frequency band, in Hz.
_HALF_BAND: Final = 200.0


class Chirp(NamedTuple):
    """A chirp that was found: its start (in samples of the block, or in seconds), its amplitude and its similarity."""

    start: float
    amplitude: float
    similarity: float


@dataclass(frozen=True, kw_only=True)
class Bursts:
    """The bursts of one voice, in order of time.

    ``times`` are the starts of the rising chirps, in seconds. ``spacings`` holds the time from each rising chirp to its
    falling chirp, which encodes a second, or NaN if no falling chirp was found. ``similarity`` is the similarity of
    each rising chirp to an undistorted chirp, from 0 to 1. ``echoes`` holds (delay in seconds, amplitude relative to
    the chirp) for each repetition of a rising chirp.
    """

    times: NDArray[np.float64]
    spacings: NDArray[np.float64]
    similarity: NDArray[np.float32]
    echoes: NDArray[np.float32]

    @property
    def seconds(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The time of each burst that has both chirps, and the second, from 0 to 15, that it encodes."""
        complete = np.isfinite(self.spacings)
        return self.times[complete], np.abs(self.spacings[complete, None] - SPACINGS).argmin(axis=1)


class ChirpDetector:
    """Finds all chirps in a block of audio.

    One Fourier transform of the block is enough: each of the 16 voices has its own narrow frequency band.
    """

    _WIDTH: Final = 1024

    def __init__(self) -> None:
        self._bins, self._templates = _chirp_spectra()
        template = chirp(0)
        self._energy = float((np.abs(template) ** 2).sum())
        self._stride = BLOCK // self._WIDTH
        self._span = template.size // self._stride
        self._valid = (BLOCK - template.size) // self._stride

    def find(self, block: NDArray[np.float32]) -> tuple[list[list[Chirp]], list[list[Chirp]]]:
        """Return the rising and the falling chirps in a block: for each direction, a list for each of the 16 voices.

        Only chirps that are completely inside the block are found.
        """
        band = np.fft.rfft(block)[self._bins]
        scale = self._WIDTH / BLOCK
        signal = np.fft.ifft(band, self._WIDTH, axis=1) * scale
        running = np.cumsum(np.abs(signal) ** 2, axis=1) * self._stride
        energy = np.pad(running[:, self._span :] - running[:, : -self._span], ((0, 0), (0, self._span)), mode="edge")
        rising, falling = (self._matches(band * template, energy) for template in self._templates)
        return rising, falling

    def _matches(self, product: NDArray[np.complex128], energy: NDArray[np.float64]) -> list[list[Chirp]]:
        """Return the chirps of each voice, given the product of the block's spectrum and the template's spectrum."""
        match = np.abs(np.fft.ifft(product, self._WIDTH, axis=1)) * (self._WIDTH / BLOCK)
        similarity = match / np.sqrt(energy * self._energy + 1e-12)
        amplitude = 2 * match / self._energy
        inner = slice(1, self._valid)
        peaks = (match[:, 1:-1] >= match[:, :-2]) & (match[:, 1:-1] > match[:, 2:])
        good = peaks[:, : self._valid - 1] & (similarity[:, inner] > _SIMILARITY) & (amplitude[:, inner] > _FAINTEST)
        found: list[list[Chirp]] = [[] for _ in range(VOICES)]
        for voice, index in np.argwhere(good):
            before, at, after = match[voice, index : index + 3]
            offset = 0.5 * (before - after) / (before - 2 * at + after)
            start = (index + 1 + offset) * self._stride
            found[voice].append(Chirp(start, float(amplitude[voice, index + 1]), float(similarity[voice, index + 1])))
        return found


@functools.cache
def _chirp_spectra() -> tuple[NDArray[np.int64], NDArray[np.complex128]]:
    """Return each voice's frequency bins, and in them the conjugate spectra of its rising and its falling chirp."""
    resolution = SAMPLE_RATE / BLOCK
    half = round(_HALF_BAND / resolution)
    bins = np.round(CENTERS / resolution).astype(np.int64)[:, None] + np.arange(-half, half + 1)
    chirps = [[chirp(voice, falling=falling) for voice in range(VOICES)] for falling in (False, True)]
    spectra = np.fft.fft(np.array(chirps), BLOCK, axis=2)
    return bins, np.take_along_axis(spectra, bins[None], axis=2).conj()


def join_chirps(
    rising: Sequence[Chirp],
    falling: Sequence[Chirp],
    tone_at: Callable[[NDArray[np.float64]], NDArray[np.float32]],
) -> Bursts:
    """Return the bursts that one voice's chirps form; the chirps' starts are in seconds.

    ``tone_at`` returns the amplitude of the voice's tone at the given times. Glides in speech and music can resemble a
    burst, but their level relative to the tone differs from a burst's.
    """
    first, echoes = _without_echoes(rising, apart=_RISING_APART)
    second, _ = _without_echoes(falling, apart=_FALLING_APART)
    times = np.array([one.start for one in first])
    starts = np.array([one.start for one in second])
    spacings = np.array([_spacing(one, second, starts) for one in first])
    louder = np.array([one.amplitude for one in first]) / np.maximum(tone_at(times), _FAINTEST_TONE)
    expected = CHIRP_LEVEL / TONE_LEVEL
    spacings[(louder < expected / _UNEQUAL) | (louder > expected * _UNEQUAL)] = np.nan
    return Bursts(
        times=times,
        spacings=spacings,
        similarity=np.array([one.similarity for one in first], np.float32),
        echoes=np.array(echoes, np.float32).reshape(-1, 2),
    )


def _without_echoes(found: Sequence[Chirp], *, apart: float) -> tuple[list[Chirp], list[tuple[float, float]]]:
    """Return the loudest of all chirps that are less than ``apart`` seconds apart, and the echoes that follow them."""
    ordered: list[Chirp] = []
    for one in sorted(found):
        if not ordered or one.start - ordered[-1].start >= _SAME:
            ordered.append(one)
        elif one.amplitude > ordered[-1].amplitude:
            ordered[-1] = one
    kept: list[Chirp] = []
    for one in ordered:
        if not kept or one.start - kept[-1].start >= apart:
            kept.append(one)
        elif one.amplitude > kept[-1].amplitude:
            kept[-1] = one
    starts = np.array([one.start for one in kept])
    echoes = []
    for one in ordered:
        source = kept[max(0, int(np.searchsorted(starts, one.start, side="right")) - 1)]
        delay = one.start - source.start
        if 0 < delay < apart:
            echoes.append((delay, one.amplitude / source.amplitude))
    return kept, echoes


def _spacing(rising: Chirp, falling: Sequence[Chirp], starts: NDArray[np.float64]) -> float:
    """Return the time in seconds from a rising chirp to its falling chirp, or NaN if no falling chirp matches.

    ``starts`` are the starts of the falling chirps.
    """
    first, last = rising.start + SPACINGS[0] - _SPACING_ERROR, rising.start + SPACINGS[-1] + _SPACING_ERROR
    near = falling[int(np.searchsorted(starts, first)) : int(np.searchsorted(starts, last))]
    equal = [one for one in near if 1 / _UNEQUAL < one.amplitude / rising.amplitude < _UNEQUAL]
    return max(equal, key=lambda one: one.amplitude).start - rising.start if equal else math.nan
