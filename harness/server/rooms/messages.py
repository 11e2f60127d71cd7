"""What pages may say on the two sockets, checked before anything looks at it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from harness.recording.config import Recorder
from harness.recording.timeline import Name, Tile, Words
from harness.server.access.limits import MOST_TILES
from harness.server.access.tokens import LONGEST_CODE

Short = Annotated[str, Field(max_length=LONGEST_CODE)]
Text = Annotated[str, Field(max_length=400)]
# Times are in ms on some clock; no clock here counts further than three centuries.
Count = Annotated[int, Field(ge=0)]
Number = Annotated[float, Field(ge=-1e13, le=1e13, allow_inf_nan=False)]


class Message(BaseModel):
    """A message: its fields and no others."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class VideoSize(Message):
    """The largest video that a member wants to receive: in pixels, and in frames per second."""

    width: Annotated[float, Field(gt=0, le=8192)]
    height: Annotated[float, Field(gt=0, le=8192)]
    frameRate: Annotated[float, Field(gt=0, le=240)]  # noqa: N815 - the page's word


Subscriptions = Annotated[dict[Short, VideoSize], Field(max_length=256)] | None


class Hello(Message):
    """The first message: who comes, by which token or code, with which media; a viewer only looks at the recordings.

    A page that resumes a lost connection sends ``resume``, the token for it, and ``received_seq``, how many messages it
    has received.
    """

    type: Literal["hello"]
    role: Literal["participant", "viewer"] = "participant"
    resume: Short | None = None
    received_seq: Count = 0
    token: Short | None = None
    room: Short | None = None
    name: Text | None = None
    code: Short | None = None
    media: Short = "synthetic"
    subscriptions: Subscriptions = None


class Ping(Message):
    """Asks for the room's time, and reports how many messages were received since the welcome."""

    type: Literal["ping"]
    sent: Number
    received_seq: Count = 0


class Description(Message):
    """An SDP offer or answer (W3C RTCSessionDescriptionInit)."""

    type: Literal["offer", "answer", "pranswer", "rollback"]
    sdp: Annotated[str, Field(max_length=60_000)] = ""


class SignalData(Message):
    """What two members tell each other to connect."""

    description: Description | None = None
    candidate: Annotated[dict[str, str | int | None], Field(max_length=16)] | None = None


class Signal(Message):
    """A message to one member."""

    type: Literal["signal"]
    to: Short
    data: SignalData


class State(Message):
    """Whether the member's microphone and camera are on, and whether the picture is the screen.

    ``connected`` is false for whoever hung up in an application that is recorded in its own pages.
    """

    type: Literal["state"]
    audio: bool
    video: bool
    screen: bool = False
    connected: bool = True


class Subscribe(Message):
    """The member subscribes to others, by id or '*' for everybody."""

    type: Literal["subscribe"]
    subscriptions: Subscriptions


class Received(Message):
    """The member has received another one's first frame and sound."""

    type: Literal["received"]
    member: Short


class Marker(Message):
    """The number in the member's synthetic media is not what the welcome said: by another server that is taken."""

    type: Literal["marker"]
    marker: Annotated[int, Field(ge=0, lt=256)]


class Bye(Message):
    """The member leaves."""

    type: Literal["bye"]


class Clock(Message):
    """The page's estimate: room time minus page time, and how far that may be wrong, in ms."""

    offset: Number
    error: Number


class SpoolHello(Message):
    """Announces a recording, or resumes one."""

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
    first: Annotated[int, Field(ge=0)]
    written: Annotated[list[Number | None], Field(max_length=4096)]


class MixerEvent(Message):
    """Something that happened in the mix at ``time``, in ms on the room's clock."""

    time: Number
    event: Literal["layout", "video", "audio", "network", "alarm", "join", "leave"]
    participant: Name | None = None
    # Whether the participant joins or leaves by way of another server, whose members ours does not know; and the
    # number in their synthetic media.
    remote_server: bool = False
    marker: Annotated[int, Field(ge=0, lt=256)] | None = None
    on: bool | None = None
    tiles: Annotated[tuple[Tile, ...], Field(max_length=MOST_TILES)] | None = None
    message: Annotated[Words, Field(max_length=2000)] | None = None


class EventMessage(Message):
    """Carries a MixerEvent."""

    type: Literal["event"]
    event: MixerEvent


class Statistics(Message):
    """What WebRTC said of the connection to a participant at ``time``, in ms on the room's clock.

    Each entry of ``report`` is one of its statistics, by the names and in the units of the W3C's webrtc-stats.
    """

    type: Literal["stats"]
    time: Number
    participant: Name
    report: Annotated[list[Annotated[dict[Short, bool | Number | Short], Field(max_length=64)]], Field(max_length=64)]


class End(Message):
    """The recording has ended; so many chunks and bytes were sent."""

    type: Literal["end"]
    chunks: Annotated[int, Field(ge=0)]
    bytes: Annotated[int, Field(ge=0)]


class Outstanding(Message):
    """Asks how many of the frames that were written before the recorder was stopped have not arrived."""

    type: Literal["outstanding"]


class Download(Message):
    """Asks for an address to download the finished file from."""

    type: Literal["download"]


class Clean(Message):
    """Asks to free the spool's copy."""

    type: Literal["clean"]


SignalMessage = Hello | Ping | Signal | State | Subscribe | Received | Marker | Bye
SpoolMessage = SpoolHello | RecorderState | Ticks | EventMessage | Statistics | Outstanding | End | Download | Clean

SIGNAL: TypeAdapter[SignalMessage] = TypeAdapter(Annotated[SignalMessage, Field(discriminator="type")])
SPOOL: TypeAdapter[SpoolMessage] = TypeAdapter(Annotated[SpoolMessage, Field(discriminator="type")])
