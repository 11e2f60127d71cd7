"""The disk that recordings are written to: whether there is room, and what is said when there is none."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from harness.errors import RecordingError, disk_full, spool_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FULL: Final = {errno.ENOSPC, errno.EDQUOT}
_MB: Final = 1_000_000
# In bytes, whatever the disk's own are (POSIX).
_BLOCK: Final = 512
# A file in more pieces than this is counted by its blocks: a hostile one may have millions.
_MOST_PIECES: Final = 100_000


@dataclass(frozen=True)
class Headroom:
    """How many bytes must stay free beside a recording's download: ``low`` is an alarm, at ``least`` it ends."""

    low: int = 250 * _MB
    least: int = 50 * _MB

    def left(self, folder: Path, size: int) -> Literal["enough", "low", "none"]:
        """Return how much room there is below ``folder`` for a recording that has ``size`` bytes so far."""
        # The download is one more copy of what the spool holds.
        free = free_bytes(folder) - size
        if free < self.least:
            return "none"
        return "low" if free < self.low else "enough"


def free_bytes(folder: Path) -> int:
    """Return how many bytes can still be written below ``folder``."""
    return shutil.disk_usage(folder).free


def stored_bytes(path: Path) -> int:
    """Return how many bytes of a file are stored: a file with holes may claim any size, and is read for days."""
    info = path.stat()
    # A file system that does not count blocks reports 0.
    by_blocks = min(info.st_size, info.st_blocks * _BLOCK or info.st_size)
    if by_blocks == info.st_size or not stat.S_ISREG(info.st_mode):
        return by_blocks
    # Compression and delayed allocation (ZFS, btrfs, NFS) also leave a file with few blocks, and it has no holes.
    try:
        return _data_bytes(path, info.st_size)
    except OSError:
        return by_blocks


def _data_bytes(path: Path, size: int) -> int:
    """Return how many bytes of a file are outside of holes; raises OSError where the file system can't say."""
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = end = 0
        for _ in range(_MOST_PIECES):
            try:
                start = os.lseek(file, end, os.SEEK_DATA)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                # Nothing but a hole follows.
                return found
            end = os.lseek(file, start, os.SEEK_HOLE)
            found += end - start
            if end >= size:
                return min(found, size)
    finally:
        os.close(file)
    raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))


def megabytes(size: int) -> str:
    """Return a size as people read it."""
    return f"{size / _MB:.0f} MB"


def is_full(error: OSError) -> bool:
    """Return whether an error means that the disk, or somebody's share of it, is full."""
    return error.errno in _FULL


def file_failure(what: str, error: OSError, advice: str = "") -> RecordingError:
    """Return the error for a step of a recording that the disk refused; ``what`` is a sentence without its end."""
    where = f" at {error.filename}" if error.filename else ""
    message = f"{what}: {error.strerror or error}{where}.{advice}"
    return disk_full(message) if is_full(error) else spool_error(message)


@contextmanager
def room_for(what: str, where: Path) -> Iterator[None]:
    """Say DiskFullError, naming what could not be written and where, in place of an OSError that means it."""
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        message = (
            f"No room for {what} at {where}: the disk is full. Make room there; "
            "what was recorded is kept in its spool, and harness recover finishes it."
        )
        raise disk_full(message) from error
