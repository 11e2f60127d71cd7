"""A recording's folder in the spool: what lies there, and how it becomes a file with its manifest.

A folder holds a lock, ``recording.json`` (the facts), ``raw.webm``, ``log.jsonl``, ``stats.jsonl`` and, when it is
finished, ``finished/``.
The raw bytes go when the finished file is safe on the disk and has been read back; until then they are what counts.
What is on disk is all there is to know, so finishing a recording that just ended and one that somebody's crash left
behind is the same.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import threading
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from harness.errors import ConfigError, recording_error, spool_error
from harness.recording.config import RecordConfig, Recorder
from harness.recording.files.disk import room_for
from harness.recording.files.formats import open_media
from harness.recording.files.names import safe_stem
from harness.recording.finalize.tick_log import EventLine, MemberLine, RecorderLine, TicksLine, WholeLines, parse_line
from harness.recording.recording import (
    LARGEST_MANIFEST,
    SUFFIX,
    Manifest,
    Recording,
    finite,
    manifest_of,
    sha256_of,
    statistics_of,
)
from harness.recording.timeline import LONGEST_TEXT, Event, Member, Moment, Name, Pixels, Text, Timeline, timeline_from

if TYPE_CHECKING:
    from pathlib import Path

    from harness.recording.finalize.copy import Finished

FOLDER: Final = ".spool"
FOLDER_MODE: Final = 0o700
_TRIES: Final = 100
_BETWEEN_TRIES: Final = 0.01
_BREATH: Final = threading.Event()
_TIME: Final = TypeAdapter[float](Moment)
_NO_SYNC_OF_FOLDERS: Final = {errno.EINVAL, errno.ENOTSUP}


class Facts(BaseModel):
    """What is known of a recording when it begins.

    ``clock_offset`` is room time minus page time and ``clock_error`` how far that may be wrong, ``wall_offset`` is
    Unix time minus room time; all in ms. ``stem`` is the file's name, made safe.
    """

    # Another version may know more; what is here has to fit into a manifest.
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
        """Return what lies here and is not a recording's; the finished file has one of these names."""
        ours = {path for name, path in vars(self).items() if name != "path"}
        ours |= {path for stem in stems for path in _result_files(self.finished(stem))}
        found = [*self.path.iterdir(), *(self.results.iterdir() if self.results.is_dir() else ())]
        return sorted(path for path in found if path not in ours)

    def finished(self, stem: str) -> Path:
        """Return where the finished file goes: apart, since people choose its name, even "recording" or "raw"."""
        return self.results / f"{stem}{SUFFIX}"

    def hold(self, *, new: bool = False) -> BinaryIO:
        """Take the lock until what is returned is closed; ``new`` makes it where there is none.

        Raises BlockingIOError when somebody else holds it, FileNotFoundError when it, or the folder, is gone.
        """
        lock = self.lock.open("ab" if new else "r+b")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held it may have removed the folder, and its owner made it again, before the lock was given up.
            if not os.path.samestat(os.fstat(lock.fileno()), self.lock.stat()):
                raise FileNotFoundError(self.lock)
        except OSError:
            lock.close()
            raise
        return lock

    def make(self) -> BinaryIO:
        """Make the folder and return its lock; raises RecordingError where it would lie elsewhere."""
        if self.path.parent.is_symlink():
            message = f"{self.path.parent} is a link, and recordings would lie elsewhere; remove it."
            raise spool_error(message)
        for _ in range(_TRIES):
            # What ``parents`` makes has the mode that the umask gives.
            self.path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            self.path.mkdir(mode=FOLDER_MODE, exist_ok=True)
            try:
                return self.hold(new=True)
            except (BlockingIOError, FileNotFoundError):
                # Another process that recovers looks into it just now, finds nothing, and removes it.
                _BREATH.wait(_BETWEEN_TRIES)
            except OSError:
                with contextlib.suppress(OSError):
                    self.path.rmdir()
                raise
        message = f"{self.path} can't be made: another program removes it again and again."
        raise spool_error(message)

    def remove(self, *stems: str) -> list[Path]:
        """Remove what the recording has left, and the folder, whose lock is held; return what is not a recording's.

        ``stems`` are the names that the finished file may have here. Foreign files stay, and the folder with them. The
        lock is removed last, so that nobody takes up what is half gone.
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
        self.lock.unlink()
        # A recording that has only just made the folder may be making it anew.
        with contextlib.suppress(OSError):
            self.path.rmdir()
        return foreign

    def copy(self, finished: Path) -> Path:
        """Return a second name of the finished file, or where the disk knows no such thing, a copy of it."""
        self.copied.unlink(missing_ok=True)
        try:
            self.copied.hardlink_to(finished)
        except OSError:
            try:
                with room_for("a copy of the recording", self.copied):
                    shutil.copyfile(finished, self.copied)
            except BaseException:
                self.copied.unlink(missing_ok=True)
                raise
        return self.copied

    def write_facts(self, facts: Facts) -> None:
        """Write the facts so that a power cut leaves all of them, and the folder with them, or none."""
        with room_for("the facts of a recording", self.facts), self.facts_part.open("x", encoding="utf-8") as file:
            file.write(facts.model_dump_json())
            file.flush()
            os.fsync(file.fileno())
        self.facts_part.replace(self.facts)
        for folder in (self.path, self.path.parent):
            _sync_folder(folder)

    def read_facts(self) -> Facts:
        """Return the facts; raises RecordingError when they are missing or damaged."""
        try:
            return Facts.model_validate_json(self.facts.read_bytes())
        except (OSError, ValidationError) as error:
            message = f"{self.facts} is missing or damaged"
            raise recording_error(message) from error

    def has_times(self, facts: Facts) -> bool:
        """Return whether the log places the raw bytes in time: by ticks, or by its start where there is no video.

        A log without damage that ended before its first ticks does so as well as it can.
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
        """Give the finalised file its name, and return where it is."""
        path = self.finished(facts.stem)
        path.parent.mkdir(mode=FOLDER_MODE, exist_ok=True)
        self.partial.rename(path)
        return path

    def describe(self, facts: Facts, finished: Finished, recovered: str | None, *, timed: bool = True) -> Manifest:
        """Write the manifest of the file that has its name; ``recovered`` says why nobody stopped it.

        Without ``timed`` the file has the times of its raw bytes, and the log does not belong to it.
        """
        path = self.finished(facts.stem)
        manifest_of(path).unlink(missing_ok=True)
        zero = (finished.zero_on_page or 0.0) + facts.clock_offset if timed else None
        contents = _LogContents(self.log, zero, finished)
        lost = [*contents.notes, *self._write_statistics(statistics_of(path), zero, finished)]
        if recovered is not None:
            recovered = "; ".join((recovered, *lost))[:LONGEST_TEXT]
        else:
            contents.events += [Event(at=finished.duration, event="alarm", message=note) for note in lost]
        manifest = self._manifest(path, facts, contents, recovered).within_size()
        manifest.write(manifest_of(path))
        return manifest

    def _write_statistics(self, target: Path, zero_ms: float | None, finished: Finished) -> list[str]:
        """Write WebRTC's statistics, where there are any, with their times in the file; return what was lost of them.

        Where ``zero_ms`` is not known the first line has the time 0.
        """
        unreadable = 0
        try:
            if not self.statistics.exists() or not self.statistics.stat().st_size:
                return []
            with self.statistics.open("rb") as source, target.open("w", encoding="utf-8") as file:
                lines = WholeLines(source)
                for line in lines:
                    fields = _statistics_line(line)
                    if fields is None:
                        unreadable += 1
                        continue
                    time = fields.pop("time")
                    zero_ms = time if zero_ms is None else zero_ms
                    at = round(finished.clock.place((time - zero_ms) / 1000), 4)
                    file.write(json.dumps({"at": at, **fields}, separators=(",", ":")) + "\n")
                unreadable += lines.skipped
        except OSError as error:
            # A recording without statistics is worth more than none.
            with contextlib.suppress(OSError):
                target.unlink(missing_ok=True)
            return [f"its statistics are lost: {error.strerror}"]
        return _unreadable(unreadable, "statistics")

    def settle(self, facts: Facts, finished: Finished, cancelled: threading.Event) -> None:
        """Make the finished file safe, read it back, and only then remove the raw bytes.

        Raises RecordingError, and removes nothing, when what is read back is not what was written.
        """
        path = self.finished(facts.stem)
        _sync(path)
        _sync(manifest_of(path))
        _sync_folder(path.parent)
        packets = Counter[str]()
        with open_media(path) as media:
            for packet in media.demux():
                if cancelled.is_set():
                    return
                if packet.size:
                    packets[packet.stream.type] += 1
        if packets != Counter(finished.packets):
            message = f"{path} was read back with {dict(packets)} packets where {finished.packets} were written."
            raise recording_error(f"{message} The raw bytes stay at {self.raw}.")
        self.raw.unlink(missing_ok=True)

    def _manifest(self, path: Path, facts: Facts, contents: _LogContents, recovered: str | None) -> Manifest:
        config = _config_of(facts)
        finished, zero = contents.finished, contents.zero
        recording = Recording(
            id=facts.id,
            path=path,
            manifest=manifest_of(path),
            participant=facts.participant,
            recorder=facts.recorder,
            type=config.record_type,
            mime_type=facts.mime_type,
            codec=config.codec if facts.frame_rate else "opus",
            width=facts.width,
            height=facts.height,
            frame_rate=facts.frame_rate,
            duration=round(finished.duration, 3),
            size=path.stat().st_size,
            sha256=sha256_of(path),
            started_at=_wall((zero or 0.0) + facts.wall_offset),
            recovered=recovered,
        )
        timeline = contents.timeline()
        return Manifest(
            recording=recording,
            room=facts.room or None,
            config=facts.config,
            versions=facts.versions,
            timeline=timeline,
            ticks=finished.ticks,
            ticks_missed=finished.ticks_missed,
            zero_ms=None if zero is None else round(zero, 3),
            clock_error_ms=round(facts.clock_error, 3),
            wall_seconds=_wall_seconds(contents.states),
            alarms=tuple(event.message or "" for event in timeline.events if event.event == "alarm"),
        )


