"""Plan layouts of other recorders at random: who is shown where and when, and how the file is encoded."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.verification.markers.places import Place
from harness.verification.markers.symbol import MODULES, symbol_square

if TYPE_CHECKING:
    from collections.abc import Sequence

Box = tuple[int, int, int, int]
Crop = tuple[float, float, float, float]

SECONDS: Final = 3.5
SIZES: Final = ((640, 360), (854, 480), (960, 540), (1280, 720), (1920, 1080))
CODECS: Final = ("libx264", "libvpx", "libvpx-vp9")
_SMALLEST: Final = 0.15
_WIDE: Final = 16 / 9
# A video is not cropped if this share of it or more would be hidden.
_MOST_HIDDEN: Final = 0.45
_NOTHING: Final = (0.0, 0.0, 0.0, 0.0)
# No change of the layout happens closer than this many seconds to the start or the end of the file.
_SETTLED: Final = 1.2


@dataclass(frozen=True, kw_only=True)
class Sender:
    """A participant of the call: the marker, the counter at the start of the file, and the sender's frame rate.

    ``delay`` is the planted A/V offset in seconds: how late the audio is. ``present`` is the time in seconds in which
    the participant is in the call. ``size`` is the size in pixels of the sent video.
    """

    marker: int
    counter: float
    frame_rate: int
    delay: float
    present: tuple[float, float] = (0.0, SECONDS)
    size: tuple[int, int] = (640, 360)


@dataclass(frozen=True, kw_only=True)
class Appearance:
    """One participant in one place for some time.

    ``box`` is the visible part in the frame: x, y, width and height in pixels. ``crop`` states which shares of the
    whole video are hidden on the left, at the top, on the right and at the bottom, after the video was mirrored and
    turned. ``label`` is a corner in which a name covers the video, or "". ``radius`` and ``border`` are in pixels.
    ``size`` is the size of the sent video; recorders often receive a smaller one for a small tile.
    """

    marker: int
    box: Box
    start: float = 0.0
    end: float = SECONDS
    crop: Crop = _NOTHING
    turn: int = 0
    mirrored: bool = False
    border: int = 0
    radius: int = 0
    label: str = ""
    size: tuple[int, int] = (640, 360)

    @property
    def whole(self) -> tuple[float, float, float, float]:
        """The place of the whole video, including its hidden parts: x, y, width and height in pixels."""
        x, y, width, height = self.box
        left, top, right, bottom = self.crop
        wide, high = width / (1 - left - right), height / (1 - top - bottom)
        return x - left * wide, y - top * high, wide, high

    @property
    def label_box(self) -> Box | None:
        """The label with the name, which covers a part of the video."""
        if not self.label:
            return None
        x, y, width, height = self.box
        high = max(12, min(28, height // 9))
        wide = min(width, int(4.5 * high)) if self.label != "bottom" else width
        return x, (y if self.label.startswith("top") else y + height - high), wide, high

    @property
    def without_label(self) -> Box:
        """The visible part without the lines of pixels that the label covers."""
        x, y, width, height = self.box
        high = self.label_box[3] if self.label_box else 0
        return x, (y + high if self.label.startswith("top") else y), width, height - high

    def part(self, left: float, top: float, right: float, bottom: float) -> Box:
        """Return where a part of the video is in the frame. Its edges are fractions of the video."""
        x, y, width, height = self.whole
        across, down = np.array([left, right]), np.array([top, bottom])
        columns, lines = Place(x, y, width, height, self.turn, self.mirrored).pixels(across, down)
        first, above = int(columns.min()), int(lines.min())
        return first, above, math.ceil(columns.max()) - first, math.ceil(lines.max()) - above

    @property
    def module(self) -> float:
        """The size of the symbol's modules in pixels: the smaller one of width and height."""
        _, _, width, height = self.whole
        if self.turn % 2:
            width, height = height, width
        return min(height, width * self.size[1] / self.size[0]) / 40

    @property
    def stretch(self) -> float:
        """By how much the video is too wide; 1 if its aspect ratio is right."""
        _, _, width, height = self.whole
        if self.turn % 2:
            width, height = height, width
        return width / height * self.size[1] / self.size[0]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A file that another recorder could have written, with the truth about its content."""

    seed: int
    kind: str
    size: tuple[int, int]
    frame_rate: int
    codec: str
    kbps: int
    background: str
    senders: tuple[Sender, ...]
    appearances: tuple[Appearance, ...]
    seconds: float = SECONDS

    @property
    def ticks(self) -> int:
        """The number of frames."""
        return round(self.seconds * self.frame_rate)

    def is_readable(self, one: Appearance) -> bool:
        """Return whether the symbol or the strip of an appearance is completely visible."""
        square = symbol_square(one.size[0] / one.size[1])
        quiet = square.width / MODULES, square.height / MODULES
        symbol = one.part(
            square.x - quiet[0],
            square.y - quiet[1],
            square.x + square.width + quiet[0],
            square.y + square.height + quiet[1],
        )
        covers = [
            other.box
            for other in self.appearances
            if other.box[2] * other.box[3] < one.box[2] * one.box[3] and other.start < one.end and one.start < other.end
        ]
        covers += [one.label_box] if one.label_box else []
        return any(
            _inside(one.box, part) and not any(_overlap(cover, part, margin=0) for cover in covers)
            for part in (symbol, one.part(0, 0, 1, 1 / 9))
        )

    def is_small(self, one: Appearance) -> bool:
        """Return whether the video of an appearance is lower than the smallest tile.

        A whole video in a narrow tile is lower than the tile.
        """
        _, _, width, height = one.whole
        return round(min(height, width) if one.turn % 2 else height) < int(_SMALLEST * self.size[1])

    @property
    def bits_per_pixel(self) -> float:
        """The bitrate divided by the number of pixels per second."""
        return 1000 * self.kbps / (self.size[0] * self.size[1] * self.frame_rate)


def plan_layout(seed: int) -> Layout:
    """Return a random layout; the same seed always gives the same layout."""
    return _Planner(seed).plan()


@dataclass
class _Planner:
    seed: int
    random: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)
        self.size = SIZES[self.random.integers(len(SIZES))]

    def plan(self) -> Layout:
        kind = str(self.random.choice(["grid", "spotlight", "overlay", "free"]))
        number = {"grid": (1, 9), "spotlight": (2, 6), "overlay": (2, 3), "free": (1, 5)}[kind]
        count = int(self.random.integers(number[0], number[1] + 1))
        voices = self.random.permutation(16)[:count]
        markers = [int(voice + 16 * self.random.integers(8)) for voice in voices]
        style = self._style()
        shown = self._arranged(kind, markers, style)
        if count > 1 and self.random.random() < 0.6:
            markers, shown = self._changed(kind, markers, shown, style)
        seen = {one.marker for one in shown}
        senders = tuple(self._sender(marker, shown) for marker in markers if marker in seen)
        return Layout(
            seed=self.seed,
            kind=kind,
            size=self.size,
            frame_rate=int(self.random.choice([15, 30])),
            codec=str(self.random.choice(CODECS)),
            kbps=int(self.random.choice([300, 500, 700, 1000, 1500])),
            background=str(self.random.choice(["black", "gray", "light", "waves", "text"])),
            senders=senders,
            appearances=tuple(shown),
        )

    def _sender(self, marker: int, shown: Sequence[Appearance]) -> Sender:
        own = [one for one in shown if one.marker == marker]
        return Sender(
            marker=marker,
            counter=float(self.random.uniform(0, 200_000)),
            frame_rate=int(self.random.choice([15, 30], p=[0.25, 0.75])),
            delay=float(self.random.uniform(-0.3, 0.4)),
            present=(min(one.start for one in own), max(one.end for one in own)),
        )

    def _style(self) -> Appearance:
        """Return an appearance with the look that all tiles of a layout share."""
        return Appearance(
            marker=0,
            box=(0, 0, 0, 0),
            border=int(self.random.choice([0, 0, 1, 2, 4, 8])),
            radius=int(self.random.choice([0, 0, 4, 8, 16])),
            label=str(self.random.choice(["", "", "bottom left", "bottom left", "top left", "bottom"])),
        )

    def _arranged(self, kind: str, markers: Sequence[int], style: Appearance) -> list[Appearance]:
        arranged = {
            "grid": self._grid,
            "spotlight": self._spotlight,
            "overlay": self._overlay,
            "free": self._free,
        }[kind]
        looks = {marker: self._look(marker, style) for marker in markers}
        return [self._fitted(looks[marker], box) for marker, box in arranged(markers)]

    def _look(self, marker: int, style: Appearance) -> Appearance:
        """Return how a participant's video looks in each tile."""
        turn = int(self.random.choice([0, 1, 2, 3], p=[0.94, 0.025, 0.01, 0.025]))
        return replace(style, marker=marker, turn=turn, mirrored=bool(self.random.random() < 0.12))

    def _fitted(self, look: Appearance, box: Box) -> Appearance:
        """Return the appearance in a tile: fitted into it, cropped to it, or in few cases stretched to it."""
        x, y, width, height = box
        wide, high = (9, 16) if look.turn % 2 else (16, 9)
        how = self.random.choice(["contain", "cover", "stretch"], p=[0.5, 0.46, 0.04])
        crop = _NOTHING
        hidden = _hidden(box, wide / high)
        small = min(height, width / wide * high) < _SMALLEST * self.size[1]
        if hidden > _MOST_HIDDEN or (how == "contain" and not small):
            scale = min(width / wide, height / high)
            fitted = (2 * int(scale * wide / 2), 2 * int(scale * high / 2))
            x, y, width, height = x + (width - fitted[0]) // 2, y + (height - fitted[1]) // 2, *fitted
        elif how != "stretch":
            scale = max(width / wide, height / high)
            across, down = (1 - width / (scale * wide)) / 2, (1 - height / (scale * high)) / 2
            crop = (across, down, across, down)
        needed = max(width / (1 - 2 * crop[0]), height / (1 - 2 * crop[1]))
        sizes = ((320, 180), (640, 360), (1280, 720))
        usual = next((size for size in sizes if size[0] >= 0.7 * needed), sizes[-1])
        return replace(look, box=(x, y, width, height), crop=crop, size=usual)

    def _grid(self, markers: Sequence[int]) -> list[tuple[int, Box]]:
        wide, high = self.size
        columns = math.ceil(math.sqrt(len(markers)))
        rows = math.ceil(len(markers) / columns)
        gap = int(self.random.choice([0, 2, 8, 16]))
        shape = float(self.random.choice([_WIDE, 4 / 3, 1.0]))
        width = (wide - gap * (columns + 1)) // columns
        height = (high - gap * (rows + 1)) // rows
        if self.random.random() < 0.5:
            width, height = min(width, int(height * shape)), min(height, int(width / shape))
        found = []
        for index, marker in enumerate(markers):
            row, column = divmod(index, columns)
            in_row = min(columns, len(markers) - row * columns)
            left = (wide - in_row * width - (in_row - 1) * gap) // 2
            top = (high - rows * height - (rows - 1) * gap) // 2
            found.append((marker, (left + column * (width + gap), top + row * (height + gap), width, height)))
        return found

    def _spotlight(self, markers: Sequence[int]) -> list[tuple[int, Box]]:
        wide, high = self.size
        main, *others = markers
        thumbs = [main, *others] if self.random.random() < 0.5 else others
        height = int(high * max(_SMALLEST, min(self.random.uniform(_SMALLEST, 0.3), 0.98 / len(thumbs))))
        width = int(height * float(self.random.choice([_WIDE, _WIDE, 4 / 3, 1.0])))
        beside = bool(self.random.random() < 0.6)
        gap = int(self.random.choice([0, 2, 6]))
        if beside:
            fits = max(1, (high + gap) // (height + gap))
            top = (high - min(fits, len(thumbs)) * (height + gap) + gap) // 2
            boxes = [(wide - width, top + number * (height + gap), width, height) for number in range(fits)]
            large = (0, 0, wide - width - gap, high)
        else:
            fits = max(1, (wide + gap) // (width + gap))
            left = (wide - min(fits, len(thumbs)) * (width + gap) + gap) // 2
            boxes = [(left + number * (width + gap), high - height, width, height) for number in range(fits)]
            large = (0, 0, wide, high - height - gap)
        return [(main, large), *zip(thumbs, boxes, strict=False)]

    def _overlay(self, markers: Sequence[int]) -> list[tuple[int, Box]]:
        wide, high = self.size
        found: list[tuple[int, Box]] = [(markers[0], (0, 0, wide, high))]
        corners = self.random.permutation(4)
        for marker, corner in zip(markers[1:], corners, strict=False):
            # A larger overlay would cover the symbol of the large video.
            height = int(high * self.random.uniform(_SMALLEST, 0.26))
            width = min(int(height * float(self.random.choice([_WIDE, 4 / 3, 1.0]))), int(0.36 * wide))
            margin = int(0.02 * high)
            x = margin if corner % 2 else wide - margin - width
            y = margin if corner // 2 else high - margin - height
            found.append((marker, (x, y, width, height)))
        return found

    def _free(self, markers: Sequence[int]) -> list[tuple[int, Box]]:
        wide, high = self.size
        found: list[tuple[int, Box]] = []
        for marker in markers:
            for _ in range(50):
                height = int(high * self.random.uniform(_SMALLEST, 0.6))
                width = int(height * float(self.random.choice([_WIDE, 4 / 3, 1.0, 3 / 4])))
                x, y = int(self.random.integers(wide - width + 1)), int(self.random.integers(high - height + 1))
                box = (x, y, width, height)
                if not any(_overlap(box, other) for _, other in found):
                    found.append((marker, box))
                    break
        return found

    def _changed(
        self, kind: str, markers: Sequence[int], shown: Sequence[Appearance], style: Appearance
    ) -> tuple[list[int], list[Appearance]]:
        """Return the participants and appearances if something happens in the middle of the file."""
        at = round(float(self.random.uniform(_SETTLED, SECONDS - _SETTLED)), 2)
        what = self.random.choice(["join", "leave", "swap", "move"])
        seen = [marker for marker in markers if any(one.marker == marker for one in shown)]
        if what == "join":
            before = self._arranged(kind, seen[:-1], style) if kind == "grid" else _without(shown, seen[-1])
            return seen, _joined(before, shown, at)
        if what == "leave":
            after = self._arranged(kind, seen[:-1], style) if kind == "grid" else _without(shown, seen[-1])
            return seen, _joined(shown, after, at)
        if what == "swap":
            after = self._arranged(kind, [*seen[1:], seen[0]], style)
        else:
            after = self._arranged(str(self.random.choice(["grid", "spotlight", "free"])), seen, style)
        return seen, _joined(shown, after, at)


def _without(shown: Sequence[Appearance], marker: int) -> list[Appearance]:
    return [one for one in shown if one.marker != marker]


def _joined(before: Sequence[Appearance], after: Sequence[Appearance], at: float) -> list[Appearance]:
    """Return the appearances before and after a time; those that are the same in both continue."""
    same = [one for one in before if one in after]
    return [
        *(replace(one, end=at) for one in before if one not in same),
        *same,
        *(replace(one, start=at) for one in after if one not in same),
    ]


def _hidden(box: Box, aspect: float) -> float:
    """Return the share of a video with this aspect ratio that is hidden if the video covers a tile."""
    _, _, width, height = box
    shown = width / height
    return 1 - min(shown / aspect, aspect / shown)


def _overlap(one: Box, other: Box, *, margin: int = 4) -> bool:
    across = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    down = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    return across > -margin and down > -margin


def _inside(one: Box, part: Box) -> bool:
    """Return whether a part is completely inside a box, to within a pixel."""
    return (
        part[0] >= one[0] - 1
        and part[1] >= one[1] - 1
        and part[0] + part[2] <= one[0] + one[2] + 1
        and part[1] + part[3] <= one[1] + one[3] + 1
    )
