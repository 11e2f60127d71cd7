"""The spool: every recording that is being made, or is kept until it is cleaned, each in a folder of its own."""

from __future__ import annotations

import contextlib
import logging
import secrets
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.recording.config import RecordConfig
from harness.recording.files.disk import Headroom
from harness.recording.files.names import safe_stem
from harness.recording.spool.folder import FOLDER, Facts, Folder
from harness.server.spool.active_recording import ActiveRecording

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from harness.server.rooms.messages import SpoolHello
    from harness.server.spool.active_recording import Happened

_log = logging.getLogger(__name__)


class Spool:
    """All recordings below one folder."""

    def __init__(self, recordings: Path, versions: Mapping[str, str]) -> None:
        self.root = recordings / FOLDER
        self.headroom = Headroom()
        self.versions = dict(versions)
        self.takes: dict[str, ActiveRecording] = {}

    def begin(self, hello: SpoolHello, *, participant: str, room: str, joins: Iterable[Happened]) -> ActiveRecording:
        """Begin a recording in a room; ``joins`` are those of whoever is there now.

        Raises ConfigError for a configuration that can't work.
        """
        config = RecordConfig.from_page(hello.config)
        facts = Facts(
            id=secrets.token_urlsafe(16),
            participant=participant,
            room=room,
            stem=safe_stem(config.record_name) if config.record_name else default_stem(participant),
            recorder=hello.recorder,
            config=hello.config,
            mime_type=hello.mime_type,
            width=hello.width,
            height=hello.height,
            frame_rate=hello.frame_rate,
            clock_offset=hello.clock.offset,
            clock_error=hello.clock.error,
            wall_offset=(time.time() - time.monotonic()) * 1000,
            versions=self.versions,
        )
        take = ActiveRecording(facts, Folder(self.root / facts.id), presence_from_server=hello.presence_from_server)
        take.open()
        try:
            for one in joins:
                take.happened(one)
        except BaseException:
            take.clean()
            raise
        self.takes[take.id] = take
        return take

    def running(self, room: str) -> int:
        """Return how many recordings are being made in a room."""
        return sum(take.state == "recording" and take.facts.room == room for take in self.takes.values())

    def happened(self, room: str, happened: Happened) -> None:
        """Tell every recording that runs in a room what happened there."""
        for take in self.takes.values():
            if take.facts.room == room and take.state == "recording":
                try:
                    take.happened(happened)
                except (HarnessError, OSError) as error:
                    # The others, and the room, go on; the disk is told of by its next chunk.
                    _log.warning("%s: %s", take.facts.stem, error)

    def close(self) -> None:
        """Close every recording's files; what is not cleaned stays on disk."""
        for take in self.takes.values():
            take.close()
        # What can't be removed is looked at by the next recovery.
        with contextlib.suppress(OSError):
            remove_empty(self.root)


def default_stem(participant: str) -> str:
    """Return the name of a recording that was given none: whose it is, and when it began."""
    return safe_stem(f"{participant} {datetime.now(tz=UTC).astimezone():%Y-%m-%d %H.%M.%S}")


def remove_empty(folder: Path) -> None:
    """Remove a folder if nothing is in it."""
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
