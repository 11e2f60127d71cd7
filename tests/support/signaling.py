"""SignalingServer: signaling without a network, for tests."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.server.access.limits import ServerLimits
from harness.server.access.tokens import Admission, Token
from harness.server.rooms.signaling import Signaling

if TYPE_CHECKING:
    from harness.server.member_event import MemberEvent
    from harness.server.rooms.members import Member
    from harness.server.rooms.outgoing import Outgoing


@dataclass
class SignalingServer:
    """Signaling without a network; ``sent`` contains the messages to each connection."""

    limits: ServerLimits = field(default_factory=ServerLimits)
    now: float = 5_000.0
    admission: Admission = field(default_factory=Admission)
    sent: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    closed: set[int] = field(default_factory=set)
    events: list[MemberEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.signaling = Signaling(
            self.admission,
            self.limits,
            lambda: self.now,
            on_member_event=lambda _, event: self.events.append(event),
            recordings=lambda _: [],
        )

    def send(self, connection: int, message: object) -> None:
        """Send a message over a connection; everything but text is sent as JSON."""
        text = message if isinstance(message, str) else json.dumps(message)
        self.deliver(self.signaling.receive(connection, text))

    def disconnect(self, connection: int) -> None:
        """End a connection permanently."""
        self.deliver(self.signaling.disconnect(connection, "connection lost"))

    def lose(self, connection: int) -> Member:
        """Mark a member's connection as lost but resumable, and return the member."""
        member = self.signaling.mark_lost(connection)
        assert member is not None
        return member

    def join(self, connection: int, name: str, *, room: str = "daily", **hello: Any) -> dict[str, Any]:
        """Join a room with a token; return the server's answer."""
        token = self.admission.issue(Token(role="participant", room=room, name=name))
        self.send(connection, {"type": "hello", "token": token, **hello})
        return self.sent[connection][-1]

    def take_sent(self, connection: int) -> list[dict[str, Any]]:
        """Return the messages to a connection, and delete them."""
        return self.sent.pop(connection, [])

    def forget_sent(self) -> None:
        """Delete all messages that have been sent so far."""
        self.sent.clear()

    def deliver(self, messages: list[Outgoing]) -> None:
        """Store each message under its connection."""
        for outgoing in messages:
            self.sent.setdefault(outgoing.connection, []).append(json.loads(outgoing.text))
            if outgoing.close:
                self.closed.add(outgoing.connection)
