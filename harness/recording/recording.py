"""Recording: a finished file and its manifest, the record of how it came to be."""

from __future__ import annotations

import hashlib
import json
import math
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from harness.errors import ConfigError
from harness.recording.config import Recorder, RecordType
from harness.recording.files.disk import room_for
from harness.recording.files.safe_reads import read_whole
from harness.recording.files.text import printable
from harness.recording.timeline import Event, Moment, Name, Pixels, Seconds, Text, Timeline

if TYPE_CHECKING:
    from typing import Self

SCHEMA: Final = 1
SUFFIX: Final = ".webm"
MANIFEST_SUFFIX: Final = ".manifest.json"
STATISTICS_SUFFIX: Final = ".stats.jsonl"
LARGEST_MANIFEST: Final = 64 * 1024 * 1024
# What a manifest may have without its timeline, in bytes: configuration, versions, paths.
_BESIDE_TIMELINE: Final = 1024 * 1024
# What an error says of where it is, in characters: a key may be as long as its file.
_LONGEST_PLACE: Final = 200

# What every reader of JSON takes for the same number.
Count = Annotated[int, Field(ge=0, le=2**53)]


def finite(value: Any) -> Any:
    """Return what a configuration says; raises ValueError for a number that JSON has no word for."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    for one in inner:
        finite(one)
    if isinstance(value, float) and not math.isfinite(value):
        message = f"{value} is no number that can be used"
        raise ValueError(message)
    return value


class Recording(BaseModel):
    """A finished recording.

    ``path`` and ``manifest`` are absolute; ``duration`` is in seconds, ``size`` in bytes, ``frame_rate`` in frames
    a second, ``started_at`` an ISO 8601 time in UTC, ``stop_to_file_ms`` the time from the call of stop to the
    complete file and ``download_ms`` that of the download. ``recovered`` says why, where the recording did not end
    by a stop. Width, height and frame_rate are None for a recording of sound alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Text
    path: Path
    manifest: Path
    participant: Name
    recorder: Recorder
    type: RecordType
    mime_type: Text
    codec: Text
    width: Pixels | None
    height: Pixels | None
    frame_rate: Annotated[int, Field(gt=0, le=1000)] | None
    duration: Seconds
    size: Count
    sha256: Text
    started_at: Text
    stop_to_file_ms: Moment | None = None
    download_ms: Moment | None = None
    recovered: Text | None = None

    @property
    def files(self) -> tuple[Path, Path, Path]:
        """What belongs to it on the disk: film, manifest and, where WebRTC was asked, its statistics."""
        return self.path, self.manifest, statistics_of(self.path)

    def at(self, path: Path) -> Self:
        """Return the same recording as it lies at ``path``, its manifest beside it."""
        return self.model_copy(update={"path": path, "manifest": manifest_of(path)})

    def as_json(self) -> dict[str, Any]:
        """Return the RECORDING object of the command line's answers."""
        return self.model_dump(mode="json")


