"""What the fault tests share: the table of the promise, and what every file that they leave must stand."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness import Recording, Report
from tests.faults.opinions import disagreements
from tests.goals import Goals, Row
from tests.verdicts import whole

# Every file that was judged, and what the other programs said against our probe.
JUDGED: list[Path] = []
DISAGREED: list[str] = []


@pytest.fixture
def judged() -> Iterator[Callable[[Recording], Report]]:
    """Return a function that judges a file, with second opinions; in what they differ fails the test at its end."""
    before = len(DISAGREED)

    def judge(recording: Recording) -> Report:
        JUDGED.append(recording.path)
        DISAGREED.extend(disagreements(recording.path))
        return whole(recording)

    yield judge
    assert [] == DISAGREED[before:]


@pytest.fixture(scope="session", autouse=True)
def _opinions(goals: Goals) -> Iterator[None]:
    """Note at the end what the other programs said of all these files."""
    yield
    if JUDGED:
        figure = f"{len(JUDGED)} files, {len(DISAGREED)} differences"
        goals.rows.append(Row("ffprobe, MediaInfo, mkvinfo on these", "agree", figure, met=not DISAGREED))
