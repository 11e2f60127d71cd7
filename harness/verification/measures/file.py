"""Measure the file as a whole: frame rate, gaps, duration, black and silent intervals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.verification.values.intervals import merged, spans
from harness.verification.values.models import Audio, Gaps, Media, Video

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.recording.manifest import Manifest
    from harness.recording.timeline import Interval
    from harness.verification.markers.audio_markers import Hearing
    from harness.verification.probe.frame_content import PlainWatch
    from harness.verification.probe.probe import Streams
    from harness.verification.probe.tracks import PictureFacts, SoundFacts

# In frames a second: what cameras, films and broadcasts use, and fractions of it. NTSC's are not whole.
_NTSC: Final = 1000 / 1001
_WHOLE_RATES: Final = (1, 2, 5, 7.5, 8, 10, 12, 12.5, 15, 20, 24, 25, 30, 48, 50, 60, 72, 90, 100, 120, 144, 240)
COMMON_RATES: Final = np.array(sorted((*_WHOLE_RATES, *(rate * _NTSC for rate in (15, 24, 30, 48, 60, 120)))))
# A file whose container has no frame to measure by, and no manifest, still needs a rate to be drawn with.
_FALLBACK_RATE: Final = 15.0
# Digital silence and the dither around it; a quiet room is 20 dB louder.
_SILENCE: Final = 0.001
_CLOSE: Final = 0.01
# In seconds: over the whole file a rate may be off by what rounding its first and last time to milliseconds explains.
_ROUNDING: Final = 0.002
_ROUNDS: Final = 3
# A rate varies, rather than that frames are missing from a steady one, from this share of its gaps or frames on.
_VARYING_GAPS: Final = 0.1
_VARYING_FRAMES: Final = 0.25


def frame_rate(picture: PictureFacts | None, manifest: Manifest | None) -> float | None:
    """Return the rate of the grid that the frames should be on, in frames a second; None without frames.

    It is measured over the whole length of the file: single gaps of 16 and 17 ms do not tell 60 from 59.94.
    """
    if picture is None or not picture.times.size:
        return None
    told = manifest.recording.frame_rate if manifest else None
    if manifest and told and 0 < missed(picture, told) <= manifest.ticks_missed:
        # Where half of the frames or more were missed, what is usual is no longer the grid.
        return float(told)
    length = float(np.ptp(picture.times))
    if not length:
        return float(told or _FALLBACK_RATE)
    measured, ticks = 1 / max(float(np.median(np.diff(picture.times))), 0.001), 0
    # A long gap has more ticks than the median, which is rounded to milliseconds, lets one count at first.
    for _ in range(_ROUNDS):
        ticks = picture.times.size - 1 + missed(picture, measured)
        measured = ticks / length
    common = float(COMMON_RATES[np.abs(COMMON_RATES - measured).argmin()])
    return common if abs(ticks / common - length) <= _ROUNDING else measured


def off_grid(picture: PictureFacts, rate: float, limit_ms: float) -> NDArray[np.bool_]:
    """Return which gaps between frames are further than ``limit_ms`` from a multiple of the rate's period."""
    gaps = np.diff(picture.times) * 1000
    ticks = np.round(gaps * rate / 1000).clip(min=1)
    # Times are floating-point numbers: rounding to milliseconds may come out a hair above its limit.
    return np.asarray(np.abs(gaps - ticks * 1000 / rate) > limit_ms + 1e-6)


def varies(picture: PictureFacts, rate: float, limit_ms: float) -> bool:
    """Return whether the frame rate varies: then there is no grid that frames could be missing from."""
    if picture.times.size <= 2:  # noqa: PLR2004 (one gap is no pattern)
        return False
    off = np.count_nonzero(off_grid(picture, rate, limit_ms)) / (picture.times.size - 1)
    lost = missed(picture, rate)
    return bool(off > _VARYING_GAPS or lost > _VARYING_FRAMES * (lost + picture.times.size))


