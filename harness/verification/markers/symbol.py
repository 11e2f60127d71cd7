"""The Data Matrix symbol in the middle of synthetic video, which encodes the same values as the strip.

The symbol has 14 x 14 modules and a quiet zone of one module on every side. Black modules are 1. The bottom row and the
left column are black, and the top row and the right column alternate. The other 12 x 12 modules hold 18 codewords: 8
codewords of data, and 10 codewords with which up to five wrong codewords can be corrected (ISO/IEC 16022, ECC 200).
The data is 6 bytes in Base 256 encodation, most significant bit first: the marker (8 bits), the counter (18 bits) and
the capture time (22 bits).

Unlike the strip, the symbol can be found anywhere in a frame. ``web/src/shared/symbol.js`` draws the symbols that this
module reads.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from harness.verification.markers.strip import CAPTURE_BITS, COUNTER_BITS, COUNTER_PERIOD, Marker

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from harness.verification.markers.places import Place

MODULES: Final = 14
QUIET: Final = 1
# The symbol with its quiet zone: its side as a share of the video's height, but at most this share of the width, and
# the vertical position of its center. It is in the middle of the video's width.
SIDE: Final = 0.4
WIDEST: Final = 0.7
CENTER: Final = 0.35
BYTES: Final = 6
# Luma of black and white modules.
BLACK: Final = 30
WHITE: Final = 225

_DATA: Final = 8
_CORRECTION: Final = 10
_INNER: Final = 12
_CODEWORDS: Final = _DATA + _CORRECTION
# The field GF(256) of ECC 200.
_POLYNOMIAL: Final = 0x12D
# The first two codewords: the latch to Base 256 encodation, and the number of bytes.
_LATCH: Final = 231
# Smallest difference between the brightest and darkest modules.
_LEAST_CONTRAST: Final = 50.0
# With less contrast, modules are not compared one by one. At 40 kbps and 1.8 pixels per module, the contrast was at
# least 142; in videos that were sent with 1.3 pixels per module, it was at most 130.
_COMPARED_CONTRAST: Final = 135.0
# Smallest correlation of a symbol with little contrast. The correlation of noise is about 0.07.
_LEAST_SIMILARITY: Final = 0.35
# A module counts as clearly black or white if its luma differs by more than this share of the contrast from the middle.
# In the same video, up to 6 of the 196 modules were clearly wrong. Half a symbol that does not advance has at least 11
# wrong modules.
_CLEAR: Final = 0.25
_FEWEST_WRONG: Final = 8
# Smaller modules, in pixels, are not compared.
_LEAST_MODULE: Final = 2.0
# Symbols are compared this many at a time, because encoding one takes nearly as long as encoding all.
_BATCH: Final = 256


@dataclass(frozen=True, slots=True)
class Square:
    """A rectangle in a video, as fractions of the video's width and height."""

    x: float
    y: float
    width: float
    height: float


def symbol_square(aspect: float) -> Square:
    """Return where the symbol's modules are in a video whose width divided by its height is ``aspect``.

    The quiet zone is around this area.
    """
    side = min(SIDE, WIDEST * aspect)
    share = MODULES / (MODULES + 2 * QUIET)
    width, height = side / aspect * share, side * share
    return Square(0.5 - width / 2, CENTER - height / 2, width, height)


def symbol_bytes(marker: Marker) -> bytes:
    """Return the six bytes that a marker's symbol encodes."""
    value = marker.number << COUNTER_BITS | marker.counter % COUNTER_PERIOD
    return (value << CAPTURE_BITS | marker.capture_ms % (1 << CAPTURE_BITS)).to_bytes(BYTES, "big")


