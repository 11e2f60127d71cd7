"""Signalling: who hears what, and that nobody can hurt anybody else's room."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.server.access.limits import ServerLimits
from harness.server.access.tokens import Admission, Token
from harness.server.rooms.signaling import Signaling

if TYPE_CHECKING:
    from harness.server.member_event import MemberEvent
    from harness.server.rooms.members import Member
    from harness.server.rooms.outgoing import Outgoing

pytestmark = pytest.mark.parallel

SMALL = {"width": 640.0, "height": 360.0, "frameRate": 15.0}


@dataclass
class Server:
    """A signalling server without a network; ``sent`` holds what every connection was sent."""

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

    def say(self, connection: int, message: object) -> None:
        """Let a connection send a message, as JSON unless it is text."""
        text = message if isinstance(message, str) else json.dumps(message)
        self.deliver(self.signaling.receive(connection, text))

    def disconnect(self, connection: int) -> None:
        """End a connection for good."""
        self.deliver(self.signaling.disconnect(connection, "connection lost"))

    def enter(self, connection: int, name: str, *, room: str = "daily", **hello: Any) -> dict[str, Any]:
        """Let somebody in by token; return the answer."""
        token = self.admission.issue(Token(role="participant", room=room, name=name))
        self.say(connection, {"type": "hello", "token": token, **hello})
        return self.sent[connection][-1]

    def take_sent(self, connection: int) -> list[dict[str, Any]]:
        """Return, once, what a connection was sent."""
        return self.sent.pop(connection, [])

    def quiet(self) -> None:
        """Forget what was sent so far."""
        self.sent.clear()

    def deliver(self, sends: list[Outgoing]) -> None:
        """Note what is sent."""
        for send in sends:
            self.sent.setdefault(send.connection, []).append(json.loads(send.text))
            if send.close:
                self.closed.add(send.connection)


@pytest.fixture
def server() -> Server:
    """Return a server with nobody in it."""
    return Server()


def test_a_welcome_describes_the_room_to_a_new_member(server: Server) -> None:
    """Who they are, where they are, who is there already, and how to record."""
    server.enter(1, "alice", subscriptions={"*": SMALL})

    welcome = server.enter(2, "bob")

    (alice,) = welcome["members"]
    media = {"audio": True, "video": True, "screen": False, "subscriptions": {"*": SMALL}}
    assert {"name": "alice", "marker": 0, **media} == {key: value for key, value in alice.items() if key != "id"}
    assert ("welcome", "daily", "bob", 1, []) == (
        welcome["type"],
        welcome["room"],
        welcome["name"],
        welcome["marker"],
        welcome["ice_servers"],
    )
    assert welcome["id"] not in {alice["id"], ""}


def test_members_are_notified_of_a_new_member(server: Server) -> None:
    """Everybody but the newcomer is told who joined."""
    server.enter(1, "alice")
    server.quiet()

    welcome = server.enter(2, "bob", media="camera")

    (joined,) = server.take_sent(1)
    assert "joined" == joined["type"]
    assert (welcome["id"], "bob", None) == tuple(joined["member"][key] for key in ("id", "name", "marker"))
    assert ["welcome"] == [message["type"] for message in server.take_sent(2)]


def test_a_spool_token_is_valid_for_its_member(server: Server) -> None:
    """It lets record in this member's name, more than once, until they leave."""
    welcome = server.enter(1, "alice")
    token = welcome["spool_token"]

    grants = [server.admission.redeem(token, "recorder") for _ in range(2)]
    server.disconnect(1)

    assert [Token(role="recorder", room="daily", name="alice", subject=welcome["id"])] * 2 == grants
    assert server.admission.redeem(token, "recorder") is None


def test_a_viewer_is_sent_the_recordings_and_no_members(server: Server) -> None:
    """They are in no room, and what they may do ends with their connection."""
    server.admission.public_room = "daily"
    alice = server.enter(1, "alice")
    server.say(2, {"type": "hello", "role": "viewer"})
    (looking,) = server.take_sent(2)
    server.quiet()

    server.enter(3, "bob")
    server.say(1, {"type": "state", "audio": False, "video": True})
    server.deliver(server.signaling.broadcast("daily", {"type": "recordings", "recordings": []}))
    server.say(2, {"type": "ping", "sent": 1})

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
def test_a_viewer_cannot_send_messages_to_the_room(server: Server, message: dict[str, Any]) -> None:
    """Who tries is hung up on, and heard by nobody."""
    server.admission.public_room = "daily"
    server.enter(1, "alice")
    server.say(2, {"type": "hello", "role": "viewer"})
    server.quiet()

    server.say(2, message)

    assert {2: ["error"]} == {number: [one["type"] for one in said] for number, said in server.sent.items()}
    assert {2} == server.closed


