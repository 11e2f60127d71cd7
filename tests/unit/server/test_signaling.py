"""Each signaling message is delivered only to the intended members, and no client can affect another room."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.server.access.tokens import Token
from tests.support.signaling import SignalingServer

pytestmark = pytest.mark.parallel

SMALL = {"width": 640.0, "height": 360.0, "frameRate": 15.0}
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20),
    lambda inner: st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@pytest.fixture
def server() -> SignalingServer:
    """Return a signaling server without members."""
    return SignalingServer()


def test_a_welcome_describes_the_room_to_a_new_member(server: SignalingServer) -> None:
    """The ``welcome`` message contains the member's own data, the room, the other members and a recording token."""
    server.join(1, "alice", subscriptions={"*": SMALL})

    welcome = server.join(2, "bob")

    (alice,) = welcome["members"]
    media = {"audio": True, "video": True, "screen": False, "fingerprints": [], "subscriptions": {"*": SMALL}}
    assert {"name": "alice", "marker": 0, **media} == {key: value for key, value in alice.items() if key != "id"}
    assert ("welcome", "daily", "bob", 1, []) == (
        welcome["type"],
        welcome["room"],
        welcome["name"],
        welcome["marker"],
        welcome["ice_servers"],
    )
    assert welcome["id"] not in {alice["id"], ""}


def test_members_are_notified_of_a_new_member(server: SignalingServer) -> None:
    """When a member joins, the other members are notified, and the new member receives only the ``welcome`` message."""
    server.join(1, "alice")
    server.forget_sent()

    welcome = server.join(2, "bob", media="camera")

    (joined,) = server.take_sent(1)
    assert "joined" == joined["type"]
    assert (welcome["id"], "bob", None) == tuple(joined["member"][key] for key in ("id", "name", "marker"))
    assert ["welcome"] == [message["type"] for message in server.take_sent(2)]


def test_a_spool_token_is_valid_for_its_member(server: SignalingServer) -> None:
    """A member's spool token is valid for several recordings, until the member leaves."""
    welcome = server.join(1, "alice")
    token = welcome["spool_token"]

    grants = [server.admission.redeem(token, "recorder") for _ in range(2)]
    server.disconnect(1)

    assert [Token(role="recorder", room="daily", name="alice", subject=welcome["id"])] * 2 == grants
    assert server.admission.redeem(token, "recorder") is None


def test_a_refused_connection_gets_an_error_and_is_closed(server: SignalingServer) -> None:
    """A second participant with the same token is refused, and the first one stays in the room."""
    token = server.admission.issue(Token(role="participant", room="daily", name="alice"))
    server.send(1, {"type": "hello", "token": token})

    server.send(2, {"type": "hello", "token": token})

    assert "error" == server.sent[2][-1]["type"]
    assert {2} == server.closed
    assert 1 == len(server.signaling.rooms["daily"].members)


@pytest.mark.parametrize(
    "message", [{"type": "ping", "sent": 1}, {"type": "bye"}, {"type": "subscribe", "subscriptions": None}]
)
def test_a_first_message_other_than_hello_is_refused(server: SignalingServer, message: dict[str, Any]) -> None:
    """If the first message is not ``hello``, the server closes the connection."""
    server.send(1, message)

    assert [("error", "The first message must be hello.")] == [
        (sent["type"], sent["message"]) for sent in server.take_sent(1)
    ]
    assert {1} == server.closed


def test_a_second_hello_is_refused(server: SignalingServer) -> None:
    """Over one connection, a member can join only one room."""
    server.join(1, "alice")

    answer = server.join(1, "bob", room="other")

    assert "error" == answer["type"]
    assert ["daily"] == list(server.signaling.rooms)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            {"type": "state", "audio": False, "video": True, "screen": True},
            {"type": "state", "audio": False, "video": True, "screen": True, "connected": True, "fingerprints": []},
        ),
        (
            {"type": "subscribe", "subscriptions": {"*": SMALL}},
            {"type": "subscribe", "subscriptions": {"*": SMALL}},
        ),
        ({"type": "subscribe", "subscriptions": None}, {"type": "subscribe", "subscriptions": None}),
    ],
)
def test_state_and_subscriptions_are_relayed_within_the_room(
    server: SignalingServer, message: dict[str, Any], expected: dict[str, Any]
) -> None:
    """State changes and subscriptions reach all other members of the room, but not the sender or other rooms."""
    alice = server.join(1, "alice")["id"]
    server.join(2, "bob")
    server.join(3, "carol")
    server.join(4, "dave", room="other")
    server.forget_sent()

    server.send(1, message)

    assert [expected | {"id": alice}] == server.take_sent(2) == server.take_sent(3)
    assert {} == server.sent


