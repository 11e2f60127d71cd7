"""What the fault tests share: the table of the promise, and what every file that they leave must stand."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness import Recording, Report
from tests.faults.goals import Goals, Row
from tests.faults.opinions import disagreements
from tests.verdicts import whole

GOALS = Goals()
# Every file that was judged, and what the other programs said against our probe.
JUDGED: list[Path] = []
DISAGREED: list[str] = []


@pytest.fixture(scope="session")
def goals() -> Goals:
    """Return the table, which is printed at the end."""
    return GOALS


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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of the promise, as far as it was measured."""
    if JUDGED:
        figure = f"{len(JUDGED)} files, {len(DISAGREED)} differences"
        GOALS.rows.append(Row("ffprobe, MediaInfo, mkvinfo on these", "agree", figure, met=not DISAGREED))
    if GOALS.rows:
        terminalreporter.section("what is promised, and what was measured")
        for line in GOALS.table():
            terminalreporter.write_line(line)
