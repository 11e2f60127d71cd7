"""Signalling as a pure state machine: messages in, messages out, no I/O."""

from __future__ import annotations

import secrets
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from harness.recording.timeline import Member as TimelineMember
from harness.server.admission import A_DAY, Grant
from harness.server.messages import (
    SIGNAL,
    Bye,
    Hello,
    Ping,
    Received,
    Signal,
    SignalMessage,
    State,
    Wants,
    WantsMessage,
)
from harness.server.spool import Happened

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.server.admission import Admission, Limits

# Synthetic media carry their number in eight bits.
_MARKERS = 256


@dataclass(frozen=True)
class Send:
    """A message for one connection; ``close`` closes it afterwards."""

    connection: int
    message: dict[str, Any]
    close: bool = False


@dataclass
class Member:
    """Somebody in a room."""

    id: str
    name: str
    room: Room
    connection: int
    marker: int
    synthetic: bool
    audio: bool = True
    video: bool = True
    screen: bool = False
    wants: Wants = None

    def as_message(self) -> dict[str, Any]:
        """Return what others are told of the member (MemberInfo)."""
        return {
            "id": self.id,
            "name": self.name,
            "marker": self.marker if self.synthetic else None,
            "audio": self.audio,
            "video": self.video,
            "screen": self.screen,
            "wants": _plain(self.wants),
        }


@dataclass
class Room:
    """The members of a room, by id, and the record of everybody who ever was in it."""

    name: str
    members: dict[str, Member] = field(default_factory=dict)
    markers: int = 0
    markers_by_name: dict[str, int | None] = field(default_factory=dict)
    record: list[Happened] = field(default_factory=list)


