"""Give files their final names without overwriting anything, even across disks and on disks without hard links."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from typing import TYPE_CHECKING

from harness.recording.files.capabilities import sync, sync_folder

if TYPE_CHECKING:
    from pathlib import Path


def partial_path(folder: Path) -> Path:
    """Return the path of a new hidden file in ``folder``, for content that is not complete yet.

    The name does not contain the final name, which may already have the maximum length.
    """
    return folder / f".harness-{secrets.token_hex(4)}.partial"


def link(source: Path, target: Path) -> bool:
    """Create a hard link, and return whether that was possible.

    FAT, some network disks and some containers do not support hard links, and they report this with different errors.

    Raises FileExistsError if the target exists.
    """
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:
        return False
    return True


def replace(complete: Path, reserved: Path) -> None:
    """Move a complete file to a name that an empty file reserves; the two paths can be on different disks.

    The file with the reserved name is always either empty or complete. If moving fails, ``complete`` stays where it is,
    and no other file is left behind.

    Raises OSError if the file can't be renamed or copied.
    """
    try:
        complete.replace(reserved)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    else:
        return
    partial = partial_path(reserved.parent)
    try:
        shutil.copyfile(complete, partial)
        # The original is removed, so the copy must be safe on its disk.
        sync(partial)
        partial.replace(reserved)
    except BaseException:
        # An error during the cleanup must not hide the first error.
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
    sync_folder(reserved.parent)
    # The file has been moved, even if the original can't be removed, for example from a read-only disk.
    with contextlib.suppress(OSError):
        complete.unlink()


def move(partial: Path, target: Path) -> None:
    """Give a complete file its final name; the two paths can be on different disks.

    The target never contains only a part of the file. Without hard links, the target is empty for a moment. If the file
    moves to another disk, the target is empty until the file has been copied.

    Raises FileExistsError if the target exists, even if it was created a moment ago, and OSError if the file can't be
    renamed or copied.
    """
    if link(partial, target):
        partial.unlink()
        return
    # If two processes create the same file, O_EXCL lets only one of them succeed. O_EXCL does not follow links.
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
    try:
        replace(partial, target)
    except BaseException:
        # An interrupt can arrive after the file has been renamed.
        if os.path.lexists(partial):
            target.unlink()
        raise


def link_or_copy(source: Path, target: Path) -> None:
    """Create a hard link to a file, or a copy if the disk does not support hard links.

    Raises FileExistsError if the target exists, and OSError if the file can't be copied. If either error is raised, no
    partial file is left behind.
    """
    if link(source, target):
        return
    partial = partial_path(target.parent)
    try:
        shutil.copyfile(source, partial)
        move(partial, target)
    finally:
        partial.unlink(missing_ok=True)
