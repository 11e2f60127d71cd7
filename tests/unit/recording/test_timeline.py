"""The timeline specifies when each participant is visible and audible in the file."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from harness.recording.timeline import Event, Member, Tile, Timeline, timeline_from, with_final_names

pytestmark = pytest.mark.parallel


def layout(at: float, *names: str) -> dict[str, Any]:
    """Return a layout event that shows these participants next to each other."""
    tiles = [
        {"participant": name, "x": 100 * index, "y": 0, "width": 100, "height": 90} for index, name in enumerate(names)
    ]
    return {"at": at, "event": "layout", "tiles": tiles}


def video_switch(at: float, name: str, *, on: bool) -> dict[str, Any]:
    """Return an event that switches a participant's video on or off."""
    return {"at": at, "event": "video", "participant": name, "on": on}


def audio_switch(at: float, name: str, *, on: bool) -> dict[str, Any]:
    """Return an event that switches a participant's audio on or off."""
    return {"at": at, "event": "audio", "participant": name, "on": on}


def test_participant_with_a_tile_and_live_video_is_visible() -> None:
    """A participant with a tile and live video is visible until the recording ends."""
    timeline = timeline_from([layout(-0.5, "alice"), video_switch(0.25, "alice", on=True)], [])

    assert [(0.25, 5.0)] == timeline.visible("alice", 5.0)


def test_placeholder_is_not_visible() -> None:
    """A participant is not visible while their camera is off."""
    events = [layout(0, "alice"), video_switch(0, "alice", on=True)]
    events += [video_switch(1, "alice", on=False), video_switch(2, "alice", on=True)]

    assert [(0.0, 1.0), (2.0, 5.0)] == timeline_from(events, []).visible("alice", 5.0)


def test_participant_without_a_tile_is_not_visible() -> None:
    """A participant stops being visible when a layout omits them, even if a video event about them follows."""
    events = [
        layout(0, "alice", "bob"),
        video_switch(0, "bob", on=True),
        layout(3, "alice"),
        video_switch(3.1, "bob", on=False),
    ]

    assert [(0.0, 3.0)] == timeline_from(events, []).visible("bob", 5.0)


def test_participant_who_returns_is_visible_twice() -> None:
    """A participant who leaves and returns is visible in two intervals."""
    events = [layout(0, "alice"), layout(1, "alice", "bob"), video_switch(1, "bob", on=True)]
    events += [
        video_switch(2, "bob", on=False),
        layout(2, "alice"),
        layout(3, "alice", "bob"),
        video_switch(3.5, "bob", on=True),
    ]

    assert [(1.0, 2.0), (3.5, 5.0)] == timeline_from(events, []).visible("bob", 5.0)


def test_times_outside_of_the_file_do_not_count() -> None:
    """In the timeline, intervals begin no earlier than the first frame, and end no later than the last frame."""
    events = [
        audio_switch(-3, "alice", on=True),
        audio_switch(-2, "alice", on=False),
        audio_switch(-1, "alice", on=True),
    ]
    events += [audio_switch(2, "alice", on=False), audio_switch(6, "alice", on=True)]

    assert [(0.0, 2.0)] == timeline_from(events, []).audible("alice", 5.0)


def test_repeated_event_changes_nothing() -> None:
    """If a participant's audio is switched on or off twice in a row, the second event has no effect."""
    events = [audio_switch(at, "alice", on=on) for at, on in [(0, True), (1, True), (2, False), (3, False)]]

    assert [(0.0, 2.0)] == timeline_from(events, []).audible("alice", 5.0)


def test_participant_without_audio_is_not_audible() -> None:
    """A participant is audible only if their own audio is on, not if another participant's audio is on."""
    timeline = timeline_from([audio_switch(0, "alice", on=True)], [])

    assert [] == timeline.audible("bob", 5.0)


def test_events_are_sorted_by_time() -> None:
    """The timeline's events are sorted by time, and events with the same time keep their order."""
    timeline = timeline_from(
        [audio_switch(2, "b", on=True), audio_switch(1, "a", on=True), audio_switch(1, "a", on=False)], []
    )

    assert [(1.0, True), (1.0, False), (2.0, True)] == [(event.at, event.on) for event in timeline.events]


