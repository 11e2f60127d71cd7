"""Measure the file as a whole: frame rate, gaps, duration, black and silent intervals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.recording.manifest import Manifest
from harness.verification.probe.tracks import AudioFacts, VideoFacts
from harness.verification.values.intervals import merged, spans, subtract
from harness.verification.values.models import Audio, Gaps, Media, Track, Video

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.recording.manifest import AnyManifest
    from harness.recording.timeline import Interval
    from harness.verification.markers.audio_markers import AudioAnalysis
    from harness.verification.probe.frame_content import FrameContentDetector
    from harness.verification.probe.probe import Streams
    from harness.verification.probe.track_set import TrackFacts

# Frame rates that cameras, cinema and broadcasting use, and fractions of these rates, in fps. NTSC rates are not
# integers.
_NTSC: Final = 1000 / 1001
_WHOLE_RATES: Final = (1, 2, 5, 7.5, 8, 10, 12, 12.5, 15, 20, 24, 25, 30, 48, 50, 60, 72, 90, 100, 120, 144, 240)
COMMON_RATES: Final = np.array(sorted((*_WHOLE_RATES, *(rate * _NTSC for rate in (15, 24, 30, 48, 60, 120)))))
# Frame rate in fps that is assumed for a file with a single frame and without a manifest.
_FALLBACK_RATE: Final = 15.0
# Maximum level of digital silence with dither; a quiet room is 20 dB louder.
_SILENCE: Final = 0.001
_CLOSE: Final = 0.01
# Maximum rounding error of a file's duration, in seconds; the first and last timestamps are rounded to milliseconds.
_ROUNDING: Final = 0.002
_ROUNDS: Final = 3
# The frame rate counts as variable if more than the first share of the intervals between frames is irregular, or if
# more than the second share of the frames is missing.
_VARYING_GAPS: Final = 0.1
_VARYING_FRAMES: Final = 0.25
# Halfway between one tick and two.
_ONE_TICK: Final = 1.5
# Intervals between frames that differ from a multiple of a tick by at most this many ms are even.
_EVEN_MS: Final = 1.0
# Lost frames leave gaps of different lengths. This many consecutive gaps of equal length mean a lower frame rate.
_SLOW_GAPS: Final = 10


def frame_rate(video: VideoFacts | None, manifest: AnyManifest | None) -> float | None:
    """Return the frame rate that the file would have without missing frames, in fps, or None if it has no frames.

    The rate is measured over the whole file, because 60 and 59.94 fps can't be distinguished by single gaps of 16 and
    17 ms.
    """
    if video is None or not video.times.size:
        return None
    recording = manifest.recording if manifest else None
    requested = recording.frame_rate if recording else None
    if isinstance(manifest, Manifest) and requested and 0 < missed(video, requested) <= manifest.ticks_missed:
        # Use the requested rate, because the most common gap is longer than one frame if at least half of the frames
        # were missed.
        return float(requested)
    length = float(np.ptp(video.times))
    if not length:
        return float(requested or (1 / video.last if video.last > 0 else _FALLBACK_RATE))
    measured, ticks = 1 / max(float(np.median(np.diff(video.times))), 0.001), 0
    # The median is rounded to milliseconds, so the first pass may count too few ticks in a long gap.
    for _ in range(_ROUNDS):
        ticks = video.times.size - 1 + missed(video, measured)
        measured = ticks / length
    common = float(COMMON_RATES[np.abs(COMMON_RATES - measured).argmin()])
    return common if abs(ticks / common - length) <= _ROUNDING else measured


def off_grid(video: VideoFacts, rate: float, limit_ms: float) -> NDArray[np.bool_]:
    """Return an array that is true for each unusual gap between two frames.

    A gap is unusual if it differs by more than ``limit_ms`` from a multiple of a frame's duration.
    """
    gaps = np.diff(video.times) * 1000
    ticks = np.round(gaps * rate / 1000).clip(min=1)
    # Times are floating-point numbers, so rounding may push a difference slightly above the limit.
    return np.asarray(np.abs(gaps - ticks * 1000 / rate) > limit_ms + 1e-6)


def varies(video: VideoFacts, rate: float, limit_ms: float) -> bool:
    """Return whether the frame rate varies, in which case missing frames can't be detected."""
    if video.times.size <= 2:  # noqa: PLR2004 (one gap is not a pattern)
        return False
    off = np.count_nonzero(off_grid(video, rate, limit_ms)) / (video.times.size - 1)
    lost = missed(video, rate)
    return bool(
        off > _VARYING_GAPS
        or lost > _VARYING_FRAMES * (lost + video.times.size)
        or _has_slow_section(np.round(np.diff(video.times) * rate))
    )


