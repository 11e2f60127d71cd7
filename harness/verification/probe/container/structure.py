"""Define Structure, which every reader of a container format returns, and helpers for searching in a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import BinaryIO

# Maximum number of elements, because a hostile file may consist of empty elements. An unfinished recording of eight
# hours contains 2.5 million elements.
MOST_ELEMENTS: Final = 5_000_000
_PIECE: Final = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Structure:
    """The structure of a media file.

    ``container`` is the format: ``webm``, ``matroska``, ``mp4``, ``m4a``, ``mov``, ``wav``, ``avi``, ``ogg``,
    ``mpegts``, ``flac`` or ``mp3``. ``duration`` is the duration in seconds that the file's header states, or None if
    it states none. ``indexed`` is true if the format has an index of positions, so that players can seek directly.

    ``damage`` describes the first place where the sizes in the file contradict its bytes, or is None. ``second`` is the
    byte at which another recording begins, or None if the file holds a single recording. The other values describe only
    the first recording. ``wrong_index`` describes what is wrong with the file's index, or is None.

    ``cues`` and ``seek_head`` are true if a WebM or Matroska file has these elements.
    """

    container: str
    duration: float | None = None
    indexed: bool = False
    damage: str | None = None
    second: int | None = None
    wrong_index: str | None = None
    cues: bool = False
    seek_head: bool = False

    @property
    def complete(self) -> bool:
        """Whether all sizes in the file match its bytes."""
        return self.damage is None

    @property
    def ebml(self) -> bool:
        """Whether the file is a WebM or Matroska file, which should have Duration and Cues."""
        return self.container in {"webm", "matroska"}


def ends_too_late(what: str, at: int, end: int, size: int) -> str:
    """Describe an element that ends after the end of the file. All numbers are in bytes."""
    return f"the {what} at byte {at} should end at byte {end}, but the file ends at byte {size}"


def find(file: BinaryIO, pattern: bytes, start: int, end: int) -> int | None:
    """Return the first byte of ``pattern`` between two positions in a file, or None. Memory use is constant."""
    at = start
    rest = b""
    while at < end:
        file.seek(at)
        piece = file.read(min(_PIECE, end - at))
        if not piece:
            return None
        found = (rest + piece).find(pattern)
        if found >= 0:
            return at - len(rest) + found
        rest = (rest + piece)[-(len(pattern) - 1) :]
        at += len(piece)
    return None
