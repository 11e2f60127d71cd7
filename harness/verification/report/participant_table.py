"""Define the columns of the participants table. The table in the terminal and the HTML report have the same columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.verification.values.intervals import total

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.recording.timeline import Interval
    from harness.verification.values.models import ParticipantReport

COLUMNS: Final = ("present", "fps", "repeated", "skipped", "frozen", "audible", "A/V")
NOTHING: Final = "-"
UNKNOWN: Final = "?"


def cells(one: ParticipantReport) -> tuple[str, ...]:
    """Return the row of the table for one participant, with one string for each column."""
    video, offset = one.video, one.av_offset_ms
    return (
        _seconds(one.present),
        f"{video.frame_rate:.1f}" if video else NOTHING,
        f"{video.repeated_percent:g} %" if video else NOTHING,
        f"{video.skipped_percent:g} %" if video else NOTHING,
        _seconds(video.frozen) if video else NOTHING,
        _audible(one),
        f"{offset.median:+.0f} ms" if offset else UNKNOWN if one.av_offset_missing == "ambiguous" else NOTHING,
    )


def extra_rows(one: ParticipantReport) -> list[tuple[str, tuple[str, ...]]]:
    """Return a row for each of the participant's extra tracks: its label, and one string for each column."""
    nothing = (NOTHING,) * (len(COLUMNS) - 1)
    return [(f"{one.name}: {track.track}, {track.kind}", (_seconds(track.present), *nothing)) for track in one.tracks]


def _audible(one: ParticipantReport) -> str:
    """Return how long the participant is audible, which is unknown if another participant has the same tone."""
    if one.audio is None:
        return NOTHING
    return UNKNOWN if one.av_offset_missing == "shared tone" else _seconds(one.audio.audible)


def _seconds(intervals: Sequence[Interval]) -> str:
    return f"{total(intervals):.1f} s" if intervals else NOTHING