def test_viewers_are_admitted_up_to_the_limit() -> None:
    """One more is told so; when one goes there is room again."""
    server = Server(limits=ServerLimits(viewers=1), admission=Admission(public_room="daily"))
    for number in (1, 2):
        server.say(number, {"type": "hello", "role": "viewer"})
    server.disconnect(1)
    server.say(3, {"type": "hello", "role": "viewer"})

    assert ["viewing", "error", "viewing"] == [server.sent[number][0]["type"] for number in (1, 2, 3)]
    assert "1 viewers" in server.sent[2][0]["message"]


def test_a_refused_connection_gets_an_error_and_is_closed(server: Server) -> None:
    """A token works once; the second to show it is refused, and the first stays."""
    token = server.admission.issue(Token(role="participant", room="daily", name="alice"))
    server.say(1, {"type": "hello", "token": token})

    server.say(2, {"type": "hello", "token": token})

    assert "error" == server.sent[2][-1]["type"]
    assert {2} == server.closed
    assert 1 == len(server.signaling.rooms["daily"].members)


@pytest.mark.parametrize(
    "message", [{"type": "ping", "sent": 1}, {"type": "bye"}, {"type": "subscribe", "subscriptions": None}]
)
def test_a_first_message_other_than_hello_is_refused(server: Server, message: dict[str, Any]) -> None:
    """Anything else from a stranger closes the connection."""
    server.say(1, message)

    assert [("error", "Say hello first.")] == [(sent["type"], sent["message"]) for sent in server.take_sent(1)]
    assert {1} == server.closed


def test_a_second_hello_is_refused(server: Server) -> None:
    """Who is in a room can't enter another one by the same connection."""
    server.enter(1, "alice")

    answer = server.enter(1, "bob", room="other")

    assert "error" == answer["type"]
    assert ["daily"] == list(server.signaling.rooms)


def test_a_leave_is_sent_to_the_others_once(server: Server) -> None:
    """A bye says that it was meant; the connection's end after it says nothing more."""
    server.enter(1, "alice")
    bob = server.enter(2, "bob")["id"]
    server.quiet()

    server.say(2, {"type": "bye"})
    server.disconnect(2)

    assert [{"type": "left", "id": bob, "reason": "left"}] == server.take_sent(1)
    assert [] == server.take_sent(2)


def test_a_lost_connection_is_the_reason_of_a_leave(server: Server) -> None:
    """A page that vanished is told from one that left."""
    server.enter(1, "alice")
    bob = server.enter(2, "bob")["id"]
    server.quiet()

    server.disconnect(2)

    assert [{"type": "left", "id": bob, "reason": "connection lost"}] == server.take_sent(1)


