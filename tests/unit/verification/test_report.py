"""A report's result is available as attributes, as JSON, as an error and as text."""

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from rich.console import Console

from harness.errors import ConfigError, VerificationError
from harness.verification import Finding, Report, verify
from harness.verification.values.findings import Examined, passed
from harness.verification.values.models import ParticipantAudio, ParticipantReport, ParticipantVideo, Spread
from tests.support.media.recording_file import write_recording
from tests.support.media.scene import Scene, participants, with_participant

pytestmark = pytest.mark.parallel

SCENE = Scene(participants=participants("alice", "bob"), seconds=3.0)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Return the report on a clean recording."""
    return verify(write_recording(tmp_path_factory.mktemp("report") / "good.webm", SCENE))


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Return the report on a recording in which Bob is hidden and muted for a second."""
    faulty = with_participant(SCENE, "bob", hidden=((1.0, 2.0),), muted=((1.0, 2.0),))
    return verify(write_recording(tmp_path_factory.mktemp("report") / "bad.webm", faulty, manifest_scene=SCENE))


def test_json_has_the_documented_keys(good: Report) -> None:
    """A report's JSON can be parsed, and contains exactly the documented keys, in the documented order."""
    report = json.loads(json.dumps(good.as_json(), allow_nan=False))

    assert list(report) == ["result", "ok", "path", "profile", "media", "files", "participants", "findings"]
    assert list(report["media"]) == [
        *("container", "duration", "seekable", "size", "bitrate", "video", "audio", "tracks")
    ]
    assert list(report["media"]["video"]) == [
        *("codec", "width", "height", "display_width", "display_height", "rotation", "frames", "frame_rate"),
        *("gap_ms", "missed", "repeated", "start_ms", "keyframe_gap"),
    ]
    assert list(report["media"]["video"]["gap_ms"]) == ["p50", "p95", "max"]
    assert list(report["media"]["audio"]) == [
        *("codec", "sample_rate", "channels", "start_ms", "duration", "gaps", "loudness", "peak_dbfs", "clipped")
    ]
    alice = report["participants"][0]
    assert list(alice) == [
        *("name", "present", "video", "audio", "av_offset_ms", "av_offset_missing", "drift_ppm", "delay_ms"),
        *("audio_delay_ms", "first_video_ms", "first_audio_ms", "tracks", "places"),
    ]
    assert list(alice["video"]) == [
        *("visible", "frames", "frame_rate", "repeated_percent", "skipped_percent", "late_percent"),
        *("frozen", "freezes", "content"),
    ]
    assert list(alice["audio"]) == ["audible", "silent", "level_dbfs", "level_db", "similarity", "echo"]
    assert list(alice["av_offset_ms"]) == ["median", "p95"]
    assert list(report["findings"][0]) == [
        *("check", "result", "participant", "file", "at", "expected", "got", "message", "examined")
    ]
    assert list(report["findings"][0]["examined"]) == ["frames", "seconds", "participants", "bytes"]


def test_json_contains_the_measures(good: Report) -> None:
    """The size, frame rate, gaps and participants in a report match the recording."""
    report = good.as_json()

    assert "passed" == report["result"]
    assert report["ok"] is True
    assert report["media"]["container"] == "webm"
    assert report["media"]["seekable"] is True
    assert report["media"]["video"] | {"gap_ms": None} == {
        "codec": "vp8",
        "width": 320,
        "height": 180,
        "display_width": 320,
        "display_height": 180,
        "rotation": 0,
        "frames": 90,
        "frame_rate": pytest.approx(30, abs=0.05),
        "gap_ms": None,
        "missed": 0,
        "repeated": 0,
        "start_ms": 0.0,
        "keyframe_gap": 3.0,
    }
    assert report["media"]["video"]["gap_ms"] == {"p50": 33, "p95": 34, "max": 34}
    assert [one["name"] for one in report["participants"]] == ["alice", "bob"]
    assert report["participants"][0]["present"] == [[0, pytest.approx(3.0, abs=0.03)]]


def test_passed_report_raises_nothing(good: Report) -> None:
    """A report that passed also lists the passed findings."""
    good.raise_for_failures()

    assert good.ok
    assert {"container", "gap", "presence", "hash"} <= {finding.check for finding in good.findings}


