"""Begin and feed recordings in a spool as a page does, but without a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.recording.timeline import Member
from harness.server.member_event import MemberEvent
from harness.server.spool.messages import Clock, SpoolHello

if TYPE_CHECKING:
    from harness.server.spool.active_recording import ActiveRecording
    from harness.server.spool.spool import Spool

VERSIONS = {"harness": "0.1.0"}
# The room's clock is 990 s behind the page's clock.
OFFSET = -990_000.0
STARTED = 1_000_000.0


def announce(*, token: str = "secret-token", presence_from_server: bool = True, **config: Any) -> SpoolHello:  # noqa: S107 - tests search for this word
    """Return the message that announces an audio recording."""
    return SpoolHello(
        type="hello",
        token=token,
        recorder="all",
        config={"recordType": "audio", **config},
        mime_type="audio/webm;codecs=opus",
        width=None,
        height=None,
        frame_rate=None,
        clock=Clock(offset=OFFSET, error=0.25),
        presence_from_server=presence_from_server,
    )


def begin(
    spool: Spool, *, participant: str = "alice", presence_from_server: bool = True, **config: Any
) -> ActiveRecording:
    """Begin an audio recording."""
    hello = announce(presence_from_server=presence_from_server, **config)
    joins = [MemberEvent(9_000.0, "join", Member(name="alice", marker=0))]
    return spool.begin(hello, participant=participant, room="daily", joins=joins)


def feed(active: ActiveRecording, data: bytes, size: int = 1_000) -> None:
    """Send bytes to a recording in chunks."""
    for number, at in enumerate(range(0, len(data), size)):
        active.add_chunk(number, at, memoryview(data)[at : at + size])


def recorded(spool: Spool, audio: bytes, **config: Any) -> ActiveRecording:
    """Return an active recording that has received all its bytes."""
    active = begin(spool, **config)
    active.log.add_recorder_state("started", STARTED)
    feed(active, audio)
    return active
