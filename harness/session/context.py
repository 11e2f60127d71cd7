"""Define the data that a room and its participants share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from harness.recording.config import RecordConfig
    from harness.server.room_server import RoomServer


@dataclass(frozen=True, kw_only=True)
class RoomContext:
    """The name of a room, its server, the folder for its recordings, and their default configuration."""

    room: str
    server: RoomServer
    recordings: Path
    record_config: RecordConfig | None = None
