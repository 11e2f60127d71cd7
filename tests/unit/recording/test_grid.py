"""The ``Grid`` class assigns each packet to the tick at which its frame was drawn, despite delays and jitter."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from harness.recording.finalize.grid import SETTLED, Grid

pytestmark = pytest.mark.parallel

START = 1_000.0
# Packet timestamps count from the start of the recording, and write times count from the start of the page.
LAG = -5_000.0


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The parameters of a simulated mixer and recorder. Times are in ms, and fractions are from 0 to 1.

    ``write_jitter`` is the maximum delay of a tick in the mixer, and ``way_jitter`` is the maximum delay between the
    mixer and the recorder. ``missed`` is the fraction of ticks that the mixer skips. The encoder drops the first
    ``lost_first`` frames, and the fraction ``dropped`` of the other frames. ``hint_error`` is the error in the reported
    start time of the recorder. The mixer's log arrives in batches of ``lot`` ticks, and packets arrive in batches every
    300 ms.
    """

    rate: int = 30
    write_jitter: float = 3.0
    way_jitter: float = 3.0
    missed: float = 0.0
    dropped: float = 0.0
    lost_first: int = 0
    hint_error: float = 0.0
    lot: int = 8
    before: int = 45
    ticks: int = 300


@dataclass(frozen=True)
class Run:
    """The result of a simulation: each packet's actual tick, and the tick that the grid assigned to it."""

    shown: list[int]
    given: list[int]
    grid: Grid


