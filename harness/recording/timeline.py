"""Define the timeline of a recording, which contains the events in the room with their times in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from harness.recording.files.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

Interval = tuple[float, float]
# Text in a manifest can come from untrusted sources and is shown to users, so it must be printable.
Words = Annotated[str, AfterValidator(printable)]
Name = Annotated[Words, Field(max_length=200)]
LONGEST_TEXT: Final = 2000
Text = Annotated[Words, Field(max_length=LONGEST_TEXT)]
# Times in seconds or ms are limited, so that all calculations stay finite; no real clock reaches these limits.
Moment = Annotated[float, Field(ge=-1e15, le=1e15, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]
# No supported codec allows larger frames.
Pixels = Annotated[int, Field(ge=0, le=65_535)]


class Tile(BaseModel):
    """The area that shows a participant in the recorded video."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    participant: Name
    """Name of the participant."""
    x: Pixels
    """Left edge in pixels from the left edge of the video."""
    y: Pixels
    """Top edge in pixels from the top edge of the video."""
    width: Annotated[Pixels, Field(gt=0)]
    """Width in pixels."""
    height: Annotated[Pixels, Field(gt=0)]
    """Height in pixels."""


class Event(BaseModel):
    """An event in the room."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: Moment
    """Time in seconds since the recording's first frame; negative for earlier events."""
    event: Literal["join", "leave", "layout", "video", "audio", "network", "pause", "alarm"]
    """The event's kind.

    ``join`` and ``leave``: the participant joined or left. ``layout``: the tiles of the video changed. ``video``: the
    participant's tile now shows live video (on) or a placeholder (off). ``audio``: the mixed audio now contains the
    participant (on) or does not (off). ``network``: the connection to the participant was lost (off) or restored (on).
    ``pause``: the recording was paused. ``alarm``: something stalled.
    """
    participant: Name | None = None
    """For ``join``, ``leave``, ``video``, ``audio`` and ``network``: name of the participant."""
    on: bool | None = None
    """For ``video``, ``audio`` and ``network``: the new state."""
    tiles: tuple[Tile, ...] | None = None
    """For ``layout``: all tiles of the video from this time on."""
    seconds: Seconds | None = None
    """For ``pause``: duration of the pause in seconds. Pauses are cut out of the file."""
    message: Text | None = None
    """For ``alarm``: what stalled."""

    @model_serializer(mode="wrap")
    def _without_nothing(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Serialize only the fields that apply to the event's kind."""
        return {key: value for key, value in dump(self).items() if value is not None}


class Member(BaseModel):
    """A participant who was in the room during the recording."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    """Name of the participant."""
    marker: Annotated[int, Field(ge=0, le=255)] | None = None
    """Number encoded in a synthetic participant's video and audio, from 0 to 255; None for cameras and video files."""


class Timeline(BaseModel):
    """The participants of a recording, and its events in chronological order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    members: tuple[Member, ...] = ()
    """The participants who were in the room during the recording."""
    events: tuple[Event, ...] = ()
    """The events in chronological order."""

    def present(self, participant: str, duration: float) -> list[Interval]:
        """Return the intervals in which the participant was in the room, in seconds between 0 and ``duration``."""
        changes = (
            (event.at, event.event == "join")
            for event in self.events
            if event.event in {"join", "leave"} and event.participant == participant
        )
        return _spans(changes, duration)

    def visible(self, participant: str, duration: float) -> list[Interval]:
        """Return the intervals in which the file contains the participant's live video, in seconds."""
        tiled = _spans(
            (
                (event.at, any(tile.participant == participant for tile in event.tiles or ()))
                for event in self.events
                if event.event == "layout"
            ),
            duration,
        )
        return _both(tiled, self._switched("video", participant, duration))

    def audible(self, participant: str, duration: float) -> list[Interval]:
        """Return the intervals in which the file contains the participant's audio, in seconds."""
        return self._switched("audio", participant, duration)

    def tile(self, participant: str, at: float) -> Tile | None:
        """Return the participant's tile at ``at`` seconds, or None if the participant has no tile."""
        place = None
        for event in self.events:
            if event.event == "layout" and event.at <= at:
                place = next((tile for tile in event.tiles or () if tile.participant == participant), None)
        return place

    def cuts(self) -> list[tuple[float, float]]:
        """Return each pause's position in the file and its duration, in seconds."""
        return [(event.at, event.seconds or 0.0) for event in self.events if event.event == "pause"]

    def _switched(self, what: str, participant: str, duration: float) -> list[Interval]:
        changes = (
            (event.at, bool(event.on))
            for event in self.events
            if event.event == what and event.participant == participant
        )
        return _spans(changes, duration)


def _spans(changes: Iterable[tuple[float, bool]], duration: float) -> list[Interval]:
    """Return the intervals between 0 and ``duration`` during which a state is on, given the changes of this state."""
    spans: list[Interval] = []
    since: float | None = None
    # A manifest from another program may list its events in any order.
    for at, on in sorted(changes, key=lambda change: change[0]):
        if on and since is None:
            since = at
        elif not on and since is not None:
            spans.append((since, at))
            since = None
    if since is not None:
        spans.append((since, duration))
    clipped = ((max(0.0, start), min(duration, end)) for start, end in spans)
    return [(start, end) for start, end in clipped if start < end]


def _both(left: list[Interval], right: list[Interval]) -> list[Interval]:
    """Return the intersection of two lists of intervals, each sorted and without overlaps."""
    shared: list[Interval] = []
    first = second = 0
    while first < len(left) and second < len(right):
        start = max(left[first][0], right[second][0])
        end = min(left[first][1], right[second][1])
        if start < end:
            shared.append((start, end))
        # The interval that ends first can't overlap further intervals.
        if left[first][1] <= right[second][1]:
            first += 1
        else:
            second += 1
    return shared


def timeline_from(records: Iterable[Event | dict[str, Any]], members: Iterable[Member]) -> Timeline:
    """Return a timeline with the given events, sorted by ``at``."""
    events = sorted((Event.model_validate(record) for record in records), key=lambda event: event.at)
    return Timeline(members=tuple(members), events=tuple(events))
