"""Measure how long a participant's video and audio take to appear after a join, and how late the audio is."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from harness.recording.timeline import Event, Interval, Timeline

Kind = Literal["video", "audio"]
# The delay of the video at the time of a burst is a median over all frames up to this many seconds before and after
# the burst.
_AROUND: Final = 0.6
_MAIN_TRACKS: Final = {"video": "camera", "audio": "microphone"}


@dataclass(frozen=True)
class StartUp:
    """How long a participant's video or audio took to appear after one join.

    ``since`` is the time of the join, or 0 if the participant joined before the recording started. In another
    application's call, ``since`` is the time at which the track began. ``seconds`` is the time until the video or audio
    appeared, including pauses of the recording. If the video or audio never appeared, ``seconds`` is the time until the
    participant left, and ``appeared`` is false.
    """

    since: float
    seconds: float
    appeared: bool


def start_ups(
    timeline: Timeline, participant: str, kind: Kind, found: Sequence[Interval], duration: float
) -> tuple[StartUp, ...]:
    """Return the start-up of a participant's video or audio after each join; ``found`` holds its intervals in the file.

    If the camera or microphone was off when the participant joined, or if it is unknown whether it was on, the join is
    omitted. The join is also omitted if the manifest states that the file contains the track but the track was not
    found, because this is reported as an absence.
    """
    search = _Search(timeline, participant, kind, found)
    present = timeline.present(participant, duration)
    ends = [-math.inf, *(end for _, end in present)]
    # Events that a leaving participant causes may be recorded slightly after the leave event.
    starts = (((before + start) / 2, start, end) for before, (start, end) in zip(ends, present, strict=False))
    return tuple(one for one in (search.start_up(*times) for times in starts) if one)


class _Search:
    """Finds the start-up of one participant's video or audio. A hostile manifest may have many joins and events."""

    def __init__(self, timeline: Timeline, participant: str, kind: Kind, found: Sequence[Interval]) -> None:
        own = sorted((one for one in timeline.events if one.participant == participant), key=lambda one: one.at)
        self._switches = [one for one in own if one.event == kind and one.track is None]
        tracks = (one for one in own if one.event == "track" and one.kind == kind and one.track == _MAIN_TRACKS[kind])
        self._track_starts = [one.at for one in tracks if one.on] if timeline.is_application_call else None
        self._found = found
        cuts = sorted(timeline.cuts())
        self._cuts = [at for at, _ in cuts]
        self._paused_until = [0.0, *accumulate(seconds for _, seconds in cuts)]

    def start_up(self, lower: float, start: float, end: float) -> StartUp | None:
        """Return the start-up after a join at ``start``; events after ``lower`` belong to this join."""
        first, after = (bisect_right(self._switches, at, key=_time) for at in (lower, start))
        number = max(first, after - 1)
        state = self._switches[number] if number < len(self._switches) else None
        switched = state is not None and state.at <= end
        if state and switched and not state.on:
            return None
        since = self._track_start(lower, start, end)
        if since is None:
            return None
        number = bisect_right(self._found, since, key=lambda at: at[1])
        if number < len(self._found) and self._found[number][0] < end:
            shown = max(self._found[number][0], since)
            return StartUp(since, shown - since + self._paused(since, shown), appeared=True)
        return None if switched else StartUp(since, end - since + self._paused(since, end), appeared=False)

    def _track_start(self, lower: float, start: float, end: float) -> float | None:
        """Return ``start`` or, in another application's call, the time at which the track began, if it did."""
        if self._track_starts is None:
            return start
        number = bisect_right(self._track_starts, lower)
        began = self._track_starts[number] if number < len(self._track_starts) else math.inf
        return max(began, start) if began <= end else None

    def _paused(self, start: float, end: float) -> float:
        """Return how many seconds the recording was paused between two times in the file."""
        first, last = bisect_right(self._cuts, start), bisect_right(self._cuts, end)
        return self._paused_until[last] - self._paused_until[first]


def _time(event: Event) -> float:
    return event.at


def longest_ms(found: Sequence[StartUp]) -> float | None:
    """Return the longest start-up in ms, or None if there is none."""
    return max((round(one.seconds * 1000, 1) for one in found if one.appeared), default=None)


def audio_delays(offsets: NDArray[np.float64], delays: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the delay of each burst of the audio marker from its capture to the file, in ms.

    A burst is captured when the counter in the video marker is a multiple of 30, so its delay is the delay of the video
    at that time plus the A/V offset.

    Args:
        offsets: Time and A/V offset of each burst, in seconds.
        delays: Time in the file in seconds, and delay in ms, of each frame of the video.
    """
    found = []
    for at, offset in offsets:
        first, last = np.searchsorted(delays[:, 0], (at - _AROUND, at + _AROUND))
        if last > first:
            found.append(float(np.median(delays[first:last, 1])) + float(offset) * 1000)
    return np.array(found)
