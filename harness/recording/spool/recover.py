"""Recover recordings that a crash left in the spool, except recordings that another process has locked."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from harness.errors import ConfigError, DiskFullError, RecordingError, SetupError, recording_error
from harness.recording.config import Codec, FrameRate
from harness.recording.files.capabilities import sync_folder
from harness.recording.files.disk import stored_bytes
from harness.recording.files.formats import open_media
from harness.recording.files.names import SUFFIX, manifest_of, safe_stem
from harness.recording.finalize.copy import copy_as_stamped, finalize
from harness.recording.finalize.growing_file import GrowingFile
from harness.recording.manifest import Manifest
from harness.recording.spool.describe import describe
from harness.recording.spool.folder import FOLDER, Facts, Folder
from harness.recording.spool.publish import publish

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.recording.finalize.copy import Finished
    from harness.recording.recording import Recording
    from harness.recording.spool.lock import FolderLock

KILLED: Final = "the program that was recording ended before the recording was stopped"
NEVER_DOWNLOADED: Final = "the recording was finished but never downloaded"
# Maximum sizes of ``recording.json`` and of the log, in bytes. The log grows by about 30 MB a day.
_LARGEST_FACTS: Final = 1_000_000
_LARGEST_LOG: Final = 1_000_000_000
# Participant name that is used if ``recording.json`` is missing or damaged.
_UNKNOWN: Final = "unknown"
_CODECS: Final = frozenset(get_args(Codec))


@dataclass(frozen=True)
class Recovery:
    """The result of recovering one abandoned folder: the recording, or the reason why it could not be recovered."""

    folder: Path
    recording: Recording | None
    message: str

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class _Target:
    """The folders in which a recording is finished (``outputs``) and published (``recordings``)."""

    outputs: Folder
    recordings: Path


def recover(recordings: Path, into: Path | None = None) -> list[Recovery]:
    """Finish every abandoned recording in the spool of the folder ``recordings``, and publish it in that folder.

    If ``into`` is given, the recordings are finished and published in that folder instead. The folder is created if it
    does not exist, and can be on another disk, for example if the disk of ``recordings`` is full.

    Unreadable lines of a recording's log and statistics are skipped and counted. If a recording's log or
    ``recording.json`` is missing or damaged, the recording is named ``recovered-ID`` and has the timestamps of its raw
    bytes. Files that do not belong to a recording are left in the recording's folder. A folder without readable media
    is kept, and is reported in one line.

    Raises SetupError if ``into`` can't be created.
    """
    if into is not None:
        _make_folder(into)
    root = recordings / FOLDER
    if root.is_symlink():
        return [_left(root, recording_error("this path is a link, not a folder that contains recordings."))]
    try:
        folders = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    except OSError as error:
        return [_left(root, error)]
    return [recovery for path in folders if (recovery := _recover(Folder(path), recordings, into))]


def _make_folder(into: Path) -> None:
    try:
        into.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"Recordings can't be stored in {into}: {error.strerror}. Choose another folder with --into."
        raise SetupError(message) from error


def _recover(folder: Folder, recordings: Path, into: Path | None) -> Recovery | None:
    try:
        lock = _hold(folder)
    except BlockingIOError:
        # Another process is still recording into this folder.
        return None
    except FileNotFoundError:
        # Another process is removing the folder, or a crash left it empty before its lock was created.
        with contextlib.suppress(OSError):
            folder.path.rmdir()
        return None
    except (OSError, RecordingError) as error:
        return _left(folder.path, error)
    with lock:
        try:
            return _recover_held(folder, recordings, into)
        except Exception as error:  # noqa: BLE001 - a failure in one folder must not keep others from being recovered
            return _left(folder.path, error)


def _recover_held(folder: Folder, recordings: Path, into: Path | None) -> Recovery | None:
    """Recover a folder whose lock this process holds; return None if there is nothing to recover."""
    _check(folder)
    stems = _stems(folder)
    if folder.published.exists() or not _holds_anything(folder):
        if not (folder.facts.exists() or folder.raw.exists()) and (foreign := folder.foreign(*stems)):
            # The folder belongs to another program, so it is not removed.
            raise recording_error(f"{foreign[0]} is not part of a recording.")
        folder.remove(*stems)
        return None
    with _target(folder, recordings, into) as target:
        recording = _publish(folder, target)
    message = f"Recovered {recording.path} ({recording.duration:.1f} s): {recording.recovered}."
    try:
        if foreign := folder.remove(*stems, _own_stem(folder)):
            message = (
                f"{message} {folder.path} is kept because it contains {foreign[0].name}, "
                "which is not part of a recording."
            )
    except OSError as error:
        message = _line(f"{message} The recording's folder can't be removed: {error}. Remove {folder.path}.")
    return Recovery(folder.path, recording, message)


@contextlib.contextmanager
def _target(folder: Folder, recordings: Path, into: Path | None) -> Iterator[_Target]:
    """Return the folders for a recording; with ``into``, the recording is finished in a temporary folder there."""
    if into is None:
        yield _Target(folder, recordings)
        return
    with tempfile.TemporaryDirectory(prefix=".recovering-", dir=into, ignore_cleanup_errors=True) as outputs:
        yield _Target(Folder(Path(outputs)), into)
    # The original is removed next, so the recording's name must be safe on its disk.
    sync_folder(into)


def _left(path: Path, error: Exception) -> Recovery:
    """Return the result for a folder that can't be recovered and is left unchanged."""
    why = str(error) or type(error).__name__
    return Recovery(path, None, _line(f"{path} can't be recovered, and was left unchanged: {why}"))


