"""Publish a finished file under its final name with its manifest, without overwriting anything."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING, Any

from harness.errors import recording_error
from harness.recording.files.disk import room_for
from harness.recording.files.names import manifest_of, reserve, statistics_of
from harness.recording.files.placement import replace
from harness.recording.recording import Recording, sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from harness.recording.manifest import Manifest


def publish(manifest: Manifest, complete: Path, folder: Path, **facts: Any) -> Recording:
    """Move ``complete`` into ``folder`` under the first free name, with its manifest and statistics.

    Returns the published recording. ``manifest`` is the manifest that the server wrote; ``facts`` are properties of the
    recording that became known later. If ``folder`` is on a different disk than ``complete``, the file is copied.

    Raises RecordingError if ``complete`` is not the file that the server finished, and DiskFullError if the disk is
    full. If anything fails, ``complete`` stays where it is, and all files that this function created are removed.
    """
    before = manifest.recording
    if sha256_of(complete) != before.sha256:
        message = f"{complete} is not the file that the server finished: its SHA-256 differs. It stays there."
        raise recording_error(message)
    path = reserve(folder, before.path.stem)
    recording = before.model_copy(update={"path": path, "manifest": manifest_of(path), **facts})
    statistics = statistics_of(path)
    made = [path]
    try:
        # The statistics no longer exist if the page has called ``clean`` without waiting for the download.
        with contextlib.suppress(FileNotFoundError), room_for("the statistics", statistics):
            made.append(statistics)
            shutil.copyfile(statistics_of(before.path), statistics)
        manifest.model_copy(update={"recording": recording}).write(recording.manifest)
        made.append(recording.manifest)
        with room_for("the recording", path):
            replace(complete, path)
    except BaseException as error:
        # An interrupt can arrive after the file has been moved; the moved file must not be removed.
        if isinstance(error, Exception) or os.path.lexists(complete):
            _remove(made)
        raise
    return recording


def _remove(made: Iterable[Path]) -> None:
    for path in made:
        # An error during the cleanup must not hide the first error.
        with contextlib.suppress(OSError):
            path.unlink()
