"""Read the structure of WAV and AVI files (RIFF; RF64, EBU Tech 3306)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.verification.probe.container.structure import Structure, ends_too_late, find

if TYPE_CHECKING:
    from typing import BinaryIO

_UNKNOWN: Final = frozenset({0, 0xFFFFFFFF})
_MOST_CHUNKS: Final = 10_000
# Audio contains the bytes "RIFF" by chance only once in four billion bytes.
_MOST_CANDIDATES: Final = 100
# Format codes of the sample formats that have a constant byte rate: PCM, floating point, extensible.
_CONSTANT: Final = frozenset({1, 3, 0xFFFE})
_PCM_HEADER: Final = 16
# If the remaining bytes are fewer than a chunk's header has, they are padding.
_CHUNK_HEADER: Final = 8


def read_riff(file: BinaryIO, size: int) -> Structure | None:
    """Return the structure of a WAV or AVI file of ``size`` bytes, or None if it contains something else."""
    file.seek(0)
    head = file.read(12)
    container = {b"WAVE": "wav", b"AVI ": "avi"}.get(head[8:12])
    if container is None:
        return None
    chunks = _chunks(file, size)
    length = int.from_bytes(head[4:8], "little")
    if head.startswith(b"RF64") and b"ds64" in chunks:
        file.seek(chunks[b"ds64"][0])
        length = int.from_bytes(file.read(8), "little")
    damage = second = None
    end = _CHUNK_HEADER + length
    if length in _UNKNOWN:
        # The file was written to a pipe, so its header states no size, and another header may follow anywhere.
        second = _second(file, container, 1, size)
    elif end > size + 1:
        damage = ends_too_late("RIFF", 0, end, size)
    elif container == "wav" and size - end > _CHUNK_HEADER:
        second = _second(file, container, end, min(size, end + 14))
        damage = None if second or _is_chunk(file, end) else f"{size - end} bytes follow the end of the RIFF chunk"
    elif container == "avi":
        second = _second(file, container, end, size)
    return Structure(
        container=container,
        duration=_duration(file, chunks, size) if container == "wav" else None,
        indexed=container == "wav",
        damage=damage or _data_damage(chunks, size),
        second=second,
    )


def _chunks(file: BinaryIO, size: int) -> dict[bytes, tuple[int, int]]:
    """Return the start and the end of the body of the first chunk of each kind."""
    chunks: dict[bytes, tuple[int, int]] = {}
    at = 12
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        head = file.read(_CHUNK_HEADER)
        if at >= size or len(head) < _CHUNK_HEADER or head.startswith((b"RIFF", b"RF64")):
            break
        length = int.from_bytes(head[4:], "little")
        chunks.setdefault(head[:4], (at + _CHUNK_HEADER, at + _CHUNK_HEADER + length))
        if head[:4] == b"data" and length in _UNKNOWN:
            break
        # A chunk with an odd size is followed by a padding byte.
        at += _CHUNK_HEADER + length + length % 2
    return chunks


def _second(file: BinaryIO, container: str, start: int, end: int) -> int | None:
    """Return the offset, between two positions, at which another file of the same format begins, or None."""
    kind = {"wav": b"WAVE", "avi": b"AVI "}[container]
    at = start
    for _ in range(_MOST_CANDIDATES):
        found = find(file, b"RIFF", at, end)
        if found is None:
            break
        file.seek(found + 8)
        if file.read(4) == kind:
            return found
        at = found + 4
    return None


def _is_chunk(file: BinaryIO, at: int) -> bool:
    """Return whether the bytes at ``at`` start with a chunk's name or an ID3 tag, which some programs append."""
    file.seek(at + at % 2)
    return all(0x20 <= one < 0x7F for one in file.read(3))  # noqa: PLR2004 (printable ASCII)


def _data_damage(chunks: dict[bytes, tuple[int, int]], size: int) -> str | None:
    start, end = chunks.get(b"data", (0, 0))
    if end - start in _UNKNOWN or end <= size + 1:
        return None
    return ends_too_late("data chunk", start - _CHUNK_HEADER, end, size)


def _duration(file: BinaryIO, chunks: dict[bytes, tuple[int, int]], size: int) -> float | None:
    """Return the duration of the audio in seconds, or None if the header does not state it."""
    start, end = chunks.get(b"data", (0, 0))
    if b"fmt " not in chunks or end - start in _UNKNOWN or start > size:
        return None
    file.seek(chunks[b"fmt "][0])
    header = file.read(_PCM_HEADER)
    rate = int.from_bytes(header[8:12], "little")
    constant = int.from_bytes(header[:2], "little") in _CONSTANT
    return (end - start) / rate if constant and rate else None