def test_an_unidentified_connection_ends_unnoticed(server: Server) -> None:
    """Nobody is told of a connection that never said hello."""
    server.enter(1, "alice")
    server.quiet()

    server.disconnect(99)

    assert {} == server.sent


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            {"type": "state", "audio": False, "video": True, "screen": True},
            {"type": "state", "audio": False, "video": True, "screen": True, "connected": True},
        ),
        (
            {"type": "subscribe", "subscriptions": {"*": SMALL}},
            {"type": "subscribe", "subscriptions": {"*": SMALL}},
        ),
        ({"type": "subscribe", "subscriptions": None}, {"type": "subscribe", "subscriptions": None}),
    ],
)
def test_state_and_subscriptions_are_relayed_within_the_room(
    server: Server, message: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Everybody else in the room hears it; the member and other rooms do not."""
    alice = server.enter(1, "alice")["id"]
    server.enter(2, "bob")
    server.enter(3, "carol")
    server.enter(4, "dave", room="other")
    server.quiet()

    server.say(1, message)

    assert [expected | {"id": alice}] == server.take_sent(2) == server.take_sent(3)
    assert {} == server.sent


def test_a_new_member_gets_the_present_state_of_the_others(server: Server) -> None:
    """A muted member is introduced as muted, with what they want to receive."""
    server.enter(1, "alice")
    server.say(1, {"type": "state", "audio": False, "video": False})
    server.say(1, {"type": "subscribe", "subscriptions": {"*": SMALL}})

    (alice,) = server.enter(2, "bob")["members"]

    assert (False, False, {"*": SMALL}) == (alice["audio"], alice["video"], alice["subscriptions"])


def test_a_signal_reaches_only_its_member(server: Server) -> None:
    """Descriptions and candidates arrive as they were sent, with the sender's id."""
    alice = server.enter(1, "alice")["id"]
    bob = server.enter(2, "bob")["id"]
    server.enter(3, "carol")
    server.quiet()
    description = {"type": "offer", "sdp": "v=0\r\n"}
    candidate = {"candidate": "candidate:1 1 udp 1 127.0.0.1 9 typ host", "sdpMid": None, "sdpMLineIndex": 0}

    server.say(1, {"type": "signal", "to": bob, "data": {"description": description}})
    server.say(1, {"type": "signal", "to": bob, "data": {"candidate": candidate}})

    first, second = server.take_sent(2)
    assert {"type": "signal", "from": alice, "data": {"description": description}} == first
    assert {"type": "signal", "from": alice, "data": {"candidate": candidate}} == second
    assert {} == server.sent


def test_a_receipt_reaches_only_its_member(server: Server) -> None:
    """Who was received hears from whom."""
    alice = server.enter(1, "alice")["id"]
    bob = server.enter(2, "bob")["id"]
    server.quiet()

    server.say(2, {"type": "received", "member": alice})

    assert [{"type": "received", "from": bob}] == server.take_sent(1)
    assert {} == server.sent


@pytest.mark.parametrize("kind", ["signal", "received"])
def test_messages_stay_in_their_room(server: Server, kind: str) -> None:
    """Who knows somebody's id in another room still can't reach them."""
    server.enter(1, "alice")
    bob = server.enter(2, "bob", room="other")["id"]
    server.quiet()
    messages = {"signal": {"type": "signal", "to": bob, "data": {}}, "received": {"type": "received", "member": bob}}

    server.say(1, messages[kind])

    assert {} == server.sent


def test_a_ping_is_answered_with_the_rooms_time(server: Server) -> None:
    """The page's own time comes back beside it."""
    server.enter(1, "alice")
    server.quiet()

    server.say(1, {"type": "ping", "sent": 17.25})

    assert [{"type": "pong", "sent": 17.25, "time": 5_000.0, "acked_seq": 0}] == server.take_sent(1)


def test_names_in_a_room_are_made_unique(server: Server) -> None:
    """The second alice is alice 2, and a third takes the name that became free."""
    names = [server.enter(connection, "alice")["name"] for connection in (1, 2, 3)]
    server.disconnect(2)

    again = server.enter(4, "alice")["name"]

    assert ["alice", "alice 2", "alice 3", "alice 2"] == [*names, again]


@pytest.mark.parametrize(
    ("wished", "expected"),
    [
        ("  Ann   Lee ", "Ann Lee"),
        ("会議", "会議"),
        ("cafe\u0301", "caf\u00e9"),
        ("ro\u202etcod\x00\n", "rotcod"),
        ("\u200b", "guest"),
        ("x" * 400, "x" * 64),
    ],
)
def test_a_name_is_printable_and_short(server: Server, wished: str, expected: str) -> None:
    """No controls, no tricks with the direction of writing, no more than 64 characters."""
    assert expected == server.enter(1, wished)["name"]


def test_a_returning_name_keeps_its_marker(server: Server) -> None:
    """One name in a recording has one marker, however often they leave."""
    server.enter(1, "alice")
    first = server.enter(2, "bob")["marker"]
    server.disconnect(2)
    other = server.enter(3, "carol")["marker"]

    again = server.enter(4, "bob")["marker"]

    assert (1, 2, 1) == (first, other, again)


def test_markers_in_a_room_are_unique(server: Server) -> None:
    """After 256 visitors the count begins anew and leaves out those who are there."""
    alice = server.enter(1, "alice")["marker"]
    for number in range(255):
        server.enter(2, f"visitor {number}")
        server.disconnect(2)

    bob = server.enter(3, "bob")["marker"]

    assert alice != bob


def test_joins_and_leaves_are_reported(server: Server) -> None:
    """Joins and leaves with their times; cameras have no marker, and the room knows who is in it and since when."""
    server.enter(1, "alice")
    server.now += 250
    server.enter(2, "bob", media="camera")
    room = server.signaling.rooms["daily"]
    server.now += 250
    server.disconnect(2)

    assert [(5_000, "join", "alice"), (5_250, "join", "bob"), (5_500, "leave", "bob")] == [
        (happened.time, happened.event, happened.member.name) for happened in server.events
    ]
    assert [(5_000, "alice")] == [(joined.time, joined.member.name) for joined in room.joins.values()]
    assert {"alice": 0, "bob": None} == room.markers_by_name


def test_an_empty_room_is_removed(server: Server) -> None:
    """The next to come finds a new one."""
    server.enter(1, "alice")

    server.disconnect(1)

    assert {} == server.signaling.rooms


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
def test_a_malformed_message_closes_its_own_connection_only(server: Server, text: str) -> None:
    """The sender is told in one line; the others notice nothing but that they leave when the connection ends."""
    server.enter(1, "alice")
    server.enter(2, "bob")
    server.quiet()

    server.say(1, text)

    (answer,) = server.take_sent(1)
    assert "error" == answer["type"]
    assert answer["message"].startswith("Malformed message: ")
    assert "\n" not in answer["message"]
    assert {1} == server.closed
    assert {} == server.sent


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20),
    lambda inner: st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=50)
