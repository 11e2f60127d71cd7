"""Tests that signaling and the spool maintain their invariants for any sequence of messages."""

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


class SignalingMachine(RuleBasedStateMachine):
    """Two rooms with a few viewers, and with participants who join, send messages, disconnect, reconnect and leave."""

    inside = Bundle("inside")
    lost = Bundle("lost")
    present_viewers = Bundle("present_viewers")
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
    def join(self, token: tuple[str, str], media: str) -> Any:
        """Join with a token, and check that the token is invalid afterwards."""
        number = next(self.numbers)
        room, secret = token
        answer = self.send(number, {"type": "hello", "token": secret, "media": media})[number][0]
        again = next(self.numbers)
        (refused,) = self.send(again, {"type": "hello", "token": secret})[again]
        assert refused["type"] == "error"
        if answer["type"] == "error":
            assert "full" in answer["message"]
            return multiple()
        self.room_of[number], self.id_of[number] = room, answer["id"]
        assert answer["room"] == room
        return number, answer["resume"]

    @rule(participant=inside, message=st.sampled_from(SIGNAL_MESSAGES[1:7]), to=st.sampled_from([0, 1, 2, 3, 99]))
    def talk(self, participant: tuple[int, str], message: dict[str, Any], to: int) -> None:
        """Send a valid message to a member of any room."""
        ids = [*self.id_of.values(), "nobody"]
        target = ids[min(to, len(ids) - 1)]
        self.send(participant[0], {**message, **({"to": target} if "to" in message else {})})

    @rule(participant=inside, seed=st.integers(0, 1 << 32))
    def send_malformed(self, participant: tuple[int, str], seed: int) -> None:
        """Send a malformed message, which closes only its own connection."""
        number, _ = participant
        message = malformed(Random(seed), SIGNAL_MESSAGES)  # noqa: S311 - hypothesis chooses the seed
        assert {send.connection for send in self.signaling.receive(number, message) if send.close} == {number}

    @rule(target=present_viewers)
    def view(self) -> int:
        """View a room's recordings."""
        number = next(self.numbers)
        (answer,) = self.send(number, {"type": "hello", "role": "viewer", "code": "look on"})[number]
        assert answer["type"] == "viewing"
        self.viewers.add(number)
        return number

    @rule(number=consumes(present_viewers), message=st.sampled_from(SIGNAL_MESSAGES))
    def send_as_viewer(self, number: int, message: dict[str, Any]) -> None:
        """Send a message as a viewer, and check that no member receives it and that nobody joins."""
        before = {member.id for room in self.signaling.rooms.values() for member in room.members.values()}
        answers = self.send(number, message)
        assert set(answers) == {number}
        assert {one["type"] for one in answers[number]} <= {"pong", "error"}
        assert before == {member.id for room in self.signaling.rooms.values() for member in room.members.values()}
        self.signaling.mark_lost(number)
        assert not self.signaling.has_connection(number)

    @rule(target=lost, participant=consumes(inside))
    def lose(self, participant: tuple[int, str]) -> tuple[int, str]:
        """Lose a connection."""
        member = self.signaling.mark_lost(participant[0])
        if member is not None:
            self.lost_at[participant[0]] = member, member.lost_at
        return participant

    @rule(participant=consumes(lost))
    def give_up(self, participant: tuple[int, str]) -> None:
        """Remove a lost member, and check that the member's resume token is invalid afterwards."""
        if participant[0] not in self.lost_at:
            return
        sends = self.signaling.remove_lost(*self.lost_at[participant[0]])
        assert all(json.loads(send.text)["type"] == "left" for send in sends)
        number = next(self.numbers)
        (refused,) = self.send(number, {"type": "hello", "resume": participant[1]})[number]
        assert refused["type"] == "error"

    @rule(participant=consumes(inside))
    def expel(self, participant: tuple[int, str]) -> None:
        """Expel a member, and check that the server treats the connection as unidentified afterwards."""
        self.signaling.expel(self.room_of[participant[0]], self.id_of[participant[0]])
        (refused,) = self.send(participant[0], {"type": "ping", "sent": 1})[participant[0]]
        assert refused["type"] == "error"

    @rule(target=inside, participant=consumes(lost))
    def resume(self, participant: tuple[int, str]) -> Any:
        """Resume a member's lost connection on another connection."""
        number = next(self.numbers)
        answer = self.send(number, {"type": "hello", "resume": participant[1]})[number][0]
        if answer["type"] == "error":
            return multiple()
        assert answer["type"] == "resumed"
        self.room_of[number], self.id_of[number] = self.room_of[participant[0]], self.id_of[participant[0]]
        return number, participant[1]

    @rule(participant=consumes(inside))
    def leave(self, participant: tuple[int, str]) -> None:
        """Leave as a member, and check that the member's resume token is invalid afterwards."""
        self.send(participant[0], {"type": "bye"})
        self.signaling.disconnect(participant[0], "left")
        number = next(self.numbers)
        (refused,) = self.send(number, {"type": "hello", "resume": participant[1]})[number]
        assert refused["type"] == "error"

    @invariant()
    def members_stay_distinct(self) -> None:
        """Names and markers in a room are unique, no member is in two rooms, and no room is too large."""
        everybody = []
        for room in self.signaling.rooms.values():
            members = list(room.members.values())
            assert 0 < len(members) <= 4
            assert len({member.name for member in members}) == len(members)
            assert len({member.marker for member in members}) == len(members)
            everybody += [member.id for member in members]
        assert len(set(everybody)) == len(everybody)

    def time(self) -> float:
        """Return a time that increases with each call."""
        self.now = getattr(self, "now", 0.0) + 1.0
        return self.now

    def send(self, number: int, message: dict[str, Any]) -> dict[int, list[dict[str, Any]]]:
        """Send a message, check that all responses stay in the room, and return each connection's responses."""
        sends = self.signaling.receive(number, json.dumps(message))
        answers: dict[int, list[dict[str, Any]]] = {number: []}
        for send in sends:
            assert send.connection == number or send.connection not in self.viewers
            answers.setdefault(send.connection, []).append(json.loads(send.text))
            if number in self.room_of and send.connection in self.room_of:
                assert self.room_of[number] == self.room_of[send.connection]
        return answers


