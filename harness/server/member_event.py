"""MemberEvent describes a join, leave or marker change in a room, and is stored in the room's active recordings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from harness.recording.timeline import Member


@dataclass(frozen=True)
class MemberEvent:
    """A member joined a room, left it or changed markers; ``time`` is in ms on the room's clock."""

    time: float
    event: Literal["join", "leave", "renumbered"]
    member: Member
