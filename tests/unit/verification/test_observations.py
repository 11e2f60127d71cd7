"""Another recorder's file is compared with the manifest of an observation, whose clock is aligned with the file's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from harness.errors import ConfigError
from harness.recording.files.names import manifest_of
from harness.recording.manifest import Manifest, read_manifest
from harness.recording.timeline import Event, Member
from harness.verification import Expectation, verify
from tests.support.media.recording_file import write_media, write_observation
from tests.support.media.scene import Scene, participants, with_participant

if TYPE_CHECKING:
    from pathlib import Path

    from harness.recording.manifest import ObservationManifest
    from harness.verification import Report

pytestmark = [pytest.mark.parallel, pytest.mark.usefixtures("in_process")]

SECONDS: Final = 4.0
CALL: Final = Scene(participants=participants("alice", "bob"), frame_rate=15, seconds=SECONDS)
# The checks of our own recorder, which do not apply to the files of other recorders.
OURS: Final = ("hash", "frame-rate", "complete")


def verified(
    folder: Path,
    scene: Scene = CALL,
    *,
    observed: Scene | None = None,
    start: float = 12.3,
    seconds: float = 30.0,
    **options: Any,
) -> Report:
    """Write a scene as another recorder's file, and an observation of a call, and compare them.

    The file begins ``start`` seconds after the observation, which lasts ``seconds`` seconds. ``observed`` is what
    really happened, by default the scene itself.
    """
    path, manifest = folder / "theirs.webm", folder / "call.manifest.json"
    write_media(path, scene)
    write_observation(manifest, observed or scene, start=start, seconds=seconds)
    return verify(path, manifest=manifest, **options)


def messages(report: Report, check: str, result: str) -> list[str]:
    """Return the messages of a check's findings with a result."""
    return [one.message for one in report.findings if (one.check, one.result) == (check, result)]


def change(path: Path, *events: dict[str, Any], **fields: Any) -> None:
    """Add events, or change other fields, in the manifest at ``path``."""
    manifest = read_manifest(path)
    added = [Event.model_validate(one) for one in events]
    ordered = tuple(sorted((*manifest.timeline.events, *added), key=lambda event: event.at))
    path.unlink()
    timeline = manifest.timeline.model_copy(update={"events": ordered})
    manifest.model_copy(update={"timeline": timeline, **fields}).write(path)


def test_file_that_starts_late_and_ends_early_passes(tmp_path: Path) -> None:
    """The report states which part of the observed call the file covers."""
    report = verified(tmp_path)

    assert ("passed", ()) == (report.result, report.warnings), report
    covered = "The recording covers 12.3 to 16.3 s of the observed call, which was observed for 30.0 s."
    assert [covered] == messages(report, "alignment", "passed")
    assert f"\n  {covered}\n" in str(report)
    assert ["alice", "bob"] == [one.name for one in report.participants]
    assert [] == [one for one in report.findings if one.check in OURS]


def test_manifest_next_to_the_file_is_used(tmp_path: Path) -> None:
    """An observation with the file's name is found like a recording's manifest."""
    write_media(tmp_path / "theirs.webm", CALL)
    write_observation(tmp_path / "theirs.manifest.json", CALL, start=1.0, seconds=6.0)

    report = verify(tmp_path / "theirs.webm")

    assert ["The recording covers 1.0 to 5.0 s of the observed call, which was observed for 6.0 s."] == messages(
        report, "alignment", "passed"
    )


def test_parts_that_were_not_observed_are_not_judged(tmp_path: Path) -> None:
    """Bob is missing before and after the observation, where it is unknown whether he was in the call."""
    scene = with_participant(CALL, "bob", hidden=((0.0, 1.0), (3.4, 4.0)), muted=((0.0, 1.0), (3.4, 4.0)))

    report = verified(tmp_path, scene, observed=CALL, start=-1.1, seconds=2.2, expected=["alice", "bob"])

    assert () == report.failures, report
    assert [
        "The call was not observed from 0.00 to 1.10 s of the recording, so the participants were not checked there.",
        "The call was not observed from 3.30 to 4.00 s of the recording, so the participants were not checked there.",
    ] == messages(report, "alignment", "warning")
    (covered,) = messages(report, "alignment", "passed")
    assert covered.startswith("The recording covers 0.0 to 2.2 s of the observed call")


