"""Signaling and spool as state machines: their invariants hold for any sequence of messages."""

from __future__ import annotations

import json
import tempfile
import threading
from itertools import count
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from harness.errors import HarnessError, RecordingError
from harness.recording.recording import sha256_of
from harness.server.access.limits import ServerLimits
from harness.server.access.tokens import Admission, Token
from harness.server.rooms.signaling import Signaling
from harness.server.spool.messages import MixerEvent
from harness.server.spool.spool import Spool
from tests.support.goals import FULL
from tests.support.sockets import SIGNAL_MESSAGES, malformed
from tests.support.spooling import VERSIONS, begin

if TYPE_CHECKING:
    from harness.server.rooms.members import Member

pytestmark = pytest.mark.parallel

ROOMS = ("red", "blue")
NAMES = st.sampled_from(["alice", "bob", "bob ", "\u202ebob", "", "x" * 300, "<b>", "\0"])
RUNS = settings(
    max_examples=300 if FULL else 15,
    stateful_step_count=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


class Talk(RuleBasedStateMachine):
    """Participants in two rooms who join, talk, lose their connection, reconnect and leave, among other clients."""

    inside = Bundle("inside")
    lost = Bundle("lost")
    viewers_there = Bundle("viewers_there")
    tokens = Bundle("tokens")

    def __init__(self) -> None:
        super().__init__()
        self.admission = Admission(public_room=ROOMS[0], join_code="nobody's", view_code="look on")
        self.signaling = Signaling(self.admission, ServerLimits(participants=4), self.time, recordings=lambda _: [])
        self.numbers = count(1)
        self.lost_at: dict[int, tuple[Member, float | None]] = {}
        self.room_of: dict[int, str] = {}
        self.id_of: dict[int, str] = {}
        self.viewers: set[int] = set()

    @rule(target=tokens, room=st.sampled_from(ROOMS), name=NAMES)
    def invite(self, room: str, name: str) -> tuple[str, str]:
        """Issue a token."""
        return room, self.admission.issue(Token(role="participant", room=room, name=name))

    @rule(target=inside, token=consumes(tokens), media=st.sampled_from(["synthetic", "camera"]))
    def come(self, token: tuple[str, str], media: str) -> Any:
        """Join, and check that the token is worthless afterwards."""
        number = next(self.numbers)
        room, secret = token
        answer = self.say(number, {"type": "hello", "token": secret, "media": media})[number][0]
        again = next(self.numbers)
        (refused,) = self.say(again, {"type": "hello", "token": secret})[again]
        assert refused["type"] == "error"
        if answer["type"] == "error":
            assert "full" in answer["message"]
            return multiple()
        self.room_of[number], self.id_of[number] = room, answer["id"]
        assert answer["room"] == room
        return number, answer["resume"]

    @rule(who=inside, message=st.sampled_from(SIGNAL_MESSAGES[1:7]), to=st.sampled_from([0, 1, 2, 3, 99]))
    def talk(self, who: tuple[int, str], message: dict[str, Any], to: int) -> None:
        """Send a valid message, to a member of any room."""
        ids = [*self.id_of.values(), "nobody"]
        told = ids[min(to, len(ids) - 1)]
        self.say(who[0], {**message, **({"to": told} if "to" in message else {})})

    @rule(who=inside, seed=st.integers(0, 1 << 32))
    def babble(self, who: tuple[int, str], seed: int) -> None:
        """Send a malformed message, which ends that connection and no other."""
        number, _ = who
        said = malformed(Random(seed), SIGNAL_MESSAGES)  # noqa: S311 - hypothesis chooses the seed
        assert {send.connection for send in self.signaling.receive(number, said) if send.close} == {number}

    @rule(target=viewers_there)
    def look(self) -> int:
        """View a room's recordings."""
        number = next(self.numbers)
        (looking,) = self.say(number, {"type": "hello", "role": "viewer", "code": "look on"})[number]
        assert looking["type"] == "viewing"
        self.viewers.add(number)
        return number

    @rule(number=consumes(viewers_there), message=st.sampled_from(SIGNAL_MESSAGES))
    def interrupt(self, number: int, message: dict[str, Any]) -> None:
        """Send a message as a viewer: no member gets it, and nobody joins by it."""
        before = {member.id for room in self.signaling.rooms.values() for member in room.members.values()}
        heard = self.say(number, message)
        assert set(heard) == {number}
        assert {one["type"] for one in heard[number]} <= {"pong", "error"}
        assert before == {member.id for room in self.signaling.rooms.values() for member in room.members.values()}
        self.signaling.mark_lost(number)
        assert not self.signaling.has_connection(number)

    @rule(target=lost, who=consumes(inside))
    def lose(self, who: tuple[int, str]) -> tuple[int, str]:
        """Lose a connection."""
        member = self.signaling.mark_lost(who[0])
        if member is not None:
            self.lost_at[who[0]] = member, member.lost_at
        return who

    @rule(who=consumes(lost))
    def give_up(self, who: tuple[int, str]) -> None:
        """Remove a lost member: the resume token is worthless then."""
        if who[0] not in self.lost_at:
            return
        sends = self.signaling.remove_lost(*self.lost_at[who[0]])
        assert all(json.loads(send.text)["type"] == "left" for send in sends)
        number = next(self.numbers)
        (refused,) = self.say(number, {"type": "hello", "resume": who[1]})[number]
        assert refused["type"] == "error"

    @rule(who=consumes(inside))
    def expel(self, who: tuple[int, str]) -> None:
        """Remove a member whose page is gone: the connection is unidentified then."""
        self.signaling.expel(self.room_of[who[0]], self.id_of[who[0]])
        (refused,) = self.say(who[0], {"type": "ping", "sent": 1})[who[0]]
        assert refused["type"] == "error"

    @rule(target=inside, who=consumes(lost))
    def come_back(self, who: tuple[int, str]) -> Any:
        """Resume on another connection."""
        number = next(self.numbers)
        answer = self.say(number, {"type": "hello", "resume": who[1]})[number][0]
        if answer["type"] == "error":
            return multiple()
        assert answer["type"] == "resumed"
        self.room_of[number], self.id_of[number] = self.room_of[who[0]], self.id_of[who[0]]
        return number, who[1]

    @rule(who=consumes(inside))
    def leave(self, who: tuple[int, str]) -> None:
        """Leave: the resume token is worthless then."""
        self.say(who[0], {"type": "bye"})
        self.signaling.disconnect(who[0], "left")
        number = next(self.numbers)
        (refused,) = self.say(number, {"type": "hello", "resume": who[1]})[number]
        assert refused["type"] == "error"

    @invariant()
    def nobody_is_mistaken_for_another(self) -> None:
        """Names and markers in a room are unique, nobody is in two rooms, and no room is too large."""
        everybody = []
        for room in self.signaling.rooms.values():
            members = list(room.members.values())
            assert 0 < len(members) <= 4
            assert len({member.name for member in members}) == len(members)
            assert len({member.marker for member in members}) == len(members)
            everybody += [member.id for member in members]
        assert len(set(everybody)) == len(everybody)

    def time(self) -> float:
        """Return a later time than before."""
        self.now = getattr(self, "now", 0.0) + 1.0
        return self.now

    def say(self, number: int, message: dict[str, Any]) -> dict[int, list[dict[str, Any]]]:
        """Send a message; return the answers by connection, which stay in the room."""
        sends = self.signaling.receive(number, json.dumps(message))
        heard: dict[int, list[dict[str, Any]]] = {number: []}
        for send in sends:
            assert send.connection == number or send.connection not in self.viewers
            heard.setdefault(send.connection, []).append(json.loads(send.text))
            if number in self.room_of and send.connection in self.room_of:
                assert self.room_of[number] == self.room_of[send.connection]
        return heard


class Recorded(RuleBasedStateMachine):
    """One recording in the spool: chunks in and out of order, log entries, ends and cleans."""

    sound: bytes

    @initialize(size=st.integers(200, 9_000))
    def begin(self, size: int) -> None:
        """Begin a recording."""
        self.folder = tempfile.TemporaryDirectory()
        self.spool = Spool(Path(self.folder.name), VERSIONS)
        self.active = begin(self.spool)
        self.pieces = [self.sound[at : at + size] for at in range(0, len(self.sound), size)]
        self.taken = b""

    def teardown(self) -> None:
        """Free everything."""
        if hasattr(self, "spool"):
            self.spool.close()
            self.folder.cleanup()

    @rule()
    def next_chunk(self) -> None:
        """Send the expected chunk."""
        if not self.pieces:
            return
        try:
            self.active.add_chunk(self.active.chunks, self.active.size, memoryview(self.pieces[0]))
        except RecordingError:
            assert self.active.state != "recording"
        else:
            self.taken += self.pieces.pop(0)

    @rule(number=st.integers(-3, 3), offset=st.integers(-5_000, 5_000))
    def wrong_chunk(self, number: int, offset: int) -> None:
        """Send an unexpected chunk, which is refused and changes nothing."""
        if (number, offset) == (0, 0):
            return
        try:
            self.active.add_chunk(self.active.chunks + number, self.active.size + offset, memoryview(b"wrong"))
        except RecordingError:
            return
        raise AssertionError(number, offset)

    @rule(event=st.sampled_from(["audio", "video", "network"]), on=st.booleans(), time=st.floats(-1e13, 1e13))
    def note(self, event: Any, time: float, *, on: bool) -> None:
        """Report an event, at any time."""
        self.active.log.add_event(MixerEvent(time=time, event=event, participant="alice", on=on))

    @rule(first=st.integers(0, 1 << 40), written=st.lists(st.none() | st.floats(-1e13, 1e13), max_size=5))
    def ticks(self, first: int, written: list[float | None]) -> None:
        """Report ticks, in any order."""
        self.active.add_ticks(first, written)

    @rule()
    def ask(self) -> None:
        """Request the outstanding frames: there is an answer at once, although an audio recording has none."""
        looked = threading.Event()
        self.active.growing_file.call_when_read(looked.set)
        assert looked.wait(10)
        assert self.active.progress.outstanding is None

    @rule()
    def end(self) -> None:
        """Finish: the accepted chunks are a file, or there is an error."""
        try:
            manifest = self.active.finish_with_manifest()
        except HarnessError:
            assert self.active.state in {"failed", "cleaned"}
        else:
            assert self.active.state == "cleaned" or manifest.recording.sha256 == sha256_of(self.active.path)

    @rule()
    def clean(self) -> None:
        """Clean the recording."""
        self.active.clean()
        assert not self.active.folder.path.exists()

    @invariant()
    def bytes_are_those_that_were_taken(self) -> None:
        """Check that the raw file contains nothing else."""
        if hasattr(self, "active") and self.active.state == "recording":
            assert self.active.folder.raw.read_bytes() == self.taken


def test_members_are_never_confused_by_any_sequence_of_messages() -> None:
    """Tokens are valid once, messages stay in their room, and names and markers are unique."""
    run_state_machine_as_test(Talk, settings=RUNS)


def test_a_recording_contains_the_accepted_chunks_after_any_sequence_of_messages(sound: bytes) -> None:
    """Nothing else is stored, and every end is a file or an error."""
    Recorded.sound = sound
    run_state_machine_as_test(Recorded, settings=RUNS)
