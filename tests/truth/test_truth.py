"""Reports are correct: each planted fault makes only the intended check fail, and files without faults pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest

from harness import Limits, RecordConfig, Recording, Report, Room, verify
from harness.recording.manifest import Manifest
from tests.support.goals import FULL, Goals
from tests.support.reports import check_recording
from tests.truth import plant

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Browser

    from harness.server.room_server import RoomServer
    from tests.truth.plant import DecodedMedia

pytestmark = pytest.mark.alone

SECONDS: Final = 10 if FULL else 4
CLEAN: Final = 100
LONG: Final = 110
FORM: Final[dict[str, Any]] = (
    {"record_video_quality": "720p", "record_video_frame": 30}
    if FULL
    else {"record_video_quality": "360p", "record_video_frame": 30}
)


@dataclass(frozen=True)
class Base:
    """A real recording of three participants, its reports with default and strict limits, and its decoded media."""

    recording: Recording
    report: Report
    strict: Report
    media: DecodedMedia

    @property
    def marker(self) -> int:
        """Bob's marker."""
        members = Manifest.read(self.recording.manifest).timeline.members
        return next(member.marker for member in members if member.name == "bob" and member.marker is not None)


@pytest.fixture(scope="module")
def base(browser: Browser, room_server: RoomServer, recordings: Path) -> Base:
    """Record three participants for a few seconds."""
    with Room(server=room_server, new_context=browser.new_context, recordings=recordings, name="truth") as room:
        alice, *_ = room.join_all("alice", "bob", "carol")
        alice.start_media_recording(recorder="all", record_config=RecordConfig(record_name="base", **FORM))
        room.wait(seconds=SECONDS)
        alice.stop_media_recording()
        recording = alice.download_media_recording()
    return Base(
        recording,
        check_recording(recording),
        verify(recording, limits=Limits.strict()),
        plant.decoded(recording),
    )


AT = (2.0, 2.5)
LONGER = (2.0, 3.0)


def _encoded(change: Callable[[Base], DecodedMedia], **form: Any) -> Callable[[Base, Path], Recording]:
    def write(base: Base, path: Path) -> Recording:
        plant.encoded(change(base), path, **form)
        return plant.with_manifest(base.recording, path, ticks_missed=0)

    return write


def _late(seconds: float) -> Callable[[Base, Path], Recording]:
    def write(base: Base, path: Path) -> Recording:
        plant.remuxed(base.recording.path, path, move_audio=lambda at: at + seconds)
        return plant.with_manifest(base.recording, path)

    return write


def _cut(base: Base, path: Path) -> Recording:
    plant.remuxed(base.recording.path, path, until=base.recording.duration - 1)
    return plant.with_manifest(base.recording, path)


def _local(base: Base, path: Path) -> Recording:
    plant.remuxed(base.recording.path, path)
    return plant.with_manifest(base.recording, path, recorder="local")


# For each fault: the function that plants it, and the checks that must find it.
FAULTS: Final[dict[str, tuple[Callable[[Base, Path], Recording], set[str]]]] = {
    "audio 80 ms late": (_late(0.08), {"av-offset"}),
    "audio 80 ms early": (_late(-0.08), {"av-offset"}),
    "bob missing for 1 s": (
        _encoded(lambda base: plant.covered(base.media, base.recording, "bob", LONGER)),
        {"presence"},
    ),
    "bob frozen for 0.5 s": (_encoded(lambda base: plant.frozen(base.media, base.recording, "bob", AT)), {"frozen"}),
    "bob silent for 0.5 s": (_encoded(lambda base: plant.without_tone(base.media, base.marker, AT)), {"presence"}),
    "all silent for 0.5 s": (_encoded(lambda base: plant.silenced(base.media, AT)), {"silent"}),
    "1 % of frames dropped": (_encoded(lambda base: plant.dropped(base.media, 100)), {"gap"}),
    "10 % of frames doubled": (_encoded(lambda base: plant.doubled(base.media, 10)), {"repeated"}),
    "wrong size": (_encoded(lambda base: plant.smaller(base.media, 480, 270)), {"size"}),
    "wrong rate": (_encoded(lambda base: plant.at_half_rate(base.media)), {"frame-rate"}),
    "black for 0.5 s": (_encoded(lambda base: plant.blackened(base.media, AT)), {"black"}),
    "cut tail": (_cut, {"duration"}),
    "bob and carol swapped": (
        _encoded(lambda base: plant.swapped(base.media, base.recording, "bob", "carol")),
        {"presence"},
    ),
    "others in a local recording": (_local, {"unexpected"}),
    "MP4 named .webm": (_encoded(lambda base: base.media, codec="libvpx-vp9", container="mp4"), {"container"}),
}


