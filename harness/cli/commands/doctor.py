"""``harness doctor``: what this machine has for recording, what it lacks, and how to get it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from harness.cli.options import DebugOption, ExecutableOption, JsonOption, RecordingsOption, debugging, print_json


def doctor(
    *,
    executable: ExecutableOption = None,
    recordings: RecordingsOption = Path("recordings"),
    quick: Annotated[bool, typer.Option("--quick", help="Do not try how fast each codec is.")] = False,
    json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Say which Chrome there is, what it can record and how fast, what is missing and how to get it.

    For example:

    - harness doctor
    - harness doctor --json
    """
    if debug:
        debugging(on=True)
    from harness.browser.doctor import examine

    examination = examine(executable, recordings=recordings, measure=not quick)
    if json:
        print_json(examination.as_json())
    else:
        Console().print(examination)
    if not examination.ok:
        raise typer.Exit(3)
