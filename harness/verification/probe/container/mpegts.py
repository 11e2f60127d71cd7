"""Read the structure of MPEG transport streams (ISO/IEC 13818-1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from harness.verification.probe.container.structure import Structure

if TYPE_CHECKING:
    from typing import BinaryIO

    from numpy.typing import NDArray

_SYNC: Final = 0x47
_PACKET: Final = 188
# Sizes of a packet: plain, with a time stamp in front (M2TS), and with error correction at the end.
_SIZES: Final = (_PACKET, 192, 204)
# A stream that was cut at any byte may begin in the middle of a packet.
_LONGEST_START: Final = 204
_FEWEST: Final = 4
_BLOCK: Final = 32_768
# The clock is a 33-bit counter that runs at 90 kHz.
_CLOCK: Final = 1 << 33
_BACKWARD: Final = 9_000
# A recording begins with the tables that describe its programs.
_TABLES: Final = (0x00, 0x11)


class PacketLayout(NamedTuple):
    """The byte at which the first packet begins, and the size of a packet in bytes."""

    start: int
    size: int


def packet_layout(head: bytes) -> PacketLayout | None:
    """Return the layout of the packets if the bytes ``head`` are the start of a transport stream, or None."""
    for size in _SIZES:
        for start in range(_LONGEST_START):
            syncs = head[start::size]
            if len(syncs) >= _FEWEST and set(syncs) == {_SYNC}:
                return PacketLayout(start, size)
    return None


def read_mpegts(file: BinaryIO, size: int, layout: PacketLayout) -> Structure:
    """Return the structure of a transport stream of ``size`` bytes, in blocks of constant size."""
    clock, second, damage = _Clock(), None, None
    at = layout.start
    while at < size and second is None and damage is None:
        file.seek(at)
        data = file.read(layout.size * _BLOCK)
        packets = np.frombuffer(data, np.uint8)[: len(data) // layout.size * layout.size].reshape(-1, layout.size)
        lost = np.flatnonzero(packets[:, 0] != _SYNC)
        if lost.size:
            damage = f"no packet begins at byte {at + int(lost[0]) * layout.size}"
            packets = packets[: lost[0]]
        restart = clock.restart(packets)
        if restart is not None:
            # M2TS packets have four bytes in front of the sync byte.
            second, damage = at + restart * layout.size - (layout.size == 192) * 4, None  # noqa: PLR2004
        at += len(data)
    # M2TS and error correction add bytes around the 188 bytes of a packet.
    partial = (size - layout.start) % layout.size
    if second is None and damage is None and 0 < partial < _PACKET:
        damage = f"the last packet has {partial} of {layout.size} bytes"
    return Structure(container="mpegts", damage=damage, second=second)


class _Clock:
    """Follows the clock of the first program through a stream."""

    def __init__(self) -> None:
        self._program: int | None = None
        self._latest: int | None = None
        self._counters: dict[int, int] = {}

    def restart(self, packets: NDArray[np.uint8]) -> int | None:
        """Return the number of the packet at which the clock starts again at an earlier time, or None."""
        numbers = ((packets[:, 1] & 0x1F).astype(np.int64) << 8) | packets[:, 2]
        stamped = (packets[:, 3] & 0x20 > 0) & (packets[:, 4] > 6) & (packets[:, 5] & 0x10 > 0)  # noqa: PLR2004
        if self._program is None and stamped.any():
            self._program = int(numbers[stamped][0])
        at = np.flatnonzero(stamped & (numbers == self._program))
        if not at.size:
            return None
        fields = packets[at, 6:11].astype(np.int64)
        clock = (fields @ np.array([1 << 25, 1 << 17, 1 << 9, 2, 0])) | (fields[:, 4] >> 7)
        steps = np.diff(clock, prepend=clock[0] if self._latest is None else self._latest) % _CLOCK
        back = np.flatnonzero((steps > _CLOCK // 2) & (steps < _CLOCK - _BACKWARD))
        self._latest = int(clock[-1])
        if not back.size:
            self._remember(packets, numbers)
            return None
        jump = int(at[back[0]])
        after = int(at[back[0] - 1]) + 1 if back[0] else 0
        self._remember(packets[:after], numbers[:after])
        return self._first_table(packets, numbers, after, jump)

    def _remember(self, packets: NDArray[np.uint8], numbers: NDArray[np.int64]) -> None:
        """Note the latest continuity counter of each table."""
        for table in _TABLES:
            found = np.flatnonzero(numbers == table)
            if found.size:
                self._counters[table] = int(packets[found[-1], 3]) & 0x0F

    def _first_table(self, packets: NDArray[np.uint8], numbers: NDArray[np.int64], start: int, jump: int) -> int:
        """Return the number of the packet with which the new recording begins, at most ``jump``."""
        tables = [int(one) for one in np.flatnonzero(np.isin(numbers[start:jump], _TABLES)) + start]
        for one in tables:
            table = int(numbers[one])
            counter = int(packets[one, 3]) & 0x0F
            if table in self._counters and counter != (self._counters[table] + 1) % 16:
                return one
            self._counters[table] = counter
        return tables[0] if tables else jump