def test_participant_who_is_in_the_file_only_before_the_observation_fails(tmp_path: Path) -> None:
    """Bob is visible and audible, but not while the call was observed, so this is not evidence for him."""
    scene = with_participant(CALL, "bob", hidden=((1.5, 4.0),), muted=((1.5, 4.0),))

    report = verified(tmp_path, scene, observed=CALL, start=-1.6, seconds=9.0)

    assert [
        "bob is not visible from 2.10 to 3.50 s, but should be.",
        "bob is not audible from 2.10 to 3.50 s, but should be.",
    ] == [one.message for one in report.failures if one.participant == "bob"]


def test_stranger_is_reported_only_while_the_call_was_observed(tmp_path: Path) -> None:
    """Somebody with a marker that the manifest does not list is in the file."""
    scene = with_participant(CALL, "bob", unlisted=True)

    during = verified(tmp_path, scene)
    (tmp_path / "call.manifest.json").unlink()
    before = verified(
        tmp_path, with_participant(scene, "bob", hidden=((1.0, 4.0),), muted=((1.0, 4.0),)), start=-1.2, seconds=2.8
    )

    assert ["marker 2"] == [one.participant for one in during.failures if one.check == "unexpected"]
    assert [] == [one for one in before.failures if one.check == "unexpected"]


def test_muted_participant_passes(tmp_path: Path) -> None:
    """Bob turns off his camera and his microphone for a while."""
    scene = with_participant(CALL, "bob", hidden=((1.0, 2.5),), muted=((1.5, 3.0),))

    report = verified(tmp_path, scene)

    assert () == report.failures, report
    assert ((0.0, 1.5), (3.0, 4.0)) == tuple(
        (round(start, 1), round(end, 1))
        for start, end in report.participant("bob").audio.audible  # type: ignore[union-attr]
    )


@pytest.mark.parametrize(
    ("scene", "observed", "expected"),
    [
        (with_participant(CALL, "bob", muted=((1.0, 3.0),)), CALL, "bob is not audible from 1.0"),
        (CALL, with_participant(CALL, "bob", muted=((1.0, 3.0),)), "bob is audible from 1.5"),
        (with_participant(CALL, "bob", hidden=((1.0, 3.0),)), CALL, "bob is not visible from 1.0"),
        (CALL, with_participant(CALL, "bob", hidden=((1.0, 3.0),)), "bob is visible from 1.5"),
    ],
)
def test_wrongly_muted_or_hidden_participant_fails(
    tmp_path: Path, scene: Scene, observed: Scene, expected: str
) -> None:
    """The finding gives the times in the file, not in the call."""
    report = verified(tmp_path, scene, observed=observed)

    assert [expected] == [text[: len(expected)] for text in messages(report, "presence", "failed")]


def test_participant_who_is_not_in_the_file_fails(tmp_path: Path) -> None:
    """Carol was in the call, but the other recorder has not recorded her."""
    observed = replace(CALL, participants=participants("alice", "bob", "carol"))

    report = verified(tmp_path, observed=observed)

    assert ["carol", "carol"] == [one.participant for one in report.failures if one.check == "presence"]
    assert "carol is not visible from 0.50 to 3.50 s, but should be." in messages(report, "presence", "failed")


# Of seven ticks, three have no frame, so the gaps between frames last one, two or three ticks.
VARYING: Final = replace(CALL, dropped=frozenset(tick for tick in range(60) if tick % 7 in {2, 3, 5}))


