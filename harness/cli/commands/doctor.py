"""Implement ``harness doctor``, which reports what this machine can record, what is missing, and how to get it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.exit_codes import EXIT_ENVIRONMENT
from harness.cli.options import (
    DebugOption,
    ExecutableOption,
    JsonOption,
    RecordingsOption,
    debugging,
    print_json,
    stdout,
)


def doctor(
    *,
    executable: ExecutableOption = None,
    recordings: RecordingsOption = Path("recordings"),
    quick: Annotated[bool, typer.Option("--quick", help="Skip measuring the speed of each codec.")] = False,
    json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Report which Chrome is installed, what it can record and how fast, what is missing and how to get it.

    For example:

    - harness doctor
    - harness doctor --json
    """
    if debug:
        debugging(on=True)
    from harness.browser.doctor.doctor import examine

    report = examine(executable, recordings=recordings, measure=not quick)
    if json:
        print_json(report.as_json())
    else:
        stdout().print(report)
    if not report.ok:
        raise typer.Exit(EXIT_ENVIRONMENT)
