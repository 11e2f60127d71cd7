"""A manifest is a JSON file about a call: what was recorded or observed, and the timeline of the call."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from harness.errors import ConfigError
from harness.recording.files.disk import room_for
from harness.recording.files.safe_reads import decode_text, read_whole
from harness.recording.files.text import printable
from harness.recording.recording import Count, Recording
from harness.recording.timeline import Event, Moment, Name, Seconds, Text, Timeline

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

SCHEMA: Final = 1
LARGEST_MANIFEST: Final = 64 * 1024 * 1024
# Maximum size, in bytes, of everything in a manifest except its timeline: configuration, versions, paths.
_WITHOUT_TIMELINE: Final = 1024 * 1024
# Maximum length of a location in an error message, in characters; a key can be as long as the whole file.
_LONGEST_PLACE: Final = 200


# What a page does differently because its Chrome runs without the harness's switches, or because the page is not
# cross-origin isolated.
FallbackName = Literal["shared-memory", "gc", "user-activation"]


def finite(value: Any) -> Any:
    """Return a configuration unchanged; raises ValueError for infinity and NaN, which JSON can't represent."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    for one in inner:
        finite(one)
    if isinstance(value, float) and not math.isfinite(value):
        message = f"{value} is not a finite number"
        raise ValueError(message)
    return value


class MarkerClock(BaseModel):
    """The clock of a synthetic participant's markers, from which the times of the bursts in the audio are computed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    participant: Name
    """Name of the participant."""
    zero_ms: Moment
    """Time on the room's clock at which the counter in the participant's markers was 0, in milliseconds."""


class Observation(BaseModel):
    """The properties of an observation: a call that the harness observed but did not record."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    participant: Name
    """Name of the participant whose page observed the call."""
    duration: Seconds
    """Duration of the observation in seconds."""
    started_at: Text
    """Time at which the observation started, in UTC (ISO 8601)."""
    marker_clocks: tuple[MarkerClock, ...] = ()
    """The clocks of the participants' markers, as far as they are known."""


class CallManifest(BaseModel):
    """The part of a manifest that recordings and observations have in common: the timeline of the call, and its clock.

    Exactly one of ``recording`` and ``observation`` is set.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Annotated[Literal[1], Field(alias="schema")] = SCHEMA
    """Version of the format."""
    recording: Recording | None = None
    observation: Observation | None = None
    room: Text | None = None
    """Name of the room; None if unknown."""
    versions: dict[Text, Text]
    """Versions of the harness, Chrome, Playwright and Python, and the platform."""
    timeline: Timeline
    """The participants, and the events that happened during the recording or the observation."""
    zero_ms: Moment | None = None
    """Time on the room's clock at which the file or the observation starts, in milliseconds; None if unknown."""
    clock_error_ms: Moment | None = None
    """Maximum error when times measured by the page's clock are converted to the room's clock, in milliseconds."""
    alarms: tuple[Text, ...] = ()
    """The message of each alarm that was raised during the recording or the observation."""

    def within_size(self) -> Self:
        """Return the manifest; if it is too large to be read again, its last events are dropped.

        An alarm reports how many events were dropped, and the time of the first dropped event.
        """
        if len(self.as_text()) <= LARGEST_MANIFEST:
            return self
        left = LARGEST_MANIFEST - _WITHOUT_TIMELINE
        stored: list[Event] = []
        for event in self.timeline.events:
            left -= _written_bytes(event)
            if left < 0:
                break
            stored.append(event)
        return self._without_events_after(stored)

    def _without_events_after(self, stored: list[Event]) -> Self:
        dropped = self.timeline.events[len(stored) :]
        at = dropped[0].at if dropped else 0.0
        message = f"The manifest is full, so {len(dropped)} events from {at:.3f} s onward are missing."
        present = {event.participant for event in stored if event.event == "join"}
        timeline = Timeline(
            members=tuple(member for member in self.timeline.members if member.name in present),
            events=(*stored, Event(at=at, event="alarm", message=message)),
        )
        alarms = tuple(event.message or "" for event in timeline.events if event.event == "alarm")
        return self.model_copy(update={"timeline": timeline, "alarms": alarms})

    def as_text(self) -> bytes:
        """Return the content of the manifest file."""
        return self.model_dump_json(by_alias=True, indent=1).encode() + b"\n"

    def write(self, path: Path) -> None:
        """Write the manifest to ``path``, but omit events that do not fit (see ``within_size``).

        Raises FileExistsError if ``path`` exists, and DiskFullError if the disk is full.
        """
        with room_for("the manifest", path), path.open("xb") as file:
            try:
                file.write(self.within_size().as_text())
                file.flush()
            except BaseException:
                # Remove the partial manifest, because it can't be read.
                path.unlink()
                raise

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the manifest at ``path``; raises ConfigError if it can't be read or is not a manifest."""
        return cls.parse(_read_text(path), path)

    @classmethod
    def parse(cls, text: str, path: Path) -> Self:
        """Return the manifest with this content; raises ConfigError, which names ``path``, if it is not valid."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise _not_valid(path, error) from error


class Manifest(CallManifest):
    """A recording's properties, configuration and timeline, stored next to the recording."""

    recording: Recording
    """Properties of the recording."""
    observation: Annotated[None, Field(exclude=True)] = None
    config: Annotated[dict[str, Any], AfterValidator(finite)]
    """Configuration of the recording (``recordConfig``) with NERTC's names, including all defaults."""
    ticks: Count = 0
    """Number of frames that the mixer should have written."""
    ticks_missed: Count = 0
    """Number of frames that are missing from the file, although the mixer should have written them."""
    wall_seconds: Moment | None = None
    """How long MediaRecorder ran, excluding pauses, in seconds on the page's clock; None if it was never stopped."""
    throttled_seconds: Seconds | None = None
    """How long the CPU limits of containers or other control groups throttled the harness during the recording, in
    seconds, summed over all processors; None if unknown. Measured on the server's machine."""
    stolen_seconds: Seconds | None = None
    """CPU time that the hypervisor gave to other virtual machines during the recording, in seconds, summed over all
    processors; None if unknown. Measured on the server's machine."""
    fallbacks: tuple[Text, ...] = ()
    """What the page did differently because its Chrome was not started with the harness's switches, or because the page
    is not cross-origin isolated: ``shared-memory`` (threads exchanged audio as messages, and the mixer's timer was
    accurate to about 2 ms), ``gc`` (the page allocated memory to make Chrome collect garbage), ``user-activation``
    (Python simulated a user's action, so that audio could start)."""

    @property
    def participant(self) -> str:
        """Name of the recording participant."""
        return self.recording.participant

    @property
    def started_at(self) -> str:
        """Time at which the recording started, in UTC (ISO 8601)."""
        return self.recording.started_at


