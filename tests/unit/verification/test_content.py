"""The whole video of each synthetic participant is examined, and video without markers for still and blank parts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from harness.verification import Report, verify
from harness.verification.markers.backdrop import NAME_ROWS, backdrop, face_at
from tests.support.media import content_faults
from tests.support.media.recording_file import write_recording
from tests.support.media.scene import PlannedParticipant, Scene, participants, with_participant

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.media.synthetic_frame import Tile

pytestmark = [pytest.mark.parallel, pytest.mark.usefixtures("in_process")]

AT = (0.5, 1.5)
FAULTS: dict[str, tuple[Callable[[Tile, float], None], str]] = {
    "black": (content_faults.during(AT, content_faults.black, "lower"), "black"),
    "green": (content_faults.during(AT, content_faults.green, "lower"), "black"),
    "missing": (content_faults.during(AT, content_faults.missing, "lower"), "wrong_video"),
    "noise": (content_faults.during(AT, content_faults.noise, "lower"), "wrong_video"),
    "no colors": (content_faults.during(AT, content_faults.gray, "all"), "wrong_colors"),
    "swapped chroma": (content_faults.during(AT, content_faults.swapped, "all"), "wrong_colors"),
    "tinted": (content_faults.during(AT, content_faults.tinted, "all"), "wrong_colors"),
    "inverted colors": (content_faults.during(AT, content_faults.inverted, "all"), "wrong_colors"),
    "somebody else": (content_faults.someone_else(AT, 3, "below strip"), "wrong_colors"),
    "somebody else with similar colors": (content_faults.someone_else(AT, 10, "below strip"), "wrong_video"),
    "black symbol": (content_faults.during(AT, content_faults.black, "symbol"), "wrong_symbol"),
    "missing symbol": (content_faults.during(AT, content_faults.missing, "symbol"), "wrong_symbol"),
    "noisy symbol": (content_faults.during(AT, content_faults.noise, "symbol"), "wrong_symbol"),
    "tinted symbol": (content_faults.during(AT, content_faults.tinted, "symbol"), "wrong_colors"),
    "frozen symbol": (content_faults.frozen(AT, "symbol"), "wrong_symbol"),
    "somebody else's symbol": (content_faults.someone_else(AT, 3, "symbol"), "wrong_symbol"),
}
# Faults that can be in any part of a video.
FAULTS_OF_PARTS: dict[str, Callable[[content_faults.Area], Callable[[Tile, float], None]]] = {
    "black": lambda area: content_faults.during(AT, content_faults.black, area),
    "missing": lambda area: content_faults.during(AT, content_faults.missing, area),
    "noise": lambda area: content_faults.during(AT, content_faults.noise, area),
    "tinted": lambda area: content_faults.during(AT, content_faults.tinted, area),
    "frozen": lambda area: content_faults.frozen(AT, area),
}
# Width, height, participants, bits per second and codec: tiles of 160x90 to 640x360 at low and normal bitrates. At less
# than 300 kbps, VP9 needs longer than 0.3 s to restore the colors of four tiles.
FORMS = {
    "160x90, 150 kbps": (320, 180, 4, 150_000, "libvpx"),
    "320x180, 300 kbps": (640, 360, 4, 300_000, "libvpx-vp9"),
    "640x360": (640, 360, 1, 1_000_000, "libvpx"),
}


def scene_of(form: str, **changes: object) -> Scene:
    """Return the scene that ``form`` names in ``FORMS``, in which the last participant's video is changed."""
    width, height, count, bitrate, codec = FORMS[form]
    names = [f"p{number}" for number in range(1, count + 1)]
    scene = Scene(participants=participants(*names), width=width, height=height, bitrate=bitrate, codec=codec)
    # With another number of threads, VP8 needs longer to restore the colors at 150 kbps.
    scene = replace(scene, audio=False, seconds=1.9, frame_rate=15, threads=2)
    return with_participant(scene, names[-1], **changes)


def failed_content(report: Report) -> set[str | None]:
    """Return the participants whose check failed."""
    return {finding.participant for finding in report.failures if finding.check == "content"}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("fault", FAULTS)
def test_wrong_content_is_found_at_its_time_and_only_there(tmp_path: Path, form: str, fault: str) -> None:
    """The fault is found within 0.2 s of its beginning and end, and no other participant is affected."""
    spoil, kind = FAULTS[fault]
    scene = scene_of(form, spoil=spoil)

    report = verify(write_recording(tmp_path / "standup.webm", scene))

    name = scene.participants[-1].name
    video = report.participant(name).video
    assert video is not None
    ((start, end),) = getattr(video.content, kind)
    assert (start, end) == pytest.approx(AT, abs=0.2)
    assert {name} == failed_content(report)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("area", ["upper", "lower", "left", "right"])
