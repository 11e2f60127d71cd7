"""Measure which parts of a synthetic participant's video are visible, and not cropped or covered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from harness.recording.timeline import SCREEN_MARKER
from harness.verification.markers.backdrop import NAME_ROWS, backdrop
from harness.verification.markers.places import WHOLE, Area
from harness.verification.markers.strip import BRIGHT, COLUMNS, DARK, ROWS, encode_strip
from harness.verification.markers.symbol import MODULES, QUIET, symbol_square

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.verification.markers.places import Place
    from harness.verification.markers.strip import Marker
    from harness.verification.probe.tracks import Frame

# The whole video is divided into this many lines and columns of cells. The strip covers the first four lines.
LINES: Final = 36
COLUMNS_OF_CELLS: Final = 2 * COLUMNS
_STRIP_LINES: Final = LINES // 9
_SAMPLED_EVERY: Final = 0.2
_EARLY: Final = 0.01
# A cell is right if it differs from what the synthetic camera paints as the cells around the symbol do, which are
# usually visible. The difference may deviate by this many times their median deviation, but within these limits. The
# colors of a whole video can be wrong, for example because the recorder has interpreted them as BT.709.
_DEVIATIONS: Final = 6.0
_LUMA: Final = (7.0, 28.0)
_CHROMA: Final = (5.0, 14.0)
_CORE: Final = 0.3
# A cell is visible if it is right in this share of the samples. The moving face covers cells for a moment. Of the
# strip's cells, half are right by chance, but most of them change.
_RIGHT: Final = 0.4
_STRIP_RIGHT: Final = 0.8
# In a line of the strip that is visible, at least this share of the bright cells, and of the dark ones, is right. Only
# the columns in the middle are compared, because crops rarely hide them.
_BOTH_COLORS: Final = 0.3
_MIDDLE: Final = slice(COLUMNS_OF_CELLS // 4, 3 * COLUMNS_OF_CELLS // 4)
# A cell that is right in this many samples in a row is not covered all the time.
_IN_A_ROW: Final = 2
# A line or column is visible if this share of its cells is. Labels and overlays can cover a large part of it. In the
# lines of a hidden strip, about a quarter of the cells seem to be visible.
_LINE: Final = 0.25
_STRIP_LINE: Final = 0.45
# If both sides of a video are cropped, and one of them seems to be cropped by up to this many columns less, these
# columns probably show a similar video next to the cropped one. A side at which fewer than a few columns are hidden is
# not cropped, but blurred.
_SIMILAR: Final = 8
_CROPPED: Final = 3
# The aspect ratios to which most programs crop. The edges of the visible part are accurate to this many columns.
_USUAL_SHAPES: Final = (1.0, 4 / 3, 3 / 4)
_ACCURACY: Final = 1.25
# The lines and the columns are limited to each other a few times, because a crop in one direction lowers the shares in
# the other.
_PASSES: Final = 3
# The white card around the symbol is larger than its quiet zone by up to this share of the video's height. Scaling and
# codecs blur what is next to the card, and next to the strip, by up to this many pixels.
_CARD: Final = 0.02
_BLURRED_CARD: Final = 1.5
# The outermost cells are sampled at this share of their size from the edge. Cells that are smaller than this many
# pixels are blurred completely.
_INSIDE: Final = 0.75
_BLURRED_CELL: Final = 3.0
_BLURRED: Final = 5.0


class SeenCells:
    """The cells of the whole video that are visible: lines of columns."""

    def __init__(self, cells: NDArray[np.bool_]) -> None:
        # With sums over all cells before each cell, the sum of a rectangle needs only its corners.
        self._sums = np.pad(np.cumsum(np.cumsum(~cells, axis=0), axis=1), ((1, 0), (1, 0)))

    def contain(self, x: NDArray[np.float64], y: NDArray[np.float64], width: float, height: float) -> NDArray[np.bool_]:
        """Return for each rectangle whether all of its cells are visible.

        ``x`` and ``y`` are the middles of the rectangles. All values are fractions of the video's width and height.
        """
        lines, columns = self._sums.shape[0] - 1, self._sums.shape[1] - 1
        left, right = (np.floor((x - width / 2) * columns), np.ceil((x + width / 2) * columns))
        top, bottom = (np.floor((y - height / 2) * lines), np.ceil((y + height / 2) * lines))
        first, last = (np.clip(edge, 0, columns).astype(np.intp) for edge in (left, right))
        above, below = (np.clip(edge, 0, lines).astype(np.intp) for edge in (top, bottom))
        sums = self._sums
        return np.asarray(sums[below, last] - sums[above, last] - sums[below, first] + sums[above, first] == 0)


class Visibility:
    """Compares one participant's video at one place with what the synthetic camera paints, cell by cell."""

    def __init__(self, place: Place, number: int) -> None:
        self._place = place
        self._number = number
        self._samples = 0
        self._right = np.zeros((LINES, COLUMNS_OF_CELLS), np.int32)
        self._in_a_row = np.zeros_like(self._right)
        self._seen = np.zeros(self._right.shape, bool)
        self._shown: SeenCells | None = None
        self._next = -np.inf
        self._points: _Points | None = None
        self._known = True

    def on_marker(self, frame: Frame, marker: Marker) -> None:
        """Compare a frame in which the marker was read, unless the last comparison was less than 0.2 s ago."""
        if frame.at < self._next - _EARLY or not self._known:
            return
        if not marker.full:
            # Nothing is known about the video of another program.
            self._known = False
            return
        self._next = frame.at + _SAMPLED_EVERY
        if self._points is None:
            self._points = _Points(self._place, self._number, frame)
        right = self._points.compare(frame, marker)
        self._samples += 1
        self._right += right
        self._in_a_row = np.where(right, self._in_a_row + 1, 0)
        seen = self._seen | (self._in_a_row >= min(_IN_A_ROW, self._samples))
        if not np.array_equal(seen, self._seen):
            self._seen, self._shown = seen, None

    @property
    def seen(self) -> SeenCells | None:
        """The cells that were visible in a few samples in a row at least once; None if nothing is known about them."""
        if self._points is None or not self._known:
            return None
        if self._shown is None:
            unknown = self._points.unknown & self._inside(self._points.rectangle(self._seen))
            self._shown = SeenCells(self._seen | unknown)
        return self._shown

    @property
    def area(self) -> Area:
        """The visible part of the video, as fractions of its width and height."""
        if self._points is None or not self._known:
            return WHOLE
        lines, columns = self._points.rectangle(self._visible)
        return Area(
            columns.start / COLUMNS_OF_CELLS, lines.start / LINES, columns.stop / COLUMNS_OF_CELLS, lines.stop / LINES
        )

    @property
    def share(self) -> float:
        """The visible share of the video, from 0 to 1."""
        if self._points is None or not self._known:
            return 1.0
        inside = self._inside(self._points.rectangle(self._visible))
        return float(np.mean(np.where(self._points.unknown, inside, self._visible & inside)))

    @property
    def _visible(self) -> NDArray[np.bool_]:
        visible = self._right >= _RIGHT * max(1, self._samples)
        visible[:_STRIP_LINES] = self._right[:_STRIP_LINES] >= _STRIP_RIGHT * max(1, self._samples)
        return visible

    @staticmethod
    def _inside(rectangle: tuple[slice, slice]) -> NDArray[np.bool_]:
        inside = np.zeros((LINES, COLUMNS_OF_CELLS), bool)
        inside[rectangle] = True
        return inside


