"""Signalling as a pure state machine: messages in, messages out, no I/O.

A connection that is lost is waited for a while. Both sides count what they say in the room (all but hello, welcome,
ping, pong and error), keep it until the other has heard it, and say the rest again when the connection is back.
"""

from __future__ import annotations

import json
import secrets
import unicodedata
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from harness.recording.files.text import JOINERS, visible
from harness.recording.timeline import Member as TimelineMember
from harness.server.access.limits import Rates, too_deep
from harness.server.access.tokens import WHILE_IN, Grant
from harness.server.rooms.messages import (
    SIGNAL,
    Bye,
    Hello,
    Marker,
    Ping,
    Received,
    Signal,
    SignalMessage,
    State,
    Subscribe,
    Subscriptions,
)
from harness.server.rooms.outgoing import Send, not_admitted, refusal
from harness.server.rooms.routes import Routes
from harness.server.rooms.viewers import Viewers
from harness.server.spool.active_recording import Happened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from harness.server.access.limits import Limits
    from harness.server.access.tokens import Admission

# Synthetic media carry their number in eight bits.
_MARKERS = 256
# Whose names of earlier members keep their numbers.
_MOST_NAMES = 1000
# What is kept for a member who hears nothing; pages say every five seconds what they have heard.
_MOST_KEPT = 1000
_MOST_BYTES_KEPT = 1_000_000


@dataclass
class Member:
    """Somebody in a room; ``connection`` is None while it is lost, since ``lost_at`` (ms, the room's clock)."""

    id: str
    name: str
    room: Room
    connection: int | None
    marker: int
    synthetic: bool
    lost_at: float | None = None
    # What was said to the member and not heard yet, how many were heard, and how many were taken from the member.
    unheard: deque[str] = field(default_factory=deque)
    unheard_size: int = 0
    received_seq: int = 0
    acked_seq: int = 0
    # Whether something was not kept, so that the connection can't be taken up again.
    missed: bool = False
    audio: bool = True
    video: bool = True
    screen: bool = False
    subscriptions: Subscriptions = None
    renumbered: int = 0

    def hear(self, count: int) -> None:
        """Forget what the member has heard: ``count`` messages since the welcome."""
        while self.received_seq < count and self.unheard:
            self.unheard_size -= len(self.unheard.popleft())
            self.received_seq += 1

    def keep(self, text: str) -> None:
        """Keep what is said to the member until they have heard it; past a bound there is no coming back."""
        if self.missed:
            return
        self.unheard.append(text)
        self.unheard_size += len(text)
        if len(self.unheard) > _MOST_KEPT or self.unheard_size > _MOST_BYTES_KEPT:
            self.missed = True
            self.unheard.clear()
            self.unheard_size = 0

    def as_message(self) -> dict[str, Any]:
        """Return what others are told of the member (MemberInfo)."""
        return {
            "id": self.id,
            "name": self.name,
            "marker": self.marker if self.synthetic else None,
            "audio": self.audio,
            "video": self.video,
            "screen": self.screen,
            "subscriptions": _plain(self.subscriptions),
        }


@dataclass
class Room:
    """The members of a room, by id, when each came in, and which numbers belong to whose names."""

    name: str
    members: dict[str, Member] = field(default_factory=dict)
    markers: int = 0
    markers_by_name: dict[str, int | None] = field(default_factory=dict)
    joins: dict[str, Happened] = field(default_factory=dict)


