"""The messages that a page may send on ``/spool``, checked before any other code sees them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from harness.recording.config import Recorder
from harness.recording.timeline import Name, Tile, Words
from harness.server.access.limits import MAX_TILES
from harness.server.access.message import Count, MarkerNumber, Message, Number, Short


class Clock(Message):
    """The page's estimate: room time minus page time, and how far that may be wrong, in ms."""

    offset: Number
    error: Number


class SpoolHello(Message):
    """Announces a recording, or resumes one.

    ``presence_from_server`` says whether join and leave events come from the server's room. Otherwise the page sends
    them, since it records a call in another application.
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


class RecorderState(Message):
    """MediaRecorder was started, stopped, paused or resumed at ``time``, in ms on the page's clock."""

    type: Literal["recorder"]
    state: Literal["started", "stopped", "paused", "resumed"]
    time: Number


class Ticks(Message):
    """When the mixer wrote its ticks from number ``first`` on, in ms on the page's clock; None: it gave one up."""

    type: Literal["ticks"]
    first: Count
    written: Annotated[list[Number | None], Field(max_length=4096)]


class MixerEvent(Message):
    """Something that happened in the mix at ``time``, in ms on the room's clock.

    ``remote_server`` says whether the participant joins or leaves by way of another server, whose members are not
    known here; ``marker`` is the number in their synthetic media.
    """

    time: Number
    event: Literal["layout", "video", "audio", "network", "alarm", "join", "leave"]
    participant: Name | None = None
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
    """The WebRTC statistics of the connection to a participant at ``time``, in ms on the room's clock.

    Each entry of ``report`` is one of them, by the names and in the units of the W3C's webrtc-stats.
    """

    type: Literal["stats"]
    time: Number
    participant: Name
    report: Annotated[list[Annotated[dict[Short, bool | Number | Short], Field(max_length=64)]], Field(max_length=64)]


class End(Message):
    """The recording has ended; this many chunks and bytes were sent."""

    type: Literal["end"]
    chunks: Count
    bytes: Count


class Outstanding(Message):
    """Asks how many of the frames that were written before the recorder was stopped have not arrived."""

    type: Literal["outstanding"]


class Download(Message):
    """Asks for an address to download the finished file from."""

    type: Literal["download"]


class Clean(Message):
    """Asks to free the spool's copy."""

    type: Literal["clean"]


SpoolMessage = SpoolHello | RecorderState | Ticks | EventMessage | Statistics | Outstanding | End | Download | Clean

SPOOL: TypeAdapter[SpoolMessage] = TypeAdapter(Annotated[SpoolMessage, Field(discriminator="type")])
