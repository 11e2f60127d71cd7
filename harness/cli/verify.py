"""``harness verify``: judges recordings that are there already."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import DebugOption, JsonOption, debugging, print_json, stdout
from harness.verification import verify as judge


def verify(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Recordings to judge.")],
    *,
    duration: Annotated[
        float | None, typer.Option(envvar="HARNESS_DURATION", help="How long each should last, seconds.", metavar="S")
    ] = None,
    json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Judge recordings: who is in them, when, how smoothly, how far sound is from picture.

    What the manifest beside a file says is compared with what is in the file.

    Examples:
        harness verify recordings/standup.webm

        harness verify recordings/*.webm --json
    """
    if debug:
        debugging(on=True)
    reports = [judge(file, duration=duration) for file in files]
    ok = all(report.ok for report in reports)
    if json:
        print_json({"ok": ok, "reports": [report.as_json() for report in reports]})
    else:
        console = stdout()
        for report in reports:
            console.print(report)
    if not ok:
        raise typer.Exit(1)
