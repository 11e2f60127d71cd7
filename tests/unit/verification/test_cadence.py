"""Test how long video must stay unchanged to count as frozen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from harness.verification.markers.content import ContentTrack
from harness.verification.markers.tracks import MarkerTrack
from harness.verification.measures.cadence import count_freezes, frozen_intervals
from harness.verification.values.models import Freezes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

pytestmark = pytest.mark.parallel


def track_of(
    times: NDArray[np.float64], counters: NDArray[np.int32], *, numbers: Sequence[int] | None = None
) -> MarkerTrack:
    """Return a track whose frames have these times in seconds and these counters; ``numbers`` defaults to 0, 1, 2..."""
    return MarkerTrack(
        marker=1,
        times=times,
        counters=counters,
        captures_ms=counters * 100 // 3,
        in_own_tile=np.ones(times.size, np.bool_),
        numbers=np.array(numbers or range(times.size), np.uint32),
        content=ContentTrack(times=np.zeros(0), faults=np.zeros(0, np.uint8), colors_known=0),
    )


@pytest.mark.parametrize(("count", "frozen"), [(6, False), (7, True)], ids=["for 0.200 s", "for 0.233 s"])
def test_frame_that_stays_longer_than_a_fifth_of_a_second_is_frozen(count: int, *, frozen: bool) -> None:
    """At 30 fps, video counts as frozen if seven frames in a row have the same capture time, but not if six do."""
    counters = np.arange(90, dtype=np.int32)
    counters[30 : 30 + count] = 30
    track = track_of(np.arange(90) / 30, counters)

    found = frozen_intervals(track, period=1 / 30)

    assert [pytest.approx((1.0, 1.0 + count / 30))] * frozen == found


@pytest.mark.parametrize(
    ("stalled", "freezes"),
    [
        pytest.param(5, Freezes(), id="167 ms"),
        pytest.param(6, Freezes(count=1, duration=0.2), id="200 ms"),
        pytest.param(30, Freezes(count=1, duration=1.0), id="1 s"),
    ],
)
def test_freezes_are_counted_as_in_webrtc_statistics(stalled: int, freezes: Freezes) -> None:
    """At 30 fps, an interval of at least 183 ms (33 + 150 ms) between two distinct frames is a freeze."""
    counters = np.arange(120, dtype=np.int32)
    counters[60 : 60 + stalled] = 60

    assert freezes == count_freezes(track_of(np.arange(120) / 30, counters))


def test_freeze_at_a_low_frame_rate_is_three_times_the_average_interval() -> None:
    """At 5 fps, an interval of 400 ms is not a freeze, but one of 600 ms is."""
    times = np.cumsum([0.0, *[0.2] * 20, 0.4, *[0.2] * 40, 0.6, *[0.2] * 10])
    track = track_of(times, np.round(times * 30).astype(np.int32))

    assert Freezes(count=1, duration=0.6) == count_freezes(track)


def test_time_out_of_view_is_not_a_freeze() -> None:
    """There are frames without the strip between the two frames, so the participant was not visible."""
    times = np.append(np.arange(60) / 30, 4 + np.arange(60) / 30)
    track = track_of(times, np.round(times * 30).astype(np.int32), numbers=[*range(60), *range(120, 180)])

    assert Freezes() == count_freezes(track)


def test_gap_in_the_file_is_a_freeze() -> None:
    """A player shows the last frame until the next one."""
    times = np.append(np.arange(60) / 30, 4 + np.arange(60) / 30)

    freezes = count_freezes(track_of(times, np.round(times * 30).astype(np.int32)))

    assert Freezes(count=1, duration=2.033) == freezes