def media_of(streams: Streams, *, size: int, rate: float | None, watch: PlainWatch) -> Media:
    """Return the report's facts of the file; ``size`` in bytes."""
    duration = duration_of(streams, rate)
    indexed = streams.structure is None or (streams.structure.cues and streams.structure.duration is not None)
    return Media(
        container=streams.container,
        duration=round(duration, 3),
        seekable=bool(indexed and streams.duration and streams.lands),
        size=size,
        bitrate=round(size * 8 / duration) if duration else 0,
        video=_video(streams.picture, rate, watch) if streams.picture and rate else None,
        audio=_audio(streams.sound) if streams.sound else None,
    )


def duration_of(streams: Streams, rate: float | None) -> float:
    """Return when the last picture and the last sound end, in seconds."""
    return max(streams.sound.end if streams.sound else 0.0, picture_end(streams.picture, rate))


def picture_end(picture: PictureFacts | None, rate: float | None) -> float:
    """Return when the last picture ends, in seconds; 0 without pictures."""
    return float(picture.times[-1]) + 1 / rate if picture and picture.times.size and rate else 0.0


def black_of(watch: PlainWatch, rate: float | None) -> tuple[Interval, ...]:
    """Return when the whole picture is black."""
    return tuple(spans(watch.black.tolist(), lasting=1 / rate, bridge=_CLOSE)) if rate else ()


def silent_of(hearing: Hearing | None) -> tuple[Interval, ...]:
    """Return when the whole mix is silent."""
    if hearing is None:
        return ()
    quiet = hearing.steps[hearing.levels < _SILENCE]
    return tuple(merged(((float(start), float(end)) for start, end in quiet), bridge=_CLOSE))


def holes_of(picture: PictureFacts | None, rate: float | None) -> tuple[Interval, ...]:
    """Return where the grid lacks pictures."""
    if picture is None or rate is None:
        return ()
    wide = np.flatnonzero(np.diff(picture.times) * rate > 1.5)  # noqa: PLR2004 (halfway between one tick and two)
    return tuple((float(picture.times[at]) + 1 / rate, float(picture.times[at + 1])) for at in wide)


def _video(picture: PictureFacts, rate: float, watch: PlainWatch) -> Video:
    gaps = np.diff(picture.times) * 1000
    _, width, height = picture.sizes[0] if picture.sizes else (0.0, 0, 0)
    length = float(np.ptp(picture.times))
    return Video(
        codec=picture.codec,
        width=width,
        height=height,
        frames=int(picture.times.size),
        frame_rate=round(gaps.size / length, 3) if length else 0.0,
        gap_ms=Gaps(
            p50=round(float(np.percentile(gaps, 50)), 1),
            p95=round(float(np.percentile(gaps, 95)), 1),
            max=round(float(gaps.max()), 1),
        )
        if gaps.size
        else None,
        missed=missed(picture, rate),
        repeated=watch.repeated,
        keyframe_gap=round(_keyframe_gap(picture, rate), 3),
    )


def _keyframe_gap(picture: PictureFacts, rate: float) -> float:
    """Return the longest way from a keyframe to the next or to the end, in seconds."""
    return float(np.diff(np.append(picture.keyframes, picture_end(picture, rate))).max(initial=0.0))


def missed(picture: PictureFacts, rate: float) -> int:
    """Return how many pictures the grid lacks."""
    return int((np.round(np.diff(picture.times) * rate) - 1).clip(min=0).sum())


def _audio(sound: SoundFacts) -> Audio:
    return Audio(
        codec=sound.codec,
        sample_rate=sound.sample_rate,
        channels=sound.channels,
        duration=round(sound.duration, 3),
        gaps=len(sound.holes),
        loudness=sound.loudness,
        peak_dbfs=round(20 * math.log10(sound.peak), 1) if sound.peak else None,
        clipped=sound.clipped,
    )
