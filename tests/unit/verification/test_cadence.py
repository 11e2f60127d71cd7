"""Test which frames count as frozen, repeated, skipped and late."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from harness.verification.markers.content import ContentTrack
from harness.verification.markers.strip import COUNTER_PERIOD
from harness.verification.markers.tracks import MarkerTrack
from harness.verification.measures.cadence import Uneven, count_freezes, count_uneven, frozen_intervals
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


def uneven_of(counters: Sequence[int], late_counters: Sequence[int]) -> Uneven:
    """Return how many frames are repeated, skipped and late in a 30 fps file with these counters."""
    values = np.array(counters, np.int32)
    track = track_of(np.arange(values.size) / 30, values)
    frozen = frozen_intervals(track, period=1 / 30)
    return count_uneven(track, period=1 / 30, frozen=frozen, late_counters=late_counters)


def test_frames_that_were_never_painted_are_late() -> None:
    """The frame before the missing ones is shown until the next frame that was painted."""
    counters = [*range(50), 49, 49, *range(52, 100)]

    assert Uneven(repeated=2, skipped=2, late=2) == uneven_of(counters, [50, 51])


def test_frame_that_was_painted_late_is_late_if_it_is_shown_late_or_skipped() -> None:
    """A late frame is shown one tick later, or skipped because the next frame is already due."""
    shown_late = [*range(50), 49, *range(50, 70), *range(71, 100)]
    skipped = [*range(50), 49, *range(51, 100)]

    assert Uneven(repeated=1, skipped=1, late=1) == uneven_of(shown_late, [50])
    assert Uneven(repeated=1, skipped=1, late=1) == uneven_of(skipped, [50])


def test_frames_that_were_not_painted_during_a_freeze_are_late() -> None:
    """The frames of a freeze do not count as repeated or skipped, but the reason for the freeze is known."""
    counters = [*range(50), *[49] * 9, *range(59, 100)]

    assert Uneven(repeated=0, skipped=0, late=9) == uneven_of(counters, range(50, 59))


def test_late_frame_that_is_shown_in_time_does_not_count() -> None:
    """A frame that was lost on its way is not late, even if other frames in the file were painted late."""
    assert Uneven(repeated=1, skipped=1, late=0) == uneven_of([*range(50), 49, *range(51, 100)], [20, 80])


def test_late_frames_are_found_after_the_counter_has_started_again() -> None:
    """The counters in a track keep growing, but those in the manifest start again at 0."""
    counters = np.array([*range(50), 49, *range(51, 100)]) + COUNTER_PERIOD - 50

    assert Uneven(repeated=1, skipped=1, late=1) == uneven_of(counters.tolist(), [0])