class _LogContents:
    """The events, members and recorder states in a log; ``zero`` is the file's zero in ms on the room's clock, or None.

    ``events`` have times of the file, ``states`` are MediaRecorder's, with page times in ms. ``notes`` count the lines
    that could not be read. Without ``zero`` nothing is read.
    """

    def __init__(self, log: Path, zero: float | None, finished: Finished) -> None:
        self.zero = zero
        self.finished = finished
        self.events: list[Event] = []
        self.states: list[tuple[str, float]] = []
        self.notes: list[str] = []
        self._members: dict[str, Member] = {}
        if zero is not None:
            self._read(log, zero)

    def timeline(self) -> Timeline:
        """Return the timeline, with a pause for each cut."""
        pauses = [
            Event(at=round(cut.at, 4), event="pause", seconds=round(cut.seconds, 4)) for cut in self.finished.cuts
        ]
        # A participant that only the page saw has no marker, and is a member all the same.
        present = {event.participant or "" for event in self.events if event.event == "join"}
        members = tuple(self._members.get(name, Member(name=name)) for name in sorted(present))
        return timeline_from([*self.events, *pauses], members)

    def _read(self, log: Path, zero: float) -> None:
        unreadable = dropped = 0
        # As many bytes as a manifest can hold.
        left = LARGEST_MANIFEST
        with log.open("rb") as file:
            lines = WholeLines(file)
            for text in lines:
                match parse_line(text):
                    case MemberLine(member=member):
                        self._members[member.name] = member
                    case RecorderLine(recorder=state, time=time):
                        self.states.append((state, time))
                    case EventLine(time=time, event=event):
                        left -= len(text)
                        if left < 0:
                            dropped += 1
                            continue
                        at = round(self.finished.clock.place((time - zero) / 1000), 4)
                        self.events.append(event.model_copy(update={"at": at}))
                    case None:
                        unreadable += 1
            unreadable += lines.skipped
        self.notes += _unreadable(unreadable, "log")
        if dropped:
            self.notes.append(f"the manifest has no room for {dropped} more events")


