"""A scene's audio: a mix of every participant's tone and bursts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.recording.timeline import VOICES
from harness.verification.markers.audio_markers import TONES, burst

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.support.media.scene import Scene

SAMPLE_RATE: Final = 48_000
TONE: Final = 0.04
BURST: Final = 0.3


def mix_audio(scene: Scene) -> NDArray[np.float32]:
    """Return the audio of all participants at 48 kHz, one second longer than the scene."""
    at = np.arange(round((scene.seconds + 1) * SAMPLE_RATE)) / SAMPLE_RATE
    mixed = np.zeros(at.size)
    for one in scene.participants:
        if one.marker is None:
            continue
        voice = one.marker % VOICES
        audio = TONE * np.sin(2 * np.pi * TONES[voice] * at)
        chirp = BURST * burst(voice).real
        # The first burst starts when the counter first reaches a multiple of 30.
        first = -one.counter % 30 / 30
        for second in range(math.ceil(scene.seconds)):
            start = round(((first + second) * (1 + one.drift_ppm / 1e6) + one.audio_delay) * SAMPLE_RATE)
            if 0 <= start < at.size - chirp.size:
                audio[start : start + chirp.size] += chirp
        for begin, end in one.muted:
            audio[(at >= begin) & (at < end)] = 0
        mixed += audio
    for begin, end in scene.silent:
        mixed[(at >= begin) & (at < end)] = 0
    return mixed.astype(np.float32)
