"""The disk that recordings are written to: whether there is room, and what is said when there is none."""

from __future__ import annotations

import errno
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from harness.errors import DiskFullError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FULL: Final = {errno.ENOSPC, errno.EDQUOT}
_MB: Final = 1_000_000
# In bytes, whatever the disk's own are (POSIX).
_BLOCK: Final = 512


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
    """Return how many bytes of a file lie on the disk: one with holes may claim any size, and is read for days."""
    told = path.stat()
    # Disks that do not say it say nothing.
    return min(told.st_size, told.st_blocks * _BLOCK or told.st_size)


def megabytes(size: int) -> str:
    """Return a size as people read it."""
    return f"{size / _MB:.0f} MB"


def is_full(error: OSError) -> bool:
    """Return whether an error means that the disk, or somebody's share of it, is full."""
    return error.errno in _FULL


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
        raise DiskFullError(message, code=10452) from error
