"""Implement ``harness recover``, which finishes recordings after a crash."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.exit_codes import EXIT_FAILED
from harness.cli.options import DebugOption, JsonOption, debugging, is_text, print_json, stdout
from harness.recording.files.text import shown


def recover(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="DIR", help="Folders with recordings. The default is the folder 'recordings'."),
    ] = None,
    *,
    into: Annotated[
        Path | None,
        typer.Option(
            "--into",
            envvar="HARNESS_INTO",
            callback=is_text,
            help=(
                "Folder for the recovered recordings. It is created if it does not exist, and can be on another disk, "
                "for example if the disk of DIR is full. By default, recovered recordings are stored in DIR."
            ),
            metavar="DIR",
        ),
    ] = None,
    json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Finish recordings that an earlier crash interrupted, and report how much was saved.

    Recordings that are still in progress in another process are not changed.

    For example:

    - harness recover
    - harness recover recordings --json
    - harness recover recordings --into recovered
    """
    if debug:
        debugging(on=True)
    from harness.recording.spool.recover import recover as recover_all

    target = into.absolute() if into else None
    recoveries = [one for folder in folders or [Path("recordings")] for one in recover_all(folder.absolute(), target)]
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
