"""Read the structure of WebM and Matroska files (EBML, RFC 8794; Matroska, RFC 9559)."""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from harness.verification.probe.container.structure import MOST_ELEMENTS, Structure, ends_too_late

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

_HEADER: Final = 0x1A45DFA3
_DOC_TYPE: Final = 0x4282
_SEGMENT: Final = 0x18538067
_INFO: Final = 0x1549A966
_TIMESTAMP_SCALE: Final = 0x2AD7B1
_DURATION: Final = 0x4489
_CLUSTER: Final = 0x1F43B675
_TIMESTAMP: Final = 0xE7
_CUES: Final = 0x1C53BB6B
_CUE_POINT: Final = 0xBB
_CUE_TIME: Final = 0xB3
_CUE_TRACK_POSITIONS: Final = 0xB7
_CUE_CLUSTER_POSITION: Final = 0xF1
_SEEK_HEAD: Final = 0x114D9B74
_SEEK: Final = 0x4DBB
_SEEK_ID: Final = 0x53AB
_SEEK_POSITION: Final = 0x53AC
_VOID: Final = 0xEC
_NAMES: Final = {_HEADER: "EBML header", _SEGMENT: "Segment", _CLUSTER: "Cluster", _CUES: "Cues"}

_LARGEST_VALUE: Final = 64
# Only this many bytes of the Cues and the SeekHead are read. A day of video has 1 MB of Cues.
_LARGEST_INDEX: Final = 4 << 20
# The Timestamp is among the first elements of a Cluster.
_FIRST_ELEMENTS: Final = 4
# A block's time is a signed 16-bit number of ticks, relative to its Cluster.
_LONGEST_CLUSTER: Final = 1 << 15
# Tracks are interleaved, so a Cluster may begin a little later than the frame that a cue point refers to.
_INTERLEAVING: Final = 1.0


@dataclass(frozen=True)
class _Element:
    """The header of an element: its identifier, and where its body starts and ends (None if unknown)."""

    id: int
    body: int
    end: int | None


@dataclass
class _Walk:
    """What has been found in the file so far.

    ``clusters`` and ``times`` hold the position and the Timestamp of each Cluster. ``index`` holds the cue points,
    ``cues`` the position of the Cues, and ``announced`` the position that the SeekHead states for the Cues.
    """

    values: dict[int, bytes] = field(default_factory=dict)
    seek_head: bool = False
    segment: _Element | None = None
    index: list[tuple[int, int]] = field(default_factory=list)
    cues: int | None = None
    announced: int | None = None
    clusters: array[int] = field(default_factory=lambda: array("Q"))
    times: array[int] = field(default_factory=lambda: array("Q"))
    damage: str | None = None
    second: int | None = None


def read_ebml(file: BinaryIO, size: int) -> Structure:
    """Return the structure of a WebM or Matroska file of ``size`` bytes.

    Only the headers of elements, the times of clusters and the index are read.
    """
    walk = _Walk()
    at = 0
    for _ in range(MOST_ELEMENTS):
        if at >= size:
            break
        element = _element(file, at)
        if at and element and (element.id == _HEADER or (element.id == _SEGMENT and walk.segment)):
            walk.second = at
            break
        if _follows(walk.segment, at) and (element is None or element.id != _VOID):
            walk.damage = walk.damage or f"{size - at} bytes follow the end of the Segment"
            break
        if element is None:
            walk.damage = walk.damage or f"no element begins at byte {at}"
            break
        if element.end is not None and element.end > size and not walk.damage:
            walk.damage = ends_too_late(_NAMES.get(element.id, "element"), at, element.end, size)
        walk.seek_head |= element.id == _SEEK_HEAD
        at = _visit(file, walk, at, element)
    return Structure(
        container=walk.values.get(_DOC_TYPE, b"").split(b"\0")[0].decode("ascii", "replace") or "unknown",
        duration=_duration(walk.values),
        indexed=True,
        damage=walk.damage,
        second=walk.second,
        wrong_index=_wrong_index(walk),
        cues=walk.cues is not None,
        seek_head=walk.seek_head,
    )


def _follows(segment: _Element | None, at: int) -> bool:
    return segment is not None and segment.end is not None and at >= segment.end


def _visit(file: BinaryIO, walk: _Walk, at: int, element: _Element) -> int:
    """Note what an element contains, and return the position of the next element to visit."""
    if element.id == _SEGMENT:
        walk.segment = element
    elif element.id == _CLUSTER:
        walk.clusters.append(at)
        walk.times.append(_timestamp(file, element))
    elif element.id in {_DOC_TYPE, _TIMESTAMP_SCALE, _DURATION} and element.end is not None:
        file.seek(element.body)
        walk.values.setdefault(element.id, file.read(min(_LARGEST_VALUE, element.end - element.body)))
    elif element.id == _CUES and walk.cues is None:
        walk.cues = at
        walk.index = [*_cue_points(_body(file, element))]
    elif element.id == _SEEK_HEAD and walk.announced is None:
        walk.announced = _cues_position(_body(file, element))
    # Chrome fact 9 (tests/expectations): if MediaRecorder uses a timeslice, clusters have an unknown size and can't be
    # skipped.
    if element.id in {_HEADER, _SEGMENT, _INFO} or element.end is None:
        return element.body
    return element.end


