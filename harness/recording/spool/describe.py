"""Write the manifest and the WebRTC statistics of a finished file, based on the log in its folder."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from pydantic import TypeAdapter

from harness.errors import ConfigError
from harness.recording.config import RecordConfig
from harness.recording.files.names import manifest_of, statistics_of
from harness.recording.finalize.tick_log import EventLine, MemberLine, RecorderLine, WholeLines, parse_line
from harness.recording.manifest import LARGEST_MANIFEST, Manifest
from harness.recording.recording import Recording, sha256_of
from harness.recording.timeline import LONGEST_TEXT, Event, Member, Moment, Timeline, timeline_from, with_final_names

if TYPE_CHECKING:
    from pathlib import Path

    from harness.recording.finalize.copy import Finished
    from harness.recording.spool.folder import Facts, Folder

_TIME: Final = TypeAdapter[float](Moment)


def describe(
    folder: Folder,
    facts: Facts,
    finished: Finished,
    recovered: str | None,
    *,
    timed: bool = True,
    outputs: Folder | None = None,
) -> Manifest:
    """Write the manifest and the statistics of a finished file, and return the manifest.

    The recording's log and statistics are in ``folder``. The finished file is in ``outputs``, which is ``folder`` by
    default. ``recovered`` is the reason why the recording was not stopped normally, or None. If ``timed`` is false, the
    file keeps the timestamps of its raw bytes; the log is then ignored, because the log's times differ from these
    timestamps.
    """
    path = (outputs or folder).finished(facts.stem)
    manifest_of(path).unlink(missing_ok=True)
    zero = (finished.zero_on_page or 0.0) + facts.clock_offset if timed else None
    contents = _LogContents(folder.log, zero, finished)
    lost = [*contents.notes, *_write_statistics(folder.statistics, statistics_of(path), zero, finished)]
    if recovered is not None:
        recovered = "; ".join((recovered, *lost))[:LONGEST_TEXT]
    else:
        contents.events += [Event(at=finished.duration, event="alarm", message=note) for note in lost]
    manifest = _manifest(path, facts, contents, recovered).within_size()
    manifest.write(manifest_of(path))
    return manifest


def _manifest(path: Path, facts: Facts, contents: _LogContents, recovered: str | None) -> Manifest:
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
        started_at=_wall_time((zero or 0.0) + facts.wall_offset),
        recovered=recovered,
    )
    timeline, lost_cpu = contents.timeline(), finished.lost_cpu
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
        throttled_seconds=lost_cpu.throttled if lost_cpu else None,
        stolen_seconds=lost_cpu.stolen if lost_cpu else None,
        alarms=tuple(event.message or "" for event in timeline.events if event.event == "alarm"),
        fallbacks=facts.fallbacks,
    )


def _write_statistics(source: Path, target: Path, zero_ms: float | None, finished: Finished) -> list[str]:
    """Copy any WebRTC statistics, with times converted to file times; return messages about lost lines.

    If ``zero_ms`` is None, the first line of the statistics gets the time 0.
    """
    unreadable = 0
    try:
        if not source.exists() or not source.stat().st_size:
            return []
        with source.open("rb") as lines_file, target.open("w", encoding="utf-8") as file:
            lines = WholeLines(lines_file)
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
        # A recording without statistics is better than no recording.
        with contextlib.suppress(OSError):
            target.unlink(missing_ok=True)
        return [f"the statistics were lost: {error.strerror}"]
    return _unreadable_lines(unreadable, "statistics")


class _LogContents:
    """The events, participants and recorder states in a log.

    ``zero`` is the start of the file in ms on the room's clock; if it is None, the log is not read. The times of
    ``events`` are file times in seconds; ``states`` are MediaRecorder's states, with times in ms on the page's clock.
    ``notes`` report how many lines could not be read.
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
        """Return the timeline, with a pause event for each cut."""
        pauses = [
            Event(at=round(cut.at, 4), event="pause", seconds=round(cut.seconds, 4)) for cut in self.finished.cuts
        ]
        events = with_final_names(self.events)
        # If only the page reported a participant, the participant is listed without a marker.
        present = {event.participant or "" for event in events if event.event == "join"}
        members = tuple(self._members.get(name, Member(name=name)) for name in sorted(present))
        return timeline_from([*events, *pauses], members)

    def _read(self, log: Path, zero: float) -> None:
        unreadable = dropped = 0
        # Number of bytes left for events, whose total size can't exceed the maximum size of a manifest.
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
        self.notes += _unreadable_lines(unreadable, "log")
        if dropped:
            self.notes.append(f"the manifest is full, so {dropped} events are missing")


def _unreadable_lines(lines: int, of: str) -> list[str]:
    """Return a list with a message about how many lines of a file were unreadable, or an empty list if none were."""
    return [f"{lines} {'line' if lines == 1 else 'lines'} of the {of} could not be read"] if lines else []


def _statistics_line(line: bytes) -> dict[str, Any] | None:
    """Parse a line of statistics, which must include a time; return None if the line is invalid."""
    try:
        fields = json.loads(line)
        return {**fields, "time": _TIME.validate_python(fields["time"])} if isinstance(fields, dict) else None
    # pydantic's ValidationError is a ValueError.
    except (ValueError, KeyError, RecursionError):
        return None


def _config_of(facts: Facts) -> RecordConfig:
    """Return the configuration, or only its record type if another version wrote options that are invalid here."""
    try:
        return RecordConfig.from_page(facts.config)
    except (ConfigError, TypeError):
        return RecordConfig(record_type="video" if facts.frame_rate else "audio")


def _wall_seconds(states: list[tuple[str, float]]) -> float | None:
    """Return how long MediaRecorder ran, in seconds, or None if it was never stopped; the states have times in ms."""
    if not states or states[-1][0] != "stopped":
        return None
    running, ran = 0.0, 0.0
    for state, at in states:
        if running:
            ran += at - running
        running = at if state in {"started", "resumed"} else 0.0
    return round(ran / 1000, 3)


def _wall_time(milliseconds: float) -> str:
    """Format a Unix time as ISO 8601 in UTC."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, tz=UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError):
        # If ``recording.json`` is damaged, the time can be outside the range that datetime supports.
        return datetime.fromtimestamp(0, tz=UTC).isoformat(timespec="milliseconds")
