"""A recording's manifest can be read back, however many events of any kind the page and the room report."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from harness.recording.config import LONGEST_NAME
from harness.recording.finalize.tick_log import LONGEST_LINE
from harness.recording.manifest import LARGEST_MANIFEST, Manifest
from harness.recording.spool import recover
from harness.recording.spool.manifest_budget import PAGE_EVENTS, ROOM_EVENTS, SERVER_ALARMS, manifest_bytes
from harness.recording.timeline import Event, Member
from harness.server.access.limits import _MAXIMA, MAX_TILES, ServerLimits
from harness.server.member_event import MemberEvent
from harness.server.spool import recording_log
from harness.server.spool.messages import MixerEvent, Statistics, Ticks
from harness.verification.measures import connections as statistics_module
from tests.support.spooling import OFFSET, STARTED, begin, recorded

if TYPE_CHECKING:
    from harness.server.spool.active_recording import ActiveRecording
    from harness.server.spool.spool import Spool

pytestmark = pytest.mark.parallel

# This character needs four bytes in UTF-8, which is the maximum.
WIDE = "\N{GRINNING FACE}"
TILE = {"participant": WIDE * 200, "x": 65_535, "y": 65_535, "width": 65_535, "height": 65_535}
LARGEST_EVENTS: tuple[dict[str, Any], ...] = (
    {"time": -1e13 / 3, "event": "layout", "tiles": [TILE] * MAX_TILES},
    {"time": 1, "event": "alarm", "message": WIDE * 2_000},
    {"time": 1, "event": "alarm", "message": '"\\' * 1_000},
    {"time": 1.5, "event": "join", "participant": WIDE * 200},
    {"time": 0, "event": "video", "participant": "a", "on": True},
    {"time": 0, "event": "layout", "tiles": []},
)


def manifest_size(active: ActiveRecording) -> int:
    """End a recording, and return the size of its manifest."""
    return len(active.finish_with_manifest().model_dump_json(by_alias=True, indent=1).encode())


def fed(spool: Spool, audio_bytes: bytes) -> ActiveRecording:
    """Return a recording of another application's call, for which the page itself reports joins and leaves."""
    active = begin(spool, presence_from_server=False)
    active.log.add_recorder_state("started", STARTED)
    active.add_chunk(0, 0, memoryview(audio_bytes))
    return active


@pytest.mark.parametrize("event", LARGEST_EVENTS)
def test_an_event_uses_no_more_of_a_manifest_than_estimated(
    event: dict[str, Any], spool: Spool, audio_bytes: bytes
) -> None:
    """An event's estimated size in a manifest includes its time, its indentation and the alarm repeating its text."""
    message = MixerEvent.model_validate(event)
    line = message.model_dump(exclude_none=True, exclude={"remote_server", "marker"})
    one, more = fed(spool, audio_bytes), fed(spool, audio_bytes)
    one.log.add_event(message)
    for _ in range(11):
        more.log.add_event(message)

    grown = (manifest_size(more) - manifest_size(one)) / 10

    assert grown <= manifest_bytes(line)


def test_a_manifest_filled_to_all_limits_can_be_read() -> None:
    """The limits on the size of events leave enough space for all other parts of a manifest."""
    pause = Event(at=-1e10 / 3, event="pause", seconds=1e10 / 3)
    pauses = recording_log._MAX_EVENTS // 2 * manifest_bytes(pause.model_dump(exclude_none=True))
    texts = 4 * (LONGEST_NAME + 16 * 2_000)

    assert PAGE_EVENTS + ROOM_EVENTS + SERVER_ALARMS + pauses + texts <= LARGEST_MANIFEST


@pytest.mark.parametrize("letter", [WIDE, "\\", "\n", "\x01"])
def test_the_longest_log_lines_can_be_read_again(letter: str, spool: Spool, audio_bytes: bytes) -> None:
    """The longest log lines can be read back, whatever characters they contain, and the recording can be finished."""
    active = recorded(spool, audio_bytes)
    room = ServerLimits().spool_message
    report = [{f"{number:{letter}<128}": letter * 128 for number in range(64)}] * 64
    statistics = {"type": "stats", "time": STARTED + OFFSET, "participant": "bob", "report": report}
    while len(json.dumps(statistics, ensure_ascii=False).encode()) > room:
        report.pop()
    ticks = {"type": "ticks", "first": 2**62, "written": [-1e13 / 3] * 4_096}

    active.statistics.add(Statistics.model_validate_json(json.dumps(statistics)))
    active.add_ticks(**Ticks.model_validate_json(json.dumps(ticks)).model_dump(exclude={"type"}))

    active.finish_with_manifest()
    assert max(map(len, active.folder.statistics.read_bytes().splitlines())) < LONGEST_LINE
    assert max(map(len, active.folder.log.read_bytes().splitlines())) < LONGEST_LINE


