"""Several files of one call are put onto one timeline, and there is one report on the call."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from harness.errors import ConfigError
from harness.recording.manifest import Manifest
from harness.verification import Report, verify_together
from harness.verification.values.findings import Finding
from tests.support.media.recording_file import write_media, write_observation, write_recording
from tests.support.media.scene import PlannedParticipant, Scene, participants, with_participant
from tests.support.segments.calls import part_of

pytestmark = [pytest.mark.parallel, pytest.mark.usefixtures("in_process")]

CALL: Final = Scene(participants=participants("alice", "bob"), seconds=60.0, width=256, height=144)
# Times on the timeline are accurate to a frame or two.
CLOSE: Final = 0.07


def findings(report: Report, check: str, result: str) -> list[Finding]:
    """Return the findings of a check with a result."""
    return [one for one in report.findings if (one.check, one.result) == (check, result)]


def starts(report: Report) -> dict[str, float]:
    """Return when each file begins, rounded to tenths of a second."""
    return {one.name: round(one.start or 0.0, 1) for one in report.files}


def write_parts(folder: Path, call: Scene, *parts: tuple[float, float]) -> list[Path]:
    """Write the parts of a call, each with its start and its duration in seconds, as call-1.webm and so on."""
    paths = []
    for number, (start, seconds) in enumerate(parts, 1):
        paths.append(folder / f"call-{number}.webm")
        write_media(paths[-1], part_of(call, start, seconds))
    return paths


# ---- split recordings -----------------------------------------------------------------------------------------------


def test_parts_of_a_split_recording_are_one_call(tmp_path: Path) -> None:
    """If one part begins where the other ends, the participants are present throughout, and nothing is missing."""
    report = verify_together(write_parts(tmp_path, CALL, (0, 4), (4, 3)))

    assert [] == [*report.failures, *report.warnings]
    assert {"call-1.webm": 0.0, "call-2.webm": 4.0} == starts(report)
    assert ["markers", "markers"] == [one.aligned_by for one in report.files]
    alice, bob = report.participants
    for one in (alice, bob):
        assert one.is_visible(0, 7)
        assert one.is_audible(0, 7)
        assert one.video is not None
        assert (0.0, 0.0) == (one.video.repeated_percent, one.video.skipped_percent)
        assert one.av_offset_ms is not None
        assert abs(one.av_offset_ms.median) < 20
    assert report.media is not None
    assert 7.0 == pytest.approx(report.media.duration, abs=CLOSE)
    assert 210 == (report.media.video and report.media.video.frames)


def test_gap_between_two_parts_is_reported(tmp_path: Path) -> None:
    """The time between two parts is a gap in the report, and nobody is present in it."""
    report = verify_together(write_parts(tmp_path, CALL, (0, 4), (5.5, 3)))

    (gap,) = report.failures
    assert ("gap", "call-2.webm") == (gap.check, gap.file)
    assert gap.at == pytest.approx((4.0, 5.5), abs=CLOSE)
    assert "Nothing was recorded between call-1.webm and call-2.webm" in gap.message
    assert not report.participants[0].is_visible(4.2, 5.3)
    assert report.participants[0].is_visible(5.6, 8.4)


def test_overlap_of_two_parts_counts_once(tmp_path: Path) -> None:
    """If two parts overlap, each participant's frames are measured once at each time."""
    report = verify_together(write_parts(tmp_path, CALL, (0, 4), (3, 4)))

    assert () == report.failures
    assert {"call-1.webm": 0.0, "call-2.webm": 3.0} == starts(report)
    for one in report.participants:
        assert one.video is not None
        assert 210 == pytest.approx(one.video.frames, abs=3)
        assert one.video.repeated_percent < 2


def test_order_of_the_parts_comes_from_the_markers(tmp_path: Path) -> None:
    """The parts can be given in any order."""
    first, second = write_parts(tmp_path, CALL, (0, 3), (3, 3))
    second = second.rename(tmp_path / "a.webm")

    report = verify_together([second, first])

    assert () == report.failures
    assert {"a.webm": 3.0, "call-1.webm": 0.0} == starts(report)


def test_parts_more_than_a_period_of_the_capture_times_apart(tmp_path: Path) -> None:
    """Capture times repeat every 70 minutes, but the counters in the markers show how much time has passed."""
    report = verify_together(write_parts(tmp_path, CALL, (0, 3), (5000, 3)))

    (gap,) = report.failures
    assert gap.at == pytest.approx((3.0, 5000.0), abs=CLOSE)


