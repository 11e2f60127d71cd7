"""Define what a playlist contains: its renditions, each with its segments, which become the sources of a call."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from harness.verification.playlists.local_folder import refusal
from harness.verification.sources import LostSegment, PlaylistClock, Source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.verification.sources import Piece
    from harness.verification.values.findings import Finding

# Maximum size of a playlist in bytes, and maximum number of segments of a rendition. A day of segments of one second
# has 86,400 segments, and takes 4 MB.
LARGEST_PLAYLIST: Final = 8_000_000
MOST_SEGMENTS: Final = 100_000
# Maximum number of runs, because each run is decoded on its own.
_MOST_RUNS: Final = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """A segment that a playlist lists. ``at`` and ``duration`` are its time on the playlist's clock, in seconds.

    ``piece`` is None if the segment can't be read for the given ``reason``. ``new_run`` is true if the media's
    timestamps are not continuous with the segment before. ``origin`` is the media's timestamp, in seconds, at which the
    run begins. ``date`` is the segment's start in seconds since 1970, or None.
    """

    name: str
    at: float
    duration: float
    piece: Piece | None
    initialization: Piece | None
    reason: str = "does not exist"
    new_run: bool = False
    origin: float = 0.0
    date: float | None = None


@dataclass(frozen=True)
class Rendition:
    """A rendition: its ``label``, for example "audio" (empty if it is the only one), and its segments.

    ``exact`` is false if the playlist states the durations of the segments only in whole seconds.
    """

    label: str
    entries: tuple[Entry, ...]
    exact: bool = True


@dataclass(frozen=True)
class PlaylistContent:
    """The renditions of a playlist that are examined, and findings about the playlist itself."""

    path: Path
    renditions: tuple[Rendition, ...]
    notes: tuple[Finding, ...]

    def sources(self, number: int, name: str) -> Iterator[Source]:
        """Yield a source for each run of segments in each rendition.

        ``number`` is the playlist's number in the call, and ``name`` is the name that the report shows for it.
        """
        for rendition in self.renditions:
            runs = list(_runs(rendition.entries))
            if len(runs) > _MOST_RUNS:
                reason = f"has {len(runs)} discontinuities; playlists with up to {_MOST_RUNS} can be verified"
                raise refusal(self.path, reason)
            for index, run in enumerate(runs):
                parts = [rendition.label] if rendition.label else []
                parts += [f"part {index + 1}"] if len(runs) > 1 else []
                source = self._source(number, index, run, f"{name} ({', '.join(parts)})" if parts else name)
                yield source if rendition.exact else replace(source, duration=None)

    def _source(self, number: int, index: int, run: list[Entry], name: str) -> Source:
        present = [one for one in run if one.piece]
        first = present[0] if present else run[0]
        initialization = first.initialization
        pieces = [one.piece for one in present if one.piece]
        return Source(
            path=self.path,
            name=name,
            pieces=(initialization, *pieces) if initialization else tuple(pieces),
            initialization=initialization is not None,
            lost=tuple(
                LostSegment(one.name, (one.at, one.at + one.duration), one.reason) for one in run if not one.piece
            ),
            clock=PlaylistClock(playlist=number, run=index, at=first.at, origin=first.origin),
            duration=sum(one.duration for one in run) or None,
            started_at=first.date,
        )


def _runs(entries: tuple[Entry, ...]) -> Iterator[list[Entry]]:
    """Yield the entries of each run. A new initialization segment also begins a new run."""
    run: list[Entry] = []
    for one in entries:
        if run and (one.new_run or one.initialization != run[-1].initialization):
            yield run
            run = []
        run.append(one)
    if run:
        yield run


def check_count(count: int, path: Path) -> None:
    """Raise ConfigError if a rendition has too many segments."""
    if count > MOST_SEGMENTS:
        raise refusal(path, f"lists more than {MOST_SEGMENTS} segments; split the playlist")


def with_others(text: str, count: int) -> str:
    """Return a sentence that ends with the number of other items: ``count`` minus one."""
    return f"{text}, and {'another one was' if count == 2 else f'{count - 1} others were'} not."  # noqa: PLR2004
