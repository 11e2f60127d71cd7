"""Start each run in a separate process, end it in time or kill it on purpose, and collect what it left."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.league.processes import end_family, family, kill_at_once
from benchmarks.league.recorders.recorder import ROOT
from benchmarks.league.run import BEGAN, DONE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.league.recorders import RecordedFile, Recorder
    from benchmarks.league.script import Script

# Maximum time, in seconds, from the start of a run's process to the start of the recording, and from the end of the
# script to the end of the process.
_BEGUN_WITHIN: Final = 90.0
_ENDED_WITHIN: Final = 90.0
# A recording is killed this many seconds after it began.
KILLED_AFTER: Final = 12.0
_POLL: Final = 0.05
# Folders that are not part of a recorder's result: browser profiles, and links to browsers.
_SCRATCH: Final = ("profile", "playwright")


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What a run left: its files, and what its process reported.

    ``error`` is why the run failed, or None. ``recorded_seconds`` is how long the recording had been in progress when
    it was killed, and None if it was not killed.
    """

    folder: Path
    error: str | None = None
    began: dict[str, Any] = field(default_factory=dict)
    done: dict[str, Any] = field(default_factory=dict)
    files: tuple[RecordedFile, ...] = ()
    recorded_seconds: float | None = None


def run(recorder: Recorder, script: Script, folder: Path) -> Ended:
    """Record the scripted call once."""
    with _started(recorder, script, folder) as process:
        began = _wait_for_begin(process, folder)
        if began is None:
            return Ended(folder=folder, error=_failure(folder, "the recording did not begin"))
        try:
            process.wait(script.seconds + _ENDED_WITHIN)
        except subprocess.TimeoutExpired:
            return Ended(
                folder=folder, began=began, error=f"the run took longer than {script.seconds + _ENDED_WITHIN:g} s"
            )
        done = _read(folder / DONE) or {"error": _failure(folder, "the run's process crashed")}
        if "error" in done:
            return Ended(folder=folder, began=began, error=str(done["error"]))
        files = tuple(recorder.collect(folder, began, killed=False))
        return Ended(folder=folder, began=began, done=done, files=files)


def run_and_kill(recorder: Recorder, script: Script, folder: Path) -> Ended:
    """Record the scripted call, kill all processes of the run at once, and collect what is left."""
    ours = family()
    with _started(recorder, script, folder) as process:
        began = _wait_for_begin(process, folder)
        if began is None:
            return Ended(folder=folder, error=_failure(folder, "the recording did not begin"))
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, float(began["began_at"]) + KILLED_AFTER - time.time()))
            return Ended(folder=folder, began=began, error=_failure(folder, "the run ended before it was killed"))
        recorded = time.time() - float(began["began_at"])
        kill_at_once(process.pid)
        process.wait(_ENDED_WITHIN)
        end_family(besides=ours)
        files = tuple(recorder.collect(folder, began, killed=True))
        return Ended(folder=folder, began=began, files=files, recorded_seconds=recorded)


@contextlib.contextmanager
def _started(recorder: Recorder, script: Script, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a run's process; at the end, kill everything that still runs, and delete the run's temporary files."""
    ours = family()
    folder.mkdir(parents=True)
    temporary = Path(tempfile.mkdtemp(prefix="league-"))
    modules = ["--modules", str(recorder.modules)] if recorder.modules else []
    command = [sys.executable, "-m", "benchmarks.league.run", recorder.key, script.name, str(folder), *modules]
    try:
        with (folder / "run.log").open("wb") as log:
            # The process ends when this process no longer holds its standard input open.
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "TMPDIR": str(temporary)},
            )
        try:
            yield process
        finally:
            kill_at_once(process.pid)
            end_family(besides=ours)
            process.wait(_ENDED_WITHIN)
            if process.stdin:
                process.stdin.close()
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        for name in _SCRATCH:
            shutil.rmtree(folder / name, ignore_errors=True)


def _wait_for_begin(process: subprocess.Popen[bytes], folder: Path) -> dict[str, Any] | None:
    """Return what the process reported when the recording began, or None if the recording did not begin."""
    end = time.monotonic() + _BEGUN_WITHIN
    while not (began := _read(folder / BEGAN)):
        if process.poll() is not None or time.monotonic() > end:
            return None
        threading.Event().wait(_POLL)
    return began


def _failure(folder: Path, otherwise: str) -> str:
    """Return the error that the process reported; if there is none, return the last line of its log."""
    reported = _read(folder / DONE) or {}
    if "error" in reported:
        return str(reported["error"])
    lines = (folder / "run.log").read_text(errors="replace").splitlines()
    return f"{otherwise}: {lines[-1].strip()}" if lines else otherwise


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
