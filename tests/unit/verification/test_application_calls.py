"""Recordings of another application's call are checked against the manifest's events about the call and its tracks."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.recording.manifest import Manifest
from harness.recording.timeline import Event, Tile, timeline_from
from harness.verification import Report, verify
from tests.support.media.recording_file import write_recording
from tests.support.media.scene import Scene, participants, with_participant

pytestmark = [pytest.mark.parallel, pytest.mark.usefixtures("in_process")]

CALL = Scene(participants=participants("alice", "bob"))
IN_CALL = {"at": 0.0, "event": "call", "on": True}


def verified(folder: Path, scene: Scene, *events: dict[str, Any], manifest_scene: Scene | None = None) -> Report:
    """Add events to a recording's manifest, and verify the recording."""
    recording = write_recording(folder / "call.webm", scene, manifest_scene=manifest_scene)
    manifest = Manifest.read(recording.manifest)
    members = manifest.timeline.members
    joins = [Event(at=0.0, event="join", participant=member.name) for member in members]
    added = [Event(**one) for one in events]
    timeline = timeline_from([*joins, *manifest.timeline.events, *added], members)
    recording.manifest.unlink()
    manifest.model_copy(update={"timeline": timeline}).write(recording.manifest)
    return verify(recording)


def track(at: float, *, on: bool = True, **fields: Any) -> dict[str, Any]:
    """Return an event about bob's camera."""
    defaults = {"participant": "bob", "track": "camera", "kind": "video"}
    return {"at": at, "event": "track", "on": on, **defaults, **fields}


def messages(report: Report, check: str) -> list[str]:
    """Return the messages of a check's findings that did not pass."""
    return [one.message for one in report.findings if one.check == check and one.result != "passed"]


def test_recording_of_a_whole_call_passes(tmp_path: Path) -> None:
    """The check ``call`` passes without a warning."""
    report = verified(tmp_path, CALL, IN_CALL)

    assert "passed" == report.result
    assert () == report.warnings
    assert any(one.check == "call" for one in report.findings)


def test_recording_that_continues_after_the_call_fails(tmp_path: Path) -> None:
    """The finding states the time after which nobody was in the call, and the reason."""
    over = {"at": 1.5, "event": "call", "on": False, "message": "the page has closed its connections"}

    report = verified(tmp_path, CALL, IN_CALL, over)

    assert ["Nobody was in the call from 1.50 s on: the page has closed its connections."] == messages(report, "call")
    assert not report.ok


def test_recording_fails_if_the_page_was_out_of_the_call_for_a_while(tmp_path: Path) -> None:
    """The finding states the start and the end of the time in which nobody was in the call."""
    lost = {"at": 1.0, "event": "call", "on": False, "message": "the connections were lost"}

    report = verified(tmp_path, CALL, IN_CALL, lost, {**IN_CALL, "at": 2.0})

    assert ["Nobody was in the call from 1.00 to 2.00 s: the connections were lost."] == messages(report, "call")


def test_participant_who_remains_alone_is_a_warning(tmp_path: Path) -> None:
    """A call can continue with one participant, for example if the page is still connected to a media server."""
    scene = with_participant(CALL, "bob", hidden=((1.0, 3.0),), muted=((1.0, 3.0),))

    report = verified(tmp_path, scene, IN_CALL, {"at": 1.0, "event": "leave", "participant": "bob"})

    assert ["alice was alone in the call from 1.00 s on."] == messages(report, "call")
    assert report.ok


def test_video_without_a_marker_is_unverified(tmp_path: Path) -> None:
    """A video without a marker may be intended, for example if an application sends a whiteboard."""
    scene = with_participant(CALL, "bob", hidden=((0.0, 3.0),))
    begins, examined = track(0.0), track(1.2, message="no marker")

    report = verified(tmp_path, scene, IN_CALL, begins, examined, manifest_scene=CALL)

    assert "unverified" == report.result
    assert messages(report, "presence")[0].startswith(
        "bob's video has no marker from 0.00 to 3.00 s, so it could not be examined there."
    )


def test_video_with_a_marker_must_be_visible_even_if_the_marker_was_found_late(tmp_path: Path) -> None:
    """A marker applies to the whole track, even if the marker was found late."""
    scene = with_participant(CALL, "bob", hidden=((0.0, 1.0),))

    report = verified(
        tmp_path, scene, IN_CALL, track(0.0), track(0.8, marker=CALL.participants[1].marker), manifest_scene=CALL
    )

    assert ["bob is not visible from 0.50 to 1.00 s, but should be."] == messages(report, "presence")


def test_shared_screen_is_listed_under_its_owner(tmp_path: Path) -> None:
    """The report states when the screen was shared."""
    shared = [track(at, on=on, track="screen") for at, on in ((0.5, True), (2.0, False))]

    report = verified(tmp_path, CALL, IN_CALL, *shared)

    (screen,) = report.participant("bob").tracks
    assert ("screen", "video", ((0.5, 2.0),)) == (screen.track, screen.kind, screen.present)


def test_shared_screen_that_is_never_visible_does_not_pass(tmp_path: Path) -> None:
    """The manifest lists a track with the screen's marker, but never shows it, so nothing could be examined."""
    marker = (CALL.participants[1].marker or 0) + 128

    report = verified(tmp_path, CALL, IN_CALL, track(0.5, track="screen", marker=marker))

    assert "unverified" == report.result
    assert ["bob"] == [finding.participant for finding in report.unverified]


def test_marker_of_a_shared_screen_is_expected(tmp_path: Path) -> None:
    """A screen's marker is its participant's marker plus 128, so the screen is not an unexpected participant."""
    (alice, bob) = CALL.participants
    scene = replace(CALL, participants=(alice, replace(bob, marker=(bob.marker or 0) + 128)))

    report = verified(tmp_path, scene, IN_CALL, track(0.0, marker=(bob.marker or 0) + 128), manifest_scene=CALL)

    assert "bob (screen)" in [one.name for one in report.participants]
    assert [] == messages(report, "unexpected")


def test_tile_of_an_extra_track_is_not_the_participants_own_tile() -> None:
    """The presence check uses the tile of the participant's camera, not the tile of another track."""
    tiles = (
        Tile(participant="bob", track="screen", x=0, y=0, width=2, height=2),
        Tile(participant="bob", x=2, y=0, width=2, height=2),
    )

    timeline = timeline_from([{"at": 0, "event": "layout", "tiles": tiles}], [])

    assert timeline.tile("bob", 1) == tiles[1]