def _element(file: BinaryIO, at: int) -> _Element | None:
    """Return the header of the element at ``at``, or None if no valid element starts there."""
    file.seek(at)
    return _parsed(file.read(12), at)


def _parsed(head: bytes, at: int) -> _Element | None:
    """Return the header of the element that starts with the bytes ``head`` at the position ``at``."""
    id_length = _length(head, 4)
    if not id_length:
        return None
    size_length = _length(head[id_length:], 8)
    if not size_length:
        return None
    body = at + id_length + size_length
    bits = 7 * size_length
    size = int.from_bytes(head[id_length : id_length + size_length]) & ((1 << bits) - 1)
    unknown = size == (1 << bits) - 1
    return _Element(id=int.from_bytes(head[:id_length]), body=body, end=None if unknown else body + size)


def _length(data: bytes, longest: int) -> int:
    """Return the size in bytes of the variable-length number at the start of ``data``, or 0 if it is not valid."""
    length = 9 - data[0].bit_length() if data else 0
    return length if length <= min(longest, len(data)) else 0


def _duration(values: dict[int, bytes]) -> float | None:
    """Return the value of the Duration element in seconds, or None if the element is missing or invalid."""
    raw = values.get(_DURATION, b"")
    formats = {4: ">f", 8: ">d"}
    if len(raw) not in formats:
        return None
    (ticks,) = struct.unpack(formats[len(raw)], raw)
    seconds = float(ticks) * _scale(values)
    return seconds if 0 < seconds < float("inf") else None


def _scale(values: dict[int, bytes]) -> float:
    """Return the length of a tick in seconds."""
    return (int.from_bytes(values.get(_TIMESTAMP_SCALE, b"")) or 1_000_000) / 1e9


def _timestamp(file: BinaryIO, cluster: _Element) -> int:
    """Return the Timestamp of a Cluster in ticks, or 0 if it has none."""
    at = cluster.body
    for _ in range(_FIRST_ELEMENTS):
        element = _element(file, at)
        if element is None or element.end is None:
            break
        if element.id == _TIMESTAMP:
            file.seek(element.body)
            return int.from_bytes(file.read(min(8, element.end - element.body)))
        at = element.end
    return 0


def _body(file: BinaryIO, element: _Element) -> bytes:
    file.seek(element.body)
    return file.read(min(_LARGEST_INDEX, element.end - element.body)) if element.end is not None else b""


def _children(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the identifier and the body of each element in ``data``."""
    at = 0
    while (element := _parsed(data[at : at + 12], at)) is not None and element.end is not None:
        yield element.id, data[element.body : element.end]
        at = element.end


def _cue_points(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the time in ticks and the position of the Cluster, relative to the Segment, of each cue point."""
    for identifier, point in _children(data):
        if identifier != _CUE_POINT:
            continue
        values = [*_children(point)]
        time = next((int.from_bytes(value[:8]) for one, value in values if one == _CUE_TIME), 0)
        for one, positions in values:
            if one == _CUE_TRACK_POSITIONS:
                for name, value in _children(positions):
                    if name == _CUE_CLUSTER_POSITION:
                        yield time, int.from_bytes(value[:8])


def _cues_position(data: bytes) -> int | None:
    """Return the position of the Cues, relative to the Segment, that a SeekHead states, or None if it states none."""
    for identifier, seek in _children(data):
        values = dict(_children(seek)) if identifier == _SEEK else {}
        if int.from_bytes(values.get(_SEEK_ID, b"")[:4]) == _CUES:
            return int.from_bytes(values.get(_SEEK_POSITION, b"")[:8])
    return None


def _wrong_index(walk: _Walk) -> str | None:
    """Return what is wrong with the Cues or with the SeekHead's position of the Cues, or None."""
    if walk.cues is None or walk.segment is None:
        return None
    wrong = [at for time, at in walk.index if not _leads_to_its_cluster(walk, time, walk.segment.body + at)]
    if wrong:
        where = walk.segment.body + wrong[0]
        return f"{len(wrong)} of {len(walk.index)} Cues point to the wrong place, the first one to byte {where}"
    if not walk.index:
        return "the Cues contain no position of a Cluster"
    if walk.announced is not None and walk.segment.body + walk.announced != walk.cues:
        return f"the SeekHead states that the Cues begin at byte {walk.segment.body + walk.announced}, but they do not"
    return None


def _leads_to_its_cluster(walk: _Walk, time: int, at: int) -> bool:
    """Return whether a Cluster begins at ``at`` and contains the given time in ticks."""
    number = bisect_left(walk.clusters, at)
    if number == len(walk.clusters) or walk.clusters[number] != at:
        return False
    slack = _INTERLEAVING / _scale(walk.values)
    start = walk.times[number]
    after = walk.times[number + 1] if number + 1 < len(walk.times) else start + _LONGEST_CLUSTER
    return start - slack <= time <= min(max(after, start), start + _LONGEST_CLUSTER) + slack
