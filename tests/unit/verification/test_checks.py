"""Each deliberate fault is found by the check for this fault and by no other check, and clean recordings pass."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.recording.manifest import Manifest
from harness.recording.timeline import Timeline
from harness.verification import Limits, Report, verify
from harness.verification.checks.catalogue import CHECKS
from harness.verification.markers.strip import COUNTER_PERIOD
from harness.verification.values.expectations import Expectation
from tests.support.media.recording_file import write_recording
from tests.support.media.scene import PlannedParticipant, Scene, participants, with_participant

pytestmark = [pytest.mark.parallel, pytest.mark.usefixtures("in_process")]

CLEAN = Scene(participants=participants("alice", "bob"))
SLOW = Scene(participants=participants("alice", "bob", "carol"), frame_rate=15)


@pytest.mark.parametrize(
    "scene",
    [
        CLEAN,
        SLOW,
        Scene(participants=participants("alice", "bob", "carol", "dave"), width=320, height=240),
        Scene(participants=participants("alice"), codec="libvpx-vp9", seconds=1.0),
        Scene(participants=participants("alice"), video=False),
        with_participant(CLEAN, "bob", frame_rate=15),
        with_participant(CLEAN, "bob", frame_rate=25),
        with_participant(SLOW, "bob", frame_rate=25),
        with_participant(CLEAN, "bob", hidden=((1.0, 2.0),), muted=((1.0, 2.0),)),
        with_participant(CLEAN, "bob", counter=COUNTER_PERIOD - 40),
    ],
)
def test_clean_recording_passes_every_check(tmp_path: Path, scene: Scene) -> None:
    """Clean recordings of various sizes, frame rates, codecs and numbers of participants pass without warnings."""
    report = verify(write_recording(tmp_path / "standup.webm", scene))

    assert [] == [finding for finding in report.findings if finding.result != "passed"]


def test_very_short_recording_is_not_examined_for_noise(tmp_path: Path) -> None:
    """In a recording of 0.4 s, a burst is played all the time; all other checks pass."""
    scene = Scene(participants=participants("alice"), seconds=0.4)

    report = verify(write_recording(tmp_path / "standup.webm", scene))

    assert ["noise"] == [finding.check for finding in report.findings if finding.result != "passed"]
    assert "unverified" == report.result


def test_audio_of_participants_with_the_same_audio_marker_is_unverified(tmp_path: Path) -> None:
    """The markers 2 and 18 have the same tone, so it is unknown which of the two participants is audible."""
    sixteen_more = PlannedParticipant(name="sixteen more", marker=18)
    scene = replace(CLEAN, participants=(*CLEAN.participants, sixteen_more))

    report = verify(write_recording(tmp_path / "standup.webm", scene))

    assert "unverified" == report.result
    assert {"bob", "sixteen more"} == {finding.participant for finding in report.unverified}
    assert "presence" in {finding.check for finding in report.unverified}


FAULTS = {
    "MP4 named webm": (replace(CLEAN, container="mp4", codec="libvpx-vp9"), None, {"container"}),
    "no index": (replace(CLEAN, live=True), None, {"container"}),
    "no audio": (replace(CLEAN, audio=False), None, {"container"}),
    "no video": (replace(CLEAN, video=False), CLEAN, {"container"}),
    "wrong codec": (replace(CLEAN, codec="libvpx-vp9"), CLEAN, {"container"}),
    "wrong size": (replace(CLEAN, width=480, height=270), CLEAN, {"size"}),
    "wrong rate": (replace(CLEAN, frame_rate=15), CLEAN, {"frame-rate"}),
    "dropped frames": (replace(CLEAN, dropped=frozenset({30, 31, 60})), CLEAN, {"gap"}),
    "black": (replace(CLEAN, black=((1.0, 1.5),)), CLEAN, {"black"}),
    "silent": (replace(CLEAN, silent=((1.0, 1.5),)), CLEAN, {"silent"}),
    "missing": (with_participant(CLEAN, "bob", hidden=((1.0, 2.0),), muted=((1.0, 2.0),)), CLEAN, {"presence"}),
    "not visible": (with_participant(CLEAN, "bob", hidden=((1.0, 1.5),)), CLEAN, {"presence"}),
    "not audible": (with_participant(CLEAN, "bob", muted=((1.0, 1.5),)), CLEAN, {"presence"}),
    "audible though muted": (CLEAN, with_participant(CLEAN, "bob", muted=((0.0, 3.0),)), {"presence"}),
    "visible though hidden": (CLEAN, with_participant(CLEAN, "bob", hidden=((0.0, 3.0),)), {"presence"}),
    "swapped": (with_participant(with_participant(CLEAN, "bob", tile=0), "alice", tile=1), CLEAN, {"presence"}),
    "frozen": (with_participant(CLEAN, "bob", frozen=((1.0, 1.5),)), CLEAN, {"frozen"}),
    "doubled frames": (replace(CLEAN, repeated=frozenset(range(3, 90, 4))), CLEAN, {"repeated"}),
    "audio late": (with_participant(CLEAN, "bob", audio_delay=0.3), CLEAN, {"av-offset"}),
    "audio early": (with_participant(CLEAN, "bob", audio_delay=-0.3), CLEAN, {"av-offset"}),
    "unexpected video": (with_participant(CLEAN, "bob", unlisted=True), None, {"unexpected"}),
    "unexpected audio": (with_participant(CLEAN, "bob", unlisted=True, hidden=((0.0, 9.0),)), None, {"unexpected"}),
    "cut tail": (replace(CLEAN, seconds=2.0), CLEAN, {"duration"}),
}


@pytest.mark.parametrize(("scene", "manifest_scene", "checks"), FAULTS.values(), ids=FAULTS)
def test_planted_fault_is_found_by_its_own_check(
    tmp_path: Path, scene: Scene, manifest_scene: Scene | None, checks: set[str]
) -> None:
    """A recording with one deliberate fault fails only the check for this fault."""
    report = verify(write_recording(tmp_path / "standup.webm", scene, manifest_scene=manifest_scene))

    assert checks == {finding.check for finding in report.failures}


@pytest.mark.parametrize(
    ("scene", "check", "at"),
    [
        (with_participant(CLEAN, "bob", hidden=((1.0, 2.0),)), "presence", (1.0, 2.0)),
        (with_participant(CLEAN, "bob", muted=((1.0, 2.0),)), "presence", (1.0, 2.0)),
        (with_participant(CLEAN, "bob", frozen=((1.0, 1.5),)), "frozen", (1.0, 1.5)),
    ],
)
def test_finding_names_the_participant_and_the_time(
    tmp_path: Path, scene: Scene, check: str, at: tuple[float, float]
) -> None:
    """If one participant's media has a fault, the finding names the participant and gives the interval of the fault."""
    (finding,) = verify(write_recording(tmp_path / "standup.webm", scene, manifest_scene=CLEAN)).failures

    assert (check, "bob") == (finding.check, finding.participant)
    # The tolerance is one frame, which is more than half an analysis step of audio.
    assert at == pytest.approx(finding.at, abs=0.04)
    assert finding.message.startswith("bob is ")


