"""If the data that a check needs is missing, the recording does not pass."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.recording.manifest import Manifest
from harness.recording.recording import Recording, sha256_of
from harness.recording.timeline import Event, Timeline
from harness.verification import Expectation, Limits, Report, verify
from harness.verification.values.expectations import read_expected
from tests.support.goals import FULL
from tests.support.media.recording_file import write_recording
from tests.support.media.scene import Scene, participants, with_participant

pytestmark = [pytest.mark.parallel, pytest.mark.usefixtures("in_process")]

CLEAN = Scene(participants=participants("alice", "bob"), seconds=3.0)


def remux(source: Path, target: Path, keep: Callable[[str, float], bool]) -> Path:
    """Copy only those packets of a file for which ``keep(kind, seconds)`` is true."""
    with av.open(str(source)) as media, av.open(str(target), "w", format="webm") as output:
        streams = {stream.index: output.add_stream_from_template(stream, opaque=True) for stream in media.streams}
        for packet in media.demux():
            if packet.pts is None or not keep(packet.stream.type, float(packet.pts * packet.time_base)):
                continue
            packet.stream = streams[packet.stream.index]
            output.mux(packet)
    return target


def rewrite(path: Path, **changes: object) -> None:
    """Replace the given values in a manifest."""
    manifest = Manifest.read(path)
    path.unlink()
    manifest.model_copy(update=changes).write(path)


def reduce_manifest(path: Path, what: str) -> None:
    """Remove markers or events from a manifest."""
    manifest = Manifest.read(path)
    timeline = manifest.timeline
    if what == "without events":
        rewrite(path, timeline=timeline.model_copy(update={"events": ()}))
    elif what != "complete":
        members = tuple(
            one.model_copy(update={"marker": None}) if what == "without markers" or one.name == "bob" else one
            for one in timeline.members
        )
        rewrite(path, timeline=timeline.model_copy(update={"members": members}))


def clean(report: Report) -> bool:
    """Return whether a recording has passed without any warning."""
    return report.ok and not report.warnings


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """Write a three-second recording without any fault."""
    return write_recording(tmp_path_factory.mktemp("evidence") / "standup.webm", CLEAN)


@pytest.mark.parametrize(
    ("expectation", "message"),
    [
        (
            Expectation(participant="bob", audible=False, start=30),
            "bob can't be checked from 30 s on, because the recording ends at 3.00 s.",
        ),
        (
            Expectation(participant="bob", visible=True, start=1, end=8),
            "bob can't be checked up to 8 s, because the recording ends at 3.00 s.",
        ),
        (
            Expectation(participant="bob", audible=False, start=2.7),
            "bob can't be checked from 2.7 s on, because the recording ends at 3.00 s.",
        ),
        (
            Expectation(participant="Bob", audible=False),
            "Bob is not in the recording. The manifest names alice, bob",
        ),
        (
            Expectation(participant="dave", visible=False),
            "dave is not in the recording. The manifest names",
        ),
    ],
)
def test_expectation_that_the_recording_cannot_show_fails(
    recording: Recording, expectation: Expectation, message: str
) -> None:
    """An expectation fails if it extends past the end of the file, or if the participant is not in the recording."""
    (failure,) = verify(recording, expect=[expectation]).failures

    assert "presence" == failure.check
    assert message in failure.message


@pytest.mark.parametrize("sense", ["visible", "audible"])
def test_expectation_for_too_short_a_time_is_refused(recording: Recording, tmp_path: Path, sense: str) -> None:
    """Half a second is too short for an expectation with the default limits, but long enough with stricter limits."""
    short = {"participant": "bob", sense: False, "from": 1.0, "to": 1.5}
    toml = tmp_path / "expect.toml"
    toml.write_text(f'[[expect]]\nparticipant = "bob"\n{sense} = false\nfrom = 1.0\nto = 1.5\n')

    with pytest.raises(ConfigError, match=r"from 1 to 1\.5 s is too short to determine .* bob"):
        verify(recording, expect=[Expectation.model_validate(short)])
    with pytest.raises(ConfigError, match=r"expectation 1: from 1 to 1\.5 s is too short"):
        read_expected(toml)

    stricter = Limits(absence=0.1)
    (failure,) = verify(recording, limits=stricter, expect=[Expectation.model_validate(short)]).failures
    assert f"bob is {sense} " in failure.message


@pytest.mark.parametrize(("kind", "sense"), [("audio", "audible"), ("video", "visible")])
def test_expectation_without_a_track_fails(tmp_path: Path, kind: str, sense: str) -> None:
    """If a file has no audio or video track, expecting a participant to be silent or invisible fails."""
    scene = replace(CLEAN, audio=False) if kind == "audio" else replace(CLEAN, video=False)
    path = write_recording(tmp_path / "standup.webm", scene).path

    report = verify(path, expect=[Expectation.model_validate({"participant": "bob", sense: False})])

    assert f"the recording has no {kind}" in report.failures[-1].message


@pytest.mark.parametrize("kind", ["audio", "video"])
@pytest.mark.parametrize("manifest", [True, False])
def test_track_without_packets_fails(recording: Recording, tmp_path: Path, kind: str, manifest: bool) -> None:  # noqa: FBT001
    """A track without packets is reported.

    For a file without frames, a missing index is not reported, because there are no frames to index.
    """
    path = remux(recording.path, tmp_path / "standup.webm", lambda of, _: of != kind)
    if manifest:
        (tmp_path / "standup.manifest.json").write_text(recording.manifest.read_text())

    report = verify(path)

    number, codec = {"video": (0, "vp8"), "audio": (1, "opus")}[kind]
    message = f"standup.webm declares {kind} (track {number}, {codec}) but contains none."
    assert ["container", "hash"][: 1 + manifest] == [one.check for one in report.failures]
    assert message == report.failures[0].message


def test_recording_that_was_not_stopped_is_a_warning_or_a_failure(tmp_path: Path) -> None:
    """A crash and alarms are warnings by default, and failures if the caller requires a complete recording."""
    recording = write_recording(tmp_path / "standup.webm", CLEAN)
    manifest = Manifest.read(recording.manifest)
    alarm = Event(at=1.25, event="alarm", message="The page has stopped sending data.")
    reason = "the program that recorded it ended before it was stopped"
    rewrite(
        recording.manifest,
        recording=manifest.recording.model_copy(update={"recovered": reason}),
        timeline=manifest.timeline.model_copy(update={"events": (*manifest.timeline.events, alarm)}),
        alarms=("The page has stopped sending data.", "The disk is nearly full."),
    )

    report = verify(recording)
    strict = verify(recording, complete=True)

    messages = [
        f"The recording ends at 3.00 s and was not stopped normally: {reason}.",
        "An alarm was raised at 1.25 s: The page has stopped sending data.",
        "An alarm was raised: The disk is nearly full.",
    ]
    assert report.ok
    assert messages == [one.message for one in report.warnings]
    assert messages == [one.message for one in strict.failures]
    assert [(3.0, 3.0), (1.25, 1.25), None] == [
        one.at and tuple(round(at, 2) for at in one.at) for one in strict.failures
    ]


def test_expectations_file_can_require_a_complete_recording(tmp_path: Path) -> None:
    """If ``complete`` is required, a recording without a manifest fails, since nothing proves that it is complete."""
    recording = write_recording(tmp_path / "standup.webm", CLEAN)
    toml = tmp_path / "expect.toml"
    toml.write_text("complete = true\n")
    complete = read_expected(toml).complete

    with_manifest = verify(recording, complete=complete)
    recording.manifest.unlink()
    without = verify(recording, complete=complete)

    assert complete
    assert clean(with_manifest)
    assert ["complete"] == [one.check for one in without.failures]


def test_file_without_manifest_is_unverified(recording: Recording, tmp_path: Path) -> None:
    """The finding about the missing manifest names every check that did not run."""
    path = remux(recording.path, tmp_path / "standup.webm", lambda *_: True)

    report = verify(path)

    assert "unverified" == report.result
    (finding,) = report.unverified
    assert "unknown who should be visible and audible" in finding.message
    assert all(name in finding.message for name in ("frame-rate", "unexpected", "hash", "complete"))
    assert "unverified: 1 part could not be examined" in str(report)


def test_manifest_without_members_is_unverified(tmp_path: Path) -> None:
    """If no participant was examined, a missing participant would not have been noticed."""
    unmarked = tuple(replace(one, marker=None) for one in CLEAN.participants)
    recording = write_recording(tmp_path / "standup.webm", replace(CLEAN, participants=unmarked), manifest_scene=CLEAN)
    manifest = Manifest.read(recording.manifest)
    timeline = manifest.timeline.model_copy(update={"members": (), "events": ()})
    changed = manifest.recording.model_copy(update={"participant": "nobody", "recorder": "all"})
    rewrite(recording.manifest, timeline=timeline, recording=changed)

    assert "unverified" == verify(recording).result


def test_participant_without_any_expectation_is_unverified(tmp_path: Path) -> None:
    """A participant can't be checked if their camera and microphone were always off or the recording is too short."""
    silent = with_participant(CLEAN, "bob", hidden=((0.0, 3.0),), muted=((0.0, 3.0),))
    short = Scene(participants=participants("alice", "bob"), seconds=0.8)
    absent = replace(
        short, participants=(replace(short.participants[0]), replace(short.participants[1], hidden=((0.0, 0.8),)))
    )
    absent = with_participant(absent, "bob", muted=((0.0, 0.8),))

    reports = [
        verify(write_recording(tmp_path / "silent.webm", silent)),
        verify(write_recording(tmp_path / "short.webm", absent, manifest_scene=short)),
    ]

    for report in reports:
        assert ("unverified", ["bob"]) == (report.result, [one.participant for one in report.unverified])
        assert "so bob could not be examined" in " ".join(str(report).split())


