"""Signaling is a pure state machine for the rooms: it turns received messages into outgoing messages and does no I/O.

A lost connection can be resumed for a limited time. Both sides count the messages (except hello, welcome, ping, pong
and error), and store each sent message until it is acknowledged. When the connection is resumed, both sides send the
unacknowledged messages again.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from harness.recording.timeline import Member as TimelineMember
from harness.server.access.limits import Rates, is_too_deep
from harness.server.access.message import PARTICIPANT_MARKERS
from harness.server.access.tokens import UNTIL_REVOKED, Token
from harness.server.member_event import MemberEvent
from harness.server.rooms.members import Member, Room
from harness.server.rooms.messages import (
    SIGNAL,
    Bye,
    Hello,
    LateFrames,
    Marker,
    Ping,
    Received,
    Signal,
    SignalMessage,
    State,
    Subscribe,
)
from harness.server.rooms.outgoing import Outgoing, not_admitted, refusal
from harness.server.rooms.routes import Routes
from harness.server.rooms.viewers import Viewers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from harness.server.access.limits import ServerLimits
    from harness.server.access.tokens import Admission


class Signaling:
    """The rooms and their members; every method returns the messages to send.

    ``clock`` is the room's clock, in ms. ``on_member_event`` is called with the room's name and the event for each
    join, leave and marker change, and for late frames. ``recordings`` returns the list of a room's recordings, or None
    if the room has no list. ``routes`` are the SFU and TURN servers.
    """

    def __init__(
        self,
        admission: Admission,
        limits: ServerLimits,
        clock: Callable[[], float],
        on_member_event: Callable[[str, MemberEvent], None] = lambda _, __: None,
        recordings: Callable[[str], list[dict[str, Any]] | None] = lambda _: None,
        *,
        routes: Routes | None = None,
    ) -> None:
        self._routes = routes or Routes()
        # Identifies this server among all servers that share an SFU.
        self._server = secrets.token_urlsafe(8)
        self._admission = admission
        self._limits = limits
        self._clock = clock
        self._on_member_event = on_member_event
        self._recordings = recordings
        self.rooms: dict[str, Room] = {}
        self._members: dict[int, Member] = {}
        # Join rates by room and client. Joins are limited, because every recording in the room stores each join.
        self._joins = Rates(limits.joins)
        self._viewers = Viewers(admission, limits, clock, recordings)

    def receive(
        self, connection: int, text: str, *, may_try_code: bool = True, client: str | None = None
    ) -> list[Outgoing]:
        """Handle a message; a malformed message closes only the connection on which it arrived.

        If ``may_try_code`` is false, codes are refused without being checked. ``client`` identifies the client for the
        limits; if it is None, no limits apply.
        """
        if is_too_deep(text, self._limits.json_depth):
            return [refusal(connection, f"Malformed message: nested more than {self._limits.json_depth} levels deep.")]
        try:
            message = SIGNAL.validate_json(text)
        except ValidationError as error:
            return [refusal(connection, f"Malformed message: {error.errors(include_url=False)[0]['msg']}.")]
        if connection in self._viewers:
            return self._viewers.handle_message(connection, message)
        member = self._members.get(connection)
        if member is None:
            return self._handle_first_message(connection, message, may_try_code=may_try_code, client=client)
        if not isinstance(message, Ping):
            member.acked_seq += 1
        return self._handle_message(member, message)

    def has_connection(self, connection: int) -> bool:
        """Return whether a connection belongs to a member or a viewer."""
        return connection in self._members or connection in self._viewers

    def has_member(self, room: str, name: str) -> bool:
        """Return whether a room has a member with that name."""
        return room in self.rooms and any(member.name == name for member in self.rooms[room].members.values())

    def joins(self, room: str) -> list[MemberEvent]:
        """Return the join events of a room's current members."""
        return list(self.rooms[room].joins.values()) if room in self.rooms else []

    def disconnect(self, connection: int, reason: str) -> list[Outgoing]:
        """Remove the member or viewer whose connection has ended permanently."""
        self._viewers.remove(connection)
        member = self._members.get(connection)
        return [] if member is None else self._remove(member, reason)

    def mark_lost(self, connection: int) -> Member | None:
        """Mark a connection as lost; return its member, who can reconnect, or None if it did not belong to a member."""
        self._viewers.remove(connection)
        member = self._members.pop(connection, None)
        if member is not None:
            member.connection = None
            member.lost_at = self._clock()
        return member

    def remove_lost(self, member: Member, lost_at: float | None) -> list[Outgoing]:
        """Remove a member whose connection was lost at ``lost_at``, unless the member has reconnected since."""
        if member.connection is not None or member.lost_at != lost_at:
            return []
        return self._remove(member, "connection lost")

    def expel(self, room: str, member_id: str) -> list[Outgoing]:
        """Remove a member whose page has crashed or closed, unless the member has already left."""
        member = self.rooms[room].members.get(member_id) if room in self.rooms else None
        return [] if member is None else self._remove(member, "page gone")

    def broadcast(self, room: str, message: dict[str, Any]) -> list[Outgoing]:
        """Send a message to all members and viewers of a room."""
        to_members = _send(self.rooms[room].members.values(), message) if room in self.rooms else []
        return [*to_members, *self._viewers.broadcast(room, json.dumps(message))]

    # ---- joining and leaving ----------------------------------------------------------------------------------------

    def _handle_first_message(
        self, connection: int, message: SignalMessage, *, may_try_code: bool, client: str | None
    ) -> list[Outgoing]:
        if not isinstance(message, Hello):
            return [refusal(connection, "The first message must be hello.")]
        if message.code is not None and not may_try_code:
            return [refusal(connection, "Too many wrong codes from your address: wait a second before trying again.")]
        if message.role == "viewer":
            return self._viewers.admit(connection, message)
        if message.resume:
            return self._resume(connection, message)
        return self._join(connection, message, client)

    def _join(self, connection: int, hello: Hello, client: str | None) -> list[Outgoing]:
        token = self._admission.admit_participant(hello.token, name=hello.name, code=hello.code)
        if token is None:
            return [not_admitted(connection, wrong_code=hello.code is not None)]
        if client is not None and not self._joins.accept((token.room, client)):
            return [refusal(connection, "Too many joins from your address: wait a second before trying again.")]
        room = self.rooms.get(token.room)
        if room is None:
            if len(self.rooms) >= self._limits.rooms:
                return [refusal(connection, f"The server is full: {self._limits.rooms} rooms.")]
            room = self.rooms[token.room] = Room(token.room)
        if len(room.members) >= self._limits.participants:
            return [refusal(connection, f"The room is full: {self._limits.participants} participants.")]
        return self._add_member(connection, room, token, hello)

    def _add_member(self, connection: int, room: Room, token: Token, hello: Hello) -> list[Outgoing]:
        name = room.choose_name(token.name, self._limits.name)
        member = Member(
            id=secrets.token_urlsafe(16),
            name=name,
            room=room,
            connection=connection,
            marker=room.choose_marker(name),
            synthetic=hello.media == "synthetic",
            subscriptions=hello.subscriptions,
        )
        room.remember_marker(member)
        self._report(member, "join")
        welcome = self._welcome(member)
        to_others = self._send_to_others(member, {"type": "joined", "member": member.as_message()})
        room.members[member.id] = member
        self._members[connection] = member
        return [Outgoing(connection, json.dumps(welcome)), *to_others]

    def _welcome(self, member: Member) -> dict[str, Any]:
        room = member.room
        return {
            "type": "welcome",
            "id": member.id,
            "room": room.name,
            "name": member.name,
            "marker": member.marker,
            "members": [other.as_message() for other in room.members.values()],
            "spool_token": self._issue(member, "recorder"),
            "resume": self._issue(member, "resume"),
            **self._routes.for_member(room.name, member.id, self._server),
            "recordings": self._recordings(room.name),
        }

    def _issue(self, member: Member, role: Literal["recorder", "resume"]) -> str:
        token = Token(role=role, room=member.room.name, name=member.name, subject=member.id)
        return self._admission.issue(token, seconds=UNTIL_REVOKED, single_use=False)

    def _resume(self, connection: int, hello: Hello) -> list[Outgoing]:
        """Move a member to a new connection, even if the server has not noticed the loss of the old connection yet."""
        token = self._admission.redeem(hello.resume, "resume")
        room = self.rooms.get(token.room) if token else None
        member = room.members.get(token.subject) if room and token else None
        if member is None or member.backlog.overflowed:
            return [refusal(connection, "Not admitted: this connection to the room can't be resumed.")]
        if member.connection is not None:
            del self._members[member.connection]
        member.connection = connection
        member.lost_at = None
        self._members[connection] = member
        member.backlog.acknowledge(hello.received_seq)
        resumed = Outgoing(connection, json.dumps({"type": "resumed", "acked_seq": member.acked_seq}))
        return [resumed, *(Outgoing(connection, text) for text in member.backlog.messages)]

    def _remove(self, member: Member, reason: str) -> list[Outgoing]:
        room = member.room
        if room.members.pop(member.id, None) is None:
            return []
        if member.connection is not None:
            del self._members[member.connection]
        self._admission.revoke(room.name, member.id)
        self._report(member, "leave", member.lost_at)
        if not room.members:
            del self.rooms[room.name]
        return self._send_to_others(member, {"type": "left", "id": member.id, "reason": reason})

    # ---- messages from members
    # ----------------------------------------------------------------------------------------

    def _handle_message(self, member: Member, message: SignalMessage) -> list[Outgoing]:  # noqa: PLR0911 - one per type
        match message:
            case Ping(sent=sent, received_seq=received_seq):
                member.backlog.acknowledge(received_seq)
                pong = {"type": "pong", "sent": sent, "time": self._clock(), "acked_seq": member.acked_seq}
                return [Outgoing(member.connection, json.dumps(pong))] if member.connection is not None else []
            case Signal(to=to, data=data):
                content = {"type": "signal", "from": member.id, "data": data.model_dump(exclude_none=True)}
                return self._relay(member, to, content)
            case Received(member=other):
                return self._relay(member, other, {"type": "received", "from": member.id})
            case State(audio=audio, video=video, screen=screen, fingerprints=fingerprints):
                member.audio, member.video, member.screen = audio, video, screen
                member.fingerprints = fingerprints
                return self._send_to_others(member, {**message.model_dump(), "id": member.id})
            case Subscribe(subscriptions=subscriptions):
                member.subscriptions = subscriptions
                return self._send_to_others(member, {**message.model_dump(), "id": member.id})
            case Marker():
                return self._change_marker(member, message.marker)
            case LateFrames():
                self._report_late_frames(member, message)
                return []
            case Bye():
                return self._remove(member, "left")
            case Hello():
                return _refuse(member, "You are already in the room.")

    def _relay(self, member: Member, to: str, content: dict[str, Any]) -> list[Outgoing]:
        other = member.room.members.get(to)
        return _send([other], content) if other else []

    def _send_to_others(self, member: Member, message: dict[str, Any]) -> list[Outgoing]:
        return _send([other for other in member.room.members.values() if other is not member], message)

    def _change_marker(self, member: Member, marker: int) -> list[Outgoing]:
        """Change a member's marker to an unused one; pages request this before they send media."""
        if any(other.marker == marker for other in member.room.members.values() if other is not member):
            return _refuse(member, f"Marker {marker} belongs to another participant.")
        member.marker_changes += 1
        if member.marker_changes > PARTICIPANT_MARKERS:
            return _refuse(member, "Too many marker changes.")
        member.marker = marker
        member.room.remember_marker(member)
        self._report(member, "renumbered")
        return []

    def _report(self, member: Member, event: Literal["join", "leave", "renumbered"], time: float | None = None) -> None:
        happened = member.room.add_event(self._clock() if time is None else time, event, member)
        self._on_member_event(member.room.name, happened)

    def _report_late_frames(self, member: Member, frames: LateFrames) -> None:
        reported = TimelineMember(name=member.name, marker=frames.marker)
        event = MemberEvent(self._clock(), "late-frames", reported, frames.counters)
        self._on_member_event(member.room.name, event)


def _refuse(member: Member, message: str) -> list[Outgoing]:
    return [refusal(member.connection, message)] if member.connection is not None else []


def _send(members: Iterable[Member], message: dict[str, Any]) -> list[Outgoing]:
    """Send a message to members, and store it until they have acknowledged it."""
    text = json.dumps(message)
    outgoing = []
    for member in members:
        member.backlog.add(text)
        if member.connection is not None:
            outgoing.append(Outgoing(member.connection, text))
    return outgoing
