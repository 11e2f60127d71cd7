"""Microphones, cameras, screens and people change while the recording goes on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness import Participant, RecordConfig, Report, Room
from harness.recording.recording import Manifest
from tests.verdicts import whole

SMOOTH = RecordConfig(record_video_quality="360p", record_video_frame=15)


def judged(participant: Participant) -> Report:
    """Stop, download, clean, and return a verdict without failures."""
    participant.stop_media_recording()
    recording = participant.download_media_recording()
    participant.clean_media_recording()
    return whole(recording)


def events(report: Report, event: str, participant: str) -> list[bool | None]:
    """Return how often, in the manifest, something went on and off for somebody."""
    timeline = Manifest.read(report.path.with_suffix(".json")).timeline
    return [one.on for one in timeline.events if one.event == event and one.participant == participant]


def silences(report: Report, participant: str) -> float:
    """Return for how many seconds somebody is not heard, the file's first and last moments apart."""
    audio = report.participant(participant).audio
    assert audio is not None
    return sum(end - start for start, end in audio.silent if start > 0.4 and end < report.media.duration - 0.4)  # type: ignore[union-attr]


@pytest.fixture
def alice_and_bob(room: Room) -> tuple[Participant, Participant]:
    """Return two people, the first of whom records both."""
    alice, bob = room.join_all("alice", "bob")
    alice.start_media_recording(recorder="all", record_config=SMOOTH)
    return alice, bob


def test_a_muted_microphone_leaves_silence_and_comes_back_in_place(
    room: Room, alice_and_bob: tuple[Participant, Participant]
) -> None:
    """Toggling the microphone while recording is harmless: the timeline does not shift."""
    alice, bob = alice_and_bob
    room.wait(seconds=1.5)
    bob.mute()
    room.wait(seconds=2)
    bob.unmute()
    room.wait(seconds=2)

    report = judged(alice)

    assert silences(report, "bob") == pytest.approx(2, abs=0.5)
    assert [True, False, True] == events(report, "sound", "bob")
    assert silences(report, "alice") < 0.3
    # Sound after the silence still lies with its picture.
    assert abs(report.participant("bob").av_offset_ms.median) < 200  # type: ignore[union-attr]


def test_many_toggles_of_the_microphone_leave_no_shift(
    room: Room, alice_and_bob: tuple[Participant, Participant]
) -> None:
    """What the guide advises against is proven harmless: ten toggles, own and remote, and sound stays with picture."""
    alice, bob = alice_and_bob
    for _ in range(10):
        bob.mute()
        alice.mute()
        room.wait(seconds=0.1)
        bob.unmute()
        alice.unmute()
        room.wait(seconds=0.25)
    room.wait(seconds=2)

    report = judged(alice)

    for name in ("alice", "bob"):
        assert abs(report.participant(name).av_offset_ms.median) < 200  # type: ignore[union-attr]
    assert report.media is not None
    assert report.media.audio is not None
    assert report.media.audio.duration == pytest.approx(report.media.duration, abs=0.2)


def test_a_camera_that_is_off_shows_the_card_and_comes_back(
    room: Room, alice_and_bob: tuple[Participant, Participant]
) -> None:
    """A card with the name stands where a frozen last frame would, for remote and own cameras."""
    alice, bob = alice_and_bob
    room.wait(seconds=1)
    for somebody in (alice, bob):
        somebody.turn_camera_off()
    room.wait(seconds=1.5)
    for somebody in (alice, bob):
        somebody.turn_camera_on()
    room.wait(seconds=1.5)

    report = judged(alice)

    for name in ("alice", "bob"):
        assert [True, False, True] == events(report, "picture", name)
        video = report.participant(name).video
        assert video is not None
        assert () == video.frozen


def test_a_replaced_device_goes_on_in_place(room: Room, alice_and_bob: tuple[Participant, Participant]) -> None:
    """Another microphone and camera take over, at the recorder's own side and at the other one."""
    alice, bob = alice_and_bob
    room.wait(seconds=1)
    for somebody in (alice, bob):
        somebody.replace_device("audio")
        somebody.replace_device("video")
    room.wait(seconds=2)

    report = judged(alice)

    assert report.media is not None
    for name in ("alice", "bob"):
        one = report.participant(name)
        assert one.present[-1][1] > report.media.duration - 0.5


def test_an_unplugged_device_leaves_silence_and_the_card(
    room: Room, alice_and_bob: tuple[Participant, Participant]
) -> None:
    """The recording goes on when devices end by themselves, and others come back in place."""
    alice, bob = alice_and_bob
    room.wait(seconds=1)
    for somebody in (alice, bob):
        somebody.unplug_device("audio")
        somebody.unplug_device("video")
    room.wait(seconds=1.5)
    for somebody in (alice, bob):
        somebody.replace_device("audio")
        somebody.replace_device("video")
    room.wait(seconds=1.5)

    report = judged(alice)

    for name in ("alice", "bob"):
        assert [True, False, True] == events(report, "sound", name)
        assert [True, False, True] == events(report, "picture", name)


