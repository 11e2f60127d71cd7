"""Participants are found in files that other recorders could have written, wherever they are shown."""

import multiprocessing
from functools import partial
from pathlib import Path

import pytest

from tests.support.goals import FULL, Goals
from tests.truth.foreign_layouts import FOUND, OFFSET_MS, counted, examine

pytestmark = pytest.mark.parallel

# `make layouts` examines a thousand layouts, and also measures the speed. The quick form examines layouts in which
# earlier versions found participants in the wrong places, or faults that were not there.
SEEDS = range(1, 101) if FULL else (1, 12, 20, 60, 71, 85, 90, 94, 116, 210, 248, 692, 834)


def test_participants_are_found_in_random_layouts(tmp_path: Path, goals: Goals) -> None:
    """The places of all participants are found, nobody is invented, and the planted A/V offsets are measured."""
    with multiprocessing.get_context("spawn").Pool() as pool:
        results = pool.map(partial(examine, folder=tmp_path), SEEDS)

    outcomes = counted(results)
    missed = [one.text for one in outcomes if not one.found]
    invented = [text for result in results for text in result.invented]
    offsets = [abs(offset) for result in results for offset in result.offsets]
    found = 100 * (1 - len(missed) / len(outcomes))
    goals.measured(
        f"participants in {len(SEEDS)} random layouts",
        bar=f"{FOUND} % of the appearances found, nobody invented",
        figure=f"{found:.1f} % of {len(outcomes)} found, {len(invented)} invented",
        met=found >= FOUND and not invented,
    )
    goals.measured(
        f"A/V offsets in {len(SEEDS)} random layouts",
        bar=f"accurate to {OFFSET_MS:g} ms",
        figure=f"{len(offsets)} measured, accurate to {max(offsets):.1f} ms",
        met=max(offsets) <= OFFSET_MS,
    )
    assert [] == invented
    assert [] == [text for result in results for text in result.wrong]
    if not FULL:
        assert [] == missed
