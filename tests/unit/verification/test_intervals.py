"""Subtraction and intersection are correct for any two lists of intervals, and fast for long lists."""

from __future__ import annotations

from itertools import pairwise
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.verification.values.intervals import intersection, subtract

pytestmark = pytest.mark.parallel

# The intervals are in whole seconds from 0 to 37, so that every second can be checked.
INTERVALS = st.lists(
    st.tuples(st.integers(0, 29), st.integers(1, 8)).map(lambda one: (float(one[0]), float(one[0] + one[1])))
)


def covered(intervals: list[tuple[float, float]]) -> set[int]:
    """Return the set of all whole seconds that the intervals cover."""
    return {second for start, end in intervals for second in range(int(start), int(end))}


@given(these=INTERVALS, those=INTERVALS)
def test_subtract_and_intersection_match_the_set_operations(
    these: list[tuple[float, float]], those: list[tuple[float, float]]
) -> None:
    """Operations on intervals give the same results as set operations on whole seconds.

    The resulting intervals are sorted and do not overlap.
    """
    left, both = subtract(these, those), intersection(these, those)

    assert covered(these) - covered(those) == covered(left)
    assert covered(these) & covered(those) == covered(both)
    for found in (left, both):
        assert all(start < end for start, end in found)
        assert all(before[1] <= after[0] for before, after in pairwise(found))


def test_intervals_take_linear_time() -> None:
    """Subtracting a hundred thousand intervals from another hundred thousand takes about a second, not an hour."""
    these = [(float(at), at + 0.8) for at in range(100_000)]
    those = [(at + 0.2, at + 0.4) for at in range(100_000)]
    began = monotonic()

    left = subtract(these, those)

    assert 200_000 == len(left)
    assert monotonic() - began < 5