def test_a_shared_screen_takes_the_cameras_place_and_gives_it_back(
    room: Room, alice_and_bob: tuple[Participant, Participant], read_back: Callable[[Path], Any]
) -> None:
    """The picture's size stays the same, and the participant is seen throughout."""
    alice, bob = alice_and_bob
    room.wait(seconds=1)
    bob.share_screen()
    alice.share_screen()
    room.wait(seconds=1.5)
    bob.stop_sharing_screen()
    alice.stop_sharing_screen()
    room.wait(seconds=1.5)

    report = judged(alice)

    assert {(640, 360)} == read_back(report.path).sizes


def test_a_camera_that_changes_its_resolution_leaves_the_recording_as_it_is(
    room: Room, alice_and_bob: tuple[Participant, Participant], read_back: Callable[[Path], Any]
) -> None:
    """Smaller, larger and odd pictures, own and remote, fill the same tile; the file's size stays the same."""
    alice, bob = alice_and_bob
    for size in ("width: 240, height: 136", "width: 1280, height: 720", "width: 426, height: 240"):
        for somebody in (alice, bob):
            somebody.page.evaluate(f"client.media.fit({{ {size}, frameRate: 15 }})")
        room.wait(seconds=0.8)

    report = judged(alice)

    assert {(640, 360)} == read_back(report.path).sizes


def test_somebody_who_leaves_and_comes_back_is_the_same_person(
    room: Room, alice_and_bob: tuple[Participant, Participant]
) -> None:
    """One name has one marker, and two stays in the file."""
    alice, bob = alice_and_bob
    room.wait(seconds=1)
    bob.leave()
    room.wait(seconds=1)
    room.join("bob")
    room.wait(seconds=2)

    report = judged(alice)

    assert ["alice", "bob"] == [one.name for one in report.participants]
    assert 2 == len(report.participant("bob").present)


def test_a_local_recording_stays_alone_whatever_others_do(room: Room) -> None:
    """People come, mute, unmute and go; none of them is ever in a 'local' file."""
    alice = room.join("alice")
    alice.start_media_recording(recorder="local", record_config=SMOOTH)
    bob = room.join("bob")
    bob.mute()
    bob.unmute()
    bob.share_screen()
    room.wait(seconds=2)
    bob.leave()
    room.wait(seconds=0.5)

    report = judged(alice)

    assert ["alice"] == [one.name for one in report.participants if one.present]


def test_a_paused_recording_leaves_the_pause_out(
    room: Room, alice_and_bob: tuple[Participant, Participant], read_back: Callable[[Path], Any]
) -> None:
    """One file, the pause cut out, every picture on its tick and sound and picture still together."""
    alice, _ = alice_and_bob
    for _ in range(2):
        room.wait(seconds=1.5)
        alice.pause_media_recording()
        assert "paused" == alice.get_media_recording().state
        room.wait(seconds=1.3)
        alice.resume_media_recording()
    room.wait(seconds=2)

    report = judged(alice)

    manifest = Manifest.read(report.path.with_suffix(".json"))
    tape = read_back(report.path)
    step = 1000 / 15
    assert report.media is not None
    assert report.media.duration == pytest.approx(5.5, abs=1)
    assert all(abs(gap - round(gap / step) * step) < 1 for gap in tape.gaps)
    assert manifest.ticks_missed == sum(round(gap / step) - 1 for gap in tape.gaps)
    for name in ("alice", "bob"):
        assert abs(report.participant(name).av_offset_ms.median) < 200  # type: ignore[union-attr]


def test_stop_while_paused_yields_what_came_before(room: Room) -> None:
    """Stop, start and download behave in a pause as while recording."""
    alice = room.join("alice")
    alice.start_media_recording(record_config=SMOOTH)
    room.wait(seconds=1)
    alice.pause_media_recording()
    room.wait(seconds=1)

    report = judged(alice)

    assert report.media is not None
    assert report.media.duration < 2.5


def test_a_speaker_layout_shows_one_large_above_a_strip(room: Room) -> None:
    """A shared screen stands large while it is shared; everybody is found in the file all the same."""
    alice, bob, _ = room.join_all("alice", "bob", "carol")
    config = RecordConfig(layout="speaker", names=False, record_video_quality="720p", record_video_frame=15)
    alice.start_media_recording(recorder="all", record_config=config)
    room.wait(seconds=1)
    bob.share_screen()
    room.wait(seconds=2)

    report = judged(alice)

    timeline = Manifest.read(report.path.with_suffix(".json")).timeline
    tiles = [event for event in timeline.events if event.event == "layout"][-1].tiles or ()
    assert {"bob": 1280} == {tile.participant: tile.width for tile in tiles if tile.height == 540}
