"""Define rooms and their members, with names, markers, and the messages that members have not acknowledged yet."""

from __future__ import annotations

import unicodedata
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from harness.recording.files.text import JOINERS, visible
from harness.recording.timeline import VOICES
from harness.recording.timeline import Member as TimelineMember
from harness.server.access.message import PARTICIPANT_MARKERS
from harness.server.member_event import MemberEvent

if TYPE_CHECKING:
    from typing import Literal

    from harness.server.rooms.messages import Subscriptions

# Maximum number of names whose markers a room remembers.
_MAX_NAMES: Final = 1000
# Maximum number of messages and of bytes in a backlog. Pages acknowledge messages every five seconds.
_MAX_MESSAGES: Final = 1000
_MAX_BYTES: Final = 1_000_000


@dataclass
class Backlog:
    """The messages that a member has not acknowledged yet; they are sent again when the member reconnects."""

    messages: deque[str] = field(default_factory=deque)
    # Number of messages that the member has acknowledged.
    received_seq: int = 0
    size: int = 0
    # Whether messages were dropped. If so, the connection can't be resumed.
    overflowed: bool = False

    def add(self, text: str) -> None:
        """Store a message until the member acknowledges it; if the backlog overflows, drop all stored messages."""
        if self.overflowed:
            return
        self.messages.append(text)
        self.size += len(text)
        if len(self.messages) > _MAX_MESSAGES or self.size > _MAX_BYTES:
            self.overflowed = True
            self.messages.clear()
            self.size = 0

    def acknowledge(self, received_seq: int) -> None:
        """Delete the messages that the member has received: the first ``received_seq`` after the welcome message."""
        while self.received_seq < received_seq and self.messages:
            self.size -= len(self.messages.popleft())
            self.received_seq += 1


@dataclass
class Member:
    """A participant in a room; while the connection is lost, ``connection`` is None and ``lost_at`` is set.

    ``lost_at`` is in ms on the room's clock.
    """

    id: str
    name: str
    room: Room
    connection: int | None
    marker: int
    synthetic: bool
    lost_at: float | None = None
    backlog: Backlog = field(default_factory=Backlog)
    # Number of messages that the server has received from the member.
    acked_seq: int = 0
    audio: bool = True
    video: bool = True
    screen: bool = False
    fingerprints: list[str] = field(default_factory=list)
    subscriptions: Subscriptions = None
    marker_changes: int = 0

    def as_message(self) -> dict[str, Any]:
        """Return the member in the format that pages expect (``MemberInfo``)."""
        subscriptions = self.subscriptions
        return {
            "id": self.id,
            "name": self.name,
            "marker": self.visible_marker,
            "audio": self.audio,
            "video": self.video,
            "screen": self.screen,
            "fingerprints": self.fingerprints,
            "subscriptions": subscriptions and {key: size.model_dump() for key, size in subscriptions.items()},
        }

    @property
    def visible_marker(self) -> int | None:
        """The marker in the member's media, or None if the media is not synthetic."""
        return self.marker if self.synthetic else None


@dataclass
class Room:
    """A room's members by id, their join events, and the marker that belongs to each name."""

    name: str
    members: dict[str, Member] = field(default_factory=dict)
    joins: dict[str, MemberEvent] = field(default_factory=dict)
    markers_by_name: dict[str, int | None] = field(default_factory=dict)
    next_marker: int = 0

    def choose_name(self, wanted: str, max_length: int) -> str:
        """Return a version of the requested name that is printable, short and unique in the room."""
        composed = unicodedata.normalize("NFC", wanted)
        printable = "".join(sign for sign in composed if sign.isprintable() or sign in JOINERS)
        name = " ".join(printable.split())[:max_length]
        name = name if visible(name) else "guest"
        used = {visible(member.name) for member in self.members.values()}
        number = 2
        free = name
        while visible(free) in used:
            free = f"{name} {number}"
            number += 1
        return free

    def choose_marker(self, name: str) -> int:
        """Return a marker that no other member has; a returning participant gets the same marker again if possible.

        Markers that are equal modulo 16 have the same tone. If two participants have the same tone, it is unknown which
        one is audible. The new marker's tone is therefore one that no present member has, unless there are more than 16
        synthetic members. Of these tones, the one that has been unused for the longest time is chosen, because a
        recording may also contain participants who have left.
        """
        used = {member.marker for member in self.members.values()}
        tones = {member.marker % VOICES for member in self.members.values() if member.synthetic}
        known = self.markers_by_name.get(name)
        if known is not None and known not in used and (known % VOICES not in tones or len(tones) == VOICES):
            return known
        remembered = enumerate(self.markers_by_name.values())
        last_used = {marker % VOICES: order for order, marker in remembered if marker is not None}
        following = ((self.next_marker + number) % PARTICIPANT_MARKERS for number in range(PARTICIPANT_MARKERS))
        free = [marker for marker in following if marker not in used] or [self.next_marker % PARTICIPANT_MARKERS]
        chosen = min(free, key=lambda marker: (marker % VOICES in tones, last_used.get(marker % VOICES, -1)))
        self.next_marker = chosen + 1
        return chosen

    def remember_marker(self, member: Member) -> None:
        """Store which marker belongs to the member's name, and forget the oldest name if there are too many names."""
        self.markers_by_name.pop(member.name, None)
        self.markers_by_name[member.name] = member.visible_marker
        if len(self.markers_by_name) > _MAX_NAMES:
            del self.markers_by_name[next(iter(self.markers_by_name))]

    def add_event(self, time: float, event: Literal["join", "leave", "renumbered"], member: Member) -> MemberEvent:
        """Return the event to add to active recordings; also store a join event until the member leaves."""
        happened = MemberEvent(time, event, TimelineMember(name=member.name, marker=member.visible_marker))
        if event == "join":
            self.joins[member.id] = happened
        elif event == "renumbered":
            self.joins[member.id] = replace(self.joins[member.id], member=happened.member)
        else:
            del self.joins[member.id]
        return happened
