"""The spool: takes recordings in as they are made, finalises them meanwhile, and keeps them until they are cleaned.

Each recording has a folder of its own below ``DIR/.spool``: a lock, the raw bytes, the log (docs/protocol.md) and, when
it is finished, the file and its manifest.
"""

from __future__ import annotations

import fcntl
import json
import secrets
import shutil
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Literal

from harness.errors import HarnessError, RecordingError
from harness.recording.config import RecordConfig
from harness.recording.finalize import Finished, Growth, Progress, finalize
from harness.recording.names import safe_stem
from harness.recording.publish import publish
from harness.recording.recording import SUFFIX, Manifest, Recording, manifest_of, sha256_of
from harness.recording.timeline import Member, timeline_from

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from harness.server.messages import MixerEvent, SpoolHello

FOLDER: Final = ".spool"
FOLDER_MODE: Final = 0o700
# Why a recording ended that nobody stopped.
GONE: Final = "its page went away before it was stopped"


@dataclass(frozen=True)
class RoomRecord:
    """What the room knows of a recording's time: who was there, and the joins and leaves on the room's clock."""

    members: tuple[Member, ...]
    events: tuple[dict[str, Any], ...]


@dataclass
class Take:
    """One recording in the spool."""

    id: str
    folder: Path
    participant: str
    room: str
    hello: SpoolHello
    config: RecordConfig
    stem: str
    room_record: Callable[[], RoomRecord]
    state: Literal["recording", "finished", "failed", "cleaned"] = "recording"
    bytes: int = 0
    chunks: int = 0
    growth: Growth = field(default_factory=Growth)
    progress: Progress = field(default_factory=Progress)
    events: list[MixerEvent] = field(default_factory=list)
    manifest: Manifest | None = None
    # Whether the file has been published outside the spool.
    kept: bool = False
    error: HarnessError | None = None
    # Ending comes from the page's socket and from Python, each in a thread of its own.
    _ending: threading.RLock = field(default_factory=threading.RLock)
    _raw: BinaryIO | None = None
    _log: BinaryIO | None = None
    _lock: BinaryIO | None = None
    _result: Finished | None = None
    _thread: threading.Thread | None = None

    @property
    def path(self) -> Path:
        """The finished file in the spool, in a folder of its own: people choose the name, even "take" or "raw"."""
        return self.folder / "finished" / f"{self.stem}{SUFFIX}"

    def open(self) -> None:
        """Make the folder, lock it, and begin to finalise what will come."""
        self.folder.mkdir(mode=FOLDER_MODE, parents=True)
        self._lock = (self.folder / "lock").open("wb")
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        facts = {"id": self.id, "participant": self.participant, "room": self.room, "stem": self.stem}
        (self.folder / "take.json").write_text(json.dumps(facts | {"hello": self.hello.model_dump(exclude={"token"})}))
        self._raw = (self.folder / "raw.webm").open("wb", buffering=0)
        self._log = (self.folder / "log.jsonl").open("wb", buffering=0)
        self._thread = threading.Thread(target=self._finalize, name=f"finalize {self.id}", daemon=True)
        self._thread.start()

    def chunk(self, number: int, offset: int, data: memoryview) -> None:
        """Append a chunk; raises RecordingError when it is not the next one."""
        if self.state != "recording" or self._raw is None:
            message = f"The recording {self.id} takes no more bytes; it is {self.state}."
            raise RecordingError(message, code=10452)
        if (number, offset) != (self.chunks, self.bytes):
            message = f"Chunk {number} at byte {offset} came where chunk {self.chunks} at byte {self.bytes} was due."
            raise RecordingError(message, code=10452)
        while data:
            data = data[self._raw.write(data) :]
        self.bytes = self._raw.tell()
        self.chunks += 1
        self.growth.grew()

    def log(self, line: Mapping[str, Any]) -> None:
        """Append one line to the log."""
        if self._log is not None and not self._log.closed:
            self._log.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")

    def event(self, event: MixerEvent) -> None:
        """Take something that happened in the mix."""
        self.events.append(event)
        self.log({"event": event.model_dump(exclude_none=True)})

    def recorder(self, state: str, page_time: float) -> None:
        """MediaRecorder was started, stopped, paused or resumed, at a time in ms on the page's clock."""
        self.log({"recorder": state, "time": page_time})

    def end(self, versions: Mapping[str, str], recovered: str | None = None) -> Manifest:
        """Finish the file under its name; return its manifest. Blocks until it is complete.

        Raises RecordingError when nothing that was recorded can be read.
        """
        self.growth.end()
        with self._ending:
            if self._thread is not None:
                self._thread.join()
            if self.error is not None or self._result is None:
                self.state = "failed"
                raise self.error or RecordingError(f"The recording {self.id} was not finalised.", code=10453)
            if self.manifest is None:
                self.path.parent.mkdir(exist_ok=True)
                (self.folder / "finished.part").rename(self.path)
                self.manifest = self._describe(self._result, versions, recovered)
                self.manifest.write(manifest_of(self.path))
                self.state = "finished"
            return self.manifest

    def keep(self, folder: Path, versions: Mapping[str, str]) -> Recording | None:
        """Publish the recording in ``folder`` unless it has been; free the spool of it; return what was published."""
        with self._ending:
            if self.state == "cleaned":
                return None
            kept = None
            if not self.kept:
                try:
                    manifest = self.end(versions, GONE)
                except RecordingError:
                    return None
                kept = publish(manifest, self.path, folder)
                self.kept = True
            self.clean()
            return kept

    def clean(self) -> None:
        """Free everything that the spool holds of the recording; twice is fine."""
        self.growth.end()
        with self._ending:
            if self._thread is not None:
                self._thread.join()
            self.state = "cleaned"
            self.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        """Close the files and give the lock up; twice is fine."""
        for file in (self._raw, self._log, self._lock):
            if file is not None:
                file.close()

    def _finalize(self) -> None:
        try:
            self._result = finalize(
                self.folder / "raw.webm",
                self.folder / "log.jsonl",
                self.folder / "finished.part",
                frame_rate=self.hello.frame_rate,
                growth=self.growth,
                progress=self.progress,
            )
        except HarnessError as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 - the thread's own failure is told to whoever asks for the file
            self.error = RecordingError(f"The recording {self.id} could not be finalised: {error!r}.", code=10453)

    def _describe(self, result: Finished, versions: Mapping[str, str], recovered: str | None) -> Manifest:
        hello = self.hello
        zero = (result.zero_on_page or 0.0) + hello.clock.offset
        room = self.room_record()
        happened = [*(event.model_dump(exclude_none=True) for event in self.events), *room.events]
        events: list[dict[str, Any]] = [
            {key: value for key, value in event.items() if key != "time"}
            | {"at": round(_in_file((event["time"] - zero) / 1000, result), 4)}
            for event in happened
        ]
        events += [{"at": round(cut.at, 4), "event": "pause", "seconds": round(cut.seconds, 4)} for cut in result.cuts]
        started = datetime.fromtimestamp(time.time() + zero / 1000 - time.monotonic(), tz=UTC)
        recording = Recording(
            id=self.id,
            path=self.path,
            manifest=manifest_of(self.path),
            participant=self.participant,
            recorder=hello.recorder,
            type=self.config.record_type,
            mime_type=hello.mime_type,
            codec=self.config.codec if hello.frame_rate else "opus",
            width=hello.width,
            height=hello.height,
            frame_rate=hello.frame_rate,
            duration=round(result.duration, 3),
            size=self.path.stat().st_size,
            sha256=sha256_of(self.path),
            started_at=started.isoformat(timespec="milliseconds"),
            recovered=recovered,
        )
        return Manifest(
            recording=recording,
            config=hello.config,
            versions=dict(versions),
            timeline=timeline_from(events, room.members),
            ticks=result.ticks,
            ticks_missed=result.ticks_missed,
            zero_ms=round(zero, 3),
            clock_error_ms=round(hello.clock.error, 3),
            alarms=tuple(event.message or "" for event in self.events if event.event == "alarm"),
        )


