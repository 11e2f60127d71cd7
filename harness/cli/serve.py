"""``harness serve``: the room, for people with a browser."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

from harness.cli.interrupt import interruptible
from harness.cli.options import (
    DebugOption,
    IceServerOption,
    RecordingsOption,
    RelayOnlyOption,
    SfuOption,
    SfuRoomOption,
    debugging,
)
from harness.errors import ConfigError

if TYPE_CHECKING:
    from harness.recording.recording import Recording

_LOOPBACK: Final = ("127.0.0.1", "localhost")
_LOOK_EVERY: Final = 0.2


def serve(
    *,
    host: Annotated[str, typer.Option(envvar="HARNESS_HOST", help="Address to serve on; loopback only.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="HARNESS_PORT", help="0 takes a free one.", min=0, max=65535)] = 8080,
    recordings: RecordingsOption = Path("recordings"),
    sfu: SfuOption = None,
    sfu_room: SfuRoomOption = None,
    ice_server: IceServerOption = None,
    relay_only: RelayOnlyOption = False,
    debug: DebugOption = False,
) -> None:
    """Serve the room to people on this machine, until Ctrl-C.

    Every recording is kept in the recordings folder, and listed on the page: to play, judge, download and delete.

    For example:

    - harness serve
    - harness serve --port 0
    """
    if debug:
        debugging(on=True)
    if host not in _LOOPBACK:
        message = f"--host: {host!r} is not possible; this server answers on loopback only: {', '.join(_LOOPBACK)}."
        raise ConfigError(message)
    from harness.launch import open_door
    from harness.server.media import Routes

    routes = Routes.parse(sfu=sfu, sfu_room=sfu_room, ice_servers=ice_server or (), relay_only=relay_only)
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    folder = recordings.absolute()

    def kept(recording: Recording) -> None:
        console.print(f"Kept {recording.path}", markup=False)

    with (
        interruptible() as interruption,
        open_door(recordings=folder, kept=kept, host=host, port=port, routes=routes) as server,
    ):
        console.print(_invitation(server.url, folder), markup=False)
        never = threading.Event()
        while not interruption:
            never.wait(_LOOK_EVERY)
        server.stop()
        for recording in server.keep(folder):
            kept(recording)
    raise typer.Exit(interruption.exit_code or 0)


def _invitation(url: str, folder: Path) -> str:
    """Return who can come in, how, and where recordings go."""
    return "\n".join(
        (
            f"The room is at {url}",
            "  who can open it  everybody on this machine, and nobody else",
            "  to join          open it in Chrome, give a name; once more in another window for a second person",
            "  to record        press Start beside the tiles, later Stop",
            f"  what is recorded lies in {folder}, and is listed on the page, with its verdict",
            "  to end it        Ctrl-C",
        )
    )
