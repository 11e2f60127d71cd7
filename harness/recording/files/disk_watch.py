"""DiskWatch checks the free space on every disk that a recording needs, and raises at most one alarm for each disk."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import disk_full
from harness.recording.files.disk import free_bytes, megabytes, temporary_folder

if TYPE_CHECKING:
    from pathlib import Path

    from harness.recording.files.disk import Headroom


@dataclass(frozen=True)
class DiskAlarm:
    """An alarm about the disk that contains ``folder``; ``message`` can be shown to the page's users."""

    folder: Path
    message: str


class DiskWatch:
    """Watches the disks that one recording needs.

    ``folder`` is the recording's folder in the spool, and ``recordings`` is the folder in which the recording will be
    published; they can be on different disks. If ``downloads`` is true, browsers on this machine download the file, so
    the disk of the folder for temporary files is also watched.
    """

    def __init__(self, folder: Path, recordings: Path, *, downloads: bool) -> None:
        self._needed = [folder] if _on_same_disk(folder, recordings) else [folder, recordings]
        temporary = temporary_folder()
        # If the browser's downloads are on the spool's disk, the recording ends before this disk is full.
        self._temporary = temporary if downloads and not _on_same_disk(folder, temporary) else None
        self._reported: set[Path] = set()

    def check(self, size: int, headroom: Headroom) -> list[DiskAlarm]:
        """Return an alarm for each disk on which space is low for the first time.

        ``size`` is the size of the recording in progress, in bytes. Raises DiskFullError if a disk has too little space
        left for finishing and publishing the recording. Too little space for the browser's download is only an alarm,
        because the file can be taken from the spool.
        """
        alarms = []
        for folder in self._needed:
            left = headroom.left(folder, size)
            free = megabytes(free_bytes(folder)) if left != "enough" else ""
            if left == "none":
                message = (
                    f"Only {free} of disk space is left at {folder}. "
                    "The recording was ended while it could still be finished."
                )
                raise disk_full(message)
            if left == "low":
                message = f"Only {free} of disk space is left. The recording will end before the disk is full."
                alarms.append(DiskAlarm(folder, message))
        alarms += self._check_temporary(size, headroom)
        new = [alarm for alarm in alarms if alarm.folder not in self._reported]
        self._reported.update(alarm.folder for alarm in new)
        return new

    def _check_temporary(self, size: int, headroom: Headroom) -> list[DiskAlarm]:
        folder = self._temporary
        if folder is None:
            return []
        # If the folder no longer exists, the download fails, and the file is taken from the spool.
        with contextlib.suppress(OSError):
            if headroom.left(folder, size) == "none":
                message = (
                    f"Only {megabytes(free_bytes(folder))} of disk space is left at {folder} (TMPDIR). If the browser "
                    "can't download the recording, it is taken from the spool. Set TMPDIR to a folder on another disk."
                )
                return [DiskAlarm(folder, message)]
        return []


def _on_same_disk(folder: Path, other: Path) -> bool:
    try:
        return folder.stat().st_dev == other.stat().st_dev
    except OSError:
        return False
