"""Record the scripted call once with one recorder. The league starts this module in a separate process for each run."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.league.processes import end_family, end_with_parent
from benchmarks.league.recorders import ALL
from benchmarks.league.script import SCRIPTS
from benchmarks.league.stage import open_stage
from benchmarks.meter import Meter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.league.recorders import Recorder

# Files with which this process reports to the league's own process.
BEGAN: Final = "began.json"
DONE: Final = "done.json"
# Time, in seconds, from the start of the recording to the start of the script.
_WARM: Final = 1.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Record the call, and store what was true in the call and what it cost."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.league.run", description=__doc__)
    parser.add_argument("recorder", choices=sorted(ALL))
    parser.add_argument("script", choices=sorted(SCRIPTS))
    parser.add_argument("folder", type=Path, help="Empty folder for the files of this run.")
    parser.add_argument("--modules", type=Path, help="Folder with npm's packages.")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING)
    end_with_parent()
    folder: Path = options.folder
    try:
        _record(ALL[options.recorder](options.modules), options.script, folder)
    except Exception as error:  # noqa: BLE001 - the league reports every failure by name
        traceback.print_exc()
        _write(folder / DONE, {"error": str(error).partition("\n")[0] or type(error).__name__})
        return 1
    finally:
        end_family()
    return 0


def _record(recorder: Recorder, script: str, folder: Path) -> None:
    with recorder.environment(folder), open_stage(folder) as stage:
        recorder.prepare(stage)
        stage.open_call()
        recorder.begin(stage)
        began = {"began_at": time.time(), "chrome": stage.browsers.version, "sfu": stage.sfu is not None}
        _write(folder / BEGAN, {**began, "notes": stage.notes})
        stage.room.wait(seconds=_WARM)
        meter = Meter()
        truth = stage.follow(SCRIPTS[script])
        cost = meter.read()
        stopping = time.monotonic()
        recorder.end(stage)
        stop_seconds = time.monotonic() - stopping
        measured = {"cores": cost.cores, "foreign": cost.foreign, "memory": cost.memory}
    _write(folder / DONE, {"truth": truth.as_json(), "cost": measured, "stop_seconds": stop_seconds})


def _write(path: Path, values: dict[str, Any]) -> None:
    """Write a JSON file that never exists with a part of its content."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(values, indent=1), encoding="utf-8")
    part.replace(path)


if __name__ == "__main__":
    sys.exit(main())