def _has_slow_section(ticks: NDArray[np.float64]) -> bool:
    """Return whether many consecutive gaps, given in frames, have the same length of more than one frame."""
    edges = np.flatnonzero(np.diff(ticks, prepend=0, append=0))
    lengths = np.diff(edges, append=ticks.size)
    return bool(((lengths >= _SLOW_GAPS) & (ticks[np.minimum(edges, ticks.size - 1)] > 1)).any())


def measure_media(streams: Streams, *, size: int, rate: float | None, content: FrameContentDetector) -> Media:
    """Return the properties of the file that the report shows. ``size`` is the size of the file in bytes."""
    duration = media_duration(streams, rate)
    structure = streams.structure
    indexed = structure is None or not structure.ebml or (structure.cues and structure.duration is not None)
    return Media(
        container=streams.container,
        duration=round(duration, 3),
        seekable=bool(indexed and not (structure and structure.wrong_index) and streams.seekable),
        size=size,
        bitrate=round(size * 8 / duration) if duration else 0,
        video=_video_report(streams.video, rate, content) if streams.video and rate else None,
        audio=_audio_report(streams.audio) if streams.audio else None,
        tracks=tuple(_track_report(track) for track in streams.tracks),
    )


def pixel_aspect(video: VideoFacts | None) -> float:
    """Return the factor by which players make the frames wider."""
    if video is None or not video.sizes:
        return 1.0
    _, width, height = video.sizes[0]
    shown = video.display[::-1] if video.rotation % 180 else video.display
    return (shown[0] / shown[1]) / (width / height)


def media_duration(streams: Streams, rate: float | None) -> float:
    """Return the time at which the last frame or the audio ends, whichever is later, in seconds."""
    return max(streams.audio.end if streams.audio else 0.0, video_end(streams.video, rate))


def video_end(video: VideoFacts | None, rate: float | None) -> float:
    """Return the time at which the last frame ends, in seconds, or 0 if there are no frames."""
    return float(video.times[-1]) + max(1 / rate, video.last) if video and video.times.size and rate else 0.0


def black_intervals(content: FrameContentDetector, rate: float | None) -> tuple[Interval, ...]:
    """Return the intervals in which the video is completely black."""
    return tuple(spans(content.black.tolist(), lasting=1 / rate, bridge=_CLOSE)) if rate else ()


def still_intervals(content: FrameContentDetector, rate: float | None) -> tuple[Interval, ...]:
    """Return the intervals of more than a second in which the video does not change."""
    return tuple((start, end + 1 / rate) for start, end in content.still) if rate else ()


def blank_intervals(content: FrameContentDetector, rate: float | None) -> tuple[Interval, ...]:
    """Return the intervals in which a part of the video, but not all of it, is blank although it had content before."""
    if not rate:
        return ()
    blank = ((start, end + 1 / rate) for start, end in content.blank)
    return tuple(subtract(blank, black_intervals(content, rate)))


def silent_intervals(audio: AudioAnalysis | None) -> tuple[Interval, ...]:
    """Return the intervals in which the audio is completely silent."""
    if audio is None:
        return ()
    quiet = audio.steps[audio.levels < _SILENCE]
    return tuple(merged(((float(start), float(end)) for start, end in quiet), bridge=_CLOSE))


def longest_frame(video: VideoFacts | None, rate: float | None, manifest: AnyManifest | None) -> float:
    """Return how long a frame can be shown until the next one without any frame being missing, in seconds.

    If the frame rate varies, and no constant frame rate was requested, no frame is known to be missing. Players show
    each frame until the next one, and the check ``frozen`` reports frames that are shown for too long.
    """
    if video is None or rate is None:
        return 0.0
    requested = manifest is not None and manifest.recording is not None and manifest.recording.frame_rate is not None
    return math.inf if not requested and varies(video, rate, _EVEN_MS) else _ONE_TICK / rate


