"""Fixtures for security tests: a server without a browser, and audio to record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.server.room_server import RoomServer
from tests.support.media.recording_file import write_media
from tests.support.media.scene import Scene, participants

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RoomServer]:
    """Run a server that admits participants only with a token."""
    with RoomServer(recordings=tmp_path / "recordings", versions={}) as server:
        yield server


@pytest.fixture(scope="session")
def audio_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the raw bytes of two seconds of audio."""
    path = tmp_path_factory.mktemp("raw") / "raw.webm"
    write_media(path, Scene(participants=participants("alice"), seconds=2.0, video=False, live=True))
    return path.read_bytes()
