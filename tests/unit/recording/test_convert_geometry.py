"""Converted video looks like the recording in a ``<video>`` element: upright, with the same aspect ratio and colors."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from harness.recording.conversion.convert import convert
from harness.recording.conversion.video import Geometry
from tests.support.media.quadrants import frames_at, look_at, write_quadrants
from tests.support.media.tracks import AudioTrack, VideoTrack, write_tracks

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.parallel

SIZE = (96, 64)
ASPECT = Fraction(4, 3)
# How the quadrants look in a file that shows them with a rotation (clockwise, in degrees), mirrored or not.
TURNS = [
    (0, False, "RGBY"),
    (0, True, "GRYB"),
    (90, False, "BRYG"),
    (90, True, "RBGY"),
    (180, False, "YBGR"),
    (180, True, "BYRG"),
    (270, False, "GYRB"),
    (270, True, "YGBR"),
]


def geometry(path: Path) -> tuple[str, Geometry]:
    """Return the corners of a file's stored frames, and how these frames are to be shown."""
    corners = look_at(frames_at(path, [0.5])[0]).corners
    with av.open(str(path)) as media:
        stream = media.streams.video[0]
        return corners, Geometry.of(next(media.decode(stream)), stream)


@pytest.mark.parametrize(("rotation", "flip", "corners"), TURNS)
def test_turned_video_becomes_upright(tmp_path: Path, rotation: int, *, flip: bool, corners: str) -> None:
    """The frames are turned, and the shape of their pixels is kept, so all players show them as <video> does."""
    source = write_quadrants(tmp_path / "source.mp4", SIZE, rotation=rotation, flip=flip, pixel_aspect=ASPECT)
    warnings: list[str] = []

    path = convert(source, "mp4", tmp_path / "new.mp4", on_warning=warnings.append)

    width, height = SIZE if rotation in {0, 180} else SIZE[::-1]
    aspect = ASPECT if rotation in {0, 180} else 1 / ASPECT
    assert (corners, Geometry(width, height, aspect, ())) == geometry(path)
    assert [] == warnings


@pytest.mark.parametrize(("rotation", "flip"), [(rotation, flip) for rotation, flip, _ in TURNS if rotation or flip])
def test_copied_video_is_turned_by_the_player(tmp_path: Path, rotation: int, *, flip: bool) -> None:
    """A copy in Matroska has the same frames, and the same rotation and flip."""
    source = write_quadrants(tmp_path / "source.mp4", SIZE, rotation=rotation, flip=flip)
    warnings: list[str] = []

    path = convert(source, "mkv", on_warning=warnings.append)

    assert geometry(source) == geometry(path)
    assert [] == warnings


def test_aspect_ratio_that_a_copy_loses_is_reported(tmp_path: Path) -> None:
    """If a copy can't store the shape of the pixels, the warning names a format that can."""
    source = write_quadrants(tmp_path / "source.mp4", SIZE, rotation=0, pixel_aspect=ASPECT)
    warnings: list[str] = []

    convert(source, "mkv", on_warning=warnings.append)

    (one,) = warnings
    assert "aspect ratio" in one
    assert "--to mp4" in one


@pytest.mark.parametrize("size", [(65, 48), (64, 49), (65, 49)])
def test_odd_size_gets_one_row_and_column_twice(tmp_path: Path, size: tuple[int, int]) -> None:
    """H.264 needs even sizes; no black line appears at the edges."""
    source = write_tracks(tmp_path / "source.webm", VideoTrack(size=size))

    path = convert(source, "mp4")

    (before,), (after,) = (frames_at(one, [0.5]) for one in (source, path))
    assert (size[1] + size[1] % 2, size[0] + size[0] % 2, 3) == after.shape
    # The source's frames have one color.
    assert np.abs(after.astype(int) - before[0, 0]).max() < 20


def test_changing_frame_size_is_fitted_and_reported(tmp_path: Path) -> None:
    """Frames of a different shape are shown completely, with black borders; the warning states the time and sizes."""
    parts = [
        write_tracks(tmp_path / f"{number}.webm", VideoTrack(size=size))
        for number, size in enumerate([(64, 64), (128, 64)])
    ]
    source = tmp_path / "source.webm"
    with av.open(str(source), "w") as output:
        stream = None
        for number, part in enumerate(parts):
            with av.open(str(part)) as media:
                stream = stream or output.add_stream_from_template(media.streams.video[0], opaque=True)
                for packet in media.demux(video=0):
                    if packet.pts is not None:
                        packet.pts += 1000 * number
                        packet.dts, packet.stream = packet.pts, stream
                        output.mux(packet)
    warnings: list[str] = []

    path = convert(source, "mp4", on_warning=warnings.append)

    before, after = frames_at(path, [0.5, 1.5])
    assert (64, 64, 3) == before.shape == after.shape
    assert before[2, 32].max() > 100
    assert (after[2, 32].max() < 30, after[32, 32].max() > 100) == (True, True)
    (one,) = warnings
    assert "changes from 64x64 to 128x64 at 1.00 s" in one


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuvj420p", "yuv444p", "yuv420p10le", "gbrp"])
def test_colors_are_kept(tmp_path: Path, pix_fmt: str) -> None:
    """Converted frames have the same colors, whatever the pixel format, range or color space."""
    codec = "libx264rgb" if pix_fmt == "gbrp" else "libx264"
    source = write_tracks(
        tmp_path / "source.mkv",
        VideoTrack(codec=codec, pix_fmt="rgb24" if pix_fmt == "gbrp" else pix_fmt),
        AudioTrack(),
    )

    path = convert(source, "mp4")

    (before,), (after,) = (frames_at(one, [0.5]) for one in (source, path))
    assert np.abs(before[10, 10].astype(int) - after[10, 10]).max() <= 6
