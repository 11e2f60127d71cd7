"""Folder represents a recording's folder in the spool, with its files, lock and ``recording.json``.

A folder contains a lock, ``recording.json`` (the recording's initial properties), ``raw.webm``, ``log.jsonl``,
``stats.jsonl`` and, once the recording is finished, ``finished/``. The raw bytes are the only reliable copy until the
finished file has been synced to the disk and read back; they are then removed. The folder contains everything that is
known about a recording, so a recording left behind by a crash is finished in the same way as one that has just ended.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from harness.errors import recording_error, spool_error
from harness.recording.config import Recorder
from harness.recording.files.capabilities import sync, sync_folder
from harness.recording.files.disk import room_for
from harness.recording.files.names import SUFFIX, manifest_of, safe_stem, statistics_of
from harness.recording.files.placement import link
from harness.recording.finalize.tick_log import RecorderLine, TicksLine, WholeLines, parse_line
from harness.recording.manifest import finite
from harness.recording.spool.lock import FolderLock, owner_files
from harness.recording.timeline import Moment, Name, Pixels, Text

if TYPE_CHECKING:
    from pathlib import Path

    from harness.recording.finalize.copy import Finished

FOLDER: Final = ".spool"
FOLDER_MODE: Final = 0o700
_TRIES: Final = 100
_BETWEEN_TRIES: Final = 0.01
_BREATH: Final = threading.Event()


class Facts(BaseModel):
    """The properties of a recording that are known when it begins.

    ``clock_offset`` is room time minus page time, ``clock_error`` is the maximum error of that offset, and
    ``wall_offset`` is Unix time minus room time, all in ms. ``stem`` is the file's safe name without a suffix.
    """

    # Ignore unknown fields, because other versions may write additional ones.
    model_config = ConfigDict(frozen=True, extra="ignore")

    id: Text
    participant: Name
    room: Text
    stem: Annotated[str, AfterValidator(safe_stem)]
    recorder: Recorder
    config: Annotated[dict[str, Any], AfterValidator(finite)]
    mime_type: Text
    width: Pixels | None
    height: Pixels | None
    frame_rate: Annotated[int, Field(gt=0, le=1000)] | None
    clock_offset: Moment
    clock_error: Moment
    wall_offset: Moment
    versions: dict[Text, Text]
    fallbacks: tuple[Text, ...] = ()


class Folder:
    """The paths in a recording's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = path / "lock"
        self.facts = path / "recording.json"
        self.facts_part = path / "recording.json.part"
        self.raw = path / "raw.webm"
        self.log = path / "log.jsonl"
        self.statistics = path / "stats.jsonl"
        self.partial = path / "finished.part"
        self.downloaded = path / "download.part"
        self.copied = path / "copy.part"
        self.published = path / "published"
        self.results = path / "finished"

    def foreign(self, *stems: str) -> list[Path]:
        """Return the files in the folder that do not belong to a recording whose stem is in ``stems``."""
        ours = {path for name, path in vars(self).items() if name != "path"}
        ours |= {path for stem in stems for path in _result_files(self.finished(stem))}
        ours.update(owner_files(self.path))
        found = [*self.path.iterdir(), *(self.results.iterdir() if self.results.is_dir() else ())]
        return sorted(path for path in found if path not in ours)

    def finished(self, stem: str) -> Path:
        """Return the path of the finished file.

        The file is in a subfolder, since a recording named "recording" or "raw" would otherwise conflict with the
        folder's other files.
        """
        return self.results / f"{stem}{SUFFIX}"

    def hold(self, *, new: bool = False) -> FolderLock:
        """Lock the folder, and return the lock; ``new`` creates a lock file.

        Raises BlockingIOError if another process holds the lock, FileNotFoundError if the lock file does not exist, and
        RecordingError if a process on another machine or in another container may hold the lock.
        """
        return FolderLock.acquire(self.lock, new=new)

    def make(self) -> FolderLock:
        """Create the folder and return its lock; raises RecordingError if the spool is a symbolic link."""
        if self.path.parent.is_symlink():
            message = f"{self.path.parent} is a link, so recordings would be stored somewhere else; remove the link."
            raise spool_error(message)
        for _ in range(_TRIES):
            # ``mode`` does not apply to the folders that ``parents`` creates.
            self.path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            self.path.mkdir(mode=FOLDER_MODE, exist_ok=True)
            try:
                return self.hold(new=True)
            except (BlockingIOError, FileNotFoundError):
                # Another process that is looking for recordings to recover has removed the empty folder.
                _BREATH.wait(_BETWEEN_TRIES)
            except OSError:
                with contextlib.suppress(OSError):
                    self.path.rmdir()
                raise
        message = f"{self.path} can't be created: another program keeps removing it."
        raise spool_error(message)

    def remove(self, *stems: str) -> list[Path]:
        """Remove the recording's files and the folder; the lock must be held.

        ``stems`` are the possible names of the finished file. Files that do not belong to the recording are returned
        instead of removed, and the folder is kept if it contains such files. The lock is removed last, so that no other
        process recovers a partially removed folder.
        """
        foreign = self.foreign(*stems)
        if any(path.parent == self.results for path in foreign):
            for stem in stems:
                for path in _result_files(self.finished(stem)):
                    path.unlink(missing_ok=True)
        elif self.results.is_dir():
            shutil.rmtree(self.results)
        for name, path in vars(self).items():
            if name not in {"path", "results", "lock"}:
                path.unlink(missing_ok=True)
        for path in owner_files(self.path):
            path.unlink(missing_ok=True)
        self.lock.unlink(missing_ok=True)
        # In the meantime, another recording may have created its lock in the folder.
        with contextlib.suppress(OSError):
            self.path.rmdir()
        return foreign

    def copy(self, finished: Path) -> Path:
        """Return the path of a hard link to the finished file, or of a copy if hard links are not supported."""
        self.copied.unlink(missing_ok=True)
        if not link(finished, self.copied):
            try:
                with room_for("a copy of the recording", self.copied):
                    shutil.copyfile(finished, self.copied)
            except BaseException:
                self.copied.unlink(missing_ok=True)
                raise
        return self.copied

    def write_facts(self, facts: Facts) -> None:
        """Write ``recording.json`` atomically, so that a power cut leaves either the complete file or none."""
        with room_for("the recording's properties", self.facts):
            with self.facts_part.open("x", encoding="utf-8") as file:
                file.write(facts.model_dump_json())
            sync(self.facts_part)
        self.facts_part.replace(self.facts)
        for folder in (self.path, self.path.parent):
            sync_folder(folder)

    def read_facts(self) -> Facts:
        """Return the content of ``recording.json``; raises RecordingError if the file is missing or damaged."""
        try:
            return Facts.model_validate_json(self.facts.read_bytes())
        except (OSError, ValidationError) as error:
            message = f"{self.facts} is missing or damaged"
            raise recording_error(message) from error

    def has_times(self, facts: Facts) -> bool:
        """Return whether the log has times for the raw bytes: tick times, or the recorder's start if there is no video.

        The result is also true for an undamaged log that ends before its first ticks.
        """
        kind = TicksLine if facts.frame_rate else RecorderLine
        good = False
        try:
            with self.log.open("rb") as file:
                lines = WholeLines(file)
                for line in lines:
                    parsed = parse_line(line)
                    if isinstance(parsed, kind):
                        return True
                    good = parsed is not None
                    if not good:
                        lines.skipped += 1
        except FileNotFoundError:
            return False
        return good and not lines.skipped

    def name(self, facts: Facts) -> Path:
        """Rename the finished file to its final name, and return the new path."""
        path = self.finished(facts.stem)
        path.parent.mkdir(mode=FOLDER_MODE, exist_ok=True)
        self.partial.rename(path)
        return path

    def settle(self, facts: Facts, finished: Finished, cancelled: threading.Event) -> None:
        """Sync the finished file to the disk, read it back, and then remove the raw bytes.

        If the file does not have as many packets as were written, nothing is removed, and RecordingError is raised.
        """
        # PyAV is slow to import, and a browser can start in the meantime.
        from harness.recording.files.formats import open_media

        path = self.finished(facts.stem)
        sync(path)
        sync(manifest_of(path))
        sync_folder(path.parent)
        packets = Counter[str]()
        with open_media(path) as media:
            for packet in media.demux():
                if cancelled.is_set():
                    return
                if packet.size:
                    packets[packet.stream.type] += 1
        if packets != Counter(finished.packets):
            message = f"{path} contains {dict(packets)} packets, but should contain {finished.packets}."
            raise recording_error(f"{message} The raw bytes were kept: {self.raw}.")
        self.raw.unlink(missing_ok=True)


def _result_files(path: Path) -> tuple[Path, Path, Path]:
    """Return the paths of a finished recording's files."""
    return path, manifest_of(path), statistics_of(path)
