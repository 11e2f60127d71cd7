"""Let several recorders record the same scripted call, and compare their files and their cost on one page.

Run with ``make league`` on an otherwise idle machine. In each repeat, the call is recorded once by each recorder and
once by none. Each repeat starts with a different recorder, so that other load on the machine affects all of them
equally. Afterwards, each recorder records once more and is killed in the middle.
"""

from __future__ import annotations

import argparse
import json
import logging
import platform
import shutil
import signal
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil

from benchmarks.league.docs import write_docs
from benchmarks.league.page import write_page
from benchmarks.league.processes import adopt_orphans, end_family
from benchmarks.league.recorders import ALL, BASELINE, RECORDERS
from benchmarks.league.recorders.recorder import ROOT
from benchmarks.league.runs import KILLED_AFTER, run, run_and_kill
from benchmarks.league.scores import playable_seconds, score
from benchmarks.league.script import FULL, NAMES, QUICK, Script, Truth
from benchmarks.league.stage import FRAME_RATE
from benchmarks.league.table import rows
from benchmarks.results import machine
from tests.support.servers.janus import installed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.league.recorders import Recorder
    from benchmarks.league.runs import Ended

_REPEATS: Final = 3
_INSTALLED_WITHIN: Final = 300
_SILENT: Final = ("--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the league; return 1 if no recorder could record the call."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.league", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="Record a short call, once with each recorder.")
    parser.add_argument("--repeats", type=int, help="Number of recordings per recorder. Default: 3, or 1 with --quick.")
    parser.add_argument("--only", nargs="+", choices=sorted(RECORDERS), help="Compare only these recorders.")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "league", help="Folder for the results.")
    parser.add_argument(
        "--docs", action="store_true", help="Write the latest results to docs/league.md, without recording anything."
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING)
    output: Path = options.output.absolute()
    if options.docs:
        return write_docs(output / "results.json")
    # A signal that would end this process must also end the processes that it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    adopt_orphans()
    try:
        with_docs = not options.quick and not options.only
        results = League(output, QUICK if options.quick else FULL, options.only or list(RECORDERS)).run(
            options.repeats or (1 if options.quick else _REPEATS)
        )
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted. The results so far are stored.\n")
        return 130
    finally:
        end_family()
    if with_docs:
        write_docs(output / "results.json")
    sys.stdout.write(f"{output / 'index.html'}\n")
    return 0 if any("score" in one for entrant in results["recorders"] for one in entrant["runs"]) else 1