@pytest.mark.parametrize(("start", "frozen"), [(1.6, False), (1.2, True)], ids=["for 0.4 s", "for 0.8 s"])
def test_leaving_participant_may_be_frozen_until_the_leave_is_noticed(
    tmp_path: Path, start: float, *, frozen: bool
) -> None:
    """Video that is frozen for 0.4 s before its participant leaves is accepted.

    A freeze of 0.8 s before a participant leaves is reported from the beginning of the freeze.
    """
    leaves = with_participant(CLEAN, "bob", frozen=((start, 2.0),), hidden=((2.0, 3.0),))

    failures = verify(write_recording(tmp_path / "standup.webm", leaves)).failures

    assert [("frozen", "bob")] * frozen == [(finding.check, finding.participant) for finding in failures]
    assert [pytest.approx((start, 2.0), abs=0.04)] * frozen == [finding.at for finding in failures]


@pytest.mark.parametrize(("left", "frozen"), [(2.0, False), (2.4, True)], ids=["leaves then", "leaves later"])
def test_staying_participant_must_not_be_frozen(tmp_path: Path, left: float, *, frozen: bool) -> None:
    """Video that freezes for 0.4 s is accepted if the participant then leaves, but not if the video continues."""
    scene = with_participant(CLEAN, "bob", frozen=((1.6, 2.0),), hidden=((left, 3.0),))

    assert frozen == (verify(write_recording(tmp_path / "standup.webm", scene)).result == "failed")