def _line(text: str) -> str:
    """Join the lines of an error message into one line."""
    return " ".join(text.split())


def _hold(folder: Folder) -> FolderLock:
    if folder.path.is_symlink():
        message = "this path is a link, not a recording's folder."
        raise recording_error(message)
    try:
        return folder.hold()
    except FileNotFoundError:
        # A recording creates its lock first and removes it last, so if the folder contains data, its lock was lost.
        if folder.lock.is_symlink() or not _holds_anything(folder):
            raise
        return folder.hold(new=True)


def _check(folder: Folder) -> None:
    """Raise RecordingError for links, pipes, other special files, and files that are too large to read."""
    for above, folders, files in os.walk(folder.path):
        for path in (Path(above, name) for name in (*folders, *files)):
            mode = path.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                message = f"{path} is neither a regular file nor a folder, so it can't be part of a recording."
                raise recording_error(message)
    if folder.raw.exists() and stored_bytes(folder.raw) * 2 < folder.raw.stat().st_size:
        raise recording_error(f"{folder.raw} is a sparse file, so it can't be part of a recording.")
    for path, most in ((folder.facts, _LARGEST_FACTS), (folder.log, _LARGEST_LOG)):
        if path.exists() and path.stat().st_size > most:
            raise recording_error(f"{path} is too large to be read ({path.stat().st_size} bytes).")


def _publish(folder: Folder, target: _Target) -> Recording:
    """Finish a recording from the readable parts of its folder, and publish the recording."""
    try:
        facts = folder.read_facts()
        problem = None if folder.has_times(facts) else f"{folder.log.name} is missing or damaged"
    except RecordingError:
        facts, problem = None, f"{folder.facts.name} is missing or damaged"
    if not _has_bytes(folder.raw):
        return _publish_finished(folder, facts, target)
    reason = NEVER_DOWNLOADED if facts and manifest_of(folder.finished(facts.stem)).exists() else KILLED
    if facts and not problem:
        # If raw bytes exist, the finished file has not been checked by reading it back, so the raw bytes are finalized
        # again.
        try:
            finished = finalize(
                folder.raw,
                folder.log,
                target.outputs.partial,
                frame_rate=facts.frame_rate,
                growing_file=GrowingFile(ended=True),
            )
        except DiskFullError:
            raise
        except (RecordingError, ValueError, ArithmeticError, LookupError) as error:
            # Copying without the log can save more of the recording, for example audio from before the first frame.
            problem = _line(str(error)).removesuffix(".")
        else:
            return _publish_described(folder, facts, finished, reason, target)
    return _publish_as_stamped(folder, folder.raw, facts, f"{reason}; {problem}", target)