@given(JSON)
def test_arbitrary_messages_cause_no_crash(message: object) -> None:
    """No message raises anything."""
    server = Server()
    server.enter(1, "alice")

    server.say(1, message)

    assert "alice" in [member.name for member in server.signaling.rooms["daily"].members.values()]


def test_a_full_room_admits_no_more_participants() -> None:
    """The one too many is told how many there may be; when somebody leaves there is room again."""
    server = Server(limits=ServerLimits(participants=2))
    server.enter(1, "alice")
    server.enter(2, "bob")

    refused = server.enter(3, "carol")
    server.disconnect(2)
    admitted = server.enter(4, "carol")

    assert ("error", "welcome") == (refused["type"], admitted["type"])
    assert "2 participants" in refused["message"]
    assert {3} == server.closed


def test_a_full_server_opens_no_more_rooms() -> None:
    """The rooms that are there still take people."""
    server = Server(limits=ServerLimits(rooms=1))
    server.enter(1, "alice")

    refused = server.enter(2, "bob", room="other")
    admitted = server.enter(3, "bob")

    assert ("error", "welcome") == (refused["type"], admitted["type"])
    assert ["daily"] == list(server.signaling.rooms)


def _drop(server: Server, connection: int) -> Member:
    member = server.signaling.mark_lost(connection)
    assert member is not None
    return member


def test_a_resumed_connection_misses_no_message(server: Server) -> None:
    """Who comes back hears what was said meanwhile, once; nobody else hears that they were away."""
    alice, bob = server.enter(1, "alice"), server.enter(2, "bob")
    server.quiet()
    server.say(1, {"type": "subscribe", "subscriptions": None})
    server.say(2, {"type": "received", "member": alice["id"]})

    _drop(server, 2)
    server.say(1, {"type": "received", "member": bob["id"]})
    server.say(1, {"type": "state", "audio": False, "video": True})
    server.say(3, {"type": "hello", "resume": bob["resume"], "received_seq": 1})

    assert [{"type": "resumed", "acked_seq": 1}, "received", "state"] == [
        message if message["type"] == "resumed" else message["type"] for message in server.take_sent(3)
    ]
    assert ["received"] == [message["type"] for message in server.take_sent(1)]