class League:
    """One run of the league: all recorders, all repeats."""

    def __init__(self, output: Path, script: Script, keys: Sequence[str]) -> None:
        self._output = output
        self._script = script
        # Every run of the league starts with an empty folder.
        shutil.rmtree(output, ignore_errors=True)
        (output / "raw").mkdir(parents=True)
        modules = _install_packages(output / "packages", [RECORDERS[key] for key in keys])
        self._recorders: list[Recorder] = []
        self._left_out: list[dict[str, str]] = []
        for key in keys:
            recorder = RECORDERS[key](modules)
            if (reason := recorder.missing()) is not None:
                log(f"{recorder.title} is left out: {reason}")
                self._left_out.append({"key": key, "title": recorder.title, "reason": reason})
            else:
                self._recorders.append(recorder)
        self._entrants: dict[str, dict[str, Any]] = {
            one.key: {"key": one.key, "title": one.title, "method": one.method, "versions": one.versions()}
            | {"commands": [], "runs": [], "kills": []}
            for one in self._recorders
        }
        self._baseline: list[dict[str, Any]] = []
        self._versions: dict[str, str] = {}

    def run(self, repeats: int) -> dict[str, Any]:
        """Let all recorders record, and return the results, which are stored after every run."""
        for repeat in range(repeats):
            order = [ALL[BASELINE](), *self._recorders]
            shift = repeat % len(order)
            for recorder in order[shift:] + order[:shift]:
                self._record(recorder, repeat)
        for recorder in self._recorders:
            for repeat in range(repeats):
                self._kill(recorder, repeat)
        return self._store()

    def _record(self, recorder: Recorder, repeat: int) -> None:
        folder = self._output / "raw" / f"{recorder.key}-{repeat + 1}"
        ended = run(recorder, self._script, folder)
        values: dict[str, Any] = {"repeat": repeat, "folder": folder.relative_to(self._output).as_posix()}
        if ended.error is not None:
            values["error"] = ended.error
        else:
            values |= {"cost": ended.done["cost"], "stop_seconds": ended.done["stop_seconds"]}
            self._versions["chrome"] = ended.began["chrome"]
            if recorder.key != BASELINE:
                truth = Truth.from_json(ended.done["truth"])
                values["score"] = score(ended.files, truth).as_json()
                values["truth"] = truth.as_json()
                values["files"] = self._listed(ended)
        if recorder.key == BASELINE:
            self._baseline.append(values)
        else:
            self._entrants[recorder.key]["runs"].append(values)
            self._entrants[recorder.key]["commands"] = recorder.commands(ended.began)
        self._store()
        log(f"repeat {repeat + 1}, {recorder.title}: {_summary(values)}")

    def _kill(self, recorder: Recorder, repeat: int) -> None:
        folder = self._output / "raw" / f"{recorder.key}-killed-{repeat + 1}"
        ended = run_and_kill(recorder, self._script, folder)
        values: dict[str, Any] = {"repeat": repeat, "folder": folder.relative_to(self._output).as_posix()}
        if ended.error is not None or ended.recorded_seconds is None:
            values["error"] = ended.error
            log(f"{recorder.title}, killed: {ended.error}")
        else:
            left = min(ended.recorded_seconds, playable_seconds(ended.files, float(ended.began["began_at"])))
            values |= {"recorded_seconds": ended.recorded_seconds, "left_seconds": left, "files": self._listed(ended)}
            log(f"{recorder.title}, killed after {ended.recorded_seconds:.1f} s: {left:.1f} s can be played")
        self._entrants[recorder.key]["kills"].append(values)
        self._store()

    def _listed(self, ended: Ended) -> list[dict[str, Any]]:
        """Return the paths of a run's files and of their reports, relative to the results."""
        found = []
        for file in ended.files:
            report = file.path.with_suffix(".html")
            found.append(
                {
                    "path": file.path.relative_to(self._output).as_posix(),
                    "report": report.relative_to(self._output).as_posix() if report.exists() else None,
                    "bytes": file.path.stat().st_size,
                }
            )
        return found

    def _store(self) -> dict[str, Any]:
        """Write the results so far, so that an interrupted run does not lose them."""
        results: dict[str, Any] = {
            "machine": machine() | {"memory_gb": round(psutil.virtual_memory().total / 1e9)},
            "versions": {**self._versions, **_versions()},
            "script": {
                **vars(self._script),
                "names": NAMES,
                "frame_rate": FRAME_RATE,
                "sfu": installed(),
                "killed_after": KILLED_AFTER,
            },
            "baseline": self._baseline,
            "recorders": list(self._entrants.values()),
            "left_out": self._left_out,
        }
        results["table"] = rows(results)
        (self._output / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        write_page(results, self._output / "index.html")
        return results


def _summary(values: dict[str, Any]) -> str:
    if "error" in values:
        return f"failed: {values['error']}"
    cost = values["cost"]
    text = f"{cost['cores']:.2f} cores (other programs {cost['foreign']:.2f}), {cost['memory']:.0f} MB"
    if "score" in values:
        one = values["score"]
        text += f", visible {len(one['visible'])}, audible {len(one['audible'])}, {one['frame_rate']} fps"
    return text


def _versions() -> dict[str, str]:
    return {"playwright": metadata.version("playwright"), "system": platform.platform()}


def _install_packages(folder: Path, recorders: Sequence[type[Recorder]]) -> Path | None:
    """Install the recorders' packages from npm, and return the folder that contains them."""
    packages = [one.needs.npm for one in recorders if one.needs.npm]
    if not packages:
        return None
    folder.mkdir()
    (folder / "package.json").write_text('{"private": true}')
    for package in packages:
        # Packages are installed one at a time, so that one failure leaves out only one recorder.
        ended = subprocess.run(
            [str(ROOT / "scripts" / "with-node"), "npm", "install", "--prefer-offline", *_SILENT, package],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_INSTALLED_WITHIN,
        )
        if ended.returncode:
            log(f"npm can't install {package}: {' '.join(ended.stderr.splitlines()[:2])}")
    return folder / "node_modules"


def log(line: str) -> None:
    """Write a progress message to stderr."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
