"""Tests for rooms whose media pass only through a TURN server with temporary passwords."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness import RecordConfig, Room, Routes, StepTimeout
from harness.launch import versions
from harness.server.room_server import RoomServer
from harness.server.rooms.routes import IceServer, Sfu
from harness.server.serve_options import ServeOptions
from tests.support.reports import check_recording
from tests.support.servers.janus import own_address
from tests.support.servers.turn import Turn, installed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import BrowserContext

    from tests.support.servers.janus import Janus


@pytest.fixture
def turn(tmp_path: Path) -> Iterator[Turn]:
    """Run a TURN server."""
    if not installed():
        pytest.skip("coturn is not installed; on Debian, scripts/ci-packages installs it.")
    # Janus ignores candidates with a loopback address.
    with Turn(tmp_path, own_address() or "127.0.0.1") as turn:
        yield turn


@pytest.fixture
def relayed(turn: Turn, new_context: Callable[..., BrowserContext], tmp_path: Path) -> Iterator[Callable[..., Room]]:
    """Return a function that opens a room whose media pass only through the TURN server."""
    opened: list[tuple[RoomServer, Room]] = []

    def open_room(secret: str | None = None, sfu: Sfu | None = None) -> Room:
        server = RoomServer(
            recordings=tmp_path,
            versions=versions(),
            options=ServeOptions(
                routes=Routes(
                    sfu=sfu, ice_servers=(IceServer(turn.url, secret=secret or turn.secret),), relay_only=True
                )
            ),
        )
        room = Room(server=server.__enter__(), new_context=new_context, recordings=tmp_path)
        opened.append((server, room))
        return room

    yield open_room
    for server, room in opened:
        room.close()
        server.close()


def test_room_is_recorded_over_turn_only(relayed: Callable[..., Room], turn: Turn) -> None:
    """Each participant gets a separate password, and the TURN server's log contains a successful allocation."""
    room = relayed()
    alice, _ = room.join_all("alice", "bob")
    alice.start_media_recording(record_config=RecordConfig(record_name="relayed"))
    room.wait(seconds=2)
    alice.stop_media_recording()

    report = check_recording(alice.download_media_recording())

    assert report.participant("bob").is_audible(0.5, 1.5)
    room.close()
    assert "ALLOCATE processed, success" in turn.log


@pytest.mark.thorough
def test_invalid_turn_password_blocks_all_media(relayed: Callable[..., Room]) -> None:
    """With an invalid TURN password, no media arrive, and the error names the participant who received nothing."""
    room = relayed(secret="not the secret of the server")  # noqa: S106 - The test needs a wrong secret.
    room.join("alice", subscribe=True)

    with pytest.raises(StepTimeout, match="alice did not receive"):
        room.join("bob", timeout=3)


@pytest.mark.thorough
def test_janus_is_reached_over_turn(relayed: Callable[..., Room], janus: Janus) -> None:
    """Pages reach an SFU through the TURN relay even if their network allows no other connections."""
    room = relayed(sfu=Sfu(janus.url, janus.secret))
    alice, _ = room.join_all("alice", "bob")
    alice.start_media_recording(record_config=RecordConfig(record_name="relayed"))
    room.wait(seconds=2)
    alice.stop_media_recording()

    check_recording(alice.download_media_recording())
