"""Read the structure of Ogg files (RFC 3533)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.verification.probe.container.structure import MOST_ELEMENTS, Structure, ends_too_late

if TYPE_CHECKING:
    from typing import BinaryIO

_HEADER: Final = 27
_MOST_SEGMENTS: Final = 255
_FIRST_PAGE: Final = 2
_LAST_PAGE: Final = 4


def read_ogg(file: BinaryIO, size: int) -> Structure:
    """Return the structure of an Ogg file of ``size`` bytes. Only the headers of pages are read."""
    damage = second = None
    began = ended = False
    at = 0
    for _ in range(MOST_ELEMENTS):
        if at >= size:
            break
        file.seek(at)
        head = file.read(_HEADER + _MOST_SEGMENTS)
        if len(head) < _HEADER or not head.startswith(b"OggS"):
            damage = f"no page begins at byte {at}"
            break
        flags, segments = head[5], head[26]
        if flags & _FIRST_PAGE and began:
            # All streams of a recording begin before the first page with data.
            second = at
            break
        began |= not flags & _FIRST_PAGE
        ended |= bool(flags & _LAST_PAGE)
        end = at + _HEADER + segments + sum(head[_HEADER : _HEADER + segments])
        if end > size:
            damage = ends_too_late("page", at, end, size)
        at = end
    if not ended and not damage:
        damage = "the file has no page that is marked as the last one"
    return Structure(container="ogg", damage=damage, second=second)