@pytest.mark.parametrize("fault", FAULTS_OF_PARTS)
def test_fault_is_found_in_every_part_of_the_video(
    tmp_path: Path, form: str, area: content_faults.Area, fault: str
) -> None:
    """The findings cover the time of the fault, and no other participant is affected.

    A freeze becomes visible only when the face should have moved.
    """
    scene = scene_of(form, spoil=FAULTS_OF_PARTS[fault](area))

    report = verify(write_recording(tmp_path / "standup.webm", scene))

    name = scene.participants[-1].name
    found = [one.at for one in report.failures if one.check == "content" and one.participant == name and one.at]
    assert AT[0] - 0.1 < min(start for start, _ in found) < AT[0] + (0.5 if fault == "frozen" else 0.25)
    assert AT[1] == pytest.approx(max(end for _, end in found), abs=0.25)
    assert {name} == failed_content(report)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("area", ["lowest", "below strip"])
def test_frozen_face_is_found(tmp_path: Path, form: str, area: content_faults.Area) -> None:
    """The strip and, in one case, the symbol still change."""
    scene = scene_of(form, spoil=content_faults.frozen(AT, area))

    report = verify(write_recording(tmp_path / "standup.webm", scene))

    name = scene.participants[-1].name
    video = report.participant(name).video
    assert video is not None
    assert AT[1] == pytest.approx(video.content.frozen[-1][1], abs=0.2)
    assert (area == "lowest") == (not video.content.wrong_symbol)
    assert {name} == failed_content(report)


def test_symbol_is_not_examined_in_tiny_tiles(tmp_path: Path) -> None:
    """The check passes without the symbol, and reports that the symbol was not compared."""
    scene = replace(scene_of("640x360"), width=128, height=72, bitrate=500_000)

    report = verify(write_recording(tmp_path / "standup.webm", scene))

    (passed,) = [finding for finding in report.findings if finding.check == "content"]
    assert "passed" == passed.result
    assert "The symbol was compared in 0 of them, because it is too small or blurred in the others." in passed.message


def test_strip_over_another_video_has_no_symbol(tmp_path: Path) -> None:
    """The symbol is not missed in a video that only has a strip, such as the videos of earlier versions."""
    report = verify(write_recording(tmp_path / "standup.webm", scene_of("640x360", full=False)))

    (one,) = report.participants
    assert one.video is not None
    assert (one.video.content.symbols, one.video.content.wrong_symbol) == (0, ())
    assert {"passed", "unverified"} == {finding.result for finding in report.findings if finding.check == "content"}


@pytest.mark.parametrize("form", FORMS)
def test_screen_with_the_marker_of_its_participant_is_recognized(tmp_path: Path, form: str) -> None:
    """In our own rooms, a shared screen replaces the camera and has the same marker."""
    shared = verify(write_recording(tmp_path / "shared.webm", scene_of(form, screen=True)))
    spoiled = scene_of(form, screen=True, spoil=content_faults.during(AT, content_faults.noise, "lower"))
    noisy = verify(write_recording(tmp_path / "noisy.webm", spoiled))

    assert set() == failed_content(shared)
    assert {spoiled.participants[-1].name} == failed_content(noisy)


@pytest.mark.parametrize("number", range(100))
def test_clean_layouts_cause_no_finding(tmp_path: Path, number: int) -> None:
    """Random numbers of participants, markers, counters, sizes, frame rates, codecs, bitrates and speeds."""
    random = np.random.default_rng(number)
    count = int(random.integers(1, 10))
    # A participant's marker plus 128 is the marker of the participant's own screen.
    markers = random.choice(128, count, replace=False) + 128 * random.integers(0, 2, count)
    width, height = [(320, 180), (480, 270), (640, 360), (320, 240), (360, 640)][int(random.integers(5))]
    if count > 4 and width < 480:
        width, height = 480, 270
    scene = Scene(
        participants=tuple(
            PlannedParticipant(name=f"p{marker}", marker=int(marker), counter=int(random.integers(1 << 18)))
            for marker in markers
        ),
        width=width,
        height=height,
        frame_rate=int(random.choice([15, 30])),
        codec=str(random.choice(["libvpx", "libvpx-vp9"])),
        bitrate=int(random.choice([150_000, 400_000, 2_500_000])),
        speed=int(random.choice([4, 8, 12, 16])),
        audio=False,
        seconds=1.0,
    )

    report = verify(write_recording(tmp_path / "standup.webm", scene))

    videos = [one.video for one in report.participants if one.video and one.video.visible]
    assert count == len(videos)
    assert all(video.content.samples >= 5 and video.content.colors_known for video in videos)
    assert set() == failed_content(report)


