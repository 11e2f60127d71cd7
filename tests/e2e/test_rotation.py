"""Video with a rotation, a flip or pixels that are not square is recorded as ``<video>`` shows it."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from harness import RecordConfig
from harness.recording.manifest import Manifest
from tests.support.media.quadrants import Seen, frames_at, look_at, write_quadrants

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Page

    from harness import Recording, Room
    from harness.recording.timeline import Tile
    from tests.support.servers.application_site import Site

CONFIG = RecordConfig(record_video_quality="360p", record_video_frame=15)


def tiles_of(recording: Recording) -> dict[str, Tile]:
    """Return the tiles of a recording whose layout does not change, by participant."""
    timeline = Manifest.read(recording.manifest).timeline
    layouts = [event.tiles for event in timeline.events if event.tiles]
    return {tile.participant: tile for tile in layouts[-1]}


def test_a_phones_video_file_is_upright_for_the_sender_and_for_others(room: Room, tmp_path: Path) -> None:
    """The senders record only themselves, and bob records everybody."""
    turned = write_quadrants(tmp_path / "turned.mp4", (360, 640), rotation=90)
    stretched = write_quadrants(
        tmp_path / "stretched.mp4", (480, 360), rotation=270, flip=True, pixel_aspect=Fraction(4, 3)
    )
    # Turned, alice's frames have the recording's size, so her own recording contains them as they are.
    expected = {"alice": Seen("BRYG", 640 / 360), "carol": Seen("YGBR", 360 / 640)}
    alice = room.join("alice", media=turned)
    carol = room.join("carol", media=stretched)
    bob = room.join("bob")

    for one in (alice, carol, bob):
        one.start_media_recording(recorder="all" if one is bob else "local", record_config=CONFIG)
    room.wait(seconds=3)
    for one in (alice, carol, bob):
        one.stop_media_recording()

    everybody = bob.download_media_recording()
    tiles = tiles_of(everybody)
    [frame] = frames_at(everybody.path, [2])
    seen = {name: look_at(frame, tiles[name]) for name in expected}
    own = {
        one.name: look_at(frames_at(one.download_media_recording().path, [2])[0]) for one in (alice, carol)
    }
    for name, wanted in expected.items():
        assert matches(wanted, seen[name]), f"in bob's recording, {name} looks like {seen[name]}"
        assert matches(wanted, own[name]), f"in the sender's recording, {name} looks like {own[name]}"


def shown_by(page: Page, video: str) -> Seen:
    """Return what a ``<video>`` shows."""
    picture: dict[str, Any] | None = page.evaluate("(id) => pixels(id)", video)
    if picture is None:
        return Seen("", 0.0)
    return look_at(np.array(picture["data"], np.uint8).reshape(picture["height"], picture["width"], 4)[:, :, :3])


def test_a_phone_that_is_turned_during_a_call_is_recorded_as_video_shows_it(
    room: Room, new_context: Callable[..., BrowserContext], site: Site
) -> None:
    """The sender's tile has the flip. WebRTC transmits no flip, so the receiver's tile and ``<video>`` do not have it."""
    page = new_context(ignore_https_errors=True).new_page()
    alice = room.attach(page, "alice")
    page.goto(f"{site.url}/turned.html")
    room.wait_for(lambda: alice.others, what="the remote video")
    # The orientation of the frames, and what the sender's and the receiver's <video> show.
    wide, high = 320 / 180, 180 / 320
    situations: list[tuple[dict[str, Any], Seen, Seen]] = [
        ({}, Seen("RGBY", wide), Seen("RGBY", wide)),
        ({"rotation": 90, "flip": True}, Seen("RBGY", high), Seen("BRYG", high)),
        ({"rotation": 180}, Seen("YBGR", wide), Seen("YBGR", wide)),
        ({"rotation": 270, "displayWidth": 180, "displayHeight": 180}, Seen("GYRB", 1), Seen("GYRB", 1)),
    ]
    alice.start_media_recording(recorder="all", record_config=CONFIG)
    times = []
    for orientation, own, remote in situations:
        page.evaluate("(orientation) => turn(orientation)", orientation)
        for video, expected in (("own", own), ("remote", remote)):
            room.wait_for(
                lambda video=video, expected=expected: matches(expected, shown_by(page, video)), what=f"the {video} video"
            )
        room.wait(seconds=0.8)
        times.append(alice.get_media_recording().elapsed - 0.2)
    alice.stop_media_recording()

    recording = alice.download_media_recording()
    tiles = tiles_of(recording)
    assert 2 == len(tiles)
    [other] = tiles.keys() - {"alice"}
    for frame, (_, own, remote) in zip(frames_at(recording.path, times), situations, strict=True):
        for name, expected in (("alice", own), (other, remote)):
            seen = look_at(frame, tiles[name])
            assert matches(expected, seen), f"{name} looks like {seen}, not like {expected}"


def matches(expected: Seen, seen: Seen) -> bool:
    """Return whether two pictures have the same corners and, except for rounding, the same aspect ratio."""
    return expected.corners == seen.corners and expected.aspect == pytest.approx(seen.aspect, rel=0.04)
