"""A room's members have unique names and markers, and the room reports when they join and leave."""

from __future__ import annotations

from random import Random

import pytest

from harness.recording.timeline import VOICES, Member
from harness.server.access.limits import ServerLimits
from harness.server.member_event import MemberEvent
from tests.support.signaling import SignalingServer

pytestmark = pytest.mark.parallel


@pytest.fixture
def server() -> SignalingServer:
    """Return a signaling server without members."""
    return SignalingServer()


def test_names_in_a_room_are_made_unique(server: SignalingServer) -> None:
    """A second ``alice`` is renamed to ``alice 2``, and a name can be reused after its owner has left."""
    names = [server.join(connection, "alice")["name"] for connection in (1, 2, 3)]
    server.disconnect(2)

    again = server.join(4, "alice")["name"]

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
def test_a_name_is_printable_and_short(server: SignalingServer, wished: str, expected: str) -> None:
    """Members' names have at most 64 characters, and contain no control characters or bidirectional overrides."""
    assert expected == server.join(1, wished)["name"]


def test_a_returning_name_keeps_its_marker(server: SignalingServer) -> None:
    """A participant who leaves and returns with the same name always gets the same marker."""
    server.join(1, "alice")
    first = server.join(2, "bob")["marker"]
    server.disconnect(2)
    other = server.join(3, "carol")["marker"]

    again = server.join(4, "bob")["marker"]

    assert (1, 2, 1) == (first, other, again)


def test_markers_in_a_room_are_unique(server: SignalingServer) -> None:
    """After 128 participants, marker numbers start from the beginning again, but numbers in use are skipped."""
    alice = server.join(1, "alice")["marker"]
    for number in range(127):
        server.join(2, f"visitor {number}")
        server.disconnect(2)

    bob = server.join(3, "bob")["marker"]

    assert alice != bob


def test_markers_from_128_on_are_never_assigned_to_participants(server: SignalingServer) -> None:
    """The marker of a shared screen is its participant's marker plus 128."""
    markers = {server.join(1, "alice")["marker"]}
    for number in range(200):
        markers.add(server.join(2, f"visitor {number}")["marker"])
        server.disconnect(2)

    assert max(markers) < 128
    assert len(markers) > 100


def test_markers_of_members_have_different_tones_while_people_come_and_go(server: SignalingServer) -> None:
    """The markers of up to 16 members are different modulo 16, although participants join and leave all the time."""
    random = Random(1)  # noqa: S311 - not a secret
    present: dict[int, int] = {}
    for connection in range(1, 600):
        if present and (len(present) == VOICES or random.random() < 0.45):
            leaving = random.choice(list(present))
            server.disconnect(leaving)
            del present[leaving]
        if len(present) < VOICES:
            present[connection] = server.join(connection, f"visitor {random.randrange(40)}")["marker"]

        assert len(present) == len({marker % VOICES for marker in present.values()})


def test_participant_gets_the_tone_that_was_unused_for_the_longest_time(server: SignalingServer) -> None:
    """A recording may contain participants who have left, so all other tones are used before theirs are reused."""
    tones = [server.join(1, "alice")["marker"] % VOICES]
    for number in range(VOICES - 1):
        tones.append(server.join(2, f"visitor {number}")["marker"] % VOICES)
        server.disconnect(2)

    assert VOICES == len({*tones})


def test_returning_participant_does_not_get_the_tone_of_a_present_one(server: SignalingServer) -> None:
    """If somebody else has the tone of the participant's earlier marker by now, the participant gets another marker."""
    stays = server.join(1, "bob")["marker"]
    first = server.join(2, "alice")["marker"]
    server.disconnect(2)
    others = [server.join(3 + number, f"visitor {number}")["marker"] for number in range(VOICES - 1)]
    assert first % VOICES in {marker % VOICES for marker in others}
    leaving = next(number for number, marker in enumerate(others) if marker % VOICES != first % VOICES)
    server.disconnect(3 + leaving)
    del others[leaving]

    again = server.join(2, "alice")["marker"]

    assert VOICES == len({marker % VOICES for marker in (stays, again, *others)})


def test_seventeenth_member_shares_a_tone_but_not_a_marker(server: SignalingServer) -> None:
    """There are only 16 tones, so in a larger room, some members must have the same tone."""
    markers = [server.join(1 + number, f"visitor {number}")["marker"] for number in range(VOICES + 1)]

    assert VOICES + 1 == len(set(markers))


def test_members_with_real_microphones_use_up_no_tone(server: SignalingServer) -> None:
    """The marker of a member with a real camera and microphone is not in the media."""
    for number in range(VOICES):
        server.join(1 + number, f"viewer {number}", media="camera")
    markers = [server.join(50 + number, f"visitor {number}")["marker"] for number in range(VOICES)]

    assert VOICES == len({marker % VOICES for marker in markers})


