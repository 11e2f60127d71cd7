"""Cutting out pauses is fast, and gives the same times as adding up all earlier pauses for each time."""

from __future__ import annotations

import json
import time
from math import inf
from random import Random
from typing import TYPE_CHECKING

import pytest

from harness.recording.finalize.grid import Grid
from harness.recording.finalize.tick_log import Cut, FileClock, Log

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

pytestmark = pytest.mark.parallel

STEP = 1000 / 30


def written(path: Path, lines: Sequence[object]) -> Path:
    """Write a log."""
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


def states(pauses: Sequence[tuple[float, float]]) -> list[dict[str, object]]:
    """Return log lines that state when the recorder was paused and resumed.

    A pause that never ends has no line for its end.
    """
    found: list[dict[str, object]] = []
    for start, end in pauses:
        found.append({"recorder": "paused", "time": start})
        if end < inf:
            found.append({"recorder": "resumed", "time": end})
    return found


@pytest.mark.parametrize("seed", range(20))
def test_ticks_and_cuts_equal_a_sum_over_all_pauses(seed: int, tmp_path: Path) -> None:
    """All earlier pauses are subtracted from each time, even at a pause's edge or if the last pause never ends."""
    random = Random(seed)  # noqa: S311 - the sequence must be reproducible
    edges = sorted(random.sample(range(1, 2_000), 2 * random.randrange(1, 15)))
    pauses: list[tuple[float, float]] = list(zip(edges[::2], edges[1::2], strict=True))
    if seed % 3 == 0:
        pauses[-1] = (pauses[-1][0], inf)
    times = [float(random.choice([*edges, random.randrange(2_000)])) for _ in range(200)]
    grid = Grid(STEP)
    log = Log(written(tmp_path / "log", [*states(pauses), {"first": 0, "written": times}]), STEP)

    log.read(grid)
    log.close()

    ended = [(start, end) for start, end in pauses if end < inf]
    ticks, expected = [], []
    for number, at in enumerate(times):
        if not any(start < at < end for start, end in pauses):
            over = [(start, end) for start, end in ended if end <= at]
            ticks.append(number - sum(round((end - start) / STEP) for start, end in over))
            expected.append(at - sum(end - start for start, end in over))
    assert ticks == grid._numbers
    assert expected == pytest.approx(grid._times)
    cuts = log.cuts(100.0)
    assert [(end - start) / 1000 for start, end in ended] == pytest.approx([cut.seconds for cut in cuts])
    for stamp in (-200.0, 0.0, 33.0, 500.0, 3_000.0):
        excess = out = 0.0
        for start, end in ended:
            if start - out - 100.0 > stamp:
                break
            out += end - start
            excess += end - start - round((end - start) / STEP) * STEP
        assert excess == pytest.approx(log.excess(stamp, 100.0))


@pytest.mark.parametrize("seed", range(20))
def test_times_in_the_file_skip_all_earlier_cuts(seed: int) -> None:
    """A time during a pause is converted to the time in the file at which the pause was cut out."""
    random = Random(seed)  # noqa: S311 - the sequence must be reproducible
    cuts = [Cut(at, random.choice([0.0, 0.5, 3.0])) for at in sorted(random.choices(range(-3, 30), k=8))]
    clock = FileClock(cuts)

    for moment in (value / 4 for value in range(-20, 240)):
        expected = moment
        for cut in cuts:
            if expected > cut.at:
                expected = max(cut.at, expected - cut.seconds)
        assert expected == pytest.approx(clock.place(moment))


def test_contradicting_states_give_usable_times(tmp_path: Path) -> None:
    """Contradictory states, such as "paused" twice or "resumed" without a pause, do not make times wrong."""
    lines = [
        {"recorder": "resumed", "time": 5},
        {"recorder": "paused", "time": 10},
        {"recorder": "paused", "time": 12},
        {"recorder": "resumed", "time": 20},
        {"recorder": "resumed", "time": 90},
        {"recorder": "paused", "time": 15},
        {"recorder": "resumed", "time": 1},
        {"first": 0, "written": [0.0, 11.0, 30.0]},
    ]
    grid = Grid(STEP)
    log = Log(written(tmp_path / "log", lines), STEP)

    log.read(grid)
    log.close()

    assert [0.0, 20.0] == grid._times
    assert [Cut(0.01, 0.01), Cut(0.01, 0.0)] == list(log.cuts(0.0))


def test_many_pauses_take_little_time(tmp_path: Path) -> None:
    """Even a log with the maximum number of pauses, followed by ticks, audio and events, is processed quickly."""
    pauses = [(at * 10.0, at * 10.0 + 5) for at in range(10_000)]
    ticks = [{"first": number, "written": [number * 1.0] * 4_096} for number in range(25)]
    log = Log(written(tmp_path / "log", [*states(pauses), *ticks]), STEP)
    began = time.process_time()

    log.read(Grid(STEP))
    for stamp in range(100_000):
        log.excess(stamp, 0.0)
    clock = FileClock(log.cuts(0.0))
    for moment in range(20_000):
        clock.place(moment / 100)
    log.close()

    # Comparing each tick with each pause would take minutes.
    assert time.process_time() - began < 5