def _in_file(at: float, finished: Finished) -> float:
    """Return where in the file a moment lies, ``at`` seconds after its zero: pauses are cut out."""
    for cut in finished.cuts:
        if at > cut.at:
            at = max(cut.at, at - cut.seconds)
    return at


class Spool:
    """All recordings below one folder."""

    def __init__(self, recordings: Path, versions: Mapping[str, str]) -> None:
        self.root = recordings / FOLDER
        self.versions = dict(versions)
        self.takes: dict[str, Take] = {}

    def begin(self, hello: SpoolHello, *, participant: str, room: str, room_record: Callable[[], RoomRecord]) -> Take:
        """Begin a recording; raises ConfigError for a configuration that can't work."""
        config = RecordConfig.from_page(hello.config)
        stem = safe_stem(config.record_name) if config.record_name else default_stem(participant)
        identifier = secrets.token_urlsafe(16)
        take = Take(
            id=identifier,
            folder=self.root / identifier,
            participant=participant,
            room=room,
            hello=hello,
            config=config,
            stem=stem,
            room_record=room_record,
        )
        take.open()
        self.takes[take.id] = take
        return take

    def close(self) -> None:
        """Close every recording's files; what is not cleaned stays on disk."""
        for take in self.takes.values():
            take.growth.end()
            take.close()
        remove_empty(self.root)


def default_stem(participant: str) -> str:
    """Return the name of a recording that was given none: whose it is, and when it began."""
    return safe_stem(f"{participant} {datetime.now(tz=UTC).astimezone():%Y-%m-%d %H.%M.%S}")


def remove_empty(folder: Path) -> None:
    """Remove a folder if nothing is in it."""
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def members_of(markers: Iterable[tuple[str, int | None]]) -> tuple[Member, ...]:
    """Return the members with the numbers that their synthetic media carry."""
    return tuple(Member(name=name, marker=marker) for name, marker in markers)
