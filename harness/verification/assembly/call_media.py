"""Describe the files of a call for the report: the properties of each file, and the totals of all files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.verification.values.models import FileReport, Media

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.verification.assembly.alignment import Placement
    from harness.verification.assembly.placed import PlacedFile
    from harness.verification.measures.evidence import Evidence
    from harness.verification.values.models import Audio, Video


def call_media(files: Sequence[Media], duration: float) -> Media:
    """Return the properties of the whole call: totals of all files, and the properties of the first video and audio."""
    size = sum(one.size for one in files)
    return Media(
        container=", ".join(dict.fromkeys(one.container for one in files)),
        duration=round(duration, 3),
        seekable=all(one.seekable for one in files),
        size=size,
        bitrate=round(size * 8 / duration) if duration else 0,
        video=_call_video([one.video for one in files if one.video]),
        audio=_call_audio([one.audio for one in files if one.audio]),
    )


def _call_video(videos: Sequence[Video]) -> Video | None:
    if not videos:
        return None
    gaps = [one.gap_ms for one in videos if one.gap_ms]
    return videos[0].model_copy(
        update={
            "frames": sum(one.frames for one in videos),
            "missed": sum(one.missed for one in videos),
            "repeated": sum(one.repeated for one in videos),
            "gap_ms": max(gaps, key=lambda one: one.max) if gaps else None,
            "keyframe_gap": max(one.keyframe_gap for one in videos),
        }
    )


def _call_audio(audios: Sequence[Audio]) -> Audio | None:
    if not audios:
        return None
    return audios[0].model_copy(
        update={
            "duration": round(sum(one.duration for one in audios), 3),
            "gaps": sum(one.gaps for one in audios),
            "clipped": sum(one.clipped for one in audios),
        }
    )


def file_reports(
    placed: Sequence[PlacedFile], evidence: Sequence[Evidence], placements: Sequence[Placement]
) -> Iterator[FileReport]:
    """Yield the report's entry for each file, in the same order."""
    for one, own in zip(placed, evidence, strict=True):
        source = one.file.source
        yield FileReport(
            name=one.file.name,
            path=source.path,
            start=round(one.start, 3),
            end=round(one.end, 3),
            aligned_by=placements[one.unit].by,
            media=own.media,
            segments=source.segments,
            lost_segments=len(source.lost),
            participants=tuple(dict.fromkeys(each.name for each in own.participants)),
        )