class Signaling:
    """Rooms and their members; every method returns what is to be sent.

    ``clock`` is the room's, in ms; ``tell`` hears of each join and leave, with the room's name.
    """

    def __init__(
        self,
        admission: Admission,
        limits: Limits,
        clock: Callable[[], float],
        tell: Callable[[str, Happened], None] = lambda _, __: None,
    ) -> None:
        self._admission = admission
        self._limits = limits
        self._clock = clock
        self._tell_of = tell
        self.rooms: dict[str, Room] = {}
        self._members: dict[int, Member] = {}

    def receive(self, connection: int, text: str) -> list[Send]:
        """Take a message; a malformed one closes the connection that sent it, and nothing else."""
        try:
            message = SIGNAL.validate_json(text)
        except ValidationError as error:
            return [_refusal(connection, f"Malformed message: {error.errors(include_url=False)[0]['msg']}.")]
        member = self._members.get(connection)
        if member is None:
            if isinstance(message, Hello):
                return self._enter(connection, message)
            return [_refusal(connection, "Say hello first.")]
        return self._obey(member, message)

    def disconnect(self, connection: int, reason: str) -> list[Send]:
        """Take a member out whose connection is gone."""
        member = self._members.pop(connection, None)
        if member is None:
            return []
        room = member.room
        del room.members[member.id]
        self._admission.revoke(room.name, member.id)
        self._record("leave", member)
        if not room.members:
            del self.rooms[room.name]
        return self._tell(room, {"type": "left", "id": member.id, "reason": reason})

    def _enter(self, connection: int, hello: Hello) -> list[Send]:
        grant = self._admission.enter(hello.token, name=hello.name, code=hello.code)
        if grant is None:
            return [_refusal(connection, "Not admitted: the token or code is wrong, used or too old.")]
        room = self.rooms.get(grant.room)
        if room is None:
            if len(self.rooms) >= self._limits.rooms:
                return [_refusal(connection, f"The server is full: {self._limits.rooms} rooms.")]
            room = self.rooms[grant.room] = Room(grant.room)
        if len(room.members) >= self._limits.participants:
            return [_refusal(connection, f"The room is full: {self._limits.participants} participants.")]
        name = self._free_name(room, grant.name)
        member = Member(
            id=secrets.token_urlsafe(16),
            name=name,
            room=room,
            connection=connection,
            marker=self._free_marker(room, name),
            synthetic=hello.media == "synthetic",
            wants=hello.wants,
        )
        room.markers_by_name[member.name] = member.marker if member.synthetic else None
        self._record("join", member)
        others = [other.as_message() for other in room.members.values()]
        sends = self._tell(room, {"type": "joined", "member": member.as_message()})
        room.members[member.id] = member
        self._members[connection] = member
        recorder = Grant(role="recorder", room=room.name, name=member.name, subject=member.id)
        welcome = {
            "type": "welcome",
            "id": member.id,
            "room": room.name,
            "name": member.name,
            "marker": member.marker,
            "members": others,
            "spool_token": self._admission.issue(recorder, seconds=A_DAY, single_use=False),
            "ice_servers": [],
        }
        return [Send(connection, welcome), *sends]

    def _obey(self, member: Member, message: SignalMessage) -> list[Send]:  # noqa: PLR0911 - one a message
        match message:
            case Ping(sent=sent):
                return [Send(member.connection, {"type": "pong", "sent": sent, "time": self._clock()})]
            case Signal(to=to, data=data):
                content = {"type": "signal", "from": member.id, "data": data.model_dump(exclude_none=True)}
                return self._to_one(member, to, content)
            case Received(member=other):
                return self._to_one(member, other, {"type": "received", "from": member.id})
            case State(audio=audio, video=video, screen=screen):
                member.audio, member.video, member.screen = audio, video, screen
                state = {"type": "state", "id": member.id, "audio": audio, "video": video, "screen": screen}
                return self._tell(member.room, state, but=member)
            case WantsMessage(wants=wants):
                member.wants = wants
                return self._tell(member.room, {"type": "wants", "id": member.id, "wants": _plain(wants)}, but=member)
            case Bye():
                return self.disconnect(member.connection, "left")
            case Hello():
                return [_refusal(member.connection, "You are in the room already.")]

    def _to_one(self, member: Member, to: str, content: dict[str, Any]) -> list[Send]:
        other = member.room.members.get(to)
        return [Send(other.connection, content)] if other else []

    def _tell(self, room: Room, message: dict[str, Any], *, but: Member | None = None) -> list[Send]:
        return [Send(member.connection, message) for member in room.members.values() if member is not but]

    def _free_marker(self, room: Room, name: str) -> int:
        """Return a number unlike everybody else's; who comes back keeps theirs, so that a recorded name has one."""
        taken = {member.marker for member in room.members.values()}
        known = room.markers_by_name.get(name)
        if known is not None and known not in taken:
            return known
        while room.markers % _MARKERS in taken and len(taken) < _MARKERS:
            room.markers += 1
        room.markers += 1
        return (room.markers - 1) % _MARKERS

    def _record(self, event: Literal["join", "leave"], member: Member) -> None:
        marker = member.marker if member.synthetic else None
        happened = Happened(self._clock(), event, TimelineMember(name=member.name, marker=marker))
        member.room.record.append(happened)
        self._tell_of(member.room.name, happened)

    def _free_name(self, room: Room, wished: str) -> str:
        """Return the name without controls, cut to size, and unlike everybody else's."""
        printable = "".join(sign for sign in unicodedata.normalize("NFC", wished) if sign.isprintable())
        name = " ".join(printable.split())[: self._limits.name] or "guest"
        taken = {member.name for member in room.members.values()}
        number = 2
        free = name
        while free in taken:
            free = f"{name} {number}"
            number += 1
        return free


def _refusal(connection: int, message: str) -> Send:
    return Send(
        connection, {"type": "error", "name": "InvalidStateError", "code": None, "message": message}, close=True
    )


def _plain(wants: Wants) -> dict[str, Any] | None:
    return None if wants is None else {key: size.model_dump() for key, size in wants.items()}
