"""Check the free disk space and the folder for temporary files, and create the errors that report a full disk."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from harness.errors import RecordingError, disk_full, spool_error

if TYPE_CHECKING:
    from collections.abc import Iterator

_FULL: Final = {errno.ENOSPC, errno.EDQUOT}
_MB: Final = 1_000_000
# The unit of st_blocks, in bytes, as POSIX defines it; the disk's own blocks can be larger.
_BLOCK: Final = 512
# If a file has more data segments than this, its blocks are counted instead, because a hostile file can have millions
# of segments.
_MOST_PIECES: Final = 100_000
# Playwright's driver uses the first of these variables that is set. Unlike Python's ``tempfile``, it does not look for
# another folder if this one can't be used.
_TEMPORARY: Final = ("TMPDIR", "TMP", "TEMP")
# Maximum length of the path of the folder for temporary files, in bytes. Chrome creates a Unix socket in a subfolder
# (org.chromium.Chromium.XXXXXX/SingletonSocket), and the path of a socket can have at most 107 bytes.
_LONGEST_TEMPORARY: Final = 62


@dataclass(frozen=True)
class Headroom:
    """Bytes that a download must leave free: less than ``low`` raises an alarm, and less than ``least`` an error."""

    low: int = 250 * _MB
    least: int = 50 * _MB

    def left(self, folder: Path, size: int) -> Literal["enough", "low", "none"]:
        """Return whether ``folder`` has enough space for a running recording of ``size`` bytes."""
        # The download will need as much space as the bytes in the spool already occupy.
        free = free_bytes(folder) - size
        if free < self.least:
            return "none"
        return "low" if free < self.low else "enough"


def free_bytes(folder: Path) -> int:
    """Return how many bytes can still be written to ``folder``."""
    usage = shutil.disk_usage(folder)
    # Network disks without a fixed size report a size of 0.
    return usage.free if usage.total else sys.maxsize


def temporary_folder() -> Path:
    """Return the folder in which Chrome stores its profile, and its downloads until Python has saved them."""
    return Path(next((folder for name in _TEMPORARY if (folder := os.environ.get(name))), "/tmp"))  # noqa: S108


def temporary_problem() -> str | None:
    """Return a sentence on why Chrome can't use the folder for temporary files, and what to do; None if it can."""
    folder = temporary_folder()
    try:
        # Creating a folder is the only reliable test, for example on read-only disks and on disks without free inodes.
        Path(tempfile.mkdtemp(prefix="harness-", dir=folder)).rmdir()
        free = free_bytes(folder)
    except OSError as error:
        reason = _reason(error)
    else:
        if free < Headroom.least:
            reason = f"it has only {megabytes(free)} of free space"
        elif len(os.fsencode(folder)) > _LONGEST_TEMPORARY:
            reason = f"its path is longer than {_LONGEST_TEMPORARY} bytes"
        else:
            return None
    return (
        f"Chrome can't store temporary files in {folder}, because {reason}; set TMPDIR to a writable folder with at "
        f"least {megabytes(Headroom.least)} of free space and a path of at most {_LONGEST_TEMPORARY} bytes."
    )


def _reason(error: OSError) -> str:
    if is_full(error):
        return "it is full"
    if isinstance(error, FileNotFoundError):
        return "it does not exist"
    return f"it is not a writable folder ({error.strerror})"


def stored_bytes(path: Path) -> int:
    """Return how many bytes a file occupies on disk.

    Reading a sparse file up to its nominal size, which can be far larger than the space it occupies, could take days.
    """
    info = path.stat()
    # File systems that do not count blocks report 0 blocks.
    by_blocks = min(info.st_size, info.st_blocks * _BLOCK or info.st_size)
    if by_blocks == info.st_size or not stat.S_ISREG(info.st_mode):
        return by_blocks
    # With compression or delayed allocation (ZFS, btrfs, NFS), even a file that is not sparse can occupy few blocks, so
    # count the bytes in its data segments.
    try:
        return _data_bytes(path, info.st_size)
    except OSError:
        return by_blocks


def _data_bytes(path: Path, size: int) -> int:
    """Return how many bytes of a file are in data segments; raises OSError if the file system can't report this."""
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = end = 0
        for _ in range(_MOST_PIECES):
            try:
                start = os.lseek(file, end, os.SEEK_DATA)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                # The rest of the file contains no data.
                return found
            end = os.lseek(file, start, os.SEEK_HOLE)
            found += end - start
            if end >= size:
                return min(found, size)
    finally:
        os.close(file)
    raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))


def megabytes(size: int) -> str:
    """Format a size in megabytes."""
    return f"{size / _MB:.0f} MB"


def is_full(error: OSError) -> bool:
    """Return whether an error means that the disk is full or the user's quota is used up."""
    return error.errno in _FULL


def file_failure(what: str, error: OSError, advice: str = "") -> RecordingError:
    """Return the error for a failed disk access; the error's message begins with ``what``."""
    where = f" at {error.filename}" if error.filename else ""
    message = f"{what}: {error.strerror or error}{where}.{advice}"
    return disk_full(message) if is_full(error) else spool_error(message)


@contextmanager
def room_for(what: str, where: Path) -> Iterator[None]:
    """Turn an OSError about a full disk into a DiskFullError that names what could not be written, and where."""
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        message = (
            f"No space for {what} at {where}: the disk is full. Free some space; "
            "the recording so far is kept in the spool, and 'harness recover' can finish it."
        )
        raise disk_full(message) from error
