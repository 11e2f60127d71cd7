"""A recording's folder in the spool: what lies there, and how it becomes a file with its manifest.

A folder holds a lock, ``take.json`` (the facts), ``raw.webm``, ``log.jsonl``, ``stats.jsonl`` and, when it is
finished, ``finished/``.
The raw bytes go when the finished file is safe on the disk and has been read back; until then they are what counts.
What is on disk is all there is to know, so finishing a recording that just ended and one that somebody's crash left
behind is the same.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import threading
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from harness.errors import RecordingError
from harness.recording.alone import open_media
from harness.recording.config import RecordConfig, Recorder
from harness.recording.disk import room_for
from harness.recording.names import safe_stem
from harness.recording.recording import SUFFIX, Manifest, Recording, manifest_of, sha256_of, statistics_of
from harness.recording.timeline import Member, timeline_from

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.recording.finalize import Finished

FOLDER: Final = ".spool"
FOLDER_MODE: Final = 0o700
_TRIES: Final = 100
# In bytes.
_LONGEST_LINE: Final = 10_000_000
_BETWEEN_TRIES: Final = 0.01
_BREATH: Final = threading.Event()


class Facts(BaseModel):
    """What is known of a recording when it begins.

    ``clock_offset`` is room time minus page time and ``clock_error`` how far that may be wrong, ``wall_offset`` is
    Unix time minus room time; all in ms. ``stem`` is the file's name, made safe.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    participant: str
    room: str
    stem: Annotated[str, AfterValidator(safe_stem)]
    recorder: Recorder
    config: dict[str, Any]
    mime_type: str
    width: int | None
    height: int | None
    frame_rate: Annotated[int, Field(gt=0)] | None
    clock_offset: float
    clock_error: float
    wall_offset: float
    versions: dict[str, str]


