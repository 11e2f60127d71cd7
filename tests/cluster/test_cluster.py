"""Run batches on a real Dask cluster whose scheduler and workers are separate processes, and kill workers."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cloudpickle
import psutil
import pytest

from harness import Recording, Report
from harness.batch.cluster import run_on_cluster
from harness.batch.job import ScenarioJob
from harness.recording.files.names import manifest_of
from harness.recording.manifest import Manifest
from harness.recording.recording import sha256_of
from harness.recording.timeline import Timeline
from harness.scenario import Outcome, Scenario
from harness.scenario.steps import Join
from tests.support.goals import FULL
from tests.support.jobs import batch_jobs
from tests.support.program import run_harness, running_harness, wait_until
from tests.support.reports import BUSY_CHECKS, failed_findings
from tests.support.servers.dask_cluster import Cluster

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.parallel

SCENARIO_COUNT = 40 if FULL else 4
# Size of a recording of about one second, in bytes.
ONE_SECOND_SIZE = 10_000
# Size of a recording whose transfer takes a second or two, in bytes.
LARGE = 400_000_000
# Time from the start of the large recording's transfer until the worker is killed, in seconds.
KILLED_AFTER = 0.5
SCENARIO = """
title = "{title}"
[[steps]]
join = "alice"
[[steps]]
start = "alice"
recorder = "local"
record_name = "{title}"
[[steps]]
wait = {seconds}
[[steps]]
stop = "alice"
[[steps]]
download = "alice"
"""


def rescued(errors: str) -> list[Path]:
    """Return the crashed workers' recordings that the batch reported on standard error."""
    return [Path(path) for path in re.findall(r"A worker crashed; its recording (\S+) \(", errors)]


def recorded_size(worker: subprocess.Popen[str]) -> int:
    """Return the size of the recording that a worker is making, in bytes."""
    paths = [Path(file.path) for file in psutil.Process(worker.pid).open_files()]
    return sum(path.stat().st_size for path in paths if path.name == "raw.webm")


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Start a Dask scheduler that has no workers yet."""
    cluster = Cluster()
    yield cluster
    cluster.close()


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., list[str]]:
    """Return a function that writes scenarios and returns their paths."""

    def write(count: int, seconds: float) -> list[str]:
        paths = []
        for number in range(count):
            path = tmp_path / f"s{number:02}.toml"
            path.write_text(SCENARIO.format(title=f"s{number:02}", seconds=seconds))
            paths.append(path.name)
        return paths

    return write


def test_batch_survives_a_killed_worker(cluster: Cluster, write: Callable[..., list[str]], tmp_path: Path) -> None:
    """Every scenario is reported exactly once, and the killed worker's recordings are fetched and reported."""
    first, _ = cluster.worker(), cluster.worker()
    arguments = (
        *write(SCENARIO_COUNT, 3),
        "--dask",
        cluster.address,
        "--json",
        "--junit",
        "results.xml",
        "--html",
        "reports",
    )

    with running_harness("run", *arguments, folder=tmp_path) as batch:
        wait_until(lambda: recorded_size(first) > ONE_SECOND_SIZE, batch)
        os.killpg(first.pid, signal.SIGKILL)
        output, errors = batch.communicate(timeout=600)
    (tmp_path / "results.json").write_text(output)

    results = json.loads(output)
    # Failures of these checks are ignored, because other recordings use the same processors at the same time.
    assert [] == failed_findings(results, excused=BUSY_CHECKS), errors
    assert batch.returncode == {"passed": 0, "failed": 1, "unverified": 4}[results["result"]], errors
    titles = [one["title"] for one in results["scenarios"]]
    assert titles == [f"s{number:02}" for number in range(SCENARIO_COUNT)]
    assert all(one["error"] is None and len(one["recordings"]) == 1 for one in results["scenarios"])
    names = {path.name for path in (tmp_path / "recordings").glob("*.webm")}
    # The killed worker's scenario was played again, and the recording from the first run was also fetched.
    assert names == {f"{title}.webm" for title in titles} | {path.name for path in rescued(errors)}
    assert len(rescued(errors)) == 1
    assert (tmp_path / "results.xml").read_text().count("<testsuite ") >= SCENARIO_COUNT
    assert (tmp_path / "reports" / "index.html").is_file()