def missing(folder: Path, dropped: frozenset[int], **changes: float) -> Report:
    """Verify a recording in which the ``dropped`` frames are missing and the manifest states how many are missing.

    ``changes`` are further changes to the manifest.
    """
    recording = write_recording(folder / "standup.webm", replace(CLEAN, dropped=dropped), manifest_scene=CLEAN)
    manifest = Manifest.read(recording.manifest)
    recording.manifest.unlink()
    manifest.model_copy(update={"ticks_missed": len(dropped), **changes}).write(recording.manifest)
    return verify(recording)


def test_missed_tick_counted_by_the_manifest_is_a_warning(tmp_path: Path) -> None:
    """Missing frames are only a warning if the manifest shows that the machine was too busy."""
    report = missing(tmp_path, frozenset({30, 60}))

    assert report.ok
    assert ["gap"] == [finding.check for finding in report.warnings]
    assert report.warnings[0].message.startswith(
        "2 frames are missing (2.2 %; limit: 5 %). According to the manifest, the machine was too busy."
    )


def test_lost_cpu_time_is_reported_with_missing_frames(tmp_path: Path) -> None:
    """If a CPU limit or the hypervisor took CPU time from the recording, the finding states how much."""
    report = missing(tmp_path, frozenset({30, 60}), throttled_seconds=3.21, stolen_seconds=0.5)

    assert (
        "the machine was too busy. The CPU limit of the container or control group throttled the harness for 3.2 s. "
        "The hypervisor gave 0.5 s of CPU time to other virtual machines. The longest gap is"
    ) in report.warnings[0].message


def test_negligible_loss_of_cpu_time_is_not_mentioned(tmp_path: Path) -> None:
    """A few hundredths of a second do not explain missing frames."""
    report = missing(tmp_path, frozenset({30, 60}), throttled_seconds=0.02, stolen_seconds=0.0)

    assert "the machine was too busy. The longest gap is" in report.warnings[0].message


@pytest.mark.parametrize("kept", [2, 3])
def test_too_many_missed_ticks_fail_although_the_manifest_counts_them(tmp_path: Path, kept: int) -> None:
    """If only every second or third frame remains, the report fails, because the recording stutters."""
    dropped = frozenset(tick for tick in range(1, CLEAN.ticks - 1) if tick % kept)

    report = missing(tmp_path, dropped)

    assert ["gap"] == [finding.check for finding in report.failures]
    assert f"{len(dropped)} frames" in report.failures[0].message


def test_local_recording_contains_only_the_recording_participant(tmp_path: Path) -> None:
    """Every participant in a local recording is unexpected, except the recording participant."""
    report = verify(write_recording(tmp_path / "standup.webm", replace(CLEAN, recorder="local")))

    assert [("unexpected", "bob")] == [(finding.check, finding.participant) for finding in report.failures]


@pytest.mark.parametrize("names", [["bob"], ["bob", "carol"], ["a", "b", "c", "d", "e", "f", "g"]])
def test_participants_without_markers_are_unverified(tmp_path: Path, names: list[str]) -> None:
    """If participants have no markers and can't be examined, the report says so for each, and gives a remedy."""
    scene = replace(
        CLEAN, participants=(*participants("alice"), *(PlannedParticipant(name=name, marker=None) for name in names))
    )

    report = verify(write_recording(tmp_path / "standup.webm", scene))

    assert "unverified" == report.result
    assert not report.ok
    assert [("presence", name) for name in names] == [
        (finding.check, finding.participant) for finding in report.unverified
    ]
    assert report.unverified[0].message == (
        f"{names[0]}'s video and audio have no markers, so {names[0]} could not be examined. Watch the recording "
        "yourself, or use synthetic media."
    )


