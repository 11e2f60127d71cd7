"""Define the timeline of a recording, which contains the events in the room with their times in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from harness.recording.files.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Interval = tuple[float, float]
# Number of different tones; a marker's tone is the marker modulo this number.
VOICES: Final = 16
# The marker of a participant's shared screen in another application is the participant's marker plus this number.
SCREEN_MARKER: Final = 128
# Text in a manifest can come from untrusted sources and is shown to users, so it must be printable.
Words = Annotated[str, AfterValidator(printable)]
Name = Annotated[Words, Field(max_length=200)]
LONGEST_TEXT: Final = 2000
# Message of a `track` event whose track was examined and has no marker.
NO_MARKER: Final = "no marker"
Text = Annotated[Words, Field(max_length=LONGEST_TEXT)]
# Times in seconds or ms are limited, so that all calculations stay finite; no real clock reaches these limits.
Moment = Annotated[float, Field(ge=-1e15, le=1e15, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]
# The counter in a video marker, which has 18 bits, and the maximum number of counters in an event.
Counter = Annotated[int, Field(ge=0, lt=2**18)]
MOST_COUNTERS: Final = 128
# No supported codec allows larger frames.
Pixels = Annotated[int, Field(ge=0, le=65_535)]


class Tile(BaseModel):
    """The area that shows a participant in the recorded video."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    participant: Name
    """Name of the participant."""
    track: Name | None = None
    """Label of the track that the tile shows, for example ``"screen"``; None for the participant's main video."""
    x: Pixels
    """Distance from the video's left edge to the tile's left edge, in pixels."""
    y: Pixels
    """Distance from the video's top edge to the tile's top edge, in pixels."""
    width: Annotated[Pixels, Field(gt=0)]
    """Width in pixels."""
    height: Annotated[Pixels, Field(gt=0)]
    """Height in pixels."""

    @model_serializer(mode="wrap")
    def _without_nothing(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Serialize ``track`` only if it is set."""
        return {key: value for key, value in dump(self).items() if value is not None}


class Event(BaseModel):
    """An event in the room."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: Moment
    """Time in seconds since the recording's first frame; negative for earlier events."""
    event: Literal[
        "join",
        "leave",
        "identified",
        "call",
        "track",
        "layout",
        "video",
        "audio",
        "network",
        "late-frames",
        "pause",
        "alarm",
    ]
    """The event's kind.

    ``join`` and ``leave``: the participant joined or left. ``identified``: the name of the participant became known;
    earlier events already contain this name. ``call``: the recording page entered (on) or left (off) another
    application's call. ``track``: a participant's track in another application's call began (on) or ended (off), or its
    marker was found. ``layout``: the tiles of the video changed. ``video``: the participant's tile now shows live video
    (on) or a placeholder (off). ``audio``: the mixed audio now contains the participant (on) or does not (off).
    ``network``: the connection to the participant was lost (off) or restored (on). ``late-frames``: the participant's
    machine was too busy to paint frames of the synthetic video in time. ``pause``: the recording was paused.
    ``alarm``: something stalled.
    """
    participant: Name | None = None
    """For all kinds except ``call``, ``layout``, ``pause`` and ``alarm``: name of the participant."""
    was: Name | None = None
    """For ``identified``: the name that the participant had in the call until then, for example
    ``"unidentified 1"``."""
    track: Name | None = None
    """For ``track``: label of the track, for example ``"camera"``, ``"microphone"`` or ``"screen"``. For ``video`` and
    ``audio``: label of the extra track; None for the participant's main video and audio."""
    kind: Literal["audio", "video"] | None = None
    """For ``track``: the kind of the track."""
    marker: Annotated[int, Field(ge=0, le=255)] | None = None
    """For ``track``: the number of the marker in the track, modulo 16 for audio; None if no marker has been found. For
    ``late-frames``: the number of the marker in the frames."""
    counters: Annotated[tuple[Counter, ...], Field(max_length=MOST_COUNTERS)] | None = None
    """For ``late-frames``: the frames' counters."""
    on: bool | None = None
    """For ``call``, ``track``, ``video``, ``audio`` and ``network``: the new state, True for on and False for off."""
    tiles: tuple[Tile, ...] | None = None
    """For ``layout``: all tiles of the video from this time on."""
    seconds: Seconds | None = None
    """For ``pause``: duration of the pause in seconds. Pauses are cut out of the file."""
    message: Text | None = None
    """For ``alarm``: what stalled. For ``call``: why the page is not in a call. For ``track``: ``"no marker"`` if the
    track was examined and has no marker."""

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

    def visible(self, participant: str, duration: float, *, track: str | None = None) -> list[Interval]:
        """Return the intervals in which the file contains the participant's live video, in seconds.

        ``track`` is the label of an extra track, and None for the participant's main video. If the timeline has no
        layouts, as in an observation, the file can show the video anywhere.
        """
        switched = self._switched("video", participant, duration, track)
        layouts = [event for event in self.events if event.event == "layout"]
        if not layouts:
            return switched
        tiled = _spans(
            (
                (event.at, any((tile.participant, tile.track) == (participant, track) for tile in event.tiles or ()))
                for event in layouts
            ),
            duration,
        )
        return _both(tiled, switched)

    def audible(self, participant: str, duration: float) -> list[Interval]:
        """Return the intervals in which the file contains the participant's audio, in seconds."""
        return self._switched("audio", participant, duration)

    def tile(self, participant: str, at: float) -> Tile | None:
        """Return the participant's tile at ``at`` seconds, or None if the participant has no tile."""
        place = None
        for event in self.events:
            if event.event == "layout" and event.at <= at:
                tiles = (tile for tile in event.tiles or () if tile.track is None)
                place = next((tile for tile in tiles if tile.participant == participant), None)
        return place

    @property
    def is_application_call(self) -> bool:
        """Whether a page of another application was recorded."""
        return any(event.event == "call" for event in self.events)

    def out_of_call(self, duration: float) -> list[tuple[Interval, str]]:
        """Return the intervals in which the recording page was not in a call, and the reason for each."""
        changes = [event for event in self.events if event.event == "call"]
        spans = _spans(((event.at, not event.on) for event in changes), duration)
        reasons = {
            start: next((one.message for one in reversed(changes) if not one.on and one.at <= start), None)
            for start, _ in spans
        }
        return [((start, end), reasons[start] or "the reason is unknown") for start, end in spans]

    def unmarked(
        self, participant: str, track: tuple[str, Literal["audio", "video"]], marker: int, duration: float
    ) -> list[Interval]:
        """Return the intervals in which a participant's track is known not to carry a marker.

        ``track`` is the track's label and kind, for example ``("camera", "video")``.
        """
        label, kind = track
        own = marker if kind == "video" else marker % VOICES
        states: list[tuple[float, bool]] = []
        is_being_examined = False
        for event in self.events:
            if event.event != "track" or event.participant != participant or event.track != label or event.kind != kind:
                continue
            # The examination of a track ends a moment after the track began, but its result applies to the whole track.
            since = states.pop()[0] if is_being_examined and event.on else event.at
            states.append((since, bool(event.on) and event.marker != own))
            is_being_examined = bool(event.on) and event.marker is None and event.message != NO_MARKER
        return _spans(states, duration)

    def extra_tracks(
        self, participant: str, duration: float
    ) -> dict[tuple[str, Literal["audio", "video"]], list[Interval]]:
        """Return the participant's tracks besides camera and microphone, with the intervals in which they existed."""
        own = [event for event in self.events if event.event == "track" and event.participant == participant]
        keys = dict.fromkeys((event.track, event.kind) for event in own if event.track and event.kind)
        return {
            (label, kind): _spans(
                ((event.at, bool(event.on)) for event in own if (event.track, event.kind) == (label, kind)), duration
            )
            for label, kind in keys
            if label not in {"camera", "microphone"}
        }

    def late_counters(self, marker: int) -> frozenset[int]:
        """Return the counters of the frames with this marker that were painted late, or not at all."""
        late = (event for event in self.events if event.event == "late-frames" and event.marker == marker)
        return frozenset(counter for event in late for counter in event.counters or ())

    def cuts(self) -> list[tuple[float, float]]:
        """Return each pause's position in the file and its duration, in seconds."""
        return [(event.at, event.seconds or 0.0) for event in self.events if event.event == "pause"]

    def _switched(self, what: str, participant: str, duration: float, track: str | None = None) -> list[Interval]:
        changes = (
            (event.at, bool(event.on))
            for event in self.events
            if (event.event, event.participant, event.track) == (what, participant, track)
        )
        return _spans(changes, duration)


def _spans(changes: Iterable[tuple[float, bool]], duration: float) -> list[Interval]:
    """Return the intervals between 0 and ``duration`` during which a state is on, given the changes to this state."""
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


def with_final_names(events: Sequence[Event]) -> list[Event]:
    """Return the events; names that became known later also apply to earlier events (see ``identified``)."""
    names = {event.was: event.participant for event in events if event.event == "identified"}
    if not names:
        return list(events)
    return [
        event.model_copy(
            update={
                "participant": names.get(event.participant, event.participant),
                "tiles": event.tiles
                and tuple(
                    tile.model_copy(update={"participant": names.get(tile.participant, tile.participant)})
                    for tile in event.tiles
                ),
            }
        )
        for event in events
    ]