def test_failed_report_raises_an_error_with_a_line_per_finding(bad: Report) -> None:
    """The error for a failed report names the file, the check, the participant and the time."""
    with pytest.raises(VerificationError) as error:
        bad.raise_for_failures()

    head, video, audio = str(error.value).splitlines()
    assert head.endswith("bad.webm failed 2 checks:")
    assert video == "  presence: bob is not visible from 1.00 to 2.00 s, but should be."
    assert audio.startswith("  presence: bob is not audible from 1.0")


def test_failed_assertion_shows_the_measured_values(bad: Report) -> None:
    """When an assertion fails, each value that pytest shows fits on one line."""
    with pytest.raises(AssertionError) as error:
        assert bad.participant("bob").is_audible(0.5, 2.5)

    lines = str(error.value).splitlines()
    assert any(
        re.search(r"<bob: present 0\.\d\d-.* audible 0\.\d\d-1\.\d\d and .*0 % repeated.*>\.is_audible", line)
        for line in lines
    ), lines
    assert any(
        "<report on bad.webm: failed 2 checks: bob is not visible from 1.00 to 2.00 s, but should be.;" in line
        for line in lines
    )
    assert all(len(line) < 300 for line in lines)


def test_failed_assertion_on_a_passed_report_is_short(good: Report) -> None:
    """If an assertion on a measured value fails, pytest shows this value."""
    with pytest.raises(AssertionError, match=r"<report on good\.webm: passed>\.failures"):
        assert good.failures
    offset = good.participant("alice").av_offset_ms
    assert offset is not None
    with pytest.raises(AssertionError, match=r"Spread\(median=.*p95=.*\)\.p95"):
        assert offset.p95 > 1000


def test_participant_is_found_by_name(bad: Report) -> None:
    """A report's participants can be looked up by name.

    The error for an unknown participant lists the known participants.
    """
    bob = bad.participant("bob")

    expected = np.array([[0, 1], [2, 3]])
    assert np.array(bob.present) == pytest.approx(expected, abs=0.03)  # the tolerance is half an analysis step of audio
    with pytest.raises(ConfigError, match=r"no participant 'dave'.*alice, bob"):
        bad.participant("dave")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_numbers_of_a_report_are_finite(good: Report, number: float) -> None:
    """In a report, all numbers in findings and media properties must be finite."""
    with pytest.raises(ValidationError, match="finite number"):
        Finding(check="duration", result="failed", got=number, message="It lasts.")
    assert good.media is not None
    with pytest.raises(ValidationError, match="finite number"):
        type(good.media).model_validate(good.media.model_dump() | {"duration": number})


def test_report_is_frozen(good: Report) -> None:
    """A report's attributes are read-only."""
    with pytest.raises(ValidationError, match="frozen"):
        good.path = Path("other.webm")  # type: ignore[misc]  # what is tested


def test_result_is_at_the_top_in_a_terminal(bad: Report) -> None:
    """A terminal shows the result first, then a row for each participant and the failures, in at most 80 columns."""
    output = io.StringIO()
    Console(file=output, width=80, force_terminal=True, color_system="truecolor").print(bad)

    text = output.getvalue()

    assert "\x1b[" in text
    plain = str(bad).splitlines()
    assert plain[0] == "✗ bad.webm  failed 2 checks  default limits"
    assert [line.split()[0] for line in plain[3:5]] == ["alice", "bob"]
    assert [line.split()[:2] for line in plain[5:]] == [["✗", "presence"]] * 2


def test_table_in_a_terminal_has_the_values_of_the_report(good: Report) -> None:
    """Each value in the table is below its column heading. A dash stands for a value that was not measured."""
    video = ParticipantVideo(
        visible=((0.0, 2.5),),
        frames=75,
        frame_rate=29.94,
        repeated_percent=1.25,
        skipped_percent=3.5,
        frozen=((0.5, 0.9), (1.0, 1.3)),
    )
    alice = ParticipantReport(
        name="alice",
        present=((0.0, 1.0), (1.5, 3.3)),
        video=video,
        audio=ParticipantAudio(audible=((0.2, 2.2),), silent=((0.0, 0.2),)),
        av_offset_ms=Spread(median=-41.6, p95=77.0),
        drift_ppm=12.0,
        delay_ms=Spread(median=88.0, p95=99.0),
    )
    nothing = dict.fromkeys(("video", "audio", "av_offset_ms", "drift_ppm", "delay_ms"))
    bob = ParticipantReport(name="bob", present=(), **nothing)
    report = good.model_copy(update={"participants": (alice, bob)})

    headings, *rows = str(report).splitlines()[2:5]

    names = ["participant", "present", "fps", "repeated", "skipped", "frozen", "audible", "A/V"]
    assert names == headings.split()
    assert ["alice", "2.8 s", "29.9", "1.25 %", "3.5 %", "0.7 s", "2.0 s", "-42 ms"] == re.split(
        r" {2,}", rows[0].strip()
    )
    assert ["bob", *"-------"] == rows[1].split()
    ends = [headings.index(name) + len(name) for name in names[1:]]
    assert all(cell_ends_at(row, end) for row in rows for end in ends)


