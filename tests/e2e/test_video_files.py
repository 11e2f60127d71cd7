"""Tests for participants who send a video file; the marker in the file shows how it was played."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness import InvalidStateError, PageError, RecordConfig, verify
from tests.support.media.recording_file import write_media
from tests.support.media.scene import PlannedParticipant, Scene
from tests.support.program import run_harness
from tests.support.reports import SMOOTHNESS_CHECKS

if TYPE_CHECKING:
    from pathlib import Path

    from harness import Report, Room

CONFIG = RecordConfig(record_video_quality="360p", record_video_frame=30, record_name="call")
# Reports use this name for the video file's marker, because no participant in the room has this marker.
ACTOR = "marker 9"


def write_video_file(folder: Path, *, seconds: float, video: bool = True, audio: bool = True) -> Path:
    """Write a video file that contains a marker, and return its path."""
    path = folder / "camera.webm"
    write_media(
        path,
        Scene(
            participants=(PlannedParticipant(name="actor", marker=9),),
            width=640,
            height=360,
            seconds=seconds,
            video=video,
            audio=audio,
        ),
    )
    return path


def record_and_verify(room: Room, name: str, seconds: float) -> Report:
    """Record for the given time, and return the report. Except for smoothness, only the check ``unexpected`` fails."""
    alice = next(one for one in room.participants if one.name == name)
    alice.start_media_recording(recorder="all", record_config=CONFIG)
    room.wait(seconds=seconds)
    alice.stop_media_recording()
    report = verify(alice.download_media_recording())
    wrong = {finding.check for finding in report.findings if finding.result == "failed"}
    assert wrong - SMOOTHNESS_CHECKS == {"unexpected"}
    return report


@pytest.mark.alone
def test_a_video_file_is_sent_with_audio_and_video_in_sync(room: Room, tmp_path: Path) -> None:
    """A video file is in sync in the sender's own recording and in a recording by another participant."""
    # The file must not start again during a recording, because its counter starts again as well.
    room.join("alice", media=write_video_file(tmp_path, seconds=25))
    room.join("bob")

    for recording in ("alice", "bob"):
        report = record_and_verify(room, recording, 4)

        actor = report.participant(ACTOR)
        assert actor.av_offset_ms is not None
        assert abs(actor.av_offset_ms.median) < 120
        # On a busy machine, the audio may have gaps, but both participants must be audible for most of the recording.
        for one in (actor, report.participant("bob")):
            assert one.audio is not None
            assert sum(end - start for start, end in one.audio.audible) > 3


@pytest.mark.thorough
def test_a_video_file_starts_again_at_its_end(room: Room, tmp_path: Path) -> None:
    """A two-second video file plays in a loop throughout a six-second recording."""
    room.join("alice", media=str(write_video_file(tmp_path, seconds=2)))

    report = record_and_verify(room, "alice", 6)

    # Each time the file starts again, the participant may be absent for a frame or two.
    assert sum(end - start for start, end in report.participant(ACTOR).present) > 5.5


@pytest.mark.thorough
def test_a_video_file_without_audio_is_a_participant_without_a_microphone(room: Room, tmp_path: Path) -> None:
    """If a video file has no audio track, the recording starts without waiting for one."""
    room.join("alice", media=write_video_file(tmp_path, seconds=3, audio=False))
    bob = room.join("bob")

    report = record_and_verify(room, "bob", 2)

    assert bob.others == ["alice"]
    assert report.participant(ACTOR).present


def test_an_operation_that_a_video_file_does_not_support_is_refused(room: Room, tmp_path: Path) -> None:
    """A participant with a video file can't share a screen, replace the camera or change the volume."""
    alice = room.join("alice", media=write_video_file(tmp_path, seconds=2))

    for refused in (alice.share_screen, lambda: alice.replace_device("video"), lambda: alice.set_speaking(True)):
        with pytest.raises(InvalidStateError, match="join with synthetic media"):
            refused()


def test_a_file_that_chrome_cannot_play_is_refused_and_no_participant_remains(room: Room, tmp_path: Path) -> None:
    """If Chrome can't play a video file, the error shows the ffmpeg command that converts it into a playable format."""
    (tmp_path / "camera.webm").write_bytes(b"not a video file" * 100)
    bob = room.join("bob")

    with pytest.raises(PageError, match=r"can't play camera\.webm .*ffmpeg -i"):
        room.join("alice", media=tmp_path / "camera.webm")

    room.wait_for(lambda: bob.others == [], what="nobody but bob")


@pytest.mark.thorough
def test_a_video_file_is_specified_on_the_command_line(tmp_path: Path) -> None:
    """Every participant sends the video file specified with --media."""
    write_video_file(tmp_path, seconds=4)

    ran = run_harness("record", "alice", "--media", "camera.webm", "--seconds", "2", "--json", folder=tmp_path)

    assert ran.returncode == 1, ran.stderr
    assert ACTOR in ran.stdout


def test_an_invalid_media_value_is_refused(tmp_path: Path) -> None:
    """An invalid --media value is reported before anything starts."""
    ran = run_harness("record", "alice", "--media", "camra.webm", folder=tmp_path)

    assert ran.returncode == 2
    assert "--media: 'camra.webm' is not valid; choose one of 'synthetic', 'camera', or give the path" in ran.stderr
