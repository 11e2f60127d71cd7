"""Check the free space of the disk, and make the errors for a disk that is full."""

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
# In bytes. POSIX defines this unit of st_blocks; the disk's own blocks may be larger.
_BLOCK: Final = 512
# A file in more pieces than this is measured by its blocks: a hostile one may have millions.
_MOST_PIECES: Final = 100_000


@dataclass(frozen=True)
class Headroom:
    """How many bytes must stay free after a download: below ``low`` is an alarm, below ``least`` the recording ends."""

    low: int = 250 * _MB
    least: int = 50 * _MB

    def left(self, folder: Path, size: int) -> Literal["enough", "low", "none"]:
        """Return how much room there is in ``folder`` for a recording that has ``size`` bytes so far."""
        # The download is another copy of the bytes in the spool.
        free = free_bytes(folder) - size
        if free < self.least:
            return "none"
        return "low" if free < self.low else "enough"


def free_bytes(folder: Path) -> int:
    """Return how many bytes can still be written to ``folder``."""
    return shutil.disk_usage(folder).free


def stored_bytes(path: Path) -> int:
    """Return how many bytes of a file are stored; a sparse file may claim any size, and would be read for days."""
    info = path.stat()
    # A file system that does not count blocks reports 0.
    by_blocks = min(info.st_size, info.st_blocks * _BLOCK or info.st_size)
    if by_blocks == info.st_size or not stat.S_ISREG(info.st_mode):
        return by_blocks
    # With compression and delayed allocation (ZFS, btrfs, NFS) a file without holes has few blocks as well.
    try:
        return _data_bytes(path, info.st_size)
    except OSError:
        return by_blocks


def _data_bytes(path: Path, size: int) -> int:
    """Return how many bytes of a file are outside of holes; raises OSError if the file system does not know."""
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = end = 0
        for _ in range(_MOST_PIECES):
            try:
                start = os.lseek(file, end, os.SEEK_DATA)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                # Only a hole follows.
                return found
            end = os.lseek(file, start, os.SEEK_HOLE)
            found += end - start
            if end >= size:
                return min(found, size)
    finally:
        os.close(file)
    raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))


def megabytes(size: int) -> str:
    """Return a size in megabytes, as text."""
    return f"{size / _MB:.0f} MB"


def is_full(error: OSError) -> bool:
    """Return whether an error means that the disk or the user's quota is full."""
    return error.errno in _FULL


def file_failure(what: str, error: OSError, advice: str = "") -> RecordingError:
    """Return the error for a disk access that failed; ``what`` is the beginning of its message."""
    where = f" at {error.filename}" if error.filename else ""
    message = f"{what}: {error.strerror or error}{where}.{advice}"
    return disk_full(message) if is_full(error) else spool_error(message)


@contextmanager
def room_for(what: str, where: Path) -> Iterator[None]:
    """Raise DiskFullError, naming what could not be written and where, instead of an OSError that means it."""
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        message = (
            f"No room for {what} at {where}: the disk is full. Make room there; "
            "the recording so far is kept in the spool, and 'harness recover' finishes it."
        )
        raise disk_full(message) from error
