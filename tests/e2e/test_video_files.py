"""A video file in place of camera and microphone. It carries markers, so that the recording can be read back."""

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

CONFIG = RecordConfig(record_video_quality="360p", record_video_frame=30, record_name="film")
# What the marks in the film call who is in it: the room knows nobody by them.
ACTOR = "marker 9"


def film(folder: Path, *, seconds: float, picture: bool = True, sound: bool = True) -> Path:
    """Make a video file of a participant with markers."""
    path = folder / "film.webm"
    write_media(
        path,
        Scene(
            participants=(PlannedParticipant(name="actor", marker=9),),
            width=640,
            height=360,
            seconds=seconds,
            video=picture,
            audio=sound,
        ),
    )
    return path


def recorded(room: Room, name: str, seconds: float) -> Report:
    """Record a participant, and return the report; only the markers inside the video file are unexpected in it."""
    alice = next(one for one in room.participants if one.name == name)
    alice.start_media_recording(recorder="all", record_config=CONFIG)
    room.wait(seconds=seconds)
    alice.stop_media_recording()
    report = verify(alice.download_media_recording())
    wrong = {finding.check for finding in report.findings if not finding.ok}
    assert wrong - SMOOTHNESS_CHECKS == {"unexpected"}
    return report


def test_a_video_file_is_sent_with_audio_and_video_in_sync(room: Room, tmp_path: Path) -> None:
    """To others over WebRTC, and mixed by who brings it: smooth, and in sync."""
    room.join("alice", media=film(tmp_path, seconds=8))
    room.join("bob")

    for recording in ("alice", "bob"):
        report = recorded(room, recording, 4)

        actor = report.participant(ACTOR)
        assert actor.av_offset_ms is not None
        assert abs(actor.av_offset_ms.median) < 120
        # A busy machine makes a hole; that both are there is what counts.
        for one in (actor, report.participant("bob")):
            assert one.audio is not None
            assert sum(end - start for start, end in one.audio.audible) > 3


@pytest.mark.thorough
def test_a_video_file_starts_again_at_its_end(room: Room, tmp_path: Path) -> None:
    """A video file of two seconds is enough for a recording of six."""
    room.join("alice", media=str(film(tmp_path, seconds=2)))

    report = recorded(room, "alice", 6)

    # A seam of a picture or two is no absence.
    assert sum(end - start for start, end in report.participant(ACTOR).present) > 5.5


@pytest.mark.thorough
def test_a_video_file_without_audio_is_a_participant_without_a_microphone(room: Room, tmp_path: Path) -> None:
    """And nobody waits for their audio."""
    room.join("alice", media=film(tmp_path, seconds=3, sound=False))
    bob = room.join("bob")

    report = recorded(room, "bob", 2)

    assert bob.others == ["alice"]
    assert report.participant(ACTOR).present


def test_an_operation_that_a_video_file_can_not_do_is_refused(room: Room, tmp_path: Path) -> None:
    """It has no screen, no other camera, and is as loud as it is."""
    alice = room.join("alice", media=film(tmp_path, seconds=2))

    for refused in (alice.share_screen, lambda: alice.replace_device("video"), lambda: alice.set_speaking(True)):
        with pytest.raises(InvalidStateError, match="A participant with a video file"):
            refused()


def test_a_file_that_chrome_can_not_play_is_refused_and_no_participant_stays(room: Room, tmp_path: Path) -> None:
    """With what would be played, and how to get it."""
    (tmp_path / "film.webm").write_bytes(b"no film at all" * 100)
    bob = room.join("bob")

    with pytest.raises(PageError, match=r"can't play film\.webm .*ffmpeg -i"):
        room.join("alice", media=tmp_path / "film.webm")

    room.wait_for(lambda: bob.others == [], what="nobody but bob")


@pytest.mark.thorough
def test_a_video_file_is_named_on_the_command_line(tmp_path: Path) -> None:
    """Every participant sends the video file of that name."""
    film(tmp_path, seconds=4)

    ran = run_harness("record", "alice", "--media", "film.webm", "--seconds", "2", "--json", folder=tmp_path)

    assert ran.returncode == 1, ran.stderr
    assert ACTOR in ran.stdout


def test_a_source_that_is_neither_a_video_file_nor_a_kind_is_refused(tmp_path: Path) -> None:
    """In one line, before anything starts."""
    ran = run_harness("record", "alice", "--media", "flim.webm", folder=tmp_path)

    assert ran.returncode == 2
    assert "--media: 'flim.webm' is not possible; choose one of 'synthetic', 'camera', or give the path" in ran.stderr