def test_recording_participant_missing_from_the_members_is_unverified(tmp_path: Path) -> None:
    """A recording participant without a marker is reported even if the manifest lists no participants."""
    scene = replace(CLEAN, participants=(PlannedParticipant(name="alice", marker=None),))
    recording = write_recording(tmp_path / "standup.webm", scene)
    manifest = Manifest.read(recording.manifest)
    recording.manifest.unlink()
    manifest.model_copy(update={"timeline": Timeline()}).write(recording.manifest)

    report = verify(recording, expect=[Expectation(participant="alice", visible=False)])

    assert () == report.failures
    assert [finding.message.partition(", so ")[0] for finding in report.unverified] == [
        "alice has no marker",
        "alice's video and audio have no markers",
    ]


def test_other_participants_without_markers_are_not_reported_in_a_local_recording(tmp_path: Path) -> None:
    """In Alice's local recording, it does not matter that Bob has no marker, because he should not be in it."""
    bob = PlannedParticipant(name="bob", marker=None)
    planned = replace(CLEAN, participants=(*participants("alice"), bob), recorder="local")

    report = verify(
        write_recording(
            tmp_path / "standup.webm", replace(CLEAN, participants=participants("alice")), manifest_scene=planned
        )
    )

    assert () == report.unverified


def test_expectation_of_a_participant_without_marker_is_unverified(tmp_path: Path) -> None:
    """If Bob has no marker, the message states that the marker is missing, not that Bob is absent."""
    scene = replace(CLEAN, participants=(*participants("alice"), PlannedParticipant(name="bob", marker=None)))

    report = verify(
        write_recording(tmp_path / "standup.webm", scene), expect=[Expectation(participant="bob", visible=True)]
    )

    assert () == report.failures
    assert report.unverified[0].message.startswith(
        "bob has no marker, so it is unknown when bob is visible or audible."
    )


def test_drift_is_measured_over_a_long_recording(tmp_path: Path) -> None:
    """A drift of 200 ppm over 100 seconds is measured to within 20 ppm."""
    scene = Scene(participants=participants("alice"), width=160, height=90, frame_rate=15, seconds=100.0)

    report = verify(
        write_recording(
            tmp_path / "standup.webm", with_participant(scene, "alice", drift_ppm=200.0), manifest_scene=scene
        )
    )

    assert ["drift"] == [finding.check for finding in report.failures]
    assert report.participant("alice").drift_ppm == pytest.approx(200, abs=20)


@pytest.mark.parametrize("late", [-0.12, -0.08, 0.0, 0.08, 0.12])
@pytest.mark.parametrize("rates", [(30, 30), (30, 15), (15, 15), (15, 30)])
def test_av_offset_is_accurate_to_ten_milliseconds(tmp_path: Path, rates: tuple[int, int], late: float) -> None:
    """The A/V offset is measured to within 10 ms for every combination of the file's and the sender's frame rates."""
    scene = replace(
        CLEAN,
        participants=(PlannedParticipant(name="alice", marker=1, frame_rate=rates[1], audio_delay=late),),
        frame_rate=rates[0],
    )

    report = verify(write_recording(tmp_path / "standup.webm", scene))

    offset = report.participant("alice").av_offset_ms
    assert offset is not None
    assert offset.median == pytest.approx(late * 1000, abs=10)