def test_parts_without_markers_are_in_the_order_of_their_names_and_unverified(tmp_path: Path) -> None:
    """Without markers and start times, the gap between two parts is unknown, and the report says so."""
    camera = Scene(participants=(PlannedParticipant(name="carol", marker=None),), seconds=2.0, audio=False)
    paths = [tmp_path / name for name in ("call-10.webm", "call-2.webm")]
    for path in paths:
        write_media(path, camera)

    report = verify_together(paths)

    assert "unverified" == report.result
    assert {"call-2.webm": 0.0, "call-10.webm": 2.0} == starts(report)
    (doubt,) = findings(report, "timeline", "unverified")
    assert "call-10.webm" == doubt.file
    assert "the gap between the two is unknown" in doubt.message
    assert ["call-2.webm", "call-10.webm"] == [one.file for one in findings(report, "presence", "unverified")][:2]


def test_manifests_of_the_parts_describe_the_call(tmp_path: Path) -> None:
    """If each part has a manifest, all checks run on the whole call, and it can pass."""
    call = replace(CALL, zero_ms=5_100.0)
    for number, start in enumerate((0, 3), 1):
        write_recording(tmp_path / f"call-{number}.webm", part_of(call, start, 3))

    report = verify_together(sorted(tmp_path.glob("*.webm")))

    assert "passed" == report.result, report.unverified
    assert ["alice", "bob"] == [one.name for one in report.participants]
    assert {"alice", "bob"} == {one.participant for one in findings(report, "presence", "passed")}
    assert ["call-1.webm", "call-2.webm"] == [one.file for one in findings(report, "hash", "passed")]
    assert report.participants[0].delay_ms is not None
    assert 100 == pytest.approx(report.participants[0].delay_ms.median, abs=20)


def test_participant_who_is_missing_in_one_part_is_reported_at_the_time_in_the_call(tmp_path: Path) -> None:
    """A fault in the second part is reported with its time on the timeline of the call."""
    write_recording(tmp_path / "call-1.webm", part_of(CALL, 0, 3))
    second = part_of(CALL, 3, 3)
    shown = with_participant(second, "bob", hidden=((1.0, 2.5),))
    write_recording(tmp_path / "call-2.webm", shown, manifest_scene=second)

    report = verify_together([tmp_path / "call-1.webm", tmp_path / "call-2.webm"])

    (absence,) = findings(report, "presence", "failed")
    assert "bob" == absence.participant
    assert absence.at == pytest.approx((4.0, 5.5), abs=CLOSE)


def test_participant_who_left_between_two_parts_is_not_expected_in_the_second(tmp_path: Path) -> None:
    """The manifest of each part applies to this part only."""
    write_recording(tmp_path / "call-1.webm", part_of(CALL, 0, 3))
    write_recording(tmp_path / "call-2.webm", part_of(CALL, 3, 3, "alice"))

    report = verify_together([tmp_path / "call-1.webm", tmp_path / "call-2.webm"])

    assert [] == findings(report, "presence", "failed")
    assert ["alice"] == list(report.files[1].participants)


def test_manifest_of_only_one_part_leaves_the_call_unverified(tmp_path: Path) -> None:
    """A manifest that describes only a part of the call does not state who should be in the other part."""
    write_recording(tmp_path / "call-1.webm", part_of(CALL, 0, 3))
    write_media(tmp_path / "call-2.webm", part_of(CALL, 3, 3))

    report = verify_together([tmp_path / "call-1.webm", tmp_path / "call-2.webm"])

    assert "unverified" == report.result
    assert any("There is no valid manifest" in one.message for one in report.unverified)


# ---- files of participants ------------------------------------------------------------------------------------------


def test_files_of_participants_run_at_the_same_time(tmp_path: Path) -> None:
    """Each participant's file begins when the participant joined."""
    write_media(tmp_path / "alice.webm", part_of(CALL, 0, 6, "alice"))
    write_media(tmp_path / "bob.webm", part_of(CALL, 2, 3, "bob"))

    report = verify_together([tmp_path / "alice.webm", tmp_path / "bob.webm"])

    assert () == report.failures
    assert {"alice.webm": 0.0, "bob.webm": 2.0} == starts(report)
    assert [("marker 1",), ("marker 2",)] == [one.participants for one in report.files]
    alice, bob = report.participants
    assert alice.is_visible(0, 6)
    assert bob.is_visible(2, 5)
    assert bob.video is not None
    assert bob.video.visible[0] == pytest.approx((2.0, 5.0), abs=CLOSE)
    assert {"marker 1", "marker 2"} == {one.participant for one in findings(report, "av-offset", "passed")}