def test_joins_and_leaves_are_reported(server: SignalingServer) -> None:
    """The server reports each join and leave with its time. Members with real cameras have no marker."""
    server.join(1, "alice")
    server.now += 250
    server.join(2, "bob", media="camera")
    room = server.signaling.rooms["daily"]
    server.now += 250
    server.disconnect(2)

    assert [(5_000, "join", "alice"), (5_250, "join", "bob"), (5_500, "leave", "bob")] == [
        (happened.time, happened.event, happened.member.name) for happened in server.events
    ]
    assert [(5_000, "alice")] == [(joined.time, joined.member.name) for joined in room.joins.values()]
    assert {"alice": 0, "bob": None} == room.markers_by_name


def test_an_empty_room_is_removed(server: SignalingServer) -> None:
    """When the last member leaves, the room is removed."""
    server.join(1, "alice")

    server.disconnect(1)

    assert {} == server.signaling.rooms


def test_a_leave_is_sent_to_the_others_once(server: SignalingServer) -> None:
    """If a member sends ``bye`` and then disconnects, the other members are notified only once."""
    server.join(1, "alice")
    bob = server.join(2, "bob")["id"]
    server.forget_sent()

    server.send(2, {"type": "bye"})
    server.disconnect(2)

    assert [{"type": "left", "id": bob, "reason": "left"}] == server.take_sent(1)
    assert [] == server.take_sent(2)


def test_a_lost_connection_is_the_reason_for_a_leave(server: SignalingServer) -> None:
    """The notification that a member left specifies whether this member sent ``bye`` or lost the connection."""
    server.join(1, "alice")
    bob = server.join(2, "bob")["id"]
    server.forget_sent()

    server.disconnect(2)

    assert [{"type": "left", "id": bob, "reason": "connection lost"}] == server.take_sent(1)


def test_an_unidentified_connection_ends_without_a_message(server: SignalingServer) -> None:
    """If a connection ends before ``hello`` was received over it, no member is notified."""
    server.join(1, "alice")
    server.forget_sent()

    server.disconnect(99)

    assert {} == server.sent


def test_an_expelled_member_is_removed_without_waiting(server: SignalingServer) -> None:
    """When a member's page crashes, the member is removed at once, and the server does not wait for a reconnect."""
    server.join(1, "alice")
    bob = server.join(2, "bob")
    server.lose(2)

    sends = server.signaling.expel("daily", bob["id"])

    assert [1] == [send.connection for send in sends]
    assert [] == server.signaling.expel("daily", bob["id"])
    assert [] == server.signaling.expel("nowhere", bob["id"])


def test_a_full_room_admits_no_more_participants() -> None:
    """The error for a full room contains the limit.

    Once a member of a full room has left, another participant is admitted.
    """
    server = SignalingServer(limits=ServerLimits(participants=2))
    server.join(1, "alice")
    server.join(2, "bob")

    refused = server.join(3, "carol")
    server.disconnect(2)
    admitted = server.join(4, "carol")

    assert ("error", "welcome") == (refused["type"], admitted["type"])
    assert "2 participants" in refused["message"]
    assert {3} == server.closed


def test_a_full_server_opens_no_more_rooms() -> None:
    """Even if the maximum number of rooms is open, existing rooms still admit participants."""
    server = SignalingServer(limits=ServerLimits(rooms=1))
    server.join(1, "alice")

    refused = server.join(2, "bob", room="other")
    admitted = server.join(3, "bob")

    assert ("error", "welcome") == (refused["type"], admitted["type"])
    assert ["daily"] == list(server.signaling.rooms)


def test_late_frames_are_reported_under_the_members_own_name(server: SignalingServer) -> None:
    """A page states the marker and the counters of its late frames; the server adds the name and the time."""
    server.join(1, "alice")
    server.now = 7_000.0

    server.send(1, {"type": "late-frames", "marker": 0, "counters": [5, 6]})

    assert MemberEvent(7_000.0, "late-frames", Member(name="alice", marker=0), (5, 6)) == server.events[-1]
    assert not server.closed


@pytest.mark.parametrize(
    "counters", [[], [-1], [2**18], [1.5], list(range(129))], ids=["none", "negative", "too large", "half", "too many"]
)
def test_impossible_late_frames_close_the_connection(server: SignalingServer, counters: list[float]) -> None:
    """Counters have 18 bits, and a message contains at most 128 of them."""
    server.join(1, "alice")

    server.send(1, {"type": "late-frames", "marker": 0, "counters": counters})

    assert {1} == server.closed
    assert ["join"] == [event.event for event in server.events if event.event == "join"]
