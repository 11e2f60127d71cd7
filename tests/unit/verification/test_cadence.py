"""Test how long video must stay unchanged to count as frozen."""

import numpy as np
import pytest

from harness.verification.markers.marker_reader import MarkerTrack
from harness.verification.measures.cadence import frozen_intervals

pytestmark = pytest.mark.parallel


@pytest.mark.parametrize(("count", "frozen"), [(6, False), (7, True)], ids=["for 0.200 s", "for 0.233 s"])
def test_frame_that_stays_longer_than_a_fifth_of_a_second_is_frozen(count: int, *, frozen: bool) -> None:
    """At 30 fps, video counts as frozen if seven frames in a row have the same capture time, but not if six do."""
    counters = np.arange(90, dtype=np.int32)
    counters[30 : 30 + count] = 30
    track = MarkerTrack(
        marker=1,
        times=np.arange(90) / 30,
        counters=counters,
        captures_ms=counters * 100 // 3,
        in_own_tile=np.ones(90, np.bool_),
    )

    found = frozen_intervals(track, period=1 / 30)

    assert [pytest.approx((1.0, 1.0 + count / 30))] * frozen == found
