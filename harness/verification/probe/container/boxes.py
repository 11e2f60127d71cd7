"""Read the structure of MP4 and QuickTime files (boxes, ISO/IEC 14496-12)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from harness.verification.probe.container.structure import Structure, ends_too_late

if TYPE_CHECKING:
    from typing import BinaryIO

# The boxes with which a file can begin. QuickTime files may have no ftyp box.
BOXES: Final = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp"})
# A day-long recording in fragments of half a second has 350,000 boxes.
_MOST_BOXES: Final = 1_000_000
_AUDIO_BRANDS: Final = frozenset({b"M4A ", b"M4B "})
# The mvhd box is the first box in the moov box, or one of the first.
_FIRST_BOXES: Final = 16
_UNKNOWN_DURATIONS: Final = frozenset({0, (1 << 32) - 1, (1 << 64) - 1})


class _Box(NamedTuple):
    """The header of a box: its type, and where its body starts and ends."""

    kind: bytes
    body: int
    end: int


def read_boxes(file: BinaryIO, size: int) -> Structure:
    """Return the structure of an MP4 or QuickTime file of ``size`` bytes. Only the headers of boxes are read."""
    first: dict[bytes, _Box] = {}
    damage = second = None
    at = 0
    for _ in range(_MOST_BOXES):
        if at >= size:
            break
        box = _box(file, at, size)
        if box is None:
            damage = f"no box begins at byte {at}"
            break
        if at and box.kind in {b"ftyp", b"moov"} and (box.kind in first or (box.kind == b"ftyp" and b"moov" in first)):
            second = at
            break
        if box.end > size:
            damage = ends_too_late(f"{box.kind.decode('latin-1')} box", at, box.end, size)
        first.setdefault(box.kind, box)
        at = box.end
    fragmented = b"moof" in first
    if b"moov" not in first and not damage:
        damage = "the file has no moov box, which players need to play it"
    return Structure(
        container=_container(file, first.get(b"ftyp")),
        duration=None if fragmented or b"moov" not in first else _duration(file, first[b"moov"], size),
        indexed=not fragmented,
        damage=damage,
        second=second,
    )


def _box(file: BinaryIO, at: int, size: int) -> _Box | None:
    """Return the box at ``at``, or None if no valid box starts there."""
    file.seek(at)
    head = file.read(16)
    length, kind, start = int.from_bytes(head[:4]), head[4:8], at + 8
    if len(kind) < 4 or not all(0x20 <= one < 0x7F or one == 0xA9 for one in kind):  # noqa: PLR2004 (printable ASCII, ©)
        return None
    if length == 1:
        length, start = int.from_bytes(head[8:16]), at + 16
    elif length == 0:
        length = size - at
    return _Box(kind, start, at + length) if at + length >= start else None


def _container(file: BinaryIO, ftyp: _Box | None) -> str:
    if ftyp is None:
        return "mov"
    file.seek(ftyp.body)
    brand = file.read(4)
    if brand in _AUDIO_BRANDS:
        return "m4a"
    return "mov" if brand == b"qt  " else "mp4"


def _duration(file: BinaryIO, moov: _Box, size: int) -> float | None:
    """Return the duration in the movie header in seconds, or None if it is unknown."""
    at = moov.body
    for _ in range(_FIRST_BOXES):
        box = _box(file, at, size) if at < moov.end else None
        if box is None:
            break
        if box.kind == b"mvhd":
            file.seek(box.body)
            data = file.read(32)
            scale, ticks = (data[20:24], data[24:32]) if data[:1] == b"\x01" else (data[12:16], data[16:20])
            known = int.from_bytes(scale) and int.from_bytes(ticks) not in _UNKNOWN_DURATIONS
            return int.from_bytes(ticks) / int.from_bytes(scale) if known else None
        at = box.end
    return None
