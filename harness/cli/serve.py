"""``harness serve``: the room, for people with a browser."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from harness.cli.interrupt import interruptible
from harness.cli.options import DebugOption, RecordingsOption, debugging
from harness.errors import ConfigError

_LOOPBACK: Final = ("127.0.0.1", "localhost")
_LOOK_EVERY: Final = 0.2


def serve(
    *,
    host: Annotated[str, typer.Option(envvar="HARNESS_HOST", help="Address to serve on; loopback only.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="HARNESS_PORT", help="0 takes a free one.", min=0, max=65535)] = 8080,
    recordings: RecordingsOption = Path("recordings"),
    debug: DebugOption = False,
) -> None:
    """Serve the room to people on this machine, until Ctrl-C.

    A recording whose page goes away before it was downloaded is kept in the recordings folder.

    For example:

    - harness serve
    - harness serve --port 0
    """
    if debug:
        debugging(on=True)
    if host not in _LOOPBACK:
        message = f"--host: {host!r} is not possible; this server answers on loopback only: {', '.join(_LOOPBACK)}."
        raise ConfigError(message)
    from harness.launch import versions
    from harness.server.room_server import RoomServer

    console = Console(stderr=True, soft_wrap=True, highlight=False)
    folder = recordings.absolute()
    with (
        interruptible() as interruption,
        RoomServer(recordings=folder, versions=versions("unknown"), host=host, port=port, open_room="room") as server,
    ):
        console.print(_invitation(server.url, folder), markup=False)
        never = threading.Event()
        while not interruption:
            never.wait(_LOOK_EVERY)
        server.stop()
        for recording in server.keep(folder):
            console.print(f"Kept {recording.path}", markup=False)
    raise typer.Exit(interruption.exit_code or 0)


def _invitation(url: str, folder: Path) -> str:
    """Return who can come in, how, and where recordings go."""
    return "\n".join(
        (
            f"The room is at {url}",
            "  who can open it  everybody on this machine, and nobody else",
            "  to join          open it in Chrome, give a name; once more in another window for a second person",
            "  to record        press Start beside the tiles, later Stop and Download",
            f"  if a page dies   its recording is kept in {folder}",
            "  to end it        Ctrl-C",
        )
    )