def _publish_described(
    folder: Folder, facts: Facts, finished: Finished, reason: str, target: _Target, *, timed: bool = True
) -> Recording:
    outputs = target.outputs
    path = outputs.name(facts)
    manifest = describe(folder, facts, finished, reason, timed=timed, outputs=outputs)
    # If the outputs are in another folder, ``settle`` finds no raw bytes there. The original raw bytes are removed only
    # after the recording has been published.
    outputs.settle(facts, finished, threading.Event())
    return publish(manifest, path, target.recordings)


def _publish_finished(folder: Folder, facts: Facts | None, target: _Target) -> Recording:
    """Publish a finished file whose raw bytes were removed, which only happens after the file has been read back."""
    path = folder.finished(facts.stem) if facts else _finished_files(folder)[0]
    if not _has_bytes(path):
        path = _finished_files(folder)[0]
    try:
        manifest = Manifest.read(manifest_of(path))
        # The folder may have been moved since the manifest was written.
        here = manifest.model_copy(update={"recording": manifest.recording.at(path)})
        return publish(here, path, target.recordings, recovered=NEVER_DOWNLOADED)
    except DiskFullError:
        raise
    except (ConfigError, RecordingError):
        reason = f"{NEVER_DOWNLOADED}; the manifest is missing, is damaged, or describes a different file"
        return _publish_as_stamped(folder, path, facts, reason, target)


def _publish_as_stamped(folder: Folder, source: Path, facts: Facts | None, why: str, target: _Target) -> Recording:
    """Publish a file that has the timestamps of its raw bytes, under the name ``recovered-ID``."""
    copied = target.outputs.partial
    finished = copy_as_stamped(source, copied)
    reason = f"{why}, so the recording uses the timestamps in the raw bytes, and its participants are unknown"
    known = _facts_as_stamped(folder, source, copied, facts, finished)
    return _publish_described(folder, known, finished, reason, target, timed=False)


def _facts_as_stamped(folder: Folder, source: Path, copied: Path, facts: Facts | None, finished: Finished) -> Facts:
    """Return the properties of a copied file with the timestamps of its raw bytes.

    Properties that are missing in ``facts`` are read from the file.
    """
    ended = source.stat().st_mtime
    clocks: dict[str, Any] = {
        "stem": _own_stem(folder),
        "clock_offset": 0.0,
        "clock_error": 0.0,
        "wall_offset": (ended - finished.duration) * 1000,
    }
    if facts:
        return facts.model_copy(update=clocks)
    with open_media(copied) as media:
        video = media.streams.video[0] if media.streams.video else None
        codec = video.codec_context.name if video else "opus"
        config = {"recordType": "video" if video else "audio", **({"codec": codec} if codec in _CODECS else {})}
        rate = finished.packets.get("video", 0) / max(finished.duration, 0.001)
        return Facts(
            id=folder.path.name,
            participant=_UNKNOWN,
            room="",
            recorder="all",
            config=config,
            mime_type=f"video/webm;codecs={codec}" if video else "audio/webm;codecs=opus",
            width=video.width if video else None,
            height=video.height if video else None,
            frame_rate=min(get_args(FrameRate), key=lambda one: abs(one - rate)) if video else None,
            versions={},
            **clocks,
        )


def _own_stem(folder: Folder) -> str:
    """Return the name for a recording whose ``recording.json`` is missing."""
    return safe_stem(f"recovered-{folder.path.name}")


def _stems(folder: Folder) -> list[str]:
    """Return the possible names of the finished file in the folder."""
    with contextlib.suppress(RecordingError):
        return [folder.read_facts().stem]
    return [path.name.removesuffix(SUFFIX) for path in _finished_files(folder)]


def _finished_files(folder: Folder) -> list[Path]:
    """Return the finished files in the folder: at most one, unless a user has added files."""
    return sorted(
        path for path in folder.results.glob(f"*{SUFFIX}") if not path.name.startswith(".") and _has_bytes(path)
    )


def _holds_anything(folder: Folder) -> bool:
    """Return whether the folder contains raw or finished bytes of a recording."""
    return _has_bytes(folder.raw) or bool(_finished_files(folder))


def _has_bytes(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0
