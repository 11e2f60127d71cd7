"""The checks start-up and delay measure how soon media appears after a join, and how much it is delayed in the file."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.recording.manifest import Manifest
from harness.recording.timeline import Event, Timeline, timeline_from
from harness.verification import Limits, verify
from harness.verification.measures.start_up import StartUp, start_ups
from tests.support.media.recording_file import write_recording
from tests.support.media.scene import Scene, participants, with_participant

pytestmark = [pytest.mark.parallel, pytest.mark.usefixtures("in_process")]

CLEAN = Scene(participants=participants("alice", "bob"), width=240, height=136, seconds=4.0)
CAPTURES_BEGIN = 5_000.0


def events(*given: tuple[float, str, bool | None], **more: object) -> Timeline:
    """Return a timeline with Bob's events: (time, kind, on)."""
    records = [{"at": at, "event": kind, "participant": "bob", "on": on, **more} for at, kind, on in given]
    return timeline_from(records, [])


@pytest.mark.parametrize(
    ("timeline", "found", "expected"),
    [
        (events((2, "join", None), (3, "video", True)), [(3.0, 9.0)], [StartUp(2, 1, appeared=True)]),
        (events((-1, "join", None), (-0.3, "video", True)), [(0.0, 9.0)], [StartUp(0, 0, appeared=True)]),
        (events((-1, "join", None), (4, "video", True)), [(4.0, 9.0)], [StartUp(0, 4, appeared=True)]),
        (events((2, "join", None)), [], [StartUp(2, 8, appeared=False)]),
        (events((2, "join", None), (2.1, "video", False), (8, "video", True)), [(8.0, 9.0)], []),
        (events((-1, "join", None), (-0.5, "video", False), (8, "video", True)), [(8.0, 9.0)], []),
        (events((2, "join", None), (3, "video", True)), [], []),
        (
            events(
                (1, "join", None),
                (1.5, "video", True),
                (3, "leave", None),
                (3.01, "video", False),
                (5, "join", None),
                (7, "video", True),
            ),
            [(1.5, 3.0), (7.0, 9.0)],
            [StartUp(1, 0.5, appeared=True), StartUp(5, 2, appeared=True)],
        ),
        (
            events((2, "join", None), (3, "video", True)).model_copy(
                update={
                    "events": (
                        Event(at=2, event="join", participant="bob"),
                        Event(at=2.5, event="pause", seconds=6),
                        Event(at=3, event="video", participant="bob", on=True),
                    )
                }
            ),
            [(3.0, 9.0)],
            [StartUp(2, 7, appeared=True)],
        ),
    ],
    ids=[
        "after a join",
        "before the recording",
        "late after the start of the recording",
        "never",
        "camera off after the join",
        "camera off before the recording",
        "reported as absent",
        "two joins",
        "a pause counts",
    ],
)
def test_start_up_is_measured_from_each_join(
    timeline: Timeline, found: list[tuple[float, float]], expected: list[StartUp]
) -> None:
    """The start-up is the time from a join to the first frame, unless the camera was off at the join."""
    assert expected == list(start_ups(timeline, "bob", "video", found, 10.0))


def test_start_up_in_another_application_is_measured_from_the_track() -> None:
    """In another application's call, bob's camera track begins five seconds after bob joins."""
    track = {"event": "track", "participant": "bob", "track": "camera", "kind": "video", "on": True}
    records = [
        {"at": 0, "event": "call", "on": True},
        {"at": 1, "event": "join", "participant": "bob"},
        {"at": 6.5, "event": "video", "participant": "bob", "on": True},
    ]

    without, with_track = timeline_from(records, []), timeline_from([*records, {"at": 6, **track}], [])

    assert () == start_ups(without, "bob", "video", [(6.5, 9.0)], 10.0)
    assert (StartUp(6, 0.5, appeared=True),) == start_ups(with_track, "bob", "video", [(6.5, 9.0)], 10.0)


