"""Describe the layout of the video for reports: which participant was shown where, from when to when."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.verification.report.report import Report
    from harness.verification.values.models import ParticipantReport, ShownPlace

# Changes that are at most this many seconds apart count as one change.
_TOGETHER: Final = 0.25
# More layouts than this can't be distinguished in the timeline.
MOST_LAYOUTS: Final = 100
_MOST_LINES: Final = 20
# A place has about room for this many lines of text.
_LINES: Final = 5
_TURNS: Final = ("", "turned right", "upside down", "turned left")


@dataclass(frozen=True)
class DrawnPlace:
    """One participant's rectangle in a small image of the frame, in pixels. ``text`` describes the place in words."""

    name: str
    colour: int
    x: int
    y: int
    width: int
    height: int
    text: str

    @property
    def font_size(self) -> float:
        """The size of the name in pixels, so that it fits into the rectangle."""
        return max(1.0, min(self.height / _LINES, 1.6 * self.width / max(4, len(self.name))))


@dataclass(frozen=True)
class DrawnLayout:
    """A layout that did not change from ``start`` to ``end``, in seconds. Small places come after large ones."""

    start: float
    end: float
    places: tuple[DrawnPlace, ...]

    @property
    def text(self) -> str:
        """The layout in words."""
        return "; ".join(f"{one.name}: {one.text}" for one in self.places) or "nobody"


def layouts(participants: Sequence[ParticipantReport], duration: float) -> list[DrawnLayout]:
    """Return the layouts of a recording in their order, without intervals in which nobody is visible."""
    moments = _moments([place for one in participants for place in one.places], duration)
    found: list[DrawnLayout] = []
    for start, end in pairwise(moments):
        if len(found) > MOST_LAYOUTS:
            break
        middle = (start + end) / 2
        shown = [
            _drawn(one, number, place)
            for number, one in enumerate(participants)
            for place in one.places
            if place.start <= middle < place.end
        ]
        shown.sort(key=lambda one: -one.width * one.height)
        if shown and found and found[-1].end == start and found[-1].places == tuple(shown):
            found[-1] = DrawnLayout(found[-1].start, end, tuple(shown))
        elif shown:
            found.append(DrawnLayout(start, end, tuple(shown)))
    return found[:MOST_LAYOUTS]


def place_lines(report: Report) -> list[str]:
    """Return a line for each place where a participant was shown, for a file whose layout was not known before."""
    manifest = report.curves.manifest if report.curves else None
    if manifest and any(event.event == "layout" for event in manifest.timeline.events):
        return []
    lines = [
        f"{one.name}: {place.start:.1f} to {place.end:.1f} s, {_text(place)}"
        for one in report.participants
        for place in one.places
    ]
    more = len(lines) - _MOST_LINES
    return [*lines[:_MOST_LINES], f"and {more} more places"] if more > 1 else lines


def _moments(places: Iterable[ShownPlace], duration: float) -> list[float]:
    """Return the times at which the layout changes, including the start and the end of the file."""
    moments = [0.0]
    for at in sorted(at for place in places for at in (place.start, place.end)):
        if at - moments[-1] > _TOGETHER and duration - at > _TOGETHER:
            moments.append(at)
    return [*moments, duration]


def _drawn(one: ParticipantReport, number: int, place: ShownPlace) -> DrawnPlace:
    return DrawnPlace(one.name, number, place.x, place.y, place.width, place.height, _text(place))


def _text(place: ShownPlace) -> str:
    parts = [f"{place.width}x{place.height} at {place.x},{place.y}"]
    parts += [_TURNS[place.turn]] if place.turn else []
    parts += ["mirrored"] if place.mirrored else []
    parts += [f"{place.visible_percent:.0f} % visible"] if round(place.visible_percent) < 100 else []  # noqa: PLR2004
    parts += [] if place.main else ["thumbnail"]
    return ", ".join(parts)