class _Points:
    """The points in the middle of each cell, and what the synthetic camera paints there."""

    def __init__(self, place: Place, number: int, frame: Frame) -> None:
        x, y = np.meshgrid(_middles(COLUMNS_OF_CELLS), _middles(LINES))
        # The aspect ratio of the whole video as it is shown.
        self._shape = place.aspect * place.stretch
        self._turned = place.turn % 2 == 1
        self._blurs_lines = min(place.height / LINES, place.width / COLUMNS_OF_CELLS) < _BLURRED_CELL
        self._luma = place.indices(x, y, frame.luma.shape)
        across, down = place.pixels(x, y)
        self._outside = (across < 0) | (across >= frame.width) | (down < 0) | (down >= frame.height)
        self._chroma: NDArray[np.intp] | None = None
        if frame.chroma:
            plane = frame.chroma[0]
            shrunk = (frame.chroma_across, round(frame.luma.shape[0] / plane.shape[0]))
            self._chroma = place.indices(x, y, plane.shape, shrunk)
        screens = (True,) if number >= SCREEN_MARKER else (False, True)
        self._painted = [backdrop(number, x, y, place.aspect, screen=screen).astype(np.float32) for screen in screens]
        square = symbol_square(place.aspect)
        quiet = (
            square.width * QUIET / MODULES + _CARD / place.aspect + _BLURRED_CARD / place.width,
            square.height * QUIET / MODULES + _CARD + _BLURRED_CARD / place.height,
        )
        card = (x > square.x - quiet[0]) & (x < square.x + square.width + quiet[0])
        card &= (y > square.y - quiet[1]) & (y < square.y + square.height + quiet[1])
        named = (y > NAME_ROWS[0]) & (y < NAME_ROWS[1])
        # Scaling and codecs blur what is next to the strip.
        blurred = (y > 1 / 9) & (y < 1 / 9 + max(1 / LINES, _BLURRED / place.height))
        self.unknown = (card | named | blurred) & ~self._outside
        # The symbol was read, so its card is visible.
        self._card = card & ~self._outside
        near = np.abs(x - 0.5) < square.width / 2 + _CORE / place.aspect
        self._core = near & (y > 1 / 9) & ~self.unknown & ~self._outside
        self._middle = int((square.y + square.height / 2) * LINES), COLUMNS_OF_CELLS // 2

    def rectangle(self, visible: NDArray[np.bool_]) -> tuple[slice, slice]:
        """Return the lines and columns around the symbol in which enough cells are visible."""
        known, visible = ~self.unknown | self._card, visible | self._card
        lines, columns = slice(0, LINES), slice(0, COLUMNS_OF_CELLS)
        least = np.where(np.arange(LINES) < _STRIP_LINES, _STRIP_LINE, _LINE)
        for _ in range(_PASSES):
            lines = self._run(_shares(visible[:, columns], known[:, columns], axis=1) >= least, self._middle[0])
            below = slice(max(lines.start, _STRIP_LINES), lines.stop)
            columns = self._run(_shares(visible[below], known[below], axis=0) >= _LINE, self._middle[1])
            columns = self._usual(lines, columns) or _symmetric(columns)
        return lines, columns

    def _usual(self, lines: slice, columns: slice) -> slice | None:
        """Return columns of which both sides are cropped alike, if the visible part then has a usual aspect ratio.

        A similar video next to the cropped one makes a side seem to be cropped less, and a label on it makes it seem to
        be cropped more. Labels are at the top or at the bottom of the frame, so they are on a side only if the video is
        turned; otherwise, they can hide the lowest lines.
        """
        left, right = columns.start, COLUMNS_OF_CELLS - columns.stop
        is_label = self._turned and min(left, right) < _CROPPED
        if abs(left - right) <= 1 or is_label:
            return None
        found: list[tuple[float, int]] = []
        for cropped in (side for side in (left, right) if 0 < side < COLUMNS_OF_CELLS // 2):
            count = COLUMNS_OF_CELLS - 2 * cropped
            for height in {lines.stop - lines.start, LINES - lines.start}:
                shape = self._shape * (count / COLUMNS_OF_CELLS) / (height / LINES)
                found += [(abs(shape / usual - 1) * count, cropped) for usual in _USUAL_SHAPES]
        deviation, cropped = min(found, default=(np.inf, 0))
        return slice(cropped, COLUMNS_OF_CELLS - cropped) if deviation <= _ACCURACY else None

    def _run(self, visible: NDArray[np.bool_], middle: int) -> slice:
        """Return the lines or columns around the middle one that are visible.

        In small videos, the outermost one does not count, because scaling and codecs blur it.
        """
        hidden = np.flatnonzero(~visible)
        before, after = hidden[hidden < middle], hidden[hidden > middle]
        start, stop = (int(before[-1]) + 1 if before.size else 0), (int(after[0]) if after.size else visible.size)
        if self._blurs_lines:
            return slice(0 if start == 1 else start, visible.size if stop == visible.size - 1 else stop)
        return slice(start, stop)

    def compare(self, frame: Frame, marker: Marker) -> NDArray[np.bool_]:
        """Return the cells that are as the synthetic camera paints them."""
        luma = frame.luma.reshape(-1).take(self._luma).astype(np.float32)
        chroma = None
        if frame.chroma and self._chroma is not None:
            chroma = [plane.reshape(-1).take(self._chroma).astype(np.float32) for plane in frame.chroma]
        below = [self._differences(luma, chroma, painted) for painted in self._painted]
        differences = min(below, key=lambda one: float(np.abs(one[:, self._core]).mean()))
        right = self._alike(differences[0], _LUMA)
        if chroma is not None:
            right &= self._alike(differences[1], _CHROMA) & self._alike(differences[2], _CHROMA)
        bits = np.repeat(np.repeat(encode_strip(marker).reshape(ROWS, COLUMNS), 2, axis=0), 2, axis=1)
        strip = (luma[:_STRIP_LINES] > (BRIGHT + DARK) / 2) == bits
        # A plain area instead of the strip has the right brightness in half of the cells.
        seen, bright = strip[:, _MIDDLE], bits[:, _MIDDLE]
        both = np.minimum(_shares(seen, bright, axis=1), _shares(seen, ~bright, axis=1))
        right[:_STRIP_LINES] = strip & (both >= _BOTH_COLORS)[:, None]
        return right & ~self._outside

    @staticmethod
    def _differences(
        luma: NDArray[np.float32], chroma: list[NDArray[np.float32]] | None, painted: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        planes = [luma, *chroma] if chroma is not None else [luma]
        return np.stack([plane - expected for plane, expected in zip(planes, painted, strict=False)])

    def _alike(self, difference: NDArray[np.float32], limits: tuple[float, float]) -> NDArray[np.bool_]:
        """Return the cells whose difference is like those of most cells around the symbol."""
        around = difference[self._core]
        usual = np.median(around)
        most = np.clip(_DEVIATIONS * np.median(np.abs(around - usual)), *limits)
        return np.asarray(np.abs(difference - usual) <= most)


def _middles(count: int) -> NDArray[np.float64]:
    """Return where lines or columns of cells are sampled: in the middle, and in the outermost ones a little inside it.

    Scaling and codecs blur the edge of the video.
    """
    middles = (np.arange(count) + 0.5) / count
    middles[[0, -1]] = _INSIDE / count, 1 - _INSIDE / count
    return middles


def _symmetric(columns: slice) -> slice:
    """Return the visible columns without those at a cropped side that probably belong to a similar video next to it.

    Nearly all programs crop both sides by the same number of pixels.
    """
    start, stop = columns.start, columns.stop
    left, right = start, COLUMNS_OF_CELLS - stop
    if min(left, right) >= _CROPPED and 1 < abs(left - right) <= _SIMILAR:
        return slice(max(left, right), COLUMNS_OF_CELLS - max(left, right))
    return columns


def _shares(visible: NDArray[np.bool_], known: NDArray[np.bool_], *, axis: int) -> NDArray[np.float64]:
    """Return the visible share of each line or column; lines and columns about which nothing is known are visible."""
    count = np.count_nonzero(known, axis=axis)
    return np.where(count, np.count_nonzero(visible & known, axis=axis) / np.maximum(count, 1), 1.0)