class SpoolMachine(RuleBasedStateMachine):
    """A recording in the spool, with expected and unexpected chunks, log entries, and requests to end or delete it."""

    audio_bytes: bytes

    @initialize(size=st.integers(200, 9_000))
    def begin(self, size: int) -> None:
        """Begin a recording."""
        self.folder = tempfile.TemporaryDirectory()
        self.spool = Spool(Path(self.folder.name), VERSIONS)
        self.active = begin(self.spool)
        self.pieces = [self.audio_bytes[at : at + size] for at in range(0, len(self.audio_bytes), size)]
        self.accepted = b""

    def teardown(self) -> None:
        """Close the spool and delete its folder."""
        if hasattr(self, "spool"):
            self.spool.close()
            self.folder.cleanup()

    @rule()
    def next_chunk(self) -> None:
        """Send the next expected chunk."""
        if not self.pieces:
            return
        try:
            self.active.add_chunk(self.active.chunks, self.active.size, memoryview(self.pieces[0]))
        except RecordingError:
            assert self.active.state != "recording"
        else:
            self.accepted += self.pieces.pop(0)

    @rule(number=st.integers(-3, 3), offset=st.integers(-5_000, 5_000))
    def wrong_chunk(self, number: int, offset: int) -> None:
        """Send an unexpected chunk, and check that it is refused and changes nothing."""
        if (number, offset) == (0, 0):
            return
        try:
            self.active.add_chunk(self.active.chunks + number, self.active.size + offset, memoryview(b"wrong"))
        except RecordingError:
            return
        raise AssertionError(number, offset)

    @rule(event=st.sampled_from(["audio", "video", "network"]), on=st.booleans(), time=st.floats(-1e13, 1e13))
    def report_event(self, event: Any, time: float, *, on: bool) -> None:
        """Report an event at an arbitrary time."""
        self.active.log.add_event(MixerEvent(time=time, event=event, participant="alice", on=on))

    @rule(first=st.integers(0, 1 << 40), written=st.lists(st.none() | st.floats(-1e13, 1e13), max_size=5))
    def ticks(self, first: int, written: list[float | None]) -> None:
        """Report ticks in an arbitrary order."""
        self.active.add_ticks(first, written)

    @rule()
    def request_outstanding(self) -> None:
        """Check that a request for outstanding frames is answered, even though an audio recording has no frames."""
        answered = threading.Event()
        self.active.growing_file.call_when_read(answered.set)
        assert answered.wait(10)
        assert self.active.progress.outstanding is None

    @rule()
    def end(self) -> None:
        """Finish the recording, and check that the result is a valid file or an error."""
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
    def raw_file_has_exactly_the_accepted_bytes(self) -> None:
        """Check that the raw file contains exactly the accepted bytes."""
        if hasattr(self, "active") and self.active.state == "recording":
            assert self.active.folder.raw.read_bytes() == self.accepted


def test_members_stay_distinct_after_any_sequence_of_messages() -> None:
    """Tokens are valid only once, messages stay in their room, and names and markers are unique within a room."""
    run_state_machine_as_test(SignalingMachine, settings=RUNS)


def test_a_recording_contains_the_accepted_chunks_after_any_sequence_of_messages(audio_bytes: bytes) -> None:
    """Only accepted chunks are stored, and ending a recording always results in a file or an error."""
    SpoolMachine.audio_bytes = audio_bytes
    run_state_machine_as_test(SpoolMachine, settings=RUNS)
