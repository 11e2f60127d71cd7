"""The Data Matrix symbol in synthetic video."""

from __future__ import annotations

import numpy as np
import pytest
import zxingcpp

from harness.verification.markers.places import Place
from harness.verification.markers.strip import COUNTER_PERIOD, Marker
from harness.verification.markers.symbol import (
    MODULES,
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
    """The place states how the video was turned."""
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
