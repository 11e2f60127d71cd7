"""Implement ``harness convert``, which converts a recording to another format and verifies the result."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from harness.cli.exit_codes import EXIT_FAILED
from harness.cli.options import (
    DebugOption,
    JsonOption,
    debugging,
    print_json,
    print_message,
    print_path,
    progress,
    stdout,
)
from harness.recording.config import Target

# Maximum number of warnings to print; the JSON output contains all of them.
_SHOWN: Final = 10


def convert(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Recording to convert. The original file is not changed.")
    ],
    *,
    to: Annotated[
        Target | None,
        typer.Option(
            envvar="HARNESS_TO",
            help=(
                "Format of the new file: H.264 and AAC (mp4, mov), the same packets in Matroska (mkv), or only the "
                "audio (m4a, wav). By default, the suffix of --output determines the format; without such a suffix, "
                "the format is mp4."
            ),
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            envvar="HARNESS_OUTPUT",
            help=(
                "Path of the new file. An existing file is never overwritten. By default, the new file is stored next "
                "to the recording."
            ),
            metavar="FILE",
        ),
    ] = None,
    json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Convert a recording to MP4, QuickTime, Matroska, M4A or WAV, and verify the result.

    Everything that the new file can't preserve is reported.

    For example:

    - harness convert recordings/standup.webm
    - harness convert recordings/standup.webm --to mkv
    - harness convert recordings/standup.webm --output standup-audio.wav
    """
    if debug:
        debugging(on=True)
    from harness.recording.conversion.convert import convert as write
    from harness.recording.conversion.formats import target_of
    from harness.recording.files.names import manifest_of
    from harness.verification import verify

    to = to or target_of(output)
    warnings: list[str] = []
    with progress() as shown:
        task = shown.add_task(f"Converting to {to}", total=None)
        path = write(
            file,
            to,
            output,
            on_length=lambda seconds: shown.update(task, total=seconds),
            on_progress=lambda seconds: shown.update(task, completed=seconds),
            on_warning=warnings.append,
        )
    for warning in _first(warnings):
        print_message(warning)
    manifest = manifest_of(file)
    # Path.exists raises an error if the file's name is so long that its manifest's name would be too long.
    report = verify(path, manifest=manifest if os.path.exists(manifest) else None)  # noqa: PTH110
    if json:
        print_json(
            {
                "result": report.result,
                "ok": report.ok,
                "path": str(path),
                "warnings": warnings,
                "report": report.as_json(),
            }
        )
    else:
        console = stdout()
        print_path(console, path)
        console.print(report)
    if report.failures:
        raise typer.Exit(EXIT_FAILED)


def _first(warnings: list[str]) -> list[str]:
    """Return the first few warnings, and a line that reports how many more there are."""
    more = len(warnings) - _SHOWN
    return [
        *warnings[:_SHOWN],
        *([f"There are {more} more warnings; --json lists all of them."] if more > 0 else []),
    ]
