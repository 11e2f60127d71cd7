"""Arithmetic on values that repeat, such as capture times, which start again at 0 after 70 minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def centered(values: NDArray[np.float64], period: float) -> NDArray[np.float64]:
    """Return the values modulo ``period``, in the range from minus half a period to half a period."""
    return np.asarray((values + period / 2) % period - period / 2)


def agreeing(values: NDArray[np.float64], period: float, tolerance: float) -> NDArray[np.float64]:
    """Return the largest group of values that differ from one of them by at most ``tolerance``.

    The differences are modulo ``period``. The values of the group are near this one value, so they can be averaged.
    ``values`` has one dimension and is not empty; the result has one dimension.
    """
    near = np.abs(centered(values[:, None] - values, period)) <= tolerance
    best = int(near.sum(axis=1).argmax())
    return np.asarray(values[best] + centered(values[near[best]] - values[best], period))
