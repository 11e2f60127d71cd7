"""Recovery: finishes what a crash left in the spool, and never touches what another process still holds."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from harness.errors import RecordingError
from harness.recording.disk import stored_bytes
from harness.recording.finalize import Growth, finalize
from harness.recording.publish import publish
from harness.recording.recording import SUFFIX, Manifest, manifest_of
from harness.recording.spooled import FOLDER, Folder

if TYPE_CHECKING:
    from harness.recording.recording import Recording

KILLED: Final = "the program that recorded it ended before it was stopped"
NEVER_DOWNLOADED: Final = "it was finished, and never downloaded"
# In bytes. The log grows by some 30 MB a day.
_LARGEST_FACTS: Final = 1_000_000
_LARGEST_LOG: Final = 1_000_000_000


@dataclass(frozen=True)
class Recovery:
    """What became of one abandoned folder: the recording, or why there is none."""

    folder: Path
    recording: Recording | None
    message: str

    def __str__(self) -> str:
        return self.message


def recover(recordings: Path) -> list[Recovery]:
    """Finish every abandoned recording below ``recordings`` and publish it there; return what became of each.

    A folder that can't be read, or in which nothing can be, stays where it is, and is told in one line.
    """
    root = recordings / FOLDER
    if root.is_symlink():
        return [_left(root, RecordingError("it is a link, and no folder of recordings.", code=10453))]
    try:
        folders = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    except OSError as error:
        return [_left(root, error)]
    return [recovery for path in folders if (recovery := _recover(Folder(path), recordings))]


def _recover(folder: Folder, recordings: Path) -> Recovery | None:
    try:
        lock = _hold(folder)
    except BlockingIOError:
        # Somebody records there.
        return None
    except FileNotFoundError:
        # Somebody removes it just now, or a crash came before its lock: then it is empty.
        with contextlib.suppress(OSError):
            folder.path.rmdir()
        return None
    except (OSError, RecordingError) as error:
        return _left(folder.path, error)
    with lock:
        try:
            _check(folder)
            if folder.kept.exists() or not _holds_anything(folder):
                folder.remove()
                return None
            recording = _publish(folder, recordings)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one folder, the others and the program go on
            return _left(folder.path, error)
        message = f"Recovered {recording.path} ({recording.duration:.1f} s): {recording.recovered}."
        try:
            folder.remove()
        except OSError as error:
            message = _line(f"{message} Its folder can't be removed: {error}. Remove {folder.path}.")
    return Recovery(folder.path, recording, message)


def _left(path: Path, error: Exception) -> Recovery:
    """Return what is told of a folder that stays as it is."""
    why = str(error) or type(error).__name__
    return Recovery(path, None, _line(f"{path} can't be recovered, and stays where it is: {why}"))


def _line(text: str) -> str:
    """Return a text in one line: what is wrong may be told in several."""
    return " ".join(text.split())


def _hold(folder: Folder) -> BinaryIO:
    if folder.path.is_symlink():
        message = "it is a link, and no folder of a recording."
        raise RecordingError(message, code=10453)
    return folder.hold()


def _check(folder: Folder) -> None:
    """Raise RecordingError where something lies there that is never read to its end, or leads elsewhere."""
    for above, folders, files in os.walk(folder.path):
        for path in (Path(above, name) for name in (*folders, *files)):
            mode = path.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                message = f"{path} is neither a file nor a folder, and none of what a recording leaves there."
                raise RecordingError(message, code=10453)
    # Somebody else's folder is not ours to remove, whatever it lacks.
    if foreign := set(folder.path.iterdir()) - folder.known:
        raise RecordingError(f"{min(foreign)} is none of what a recording leaves there.", code=10453)
    if folder.raw.exists() and stored_bytes(folder.raw) * 2 < folder.raw.stat().st_size:
        raise RecordingError(f"{folder.raw} is mostly holes, as nothing is that was recorded.", code=10453)
    for path, most in ((folder.facts, _LARGEST_FACTS), (folder.log, _LARGEST_LOG)):
        if path.exists() and path.stat().st_size > most:
            raise RecordingError(f"{path} is too large to be read ({path.stat().st_size} bytes).", code=10453)


def _publish(folder: Folder, recordings: Path) -> Recording:
    facts = folder.read_facts()
    path = folder.finished(facts.stem)
    described = manifest_of(path).exists()
    reason = NEVER_DOWNLOADED if described else KILLED
    if described and not folder.raw.exists():
        manifest = Manifest.read(manifest_of(path))
        # Since it was written, the folder may have been moved.
        here = manifest.model_copy(update={"recording": manifest.recording.at(path)})
        return publish(here, path, recordings, recovered=reason)
    # While the raw bytes are there, nobody has read the finished file back.
    finished = finalize(folder.raw, folder.log, folder.partial, frame_rate=facts.frame_rate, growth=Growth(ended=True))
    folder.name(facts)
    manifest = folder.describe(facts, finished, reason)
    folder.settle(facts, finished, threading.Event())
    return publish(manifest, path, recordings)


def _holds_anything(folder: Folder) -> bool:
    """Return whether bytes of a recording lie there, raw or finished."""
    if folder.raw.exists():
        return folder.raw.stat().st_size > 0
    return any(folder.results.glob(f"*{SUFFIX}"))
