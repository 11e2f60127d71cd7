"""ActiveRecording: one recording as it is made; finalised meanwhile, finished, described, kept and freed."""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Literal

from harness.errors import HarnessError, RecordingError, disk_full, recording_error, spool_error
from harness.recording.files.disk import Headroom, file_failure, free_bytes, megabytes, room_for
from harness.recording.finalize.copy import Finished, Growth, Progress, finalize
from harness.recording.spool.manifest_budget import PAGE_EVENTS, ROOM_EVENTS, SERVER_ALARMS, manifest_bytes
from harness.recording.spool.publish import publish
from harness.recording.timeline import Member

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.recording.recording import Manifest, Recording
    from harness.recording.spool.folder import Facts, Folder
    from harness.server.rooms.messages import MixerEvent, Statistics

_log = logging.getLogger(__name__)

# What happens in one recording, at most: all of it stands in its manifest.
_MOST_EVENTS: Final = 20_000
# In bytes; no reader of statistics takes more.
_MOST_STATISTICS: Final = 900_000_000
# Why a recording ended that nobody stopped.
GONE: Final = "its page went away before it was stopped"


@dataclass(frozen=True)
class Happened:
    """The room's own record of one join or leave, or of another number; ``time`` is in ms on the room's clock."""

    time: float
    event: Literal["join", "leave", "renumbered"]
    member: Member


