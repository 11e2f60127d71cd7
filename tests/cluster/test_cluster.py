"""Batches on a real Dask cluster: a scheduler and workers in processes of their own, one of them killed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.goals import FULL
from tests.program import harness, running, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MANY = 40 if FULL else 4
# So many bytes are a recording of a second or so.
ENOUGH = 10_000
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
    """Return the recordings that were told to come from a worker that died."""
    return [Path(path) for path in re.findall(r"A worker died; what it had recorded is (\S+) ", complaints)]


def recorded(worker: subprocess.Popen[str]) -> int:
    """Return how many bytes of a recording a worker has so far."""
    held = [Path(one.path) for one in psutil.Process(worker.pid).open_files()]
    return sum(path.stat().st_size for path in held if path.name == "raw.webm")


class Cluster:
    """A scheduler, and the workers that are started."""

    def __init__(self) -> None:
        # Chrome's sockets have names that may not be long.
        self._folder = tempfile.TemporaryDirectory(prefix="dask", ignore_cleanup_errors=True)
        self.folder = Path(self._folder.name)
        self.processes: list[subprocess.Popen[str]] = []
        scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show")
        self.address = self._word_with(scheduler, "tcp://")

    def worker(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a worker with a browser, which runs in this very process; return when it is there."""
        worker = self._start(
            *("worker", self.address, "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny", "--no-dashboard"),
            *(arguments or ("--resources", "browser=1")),
        )
        self._word_with(worker, "Registered to:")
        return worker

    def close(self) -> None:
        """End everything."""
        for process in reversed(self.processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if process.stdout:
                process.stdout.close()
        self._folder.cleanup()

    def _start(self, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments],
            cwd=self.folder,
            env={**os.environ, "TMPDIR": str(self.folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    def _word_with(self, process: subprocess.Popen[str], words: str) -> str:
        """Wait for a line with these words; return its last one."""
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if words in line:
                return line.split()[-1]
        raise AssertionError("".join(said))


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


def test_a_batch_survives_a_worker_that_is_killed(
    cluster: Cluster, write: Callable[..., list[str]], tmp_path: Path
) -> None:
    """Every scenario has one outcome; what the dead one had recorded comes along, and is told."""
    first, _ = cluster.worker(), cluster.worker()
    answer = tmp_path / "answer.json"
    arguments = (*write(MANY, 3), "--dask", cluster.address, "--json", "--junit", "results.xml", "--html", "reports")

    with running("run", *arguments, folder=tmp_path) as batch:
        until(lambda: recorded(first) > ENOUGH, batch)
        os.killpg(first.pid, signal.SIGKILL)
        said, complaints = batch.communicate(timeout=600)
    answer.write_text(said)

    told = json.loads(said)
    assert batch.returncode == 0, complaints
    titles = [one["title"] for one in told["scenarios"]]
    assert titles == [f"s{number:02}" for number in range(MANY)]
    assert all(one["ok"] and len(one["recordings"]) == 1 for one in told["scenarios"])
    films = {path.name for path in (tmp_path / "recordings").glob("*.webm")}
    # One was played again, and what there was of it came along beside it.
    assert films == {f"{title}.webm" for title in titles} | {path.name for path in rescued(complaints)}
    assert len(rescued(complaints)) == 1
    assert (tmp_path / "results.xml").read_text().count("<testsuite ") >= MANY
    assert (tmp_path / "reports" / "index.html").is_file()


def test_a_cluster_without_browsers_is_told(cluster: Cluster, write: Callable[..., list[str]], tmp_path: Path) -> None:
    """With how to start a worker that has some."""
    cluster.worker("--resources", "GPU=1")

    ran = harness("run", *write(1, 1), "--dask", cluster.address, folder=tmp_path)

    assert ran.returncode == 3
    assert "--resources 'browser=2'" in ran.stderr


def test_where_no_scheduler_answers_that_is_told(write: Callable[..., list[str]], tmp_path: Path) -> None:
    """In one line, with the command that starts one."""
    ran = harness("run", *write(1, 1), "--dask", "tcp://127.0.0.1:9", folder=tmp_path)

    assert ran.returncode == 3
    assert "no scheduler answers at tcp://127.0.0.1:9" in ran.stderr
    assert "Traceback" not in ran.stderr
