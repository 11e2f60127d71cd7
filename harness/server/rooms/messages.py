"""The messages that a page can send on ``/signal``, and their validation."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from harness.recording.timeline import MOST_COUNTERS, Counter
from harness.server.access.message import Count, MarkerNumber, Message, Number, ParticipantMarker, Short

Text = Annotated[str, Field(max_length=400)]


class VideoSize(Message):
    """The largest video that a member requests from another member, in pixels and frames per second."""

    width: Annotated[float, Field(gt=0, le=8192)]
    height: Annotated[float, Field(gt=0, le=8192)]
    frameRate: Annotated[float, Field(gt=0, le=240)]  # noqa: N815 - the page's name


Subscriptions = Annotated[dict[Short, VideoSize], Field(max_length=256)] | None


class Hello(Message):
    """The first message, with the participant's name and media, and either a token or a code.

    The role ``viewer`` gives access only to the room's recordings.

    To resume a lost connection, a page sends the resume token as ``resume``, and the number of messages it has received
    as ``received_seq``.
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
    """Requests the room time, and reports how many messages the page has received since the welcome message."""

    type: Literal["ping"]
    sent: Number
    received_seq: Count = 0


class Description(Message):
    """An SDP offer or answer (W3C RTCSessionDescriptionInit)."""

    type: Literal["offer", "answer", "pranswer", "rollback"]
    sdp: Annotated[str, Field(max_length=60_000)] = ""


class SignalData(Message):
    """The data that two members exchange to establish a WebRTC connection."""

    description: Description | None = None
    candidate: Annotated[dict[str, str | int | None], Field(max_length=16)] | None = None


class Signal(Message):
    """A message that the server passes on to another member."""

    type: Literal["signal"]
    to: Short
    data: SignalData


class State(Message):
    """Whether the member's microphone and camera are on, and whether the video shows the screen.

    In another application's call, ``connected`` is false for a participant who hung up. ``fingerprints`` identify the
    certificates that the participant's page uses for its connections, so that the pages at the other end of these
    connections can recognize the participant.
    """

    type: Literal["state"]
    audio: bool
    video: bool
    screen: bool = False
    connected: bool = True
    fingerprints: Annotated[list[Short], Field(max_length=64, default_factory=list)]


class Subscribe(Message):
    """Subscribes the member to other members; the keys are the other members' ids, or '*' for everybody."""

    type: Literal["subscribe"]
    subscriptions: Subscriptions


class Received(Message):
    """Reports that the member has received the first video frame and the first audio from another member."""

    type: Literal["received"]
    member: Short


class Marker(Message):
    """Changes the member's marker, because a participant on another server already uses the current one."""

    type: Literal["marker"]
    marker: ParticipantMarker


class LateFrames(Message):
    """Reports frames of the member's synthetic video that were painted late, or not at all.

    This happens if the machine is too busy. ``counters`` are the frames' counters in the markers with the number
    ``marker``.
    """

    type: Literal["late-frames"]
    marker: MarkerNumber
    counters: Annotated[tuple[Counter, ...], Field(min_length=1, max_length=MOST_COUNTERS)]


class Bye(Message):
    """The member leaves."""

    type: Literal["bye"]


SignalMessage = Hello | Ping | Signal | State | Subscribe | Received | Marker | LateFrames | Bye

SIGNAL: TypeAdapter[SignalMessage] = TypeAdapter(Annotated[SignalMessage, Field(discriminator="type")])