def test_repeated_frames_are_counted_beyond_exact_conversion(tmp_path: Path) -> None:
    """If every eighth frame is shown twice, 12.5 % of the frames are repeated, and 12.5 % are skipped.

    If the sender's frame rate is half of the file's, no frame counts as repeated.
    """
    doubled = replace(CLEAN, repeated=frozenset(range(4, 90, 8)))
    slow = with_participant(CLEAN, "bob", frame_rate=15)

    uneven = verify(write_recording(tmp_path / "uneven.webm", doubled)).participant("alice").video
    converted = verify(write_recording(tmp_path / "converted.webm", slow)).participant("bob").video

    assert uneven is not None
    assert converted is not None
    assert (uneven.repeated_percent, uneven.skipped_percent) == pytest.approx((12.5, 12.5), abs=0.5)
    assert (0, 0) == (converted.repeated_percent, converted.skipped_percent)
    assert 15 == pytest.approx(converted.frame_rate, abs=0.5)


def test_limit_can_be_changed(tmp_path: Path) -> None:
    """An A/V offset of 80 ms passes by default, and fails with a limit of 50 ms."""
    recording = write_recording(tmp_path / "standup.webm", with_participant(CLEAN, "bob", audio_delay=0.08))

    assert verify(recording).ok
    assert ["av-offset"] == [finding.check for finding in verify(recording, limits=Limits(audio_late_ms=50)).failures]


@pytest.mark.parametrize(
    ("late", "result"),
    [
        (-0.12, "failed"),
        (-0.07, "warned"),
        (-0.03, "passed"),
        (0.1, "passed"),
        (0.15, "warned"),
        (0.2, "failed"),
    ],
)
def test_av_offset_is_a_warning_if_detectable_and_a_failure_if_not_acceptable(
    tmp_path: Path, late: float, result: str
) -> None:
    """By default, audio may be 90 ms early or 185 ms late, with a warning from 45 ms early or 125 ms late."""
    report = verify(write_recording(tmp_path / "standup.webm", with_participant(CLEAN, "bob", audio_delay=late)))

    assert [("av-offset", "bob")] * (result == "failed") == [(one.check, one.participant) for one in report.failures]
    assert [("av-offset", "bob")] * (result == "warned") == [(one.check, one.participant) for one in report.warnings]


@pytest.mark.parametrize(("late", "passed"), [(0.05, True), (-0.07, False)], ids=["50 ms late", "70 ms early"])
def test_strict_profile_limits_the_recording_participants_av_offset_to_sixty_milliseconds(
    tmp_path: Path, late: float, *, passed: bool
) -> None:
    """Alice records, so her media does not cross the network, and her A/V offset may be up to 60 ms.

    Bob's audio may be 80 ms early or 100 ms late, because his audio and video arrive over the network.
    """
    scene = replace(CLEAN, width=240, height=136, seconds=1.5)
    shifted = with_participant(with_participant(scene, "alice", audio_delay=late), "bob", audio_delay=late)

    report = verify(write_recording(tmp_path / "standup.webm", shifted), profile="strict")

    expected = [
        ("alice", 60, "passed" if passed else "failed"),
        ("bob", 100 if late > 0 else 80, "passed" if passed else "warning"),
    ]
    assert expected == [
        (one.participant, one.expected, one.result) for one in report.findings if one.check == "av-offset"
    ]


def test_repeated_frames_are_a_warning_by_default_and_a_failure_if_strict(tmp_path: Path) -> None:
    """If 4 % of the frames are repeated, viewers may notice, and one of our own rooms has a fault."""
    uneven = replace(CLEAN, seconds=6.0, repeated=frozenset(range(12, 180, 25)))
    recording = write_recording(tmp_path / "standup.webm", uneven)

    default, strict = verify(recording), verify(recording, profile="strict")

    assert ({"repeated"}, {"repeated"}) == (
        {finding.check for finding in default.warnings},
        {finding.check for finding in strict.failures},
    )
    assert default.ok


def test_every_limit_has_a_reason() -> None:
    """Every limit has a description that gives the reason for its default."""
    assert all(field.description for field in Limits.model_fields.values())


def test_checks_have_the_documented_names() -> None:
    """Each check is listed exactly once, in the order in which reports list the checks."""
    expected = (
        "container timeline size frame-rate gap black silent clipping noise channels alignment presence call start-up "
        "frozen content shape repeated av-offset drift delay level duration unexpected hash complete"
    )

    assert expected.split() == [check.name for check in CHECKS]