def test_time_that_no_participants_file_covers_is_reported(tmp_path: Path) -> None:
    """If one participant's file ends before the next one begins, the time in between is a gap in the call."""
    write_media(tmp_path / "alice.webm", part_of(CALL, 0, 3, "alice"))
    write_media(tmp_path / "bob.webm", part_of(CALL, 5, 3, "bob"))

    report = verify_together([tmp_path / "alice.webm", tmp_path / "bob.webm"])

    (gap,) = report.failures
    assert gap.at == pytest.approx((3.0, 5.0), abs=CLOSE)
    assert "No file covers the time before bob.webm" in gap.message


def test_frozen_video_in_one_participants_file_is_found(tmp_path: Path) -> None:
    """A fault in one participant's file does not hide behind the other participants' files."""
    write_media(tmp_path / "alice.webm", part_of(CALL, 0, 5, "alice"))
    frozen = with_participant(part_of(CALL, 1, 4, "bob"), "bob", frozen=((1.0, 2.0),))
    write_media(tmp_path / "bob.webm", frozen)

    report = verify_together([tmp_path / "alice.webm", tmp_path / "bob.webm"])

    (frozen_finding,) = findings(report, "frozen", "failed")
    assert "marker 2" == frozen_finding.participant
    assert frozen_finding.at == pytest.approx((2.0, 3.0), abs=CLOSE)


def test_black_video_in_one_participants_file_is_an_absence(tmp_path: Path) -> None:
    """A participant whose own file is black is reported, although another participant's file is not black."""
    write_recording(tmp_path / "alice.webm", replace(part_of(CALL, 0, 5, "alice"), recorder="local"))
    bob = replace(part_of(CALL, 0, 5, "bob"), recorder="local")
    write_recording(tmp_path / "bob.webm", replace(bob, black=((2.0, 4.0),)), manifest_scene=bob)

    report = verify_together([tmp_path / "alice.webm", tmp_path / "bob.webm"])

    (absence,) = findings(report, "presence", "failed")
    assert "bob" == absence.participant
    assert absence.at == pytest.approx((2.0, 4.0), abs=CLOSE)
    assert ["alice"] == [one.participant for one in findings(report, "presence", "passed")]


def test_audio_that_is_missing_in_one_part_is_an_absence(tmp_path: Path) -> None:
    """If the second part has no audio, nobody is audible in it, and the report says so for each participant."""
    write_recording(tmp_path / "call-1.webm", part_of(CALL, 0, 3))
    second = part_of(CALL, 3, 3)
    write_recording(tmp_path / "call-2.webm", replace(second, audio=False), manifest_scene=second)

    report = verify_together([tmp_path / "call-1.webm", tmp_path / "call-2.webm"])

    absences = findings(report, "presence", "failed")
    assert ["alice", "bob"] == [one.participant for one in absences]
    assert all("is not audible from 3" in one.message for one in absences)


def test_audio_over_two_videos_has_no_offset(tmp_path: Path) -> None:
    """One audio file that covers two video files of a participant has no common clock with either of them."""
    for number, start in enumerate((0, 4), 1):
        write_media(tmp_path / f"video-{number}.webm", replace(part_of(CALL, start, 4, "alice"), audio=False))
    write_media(tmp_path / "alice.webm", replace(part_of(CALL, 0, 8, "alice"), video=False))

    report = verify_together(sorted(tmp_path.glob("*.webm")))

    (alice,) = report.participants
    assert "separate files" == alice.av_offset_missing
    assert alice.is_audible(0.1, 7.9)
    assert alice.is_visible(0.1, 7.9)


def write_separately(folder: Path, call: Scene, *, audio_later: float, created: str | None = None) -> list[Path]:
    """Write alice's video and audio to separate files, the audio recorded later; ``created`` begins with the second."""

    def stated(start: float) -> str | None:
        return f"{created}.{round(1000 * (0.1 + start)):03}Z" if created else None

    video, audio = folder / "alice-video.webm", folder / "alice-audio.webm"
    write_media(video, replace(part_of(call, 0, 6, "alice"), audio=False), created=stated(0))
    later = part_of(call, audio_later, 6 - audio_later, "alice")
    write_media(audio, replace(later, video=False), created=stated(audio_later))
    return [video, audio]