def test_many_joins_are_measured_in_linear_time() -> None:
    """A hostile manifest with many joins does not slow the measurement down."""
    given = [one for at in range(20_000) for one in ((at, "join", None), (at + 0.5, "leave", None))]

    found = start_ups(events(*given), "bob", "video", [(at + 0.25, at + 0.5) for at in range(20_000)], 20_000.0)

    assert {StartUp(at, 0.25, appeared=True) for at in range(20_000)} == set(found)


def test_participant_who_appears_late_fails_start_up(tmp_path: Path) -> None:
    """Bob joins at 0.5 s, and his video and audio appear at 2.5 s, both according to the manifest and in the file."""
    late = ((0.0, 2.5),)
    scene = with_participant(CLEAN, "bob", hidden=late, muted=late, joins=0.5, switches_on=2.5)
    described = with_participant(scene, "bob", hidden=(), muted=())
    recording = write_recording(tmp_path / "standup.webm", scene, manifest_scene=described)

    default = verify(recording)
    tight = verify(recording, limits=Limits(first_video_ms=1500, first_audio_ms=2500))

    assert default.ok
    bob = default.participant("bob")
    assert (2000, 2000) == pytest.approx((bob.first_video_ms, bob.first_audio_ms), abs=60)
    assert [("start-up", "bob")] == [(finding.check, finding.participant) for finding in tight.failures]
    assert tight.failures[0].message.startswith("bob is visible only 2.0")


def test_participant_who_never_appears_fails_start_up(tmp_path: Path) -> None:
    """Bob joins and stays, but no video and audio ever arrive, so the manifest never states that they are on."""
    never = ((0.0, 9.0),)
    scene = with_participant(CLEAN, "bob", hidden=never, muted=never, joins=0.5, switches_on=None)
    recording = write_recording(tmp_path / "standup.webm", scene)

    report = verify(recording, profile="strict")

    assert [("start-up", "bob")] * 2 == [(finding.check, finding.participant) for finding in report.failures]
    assert "bob is not visible within 3.50 s of joining at 0.50 s" in report.failures[0].message


@pytest.mark.parametrize(
    ("delays", "error", "failed", "unverified"),
    [
        ((100.0, 0.05), 0.0, set(), set()),
        ((500.0, 0.0), 0.0, {"video", "audio"}, set()),
        ((350.0, 0.08), 0.0, {"audio"}, set()),
        ((500.0, 0.0), 300.0, set(), {"video", "audio"}),
        ((-200.0, 0.0), 5.0, set(), {"video"}),
    ],
    ids=["low", "high", "late audio", "inaccurate clocks", "before the capture"],
)
def test_delay_is_measured_from_capture_to_file(
    tmp_path: Path, delays: tuple[float, float], error: float, failed: set[str], unverified: set[str]
) -> None:
    """The delays of video and audio are compared with 400 ms, unless the clocks' error explains a higher delay."""
    delay, audio_delay = delays
    scene = replace(with_participant(CLEAN, "bob", audio_delay=audio_delay), zero_ms=CAPTURES_BEGIN + delay)
    recording = write_recording(tmp_path / "standup.webm", scene)
    manifest = Manifest.read(recording.manifest)
    recording.manifest.unlink()
    manifest.model_copy(update={"clock_error_ms": error}).write(recording.manifest)

    report = verify(recording)

    bob = report.participant("bob")
    assert bob.delay_ms is not None
    assert bob.audio_delay_ms is not None
    assert delay == pytest.approx(bob.delay_ms.median, abs=20)
    assert delay + audio_delay * 1000 == pytest.approx(bob.audio_delay_ms.median, abs=20)
    about_bob = [one for one in report.findings if one.check == "delay" and one.participant == "bob"]
    assert failed == {one.message.split()[1] for one in about_bob if one.result == "failed"}
    assert unverified == {one.message.split()[1] for one in about_bob if one.result == "unverified"}
