"""Fixtures for rooms that use Janus as their SFU; each test starts its own Janus."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness import Room, Routes
from harness.launch import versions
from harness.server.room_server import RoomServer
from harness.server.rooms.routes import Sfu
from harness.server.serve_options import ServeOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import BrowserContext

    from tests.support.servers.janus import Janus

    OpenRoom = Callable[..., Room]


@pytest.fixture
def open_rooms(
    janus: Janus, new_context: Callable[..., BrowserContext], tmp_path: Path
) -> Iterator[Callable[[str], Room]]:
    """Return a function that opens a room on a new server; rooms with the same name share one Janus room."""
    opened: list[tuple[RoomServer, Room]] = []

    def open_room(name: str = "call") -> Room:
        folder = tmp_path / f"server {len(opened)}"
        server = RoomServer(
            recordings=folder,
            versions=versions(),
            options=ServeOptions(routes=Routes(sfu=Sfu(janus.url, janus.secret, name))),
        )
        room = Room(server=server.__enter__(), new_context=new_context, recordings=folder)
        opened.append((server, room))
        return room

    yield open_room
    for server, room in reversed(opened):
        room.close()
        server.close()
