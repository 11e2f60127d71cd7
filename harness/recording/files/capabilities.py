"""Sync and lock files if the disk supports this; a warning is logged once for each feature that a disk lacks."""

from __future__ import annotations

import errno
import fcntl
import functools
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import BinaryIO

_log = logging.getLogger(__name__)

# Errors of disks that can't sync, for example some FUSE and network disks. EIO is not in this set, because it means
# that the disk is broken.
_NO_SYNC: Final = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
# Errors of network disks without a lock service.
_NO_LOCKS: Final = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}


def sync(path: Path) -> None:
    """Sync a file to the disk if the disk supports it; raises OSError if the disk fails."""
    if not _synced(path):
        _warn(_mount_point(path), "can't sync files, so a power failure can damage the latest recordings")


def sync_folder(path: Path) -> None:
    """Sync a folder's entries to the disk; many disks do not support this, so no warning is logged."""
    _synced(path)


def lock(file: BinaryIO) -> bool:
    """Lock an open file until it is closed, and return whether the disk supports locks.

    Raises BlockingIOError if the file is already locked, and OSError if the disk fails.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        problem = "does not support locks, so a file in each recording's folder names the process that uses the folder"
        _warn(_mount_point(Path(file.name)), problem)
        return False
    return True


def _synced(path: Path) -> bool:
    """Sync a file or a folder's entries, and return whether the disk supports this."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
        return False
    finally:
        os.close(file)
    return True


def _mount_point(path: Path) -> Path:
    """Return the folder at which the disk of ``path`` is mounted."""
    return next(folder for folder in path.absolute().parents if folder.is_mount())


@functools.cache
def _warn(disk: Path, problem: str) -> None:
    """Log that a disk lacks a feature, once per process."""
    _log.warning("The disk at %s %s.", disk, problem)