def symbol_marker(data: bytes) -> Marker | None:
    """Return the marker that a symbol's bytes encode, or None if these are not the bytes of a marker."""
    if len(data) != BYTES:
        return None
    value = int.from_bytes(data, "big")
    counter = value >> CAPTURE_BITS & (1 << COUNTER_BITS) - 1
    if counter >= COUNTER_PERIOD:
        return None
    return Marker(value >> COUNTER_BITS + CAPTURE_BITS, counter, value & (1 << CAPTURE_BITS) - 1)


def encode_symbols(markers: Sequence[Marker]) -> NDArray[np.bool_]:
    """Return the 14 x 14 modules of each marker's symbol. A black module is true."""
    data = np.frombuffer(b"".join(symbol_bytes(marker) for marker in markers), np.uint8).reshape(-1, BYTES)
    return _modules(_codewords(data))


def decode_symbols(modules: NDArray[np.bool_]) -> list[Marker | None]:
    """Return the marker of each symbol, or None for a symbol with a wrong codeword, which this function can't correct.

    ``modules`` holds the 14 x 14 modules of each symbol. Its frame of black and alternating modules is not examined.
    """
    bits = modules.reshape(len(modules), -1)[:, _BIT_MODULES]
    words = np.packbits(bits.reshape(-1, _CODEWORDS, 8), axis=2)[:, :, 0]
    valid = (_with_correction(words[:, :_DATA]) == words).all(axis=1) & (words[:, :2] == _PREFIX).all(axis=1)
    data = (words[:, 2:_DATA].astype(np.int64) - _PSEUDORANDOM[2:]).astype(np.uint8)
    return [symbol_marker(one.tobytes()) if good else None for one, good in zip(data, valid, strict=True)]


