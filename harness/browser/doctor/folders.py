"""Examine the folders to which the harness and Chrome write."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from harness.recording.files.disk import Headroom, free_bytes, megabytes, temporary_folder, temporary_problem

Purpose = Literal["recordings", "temporary files", "home", "configuration", "cache", "shared memory"]

# With less free space than this, only short recordings are possible.
_ENOUGH_FOR_RECORDINGS: Final = 1_000_000_000


class FolderReport(BaseModel):
    """A folder to which the harness or Chrome writes."""

    model_config = ConfigDict(frozen=True)

    purpose: Purpose
    """Content of the folder."""
    path: Path
    """Path of the folder, which might not exist yet."""
    variable: str | None
    """Environment variable that selects the folder; None if the folder can't be changed."""
    free: int | None
    """Free space in bytes on the folder's disk; None if unknown."""
    writable: bool
    """Whether files can be created in the folder; for a folder that does not exist yet, whether it can be created."""
    problem: str | None = None
    """Why the folder can't be used or is unsuitable, and what to do; None if there is no problem."""
    blocks_recording: bool = False
    """Whether recording is impossible because of the problem."""

    def with_problem(self, problem: str, *, blocks_recording: bool = False) -> FolderReport:
        """Return a copy with a problem."""
        return self.model_copy(update={"problem": problem, "blocks_recording": blocks_recording})


def used_folders(recordings: Path) -> tuple[FolderReport, ...]:
    """Examine all folders to which the harness and Chrome write; ``recordings`` is the folder for recordings.

    To find out whether a folder is writable, a temporary file is created in it and removed at once.
    """
    home = _examine_setting("home", "HOME", _home())
    return (
        _examine_recordings(recordings.absolute()),
        _examine_temporary(),
        home,
        _examine_setting("configuration", "XDG_CONFIG_HOME", home.path / ".config", home),
        _examine_setting("cache", "XDG_CACHE_HOME", home.path / ".cache", home),
        # The size of /dev/shm does not matter: Playwright starts Chrome with --disable-dev-shm-usage, and Chrome 156
        # uses files without names (memfd) as shared memory.
        _examine("shared memory", Path("/dev/shm"), None)[0],  # noqa: S108 - only examined
    )


def _examine_recordings(path: Path) -> FolderReport:
    folder, reason = _examine("recordings", path, "HARNESS_RECORDINGS")
    if reason:
        remedy = "choose another folder with --recordings DIR"
        return folder.with_problem(f"{path} is not writable ({reason}); {remedy}", blocks_recording=True)
    if folder.free is not None and folder.free < _ENOUGH_FOR_RECORDINGS:
        problem = (
            f"{path} has only {megabytes(folder.free)} of free space; free some space, or record to another disk with "
            "--recordings DIR"
        )
        return folder.with_problem(problem, blocks_recording=folder.free < Headroom().least)
    return folder


def _examine_temporary() -> FolderReport:
    path = temporary_folder()
    folder, _ = _examine("temporary files", path, "TMPDIR")
    if problem := temporary_problem():
        return folder.with_problem(problem, blocks_recording=True)
    if folder.free is not None and folder.free < Headroom().low:
        problem = (
            f"{path} has only {megabytes(folder.free)} of free space, and Chrome stores its profile and its downloads "
            "there; set TMPDIR to a folder on a larger disk"
        )
        return folder.with_problem(problem)
    return folder


def _examine_setting(purpose: Purpose, variable: str, default: Path, home: FolderReport | None = None) -> FolderReport:
    """Examine the folder that an environment variable selects.

    ``default`` is the folder that is used if the variable is not set. If ``default`` is in ``home`` and ``home`` is not
    writable, only ``home`` is reported as a problem.
    """
    chosen = os.environ.get(variable)
    path = Path(chosen) if chosen else default
    folder, reason = _examine(purpose, path, variable)
    if reason is None or (home and not chosen and not home.writable):
        return folder
    return folder.with_problem(
        f"{path} is not writable ({reason}); set {variable} to a writable folder, for example {variable}=/tmp"
    )


def _examine(purpose: Purpose, path: Path, variable: str | None) -> tuple[FolderReport, str | None]:
    """Return a report on a folder, and the reason why it is not writable, or None if it is."""
    existing = next(folder for folder in (path.absolute(), *path.absolute().parents) if _exists(folder))
    reason: str | None = None
    free: int | None = None
    try:
        size = free_bytes(existing)
        # This value stands for a disk without a fixed size.
        free = None if size == sys.maxsize else size
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
    return FolderReport(purpose=purpose, path=path, variable=variable, free=free, writable=reason is None), reason


def _exists(path: Path) -> bool:
    """Return whether a file or folder exists and is accessible; the root folder always is."""
    try:
        path.stat()
    except OSError:
        return path == path.parent
    return True


def _home() -> Path:
    """Return the user's home folder, or the root folder if it is unknown."""
    with contextlib.suppress(RuntimeError):
        return Path.home()
    return Path("/")