class Folder:
    """The paths in a recording's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = path / "lock"
        self.facts = path / "take.json"
        self.raw = path / "raw.webm"
        self.log = path / "log.jsonl"
        self.statistics = path / "stats.jsonl"
        self.partial = path / "finished.part"
        self.downloaded = path / "download.part"
        self.copied = path / "copy.part"
        self.kept = path / "kept"
        self.results = path / "finished"

    @property
    def known(self) -> frozenset[Path]:
        """All that a recording ever leaves here."""
        return frozenset(vars(self).values()) - {self.path}

    def finished(self, stem: str) -> Path:
        """Return where the finished file goes: apart, since people choose its name, even "take" or "raw"."""
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
            raise RecordingError(message, code=10452)
        for _ in range(_TRIES):
            self.path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            try:
                return self.hold(new=True)
            except (BlockingIOError, FileNotFoundError):
                # Somebody who recovers looks into it just now, finds nothing, and removes it.
                _BREATH.wait(_BETWEEN_TRIES)
        message = f"{self.path} can't be made: another program removes it again and again."
        raise RecordingError(message, code=10452)

    def remove(self) -> None:
        """Remove the folder, whose lock is held; the lock goes last, so that nobody takes up what is half gone."""
        for path in self.path.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path != self.lock:
                path.unlink()
        self.lock.unlink()
        with contextlib.suppress(OSError):
            # Its owner, who had only just made it, may be making it anew.
            self.path.rmdir()

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

    def read_facts(self) -> Facts:
        """Return the facts; raises RecordingError when they are missing or damaged."""
        try:
            return Facts.model_validate_json(self.facts.read_bytes())
        except (OSError, ValidationError) as error:
            message = f"{self.facts} is missing or damaged; what lies beside it can't be finished."
            raise RecordingError(message, code=10453) from error

    def name(self, facts: Facts) -> Path:
        """Give the finalised file its name, and return where it is."""
        path = self.finished(facts.stem)
        path.parent.mkdir(exist_ok=True)
        self.partial.rename(path)
        return path

    def describe(self, facts: Facts, finished: Finished, recovered: str | None) -> Manifest:
        """Write the manifest of the file that has its name; ``recovered`` says why nobody stopped it."""
        path = self.finished(facts.stem)
        manifest_of(path).unlink(missing_ok=True)
        manifest = self._manifest(path, facts, finished, recovered)
        self._write_statistics(statistics_of(path), manifest.zero_ms or 0.0, finished)
        manifest.write(manifest_of(path))
        return manifest

    def _write_statistics(self, target: Path, zero_ms: float, finished: Finished) -> None:
        """Write WebRTC's statistics with their times in the file, where there are any."""
        if not self.statistics.exists() or not self.statistics.stat().st_size:
            return
        with room_for("the statistics", target), target.open("w", encoding="utf-8") as file:
            for line in read_log(self.statistics):
                at = _in_file((line.pop("time") - zero_ms) / 1000, finished)
                file.write(json.dumps({"at": round(at, 4), **line}, separators=(",", ":")) + "\n")

    def settle(self, facts: Facts, finished: Finished, cancelled: threading.Event) -> None:
        """Make the finished file safe, read it back, and only then remove the raw bytes.

        Raises RecordingError, and removes nothing, when what is read back is not what was written.
        """
        path = self.finished(facts.stem)
        _sync(path)
        _sync(manifest_of(path))
        _sync(path.parent)
        packets = Counter[str]()
        with open_media(path) as media:
            for packet in media.demux():
                if cancelled.is_set():
                    return
                if packet.size:
                    packets[packet.stream.type] += 1
        if packets != Counter(finished.packets):
            message = f"{path} was read back with {dict(packets)} packets where {finished.packets} were written."
            raise RecordingError(f"{message} The raw bytes stay at {self.raw}.", code=10453)
        self.raw.unlink()

    def _manifest(self, path: Path, facts: Facts, finished: Finished, recovered: str | None) -> Manifest:
        zero = (finished.zero_on_page or 0.0) + facts.clock_offset
        members: dict[str, Member] = {}
        events: list[dict[str, Any]] = []
        states: list[tuple[str, float]] = []
        for line in read_log(self.log):
            if "member" in line:
                member = Member.model_validate(line["member"])
                members[member.name] = member
            elif "recorder" in line:
                states.append((line["recorder"], line["time"]))
            elif "event" in line:
                event = dict(line["event"])
                at = _in_file((event.pop("time") - zero) / 1000, finished)
                events.append(event | {"at": round(at, 4)})
        # Whoever only the page saw has no marks, and is a member all the same.
        present = {event.get("participant", "") for event in events if event["event"] == "join"}
        members = {name: members.get(name, Member(name=name)) for name in sorted(present)}
        pauses = [{"at": round(cut.at, 4), "event": "pause", "seconds": round(cut.seconds, 4)} for cut in finished.cuts]
        config = RecordConfig.from_page(facts.config)
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
            started_at=_wall(zero + facts.wall_offset),
            recovered=recovered,
        )
        return Manifest(
            recording=recording,
            room=facts.room,
            config=facts.config,
            versions=facts.versions,
            timeline=timeline_from([*events, *pauses], members.values()),
            ticks=finished.ticks,
            ticks_missed=finished.ticks_missed,
            zero_ms=round(zero, 3),
            clock_error_ms=round(facts.clock_error, 3),
            wall_seconds=_wall_seconds(states),
            alarms=tuple(event.get("message", "") for event in events if event["event"] == "alarm"),
        )


def read_log(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a log; only whole lines count, and none is endless."""
    with path.open("rb") as log:
        for line in iter(lambda: log.readline(_LONGEST_LINE), b""):
            if line.endswith(b"\n") and line.strip():
                yield json.loads(line)


def _sync(path: Path) -> None:
    """Wait until a file, or a folder's list of files, is on the disk."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _in_file(at: float, finished: Finished) -> float:
    """Return where in the file a moment lies, ``at`` seconds after its zero: pauses are cut out."""
    return finished.clock.place(at)


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
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC).isoformat(timespec="milliseconds")
