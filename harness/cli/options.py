"""Options that several commands share, each with its environment variable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

JsonOption = Annotated[
    bool, typer.Option("--json", envvar="HARNESS_JSON", help="Print exactly one JSON object on stdout.")
]
RecordingsOption = Annotated[
    Path, typer.Option("--recordings", envvar="HARNESS_RECORDINGS", help="Folder for finished recordings.")
]
ExecutableOption = Annotated[
    Path | None,
    typer.Option("--executable", envvar="HARNESS_EXECUTABLE", help="Chrome or Chromium to use, a path."),
]
DebugOption = Annotated[
    bool, typer.Option("--debug", envvar="HARNESS_DEBUG", help="Show tracebacks.", show_envvar=False)
]

_debug = False


def debugging(*, on: bool = False) -> bool:
    """Return whether tracebacks are wanted; ``on`` says that they are, from now on."""
    global _debug  # noqa: PLW0603 - the one switch of a program, set before anything runs
    _debug = _debug or on
    return _debug


def print_json(answer: dict[str, Any]) -> None:
    """Print a command's answer."""
    typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))