def test_separate_audio_is_aligned_by_its_bursts_and_its_offset_is_unverified(tmp_path: Path) -> None:
    """Aligning audio with video by their markers would hide any A/V offset, so the offset is unverified."""
    report = verify_together(write_separately(tmp_path, CALL, audio_later=0.5))

    assert {"alice-video.webm": 0.0, "alice-audio.webm": 0.5} == starts(report)
    assert ["markers", "bursts"] == [one.aligned_by for one in report.files]
    (alice,) = report.participants
    assert alice.is_audible(0.6, 5.9)
    assert (None, "separate files") == (alice.av_offset_ms, alice.av_offset_missing)
    (unknown,) = findings(report, "av-offset", "unverified")
    assert "would hide any offset" in unknown.message


@pytest.mark.parametrize(("delay", "result"), [(0.0, "passed"), (0.3, "failed")])
def test_separate_audio_with_start_times_has_an_offset(tmp_path: Path, delay: float, result: str) -> None:
    """If both files state when they begin, the A/V offset is measured."""
    late = with_participant(CALL, "alice", audio_delay=delay)
    paths = write_separately(tmp_path, late, audio_later=0.5, created="2026-11-30T12:00:00")

    report = verify_together(paths)

    assert ["markers", "start time"] == [one.aligned_by for one in report.files]
    (alice,) = report.participants
    assert alice.av_offset_ms is not None
    assert 1000 * delay == pytest.approx(alice.av_offset_ms.median, abs=20)
    assert 1 == len(findings(report, "av-offset", result))


def test_start_times_in_whole_seconds_are_no_common_clock(tmp_path: Path) -> None:
    """A start time without a fraction of a second is not precise enough for an A/V offset."""
    paths = write_separately(tmp_path, CALL, audio_later=0.9, created="2026-11-30T12:00:00")
    second = tmp_path / "second"
    second.mkdir()
    write_media(
        second / "alice-video.webm", replace(part_of(CALL, 0, 6, "alice"), audio=False), created="2026-11-30T12:00:00Z"
    )

    report = verify_together([second / "alice-video.webm", paths[1]])

    assert "separate files" == report.participants[0].av_offset_missing


def test_two_recordings_of_the_same_call_are_not_one_call(tmp_path: Path) -> None:
    """If a participant is in two files at the same time, only one file is examined, and the result is unverified."""
    write_media(tmp_path / "a.webm", part_of(CALL, 0, 4))
    write_media(tmp_path / "b.webm", part_of(CALL, 0.5, 3, "bob"))

    report = verify_together([tmp_path / "a.webm", tmp_path / "b.webm"])

    assert "unverified" == report.result
    doubles = findings(report, "timeline", "unverified")
    assert {("marker 2", "b.webm")} == {(one.participant, one.file) for one in doubles}


# ---- observed calls -------------------------------------------------------------------------------------------------


def test_files_of_participants_in_an_observed_call_pass(tmp_path: Path) -> None:
    """The files of another recorder are compared with what the harness observed in the call."""
    for name in ("alice", "bob"):
        write_media(tmp_path / f"{name}.webm", part_of(CALL, 0, 4, name))
    write_observation(tmp_path / "call.manifest.json", part_of(CALL, 0, 4), start=12.3, seconds=30.0)

    report = verify_together([tmp_path / "alice.webm", tmp_path / "bob.webm"], manifest=tmp_path / "call.manifest.json")

    assert ("passed", ()) == (report.result, report.warnings), report
    assert {"alice", "bob"} == {one.participant for one in findings(report, "presence", "passed")}
    assert {"alice", "bob"} == {one.participant for one in findings(report, "av-offset", "passed")}
    (covered,) = findings(report, "alignment", "passed")
    assert "The recording covers 12.3 to 16.3 s of the observed call" in covered.message


def test_participant_without_a_file_in_an_observed_call_is_missing(tmp_path: Path) -> None:
    """If the file of one participant is missing, the report says who is not in the files."""
    write_media(tmp_path / "alice.webm", part_of(CALL, 0, 4, "alice"))
    write_media(tmp_path / "more.webm", part_of(CALL, 4, 3, "alice"))
    write_observation(tmp_path / "call.manifest.json", part_of(CALL, 0, 7), start=3.0, seconds=30.0)

    report = verify_together(
        [tmp_path / "alice.webm", tmp_path / "more.webm"], manifest=tmp_path / "call.manifest.json"
    )

    assert {"bob"} == {one.participant for one in findings(report, "presence", "failed")}


