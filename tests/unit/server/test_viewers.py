"""Viewers see a public room's recordings, but receive no information about its members."""

from __future__ import annotations

from typing import Any

import pytest

from harness.server.access.limits import ServerLimits
from harness.server.access.tokens import Admission
from tests.support.signaling import SignalingServer

pytestmark = pytest.mark.parallel


@pytest.fixture
def server() -> SignalingServer:
    """Return a signaling server without members."""
    return SignalingServer()


def test_a_viewer_is_sent_the_recordings_and_no_members(server: SignalingServer) -> None:
    """A viewer does not join the room, and a viewer's token becomes invalid when the connection ends."""
    server.admission.public_room = "daily"
    alice = server.join(1, "alice")
    server.send(2, {"type": "hello", "role": "viewer"})
    (looking,) = server.take_sent(2)
    server.forget_sent()

    server.join(3, "bob")
    server.send(1, {"type": "state", "audio": False, "video": True})
    server.deliver(server.signaling.broadcast("daily", {"type": "recordings", "recordings": []}))
    server.send(2, {"type": "ping", "sent": 1})

    assert ["viewing", "daily", []] == [looking[key] for key in ("type", "room", "recordings")]
    assert ["recordings", "pong"] == [message["type"] for message in server.take_sent(2)]
    assert ["joined", "recordings"] == [message["type"] for message in server.take_sent(1)]
    assert 2 == len(server.signaling.rooms["daily"].members)
    assert server.admission.redeem(looking["token"], "viewer")
    assert not server.admission.redeem(looking["token"], "recorder")
    server.disconnect(2)
    assert not server.admission.redeem(looking["token"], "viewer")
    assert server.admission.redeem(alice["spool_token"], "recorder")


@pytest.mark.parametrize(
    "message",
    [
        {"type": "hello", "role": "viewer"},
        {"type": "hello", "name": "alice"},
        {"type": "state", "audio": True, "video": True},
        {"type": "signal", "to": "x", "data": {}},
        {"type": "subscribe", "subscriptions": None},
    ],
)
def test_a_viewer_cannot_send_messages_to_the_room(server: SignalingServer, message: dict[str, Any]) -> None:
    """A viewer who tries to send a message to the room is disconnected, and the members receive nothing."""
    server.admission.public_room = "daily"
    server.join(1, "alice")
    server.send(2, {"type": "hello", "role": "viewer"})
    server.forget_sent()

    server.send(2, message)

    assert {2: ["error"]} == {number: [one["type"] for one in messages] for number, messages in server.sent.items()}
    assert {2} == server.closed


def test_viewers_are_admitted_up_to_the_limit() -> None:
    """The error for too many viewers contains the limit. Once a viewer has left, another viewer is admitted."""
    server = SignalingServer(limits=ServerLimits(viewers=1), admission=Admission(public_room="daily"))
    for number in (1, 2):
        server.send(number, {"type": "hello", "role": "viewer"})
    server.disconnect(1)
    server.send(3, {"type": "hello", "role": "viewer"})

    assert ["viewing", "error", "viewing"] == [server.sent[number][0]["type"] for number in (1, 2, 3)]
    assert "1 viewers" in server.sent[2][0]["message"]