class Manifest(BaseModel):
    """What is written beside a recording: its facts, its configuration and what happened meanwhile.

    ``ticks`` counts the frames that the mixer owed, ``ticks_missed`` those that are not in the file.
    ``zero_ms`` is the room's time at the file's zero, ``clock_error_ms`` bounds how far the page's clock, by which it
    was taken, may be from the room's. ``wall_seconds`` is how long MediaRecorder ran by that clock, pauses cut out;
    None where nobody stopped it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Annotated[Literal[1], Field(alias="schema")] = SCHEMA
    recording: Recording
    room: Text | None = None
    config: Annotated[dict[str, Any], AfterValidator(finite)]
    versions: dict[Text, Text]
    timeline: Timeline
    ticks: Count = 0
    ticks_missed: Count = 0
    zero_ms: Moment | None = None
    clock_error_ms: Moment | None = None
    wall_seconds: Moment | None = None
    alarms: tuple[Text, ...] = ()

    def within_size(self) -> Self:
        """Return the manifest as it can be read again: events for which there is no room are dropped.

        The last events are dropped, and an alarm says how many and from when on.
        """
        if len(self.as_text()) <= LARGEST_MANIFEST:
            return self
        left = LARGEST_MANIFEST - _BESIDE_TIMELINE
        kept: list[Event] = []
        for event in self.timeline.events:
            left -= _written_bytes(event)
            if left < 0:
                break
            kept.append(event)
        return self._without_events_after(kept)

    def _without_events_after(self, kept: list[Event]) -> Self:
        dropped = self.timeline.events[len(kept) :]
        at = dropped[0].at if dropped else 0.0
        message = f"The manifest has no room for {len(dropped)} more events: from {at:.3f} s on the timeline is empty."
        present = {event.participant for event in kept if event.event == "join"}
        timeline = Timeline(
            members=tuple(member for member in self.timeline.members if member.name in present),
            events=(*kept, Event(at=at, event="alarm", message=message)),
        )
        alarms = tuple(event.message or "" for event in timeline.events if event.event == "alarm")
        return self.model_copy(update={"timeline": timeline, "alarms": alarms})

    def as_text(self) -> bytes:
        """Return what a file of the manifest holds."""
        return self.model_dump_json(by_alias=True, indent=1).encode() + b"\n"

    def write(self, path: Path) -> None:
        """Write the manifest to ``path``, which must not exist yet; raises FileExistsError, and DiskFullError.

        What would make it too large to be read again is dropped (``within_size``).
        """
        with room_for("the manifest", path), path.open("xb") as file:
            try:
                file.write(self.within_size().as_text())
                file.flush()
            except BaseException:
                # Half a manifest is none.
                path.unlink()
                raise

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the manifest at ``path``; raises ConfigError when it is not one."""
        try:
            return cls.model_validate_json(read_whole(path, "a manifest", LARGEST_MANIFEST))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = printable(".".join(str(part) for part in first["loc"])[:_LONGEST_PLACE]) or "the top"
            message = (
                f"{path} is no manifest of this program: at {where}: {first['msg'].removeprefix('Value error, ')}."
            )
            raise ConfigError(message) from error


def _written_bytes(event: Event) -> int:
    """Return how many bytes of a manifest an event needs at most, with its member and what ``alarms`` repeat of it."""
    text = event.model_dump_json(indent=1)
    # In the manifest each line is indented by three more.
    size = len(text.encode()) + 3 * (text.count("\n") + 1) + 2
    if event.event in {"join", "alarm"}:
        size += len(json.dumps(event.message or event.participant, ensure_ascii=False).encode()) + 100
    return size


def check_file(path: Path) -> None:
    """Raise ConfigError where no file lies that could be a recording."""
    try:
        # From Python 3.14 on, Path.is_file keeps to itself why it can't tell.
        if stat.S_ISREG(path.stat().st_mode):
            return
        message = f"{path} is no file; give the path of a recording."
    except (FileNotFoundError, NotADirectoryError):
        message = f"{path} is not there; give the path of a recording."
    except OSError as error:
        # A name that is longer than any can be, a folder that is shut.
        message = f"{path} can't be read: {error.strerror}."
    raise ConfigError(message)


def manifest_of(path: Path) -> Path:
    """Return the path of the manifest of the recording at ``path``; a conversion has the recording's manifest."""
    return path.with_name(f"{path.stem}{MANIFEST_SUFFIX}")


def recording_of(manifest: Path) -> Path:
    """Return the path of the recording whose manifest is at ``manifest``."""
    return manifest.with_name(f"{manifest.name.removesuffix(MANIFEST_SUFFIX)}{SUFFIX}")


def statistics_of(path: Path) -> Path:
    """Return the path of the WebRTC statistics of the recording at ``path``: one line of JSON per measurement."""
    return path.with_name(f"{path.stem}{STATISTICS_SUFFIX}")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