# ---- the report -----------------------------------------------------------------------------------------------------


def test_file_that_cannot_be_read_is_named_and_the_others_are_examined(tmp_path: Path) -> None:
    """One unreadable file makes the result failed, with the file's name."""
    paths = write_parts(tmp_path, CALL, (0, 3), (3, 3))
    paths[1].write_bytes(b"nothing")

    report = verify_together(paths)

    (failure,) = report.failures
    assert "call-2.webm" == failure.file
    assert failure.message.startswith("call-2.webm is not a readable media file")
    assert [("call-1.webm", 0.0), ("call-2.webm", None)] == [(one.name, one.start) for one in report.files]
    assert ["marker 1", "marker 2"] == [one.name for one in report.participants]


def test_damage_in_one_file_names_the_file(tmp_path: Path) -> None:
    """Findings about a single file name the file."""
    paths = write_parts(tmp_path, CALL, (0, 3), (3, 3))
    paths[0].write_bytes(paths[0].read_bytes()[:-2000])

    report = verify_together(paths)

    damage = findings(report, "container", "failed")
    assert damage
    assert {"call-1.webm"} == {one.file for one in damage}


def test_redacted_report_names_neither_files_nor_participants(tmp_path: Path) -> None:
    """A redacted report on several files can be shared."""
    for number, start in enumerate((0, 3), 1):
        write_recording(tmp_path / f"secret-{number}.webm", part_of(CALL, start, 2.5))
    paths = sorted(tmp_path.glob("*.webm"))

    report = verify_together(paths, redact=True)

    page = report.write_html(tmp_path / "report.html").read_text(encoding="utf-8")
    text = f"{report}{report.as_json()}{page}"
    assert ["recording 1.webm", "recording 2.webm"] == [one.name for one in report.files]
    for name in ("secret", "alice", "bob", str(tmp_path)):
        assert name not in text
    assert findings(report, "gap", "failed")


def test_page_of_several_files_plays_each_file_at_its_time(tmp_path: Path) -> None:
    """The page lists all files with their intervals, and can play each of them."""
    report = verify_together(write_parts(tmp_path, CALL, (0, 3), (4, 3)))

    page = report.write_html(tmp_path / "report.html").read_text(encoding="utf-8")

    assert '{ url: "call-1.webm", name: "call-1.webm", start: 0.0, end: 3.0' in page
    assert '{ url: "call-2.webm", name: "call-2.webm", start: 4.0' in page
    assert "call-1.webm and 1 other file" in page
    assert "call-2.webm: 4.00 to 7.00 s · video · audio · marker 1, marker 2" in str(report)


def test_expected_duration_is_that_of_the_call(tmp_path: Path) -> None:
    """The requested duration is compared with the whole call."""
    paths = write_parts(tmp_path, CALL, (0, 3), (3, 3))

    assert [] == findings(verify_together(paths, duration=6.0), "duration", "failed")
    assert 1 == len(findings(verify_together(paths, duration=3.0), "duration", "failed"))


def test_manifests_that_contradict_each_other_are_not_used(tmp_path: Path) -> None:
    """If one name has different markers in two manifests, it is unknown who should be in the call."""
    write_recording(tmp_path / "call-1.webm", part_of(CALL, 0, 3))
    swapped = tuple(replace(one, marker=3 - (one.marker or 0)) for one in CALL.participants)
    write_recording(tmp_path / "call-2.webm", part_of(replace(CALL, participants=swapped), 3, 3))
    assert Manifest.read(tmp_path / "call-2.manifest.json").timeline.members[0].marker == 2

    report = verify_together([tmp_path / "call-1.webm", tmp_path / "call-2.webm"])

    assert "passed" != report.result


@pytest.mark.parametrize("value", ["a.webm", Path("a.webm")])
def test_a_single_path_is_not_a_list_of_files(value: str | Path) -> None:
    """A path instead of a list is refused with a clear message."""
    with pytest.raises(ConfigError, match="give a list of files"):
        verify_together(value)  # type: ignore[arg-type]


def test_file_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    """The same file can't be two parts of a call."""
    (path,) = write_parts(tmp_path, CALL, (0, 1))

    with pytest.raises(ConfigError, match="was given twice"):
        verify_together([path, path])


def test_track_cannot_be_chosen_for_several_files(tmp_path: Path) -> None:
    """The number of a track means something else in each file."""
    with pytest.raises(ConfigError, match="verify the file with this track on its own"):
        verify_together([tmp_path / "a.webm"], track=1)
