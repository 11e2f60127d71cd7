"""The markers in synthetic video: a strip of bright and dark cells that encode the participant, a counter and the time.

Synthetic video is 16:9. The strip spans the full width at the top of the video. It has two rows of 32 cells, and each
cell is width/32 wide and height/18 high. Row by row, the cells encode 64 bits, most significant bit first. A bright
cell is 1, and a dark cell is 0. The fields are, in order, the marker (8 bits), the counter (18 bits), the capture time
(22 bits), and a CRC of the first 48 bits (16 bits).

The type of CRC states what kind of video is below the strip. If the CRC is CRC-16/CCITT-FALSE XOR 0x5A5A, the whole
video is the synthetic camera's, which ``backdrop.py`` and ``symbol.py`` describe. If it is CRC-16/CCITT-FALSE, the
video is unknown, for example because a program drew the strip over its own video. It is also unknown if the CRC is
inverted (CRC-16/GENIBUS): an earlier synthetic camera drew such strips, over video without a symbol. At least four
wrong bits are needed to turn one type into another.

The counter advances by 30 per second at any frame rate, and starts again at 0 after 262,080 counts (2.4 hours), which
is a multiple of the 16 seconds that the audio marker counts. The capture time is the time of the room's clock in
milliseconds, modulo 2^22. ``web/src/shared/marker.js`` draws the strips that this module reads.
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
COUNTS_PER_SECOND: Final = 30
COUNTER_BITS: Final = 18
COUNTER_PERIOD: Final = 262_080
CAPTURE_BITS: Final = 22

# The CRC of a strip is combined with one of these numbers (XOR).
_WHOLE_VIDEO: Final = 0x5A5A
_EARLIER_CAMERA: Final = 0xFFFF
_STRIP_ONLY: Final = 0

_FIELDS: Final = (8, COUNTER_BITS, CAPTURE_BITS, 16)
_DATA_BITS: Final = sum(_FIELDS[:3])
_BITS: Final = sum(_FIELDS)
# The position of each bit of the data in its field.
_SHIFTS: Final = np.concatenate([np.arange(size)[::-1] for size in _FIELDS[:3]])
# Minimum difference in brightness between bright and dark cells. The page draws cells with a difference of 195, and
# strong compression halves it. Walls and text have far less contrast.
_LEAST_CONTRAST: Final = 60.0


@dataclass(frozen=True, slots=True)
class Marker:
    """The content of one strip: the participant's number, the counter, and the capture time in milliseconds.

    ``full`` is true if the whole video below the strip is the synthetic camera's.
    """

    number: int
    counter: int
    capture_ms: int
    full: bool = True


def encode_strip(marker: Marker) -> NDArray[np.bool_]:
    """Return the 64 bits of a marker, in the order in which the strip's cells show them."""
    return np.asarray(encode_strips([marker])[0])


def encode_strips(markers: Sequence[Marker]) -> NDArray[np.bool_]:
    """Return the 64 bits of each marker, in the order in which the strips' cells show them."""
    values = np.array(
        [(one.number, one.counter % COUNTER_PERIOD, one.capture_ms % (1 << CAPTURE_BITS)) for one in markers]
    ).reshape(-1, 3)
    bits = np.repeat(values, _FIELDS[:3], axis=1) >> _SHIFTS & 1
    kinds = [_word_bits(_WHOLE_VIDEO if one.full else _STRIP_ONLY) for one in markers]
    checksums = ((bits @ _CRC_MATRIX[:_DATA_BITS]) + _CRC_OF_ZEROS + kinds) % 2
    return np.concatenate([bits, checksums], axis=1).astype(bool)