@dataclass
class ActiveRecording:
    """One recording in the spool."""

    facts: Facts
    folder: Folder
    # Whether join and leave events come from the server's rooms; else the page reports them, which sees another call.
    presence_from_server: bool = True
    state: Literal["recording", "finished", "failed", "cleaned"] = "recording"
    bytes: int = 0
    chunks: int = 0
    # Bytes of its log (ticks, events), and of its statistics, of which no more than so many are stored.
    noted: int = 0
    statistics_bytes: int = 0
    most_statistics: int = _MOST_STATISTICS
    # Messages taken in order: chunks, ticks, events, states and the end.
    acked_seq: int = 0
    growth: Growth = field(default_factory=Growth)
    progress: Progress = field(default_factory=Progress)
    manifest: Manifest | None = None
    # Whether the file has been published outside the spool, and under which name.
    kept: bool = False
    kept_as: str | None = None
    error: HarnessError | None = None
    # Whether the recorder is paused.
    paused: bool = False
    # Ticks that were reported.
    ticked: int = 0
    # When the recording was announced, in seconds of the monotonic clock, which is the server's loop's.
    opened_at: float = field(default_factory=time.monotonic)
    # Called once, in whatever thread: when the file is finished and safe, or it is known that there will be none.
    ended: Callable[[], None] = lambda: None
    # Ending comes from the page's socket and from Python, each in a thread of its own.
    _ending: threading.RLock = field(default_factory=threading.RLock)
    # No chunk is taken once it ends: what is acknowledged is in the file.
    _writing: threading.Lock = field(default_factory=threading.Lock)
    _events: int = 0
    # Bytes that events fill of the manifest, by who reports them; and the participants whose joins are not in it.
    _page_events: int = 0
    _room_events: int = 0
    _server_alarms: int = 0
    _unlisted: set[str] = field(default_factory=set)
    # Whether the manifest says that some are not listed.
    _overcrowded: bool = False
    _events_dropped: int = 0
    _statistics_dropped: int = 0
    _recording: bool = False
    _started: bool = False
    _raw: BinaryIO | None = None
    _log: BinaryIO | None = None
    _statistics: BinaryIO | None = None
    _lock: BinaryIO | None = None
    _result: Finished | None = None
    _thread: threading.Thread | None = None
    # What follows the end: the manifest with the hash, then making safe and reading back.
    _settling: threading.Thread | None = None
    _described: threading.Event = field(default_factory=threading.Event)
    _cancelled: threading.Event = field(default_factory=threading.Event)
    # Whether it was told that the disk runs full.
    _warned: bool = False
    # Why it ended without being stopped, once that is known.
    _reason: str | None = None
    # Whether the finished file was made safe and read back, and whether its end was told.
    _safe: bool = False
    _told: bool = False

    @property
    def id(self) -> str:
        """The recording's id."""
        return self.facts.id

    @property
    def path(self) -> Path:
        """The finished file in the spool."""
        return self.folder.finished(self.facts.stem)

    @property
    def name(self) -> str:
        """What the finished file is called where people see it."""
        return self.kept_as or self.path.name

    def open(self) -> None:
        """Make the folder, lock it, and begin to finalise what will come."""
        try:
            self._lock = self.folder.make()
            self.folder.write_facts(self.facts)
            self._raw = self.folder.raw.open("wb", buffering=0)
            self._log = self.folder.log.open("wb", buffering=0)
            self._statistics = self.folder.statistics.open("wb", buffering=0)
        except BaseException as error:
            # It never began: nobody is to find half a folder.
            self.clean()
            if isinstance(error, OSError):
                what = "The recording can't begin"
                raise file_failure(what, error) from error
            raise
        self._thread = threading.Thread(target=self._finalize, name=f"finalize {self.id}", daemon=True)
        self._thread.start()

    def chunk(self, number: int, offset: int, data: memoryview) -> None:
        """Append a chunk; raises RecordingError when it is not the next one."""
        with self._writing:
            if self._raw is None or not self.takes_more:
                state = "ending" if self.state == "recording" else self.state
                message = f"The recording {self.id} takes no more bytes; it is {state}."
                raise spool_error(message)
            if (number, offset) != (self.chunks, self.bytes):
                due = f"chunk {self.chunks} at byte {self.bytes}"
                message = f"Chunk {number} at byte {offset} came where {due} was due."
                raise spool_error(message)
            with room_for("what is being recorded", self.folder.raw):
                while data:
                    data = data[self._raw.write(data) :]
            self.bytes = self._raw.tell()
            self.chunks += 1
            self.acked_seq += 1
        self.growth.grew()

    @property
    def takes_more(self) -> bool:
        """Whether it is being recorded, and nobody ends it yet."""
        return self.state == "recording" and not self.growth.ended

    def log(self, line: Mapping[str, Any]) -> None:
        """Append one line to the log."""
        self.noted += _append(self._log, _as_line(line))

    def ticks(self, first: int, written: list[float | None]) -> None:
        """Take the times at which the mixer wrote its ticks from number ``first`` on."""
        self.ticked += len(written)
        self.acked_seq += 1
        self.log({"first": first, "written": written})
        self.growth.grew()

    def event(self, event: MixerEvent) -> None:
        """Take something that happened in the mix; raises RecordingError for a join or leave that the room reports."""
        if self.presence_from_server and event.event in {"join", "leave"} and not event.remote_server:
            message = f"Join and leave events of room {self.facts.room!r} must come from the server."
            raise spool_error(message)
        self.acked_seq += 1
        line = event.model_dump(exclude_none=True, exclude={"remote_server", "marker"})
        member = None
        if event.event == "join" and event.participant:
            member = Member(name=event.participant, marker=event.marker).model_dump()
        if not self._has_room_for_event(event.time, manifest_bytes(line) + (manifest_bytes(member) if member else 0)):
            return
        if member and event.remote_server:
            self.log({"member": member})
        self.log({"event": line})

    def _has_room_for_event(self, time: float, size: int) -> bool:
        """Count an event that fills ``size`` bytes of the manifest; return whether it is stored.

        Once one was dropped, all later ones are: a leave without its join would be wrong. ``time`` is in ms on the
        room's clock.
        """
        self._events += 1
        self._page_events += size
        if not self._events_dropped and self._events <= _MOST_EVENTS and self._page_events <= PAGE_EVENTS:
            return True
        self._events_dropped += 1
        if self._events_dropped == 1:
            message = "The manifest can hold no more events of the page: later ones are not in it."
            self.alarm(time, message)
            _log.warning("%s: %s", self.facts.stem, message)
        return False

    def statistics(self, statistics: Statistics) -> None:
        """Take what WebRTC says of a connection; past ``most_statistics`` bytes it is dropped, and an alarm says so."""
        self.acked_seq += 1
        line = _as_line(statistics.model_dump(exclude={"type"}))
        if self._statistics_dropped or self.statistics_bytes + len(line) > self.most_statistics:
            self._drop_statistics(statistics.time, f"they have reached {self.most_statistics} bytes")
            return
        try:
            self.statistics_bytes += _append(self._statistics, line)
        except (OSError, RecordingError) as error:
            # A recording without its statistics is worth more than none.
            reason = error.strerror if isinstance(error, OSError) else "the disk is full"
            self._drop_statistics(statistics.time, f"they can't be written: {reason}")

    def _drop_statistics(self, time: float, why: str) -> None:
        self._statistics_dropped += 1
        if self._statistics_dropped == 1:
            message = f"WebRTC's statistics are no longer stored: {why}."
            _log.warning("%s: %s", self.facts.stem, message)
            # A full disk is reported with the next chunk.
            with contextlib.suppress(OSError, RecordingError):
                self.alarm(time, message)

    def recorder(self, state: str, page_time: float) -> None:
        """MediaRecorder was started, stopped, paused or resumed, at a time in ms on the page's clock."""
        self.acked_seq += 1
        self._recording = state in {"started", "resumed"}
        self._started = True
        self.paused = state == "paused"
        # A state is always stored: the times of all later frames depend on where the pauses are.
        self.log({"recorder": state, "time": page_time})

    @property
    def flows(self) -> bool:
        """Whether bytes or ticks should be coming."""
        return self.state == "recording" and self._recording

    @property
    def has_begun(self) -> bool:
        """Whether anything was recorded, or the recorder was started."""
        return self.bytes > 0 or self._started

    def alarm(self, time: float, message: str) -> None:
        """Note that something stands still, at a time in ms on the room's clock; of very many the first are noted."""
        event = {"time": time, "event": "alarm", "message": message}
        self._server_alarms += manifest_bytes(event)
        if self._server_alarms <= SERVER_ALARMS:
            self.log({"event": event})

    def happened(self, happened: Happened) -> None:
        """Take a join or a leave of the room, as long as the manifest has room for it."""
        if not self._lists(happened):
            return
        self.log({"member": happened.member.model_dump()})
        if not self.presence_from_server or happened.event == "renumbered":
            return
        event = {"time": happened.time, "event": happened.event, "participant": happened.member.name}
        self.log({"event": event})

    def _lists(self, happened: Happened) -> bool:
        """Return whether a participant is listed in the manifest: by the join, for which there was room or not."""
        name = happened.member.name
        if happened.event == "renumbered":
            return name not in self._unlisted
        if happened.event == "leave":
            listed = name not in self._unlisted
            self._unlisted.discard(name)
            return listed
        event = {"time": happened.time, "event": "leave", "participant": name}
        size = 2 * manifest_bytes(event) + manifest_bytes({"name": name, "marker": 255})
        if self._room_events + size <= ROOM_EVENTS:
            self._room_events += size
            return True
        if not self._overcrowded:
            self._overcrowded = True
            self.alarm(happened.time, "More participants came and went than the manifest can list.")
        self._unlisted.add(name)
        return False

    def running_full(self, headroom: Headroom) -> str | None:
        """Return, once, what to say when the disk has little room left; raises DiskFullError when it must end."""
        left = headroom.left(self.folder.path, self.bytes)
        if left == "enough" or (left == "low" and self._warned):
            return None
        free = megabytes(free_bytes(self.folder.path))
        if left == "none":
            self._reason = "the disk was nearly full"
            message = f"Only {free} are left at {self.folder.path}; the recording was ended while it can be finished."
            raise disk_full(message)
        self._warned = True
        return f"Only {free} are left on the disk; the recording ends before it is full."

    def too_large(self, what: str, most: int) -> RecordingError:
        """Return the error with which a recording ends that would have more than so many bytes of something."""
        self._reason = "it had reached the largest size that the server takes"
        message = f"{what} would be more than the {most} bytes that the server takes; it was ended there."
        return spool_error(message)

    def silent(self, seconds: float) -> RecordingError:
        """Return the error with which a recording ends whose page has said nothing for so many seconds."""
        self._reason = f"its page said nothing for {seconds:g} s"
        return spool_error(f"Nothing was said for {seconds:g} s; the recording was ended.")

    def take_no_more(self) -> None:
        """Take no more bytes from now on; twice is fine."""
        with self._writing:
            self.growth.end()

    def finish(self, recovered: str | None = None) -> Finished:
        """Finish the file under its name, and return when it is complete; its manifest and making it safe follow.

        Raises RecordingError when nothing that was recorded can be read, or a file can't be written or renamed, and
        DiskFullError when there is no room for it: then the recording has failed, and its raw bytes stay.
        """
        self.take_no_more()
        with self._ending:
            if self._thread is not None:
                self._thread.join()
            if self.state == "recording" and self.error is None:
                self._name_file()
            if self.state != "cleaned" and (self.error is not None or self._result is None):
                self.state = "failed"
                self._close_files()
                self._tell_ended()
            if self.error is not None or self._result is None:
                raise self.error or recording_error(f"The recording {self.id} was not finalised.")
            if self.state == "cleaned" and self._settling is None:
                message = f"The recording {self.id} was freed before it was finished."
                raise recording_error(message)
            if self.state == "recording":
                self._reason = self._reason or recovered
                self.state = "finished"
                self._log_dropped()
                self._settling = threading.Thread(
                    target=self._settle, args=(self._result,), name=f"settle {self.id}", daemon=True
                )
                self._settling.start()
            return self._result

    def _name_file(self) -> None:
        try:
            if self._result is not None:
                self.folder.name(self.facts)
        except OSError as error:
            self.error = self._failure(error)

    def _failure(self, error: Exception) -> HarnessError:
        """Return the error with which the recording fails; its raw bytes stay for the next recovery."""
        if isinstance(error, HarnessError):
            return error
        what = f"The recording {self.path.name} can't be finished"
        if isinstance(error, OSError):
            return file_failure(what, error, advice=" Its raw bytes stay in the spool: harness recover finishes it.")
        return recording_error(f"{what}: {error}.")

    def _log_dropped(self) -> None:
        for dropped, what in ((self._events_dropped, "events"), (self._statistics_dropped, "lines of statistics")):
            if dropped:
                _log.warning("%s: %d %s were dropped.", self.facts.stem, dropped, what)

    def end(self, recovered: str | None = None) -> Manifest:
        """Finish the file, and return its manifest with the hash, which takes longer the longer the file."""
        self.finish(recovered)
        self._described.wait()
        if self.manifest is None:
            raise self.error or recording_error(f"The recording {self.id} has no manifest.")
        return self.manifest

    def keep(self, folder: Path) -> Recording | None:
        """Publish the recording in ``folder`` unless it has been; free the spool of it; return what was published.

        Returns None, and frees nothing, where the recording has failed: its raw bytes are the next recovery's. Raises
        HarnessError where the finished file can't be published; it stays in the spool.
        """
        with self._ending:
            if self.state == "cleaned":
                return None
            try:
                manifest = None if self.kept else self.end(GONE)
                self.wait_until_safe()
                if self.error is not None and not self.kept:
                    raise self.error
            except HarnessError as error:
                if self.bytes:
                    _log.warning("%s is not kept: %s", self.path.name, error)
                return None
            try:
                # Whoever hears of the end may have kept it by now.
                kept = publish(manifest, self.path, folder) if manifest and not self.kept else None
            except OSError as error:
                what = f"{self.path.name} can't be kept in {folder}, and stays in the spool"
                raise file_failure(what, error) from error
            self.clean()
            return kept

    def keep_copy(self, folder: Path) -> Recording | None:
        """Publish the finished recording in ``folder``, and leave the spool's own to whoever still downloads it.

        Returns None where it is kept already, or was not read back: then what the spool has is what counts.
        """
        if self.kept or self.manifest is None or not self._safe:
            return None
        recording = publish(self.manifest, self.folder.copy(self.path), folder)
        self.kept_as = recording.path.name
        self.mark_kept()
        return recording

    def mark_kept(self) -> None:
        """Note that the file is safe outside the spool: nothing needs to publish it any more."""
        self.kept = True
        # A recording that was freed meanwhile needs no mark; without one the next recovery publishes a second copy.
        with contextlib.suppress(OSError):
            self.folder.published.touch()

    def clean(self) -> None:
        """Free everything that the spool holds of the recording; twice is fine."""
        self._cancelled.set()
        with self._ending:
            self.state = "cleaned"
            self._rest()
            self._tell_ended()
            if self._lock is not None and not self._lock.closed:
                # What can't be removed is left for the next recovery.
                with contextlib.suppress(OSError):
                    self.folder.remove(self.facts.stem)
                self._lock.close()

    def close(self) -> None:
        """Stop finalising, close the files and only then give the lock up; twice is fine."""
        self._rest()
        if self._lock is not None:
            self._lock.close()

    def _rest(self) -> None:
        self.take_no_more()
        if self._thread is not None:
            self._thread.join()
        self.wait_until_safe()
        self._close_files()

    def _close_files(self) -> None:
        for file in (self._raw, self._log, self._statistics):
            # What the disk refuses now is noticed when the file is read.
            with contextlib.suppress(OSError):
                if file is not None:
                    file.close()

    def wait_until_safe(self) -> None:
        """Return when the finished file has been read back, or could not be."""
        if self._settling is not None:
            self._settling.join()

    def _settle(self, result: Finished) -> None:
        """Describe the finished file, make it safe, read it back, and remove the raw bytes."""
        try:
            self.manifest = self.folder.describe(self.facts, result, self._reason)
            self._described.set()
            self.folder.settle(self.facts, result, self._cancelled)
            self._safe = not self._cancelled.is_set()
        except Exception as error:  # noqa: BLE001 - the thread's own failure is told to whoever asks for the file
            self.error = self._failure(error)
            if not self._cancelled.is_set():
                self.state = "failed"
                _log.warning("%s", self.error)
        finally:
            # A server that runs for long has many that are finished, and so many files can be open.
            self._close_files()
            self._described.set()
            self._tell_ended()

    def _tell_ended(self) -> None:
        if self._settling is not None and self._settling is not threading.current_thread():
            # The settling thread tells it, when it has read back what was written.
            self._settling.join()
        if not self._told:
            self._told = True
            self.ended()

    def _finalize(self) -> None:
        try:
            self._result = finalize(
                self.folder.raw,
                self.folder.log,
                self.folder.partial,
                frame_rate=self.facts.frame_rate,
                growth=self.growth,
                progress=self.progress,
            )
        except Exception as error:  # noqa: BLE001 - the thread's own failure is told to whoever asks for the file
            self.error = self._failure(error)
        finally:
            self.growth.leave()


def _as_line(content: Mapping[str, Any]) -> bytes:
    # A letter takes no more bytes than in the message that it came in: lines that are too long are not read again.
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(errors="replace") + b"\n"


def _append(log: BinaryIO | None, line: bytes) -> int:
    """Append one line to a log, if it is still open; return its length in bytes. It is written whole, or not at all."""
    if log is None or log.closed:
        return 0
    begin = log.tell()
    try:
        with room_for("the log of a recording", Path(log.name)):
            rest = memoryview(line)
            while rest:
                rest = rest[log.write(rest) :]
    except BaseException:
        # Half a line would spoil the next one.
        with contextlib.suppress(OSError):
            log.truncate(begin)
            log.seek(begin)
        raise
    return len(line)