def test_encoding_again_causes_no_finding(base: Base, tmp_path: Path) -> None:
    """Decoding, encoding and copying a recording does not introduce faults."""
    for number, write in enumerate((_encoded(lambda base: base.media), _late(0.0))):
        recording = write(base, tmp_path / f"{number}.webm")

        assert failed(verify(recording)) <= failed(base.report)


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_fault_is_found_by_its_own_check_and_no_other(
    base: Base, goals: Goals, tmp_path: Path, fault: str
) -> None:
    """Checks that already failed in the original recording, because the machine was busy, are ignored."""
    write, checks = FAULTS[fault]
    # Viewers do not notice an A/V offset of 80 ms, so only the limits for our own rooms find it.
    limits, before = (Limits.strict(), base.strict) if "av-offset" in checks else (Limits(), base.report)

    report = verify(write(base, tmp_path / "planted.webm"), limits=limits)

    found = failed(report) - (failed(before) - checks)
    messages = [finding.message for finding in report.failures if finding.check in checks]
    goals.measured(
        f"planted: {fault}",
        bar=f"{' and '.join(sorted(checks))}, nothing else",
        figure=f"{', '.join(sorted(found)) or 'nothing'}: {(messages or ['-'])[0]}",
        met=found == checks,
    )
    assert checks == found, [finding.message for finding in report.failures]


def failed(report: Report) -> set[str]:
    """Return the names of the checks that failed."""
    return {finding.check for finding in report.failures}


def of_alice(report: Report) -> set[str]:
    """Return the names of the checks that failed for Alice, the recording participant."""
    return {finding.check for finding in report.failures if finding.participant == "alice"}


@pytest.mark.parametrize("late", [-120, -80, 80, 120] if FULL else [-80, 80])
def test_av_offset_is_accurate_to_ten_milliseconds(base: Base, goals: Goals, tmp_path: Path, late: int) -> None:
    """Every participant's A/V offset is compared with the A/V offset before the recording's audio was shifted."""
    report = verify(_late(late / 1000)(base, tmp_path / "late.webm"))

    errors = {}
    for one in report.participants:
        before, after = base.report.participant(one.name).av_offset_ms, one.av_offset_ms
        assert before is not None
        assert after is not None
        errors[one.name] = after.median - before.median - late
    worst = max(errors.values(), key=abs)
    goals.measured(f"offset of {late:+d} ms", bar="accurate to 10 ms", figure=f"{worst:+.1f} ms", met=abs(worst) <= 10)
    assert abs(worst) <= 10


@pytest.mark.skipif(
    not FULL, reason="Takes two minutes with HARNESS_FULL=1; unit/verification/test_checks.py uses a drawn recording."
)
@pytest.mark.parametrize("ppm", [200, -200])
def test_drift_is_accurate_to_twenty_ppm(
    long: tuple[Recording, Report], goals: Goals, tmp_path: Path, ppm: int
) -> None:
    """The drift over 110 s is compared with the drift before the recording's audio was stretched."""
    recording, before = long
    plant.remuxed(recording.path, tmp_path / "drift.webm", move_audio=lambda at: at * (1 + ppm / 1e6))

    report = verify(plant.with_manifest(recording, tmp_path / "drift.webm"))

    own, was = report.participant("alice").drift_ppm, before.participant("alice").drift_ppm
    assert own is not None
    assert was is not None
    error = own - was - ppm
    # Check only the recording participant; all other audio has WebRTC's own drift, which may be near the limit.
    found = of_alice(report) - of_alice(before)
    figure = f"{error:+.1f} ppm, found by {', '.join(found)}"
    goals.measured(f"drift of {ppm:+d} ppm in {LONG} s", bar="accurate to 20 ppm, drift", figure=figure, met=True)
    assert abs(error) <= 20
    assert {"drift"} == found


@pytest.fixture(scope="module")
def long(browser: Browser, room_server: RoomServer, recordings: Path) -> tuple[Recording, Report]:
    """Record two participants for almost two minutes."""
    with Room(server=room_server, new_context=browser.new_context, recordings=recordings, name="long") as room:
        alice, _ = room.join_all("alice", "bob")
        alice.start_media_recording(recorder="all", record_config=RecordConfig(record_name="long"))
        room.wait(seconds=LONG)
        alice.stop_media_recording()
        recording = alice.download_media_recording()
    return recording, verify(recording)


@pytest.mark.skipif(
    not FULL, reason="Takes ten minutes with HARNESS_FULL=1; the tests of calls verify clean recordings."
)
def test_hundred_clean_recordings_cause_no_finding(
    browser: Browser, room_server: RoomServer, recordings: Path, goals: Goals
) -> None:
    """The recordings cover all sizes, frame rates, types and recorders in turn."""
    forms = [
        {"record_video_quality": quality, "record_video_frame": rate, "record_type": kind}
        for kind in ("video", "video", "audio")
        for quality in ("360p", "480p", "720p")
        for rate in (15, 30)
    ]
    false_findings: list[str] = []
    with Room(server=room_server, new_context=browser.new_context, recordings=recordings, name="clean") as room:
        alice, *_ = room.join_all("alice", "bob", "carol")
        for number in range(CLEAN):
            form: dict[str, Any] = forms[number % len(forms)]
            recorder: Any = "local" if number % 4 == 3 else "all"
            config = RecordConfig(record_name=f"clean {number}", **form)
            alice.start_media_recording(recorder=recorder, record_config=config)
            room.wait(seconds=3)
            alice.stop_media_recording()
            recording = alice.download_media_recording()
            alice.clean_media_recording()
            report = verify(recording)
            false_findings += [
                f"{recorder} {tuple(form.values())}: {finding.check}: {finding.message}"
                for finding in (*report.failures, *report.unverified)
            ]
    goals.measured(
        f"{CLEAN} clean recordings: false findings",
        bar="0",
        figure=f"{len(false_findings)} {'; '.join(false_findings)}",
        met=not false_findings,
    )
    assert [] == false_findings