def test_backdrop_of_every_marker_is_brighter_than_black() -> None:
    """Black parts are found by their luma, so no backdrop may have a similar luma."""
    x, y = np.meshgrid(np.linspace(0, 1, 20), np.linspace(0, 1, 20))

    assert min(backdrop(marker, x, y, 16 / 9)[0].min() for marker in range(256)) > 40


def test_face_repeats_every_90_counts_and_stays_below_the_name() -> None:
    """The sampler keeps one position of the face for each of the 90 counts."""
    for count in range(90):
        face, again = face_at(5, count, 16 / 9), face_at(5, count + 90, 16 / 9)

        assert (face.x, face.y) == pytest.approx((again.x, again.y))
        assert 0.08 <= face.x - face.width / 2 < face.x + face.width / 2 <= 0.92
        assert NAME_ROWS[1] < face.y - face.height / 2 < face.y + face.height / 2 < 0.8612


@pytest.mark.parametrize("shape", [(4, 3), (1, 1), (3, 4)])
def test_video_that_is_not_wide_is_found_in_its_tile(tmp_path: Path, shape: tuple[int, int]) -> None:
    """An application can require a camera of exactly 640x480, which the mixer fits into a 16:9 tile."""
    scene = scene_of("640x360", shape=shape)
    two = replace(scene, participants=(*scene.participants, *participants("a", "bob")[1:]))

    report = verify(write_recording(tmp_path / "standup.webm", two))

    assert [28, 28] == [one.video.frames for one in report.participants if one.video]
    assert {"container"} == {finding.check for finding in report.failures}  # The file has no audio.


def test_visible_begins_with_the_first_frame(tmp_path: Path) -> None:
    """The time to the first frame can be derived from the report to within a frame."""
    scene = scene_of("640x360", hidden=((0.0, 0.4),))

    (one,) = verify(write_recording(tmp_path / "standup.webm", scene)).participants

    assert one.video is not None
    assert one.video.visible[0][0] == pytest.approx(6 / 15, abs=0.001)


def unmarked(spoil: Callable[[Tile, float], None] | None = None, *, frozen: tuple[float, float] = (0, 0)) -> Scene:
    """Return five seconds of one participant's video without markers."""
    one = PlannedParticipant(name="alice", marker=None, spoil=spoil, frozen=(frozen,))
    return Scene(participants=(one,), audio=False, seconds=5.0, frame_rate=15, bitrate=400_000)


@pytest.mark.parametrize(
    ("scene", "text", "at"),
    [
        (unmarked(frozen=(1.0, 4.0)), "The video does not move", (1.0, 4.0)),
        (replace(unmarked(), black=((1.0, 4.0),)), "The video is black", (1.0, 4.0)),
        (unmarked(content_faults.during((2.0, 4.6), content_faults.black, "lower")), "A part of the video", (2.0, 4.6)),
        (
            unmarked(content_faults.during((2.0, 4.6), content_faults.missing, "lower")),
            "A part of the video",
            (2.0, 4.6),
        ),
    ],
    ids=["still", "black", "lower half black", "lower half gray"],
)
def test_still_or_blank_video_without_markers_is_a_warning(
    tmp_path: Path, scene: Scene, text: str, at: tuple[float, float]
) -> None:
    """The warning names the interval, and the report still passes."""
    path = tmp_path / "call.webm"
    write_recording(path, scene)

    report = verify(path)

    (warning,) = [finding for finding in report.findings if finding.check == "content" and finding.result == "warning"]
    assert warning.message.startswith(text)
    assert warning.at == pytest.approx(at, abs=0.25)
    assert "content" not in {finding.check for finding in report.failures}


@pytest.mark.parametrize("scene", [unmarked(), unmarked(frozen=(1.0, 2.5))], ids=["moving", "still for 1.5 s"])
def test_moving_video_without_markers_causes_no_warning(tmp_path: Path, scene: Scene) -> None:
    """Still video that is shorter than two seconds is not mentioned."""
    path = tmp_path / "call.webm"
    write_recording(path, scene)

    assert ["passed"] == [finding.result for finding in verify(path).findings if finding.check == "content"]