def cell_ends_at(row: str, end: int) -> bool:
    """Return whether a right-aligned cell of a table row ends just before the given position."""
    return not row[end - 1].isspace() and not row[end : end + 1].strip()


def test_long_name_hides_no_number(good: Report) -> None:
    """A long name is wrapped to the next line, so that no number is cut off."""
    name = "Maria-Fernanda Constantinopolitanova-Wolfeschlegelstein von Hausen"
    report = good.model_copy(update={"participants": (good.participants[0].model_copy(update={"name": name}),)})
    output = io.StringIO()

    Console(file=output, width=80).print(report)

    text = output.getvalue()
    assert "…" not in text
    assert "von Hausen" in text


def test_report_as_text_is_plain(good: Report) -> None:
    """A report's plain text has no colors, and markup in names is not interpreted."""
    named = good.model_copy(update={"participants": (good.participants[0].model_copy(update={"name": "[red]x"}),)})

    assert "\x1b" not in str(named)
    assert "[red]x" in str(named)


def test_report_with_a_warning_is_ok(good: Report) -> None:
    """A report with a warning passes, and the warning is shown."""
    warning = Finding(check="gap", result="warning", message="2 frames are missing because the machine was too busy.")
    report = good.model_copy(update={"findings": (*good.findings, warning)})

    assert report.ok
    assert "! gap" in str(report)
    assert "passed with 1 warning" in str(report)


def test_unverified_report_is_not_ok(good: Report) -> None:
    """A report with an unverified finding raises an error, unless the caller accepts unverified recordings."""
    unknown = Finding(check="presence", result="unverified", participant="bob", message="Bob could not be examined.")
    report = good.model_copy(update={"findings": (*good.findings, unknown)})

    assert ("unverified", False) == (report.result, report.ok)
    assert "? presence" in str(report)
    report.raise_for_failures(allow_unverified=True)
    with pytest.raises(VerificationError, match="is unverified:\n  presence: Bob could not be examined"):
        report.raise_for_failures()


def test_report_without_any_passed_finding_is_unverified(good: Report) -> None:
    """A report that contains no finding at all, or only warnings, has examined nothing."""
    warning = Finding(check="complete", result="warning", message="An alarm was raised.")

    assert "unverified" == good.model_copy(update={"findings": ()}).result
    assert "unverified" == good.model_copy(update={"findings": (warning,)}).result


def test_finding_can_not_pass_if_nothing_was_examined() -> None:
    """A passed finding without evidence is refused, and ``passed`` turns it into an unverified one."""
    with pytest.raises(ValidationError, match="it examined nothing"):
        Finding(check="gap", result="passed", message="No gap.", examined=Examined())

    assert "unverified" == passed("gap", "No gap.", Examined()).result
    assert "unverified" == passed("presence", "Bob is visible.", Examined(participants=1)).result


def test_every_passed_finding_states_what_was_examined(good: Report) -> None:
    """The evidence of the checks is the file: its bytes, its frames, its duration or its participants."""
    assert all(one.examined for one in good.findings if one.result == "passed")
    (gap,) = (one for one in good.findings if one.check == "gap")
    assert (90, 3.0) == (gap.examined and gap.examined.frames, gap.examined and round(gap.examined.seconds, 1))


def test_report_on_a_file_that_is_not_media_is_one_line() -> None:
    """A long path is not wrapped, so that it can be searched for and copied."""
    message = f"{'a' * 150}.webm is empty (0 bytes)."
    report = Report(
        path=Path("/a"), media=None, findings=(Finding(check="container", result="failed", message=message),)
    )

    assert str(report) == f"✗ {message}"