def test_participants_are_found_in_a_file_whose_frame_rate_varies(tmp_path: Path) -> None:
    """Many recorders write a frame whenever one arrives, so no frame is known to be missing."""
    report = verified(tmp_path, VARYING)

    assert [] == messages(report, "presence", "failed"), report
    assert [] == messages(report, "frozen", "failed"), report
    assert ((0.0, 3.9),) == tuple(
        (round(start, 1), round(end, 1))
        for start, end in report.participant("bob").video.visible  # type: ignore[union-attr]
    )


def test_participant_who_is_missing_where_the_frame_rate_varies_fails(tmp_path: Path) -> None:
    """The gaps between frames do not excuse that no frame shows carol."""
    observed = replace(VARYING, participants=participants("alice", "bob", "carol"))

    report = verified(tmp_path, VARYING, observed=observed)

    assert "carol is not visible from 0.50 to 3.50 s, but should be." in messages(report, "presence", "failed")


def test_long_gap_where_the_frame_rate_varies_is_a_freeze(tmp_path: Path) -> None:
    """Players show the last frame for a whole second, so the participants are visible but frozen."""
    scene = replace(VARYING, dropped=VARYING.dropped | frozenset(range(23, 38)))

    report = verified(tmp_path, scene)

    assert [] == messages(report, "presence", "failed"), report
    frozen = messages(report, "frozen", "failed")
    assert ["alice is frozen from 1.", "bob is frozen from 1."] == [text[: text.index("1.") + 2] for text in frozen]


def test_participant_who_joins_late_is_expected_only_from_then_on(tmp_path: Path) -> None:
    """Bob joins 14 s after the start of the observation, which is 1.7 s after the start of the file."""
    scene = with_participant(CALL, "bob", hidden=((0.0, 1.7),), muted=((0.0, 1.7),))
    path = tmp_path / "call.manifest.json"
    write_media(tmp_path / "theirs.webm", scene)
    observed = write_observation(path, scene, start=12.3, seconds=30.0)
    events = [event for event in observed.timeline.events if event.participant != "bob" or event.at > 0]
    timeline = observed.timeline.model_copy(update={"events": tuple(events)})
    path.unlink()
    observed.model_copy(update={"timeline": timeline}).write(path)
    change(path, {"at": 14.0, "event": "join", "participant": "bob"})

    report = verify(tmp_path / "theirs.webm", manifest=path, expected=["bob"])

    assert ["bob was not in the call from 0.00 to 1.70 s."] == messages(report, "presence", "failed")


def test_file_without_markers_is_unverified(tmp_path: Path) -> None:
    """Everything that depends on the manifest's times is unverified, and nothing of it has passed."""
    scene = replace(CALL, audio=False, participants=tuple(replace(one, marker=None) for one in CALL.participants))

    report = verified(tmp_path, scene, observed=CALL)

    assert "unverified" == report.result
    (reason,) = messages(report, "alignment", "unverified")
    assert reason.startswith(
        "The recording can't be aligned with the observed call (The recording contains too few readable markers of the "
        "observed participants), so it is unknown who should be visible and audible, and when. These checks did not "
        "run: "
    )
    timed = {"presence", "call", "start-up", "unexpected", "delay", "alignment"}
    assert set() == {one.check for one in report.findings if one.result == "passed"} & timed


def test_file_of_another_call_is_unverified(tmp_path: Path) -> None:
    """The capture times show that the file was recorded ten minutes after the observation."""
    report = verified(tmp_path, start=600.0)

    assert "unverified" == report.result
    (reason,) = messages(report, "alignment", "unverified")
    assert "the recording was not made during the observed call" in reason
    assert [] == messages(report, "presence", "passed")


def test_expected_participant_of_a_file_that_cannot_be_aligned_is_unverified(tmp_path: Path) -> None:
    """Alice is in the file, but it is unknown whether she should have been there the whole time."""
    report = verified(tmp_path, start=600.0, expected=["alice"])

    (text,) = messages(report, "presence", "unverified")
    assert text == (
        "alice is in the recording, but because the recording can't be aligned with the observed call, it is unknown "
        "whether alice was in the call the whole time."
    )


