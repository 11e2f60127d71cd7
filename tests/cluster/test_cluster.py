"""Batches on a real Dask cluster: a scheduler and workers in processes of their own, one of them killed."""

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

MANY = 40 if FULL else 4
# A recording of about a second has this many bytes.
ENOUGH = 10_000
# Large enough to take a second or two to fetch; a worker is killed this many seconds after it began.
LARGE = 400_000_000
SOON = 0.5
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


def rescued(complaints: str) -> list[Path]:
    """Return the recordings that were reported to come from a crashed worker."""
    return [Path(path) for path in re.findall(r"A worker crashed; (\S+) \(", complaints)]


def recorded(worker: subprocess.Popen[str]) -> int:
    """Return how many bytes of a recording a worker has so far."""
    held = [Path(one.path) for one in psutil.Process(worker.pid).open_files()]
    return sum(path.stat().st_size for path in held if path.name == "raw.webm")


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Run a scheduler without workers."""
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
    """Every scenario has one outcome; the recordings of the killed worker are fetched and reported."""
    first, _ = cluster.worker(), cluster.worker()
    answer = tmp_path / "answer.json"
    arguments = (*write(MANY, 3), "--dask", cluster.address, "--json", "--junit", "results.xml", "--html", "reports")

    with running_harness("run", *arguments, folder=tmp_path) as batch:
        wait_until(lambda: recorded(first) > ENOUGH, batch)
        os.killpg(first.pid, signal.SIGKILL)
        output, complaints = batch.communicate(timeout=600)
    answer.write_text(output)

    answered = json.loads(output)
    # Other recordings may use the same processors.
    assert [] == failed_findings(answered, excused=BUSY_CHECKS), complaints
    assert batch.returncode == (0 if answered["ok"] else 1), complaints
    titles = [one["title"] for one in answered["scenarios"]]
    assert titles == [f"s{number:02}" for number in range(MANY)]
    assert all(one["error"] is None and len(one["recordings"]) == 1 for one in answered["scenarios"])
    films = {path.name for path in (tmp_path / "recordings").glob("*.webm")}
    # One scenario was played again, and its first recording was fetched as well.
    assert films == {f"{title}.webm" for title in titles} | {path.name for path in rescued(complaints)}
    assert len(rescued(complaints)) == 1
    assert (tmp_path / "results.xml").read_text().count("<testsuite ") >= MANY
    assert (tmp_path / "reports" / "index.html").is_file()


@dataclass(frozen=True, kw_only=True)
class Handover(ScenarioJob):
    """A job that has a large recording at once; its first worker crashes while the recording is fetched."""

    died: Path
    size: int = LARGE

    def play(self, recordings: Path, **_: object) -> Outcome:
        """Make a recording of zeros."""
        recordings.mkdir(parents=True)
        film = recordings / "film.webm"
        with film.open("xb") as file:
            file.truncate(self.size)
        recording = Recording(
            id="0" * 32,
            path=film,
            manifest=manifest_of(film),
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
            sha256=sha256_of(film),
            started_at="2026-01-01T00:00:00+00:00",
        )
        Manifest(recording=recording, config={}, versions={}, timeline=Timeline()).write(recording.manifest)
        with contextlib.suppress(FileExistsError):
            self.died.touch(exist_ok=False)
            threading.Timer(SOON, os.kill, (os.getpid(), signal.SIGKILL)).start()
        report = Report(path=film, media=None, findings=())
        return Outcome(title="", recordings=(recording,), reports=(report,), error=None, seconds=0.0)


def test_worker_crash_during_the_transfer_loses_no_recording(cluster: Cluster, tmp_path: Path) -> None:
    """The scenario is played again; the rest of its recordings is fetched from the folder of the crashed worker."""
    cluster.worker(), cluster.worker()
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    scenario = Scenario(steps=(Join(join="alice"),))
    job = Handover(number=0, scenario=scenario, recordings=tmp_path / "recordings", died=tmp_path / "died")
    late: list[Recording] = []

    (outcome,) = run_on_cluster([job], cluster.address, on_rescued=late.append)

    assert outcome.error is None
    assert [one.path.name for one in (*outcome.recordings, *late)] == ["film.webm", "film-2.webm"]
    assert {path.stat().st_size for path in job.recordings.glob("*.webm")} == {LARGE}
    assert not list(job.recordings.glob(".incoming*"))


def test_failed_scenario_does_not_affect_the_others(cluster: Cluster, tmp_path: Path) -> None:
    """This is also true for an unexpected exception."""
    cluster.worker()
    cloudpickle.register_pickle_by_value(batch_jobs)
    scenario = Scenario(steps=(Join(join="alice"),))
    fates: list[batch_jobs.Fate] = ["breaks", "ends", "lacks"]
    all_of_them = [
        batch_jobs.FakeJob(number=number, scenario=scenario, recordings=tmp_path / "recordings", fate=fate)
        for number, fate in enumerate(fates)
    ]

    broken, well, lacking = run_on_cluster(all_of_them, cluster.address)

    assert broken.error is not None
    assert broken.error.startswith("ValueError: an unexpected error")
    assert well.error is None
    assert lacking.error == batch_jobs.NO_CHROME
    assert lacking.failure is not None


def test_recording_that_can_not_be_stored_fails_only_its_scenario(cluster: Cluster, tmp_path: Path) -> None:
    """It stays at the worker, and the other recordings are fetched."""
    cluster.worker()
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    scenario = Scenario(steps=(Join(join="alice"),))
    (tmp_path / "file").touch()
    (tmp_path / "died").touch()
    refused, taken = (
        Handover(number=number, scenario=scenario, recordings=tmp_path / name, died=tmp_path / "died", size=1000)
        for number, name in enumerate(("file", "recordings"))
    )

    outcomes = run_on_cluster([refused, taken], cluster.address)

    assert outcomes[0].error is not None
    assert "could not be fetched" in outcomes[0].error
    assert outcomes[1].error is None
    assert [path.name for path in taken.recordings.glob("*.webm")] == ["film.webm"]


def test_cluster_without_browsers_is_reported(
    cluster: Cluster, write: Callable[..., list[str]], tmp_path: Path
) -> None:
    """The message has the command that starts a worker with browsers."""
    cluster.worker("--resources", "GPU=1")

    ran = run_harness("run", *write(1, 1), "--dask", cluster.address, folder=tmp_path)

    assert ran.returncode == 3
    assert "--resources 'browser=2'" in ran.stderr


def test_scheduler_that_does_not_answer_is_reported(write: Callable[..., list[str]], tmp_path: Path) -> None:
    """The message is one line, with the command that starts a scheduler."""
    ran = run_harness("run", *write(1, 1), "--dask", "tcp://127.0.0.1:9", folder=tmp_path)

    assert ran.returncode == 3
    assert "no scheduler answers at tcp://127.0.0.1:9" in ran.stderr
    assert "Traceback" not in ran.stderr
