"""An observation's manifest consists of the entries that the page has reported, even if the page has disappeared."""

from __future__ import annotations

from typing import Any

import pytest

from harness.recording.timeline import Event, Member
from harness.session.observation import ObservationLog

pytestmark = pytest.mark.parallel

START = 50_000.0


def log_of(*entries: dict[str, Any]) -> ObservationLog:
    """Return a finished log with these entries, whose times are in seconds since the start."""
    log = ObservationLog()
    log.begin(START)
    timed = [{**entry, "time": START + 1000 * entry["time"]} for entry in entries]
    log.finish({"time": START + 10_000, "entries": timed})
    return log


def progress(number: int, seconds: float, *, ended: bool = False, **entry: Any) -> dict[str, Any]:
    """Return what a page reports during an observation."""
    time = START + 1000 * seconds
    extra = {"entry": {**entry, "time": time}} if entry else {}
    return {"id": "o1", "number": number, "time": time, "ended": ended, **extra}


def test_times_are_seconds_since_the_start() -> None:
    """The page reports times in ms on the room's clock."""
    log = log_of({"event": "call", "on": True, "time": 0.0}, {"event": "alarm", "message": "Lost.", "time": 2.5})

    events, _, notes = log.contents()

    assert [Event(at=0.0, event="call", on=True), Event(at=2.5, event="alarm", message="Lost.")] == events
    assert (10.0, []) == (log.duration, notes)


def test_participants_are_those_who_have_joined() -> None:
    """A join states the marker; participants without synthetic media have none."""
    log = log_of(
        {"event": "join", "participant": "alice", "marker": 4, "time": 0},
        {"event": "join", "participant": "bob", "marker": None, "time": 1},
        {"event": "audio", "participant": "carol", "on": True, "time": 1},
    )

    events, members, _ = log.contents()

    assert [Member(name="alice", marker=4), Member(name="bob")] == members
    assert [None, None, None] == [event.marker for event in events]


def test_participant_who_is_identified_has_that_name_from_the_start() -> None:
    """The marker becomes known together with the name."""
    log = log_of(
        {"event": "join", "participant": "unidentified 1", "marker": None, "time": 0},
        {"event": "audio", "participant": "unidentified 1", "on": True, "time": 0},
        {"event": "identified", "participant": "bob", "was": "unidentified 1", "marker": 9, "time": 2},
    )

    events, members, _ = log.contents()

    assert [Member(name="bob", marker=9)] == members
    assert ["bob", "bob", "bob"] == [event.participant for event in events]


def test_entries_that_cannot_be_read_are_counted() -> None:
    """A script in the page may report anything; the rest of the observation is kept."""
    log = log_of(
        {"event": "join", "participant": "alice", "marker": 4, "time": 0},
        {"event": "explosion", "time": 1},
        {"event": "join", "participant": "bob", "marker": 4000, "time": 1},
        {"event": "leave", "participant": 7, "time": 1},
    )

    events, members, notes = log.contents()

    assert ["join"] == [event.event for event in events]
    assert ([Member(name="alice", marker=4)], ["3 events of the observation could not be read."]) == (members, notes)


def test_everything_that_was_reported_is_kept_if_the_page_disappears() -> None:
    """Entries may arrive in any order, and before the call that starts the observation has returned."""
    log = ObservationLog()
    assert log.receive(progress(1, 0.1, event="join", participant="alice", marker=4))
    log.begin(START)
    assert log.receive(progress(3, 0.9, event="alarm", message="Lost."))
    assert log.receive(progress(2, 0.5, event="call", on=True))
    assert log.receive(progress(3, 4.0))

    events, _, _ = log.contents()

    assert ["join", "call", "alarm"] == [event.event for event in events]
    assert (4.0, False) == (log.duration, log.ended)


def test_end_is_known_if_the_page_has_reported_it() -> None:
    """A participant who leaves ends the observation."""
    log = ObservationLog()
    log.begin(START)
    log.receive(progress(0, 3.0, ended=True))

    assert (3.0, True) == (log.duration, log.ended)


@pytest.mark.parametrize(
    "reported",
    [
        {},
        {"number": 1, "time": START},
        {"number": -1, "time": START, "ended": False},
        {"number": 10**9, "time": START, "ended": False},
        {"number": 1, "time": float("nan"), "ended": False},
        {"number": 1, "time": START, "ended": False, "entry": "join"},
        "ended",
    ],
)
def test_other_reports_are_refused(reported: object) -> None:
    """Only the progress of an observation is stored."""
    log = ObservationLog()
    log.begin(START)

    assert not log.receive(reported)
    assert ([], [], []) == log.contents()
