"""Small disks that tests can safely fill up, and an exFAT disk; only root can mount them."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
from itertools import count
from typing import TYPE_CHECKING

import pytest

from harness.recording.files.disk import free_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def mounted_disk(folder: Path, options: str) -> Iterator[Path]:
    """Create a folder, mount a disk there with options such as size=64M or nr_inodes=100, and unmount it afterwards."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "harness-test", folder], check=False, capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"Mounting a disk needs root: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextlib.contextmanager
def exfat_disk(folder: Path, *, size: int = 16_000_000) -> Iterator[Path]:
    """Mount a disk without hard links or case-sensitive names at ``folder / "disk"``, and unmount it afterwards."""
    if not (shutil.which("mkfs.exfat") and shutil.which("mount.exfat-fuse")):
        pytest.skip("A disk without hard links needs mkfs.exfat and mount.exfat-fuse.")
    image, disk = folder / "image", folder / "disk"
    with image.open("wb") as file:
        file.truncate(size)
    disk.mkdir()
    subprocess.run(["mkfs.exfat", image], check=True, capture_output=True)
    loop = subprocess.run(["losetup", "--find", "--show", image], check=False, capture_output=True, text=True)
    if loop.returncode:
        pytest.skip(f"Mounting a disk needs root: {loop.stderr.strip()}")
    device = loop.stdout.strip()
    try:
        subprocess.run(["mount.exfat-fuse", device, disk], check=True, capture_output=True)
        try:
            yield disk
        finally:
            subprocess.run(["umount", "--lazy", disk], check=True)
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


def use_up_inodes(disk: Path, *, leave: int) -> Path:
    """Create empty files until the disk has only ``leave`` free inodes; return the folder with the files."""
    folder = disk / "fillers"
    folder.mkdir()
    made = []
    with contextlib.suppress(OSError):
        for number in count():
            path = folder / str(number)
            path.touch()
            made.append(path)
    for path in made[:leave]:
        path.unlink()
    return folder


def fill(folder: Path, *, leave: int) -> Path:
    """Fill the disk with one file so that only ``leave`` bytes remain free; return the file's path."""
    filler = folder / "filler"
    # A browser may write to the disk after its free space was read; then the space is read again.
    for _ in range(20):
        with filler.open("wb") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, free_bytes(folder) - leave)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
            else:
                return filler
    raise TimeoutError(f"{folder} could not be filled, because something writes to it all the time.")