def test_callers_expectations_have_file_times(tmp_path: Path) -> None:
    """An expectation is checked even if the file can't be aligned."""
    scene = with_participant(CALL, "bob", muted=((1.0, 3.0),))
    muted = Expectation(participant="bob", audible=False, start=1.0, end=3.0)
    audible = muted.model_copy(update={"audible": True})

    aligned = verified(tmp_path, scene, expect=[muted])
    (tmp_path / "call.manifest.json").unlink()
    unaligned = verified(tmp_path, scene, start=600.0, expect=[audible])

    assert "bob is not audible from 1.00 to 3.00 s, as expected." in messages(aligned, "presence", "passed")
    assert 1 == len(messages(unaligned, "presence", "failed"))


def test_file_without_audio_is_unverified_if_participants_sent_audio(tmp_path: Path) -> None:
    """Some recorders record only video, so this is not a failure, but nobody's audio was examined."""
    report = verified(tmp_path, replace(CALL, audio=False))

    assert () == report.failures, report
    (text,) = messages(report, "presence", "unverified")
    assert text == (
        "The recording has no audio, but in the observed call, alice, bob sent audio, which could not be examined. If "
        "the recorder should record audio, this is a fault."
    )


def test_audio_file_is_aligned_by_its_bursts(tmp_path: Path) -> None:
    """Without video, the second that each burst encodes shows when the file was recorded."""
    scene = replace(with_participant(CALL, "bob", muted=((1.0, 2.5),)), video=False, seconds=6.0)

    report = verified(tmp_path, scene, start=5.0, seconds=12.0)

    assert () == report.failures, report
    (covered,) = messages(report, "alignment", "passed")
    assert covered.startswith("The recording covers 5.0 to 11.0 s of the observed call")
    assert [] == messages(report, "alignment", "warning")


def test_wrongly_muted_participant_in_an_audio_file_fails(tmp_path: Path) -> None:
    """The file's position in the call is known although bob is not audible as expected."""
    scene = replace(CALL, video=False, seconds=6.0)
    wrong = with_participant(scene, "bob", muted=((1.0, 3.5),))

    report = verified(tmp_path, wrong, observed=scene, start=5.0, seconds=12.0)

    assert ["bob is not audible from 1."] == [text[:26] for text in messages(report, "presence", "failed")]


def test_bursts_repeat_after_16_seconds(tmp_path: Path) -> None:
    """If several parts of a long call fit equally well, the report says so."""
    report = verified(tmp_path, replace(CALL, video=False), start=12.3, seconds=60.0)

    assert () == report.failures, report
    (warning,) = messages(report, "alignment", "warning")
    assert warning.startswith("The recording may also cover a part of the call that is a multiple of 16 s earlier")


def test_mute_shows_which_part_of_a_long_call_an_audio_file_covers(tmp_path: Path) -> None:
    """The bursts fit at 12.3, 28.3 and 44.3 s, but bob is muted as in the file only after 28.3 s."""
    scene = replace(with_participant(CALL, "bob", muted=((1.0, 3.0),)), video=False)

    report = verified(tmp_path, scene, start=28.3, seconds=60.0)

    (covered,) = messages(report, "alignment", "passed")
    assert covered.startswith("The recording covers 28.3 to 32.3 s of the observed call")
    assert [] == messages(report, "alignment", "warning")


def test_audio_file_is_unverified_if_the_clock_of_the_bursts_is_unknown(tmp_path: Path) -> None:
    """An observation without the clocks of the audio markers can't be aligned with an audio file."""
    scene = replace(CALL, video=False)
    write_media(tmp_path / "theirs.webm", scene)
    observed = write_observation(path := tmp_path / "call.manifest.json", scene, start=1.0, seconds=9.0)
    change(path, observation=observed.observation.model_copy(update={"marker_clocks": ()}))

    report = verify(tmp_path / "theirs.webm", manifest=path)

    assert "unverified" == report.result
    assert 1 == len(messages(report, "alignment", "unverified"))