def test_logs_of_the_largest_size_can_be_recovered_and_verified() -> None:
    """The code that reads logs and statistics accepts files as large as the server can write."""
    assert ServerLimits().notes_bytes <= _MAXIMA["notes_bytes"] <= recover._LARGEST_LOG
    assert _MAXIMA["notes_bytes"] <= statistics_module._LARGEST_FILE


def test_a_room_has_no_more_participants_than_a_layout_has_tiles() -> None:
    """A layout can have as many tiles as a room can have participants, so all of them can be recorded."""
    tiles = [{**TILE, "participant": "a"}] * _MAXIMA["participants"]

    MixerEvent.model_validate({"time": 1, "event": "layout", "tiles": tiles})


@pytest.mark.parametrize("event", LARGEST_EVENTS[:2])
def test_events_that_a_manifest_cannot_hold_are_dropped(
    event: dict[str, Any], spool: Spool, audio_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the manifest's limit on events is reached, later events are dropped, and the recording continues."""
    monkeypatch.setattr(recording_log, "PAGE_EVENTS", 2_000_000)
    active = fed(spool, audio_bytes)
    message = MixerEvent.model_validate(event)

    for _ in range(1_000):
        active.log.add_event(message)

    assert "recording" == active.state
    assert manifest_size(active) <= 2_010_000
    assert (
        "The manifest has reached its limit of page events; later events are missing."
        in active.finish_with_manifest().alarms
    )


def test_joins_that_a_manifest_cannot_list_are_left_out_with_their_leaves(
    spool: Spool, audio_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recording continues even if participants join more often than its manifest can list.

    Participants who are already listed in the manifest stay listed, even if later joins no longer fit.
    """
    monkeypatch.setattr(recording_log, "ROOM_EVENTS", 100_000)
    active = recorded(spool, audio_bytes)
    bob = Member(name="bob", marker=1)
    active.log.add_member_event(MemberEvent(STARTED + OFFSET, "join", bob))
    for number in range(2_000):
        mallory = Member(name=f"mallory {number}", marker=2)
        active.log.add_member_event(MemberEvent(STARTED + OFFSET + 10, "join", mallory))
        active.log.add_member_event(MemberEvent(STARTED + OFFSET + 20, "leave", mallory))
    active.log.add_member_event(MemberEvent(STARTED + OFFSET + 500, "leave", bob))

    manifest = active.finish_with_manifest()

    assert manifest_size(active) <= 110_000
    (present,) = manifest.timeline.present("bob", 1.0)
    assert (0.0, 0.5) == pytest.approx(present, abs=0.2)
    listed = [member.name for member in manifest.timeline.members]
    assert 100 < len(listed) < 1_000
    for name in listed[:-2]:
        kinds = [event.event for event in manifest.timeline.events if event.participant == name]
        assert name == "alice" or ["join", "leave"] == kinds
    assert ("More participants joined and left than the manifest can list.",) == manifest.alarms
    assert Manifest.read(active.finish_with_manifest().recording.manifest) == manifest


def test_server_alarms_are_limited(spool: Spool, audio_bytes: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of alarms is limited, since an alarm is added each time a page stops sending data."""
    monkeypatch.setattr(recording_log, "SERVER_ALARMS", 10_000)
    active = recorded(spool, audio_bytes)

    for _ in range(1_000):
        active.log.add_alarm(1.0, "The page has stopped sending data.")

    assert manifest_size(active) <= 13_000


def test_late_frames_are_listed_and_limited(spool: Spool, audio_bytes: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The manifest contains the first late frames of each marker; further ones are left out."""
    monkeypatch.setattr(recording_log, "LATE_FRAMES", 10_000)
    active = recorded(spool, audio_bytes)
    bob = Member(name="bob", marker=1)
    active.log.add_member_event(MemberEvent(STARTED + OFFSET, "join", bob))
    for number in range(1_000):
        late = MemberEvent(STARTED + OFFSET + number, "late-frames", bob, (2 * number, 2 * number + 1))
        active.log.add_member_event(late)

    manifest = active.finish_with_manifest()

    assert manifest_size(active) <= 13_000
    late_counters = manifest.timeline.late_counters(1)
    assert {0, 1, 2, 3} < late_counters < set(range(200))
    assert not manifest.timeline.late_counters(0)
