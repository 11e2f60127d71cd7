"""Viewers: who looks at what was recorded in a room and is not in it. They hear of its recordings and of nobody."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

from harness.server.access.tokens import WHILE_IN, Grant
from harness.server.rooms.messages import Bye, Hello, Ping, SignalMessage
from harness.server.rooms.outgoing import Send, not_admitted, refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.server.access.limits import Limits
    from harness.server.access.tokens import Admission


class Viewers:
    """The viewers of every room, by connection; every method returns what is to be sent.

    ``clock`` is the room's, in ms; ``recordings`` gives what was recorded in a room, or None where nobody keeps a list.
    """

    def __init__(
        self,
        admission: Admission,
        limits: Limits,
        clock: Callable[[], float],
        recordings: Callable[[str], list[dict[str, Any]] | None],
    ) -> None:
        self._admission = admission
        self._limits = limits
        self._clock = clock
        self._recordings = recordings
        self._grants: dict[int, Grant] = {}

    def __contains__(self, connection: int) -> bool:
        """Tell whether a viewer has this connection."""
        return connection in self._grants

    def enter(self, connection: int, hello: Hello) -> list[Send]:
        """Show somebody who knows the code what there is, with a token that is good while they look."""
        room = self._admission.look(hello.code)
        if room is None:
            return [not_admitted(connection, guess=hello.code is not None)]
        recordings = self._recordings(room)
        if recordings is None:
            return [refusal(connection, "No recordings are kept here.")]
        if len(self._grants) >= self._limits.viewers:
            return [refusal(connection, f"The server is full: {self._limits.viewers} viewers.")]
        grant = self._grants[connection] = Grant(role="viewer", room=room, subject=secrets.token_urlsafe(16))
        token = self._admission.issue(grant, seconds=WHILE_IN, single_use=False)
        viewing = {"type": "viewing", "room": room, "token": token, "recordings": recordings}
        return [Send(connection, json.dumps(viewing))]

    def receive(self, connection: int, message: SignalMessage) -> list[Send]:
        """Take what a viewer may say: that they are there still, and that they go."""
        match message:
            case Ping(sent=sent):
                pong = {"type": "pong", "sent": sent, "time": self._clock(), "acked_seq": 0}
                return [Send(connection, json.dumps(pong))]
            case Bye():
                self.leave(connection)
                return []
            case _:
                return [refusal(connection, "Who only looks at the recordings says nothing in the room.")]

    def leave(self, connection: int) -> None:
        """Forget a viewer whose connection has ended; one who never was is fine."""
        grant = self._grants.pop(connection, None)
        if grant is not None:
            self._admission.revoke(grant.room, grant.subject)

    def announce(self, room: str, text: str) -> list[Send]:
        """Say something to those who look at a room."""
        return [Send(connection, text) for connection, grant in self._grants.items() if grant.room == room]
