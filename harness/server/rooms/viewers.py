"""Viewers are pages that see a room's recordings without joining the room or seeing its members."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

from harness.server.access.tokens import UNTIL_REVOKED, Token
from harness.server.rooms.messages import Bye, Hello, Ping, SignalMessage
from harness.server.rooms.outgoing import Outgoing, not_admitted, refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.server.access.limits import ServerLimits
    from harness.server.access.tokens import Admission


class Viewers:
    """All rooms' viewers, by connection; every method returns the messages to send.

    ``clock`` is the room's clock, in ms. ``recordings`` returns the list of a room's recordings, or None if the room
    has no list.
    """

    def __init__(
        self,
        admission: Admission,
        limits: ServerLimits,
        clock: Callable[[], float],
        recordings: Callable[[str], list[dict[str, Any]] | None],
    ) -> None:
        self._admission = admission
        self._limits = limits
        self._clock = clock
        self._recordings = recordings
        self._tokens: dict[int, Token] = {}

    def __contains__(self, connection: int) -> bool:
        """Return whether a connection belongs to a viewer."""
        return connection in self._tokens

    def admit(self, connection: int, hello: Hello) -> list[Outgoing]:
        """Send the list of recordings and a token to a viewer who sent the right code."""
        room = self._admission.admit_viewer(hello.code)
        if room is None:
            return [not_admitted(connection, wrong_code=hello.code is not None)]
        recordings = self._recordings(room)
        if recordings is None:
            return [refusal(connection, "This server does not provide a list of recordings.")]
        if len(self._tokens) >= self._limits.viewers:
            return [refusal(connection, f"The server is full: {self._limits.viewers} viewers.")]
        token = self._tokens[connection] = Token(role="viewer", room=room, subject=secrets.token_urlsafe(16))
        secret = self._admission.issue(token, seconds=UNTIL_REVOKED, single_use=False)
        viewing = {"type": "viewing", "room": room, "token": secret, "recordings": recordings}
        return [Outgoing(connection, json.dumps(viewing))]

    def handle_message(self, connection: int, message: SignalMessage) -> list[Outgoing]:
        """Answer a viewer's ping or bye, and refuse other messages."""
        match message:
            case Ping(sent=sent):
                pong = {"type": "pong", "sent": sent, "time": self._clock(), "acked_seq": 0}
                return [Outgoing(connection, json.dumps(pong))]
            case Bye():
                self.remove(connection)
                return []
            case _:
                return [refusal(connection, "Viewers can't send messages to the room.")]

    def remove(self, connection: int) -> None:
        """Remove the viewer whose connection has ended, if the connection belonged to a viewer."""
        token = self._tokens.pop(connection, None)
        if token is not None:
            self._admission.revoke(token.room, token.subject)

    def broadcast(self, room: str, text: str) -> list[Outgoing]:
        """Send a message to all viewers of a room."""
        return [Outgoing(connection, text) for connection, token in self._tokens.items() if token.room == room]