def video_gaps(video: VideoFacts | None, rate: float | None, longest: float) -> tuple[Interval, ...]:
    """Return the intervals in which frames are missing; ``longest`` is the result of ``longest_frame``."""
    if video is None or rate is None:
        return ()
    wide = np.flatnonzero(np.diff(video.times) > longest)
    return tuple((float(video.times[at]) + 1 / rate, float(video.times[at + 1])) for at in wide)


def _video_report(video: VideoFacts, rate: float, content: FrameContentDetector) -> Video:
    gaps = np.diff(video.times) * 1000
    _, width, height = video.sizes[0] if video.sizes else (0.0, 0, 0)
    length = float(np.ptp(video.times))
    return Video(
        codec=video.codec,
        width=width,
        height=height,
        display_width=video.display[0],
        display_height=video.display[1],
        rotation=video.rotation,
        frames=int(video.times.size),
        frame_rate=round(gaps.size / length, 3) if length else 0.0,
        gap_ms=Gaps(
            p50=round(float(np.percentile(gaps, 50)), 1),
            p95=round(float(np.percentile(gaps, 95)), 1),
            max=round(float(gaps.max()), 1),
        )
        if gaps.size
        else None,
        missed=missed(video, rate),
        repeated=content.repeated,
        start_ms=round(float(video.times[0]) * 1000, 1) if video.times.size else 0.0,
        keyframe_gap=round(_keyframe_gap(video, rate), 3),
    )


def _keyframe_gap(video: VideoFacts, rate: float) -> float:
    """Return the longest time from a keyframe to the next, or to the end of the video, in seconds."""
    return float(np.diff(np.append(video.keyframes, video_end(video, rate))).max(initial=0.0))


def missed(video: VideoFacts, rate: float) -> int:
    """Return how many frames are missing if the video has this frame rate."""
    return int((np.round(np.diff(video.times) * rate) - 1).clip(min=0).sum())


def _audio_report(audio: AudioFacts) -> Audio:
    return Audio(
        codec=audio.codec,
        sample_rate=audio.sample_rate,
        channels=audio.channels,
        start_ms=round(audio.start * 1000, 1),
        duration=round(audio.duration, 3),
        gaps=len(audio.gaps),
        loudness=audio.loudness,
        peak_dbfs=_decibels(audio.peak),
        clipped=audio.clipped,
    )


def _decibels(peak: float) -> float | None:
    return round(20 * math.log10(peak), 1) if peak else None


def _track_report(track: TrackFacts) -> Track:
    """Return the properties of a track that the report shows."""
    media = track.media
    common = Track(
        index=track.index,
        kind=track.kind,
        codec=track.codec,
        language=track.language,
        default=track.default,
        examined=track.examined,
        duration=None if track.duration is None else round(track.duration, 3),
    )
    if isinstance(media, AudioFacts):
        return common.model_copy(
            update={
                "packets": media.packets,
                "duration": round(media.duration, 3),
                "channels": media.channels,
                "sample_rate": media.sample_rate,
                "loudness": media.loudness,
                "peak_dbfs": _decibels(media.peak),
                "silent": is_silent(media),
            }
        )
    if media is None:
        return common
    _, width, height = media.sizes[0] if media.sizes else (0.0, *media.display)
    return common.model_copy(
        update={
            "packets": media.packets,
            "duration": round(float(np.ptp(media.times)) + media.last, 3) if media.times.size else 0.0,
            "width": width,
            "height": height,
            "black": is_black(track),
        }
    )


def is_silent(audio: AudioFacts) -> bool:
    """Return whether a track's audio never rises above digital silence with dither."""
    return audio.peak < _SILENCE * math.sqrt(2)


def is_black(track: TrackFacts) -> bool:
    """Return whether all frames of a track are black."""
    decoded = track.media.decoded if isinstance(track.media, VideoFacts) else 0
    return bool(track.content and decoded and track.content.black.size == decoded)
