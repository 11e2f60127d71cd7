"""The signals in synthetic audio: a tone for each participant and, once per second, a burst that encodes the second.

Marker ``m`` has a continuous tone of ``300 + 50 (m mod 16)`` Hz. The participant is audible while this tone is in the
file. A burst consists of two chirps of 80 ms, which are faded in and out and centered on ``1350 + 300 (m mod 16)`` Hz.
The first chirp rises by 240 Hz, and starts whenever the counter in the video marker is a multiple of 30. The second
chirp falls by 240 Hz, and starts ``160 + 40 s`` ms later, where ``s`` is the number of the second modulo 16. Each burst
therefore identifies its own second, and an A/V offset of up to 8 s is unambiguous.
``web/src/shared/marker.js`` defines the same signals for the page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from harness.recording.timeline import VOICES
from harness.verification.probe.tracks import SAMPLE_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

TONES: Final = 300.0 + 50.0 * np.arange(VOICES)
CENTERS: Final = 1350.0 + 300.0 * np.arange(VOICES)
CHIRP_SECONDS: Final = 0.08
# Amplitudes at the normal level; 1 is full scale. While a participant speaks, both amplitudes are twice as high.
TONE_LEVEL: Final = 0.04
CHIRP_LEVEL: Final = 0.15
SPEAKING: Final = 2.0
# Number of different seconds that a burst can encode.
SECONDS: Final = 16
# Time between the starts of a burst's chirps, in seconds, for each second modulo 16. Neighboring values are 40 ms
# apart, because a jitter buffer may insert or remove up to about 15 ms of audio between the chirps.
SPACINGS: Final = 0.16 + 0.04 * np.arange(SECONDS)
_HALF_SWEEP: Final = 120.0


def chirp(voice: int, *, falling: bool = False) -> NDArray[np.complex128]:
    """Return a chirp of one of the 16 voices at 48 kHz, as an analytic signal of amplitude 1.

    A synthetic participant plays the real part of this signal.
    """
    at = np.arange(round(CHIRP_SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    sweep = -_HALF_SWEEP if falling else _HALF_SWEEP
    phase = (CENTERS[voice] - sweep) * at + sweep / CHIRP_SECONDS * at**2
    fade = 0.5 - 0.5 * np.cos(2 * np.pi * at / CHIRP_SECONDS)
    return np.asarray(fade * np.exp(2j * np.pi * phase))
