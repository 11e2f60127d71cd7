"""Define the data shared by a room and its participants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from harness.recording.config import RecordConfig
    from harness.server.room_server import RoomServer


@dataclass(frozen=True, kw_only=True)
class RoomContext:
    """A room's name, its server, the folder for its recordings, and the recordings' default configuration."""

    room: str
    server: RoomServer
    recordings: Path
    record_config: RecordConfig | None = None
