"""A scene's audio: a mix of every participant's tone and bursts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.recording.timeline import VOICES
from harness.verification.markers.audio_signals import CHIRP_LEVEL, SECONDS, SPACINGS, TONE_LEVEL, TONES, chirp

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.support.media.scene import Scene

SAMPLE_RATE: Final = 48_000


def mix_audio(scene: Scene) -> NDArray[np.float32]:
    """Return the audio of all participants at 48 kHz, one second longer than the scene."""
    at = np.arange(round((scene.seconds + 1) * SAMPLE_RATE)) / SAMPLE_RATE
    mixed = np.zeros(at.size)
    for one in scene.participants:
        if one.marker is None:
            continue
        voice = one.marker % VOICES
        audio = TONE_LEVEL * np.sin(2 * np.pi * TONES[voice] * at)
        rising, falling = (CHIRP_LEVEL * chirp(voice, falling=direction).real for direction in (False, True))
        # The counter's next multiple of 30, and the time at which the counter reaches it.
        next_second = -(-one.counter // 30)
        first = next_second - one.counter / 30
        # A burst that began before the recording may end in it, and audio may be early or late by several seconds.
        earliest = math.floor(-abs(one.audio_delay)) - 1
        for number in range(earliest, math.ceil(scene.seconds + abs(one.audio_delay)) + 1):
            spacing = float(SPACINGS[(next_second + number) % SECONDS])
            for samples, later in ((rising, 0.0), (falling, spacing)):
                begin = (first + number + later) * (1 + one.drift_ppm / 1e6) + one.audio_delay
                start = round(begin * SAMPLE_RATE)
                if 0 <= start < at.size - samples.size:
                    audio[start : start + samples.size] += samples
        for begin, end in one.muted:
            audio[(at >= begin) & (at < end)] = 0
        mixed += audio
    for begin, end in scene.silent:
        mixed[(at >= begin) & (at < end)] = 0
    return mixed.astype(np.float32)