class SymbolSampler:
    """Reads the modules of a symbol at a known place. All frames must have the same shape."""

    def __init__(self, place: Place, luma: NDArray[np.uint8]) -> None:
        square = symbol_square(place.aspect)
        middles = (np.arange(MODULES) + 0.5) / MODULES
        # Sample 3 x 3 points in the middle of each module, because scaling and compression blur its edges.
        offsets = np.array([-0.2, 0.0, 0.2]) / MODULES
        along = (middles[:, None] + offsets).reshape(-1)
        x, y = np.meshgrid(square.x + along * square.width, square.y + along * square.height)
        indices = place.indices(x, y, luma.shape).reshape(MODULES, 3, MODULES, 3)
        # The first axis holds the points of a module, because sums along the first axis are fast.
        self._indices = np.ascontiguousarray(indices.transpose(1, 3, 0, 2).reshape(-1, MODULES, MODULES))
        turned_height = place.width if place.turn % 2 else place.height
        self.is_large_enough = square.height * turned_height / MODULES >= _LEAST_MODULE
        """Whether the modules are large enough for ``SymbolComparison``."""

    def sample(self, luma: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the mean luma of each of the 14 x 14 modules."""
        points = luma.reshape(-1).take(self._indices)
        return np.asarray(np.add.reduce(points, axis=0, dtype=np.float32) / np.float32(len(points)))

    def read(self, luma: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
        """Return the modules, or None if nothing in this place has the contrast of a symbol."""
        means = self.sample(luma)
        low, high = np.percentile(means, (10, 90))
        return np.asarray(means < (low + high) / 2) if high - low > _LEAST_CONTRAST else None


class Agreement(IntEnum):
    """Whether a symbol shows the marker that it should show."""

    UNREADABLE = 0
    EQUAL = 1
    DIFFERENT = 2


class SymbolComparison:
    """Compares symbols with the markers that they should show."""

    def __init__(self) -> None:
        self._markers: list[Marker] = []
        self._means: list[NDArray[np.float32]] = []
        self._agreements = array("B")

    def add(self, marker: Marker, means: NDArray[np.float32]) -> None:
        """Add a symbol; ``means`` is the mean luma of each of its modules."""
        self._markers.append(marker)
        self._means.append(means)
        if len(self._markers) >= _BATCH:
            self._compare()

    def finish(self) -> NDArray[np.uint8]:
        """Return the ``Agreement`` of each symbol, in the order in which they were added."""
        if self._markers:
            self._compare()
        return np.array(self._agreements, np.uint8)

    def _compare(self) -> None:
        means = np.array(self._means).reshape(len(self._means), -1)
        modules = encode_symbols(self._markers)
        low, high = np.percentile(means, (10, 90), axis=1)[:, :, None]
        from_middle = means - (low + high) / 2
        wrong = (from_middle < 0) != modules.reshape(means.shape)
        clearly_wrong = np.count_nonzero(wrong & (np.abs(from_middle) > _CLEAR * (high - low)), axis=1)
        faint = (high - low)[:, 0] < _COMPARED_CONTRAST
        differs = clearly_wrong >= _FEWEST_WRONG
        differs[faint] = _similarity(means[faint], modules[faint]) < _LEAST_SIMILARITY
        agreements = np.where(faint, Agreement.UNREADABLE, Agreement.EQUAL)
        agreements[differs] = Agreement.DIFFERENT
        self._agreements.extend(agreements.tolist())
        self._markers.clear()
        self._means.clear()


def _similarity(means: NDArray[np.float32], modules: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return each symbol's correlation with its modules or with its blurred modules, whichever is larger."""
    white = np.pad(~modules, ((0, 0), (1, 1), (1, 1)), constant_values=True)
    blurred = sliding_window_view(white, (3, 3), axis=(1, 2)).mean(axis=(3, 4))
    return np.maximum(_correlation(means, ~modules), _correlation(means, blurred))


def _correlation(means: NDArray[np.float32], other: NDArray[Any]) -> NDArray[np.float32]:
    """Return the correlation of each symbol's modules with other values; 0 for a plain area."""
    one, two = (
        values - values.mean(axis=1, keepdims=True) for values in (means, other.reshape(means.shape).astype(np.float32))
    )
    size = np.sqrt((one**2).sum(axis=1) * (two**2).sum(axis=1))
    return np.asarray((one * two).sum(axis=1) / np.maximum(size, np.float32(1e-6)))


def _field_tables() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the powers of 2 in the field (twice), and the logarithms of 1 to 255."""
    powers, logarithms, value = np.zeros(510, np.uint8), np.zeros(256, np.int64), 1
    for exponent in range(255):
        powers[exponent] = powers[exponent + 255] = value
        logarithms[value] = exponent
        value = value << 1 ^ (_POLYNOMIAL if value & 0x80 else 0)
    return powers, logarithms


def _multiply(left: int, right: int) -> int:
    return int(_POWERS[_LOGARITHMS[left] + _LOGARITHMS[right]]) if left and right else 0


def _generator() -> list[int]:
    """Return the coefficients of the generator polynomial, highest power first, without the leading 1."""
    polynomial = [1]
    for exponent in range(1, _CORRECTION + 1):
        factor = int(_POWERS[exponent])
        below = [0, *(_multiply(one, factor) for one in polynomial)]
        polynomial = [one ^ other for one, other in zip([*polynomial, 0], below, strict=True)]
    return polynomial[1:]


def _correction_table() -> NDArray[np.uint8]:
    """Return, for each position and value of a codeword of data, what it adds to the codewords for correction.

    These codewords are the rest of a division of polynomials. The rest of a sum is the sum of the rests, so the rests
    of single bits are sufficient to compute all others.
    """
    bits = np.array([[_rest(position, 1 << bit) for bit in range(8)] for position in range(_DATA)], np.uint8)
    is_set = (np.arange(256)[:, None] >> np.arange(8) & 1).astype(bool)
    parts = np.where(is_set[None, :, :, None], bits[:, None], np.uint8(0))
    return np.asarray(np.bitwise_xor.reduce(parts, axis=2))


def _rest(position: int, value: int) -> list[int]:
    """Return the rest for data in which a single codeword is not 0."""
    rest = [0] * _CORRECTION
    for column in range(_DATA):
        factor = rest[0] ^ (value if column == position else 0)
        rest = [one ^ _multiply(factor, other) for one, other in zip([*rest[1:], 0], _GENERATOR, strict=True)]
    return rest


def _with_correction(data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Append the codewords for correction to each row of data codewords."""
    parts = _CORRECTIONS[np.arange(_DATA), data]
    return np.append(data, np.bitwise_xor.reduce(parts, axis=1), axis=1)


def _codewords(data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the 18 codewords of each row of 6 bytes."""
    words = np.tile(_PREFIX, (len(data), 1))
    randomized = (data.astype(np.int64) + _PSEUDORANDOM[2:]).astype(np.uint8)
    return _with_correction(np.append(words, randomized, axis=1))


def _modules(codewords: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return the 14 x 14 modules of each row of codewords."""
    modules = np.zeros((len(codewords), MODULES * MODULES), bool)
    modules[:, _BIT_MODULES] = np.unpackbits(codewords, axis=1)
    square = modules.reshape(-1, MODULES, MODULES)
    square[:, 0, ::2] = True
    square[:, 1::2, -1] = True
    square[:, :, 0] = True
    square[:, -1, :] = True
    return square


def _placement() -> NDArray[np.intp]:
    """Return, for each bit of the codewords, the index of its module among the 14 x 14 modules (Annex F)."""
    bits = np.full((_INNER, _INNER), -1)
    codeword = 0
    for row, column in _walk():
        if row == _INNER and column == 0:
            cells = [(down % _INNER, across % _INNER) for down, across in _CORNER]
        elif 0 <= row < _INNER and 0 <= column < _INNER and bits[row, column] < 0:
            cells = [_wrapped(row + down, column + across) for down, across in _SHAPE]
        else:
            continue
        for bit, cell in enumerate(cells):
            bits[cell] = 8 * codeword + bit
        codeword += 1
    places = np.zeros(8 * _CODEWORDS, np.intp)
    for (down, across), bit in np.ndenumerate(bits):
        places[bit] = (down + 1) * MODULES + across + 1
    return places


def _walk() -> Iterator[tuple[int, int]]:
    """Yield the row and column of each codeword's last module: diagonally upward, then downward, from left to right."""
    row, column = 4, 0
    while row < _INNER or column < _INNER:
        while row >= 0 and column < _INNER:
            yield row, column
            row, column = row - 2, column + 2
        row, column = row + 1, column + 3
        while row < _INNER and column >= 0:
            yield row, column
            row, column = row + 2, column - 2
        row, column = row + 3, column + 1


def _wrapped(row: int, column: int) -> tuple[int, int]:
    """Return the module at which a module outside the symbol continues on the opposite side."""
    shift = 4 - (_INNER + 4) % 8
    if row < 0:
        row, column = row + _INNER, column + shift
    if column < 0:
        row, column = row + shift, column + _INNER
    return row, column


# The modules of a codeword, most significant bit first, relative to the module of its least significant bit.
_SHAPE: Final = ((-2, -2), (-2, -1), (-1, -2), (-1, -1), (-1, 0), (0, -2), (0, -1), (0, 0))
# The modules of the codeword that is divided among the corners, with negative positions from the other end.
_CORNER: Final = ((-1, 0), (-1, 1), (-1, 2), (0, -2), (0, -1), (1, -1), (2, -1), (3, -1))
_POWERS, _LOGARITHMS = _field_tables()
_GENERATOR: Final = _generator()
_CORRECTIONS: Final = _correction_table()
# Each codeword in Base 256 encodation is increased by a number that depends on its position, starting from 1.
_PSEUDORANDOM: Final = np.array([149 * (position + 1) % 255 + 1 for position in range(_DATA)])
_PREFIX: Final = np.array([_LATCH, (BYTES + _PSEUDORANDOM[1]) % 256], np.uint8)
_BIT_MODULES: Final = _placement()
