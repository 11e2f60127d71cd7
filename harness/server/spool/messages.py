"""The messages that a page can send on ``/spool``, and their validation."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from harness.recording.config import Recorder
from harness.recording.manifest import FallbackName
from harness.recording.timeline import Name, Tile, Words
from harness.server.access.limits import MAX_TILES
from harness.server.access.message import Count, MarkerNumber, Message, Number, Short


class Clock(Message):
    """The page's estimate of room time minus page time, and the estimate's maximum error, both in ms."""

    offset: Number
    error: Number


class SpoolHello(Message):
    """Announces a recording, or resumes one.

    ``presence_from_server`` specifies whether join and leave events come from the server's room. If
    ``presence_from_server`` is false, the page sends the join and leave events, because it is recording a call in
    another application. ``fallbacks`` are the fallbacks that the page uses (see the manifest's field of the same name).
    """

    type: Literal["hello"]
    token: Short
    recording: Short | None = None
    recorder: Recorder
    config: Annotated[dict[str, Any], Field(max_length=16)]
    mime_type: Annotated[str, Field(max_length=128, pattern=r"^[\x20-\x7e]*$")]
    width: Annotated[int, Field(gt=0, le=8192)] | None
    height: Annotated[int, Field(gt=0, le=8192)] | None
    frame_rate: Literal[15, 30] | None
    clock: Clock
    presence_from_server: bool = True
    fallbacks: Annotated[tuple[FallbackName, ...], Field(max_length=8)] = ()


class RecorderState(Message):
    """Reports that MediaRecorder was started, stopped, paused or resumed at ``time``, in ms on the page's clock."""

    type: Literal["recorder"]
    state: Literal["started", "stopped", "paused", "resumed"]
    time: Number


class Ticks(Message):
    """The times at which the mixer wrote its ticks, in ms on the page's clock.

    The first entry in ``written`` belongs to tick number ``first``. An entry of None means that the mixer skipped the
    tick.
    """

    type: Literal["ticks"]
    first: Count
    written: Annotated[list[Number | None], Field(max_length=4096)]


class MixerEvent(Message):
    """An event that the mixer reports, with its ``time`` in ms on the room's clock.

    ``remote_server`` specifies whether the participant joins or leaves through another server, whose members this
    server does not know. ``marker`` is the marker number in the participant's synthetic media, or in the ``track``.
    """

    time: Number
    event: Literal["layout", "video", "audio", "network", "alarm", "join", "leave", "identified", "call", "track"]
    participant: Name | None = None
    was: Name | None = None
    track: Name | None = None
    kind: Literal["audio", "video"] | None = None
    remote_server: bool = False
    marker: MarkerNumber | None = None
    on: bool | None = None
    tiles: Annotated[tuple[Tile, ...], Field(max_length=MAX_TILES)] | None = None
    message: Annotated[Words, Field(max_length=2000)] | None = None


class EventMessage(Message):
    """Carries a MixerEvent."""

    type: Literal["event"]
    event: MixerEvent


class Statistics(Message):
    """The WebRTC statistics for the connection to a participant at ``time``, in ms on the room's clock.

    Each entry of ``report`` is one statistics object with the names and units that the W3C's webrtc-stats defines.
    """

    type: Literal["stats"]
    time: Number
    participant: Name
    report: Annotated[list[Annotated[dict[Short, bool | Number | Short], Field(max_length=64)]], Field(max_length=64)]


class End(Message):
    """Reports that the recording has ended, and how many chunks and bytes the page sent in total."""

    type: Literal["end"]
    chunks: Count
    bytes: Count


class Outstanding(Message):
    """Requests the number of frames that were written before the recorder stopped but have not arrived yet."""

    type: Literal["outstanding"]


class Download(Message):
    """Requests a URL from which to download the finished file."""

    type: Literal["download"]


class Delivery(Message):
    """Requests the outcome of the download whose URL was requested last."""

    type: Literal["delivery"]


class Clean(Message):
    """Requests that the spool delete its copy of the recording."""

    type: Literal["clean"]


SpoolMessage = (
    SpoolHello | RecorderState | Ticks | EventMessage | Statistics | Outstanding | End | Download | Delivery | Clean
)

SPOOL: TypeAdapter[SpoolMessage] = TypeAdapter(Annotated[SpoolMessage, Field(discriminator="type")])