class ObservationManifest(CallManifest):
    """What the harness observed in a call that it did not record. Another recorder's file is compared with it."""

    recording: Annotated[None, Field(exclude=True)] = None
    observation: Observation
    """Properties of the observation."""
    zero_ms: Moment
    """Time on the room's clock at which the observation starts, in milliseconds."""

    @property
    def participant(self) -> str:
        """Name of the participant whose page observed the call."""
        return self.observation.participant

    @property
    def started_at(self) -> str:
        """Time at which the observation started, in UTC (ISO 8601)."""
        return self.observation.started_at

    def _without_events_after(self, stored: list[Event]) -> Self:
        """Also shorten the observation, because nothing is known about the time after the last event."""
        shorter = super()._without_events_after(stored)
        end = max(0.0, shorter.timeline.events[-1].at)
        return shorter.model_copy(update={"observation": self.observation.model_copy(update={"duration": end})})


AnyManifest = Manifest | ObservationManifest


def read_manifest(path: Path) -> AnyManifest:
    """Return the manifest of a recording or of an observation; raises ConfigError if ``path`` contains neither."""
    text = _read_text(path)
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        # Only an observation has this key. The text is not parsed twice otherwise, because it can be large.
        if not any(one["loc"][:1] == ("observation",) for one in error.errors(include_url=False)):
            raise _not_valid(path, error) from error
    return ObservationManifest.parse(text, path)


def _not_valid(path: Path, error: ValidationError) -> ConfigError:
    """Return the error for a file that is not a manifest."""
    first = error.errors(include_url=False)[0]
    where = printable(".".join(str(part) for part in first["loc"])[:_LONGEST_PLACE]) or "the top"
    reason = first["msg"].removeprefix("Value error, ")
    return ConfigError(f"{path} is not a valid manifest: {reason} (at {where}).")


def _read_text(path: Path) -> str:
    return decode_text(read_whole(path, "a manifest", LARGEST_MANIFEST), path)


def _written_bytes(event: Event) -> int:
    """Return the maximum size of an event in a manifest, including its participant and its entry in ``alarms``."""
    text = event.model_dump_json(indent=1)
    # In a manifest, every line of an event is indented by three more spaces than in ``text``.
    size = len(text.encode()) + 3 * (text.count("\n") + 1) + 2
    if event.event in {"join", "alarm"}:
        size += len(json.dumps(event.message or event.participant, ensure_ascii=False).encode()) + 100
    return size
