"""The markers of synthetic participants in the picture: a strip of bright and dark cells that says who, which and when.

A synthetic picture is 16:9. Across its full width at its very top lies a strip of two rows of 32 cells, each as wide
as the picture's width/32 and as high as its height/18; row by row they are 64 bits, most significant first, a bright
cell 1 and a dark one 0:

    marker  8 | counter  18 | capture time 22 | CRC-16/CCITT-FALSE of the first 48 bits  16

The counter runs at 30 a second whatever the rate of the picture; the capture time is the room's clock in
milliseconds, modulo 2^22. ``web/src/media/synthetic.js`` writes what this module reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from harness.verification.markers.places import Place

ROWS: Final = 2
COLUMNS: Final = 32
BRIGHT: Final = 225
DARK: Final = 30
COUNTS_A_SECOND: Final = 30
COUNTER_BITS: Final = 18
CAPTURE_BITS: Final = 22

_FIELDS: Final = (8, COUNTER_BITS, CAPTURE_BITS, 16)
_DATA_BITS: Final = sum(_FIELDS[:3])
_BITS: Final = sum(_FIELDS)
# Bright and dark lie 195 apart when drawn; worn-out codecs halve that, plain walls and text stay far below.
_LEAST_CONTRAST: Final = 60.0


@dataclass(frozen=True, slots=True)
class Mark:
    """What one strip says: the participant's marker number, its counter, its capture time in milliseconds."""

    marker: int
    counter: int
    capture_ms: int


def strip(mark: Mark) -> NDArray[np.bool_]:
    """Return the 64 bits of a mark: what a synthetic picture shows at its top."""
    values = (mark.marker, mark.counter % (1 << COUNTER_BITS), mark.capture_ms % (1 << CAPTURE_BITS))
    data = [
        bool(value >> bit & 1) for value, size in zip(values, _FIELDS, strict=False) for bit in reversed(range(size))
    ]
    checksum = _crc(np.packbits(data).tobytes())
    return np.array(data + [bool(checksum >> bit & 1) for bit in reversed(range(16))])


def read(cells: NDArray[np.floating]) -> list[Mark | None]:
    """Return what each strip says, given the brightness of its cells (strips by 64); None where the sum is wrong."""
    low, high = cells.min(axis=1), cells.max(axis=1)
    bits = cells > ((low + high) / 2)[:, None]
    # The CRC of 48 bits is linear over two: that of nothing, and one fixed word more for each bit that is set.
    wrong = ((bits @ _CHECK) + _CHECK_OF_NOTHING) % 2
    valid = (high - low > _LEAST_CONTRAST) & ~wrong.any(axis=1)
    marks: list[Mark | None] = [None] * len(cells)
    for index in np.flatnonzero(valid):
        marker, counter, capture_ms = (int(value) for value in bits[index] @ _WEIGHTS)
        marks[index] = Mark(marker, counter, capture_ms)
    return marks


class Sampler:
    """Reads the strips at given places of pictures that share one form; made once, used for every picture."""

    def __init__(self, places: Sequence[Place], luma: NDArray[np.uint8]) -> None:
        height, stride = luma.shape
        offsets = np.array([-1, 0, 1])
        columns = (np.arange(COLUMNS) + 0.5) / COLUMNS
        rows = (np.arange(ROWS) + 0.5) / (9 * ROWS)
        indices = []
        for place in places:
            # The middle fifths of a cell, three by three points: its edges are blurred by scaling and coding.
            xs = place.x + columns[:, None] * place.width + offsets * place.width / COLUMNS / 5
            ys = place.y + rows[:, None] * place.height + offsets * place.height / (9 * ROWS) / 5
            x, y = np.clip(xs.astype(int), 0, stride - 1), np.clip(ys.astype(int), 0, height - 1)
            # Bits by points: row, column, then the points of one cell.
            points = y[:, None, :, None] * stride + x[None, :, None, :]
            indices.append(points.reshape(_BITS, -1))
        self._indices = np.array(indices, dtype=np.intp).reshape(len(places), _BITS, -1)

    def marks(self, luma: NDArray[np.uint8]) -> list[Mark | None]:
        """Return what the strip at each place says, None where there is none."""
        return read(luma.reshape(-1).take(self._indices).mean(axis=2, dtype=np.float32)) if self._indices.size else []


def _crc(data: bytes, crc: int = 0xFFFF) -> int:
    """Return CRC-16/CCITT-FALSE: polynomial 0x1021, from 0xFFFF, nothing reflected."""
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def _word_bits(word: int) -> list[int]:
    return [word >> bit & 1 for bit in reversed(range(16))]


def _check_matrix() -> NDArray[np.int32]:
    """Return for each of the 64 bits what it adds to the difference between the checksum and what it should be."""
    nothing = _crc(bytes(_DATA_BITS // 8))
    ones = (np.packbits(np.arange(_DATA_BITS) == bit).tobytes() for bit in range(_DATA_BITS))
    data = [_word_bits(_crc(one) ^ nothing) for one in ones]
    return np.array(data + np.eye(16, dtype=np.int32).tolist(), dtype=np.int32)


def _weights() -> NDArray[np.int64]:
    """Return what each of the 64 bits adds to marker, counter and capture time."""
    weights = np.zeros((_BITS, 3), np.int64)
    start = 0
    for field, size in enumerate(_FIELDS[:3]):
        weights[start : start + size, field] = 1 << np.arange(size)[::-1]
        start += size
    return weights


_CHECK: Final = _check_matrix()
_CHECK_OF_NOTHING: Final = np.array(_word_bits(_crc(bytes(_DATA_BITS // 8))), dtype=np.int32)
_WEIGHTS: Final = _weights()
