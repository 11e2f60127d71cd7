"""Implement ``harness recover``, which finishes recordings after a crash."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.exit_codes import EXIT_FAILED
from harness.cli.options import DebugOption, JsonOption, debugging, print_json, stdout
from harness.recording.files.text import shown


def recover(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with the recordings.")] = Path("recordings"),
    *,
    json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Finish recordings that an earlier crash interrupted, and report how much was saved.

    Recordings that are still in progress in another process are not changed.

    For example:

    - harness recover
    - harness recover recordings --json
    """
    if debug:
        debugging(on=True)
    from harness.recording.spool.recover import recover as recover_all

    recoveries = recover_all(folder.absolute())
    lost = [one for one in recoveries if one.recording is None]
    if json:
        found = [one.recording.as_json() for one in recoveries if one.recording]
        print_json({"ok": not lost, "recordings": found, "lost": [str(one) for one in lost]})
    else:
        for one in recoveries:
            stdout().print(shown(str(one)), markup=False)
        if not recoveries:
            stdout().print("Nothing to recover.")
    if lost:
        raise typer.Exit(EXIT_FAILED)
