"""Everything that is known about one file when the checks begin: measured, and told by its manifest."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.verification.facts import Audio, Gaps, Media, Video
from harness.verification.intervals import merged, spans

if TYPE_CHECKING:
    from pathlib import Path

    from harness.recording.recording import Manifest
    from harness.recording.timeline import Interval
    from harness.verification.expectations import Expectation
    from harness.verification.measures import Person
    from harness.verification.probe import Streams
    from harness.verification.sightings import PlainWatch
    from harness.verification.sound import Hearing
    from harness.verification.tracks import PictureFacts, SoundFacts

GRIDS: Final = (15, 30)
# Digital silence and the dither around it; a quiet room is 20 dB louder.
_SILENCE: Final = 0.001
_CLOSE: Final = 0.01
_NEAR_GRID: Final = 0.05


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the checks judge.

    ``asked_duration`` (seconds) and ``expectations`` are what the caller expects. ``unreadable`` says why the manifest
    beside the file can't be used, where it can't; ``sha256`` is only taken where a manifest tells what it should be.
    ``black`` and ``silent`` are when the whole picture is black and the whole mix silent, ``holes`` where no picture is
    written.
    """

    path: Path
    manifest: Manifest | None
    unreadable: str | None
    asked_duration: float | None
    expectations: tuple[Expectation, ...]
    sha256: str | None
    streams: Streams
    media: Media
    people: tuple[Person, ...]
    black: tuple[Interval, ...]
    silent: tuple[Interval, ...]
    holes: tuple[Interval, ...]
    rate: float | None

    @property
    def converted(self) -> bool:
        """Whether the file is a conversion of the recording that its manifest tells of: other bytes, same content."""
        return self.manifest is not None and self.manifest.recording.path.suffix != self.path.suffix


def frame_rate(picture: PictureFacts | None, manifest: Manifest | None) -> float | None:
    """Return the rate of the grid that the pictures should stand on, in pictures a second; None without pictures."""
    if picture is None or not picture.times.size:
        return None
    told = manifest.recording.frame_rate if manifest else None
    if manifest and told and 0 < missed(picture, told) <= manifest.ticks_missed:
        # Where half of the pictures or more were missed, what is usual is no longer the grid.
        return float(told)
    usual = 1 / max(float(np.median(np.diff(picture.times))), 0.001) if picture.times.size > 1 else 0.0
    grid = next((float(rate) for rate in GRIDS if abs(usual - rate) <= _NEAR_GRID * rate), usual)
    # What the file does comes first: a wrong rate is for the check of that name, not for every gap.
    return grid or float(told or GRIDS[0])


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
