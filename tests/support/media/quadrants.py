"""Write and read frames with four colored quadrants, which show how video was rotated, mirrored and stretched."""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import av
import numpy as np

from tests.support.media.streams import add_audio_stream, add_video_stream

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.recording.timeline import Tile

# The colors' initials are R, G, B and Y. An unrotated frame has them in this order: top left, top right, bottom left,
# bottom right.
_COLORS: Final = {"R": (255, 0, 0), "G": (0, 255, 0), "B": (0, 0, 255), "Y": (255, 255, 0)}
# The two-by-two matrices of MP4 track headers, by rotation (clockwise, in degrees) and flip.
_MATRICES: Final = {
    (0, False): (1, 0, 0, 1),
    (0, True): (-1, 0, 0, 1),
    (90, False): (0, 1, -1, 0),
    (90, True): (0, 1, 1, 0),
    (180, False): (-1, 0, 0, -1),
    (180, True): (1, 0, 0, -1),
    (270, False): (0, -1, 1, 0),
    (270, True): (0, -1, -1, 0),
}


class Seen(NamedTuple):
    """What a frame looks like: the colors of its corners in reading order, and its width divided by its height."""

    corners: str
    aspect: float


def write_quadrants(
    path: Path,
    size: tuple[int, int],
    *,
    rotation: int,
    flip: bool = False,
    pixel_aspect: Fraction = Fraction(1),
    pix_fmt: str = "yuv420p",
) -> Path:
    """Write an MP4 file with a display matrix, as phones do, and silent audio; return its path.

    ``size`` is the size of the stored frames in pixels. ``pixel_aspect`` is a pixel's width divided by its height.
    ``pix_fmt`` is FFmpeg's name for the pixel format.
    """
    width, height = size
    image = np.zeros((height, width, 3), np.uint8)
    for index, color in enumerate(_COLORS.values()):
        top, left = index // 2 * height // 2, index % 2 * width // 2
        image[top : top + height // 2, left : left + width // 2] = color
    with av.open(str(path), "w", format="mp4") as media:
        stream = add_video_stream(media, "libvpx-vp9", 30, size=size)
        stream.pix_fmt = pix_fmt
        stream.codec_context.sample_aspect_ratio = pixel_aspect
        stream.options = {"deadline": "realtime", "cpu-used": "8"}
        audio = add_audio_stream(media, "libopus", 48_000)
        for number in range(60):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pix_fmt)
            frame.pts, frame.time_base = number, Fraction(1, 30)
            media.mux(stream.encode(frame))
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 96_000), np.float32), format="flt", layout="mono")
        silence.sample_rate, silence.pts, silence.time_base = 48_000, 0, Fraction(1, 48_000)
        media.mux(audio.encode(silence))
        for one in (stream, audio):
            media.mux(one.encode(None))
    _set_matrix(path, _MATRICES[rotation, flip])
    return path


def _set_matrix(path: Path, matrix: tuple[int, int, int, int]) -> None:
    """Replace the matrix in the header of the file's first track. PyAV can't write a display matrix."""
    content = bytearray(path.read_bytes())
    # The matrix follows the box's type and ten fields of four bytes (ISO/IEC 14496-12, 8.3.2).
    start = content.index(b"tkhd") + 44
    a, b, c, d = (value << 16 for value in matrix)
    struct.pack_into(">9i", content, start, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)


def look_at(image: NDArray[np.uint8], tile: Tile | None = None) -> Seen:
    """Return what an RGB frame, or only a tile in the frame, looks like; dark borders are ignored."""
    if tile:
        image = image[tile.y : tile.y + tile.height, tile.x : tile.x + tile.width]
    # Labels contain bright text, but the text has no color.
    colored = image.max(axis=2).astype(int) - image.min(axis=2) > 100
    rows, columns = np.flatnonzero(colored.mean(axis=1) > 0.1), np.flatnonzero(colored.mean(axis=0) > 0.1)
    if not rows.size or not columns.size:
        return Seen("", 0.0)
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    corners = (
        image[round(top + y * (bottom - top)), round(left + x * (right - left))]
        for y in (0.25, 0.75)
        for x in (0.25, 0.75)
    )
    return Seen("".join(_initial(color) for color in corners), (right - left) / (bottom - top))


def _initial(color: NDArray[np.uint8]) -> str:
    """Return the initial of the most similar color."""
    return min(_COLORS, key=lambda initial: float(np.abs(np.subtract(_COLORS[initial], color, dtype=float)).sum()))


def frames_at(path: Path, times: Iterable[float]) -> list[NDArray[np.uint8]]:
    """Return the frames that a file shows at the given times (in seconds, ascending), as RGB."""
    due = list(times)
    shown: list[NDArray[Any]] = []
    with av.open(str(path)) as media:
        for frame in media.decode(video=0):
            while len(shown) < len(due) and frame.time is not None and frame.time >= due[len(shown)]:
                shown.append(frame.to_ndarray(format="rgb24"))
    assert len(shown) == len(due), f"{path.name} ends before {due[len(shown)]} s"
    return shown
