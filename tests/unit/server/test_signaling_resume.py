"""A member who loses the connection and reconnects misses no messages."""

from __future__ import annotations

import json

import pytest

from tests.support.signaling import SignalingServer

pytestmark = pytest.mark.parallel


@pytest.fixture
def server() -> SignalingServer:
    """Return a signaling server without members."""
    return SignalingServer()


def test_a_resumed_connection_misses_no_message(server: SignalingServer) -> None:
    """A member who reconnects receives each message exactly once.

    When a member reconnects, the other members are not notified.
    """
    alice, bob = server.join(1, "alice"), server.join(2, "bob")
    server.forget_sent()
    server.send(1, {"type": "subscribe", "subscriptions": None})
    server.send(2, {"type": "received", "member": alice["id"]})

    server.lose(2)
    server.send(1, {"type": "received", "member": bob["id"]})
    server.send(1, {"type": "state", "audio": False, "video": True})
    server.send(3, {"type": "hello", "resume": bob["resume"], "received_seq": 1})

    assert [{"type": "resumed", "acked_seq": 1}, "received", "state"] == [
        message if message["type"] == "resumed" else message["type"] for message in server.take_sent(3)
    ]
    assert ["received"] == [message["type"] for message in server.take_sent(1)]


def test_acknowledged_messages_are_not_repeated(server: SignalingServer) -> None:
    """A ``ping`` acknowledges messages.

    After a member's reconnect, the server resends only the messages that the member had not acknowledged.
    """
    server.join(1, "alice")
    bob = server.join(2, "bob")
    for audio in (True, False):
        server.send(1, {"type": "state", "audio": audio, "video": True})
    server.send(2, {"type": "ping", "sent": 1, "received_seq": 2})

    member = server.lose(2)
    server.forget_sent()
    server.send(3, {"type": "hello", "resume": bob["resume"], "received_seq": 2})

    assert ["resumed"] == [message["type"] for message in server.take_sent(3)]
    assert 0 == len(member.backlog.messages)


def test_a_connection_can_be_resumed_before_its_loss_is_noticed(server: SignalingServer) -> None:
    """If a member reconnects before the server notices the disconnect, noticing it later has no effect."""
    server.join(1, "alice")
    bob = server.join(2, "bob")
    server.forget_sent()

    server.send(3, {"type": "hello", "resume": bob["resume"], "received_seq": 0})
    gone = server.signaling.mark_lost(2)

    assert gone is None
    assert {"alice", "bob"} == {member.name for member in server.signaling.rooms["daily"].members.values()}
    assert [] == server.take_sent(1)


def test_a_member_who_does_not_return_left_when_the_connection_was_lost(server: SignalingServer) -> None:
    """If a disconnected member does not reconnect in time, the other members are notified.

    The leave event of a member who lost the connection has the time of the disconnect.
    """
    server.join(1, "alice")
    server.join(2, "bob")
    member = server.lose(2)
    lost_at = server.now
    server.forget_sent()

    server.now += 10_000
    sends = server.signaling.remove_lost(member, member.lost_at)

    assert [("left", "connection lost")] == [
        (message["type"], message["reason"]) for message in (json.loads(send.text) for send in sends)
    ]
    left = server.events[-1]
    assert ("leave", lost_at) == (left.event, left.time)


def test_a_second_lost_connection_gets_a_full_wait(server: SignalingServer) -> None:
    """Each time a member disconnects again after a reconnect, the server waits for the full time again."""
    bob = server.join(2, "bob")
    member = server.lose(2)
    first = member.lost_at
    server.send(3, {"type": "hello", "resume": bob["resume"], "received_seq": 0})
    server.now += 5_000
    server.lose(3)

    assert [] == server.signaling.remove_lost(member, first)
    assert "daily" in server.signaling.rooms


def test_resume_is_refused_after_a_bye(server: SignalingServer) -> None:
    """A ``bye`` message revokes the member's resume token."""
    server.join(1, "alice")
    bob = server.join(2, "bob")
    server.send(2, {"type": "bye"})

    server.send(3, {"type": "hello", "resume": bob["resume"], "received_seq": 0})

    assert {3} == server.closed


def test_resume_is_refused_after_the_backlog_overflowed(server: SignalingServer) -> None:
    """A member can't resume a connection once the backlog of messages for this member has exceeded its maximum size."""
    alice = server.join(1, "alice")
    bob = server.join(2, "bob")
    member = server.lose(2)
    sdp = {"description": {"type": "offer", "sdp": "v" * 60_000}}
    for _ in range(100):
        server.send(1, {"type": "signal", "to": bob["id"], "data": sdp})

    server.send(3, {"type": "hello", "resume": bob["resume"], "received_seq": 0})

    assert {3} == server.closed
    assert 2_000_000 > sum(map(len, member.backlog.messages))
    assert alice["id"] in server.signaling.rooms["daily"].members


def test_resume_is_refused_although_later_messages_were_acknowledged(server: SignalingServer) -> None:
    """Once messages for a member were dropped, the member can't resume, even after acknowledging newer messages."""
    alice = server.join(1, "alice")
    bob = server.join(2, "bob")
    for _ in range(1_100):
        server.send(1, {"type": "received", "member": bob["id"]})
    server.send(2, {"type": "ping", "sent": 1, "received_seq": 1_100})
    server.send(1, {"type": "received", "member": bob["id"]})
    server.lose(2)

    server.send(3, {"type": "hello", "resume": bob["resume"], "received_seq": 1_100})

    assert {3} == server.closed
    assert alice["id"] in server.signaling.rooms["daily"].members
