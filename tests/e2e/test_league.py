"""The league's commands record the scripted call in real Chrome, and end everything that they started."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from tests.support.processes import still_running

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "benchmarks.league", "--quick", "--only")


def test_league_records_the_call_with_the_rooms_own_recorder(tmp_path: Path) -> None:
    """The harness finds everybody, loses little after ``kill -9``, and no process is left."""
    output = tmp_path / "league"

    ended = subprocess.run(
        [*COMMAND, "harness", "--output", str(output)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert 0 == ended.returncode, ended.stderr
    results = json.loads((output / "results.json").read_text())
    (row,) = results["table"]
    assert (3, 3) == (row["visible"], row["audible"])
    assert row["seekable"] is True
    assert row["lost_seconds"] < 1
    assert row["cores"] > 0
    (run,) = results["recorders"][0]["runs"]
    assert all((output / file["path"]).exists() and (output / file["report"]).exists() for file in run["files"])
    assert "recording-harness" in (output / "index.html").read_text()


def test_interrupted_league_ends_all_its_processes(tmp_path: Path) -> None:
    """Ctrl-C during a recording ends Chrome and all other programs, and the results so far are kept."""
    output = tmp_path / "league"
    league = subprocess.Popen(
        [*COMMAND, "harness", "--output", str(output)], cwd=ROOT, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        end = time.monotonic() + 120
        while not (output / "raw" / "none-1" / "began.json").exists():
            assert league.poll() is None
            assert time.monotonic() < end
            threading.Event().wait(0.1)
        family = psutil.Process(league.pid).children(recursive=True)
        names = {process.name() for process in family}
        league.send_signal(signal.SIGINT)
        _, messages = league.communicate(timeout=60)
    finally:
        league.kill()
        league.wait()

    assert 130 == league.returncode
    assert b"Interrupted." in messages
    assert any(name.startswith("chrom") for name in names)
    assert [] == still_running(family, within=5)
