"""Test that video with a rotation, a flip or non-square pixels is recorded as a ``<video>`` element shows it."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from harness import RecordConfig
from harness.recording.manifest import Manifest
from tests.support.media.quadrants import Seen, frames_at, look_at, write_quadrants

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from harness import Participant, Recording, Room
    from harness.recording.timeline import Tile
    from tests.support.servers.application_site import Site

CONFIG = RecordConfig(record_video_quality="360p", record_video_frame=15)


def tiles_of(recording: Recording) -> dict[str, Tile]:
    """Return the tiles in the last layout of a recording, by participant."""
    timeline = Manifest.read(recording.manifest).timeline
    layouts = [event.tiles for event in timeline.events if event.tiles]
    return {tile.participant: tile for tile in layouts[-1]}


def matches(expected: Seen, seen: Seen) -> bool:
    """Return whether two frames have the same corner colors and, except for rounding, the same aspect ratio."""
    return expected.corners == seen.corners and bool(expected.aspect == pytest.approx(seen.aspect, rel=0.04))


def record_senders_and(room: Room, recorder: Participant, *senders: Participant) -> tuple[Recording, list[Seen]]:
    """Record everybody with ``recorder``, while each sender records only themselves.

    Return the recording of everybody, and what the senders' own recordings look like.
    """
    for one in (*senders, recorder):
        one.start_media_recording(recorder="all" if one is recorder else "local", record_config=CONFIG)
    room.wait(seconds=3)
    for one in (*senders, recorder):
        one.stop_media_recording()
    own = [frames_at(one.download_media_recording().path, [2])[0] for one in senders]
    return recorder.download_media_recording(), [look_at(frame) for frame in own]


def write_turned(folder: Path) -> tuple[Path, Seen]:
    """Write a phone's video that is rotated by 90 degrees, and return what it looks like.

    Once rotated and converted to square pixels, the frames already have the recording's size, so they are recorded
    without another copy.
    """
    path = write_quadrants(folder / "turned.mp4", (270, 640), rotation=90, pixel_aspect=Fraction(4, 3))
    return path, Seen("BRYG", 640 / 360)


def write_mirrored(folder: Path) -> tuple[Path, Seen]:
    """Write a mirrored video, rotated by 270 degrees, in a pixel format that the page can rotate only by drawing."""
    path = write_quadrants(
        folder / "mirrored.mp4",
        (480, 360),
        rotation=270,
        flip=True,
        pixel_aspect=Fraction(4, 3),
        pix_fmt="yuv444p",
    )
    return path, Seen("YGBR", 360 / 640)


def test_a_phones_video_file_is_upright_for_the_sender_and_for_others(room: Room, tmp_path: Path) -> None:
    """Alice and Carol send rotated video files; Bob records everybody."""
    turned, alices = write_turned(tmp_path)
    mirrored, carols = write_mirrored(tmp_path)
    alice, carol = room.join("alice", media=turned), room.join("carol", media=mirrored)
    bob = room.join("bob")

    recording, own = record_senders_and(room, bob, alice, carol)

    tiles = tiles_of(recording)
    [frame] = frames_at(recording.path, [2])
    for name, expected, sender in (("alice", alices, own[0]), ("carol", carols, own[1])):
        seen = look_at(frame, tiles[name])
        assert matches(expected, seen), f"in Bob's recording, {name} looks like {seen}"
        assert matches(expected, sender), f"in the sender's recording, {name} looks like {sender}"


def test_a_phones_video_file_is_upright_in_other_applications(room: Room, site: Site, tmp_path: Path) -> None:
    """The application sends the video file as its camera."""
    turned, expected = write_turned(tmp_path)
    alice = room.enter("alice", media=turned, ignore_https_errors=True)
    bob = room.enter("bob", ignore_https_errors=True)
    for one in (alice, bob):
        one.page.goto(f"{site.url}/simple-peer.html")
    room.wait_for(lambda: len(bob.others) == 1, what="alice in bob's page")

    recording, [own] = record_senders_and(room, bob, alice)

    tiles = tiles_of(recording)
    [other] = tiles.keys() - {"bob"}
    seen = look_at(frames_at(recording.path, [2])[0], tiles[other])
    assert matches(expected, seen), f"in Bob's recording, Alice looks like {seen}"
    assert matches(expected, own), f"in Alice's own recording, she looks like {own}"


def shown_by(page: Page, video: str) -> Seen:
    """Return what a ``<video>`` element shows."""
    image: dict[str, Any] | None = page.evaluate("(id) => pixels(id)", video)
    if image is None:
        return Seen("", 0.0)
    return look_at(np.array(image["data"], np.uint8).reshape(image["height"], image["width"], 4)[:, :, :3])


def test_a_phone_that_is_turned_during_a_call_is_recorded_as_video_shows_it(room: Room, site: Site) -> None:
    """The sender's own tile is mirrored, but the received tile is not, because WebRTC does not transmit flips."""
    alice = room.enter("alice", ignore_https_errors=True)
    page = alice.page
    page.goto(f"{site.url}/turned.html")
    room.wait_for(lambda: alice.others, what="the remote video")
    wide, high = 320 / 180, 180 / 320
    # The orientation of the frames, what the sender's own <video> shows, and what the receiver's <video> shows.
    situations: list[tuple[dict[str, Any], Seen, Seen]] = [
        ({}, Seen("RGBY", wide), Seen("RGBY", wide)),
        ({"rotation": 90, "flip": True}, Seen("RBGY", high), Seen("BRYG", high)),
        ({"rotation": 180}, Seen("YBGR", wide), Seen("YBGR", wide)),
        ({"rotation": 270, "displayWidth": 180, "displayHeight": 180}, Seen("GYRB", 1), Seen("GYRB", 1)),
    ]

    def shows(video: str, expected: Seen) -> bool:
        return matches(expected, shown_by(page, video))

    alice.start_media_recording(recorder="all", record_config=CONFIG)
    times = []
    for orientation, own, remote in situations:
        page.evaluate("(orientation) => turn(orientation)", orientation)
        room.wait_for(partial(shows, "own", own), what=f"the sender's <video> with {orientation}")
        room.wait_for(partial(shows, "remote", remote), what=f"the receiver's <video> with {orientation}")
        # A frame is recorded a few tenths of a second after <video> shows it.
        room.wait(seconds=0.8)
        times.append(alice.get_media_recording().elapsed - 0.2)
    alice.stop_media_recording()

    recording = alice.download_media_recording()
    tiles = tiles_of(recording)
    [other] = tiles.keys() - {"alice"}
    for frame, (orientation, own, remote) in zip(frames_at(recording.path, times), situations, strict=True):
        for name, expected in (("alice", own), (other, remote)):
            seen = look_at(frame, tiles[name])
            assert matches(expected, seen), f"with {orientation}, {name} looks like {seen}"
