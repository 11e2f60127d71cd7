"""An error or a crash in one scenario of a batch does not affect the outcomes of the other scenarios."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from harness.batch.processes import run_batch
from harness.errors import SetupError
from harness.scenario import Outcome, Scenario
from harness.scenario.steps import Join
from tests.support.jobs.batch_jobs import NO_CHROME, FakeJob, Fate

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.parallel


def job(folder: Path, number: int, fate: Fate = "ends", **options: Any) -> FakeJob:
    """Return a job that ends as specified by ``fate``."""
    scenario = Scenario(title=f"scenario {number}", steps=(Join(join="alice"),))
    return FakeJob(number=number, scenario=scenario, recordings=folder / "recordings", fate=fate, **options)


@pytest.mark.parametrize("workers", [1, 2])
def test_worker_crash_fails_only_its_scenario(tmp_path: Path, workers: int) -> None:
    """If a worker crashes, the remaining scenarios are still run.

    A batch returns its outcomes in the order in which its jobs were given.
    """
    fates: list[Fate] = ["ends", "dies", "ends", "ends"]
    jobs = [job(tmp_path, number, fate) for number, fate in enumerate(fates)]

    outcomes = run_batch(jobs, workers=workers)

    assert [f"scenario {number}" for number in range(4)] == [outcome.title for outcome in outcomes]
    assert [True, False, True, True] == [outcome.error is None for outcome in outcomes]
    assert outcomes[1].error is not None
    assert "ended unexpectedly (killed by SIGKILL)" in outcomes[1].error
    assert "--workers 1" in outcomes[1].error


def test_recording_of_a_crashed_worker_is_recovered_and_reported(tmp_path: Path) -> None:
    """If a worker crashes, its scenario's outcome contains the reason, the recovered recording and its report."""
    jobs = [job(tmp_path, 0), job(tmp_path, 1, "dies", records=True, room="room")]

    _, outcome = run_batch(jobs)

    assert outcome.error is not None
    (recording,), (report,) = outcome.recordings, outcome.reports
    assert recording.path == report.path == tmp_path / "recordings" / "job 1.webm"
    assert recording.path.stat().st_size == recording.size
    assert recording.recovered is not None
    assert pytest.approx(2, abs=0.2) == recording.duration


def test_scenario_that_can_not_start_does_not_affect_the_others(tmp_path: Path) -> None:
    """An unexpected exception in one scenario does not affect the other scenarios.

    The outcome of a scenario that raised an unexpected exception contains the exception's type and location.
    """
    fates: list[Fate] = ["lacks", "ends", "breaks", "ends"]
    reported: list[tuple[int, Outcome]] = []

    outcomes = run_batch(
        [job(tmp_path, number, fate) for number, fate in enumerate(fates)], on_outcome=lambda *one: reported.append(one)
    )

    lacking, well, broken, last = outcomes
    assert NO_CHROME == lacking.error
    assert isinstance(lacking.failure, SetupError)
    assert broken.error is not None
    assert broken.error.startswith("ValueError: an unexpected error (batch_jobs.py:")
    assert well.error is None
    assert last.error is None
    assert list(enumerate(outcomes)) == reported


def test_interrupted_batch_starts_no_further_job(tmp_path: Path) -> None:
    """A batch has no outcome for a job that was never started."""
    stop = threading.Event()

    outcomes = run_batch(
        [job(tmp_path, number) for number in range(3)],
        on_outcome=lambda *_: stop.set(),
        interrupted=stop.is_set,
    )

    assert ["scenario 0"] == [outcome.title for outcome in outcomes]
