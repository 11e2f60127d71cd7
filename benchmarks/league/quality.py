"""Measure the PSNR of the synthetic video in a file, whose backdrop can be computed for every pixel."""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

import av
import numpy as np

from harness.verification.markers.backdrop import NAME_ROWS, backdrop, card
from harness.verification.markers.places import Place, all_grid_places
from harness.verification.markers.strip import StripSampler

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from harness import Report

# The part of the video between the strip and the name, which shows only the backdrop and the symbol's card. The edges
# are left out, because applications round the corners of tiles, and because scaling blurs the edges.
_TOP: Final = 1 / 9 + 0.03
_BOTTOM: Final = NAME_ROWS[0] - 0.01
_LEFT: Final = 0.06
_RIGHT: Final = 0.94
# The card and its surroundings are left out, because they are blurred too, and the symbol changes in every frame. This
# is the distance from the symbol's quiet zone, as a share of the video's height.
_CARD_MARGIN: Final = 0.03
# Number of frames from one measurement to the next.
_EVERY: Final = 10
_FULL_SCALE: Final = 255
# PSNR of a frame without any error, in dB.
_BEST: Final = 100.0
_FEWEST_PIXELS: Final = 200


class _Backdrop(NamedTuple):
    """The luma of the backdrop in a part of a place, and which of its pixels are compared."""

    luma: NDArray[np.float64]
    compared: NDArray[np.bool_]


def psnr(path: Path, report: Report, markers: Mapping[str, int]) -> float | None:
    """Return the median PSNR, in dB, of the luma of the participants' backdrops in a file.

    ``markers`` has each participant's marker. The places of the participants come from the report; if it has none, they
    are looked for in all usual grids. The result is None if no participant was found.
    """
    known = _reported_places(report, markers)
    backdrops: dict[tuple[int, Place], _Backdrop] = {}
    found = []
    try:
        with av.open(str(path), mode="r") as media:
            for number, frame in enumerate(media.decode(video=0)):
                if number % _EVERY:
                    continue
                luma = _luma(frame)
                for marker, place in _shown(luma, frame.time or 0.0, known, set(markers.values())):
                    key = (marker, place)
                    if key not in backdrops:
                        backdrops[key] = _expected(marker, place)
                    if np.count_nonzero(backdrops[key].compared) >= _FEWEST_PIXELS:
                        found.append(_psnr(_cut(luma, place), backdrops[key]))
    except (av.FFmpegError, IndexError):
        # A file that can't be decoded, or that has no video, has no quality.
        return None
    return round(median(found), 2) if found else None


def _luma(frame: av.VideoFrame) -> NDArray[np.uint8]:
    if not frame.format.name.startswith(("yuv420p", "yuvj420p", "gray", "nv12")):
        frame = frame.reformat(format="yuv420p")
    plane = frame.planes[0]
    rows = np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, plane.line_size)
    return rows[: frame.height, : frame.width]


def _reported_places(report: Report, markers: Mapping[str, int]) -> list[tuple[float, float, int, Place]]:
    """Return where the report found whole, upright videos: start and end in seconds, marker and place."""
    found = []
    for participant in report.participants:
        marker = marker_of(participant.name, markers)
        for one in getattr(participant, "places", ()):
            upright = one.turn == 0 and not one.mirrored
            if marker is not None and upright and one.visible_percent > 99:  # noqa: PLR2004 - nothing is cropped
                found.append((one.start, one.end, marker, Place(one.x, one.y, one.width, one.height)))
    return found


def marker_of(name: str, markers: Mapping[str, int]) -> int | None:
    """Return the marker of a participant in a report, whose name is ``marker N`` if the file has no manifest."""
    numbered = {f"marker {marker}": marker for marker in markers.values()}
    return markers.get(name, numbered.get(name))


def _shown(
    luma: NDArray[np.uint8], at: float, known: list[tuple[float, float, int, Place]], markers: set[int]
) -> Iterator[tuple[int, Place]]:
    """Yield the marker and the place of each participant in a frame."""
    if known:
        yield from ((marker, place) for start, end, marker, place in known if start <= at < end)
        return
    places = all_grid_places(luma.shape[1], luma.shape[0])
    seen = set()
    for place, marker in zip(places, StripSampler(places, luma).read(luma), strict=True):
        if marker and marker.full and marker.number in markers and marker.number not in seen:
            seen.add(marker.number)
            yield marker.number, place


def _window(place: Place) -> tuple[int, int, int, int]:
    """Return the rows and columns that are compared: first row, last row, first column, last column."""
    return (
        math.ceil(place.y + _TOP * place.height),
        math.floor(place.y + _BOTTOM * place.height),
        math.ceil(place.x + _LEFT * place.width),
        math.floor(place.x + _RIGHT * place.width),
    )


def _cut(luma: NDArray[np.uint8], place: Place) -> NDArray[np.float64]:
    top, bottom, left, right = _window(place)
    return luma[top:bottom, left:right].astype(np.float64)


def _expected(marker: int, place: Place) -> _Backdrop:
    """Return the backdrop in the compared part of a place, rounded as the synthetic camera rounds it."""
    top, bottom, left, right = _window(place)
    aspect = place.width / place.height
    x = (np.arange(left, right) + 0.5 - place.x) / place.width
    y = (np.arange(top, bottom) + 0.5 - place.y) / place.height
    across, down = np.meshgrid(x, y)
    square = card(aspect, _CARD_MARGIN)
    beside = (across < square.x) | (across > square.x + square.width)
    compared = beside | (down < square.y) | (down > square.y + square.height)
    return _Backdrop(np.floor(backdrop(marker, across, down, aspect)[0]), compared)


def _psnr(tile: NDArray[np.float64], expected: _Backdrop) -> float:
    if tile.shape != expected.luma.shape:
        return 0.0
    error = float(np.mean((tile - expected.luma)[expected.compared] ** 2))
    return _BEST if error == 0 else min(_BEST, 10 * math.log10(_FULL_SCALE**2 / error))