def test_tile_comes_from_the_current_layout() -> None:
    """A participant has no tile before the first layout, or if the current layout does not include them."""
    timeline = timeline_from([layout(1, "alice", "bob"), layout(3, "bob")], [])

    places = [timeline.tile("bob", at) for at in (0.5, 1, 2.9, 3)]

    assert [None, 100, 100, 0] == [place.x if place else None for place in places]
    assert timeline.tile("alice", 3) is None


def test_timeline_survives_json() -> None:
    """In JSON, each event contains only the fields that belong to its type.

    A timeline that is written as JSON and read back equals the original.
    """
    timeline = Timeline(
        members=(Member(name="alice", marker=0), Member(name="bob")),
        events=(
            Event(at=-0.25, event="join", participant="alice"),
            Event(at=0, event="layout", tiles=(Tile(participant="alice", x=0, y=0, width=2, height=2),)),
            Event(at=1, event="alarm", message="The video stalled."),
        ),
    )

    written = timeline.model_dump_json()

    assert timeline == Timeline.model_validate_json(written)
    assert "null" not in written.replace('"marker":null', "")


@pytest.mark.parametrize(
    "record",
    [
        {"at": float("nan"), "event": "alarm"},
        {"at": float("inf"), "event": "alarm"},
        {"at": 0, "event": "party"},
        {"at": 0, "event": "audio", "participant": "x" * 201},
        {"at": 0, "event": "layout", "tiles": [{"participant": "a", "x": -1, "y": 0, "width": 1, "height": 1}]},
        {"at": 0, "event": "layout", "tiles": [{"participant": "a", "x": 0, "y": 0, "width": 0, "height": 1}]},
        {"at": 0, "event": "alarm", "message": "x" * 2001},
        {"at": 0, "event": "audio", "colour": "red"},
    ],
)
def test_invalid_event_is_refused(record: dict[str, Any]) -> None:
    """Invalid events are refused, so that they can't get into a manifest."""
    with pytest.raises(ValidationError):
        timeline_from([record], [])


def test_name_that_becomes_known_later_applies_to_earlier_events() -> None:
    """If an unidentified participant is later identified as bob, the earlier events also name bob."""
    tile = Tile(participant="unidentified 1", x=0, y=0, width=2, height=2)
    events = [
        Event(at=0, event="join", participant="unidentified 1"),
        Event(at=0, event="layout", tiles=(tile,)),
        Event(at=2, event="identified", participant="bob", was="unidentified 1"),
    ]

    join, layout, identified = with_final_names(events)

    assert join.participant == "bob"
    assert layout.tiles is not None
    assert layout.tiles[0].participant == "bob"
    assert ("bob", "unidentified 1") == (identified.participant, identified.was)


@pytest.mark.parametrize(
    ("states", "unmarked"),
    [
        ([(0, {}), (1, {"marker": 7})], []),
        ([(0, {}), (1, {"message": "no marker"})], [(0.0, 5.0)]),
        ([(0, {}), (1, {"message": "no marker"}), (3, {"marker": 7})], [(0.0, 3.0)]),
        ([(0, {"marker": 7}), (2, {}), (3, {"message": "no marker"})], [(2.0, 5.0)]),
        ([(0, {"marker": 7}), (2, {}), (3, {"marker": 7})], []),
    ],
    ids=[
        "its marker is found later",
        "it has no marker",
        "a track with a marker replaces it",
        "it replaces a track with a marker",
        "both tracks have the marker",
    ],
)
def test_track_is_unmarked_unless_its_marker_is_found(
    states: list[tuple[float, dict[str, Any]]], unmarked: list[tuple[float, float]]
) -> None:
    """A track is unmarked from its beginning, unless its own examination finds the participant's marker."""
    events = [
        {"at": at, "event": "track", "participant": "bob", "track": "camera", "kind": "video", "on": True, **state}
        for at, state in states
    ]

    assert unmarked == timeline_from(events, []).unmarked("bob", ("camera", "video"), 7, 5.0)