class Signaling:
    """Rooms and their members; every method returns what is to be sent.

    ``clock`` is the room's, in ms; ``tell`` hears of each join and leave, with the room's name; ``recordings`` gives
    what was recorded in a room, or None where nobody keeps a list. ``routes`` are the ways that media take.
    """

    def __init__(
        self,
        admission: Admission,
        limits: Limits,
        clock: Callable[[], float],
        tell: Callable[[str, Happened], None] = lambda _, __: None,
        recordings: Callable[[str], list[dict[str, Any]] | None] = lambda _: None,
        *,
        routes: Routes | None = None,
    ) -> None:
        self._routes = routes or Routes()
        # By this, those of other servers that share an SFU are told from ours.
        self._server = secrets.token_urlsafe(8)
        self._admission = admission
        self._limits = limits
        self._clock = clock
        self._tell_of = tell
        self._recordings = recordings
        self.rooms: dict[str, Room] = {}
        self._members: dict[int, Member] = {}
        # By room and client: who joins often has to wait, since each join is part of every recording of the room.
        self._joins = Rates(limits.joins)
        self._viewers = Viewers(admission, limits, clock, recordings)

    def receive(self, connection: int, text: str, *, may_guess: bool = True, client: str | None = None) -> list[Send]:
        """Take a message; a malformed one closes the connection that sent it, and nothing else.

        With ``may_guess`` false no code is looked at. ``client`` is the address that limits count by, or None
        where nothing counts.
        """
        if too_deep(text, self._limits.json_depth):
            return [refusal(connection, f"Malformed message: nested more than {self._limits.json_depth} deep.")]
        try:
            message = SIGNAL.validate_json(text)
        except ValidationError as error:
            return [refusal(connection, f"Malformed message: {error.errors(include_url=False)[0]['msg']}.")]
        if connection in self._viewers:
            return self._viewers.receive(connection, message)
        member = self._members.get(connection)
        if member is None:
            return self._greet(connection, message, may_guess=may_guess, client=client)
        if not isinstance(message, Ping):
            member.acked_seq += 1
        return self._obey(member, message)

    def knows(self, connection: int) -> bool:
        """Tell whether somebody in a room, or who looks at one, has this connection."""
        return connection in self._members or connection in self._viewers

    def disconnect(self, connection: int, reason: str) -> list[Send]:
        """Take out the member whose connection has ended for good."""
        self._viewers.leave(connection)
        member = self._members.get(connection)
        return [] if member is None else self._remove(member, reason)

    def lose(self, connection: int) -> Member | None:
        """Note that a connection is lost; return whose it was, to be waited for, or None."""
        self._viewers.leave(connection)
        member = self._members.pop(connection, None)
        if member is not None:
            member.connection = None
            member.lost_at = self._clock()
        return member

    def give_up(self, member: Member, lost_at: float | None) -> list[Send]:
        """Take a member out who has not come back since ``lost_at``; nobody hears of one who has."""
        if member.connection is not None or member.lost_at != lost_at:
            return []
        return self._remove(member, "connection lost")

    def expel(self, room: str, member_id: str) -> list[Send]:
        """Take out a member whose page is known to be gone; one who has left already is fine."""
        member = self.rooms[room].members.get(member_id) if room in self.rooms else None
        return [] if member is None else self._remove(member, "page gone")

    def announce(self, room: str, message: dict[str, Any]) -> list[Send]:
        """Say something to everybody in a room, if anybody is, and to those who look at it."""
        inside = _say(self.rooms[room].members.values(), message) if room in self.rooms else []
        return [*inside, *self._viewers.announce(room, json.dumps(message))]

    def _remove(self, member: Member, reason: str) -> list[Send]:
        room = member.room
        if room.members.pop(member.id, None) is None:
            return []
        if member.connection is not None:
            del self._members[member.connection]
        self._admission.revoke(room.name, member.id)
        self._record("leave", member, member.lost_at)
        if not room.members:
            del self.rooms[room.name]
        return self._tell(room, {"type": "left", "id": member.id, "reason": reason})

    def _greet(self, connection: int, message: SignalMessage, *, may_guess: bool, client: str | None) -> list[Send]:
        """Take the first message of a connection."""
        if not isinstance(message, Hello):
            return [refusal(connection, "Say hello first.")]
        if message.code is not None and not may_guess:
            return [refusal(connection, "Too many wrong codes from your address: wait a second before the next one.")]
        if message.role == "viewer":
            return self._viewers.enter(connection, message)
        return self._resume(connection, message) if message.resume else self._enter(connection, message, client)

    def _enter(self, connection: int, hello: Hello, client: str | None) -> list[Send]:
        grant = self._admission.enter(hello.token, name=hello.name, code=hello.code)
        if grant is None:
            return [not_admitted(connection, guess=hello.code is not None)]
        if client is not None and not self._joins.takes_one((grant.room, client)):
            return [refusal(connection, "Too many joins from your address: wait a second before the next one.")]
        room = self.rooms.get(grant.room)
        if room is None:
            if len(self.rooms) >= self._limits.rooms:
                return [refusal(connection, f"The server is full: {self._limits.rooms} rooms.")]
            room = self.rooms[grant.room] = Room(grant.room)
        if len(room.members) >= self._limits.participants:
            return [refusal(connection, f"The room is full: {self._limits.participants} participants.")]
        name = self._free_name(room, grant.name)
        member = Member(
            id=secrets.token_urlsafe(16),
            name=name,
            room=room,
            connection=connection,
            marker=self._free_marker(room, name),
            synthetic=hello.media == "synthetic",
            subscriptions=hello.subscriptions,
        )
        _remember(room, member)
        self._record("join", member)
        others = [other.as_message() for other in room.members.values()]
        sends = self._tell(room, {"type": "joined", "member": member.as_message()})
        room.members[member.id] = member
        self._members[connection] = member
        recorder = Grant(role="recorder", room=room.name, name=member.name, subject=member.id)
        resume = Grant(role="resume", room=room.name, name=member.name, subject=member.id)
        welcome = {
            "type": "welcome",
            "id": member.id,
            "room": room.name,
            "name": member.name,
            "marker": member.marker,
            "members": others,
            "spool_token": self._admission.issue(recorder, seconds=WHILE_IN, single_use=False),
            "resume": self._admission.issue(resume, seconds=WHILE_IN, single_use=False),
            **self._routes.for_member(room.name, member.id, self._server),
            "recordings": self._recordings(room.name),
        }
        return [Send(connection, json.dumps(welcome)), *sends]

    def _resume(self, connection: int, hello: Hello) -> list[Send]:
        """Let a member go on whose connection was lost, or is not known to be lost yet, on this one."""
        grant = self._admission.redeem(hello.resume, "resume")
        room = self.rooms.get(grant.room) if grant else None
        member = room.members.get(grant.subject) if room and grant else None
        if member is None or member.missed:
            return [refusal(connection, "Not admitted: there is no membership here that could go on.")]
        if member.connection is not None:
            del self._members[member.connection]
        member.connection = connection
        member.lost_at = None
        self._members[connection] = member
        member.hear(hello.received_seq)
        resumed = Send(connection, json.dumps({"type": "resumed", "acked_seq": member.acked_seq}))
        return [resumed, *(Send(connection, text) for text in member.unheard)]

    def _obey(self, member: Member, message: SignalMessage) -> list[Send]:  # noqa: PLR0911 - one a message
        match message:
            case Ping(sent=sent, received_seq=received_seq):
                member.hear(received_seq)
                pong = {"type": "pong", "sent": sent, "time": self._clock(), "acked_seq": member.acked_seq}
                return [Send(member.connection, json.dumps(pong))] if member.connection is not None else []
            case Signal(to=to, data=data):
                content = {"type": "signal", "from": member.id, "data": data.model_dump(exclude_none=True)}
                return self._to_one(member, to, content)
            case Received(member=other):
                return self._to_one(member, other, {"type": "received", "from": member.id})
            case State(audio=audio, video=video, screen=screen):
                member.audio, member.video, member.screen = audio, video, screen
                return self._tell(member.room, {**message.model_dump(), "id": member.id}, but=member)
            case Subscribe(subscriptions=subscriptions):
                member.subscriptions = subscriptions
                change = {**message.model_dump(), "id": member.id}
                return self._tell(member.room, change, but=member)
            case Marker():
                return self._renumber(member, message.marker)
            case Bye():
                return self._remove(member, "left")
            case Hello():
                refused = "You are in the room already."
                return [refusal(member.connection, refused)] if member.connection is not None else []

    def _to_one(self, member: Member, to: str, content: dict[str, Any]) -> list[Send]:
        other = member.room.members.get(to)
        return _say([other], content) if other else []

    def _tell(self, room: Room, message: dict[str, Any], *, but: Member | None = None) -> list[Send]:
        return _say([member for member in room.members.values() if member is not but], message)

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

    def _renumber(self, member: Member, marker: int) -> list[Send]:
        """Take note of another number, which nobody else has; it is chosen before anything is sent."""
        if any(other.marker == marker for other in member.room.members.values() if other is not member):
            refused = f"The number {marker} is somebody else's."
            return [refusal(member.connection, refused)] if member.connection is not None else []
        member.renumbered += 1
        if member.renumbered > _MARKERS:
            return [refusal(member.connection, "Too many numbers.")] if member.connection is not None else []
        member.marker = marker
        _remember(member.room, member)
        self._record("renumbered", member)
        return []

    def _record(self, event: Literal["join", "leave", "renumbered"], member: Member, at: float | None = None) -> None:
        marker = member.marker if member.synthetic else None
        time = self._clock() if at is None else at
        happened = Happened(time, event, TimelineMember(name=member.name, marker=marker))
        joins = member.room.joins
        if event == "join":
            joins[member.id] = happened
        elif event == "renumbered":
            joins[member.id] = replace(joins[member.id], member=happened.member)
        else:
            del joins[member.id]
        self._tell_of(member.room.name, happened)

    def _free_name(self, room: Room, wished: str) -> str:
        """Return the name without controls, cut to size, and unlike everybody else's."""
        composed = unicodedata.normalize("NFC", wished)
        printable = "".join(sign for sign in composed if sign.isprintable() or sign in JOINERS)
        name = " ".join(printable.split())[: self._limits.name]
        name = name if visible(name) else "guest"
        taken = {visible(member.name) for member in room.members.values()}
        number = 2
        free = name
        while visible(free) in taken:
            free = f"{name} {number}"
            number += 1
        return free


def _remember(room: Room, member: Member) -> None:
    """Keep a member's number for who comes back by that name; of very many names the oldest is forgotten."""
    room.markers_by_name.pop(member.name, None)
    room.markers_by_name[member.name] = member.marker if member.synthetic else None
    if len(room.markers_by_name) > _MOST_NAMES:
        del room.markers_by_name[next(iter(room.markers_by_name))]


def _say(members: Iterable[Member], message: dict[str, Any]) -> list[Send]:
    """Say something to members, and keep it until they have heard it."""
    text = json.dumps(message)
    sends = []
    for member in members:
        member.keep(text)
        if member.connection is not None:
            sends.append(Send(member.connection, text))
    return sends


def _plain(subscriptions: Subscriptions) -> dict[str, Any] | None:
    if subscriptions is None:
        return None
    return {key: size.model_dump() for key, size in subscriptions.items()}
