"""Define the sources of a call: each source is a file, or the segments of one rendition that a playlist lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from harness.recording.timeline import Interval


@dataclass(frozen=True, slots=True)
class Piece:
    """A file, or the ``length`` bytes from byte ``start`` on; a length of None means the rest of the file."""

    path: Path
    start: int = 0
    length: int | None = None

    @property
    def size(self) -> int:
        """The number of bytes that exist. Raises OSError if the file does not exist."""
        available = max(0, self.path.stat().st_size - self.start)
        return available if self.length is None else min(available, self.length)


@dataclass(frozen=True, slots=True)
class LostSegment:
    """A segment that a playlist lists but that can't be read.

    ``at`` is its interval on the playlist's clock, in seconds. ``reason`` completes a sentence, for example "does not
    exist".
    """

    name: str
    at: Interval
    reason: str


@dataclass(frozen=True, kw_only=True)
class PlaylistClock:
    """The times of one run of segments on the clock of its playlist, in seconds.

    Media timestamps are continuous within a run. A new run begins at a discontinuity (HLS) or a new period (DASH). All
    renditions of a run share its media clock: the timestamps minus ``origin``, which may be different for each
    rendition. ``at`` is the time at which the first segment that exists begins.
    """

    playlist: int
    run: int
    at: float
    origin: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Source:
    """A stream of bytes with media: the file at ``path``, or the ``pieces`` that the playlist at ``path`` lists.

    ``name`` is the name that the report shows. ``initialization`` is true if the first piece is the initialization
    segment, which contains no media. ``lost`` are the segments that can't be read. ``duration`` is the total duration
    in seconds that the playlist states, or None. ``started_at`` is the time at which the source begins according to
    the playlist, in seconds since 1970, or None.
    """

    path: Path
    name: str
    manifest_path: Path | None = None
    pieces: tuple[Piece, ...] = ()
    initialization: bool = False
    lost: tuple[LostSegment, ...] = ()
    clock: PlaylistClock | None = None
    duration: float | None = None
    started_at: float | None = None

    @property
    def size(self) -> int:
        """The number of bytes. Raises OSError if a file does not exist."""
        return sum(piece.size for piece in self.pieces) if self.pieces else self.path.stat().st_size

    @property
    def segments(self) -> int:
        """The number of segments with media that exist, or 0 for a single file."""
        return len(self.pieces) - self.initialization
