"""Spool stores each recording in a separate folder until the spool's copy is deleted."""

from __future__ import annotations

import contextlib
import logging
import secrets
import time
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.recording.config import RecordConfig
from harness.recording.files.disk import Headroom
from harness.recording.files.disk_watch import DiskWatch
from harness.recording.files.names import default_stem, safe_stem
from harness.recording.spool.folder import FOLDER, Facts, Folder
from harness.server.spool.active_recording import ActiveRecording
from harness.server.spool.open_folder import OpenFolder
from harness.server.spool.statistics_log import MAX_STATISTICS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from harness.server.member_event import MemberEvent
    from harness.server.spool.messages import SpoolHello

_log = logging.getLogger(__name__)


def _ignore(_: ActiveRecording) -> None:
    """Do nothing; this is the default callback."""


class Spool:
    """All recordings in one spool folder, by id.

    ``versions`` is written into every manifest; ``max_statistics`` limits the size of each recording's statistics, in
    bytes. ``downloads`` is true if browsers on this machine download the recordings.
    """

    def __init__(
        self,
        recordings: Path,
        versions: Mapping[str, str],
        *,
        max_statistics: int = MAX_STATISTICS,
        downloads: bool = False,
    ) -> None:
        self.root = recordings / FOLDER
        self.headroom = Headroom()
        self.versions = dict(versions)
        self.recordings: dict[str, ActiveRecording] = {}
        self._max_statistics = min(max_statistics, MAX_STATISTICS)
        self._downloads = downloads

    def begin(
        self,
        hello: SpoolHello,
        *,
        participant: str,
        room: str,
        joins: Iterable[MemberEvent],
        on_end: Callable[[ActiveRecording], None] = _ignore,
        on_track: Callable[[ActiveRecording], None] = _ignore,
    ) -> ActiveRecording:
        """Begin a recording in a room; ``joins`` are the join events of the room's current members.

        ``on_end`` and ``on_track`` are passed to ActiveRecording. Raises ConfigError if the configuration is invalid,
        or RecordingError if the folder can't be created.
        """
        facts = self._facts(hello, participant, room)
        folder = Folder(self.root / facts.id)
        active = ActiveRecording(
            OpenFolder.create(folder, facts),
            DiskWatch(folder.path, self.root.parent, downloads=self._downloads),
            presence_from_server=hello.presence_from_server,
            max_statistics=self._max_statistics,
            on_end=on_end,
            on_track=on_track,
        )
        try:
            for event in joins:
                active.log.add_member_event(event)
        except BaseException:
            active.clean()
            raise
        self.recordings[active.id] = active
        if facts.fallbacks:
            _log.info("%s: %s's page uses fallbacks: %s.", facts.stem, participant, ", ".join(facts.fallbacks))
        return active

    def _facts(self, hello: SpoolHello, participant: str, room: str) -> Facts:
        config = RecordConfig.from_page(hello.config)
        return Facts(
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
            fallbacks=hello.fallbacks,
        )

    def count_unfinished(self, room: str) -> int:
        """Return how many recordings in a room are not finished yet."""
        return sum(active.is_unfinished and active.facts.room == room for active in self.recordings.values())

    def add_member_event(self, room: str, event: MemberEvent) -> None:
        """Store an event from a room in every running recording of the room."""
        for active in self.recordings.values():
            if active.facts.room == room and active.is_unfinished:
                try:
                    active.log.add_member_event(event)
                except (HarnessError, OSError) as error:
                    # The room and its other recordings are not affected. The page receives the error when its next
                    # chunk arrives.
                    _log.warning("%s: %s", active.facts.stem, error)

    def close(self) -> None:
        """Close all recordings' files; recordings that have not been deleted stay on disk."""
        for active in self.recordings.values():
            active.close()
        # The next recovery will handle a folder that can't be removed.
        with contextlib.suppress(OSError):
            remove_empty(self.root)


def remove_empty(folder: Path) -> None:
    """Remove a folder if it is empty."""
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