def test_a_new_member_gets_the_present_state_of_the_others(server: SignalingServer) -> None:
    """A new member receives all other members' subscriptions, and whether their audio and video are on."""
    server.join(1, "alice")
    server.send(1, {"type": "state", "audio": False, "video": False})
    server.send(1, {"type": "subscribe", "subscriptions": {"*": SMALL}})

    (alice,) = server.join(2, "bob")["members"]

    assert (False, False, {"*": SMALL}) == (alice["audio"], alice["video"], alice["subscriptions"])


def test_a_signal_reaches_only_its_member(server: SignalingServer) -> None:
    """SDP descriptions and ICE candidates arrive unchanged, with the sender's id."""
    alice = server.join(1, "alice")["id"]
    bob = server.join(2, "bob")["id"]
    server.join(3, "carol")
    server.forget_sent()
    description = {"type": "offer", "sdp": "v=0\r\n"}
    candidate = {"candidate": "candidate:1 1 udp 1 127.0.0.1 9 typ host", "sdpMid": None, "sdpMLineIndex": 0}

    server.send(1, {"type": "signal", "to": bob, "data": {"description": description}})
    server.send(1, {"type": "signal", "to": bob, "data": {"candidate": candidate}})

    first, second = server.take_sent(2)
    assert {"type": "signal", "from": alice, "data": {"description": description}} == first
    assert {"type": "signal", "from": alice, "data": {"candidate": candidate}} == second
    assert {} == server.sent


def test_a_receipt_reaches_only_its_member(server: SignalingServer) -> None:
    """When a ``received`` message is delivered, it contains the id of the member who received the media."""
    alice = server.join(1, "alice")["id"]
    bob = server.join(2, "bob")["id"]
    server.forget_sent()

    server.send(2, {"type": "received", "member": alice})

    assert [{"type": "received", "from": bob}] == server.take_sent(1)
    assert {} == server.sent


@pytest.mark.parametrize("kind", ["signal", "received"])
def test_messages_stay_in_their_room(server: SignalingServer, kind: str) -> None:
    """Nobody can send a message to a member of another room, even if they know the member's id."""
    server.join(1, "alice")
    bob = server.join(2, "bob", room="other")["id"]
    server.forget_sent()
    messages = {"signal": {"type": "signal", "to": bob, "data": {}}, "received": {"type": "received", "member": bob}}

    server.send(1, messages[kind])

    assert {} == server.sent


def test_a_ping_is_answered_with_the_rooms_time(server: SignalingServer) -> None:
    """A ``pong`` message contains the room's time, and the time that the page sent in its ``ping``."""
    server.join(1, "alice")
    server.forget_sent()

    server.send(1, {"type": "ping", "sent": 17.25})

    assert [{"type": "pong", "sent": 17.25, "time": 5_000.0, "acked_seq": 0}] == server.take_sent(1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        "17",
        '"hello"',
        "{}",
        '{"type": "unknown"}',
        '{"type": "ping"}',
        '{"type": "ping", "sent": NaN}',
        '{"type": "ping", "sent": 1e999}',
        '{"type": "ping", "sent": 1, "more": 2}',
        '{"type": "state", "audio": 17, "video": true}',
        '{"type": "subscribe", "subscriptions": {"*": {"width": 0, "height": 1, "frameRate": 30}}}',
        '{"type": "signal", "to": "x", "data": {"description": {"type": "offer", "sdp": 1}}}',
        '{"type": "received", "member": "\\ud800"}',
        "[" * 30_000,
        '{"type": "signal", "to": "x", "data": ' + '{"candidate": ' * 5_000 + "1" + "}" * 5_001,
    ],
    ids=range(18),
)
def test_a_malformed_message_closes_its_own_connection_only(server: SignalingServer, text: str) -> None:
    """The sender of a malformed message gets a one-line error.

    If a member sends a malformed message, the other members are notified only that this member left.
    """
    server.join(1, "alice")
    server.join(2, "bob")
    server.forget_sent()

    server.send(1, text)

    (answer,) = server.take_sent(1)
    assert "error" == answer["type"]
    assert answer["message"].startswith("Malformed message: ")
    assert "\n" not in answer["message"]
    assert {1} == server.closed
    assert {} == server.sent


@settings(max_examples=50)
@given(JSON)
def test_arbitrary_messages_cause_no_crash(message: object) -> None:
    """No message from a client, however malformed, raises an exception in the server."""
    server = SignalingServer()
    server.join(1, "alice")

    server.send(1, message)

    assert "alice" in [member.name for member in server.signaling.rooms["daily"].members.values()]