FAULTS: dict[str, tuple[Scene, Scene]] = {
    "bob is missing": (with_participant(CLEAN, "bob", hidden=((0.0, 3.0),), muted=((0.0, 3.0),)), CLEAN),
    "bob is not audible": (with_participant(CLEAN, "bob", muted=((1.0, 2.0),)), CLEAN),
    "bob is not visible": (with_participant(CLEAN, "bob", hidden=((1.0, 2.0),)), CLEAN),
    "bob is audible though muted": (CLEAN, with_participant(CLEAN, "bob", muted=((0.0, 3.0),))),
    "bob is frozen": (with_participant(CLEAN, "bob", frozen=((1.0, 2.0),)), CLEAN),
    "bob is late": (with_participant(CLEAN, "bob", audio_delay=0.3), CLEAN),
    "somebody else is in it": (Scene(participants=participants("alice", "bob", "eve"), seconds=3.0), CLEAN),
    "frames are missing": (replace(CLEAN, dropped=frozenset(range(30, 60))), CLEAN),
    "it is black": (replace(CLEAN, black=((0.0, 3.0),)), CLEAN),
    "it is silent": (replace(CLEAN, silent=((0.0, 3.0),)), CLEAN),
}
# For each part of a file that can be removed, a function that returns whether a packet remains in the file.
REMOVALS: dict[str, Callable[[str, float], bool]] = {
    "its audio": lambda kind, _: kind != "audio",
    "its video": lambda kind, _: kind != "video",
    "its end": lambda _, at: at < 1.0,
    "most of its frames": lambda kind, at: kind != "video" or at * 10 % 3 < 1,
    "most of its audio": lambda kind, at: kind != "audio" or at < 0.5,
    "its beginning": lambda _, at: at > 2.0,
}


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recording]:
    """Write one recording for each fault, and return the recordings by the faults' names."""
    folder = tmp_path_factory.mktemp("faulty")
    return {
        name: write_recording(folder / f"{name}.webm", scene, manifest_scene=planned)
        for name, (scene, planned) in FAULTS.items()
    }


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for copies of recordings from which parts have been removed."""
    return tmp_path_factory.mktemp("less")


@pytest.mark.parametrize("fault", FAULTS)
def test_every_planted_fault_fails(faulty: dict[str, Recording], fault: str) -> None:
    """Every fault is found as long as nothing has been removed from the recording."""
    assert "failed" == verify(faulty[fault]).result


@settings(max_examples=400 if FULL else 60)
@given(
    fault=st.sampled_from(sorted(FAULTS)),
    removals=st.sets(st.sampled_from(sorted(REMOVALS)), max_size=2),
    manifest=st.sampled_from(["complete", "without markers", "without bob's marker", "without events", "missing"]),
)
def test_removing_evidence_never_turns_a_failed_recording_into_a_passed_one(
    faulty: dict[str, Recording],
    scratch: Path,
    fault: str,
    removals: set[str],
    manifest: str,
) -> None:
    """If parts of a faulty recording or of its manifest are removed, it is failed or unverified, never passed."""
    source = faulty[fault]
    path = scratch / "less.webm"
    path.with_suffix(".manifest.json").unlink(missing_ok=True)
    if manifest != "missing":
        path.with_suffix(".manifest.json").write_text(source.manifest.read_text())
        reduce_manifest(path.with_suffix(".manifest.json"), manifest)
    remux(source.path, path, lambda kind, at: all(REMOVALS[name](kind, at) for name in removals))

    assert verify(path).result != "passed", f"{fault}, without {removals}, manifest: {manifest}"


@settings(max_examples=200 if FULL else 40)
@given(
    removals=st.sets(st.sampled_from(sorted(REMOVALS)), max_size=2),
    manifest=st.sampled_from(["without markers", "without bob's marker", "without events", "missing"]),
)
def test_recording_that_lost_evidence_does_not_pass(
    recording: Recording, scratch: Path, removals: set[str], manifest: str
) -> None:
    """If a recording without any fault loses markers, events or its manifest, it no longer passes."""
    path = scratch / "lost.webm"
    path.with_suffix(".manifest.json").unlink(missing_ok=True)
    remux(recording.path, path, lambda kind, at: all(REMOVALS[name](kind, at) for name in removals))
    if manifest != "missing":
        path.with_suffix(".manifest.json").write_text(recording.manifest.read_text())
        reduce_manifest(path.with_suffix(".manifest.json"), manifest)
        described = Manifest.read(path.with_suffix(".manifest.json")).recording
        rewrite(path.with_suffix(".manifest.json"), recording=described.model_copy(update={"sha256": sha256_of(path)}))

    assert verify(path).result != "passed", f"without {removals}, manifest: {manifest}"


def test_recovered_file_without_members_has_no_unexpected_participant(tmp_path: Path) -> None:
    """If a recording's log was lost, no participant is unexpected, since it is unknown who should be visible."""
    recording = write_recording(tmp_path / "standup.webm", CLEAN)
    manifest = Manifest.read(recording.manifest)
    recovered = manifest.recording.model_copy(update={"recovered": "its log was lost"})
    rewrite(recording.manifest, timeline=Timeline(), recording=recovered, zero_ms=None)

    report = verify(recording)

    assert () == report.failures
    assert {"presence", "unexpected"} == {one.check for one in report.unverified}
    assert {"complete"} == {one.check for one in report.warnings}
