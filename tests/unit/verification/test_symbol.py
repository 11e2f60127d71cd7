"""The Data Matrix symbol in synthetic video."""

from __future__ import annotations

import numpy as np
import pytest
import zxingcpp

from harness.verification.markers.places import Place
from harness.verification.markers.strip import COUNTER_PERIOD, Marker
from harness.verification.markers.symbol import (
    BLACK,
    MODULES,
    WHITE,
    Agreement,
    SymbolComparison,
    SymbolSampler,
    decode_symbols,
    encode_symbols,
    symbol_bytes,
    symbol_marker,
    symbol_square,
)

pytestmark = pytest.mark.parallel
_MARKERS = (Marker(0, 0, 0), Marker(5, 12_345, 999_999), Marker(255, COUNTER_PERIOD - 1, (1 << 22) - 1))


@pytest.mark.parametrize("marker", _MARKERS)
def test_symbol_is_read_by_another_decoder(marker: Marker) -> None:
    """zxing-cpp reads what this module draws."""
    modules = np.pad(encode_symbols([marker])[0], 1)
    image = np.kron(np.where(modules, 30, 225), np.ones((5, 5))).astype(np.uint8)
    found = zxingcpp.read_barcodes(image, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.DataMatrix))
    assert [symbol_bytes(marker)] == [one.bytes for one in found]
    assert symbol_marker(found[0].bytes) == marker


def test_symbols_are_decoded() -> None:
    """The markers are the same after encoding and decoding."""
    assert decode_symbols(encode_symbols(_MARKERS)) == list(_MARKERS)


def test_damaged_symbol_is_not_decoded() -> None:
    """Each module with data is protected."""
    modules = encode_symbols(_MARKERS[1:2])
    for row, column in np.ndindex(MODULES - 2, MODULES - 2):
        damaged = modules.copy()
        damaged[0, row + 1, column + 1] ^= True
        assert decode_symbols(damaged) == [None], (row, column)


@pytest.mark.parametrize("turn", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("size", [(1280, 720), (320, 180), (192, 108), (180, 320)])
def test_symbol_is_sampled_in_turned_and_mirrored_video(size: tuple[int, int], turn: int, *, mirrored: bool) -> None:
    """The place specifies how the video was turned."""
    width, height = size
    modules = encode_symbols(_MARKERS[1:2])[0]
    square = symbol_square(width / height)
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    columns = np.clip((x - square.x) / square.width * MODULES, 0, MODULES - 1).astype(int)
    rows = np.clip((y - square.y) / square.height * MODULES, 0, MODULES - 1).astype(int)
    video = np.where(modules[rows, columns], 30, 225).astype(np.uint8)
    shown = np.rot90(video[:, ::-1] if mirrored else video, -turn)
    frame = np.full((shown.shape[0] + 40, shown.shape[1] + 60), 90, np.uint8)
    frame[30 : 30 + shown.shape[0], 20 : 20 + shown.shape[1]] = shown
    place = Place(20, 30, shown.shape[1], shown.shape[0], turn, mirrored)
    found = SymbolSampler(place, frame).read(frame)
    assert found is not None
    assert np.array_equal(found, modules)


def test_place_without_contrast_has_no_symbol() -> None:
    """A plain area is not read as a symbol."""
    frame = np.full((180, 320), 120, np.uint8)
    assert SymbolSampler(Place(0, 0, 320, 180), frame).read(frame) is None


def compared(*symbols: tuple[Marker, np.ndarray]) -> list[int]:
    """Return the agreement of each symbol, given its marker and the mean luma of its modules."""
    comparison = SymbolComparison()
    for marker, means in symbols:
        comparison.add(marker, means.astype(np.float32))
    return [int(one) for one in comparison.finish()]


def drawn(marker: Marker) -> np.ndarray:
    """Return the mean luma of a symbol's modules."""
    return np.where(encode_symbols([marker])[0], float(BLACK), float(WHITE))


def test_each_symbol_is_compared_with_its_own_marker() -> None:
    """The order is kept, although many symbols are compared at a time."""
    markers = [Marker(5, count, 33 * count) for count in range(600)]
    shown = [drawn(markers[number - (number % 7 == 0)]) for number in range(600)]

    found = compared(*zip(markers, shown, strict=True))

    assert [Agreement.DIFFERENT if number % 7 == 0 else Agreement.EQUAL for number in range(600)] == found


@pytest.mark.parametrize("half", [np.s_[:7, :], np.s_[7:, :], np.s_[:, :7], np.s_[:, 7:]], ids=str)
def test_half_a_symbol_that_does_not_advance_is_found(half: tuple[slice, slice]) -> None:
    """Each half contains enough modules that change with the next frame."""
    before, marker = Marker(5, 1000, 40_000), Marker(5, 1001, 40_033)
    means = drawn(marker)
    means[half] = drawn(before)[half]

    assert [Agreement.DIFFERENT] == compared((marker, means))


@pytest.mark.parametrize("luma", [16, 128, 235])
def test_blank_area_is_not_the_symbol(luma: int) -> None:
    """Where the strip is readable, the symbol has contrast, so a blank area is a fault."""
    assert [Agreement.DIFFERENT] == compared((_MARKERS[1], np.full((MODULES, MODULES), float(luma))))


def test_noise_is_not_the_symbol() -> None:
    """Noise is found even if most of the modules are gray."""
    means = np.random.default_rng(4).normal(127, 25, (MODULES, MODULES))
    means[:5] = 127

    assert [Agreement.DIFFERENT] == compared((_MARKERS[1], means))


def test_compression_noise_is_tolerated() -> None:
    """A few wrong modules are not a difference."""
    means = drawn(_MARKERS[1])
    random = np.random.default_rng(3)
    wrong = random.choice(MODULES * MODULES, 7, replace=False)
    means.reshape(-1)[wrong] = WHITE + BLACK - means.reshape(-1)[wrong]

    assert [Agreement.EQUAL] == compared((_MARKERS[1], means + random.normal(0, 15, means.shape)))


@pytest.mark.parametrize("size", [3, 5])
def test_blurred_symbol_is_not_compared(size: int) -> None:
    """A symbol that is blurred over several modules is neither right nor wrong."""
    padded = np.pad(drawn(_MARKERS[1]), size // 2, constant_values=WHITE)
    means = np.lib.stride_tricks.sliding_window_view(padded, (size, size)).mean(axis=(2, 3))

    assert [Agreement.UNREADABLE] == compared((_MARKERS[1], means))


@pytest.mark.parametrize(("height", "large_enough"), [(78, False), (80, True), (720, True)])
def test_small_symbols_are_not_compared(height: int, *, large_enough: bool) -> None:
    """The limit is two pixels per module."""
    frame = np.zeros((height, height * 16 // 9), np.uint8)

    assert large_enough == SymbolSampler(Place(0, 0, frame.shape[1], height), frame).is_large_enough