@dataclass(frozen=True, kw_only=True)
class LargeRecordingJob(ScenarioJob):
    """A job that returns a large recording immediately.

    The job's first worker crashes while the recording is being fetched. Only the worker that creates the file
    ``crashed`` crashes.
    """

    crashed: Path
    size: int = LARGE

    def play(self, recordings: Path, **_: object) -> Outcome:
        """Create a recording that contains only zeros; if no worker has crashed yet, schedule this worker's crash."""
        recordings.mkdir(parents=True)
        path = recordings / "clip.webm"
        with path.open("xb") as file:
            file.truncate(self.size)
        recording = Recording(
            id="0" * 32,
            path=path,
            manifest=manifest_of(path),
            participant="alice",
            recorder="local",
            type="video",
            mime_type="video/webm",
            codec="vp9",
            width=640,
            height=360,
            frame_rate=15,
            duration=1.0,
            size=self.size,
            sha256=sha256_of(path),
            started_at="2026-01-01T00:00:00+00:00",
        )
        Manifest(recording=recording, config={}, versions={}, timeline=Timeline()).write(recording.manifest)
        with contextlib.suppress(FileExistsError):
            self.crashed.touch(exist_ok=False)
            threading.Timer(KILLED_AFTER, os.kill, (os.getpid(), signal.SIGKILL)).start()
        report = Report(path=path, media=None, findings=())
        return Outcome(title="", recordings=(recording,), reports=(report,), error=None, seconds=0.0)


def test_worker_crash_during_the_transfer_loses_no_recording(cluster: Cluster, tmp_path: Path) -> None:
    """If a worker crashes during the transfer, another one repeats the scenario, and both recordings are fetched."""
    cluster.worker(), cluster.worker()
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    scenario = Scenario(steps=(Join(join="alice"),))
    job = LargeRecordingJob(
        number=0, scenario=scenario, recordings=tmp_path / "recordings", crashed=tmp_path / "crashed"
    )
    fetched_late: list[Recording] = []

    (outcome,) = run_on_cluster([job], cluster.address, on_rescued=fetched_late.append)

    assert outcome.error is None
    assert [one.path.name for one in (*outcome.recordings, *fetched_late)] == ["clip.webm", "clip-2.webm"]
    assert {path.stat().st_size for path in job.recordings.glob("*.webm")} == {LARGE}
    assert not list(job.recordings.glob(".incoming*"))


def test_failed_scenario_does_not_affect_the_others(cluster: Cluster, tmp_path: Path) -> None:
    """An unexpected exception or a missing requirement in one scenario does not affect the next scenario."""
    cluster.worker()
    cloudpickle.register_pickle_by_value(batch_jobs)
    scenario = Scenario(steps=(Join(join="alice"),))
    fates: list[batch_jobs.Fate] = ["breaks", "ends", "lacks"]
    jobs = [
        batch_jobs.FakeJob(number=number, scenario=scenario, recordings=tmp_path / "recordings", fate=fate)
        for number, fate in enumerate(fates)
    ]

    broken, successful, lacking = run_on_cluster(jobs, cluster.address)

    assert broken.error is not None
    assert broken.error.startswith("ValueError: an unexpected error")
    assert successful.error is None
    assert lacking.error == batch_jobs.NO_CHROME
    assert lacking.failure is not None


def test_recording_that_can_not_be_stored_fails_only_its_scenario(cluster: Cluster, tmp_path: Path) -> None:
    """If a fetched recording can't be stored, it stays on its worker; other scenarios' recordings are still fetched."""
    cluster.worker()
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    scenario = Scenario(steps=(Join(join="alice"),))
    (tmp_path / "file").touch()
    crashed = tmp_path / "crashed"
    crashed.touch()
    failing, stored = (
        LargeRecordingJob(number=number, scenario=scenario, recordings=tmp_path / name, crashed=crashed, size=1000)
        for number, name in enumerate(("file", "recordings"))
    )

    outcomes = run_on_cluster([failing, stored], cluster.address)

    assert outcomes[0].error is not None
    assert "could not be fetched" in outcomes[0].error
    assert outcomes[1].error is None
    assert [path.name for path in stored.recordings.glob("*.webm")] == ["clip.webm"]


def test_cluster_without_browsers_is_reported(
    cluster: Cluster, write: Callable[..., list[str]], tmp_path: Path
) -> None:
    """If no worker in the cluster has a browser, the error contains the option for starting a worker with browsers."""
    cluster.worker("--resources", "GPU=1")

    ran = run_harness("run", *write(1, 1), "--dask", cluster.address, folder=tmp_path)

    assert ran.returncode == 3
    assert "--resources 'browser=2'" in ran.stderr


def test_scheduler_that_does_not_answer_is_reported(write: Callable[..., list[str]], tmp_path: Path) -> None:
    """If the scheduler does not answer, the command prints the scheduler's address and no traceback."""
    ran = run_harness("run", *write(1, 1), "--dask", "tcp://127.0.0.1:9", folder=tmp_path)

    assert ran.returncode == 3
    assert "no scheduler responds at tcp://127.0.0.1:9" in ran.stderr
    assert "Traceback" not in ran.stderr