def _result_files(path: Path) -> tuple[Path, Path, Path]:
    """Return what belongs to a finished file."""
    return path, manifest_of(path), statistics_of(path)


def _unreadable(lines: int, of: str) -> list[str]:
    """Return a note of how many lines of a file could not be read; none for no line."""
    return [f"{lines} {'line' if lines == 1 else 'lines'} of its {of} could not be read"] if lines else []


def _statistics_line(line: bytes) -> dict[str, Any] | None:
    """Return a line of statistics, which has a time, or None for one that can't be read."""
    try:
        fields = json.loads(line)
        return {**fields, "time": _TIME.validate_python(fields["time"])} if isinstance(fields, dict) else None
    # A ValidationError is a ValueError as well.
    except (ValueError, KeyError, RecursionError):
        return None


def _config_of(facts: Facts) -> RecordConfig:
    """Return the configuration; where another version wrote one that this one does not know, what the facts say."""
    try:
        return RecordConfig.from_page(facts.config)
    except (ConfigError, TypeError):
        return RecordConfig(record_type="video" if facts.frame_rate else "audio")


def _sync(path: Path) -> None:
    """Wait until a file, or a folder's list of files, is on the disk."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _sync_folder(path: Path) -> None:
    """Wait until a folder's list of files is on the disk, where the file system can do that."""
    try:
        _sync(path)
    except OSError as error:
        if error.errno not in _NO_SYNC_OF_FOLDERS:
            raise


def _wall_seconds(states: list[tuple[str, float]]) -> float | None:
    """Return how long MediaRecorder ran, by (state, page time in ms); None where nobody stopped it."""
    if not states or states[-1][0] != "stopped":
        return None
    running, ran = 0.0, 0.0
    for state, at in states:
        if running:
            ran += at - running
        running = at if state in {"started", "resumed"} else 0.0
    return round(ran / 1000, 3)


def _wall(milliseconds: float) -> str:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, tz=UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError):
        # No calendar counts as far; facts that are damaged may say so.
        return datetime.fromtimestamp(0, tz=UTC).isoformat(timespec="milliseconds")