def decode_strips(cells: NDArray[np.floating]) -> list[Marker | None]:
    """Return the marker in each strip, or None if the CRC is wrong. ``cells`` has 64 brightness values per strip."""
    low, high = cells.min(axis=1), cells.max(axis=1)
    bits = cells > ((low + high) / 2)[:, None]
    # A CRC is linear over GF(2): it is the CRC of zeros plus a fixed word for each set bit.
    differences = ((bits @ _CRC_MATRIX) + _CRC_OF_ZEROS) % 2 @ _WORD_WEIGHTS
    full = differences == _WHOLE_VIDEO
    known = full | (differences == _STRIP_ONLY) | (differences == _EARLIER_CAMERA)
    valid = (high - low > _LEAST_CONTRAST) & known
    markers: list[Marker | None] = [None] * len(cells)
    for index in np.flatnonzero(valid):
        number, counter, capture_ms = (int(value) for value in bits[index] @ _WEIGHTS)
        markers[index] = Marker(number, counter, capture_ms, bool(full[index]))
    return markers


class StripSampler:
    """Reads the strips at fixed places in frames. All frames must have the same shape."""

    def __init__(self, places: Sequence[Place], luma: NDArray[np.uint8]) -> None:
        offsets = np.array([-1, 0, 1]) / 5
        # Sample a grid of 3 x 3 points in the middle of the cell, because scaling and compression blur its edges.
        columns = (np.arange(COLUMNS)[:, None] + 0.5 + offsets) / COLUMNS
        rows = (np.arange(ROWS)[:, None] + 0.5 + offsets) / (9 * ROWS)
        x, y = np.broadcast_arrays(columns[None, :, None, :], rows[:, None, :, None])
        # Each row of an array holds the sample points of one bit's cell.
        indices = [place.indices(x, y, luma.shape).reshape(_BITS, -1) for place in places]
        self._indices = np.array(indices, dtype=np.intp).reshape(len(places), _BITS, -1)

    def read(self, luma: NDArray[np.uint8]) -> list[Marker | None]:
        """Return the marker at each place, or None for a place without a readable marker."""
        return decode_strips(self.cells(luma)) if self._indices.size else []

    def cells(self, luma: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the mean luma of the 64 cells at each place, in the order of the bits."""
        return np.asarray(luma.reshape(-1).take(self._indices).mean(axis=2, dtype=np.float32))


def _crc(data: bytes, crc: int = 0xFFFF) -> int:
    """Return CRC-16/CCITT-FALSE: polynomial 0x1021, initial value 0xFFFF, not reflected."""
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def _word_bits(word: int) -> list[int]:
    return [word >> bit & 1 for bit in reversed(range(16))]


def _crc_matrix() -> NDArray[np.int32]:
    """Return the matrix that yields the difference between a strip's CRC and the computed CRC.

    Each of the matrix's 64 rows belongs to one bit of the strip, and holds the bits of the difference that this bit
    flips.
    """
    zeros = _crc(bytes(_DATA_BITS // 8))
    ones = (np.packbits(np.arange(_DATA_BITS) == bit).tobytes() for bit in range(_DATA_BITS))
    data = [_word_bits(_crc(one) ^ zeros) for one in ones]
    return np.array(data + np.eye(16, dtype=np.int32).tolist(), dtype=np.int32)


def _weights() -> NDArray[np.int64]:
    """Return the matrix that yields a marker's number, counter and capture time.

    Each of the matrix's 64 rows belongs to one bit of the strip, and holds the values that this bit adds to the three
    fields.
    """
    weights = np.zeros((_BITS, 3), np.int64)
    start = 0
    for field, size in enumerate(_FIELDS[:3]):
        weights[start : start + size, field] = 1 << np.arange(size)[::-1]
        start += size
    return weights


_CRC_MATRIX: Final = _crc_matrix()
_CRC_OF_ZEROS: Final = np.array(_word_bits(_crc(bytes(_DATA_BITS // 8))), dtype=np.int32)
_WEIGHTS: Final = _weights()
_WORD_WEIGHTS: Final = 1 << np.arange(16, dtype=np.int32)[::-1]