def test_participant_whose_video_lags_behind_the_others_fails(tmp_path: Path) -> None:
    """The smallest delay is unknown, so only the difference to the fastest participant counts."""
    scene = with_participant(CALL, "bob", counter=90, video_delay=0.8, audio_delay=0.8)

    report = verified(tmp_path, scene)

    assert ["bob's video appears in the file at least 800 ms after the capture (limit: 400 ms)."] == messages(
        report, "delay", "failed"
    )
    assert [] == messages(report, "delay", "passed")
    assert all(one.delay_ms is None for one in report.participants)


def test_alarm_of_the_observation_is_a_warning(tmp_path: Path) -> None:
    """If the observing page lost its connection, the manifest may be wrong."""
    write_media(tmp_path / "theirs.webm", CALL)
    write_observation(path := tmp_path / "call.manifest.json", CALL, start=1.0, seconds=9.0)
    change(path, {"at": 2.5, "event": "alarm", "message": "Lost connection to the server."})

    report = verify(tmp_path / "theirs.webm", manifest=path)
    complete = verify(tmp_path / "theirs.webm", manifest=path, complete=True)

    assert ["An alarm was raised at 1.50 s: Lost connection to the server."] == messages(report, "complete", "warning")
    assert ["It is unknown whether the recording is complete, because the manifest is an observation"] == [
        text[:87] for text in messages(complete, "complete", "unverified")
    ]


def test_page_that_left_the_call_fails_only_in_the_file(tmp_path: Path) -> None:
    """The page was out of the call twice, but only once while the file was recorded."""
    write_media(tmp_path / "theirs.webm", CALL)
    write_observation(path := tmp_path / "call.manifest.json", CALL, start=10.0, seconds=20.0)
    off = [{"at": at, "event": "call", "on": on} for at, on in ((2.0, False), (4.0, True), (11.0, False), (12.0, True))]
    change(path, *off)

    report = verify(tmp_path / "theirs.webm", manifest=path)

    assert ["Nobody was in the call from 1.00 to 2.00 s: the reason is unknown."] == messages(report, "call", "failed")


def test_redacted_report_contains_no_names(tmp_path: Path) -> None:
    """The observation's names are replaced before the file is compared with it."""
    report = verified(tmp_path, replace(CALL, video=False), redact=True, start=2.0, seconds=9.0)

    assert ["participant 1", "participant 2"] == [one.name for one in report.participants]
    assert "alice" not in report.model_dump_json()
    assert 1 == len(messages(report, "alignment", "passed"))


def test_html_report_states_what_was_observed(tmp_path: Path) -> None:
    """The report shows who observed the call instead of the properties of a recording."""
    report = verified(tmp_path)

    text = report.write_html(tmp_path / "report.html").read_text(encoding="utf-8")

    assert "2026-11-22T12:00:00.000+00:00 by alice, for 30.0 s" in text
    assert text.count("The recording covers 12.3 to 16.3 s of the observed call") >= 2
    assert "SHA-256" not in text


def test_manifest_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    """A wrong path must not be treated like a file without a manifest."""
    write_media(tmp_path / "theirs.webm", replace(CALL, seconds=1.0))

    with pytest.raises(ConfigError, match=r"wrong\.json does not exist; give the path of a manifest\.$"):
        verify(tmp_path / "theirs.webm", manifest=tmp_path / "wrong.json")


def test_observation_is_not_the_manifest_of_a_recording(tmp_path: Path) -> None:
    """Programs that need a recording get an error that says what is missing."""
    observed: ObservationManifest = write_observation(tmp_path / "call.manifest.json", CALL, start=0.0, seconds=4.0)

    assert observed == read_manifest(tmp_path / "call.manifest.json")
    assert (Member(name="alice", marker=1), Member(name="bob", marker=2)) == observed.timeline.members
    assert manifest_of(tmp_path / "call.webm") == tmp_path / "call.manifest.json"
    with pytest.raises(ConfigError, match=r"is not a valid manifest: Field required \(at recording\)"):
        Manifest.read(tmp_path / "call.manifest.json")
