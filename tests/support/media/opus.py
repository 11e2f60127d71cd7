"""Encode audio with Opus and decode it again, in memory."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import av
import numpy as np

from harness.verification.markers.audio_markers import AudioMarkerDetector
from harness.verification.probe.tracks import AudioBlock
from tests.support.media.audio import SAMPLE_RATE
from tests.support.media.streams import add_audio_stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.verification.markers.audio_markers import AudioAnalysis

_PACKET: Final = 960


def after_opus(samples: NDArray[np.floating], bitrate: int) -> list[AudioBlock]:
    """Return mono samples at 48 kHz as blocks of audio, after encoding at a bitrate in bits per second."""
    file = io.BytesIO()
    with av.open(file, "w", format="webm") as media:
        stream = add_audio_stream(media, "libopus", SAMPLE_RATE)
        stream.bit_rate = bitrate
        for start in range(0, samples.size - _PACKET + 1, _PACKET):
            piece = samples[None, start : start + _PACKET].astype(np.float32)
            frame = av.AudioFrame.from_ndarray(piece, format="flt", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
            media.mux(stream.encode(frame))
        media.mux(stream.encode(None))
    file.seek(0)
    with av.open(file, "r") as media:
        return [
            AudioBlock(frame.time or 0.0, frame.to_ndarray()[0].astype(np.float32)) for frame in media.decode(audio=0)
        ]


def plain_blocks(samples: NDArray[np.floating]) -> list[AudioBlock]:
    """Return mono samples at 48 kHz as blocks of 20 ms, without encoding them."""
    blocks = [samples[start : start + _PACKET].astype(np.float32) for start in range(0, samples.size, _PACKET)]
    return [AudioBlock(number * _PACKET / SAMPLE_RATE, block) for number, block in enumerate(blocks)]


def analysis_of(blocks: list[AudioBlock]) -> AudioAnalysis:
    """Return the analysis of blocks of audio."""
    detector = AudioMarkerDetector()
    for block in blocks:
        detector.on_audio(block)
    return detector.finish()