def test_acknowledged_messages_are_not_repeated(server: Server) -> None:
    """A ping says how much was heard; only the rest is said again."""
    server.enter(1, "alice")
    bob = server.enter(2, "bob")
    for audio in (True, False):
        server.say(1, {"type": "state", "audio": audio, "video": True})
    server.say(2, {"type": "ping", "sent": 1, "received_seq": 2})

    member = _drop(server, 2)
    server.quiet()
    server.say(3, {"type": "hello", "resume": bob["resume"], "received_seq": 2})

    assert ["resumed"] == [message["type"] for message in server.take_sent(3)]
    assert 0 == len(member.backlog.messages)


def test_a_connection_can_be_resumed_before_its_loss_is_noticed(server: Server) -> None:
    """The page notices before the server does; the old connection's end then changes nothing."""
    server.enter(1, "alice")
    bob = server.enter(2, "bob")
    server.quiet()

    server.say(3, {"type": "hello", "resume": bob["resume"], "received_seq": 0})
    gone = server.signaling.mark_lost(2)

    assert gone is None
    assert {"alice", "bob"} == {member.name for member in server.signaling.rooms["daily"].members.values()}
    assert [] == server.take_sent(1)


def test_a_member_who_does_not_return_left_when_the_connection_was_lost(server: Server) -> None:
    """The others hear it when nobody waits any more; the record says when it was."""
    server.enter(1, "alice")
    server.enter(2, "bob")
    member = _drop(server, 2)
    lost_at = server.now
    server.quiet()

    server.now += 10_000
    sends = server.signaling.remove_lost(member, member.lost_at)

    assert [("left", "connection lost")] == [
        (message["type"], message["reason"]) for message in (json.loads(send.text) for send in sends)
    ]
    left = server.events[-1]
    assert ("leave", lost_at) == (left.event, left.time)


def test_a_second_loss_is_waited_for_from_its_own_beginning(server: Server) -> None:
    """The first wait's end takes nobody out."""
    bob = server.enter(2, "bob")
    member = _drop(server, 2)
    first = member.lost_at
    server.say(3, {"type": "hello", "resume": bob["resume"], "received_seq": 0})
    server.now += 5_000
    _drop(server, 3)

    assert [] == server.signaling.remove_lost(member, first)
    assert "daily" in server.signaling.rooms


def test_resume_is_refused_after_a_bye(server: Server) -> None:
    """The token for it is worth nothing after a bye."""
    server.enter(1, "alice")
    bob = server.enter(2, "bob")
    server.say(2, {"type": "bye"})

    server.say(3, {"type": "hello", "resume": bob["resume"], "received_seq": 0})

    assert {3} == server.closed


def test_resume_is_refused_after_the_backlog_overflowed(server: Server) -> None:
    """What is kept for somebody is bounded; past it the connection can't be taken up again."""
    alice = server.enter(1, "alice")
    bob = server.enter(2, "bob")
    member = _drop(server, 2)
    sdp = {"description": {"type": "offer", "sdp": "v" * 60_000}}
    for _ in range(100):
        server.say(1, {"type": "signal", "to": bob["id"], "data": sdp})

    server.say(3, {"type": "hello", "resume": bob["resume"], "received_seq": 0})

    assert {3} == server.closed
    assert 2_000_000 > sum(map(len, member.backlog.messages))
    assert alice["id"] in server.signaling.rooms["daily"].members


def test_resume_is_refused_although_later_messages_were_acknowledged(server: Server) -> None:
    """Hearing the newest messages does not bring back those that were never kept."""
    alice = server.enter(1, "alice")
    bob = server.enter(2, "bob")
    for _ in range(1_100):
        server.say(1, {"type": "received", "member": bob["id"]})
    server.say(2, {"type": "ping", "sent": 1, "received_seq": 1_100})
    server.say(1, {"type": "received", "member": bob["id"]})
    _drop(server, 2)

    server.say(3, {"type": "hello", "resume": bob["resume"], "received_seq": 1_100})

    assert {3} == server.closed
    assert alice["id"] in server.signaling.rooms["daily"].members


def test_an_expelled_member_is_not_waited_for(server: Server) -> None:
    """Python knows of a crash before the connection's end is sure."""
    server.enter(1, "alice")
    bob = server.enter(2, "bob")
    _drop(server, 2)

    sends = server.signaling.expel("daily", bob["id"])

    assert [1] == [send.connection for send in sends]
    assert [] == server.signaling.expel("daily", bob["id"])
    assert [] == server.signaling.expel("nowhere", bob["id"])