def run(machine: Machine, seed: int) -> Run:
    """Simulate a recording on a machine, and assign ticks to its packets as they arrive."""
    dice = random.Random(seed)  # noqa: S311 - test data, not secrets
    step = 1000 / machine.rate
    total = machine.before + machine.ticks
    ticks = [
        (number, START + number * step + machine.write_jitter * dice.random())
        for number in range(total)
        if dice.random() >= machine.missed
    ]
    started = START + (machine.before - dice.random()) * step
    recorded = [(number, written) for number, written in ticks if written > started][machine.lost_first :]
    packets = [
        (number, written + LAG + machine.way_jitter * dice.random())
        for number, written in recorded
        if dice.random() >= machine.dropped
    ]
    grid = Grid(step, started + machine.hint_error)
    placed: list[tuple[float, int]] = []
    lots = [ticks[at : at + machine.lot] for at in range(0, len(ticks), machine.lot)]
    for _, stamp in packets:
        comes = started + 300 * ((stamp - LAG + 20 - started) // 300 + 1)
        while lots and lots[0][-1][1] <= comes:
            for tick, written in lots.pop(0):
                grid.tick(tick, written)
        placed += grid.place(stamp)
    for tick, written in (entry for lot in lots for entry in lot):
        grid.tick(tick, written)
    placed += grid.end()
    assert [stamp for _, stamp in packets] == [stamp for stamp, _ in placed]
    return Run([number for number, _ in packets], [tick for _, tick in placed], grid)


@pytest.mark.parametrize(
    "machine",
    [
        pytest.param(Machine(), id="calm"),
        pytest.param(Machine(write_jitter=0.3, way_jitter=0.5), id="nearly perfect"),
        pytest.param(Machine(rate=15, ticks=200), id="fifteen a second"),
        pytest.param(Machine(way_jitter=10.8), id="a slow way to the recorder"),
        pytest.param(Machine(write_jitter=15), id="late ticks"),
        pytest.param(Machine(write_jitter=15, way_jitter=10), id="under load"),
        pytest.param(Machine(missed=0.05), id="ticks given up"),
        pytest.param(Machine(dropped=0.2), id="frames dropped"),
        pytest.param(Machine(dropped=0.5), id="every other frame dropped"),
        pytest.param(Machine(lost_first=3), id="the first frames dropped"),
        pytest.param(Machine(lot=30), id="a log that comes late"),
        pytest.param(Machine(hint_error=33), id="a start logged one tick late"),
        pytest.param(Machine(hint_error=100), id="a start logged three ticks late"),
        pytest.param(Machine(hint_error=-33), id="a start logged one tick early"),
        pytest.param(Machine(hint_error=-100), id="a start logged three ticks early"),
        pytest.param(Machine(hint_error=-200), id="a start logged six ticks early"),
    ],
)
def test_every_packet_gets_its_own_tick(machine: Machine) -> None:
    """In six simulated recordings, every packet is assigned its actual tick."""
    runs = [run(machine, seed) for seed in range(6)]

    wrong = sum(a != b for one in runs for a, b in zip(one.shown, one.given, strict=True))
    assert 0 == wrong


def test_dropped_frames_are_expected_but_not_placed() -> None:
    """A dropped frame's tick is included in ``expected``, but no packet is assigned to this tick."""
    one = run(Machine(dropped=0.3), seed=1)

    assert one.shown[-1] - one.shown[0] + 1 == one.grid.expected
    assert len(one.shown) == one.grid.placed
    assert 60 < one.grid.expected - one.grid.placed < 120


def test_first_packet_sets_the_zero_of_audio_and_timeline() -> None:
    """The file starts at the time at which the first packet would have arrived without jitter.

    The start of the file is known on the recorder's clock and on the page's clock.
    """
    one = run(Machine(), seed=2)

    on_time = START + one.shown[0] * 1000 / 30
    # On average, each kind of jitter adds a delay of half its maximum. The tolerances allow for the inaccuracy of the
    # median.
    assert pytest.approx(on_time + LAG + 3, abs=1) == one.grid.zero
    assert pytest.approx(on_time + 1.5, abs=2) == one.grid.zero_on_page


def test_second_frame_on_a_tick_moves_to_the_next() -> None:
    """If two packets arrive at the same time, the second one is assigned to the next tick."""
    grid = Grid(step=100, recorder_started=0)
    for number in range(100):
        grid.tick(number, number * 100)

    placed = [tick for number in range(60) for _, tick in grid.place(number * 100)]
    placed += [tick for stamp in (6000, 6001, 6200) for _, tick in grid.place(stamp)]

    assert [*range(60), 60, 61, 62] == placed


def test_packets_wait_for_their_ticks() -> None:
    """If a packet arrives before its tick is in the log, the packet is assigned as soon as the log has the tick."""
    grid = Grid(step=100, recorder_started=0)
    for number in range(SETTLED + 20):
        grid.tick(number, number * 100)
    for number in range(SETTLED):
        grid.place(number * 100)
    early = grid.place((SETTLED + 25) * 100)

    for number in range(SETTLED + 20, SETTLED + 40):
        grid.tick(number, number * 100)
    late = grid.place((SETTLED + 26) * 100)

    assert [] == early
    assert [SETTLED + 25, SETTLED + 26] == [tick for _, tick in late]


def test_packets_are_placed_although_the_log_stays_behind_them() -> None:
    """Packets are assigned to ticks even if the log never contains the newest packet's tick.

    The log lags behind the packets, because it is sent only a few times per second.
    """
    grid = Grid(step=100, recorder_started=0)
    placed = []
    for number in range(3 * SETTLED):
        if number % 8 == 7:
            for logged in range(max(0, number - 15), number - 7):
                grid.tick(logged, logged * 100)
        placed += grid.place(number * 100)

    assert list(range(len(placed))) == [tick for _, tick in placed]
    assert 2 * SETTLED < len(placed)


def test_packets_after_the_end_of_the_log_have_a_constant_rate() -> None:
    """After a page crash, packets whose ticks were not logged are spaced at a constant rate."""
    grid = Grid(step=100, recorder_started=0)
    for number in range(SETTLED + 15):
        grid.tick(number, number * 100)

    placed = [tick for number in range(SETTLED + 40) for _, tick in grid.place(number * 100 + 7)]
    placed += [tick for _, tick in grid.end()]

    assert list(range(SETTLED + 40)) == placed


def test_timestamps_without_a_log_are_rounded() -> None:
    """Without a log, ticks have a constant rate, and each packet's timestamp is rounded to the nearest tick."""
    grid = Grid(step=100)

    placed = [tick for number in range(50) for _, tick in grid.place(number * 100 + number % 7)] + [
        tick for _, tick in grid.end()
    ]

    assert list(range(50)) == placed


def test_recording_that_is_too_short_to_settle_is_placed_at_its_end() -> None:
    """If a recording has only a dozen packets, their ticks are assigned when the recording ends."""
    one = run(Machine(ticks=12), seed=3)

    assert one.shown == one.given


def test_grid_without_packets_is_empty() -> None:
    """For an empty recording, no ticks are expected, and the start of the file on the page's clock is unknown."""
    grid = Grid(step=100)

    assert [] == grid.end()
    assert (0, 0, None) == (grid.expected, grid.placed, grid.zero_on_page)


def test_missing_frames_before_the_stop_are_expected() -> None:
    """If the last frame arrives long before the recorder stops, frames are expected for all ticks until the stop."""
    grid = Grid(step=100, recorder_started=0)
    grid.recorder_stopped = 10_000
    for number in range(110):
        grid.tick(number, number * 100)

    for number in range(60):
        grid.place(number * 100 + 5)
    grid.end()

    # The last frames before a stop can still be in the encoder.
    assert 98 == pytest.approx(grid.expected, abs=1)
    assert 60 == grid.placed


@pytest.mark.parametrize("frames", [20, SETTLED, 90], ids=["not settled", "about to settle", "settled"])
@pytest.mark.parametrize("missing", [0, 7])
def test_outstanding_frames_are_counted(frames: int, missing: int) -> None:
    """All frames due between the last packet and the stop are outstanding, even after only a few packets."""
    dice = random.Random(3)  # noqa: S311 - test data, not secrets
    written = [START + number * 100 + 30 * dice.random() for number in range(frames + missing + 5)]
    grid = Grid(step=100, recorder_started=START - 1)
    for number, at in enumerate(written):
        grid.tick(number, at)
    for at in written[:frames]:
        grid.place(at + LAG)
    before = grid.outstanding

    # Five more ticks are written after the stop.
    grid.recorder_stopped = written[frames + missing] - 1

    assert (None, missing) == (before, grid.outstanding)


@pytest.mark.parametrize("frames", [3, 6, 10, 20])
def test_short_recording_on_an_idle_machine_has_no_outstanding_frames(frames: int) -> None:
    """If ticks are so regular that the first frame fits several ticks, at most two frames count as outstanding."""
    dice = random.Random(4)  # noqa: S311 - test data, not secrets
    for _ in range(50):
        written = [START + number * 1000 / 30 + 0.3 * dice.random() for number in range(frames + 30)]
        grid = Grid(step=1000 / 30, recorder_started=written[20] - 30 * dice.random())
        for number, at in enumerate(written):
            grid.tick(number, at)
        for at in written[21 : 21 + frames]:
            grid.place(at + LAG + 2 * dice.random())
        grid.recorder_stopped = written[21 + frames] - 1

        assert (grid.outstanding or 0) <= 2


def test_outstanding_frames_are_unknown_before_the_first_packet() -> None:
    """If a recorder is stopped before its first frame, it is unknown how many frames have yet to arrive."""
    grid = Grid(step=100, recorder_started=0)
    grid.tick(0, 0)
    grid.recorder_stopped = 50

    assert grid.outstanding is None


def test_memory_stays_flat_over_an_hour() -> None:
    """Even after 100,000 ticks, a ``Grid`` keeps only the last few ticks in memory."""
    grid = Grid(step=1000 / 30, recorder_started=0)
    most = 0
    for number in range(100_000):
        grid.tick(number, number * 1000 / 30)
        if number > 20:
            grid.place((number - 20) * 1000 / 30)
        if number % 1000 == 0:
            most = max(most, len(grid._times) + len(grid._numbers) + len(grid._waiting) + len(grid._differences))
    grid.end()

    assert most < 5_000
    assert 100_000 - 21 == grid.expected == grid.placed
