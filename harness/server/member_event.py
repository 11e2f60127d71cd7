"""MemberEvent describes what a member of a room did, and is stored in the room's active recordings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from harness.recording.timeline import Member


@dataclass(frozen=True)
class MemberEvent:
    """A member joined a room, left it, changed markers, or painted frames late; ``time`` is in ms on the room's clock.

    ``counters`` are the counters of frames that were painted late, in markers with the number ``member.marker``.
    """

    time: float
    event: Literal["join", "leave", "renumbered", "late-frames"]
    member: Member
    counters: tuple[int, ...] = ()
