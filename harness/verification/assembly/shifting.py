"""Move what was observed in a file to the file's place on the timeline of the call."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.recording.timeline import VOICES
from harness.verification.markers.audio_markers import AudioAnalysis
from harness.verification.markers.bursts import Bursts
from harness.verification.markers.content import ContentTrack
from harness.verification.markers.strip import CAPTURE_BITS, COUNTER_PERIOD
from harness.verification.probe.tracks import VideoFacts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from harness.recording.timeline import Interval
    from harness.verification.markers.tracks import MarkerTrack
    from harness.verification.probe.probe import Streams
    from harness.verification.probe.track_set import TrackFacts
    from harness.verification.probe.tracks import AudioFacts


# Where two files overlap, they contain the same frames at times that differ by less than this many seconds.
_SAME_FRAME: Final = 0.01


def shifted_intervals(intervals: Iterable[Interval], by: float) -> tuple[Interval, ...]:
    """Return the intervals ``by`` seconds later."""
    return tuple((start + by, end + by) for start, end in intervals)


def shifted_streams(streams: Streams, by: float) -> Streams:
    """Return the tracks of a file with all times ``by`` seconds later."""
    return replace(streams, tracks=tuple(_shifted_facts(one, by) for one in streams.tracks))


def _shifted_facts(track: TrackFacts, by: float) -> TrackFacts:
    media = track.media
    if media is None:
        return track
    return replace(
        track, media=_shifted_video(media, by) if isinstance(media, VideoFacts) else _shifted_audio(media, by)
    )


def _shifted_video(video: VideoFacts, by: float) -> VideoFacts:
    sizes = tuple((at + by, width, height) for at, width, height in video.sizes)
    return replace(video, times=video.times + by, keyframes=video.keyframes + by, sizes=sizes)


def _shifted_audio(audio: AudioFacts, by: float) -> AudioFacts:
    levels = replace(audio.levels, steps=audio.levels.steps + by)
    gaps = shifted_intervals(audio.gaps, by)
    return replace(audio, start=audio.start + by, end=audio.end + by, gaps=gaps, levels=levels)


def joined_tracks(parts: Sequence[tuple[float, MarkerTrack]]) -> MarkerTrack:
    """Return one marker's track in several files, given the time at which each file begins, in order of time.

    Where two files overlap, the earlier one is used.
    """
    kept: list[MarkerTrack] = []
    end, number = -np.inf, 0
    for at, track in parts:
        later = _after(track, at, end)
        if later.times.size:
            # A number is skipped between two files, because their frames are not consecutive.
            numbers = later.numbers.astype(np.int64) - int(later.numbers[0]) + number
            kept.append(replace(later, numbers=numbers.astype(np.uint32)))
            end, number = float(later.times[-1]), int(numbers[-1]) + 2
    if not kept:
        return replace(parts[0][1], times=parts[0][1].times + parts[0][0])
    contents = [one.content for one in kept]
    return replace(
        kept[0],
        times=np.concatenate([one.times for one in kept]),
        counters=_unwrapped([one.counters for one in kept], COUNTER_PERIOD),
        captures_ms=_unwrapped([one.captures_ms for one in kept], 1 << CAPTURE_BITS),
        in_own_tile=np.concatenate([one.in_own_tile for one in kept]),
        numbers=np.concatenate([one.numbers for one in kept]),
        content=ContentTrack(
            times=np.concatenate([one.times for one in contents]),
            faults=np.concatenate([one.faults for one in contents]),
            colors_known=sum(one.colors_known for one in contents),
            symbols=sum(one.symbols for one in contents),
        ),
        # The frames of different files have nothing to do with each other.
        places=(),
    )


def _unwrapped(parts: Sequence[NDArray[np.int32]], period: int) -> NDArray[np.int32]:
    """Join values that start again at 0 after ``period``."""
    return np.unwrap(np.concatenate(parts).astype(np.int64), period=period).astype(np.int32)


def _after(track: MarkerTrack, shift: float, end: float) -> MarkerTrack:
    """Return the frames and samples of a track that are later than ``end``, with their times ``shift`` s later."""
    times, sampled = track.times + shift, track.content.times + shift
    later, content = times > end + _SAME_FRAME, sampled > end + _SAME_FRAME
    known = track.content.colors_known == sampled.size
    left = int(np.count_nonzero(content))
    return replace(
        track,
        times=times[later],
        counters=track.counters[later],
        captures_ms=track.captures_ms[later],
        in_own_tile=track.in_own_tile[later],
        numbers=track.numbers[later],
        content=ContentTrack(
            times=sampled[content],
            faults=track.content.faults[content],
            # It is unknown in which samples the colors are known, so never count too many of them.
            colors_known=left if known else max(0, min(track.content.colors_known, left - 1)),
            symbols=min(track.content.symbols, left),
        ),
    )


def joined_audio(parts: Sequence[tuple[float, AudioAnalysis]]) -> AudioAnalysis:
    """Return the analysis of the audio in several files, given the time at which each begins, in order of time.

    Where two files overlap, the earlier one is used.
    """
    kept: list[tuple[AudioAnalysis, NDArray[np.bool_], float]] = []
    end = -np.inf
    cuts: list[tuple[AudioAnalysis, float, float]] = []
    for at, audio in parts:
        later = audio.steps[:, 0] + at >= end
        kept.append((audio, later, at))
        cuts.append((audio, at, end))
        if later.any():
            end = float(audio.steps[later][-1, 1]) + at
    return AudioAnalysis(
        steps=np.concatenate([audio.steps[later] + at for audio, later, at in kept]),
        tones=np.concatenate([audio.tones[later] for audio, later, _ in kept]),
        levels=np.concatenate([audio.levels[later] for audio, later, _ in kept]),
        noise=np.concatenate([audio.noise[later] for audio, later, _ in kept]),
        bursts=tuple(
            _joined_bursts([(audio.bursts[voice], at, end) for audio, at, end in cuts]) for voice in range(VOICES)
        ),
    )


def _joined_bursts(parts: Sequence[tuple[Bursts, float, float]]) -> Bursts:
    later = [bursts.times + at >= end for bursts, at, end in parts]
    return Bursts(
        times=np.concatenate([one.times[after] + at for (one, at, _), after in zip(parts, later, strict=True)]),
        spacings=np.concatenate([one.spacings[after] for (one, _, _), after in zip(parts, later, strict=True)]),
        similarity=np.concatenate([one.similarity[after] for (one, _, _), after in zip(parts, later, strict=True)]),
        echoes=np.concatenate([one.echoes for one, _, _ in parts]),
    )
