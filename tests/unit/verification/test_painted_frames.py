"""The page's own painter draws the frames that the verifier expects."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pytest
import zxingcpp

from harness.recording.timeline import SCREEN_MARKER
from harness.verification.markers.places import OTHER_SHAPES, Place
from harness.verification.markers.strip import COUNTER_PERIOD, Marker, StripSampler
from harness.verification.markers.symbol import symbol_marker
from tests.support.media.synthetic_frame import Tile, draw_frame

pytestmark = pytest.mark.parallel
ROOT: Final = Path(__file__).parents[3]
MARKERS: Final = 200
SIZES: Final = (
    (1280, 720),
    (640, 360),
    (320, 180),
    (160, 90),
    *((90 * wide, 90 * high) for wide, high in OTHER_SHAPES),
)
# Paints two frames for each request on a plain bright backdrop, so that the second one covers the first face.
SCRIPT: Final = f"""
import {{ readFileSync, writeSync }} from 'node:fs';
import {{ FramePainter }} from '{ROOT}/web/src/media/frame-painter.js';
for (const {{ marker, counter, time, screen, width, height }} of JSON.parse(readFileSync(0, 'utf8'))) {{
  const data = new Uint8Array(4 * width * height).fill(243);
  const painter = new FramePainter(marker, screen, {{ width, height, data }});
  painter.paint(counter + 20, time + 667);
  painter.paint(counter, time);
  const {{ memory, image }} = painter;
  for (const [plane, {{ offset, stride }}] of image.layout.entries())
    writeSync(1, memory.subarray(offset, offset + stride * (plane ? height / 2 : height)));
}}
"""


class Request(NamedTuple):
    """A frame that the page paints."""

    marker: Marker
    width: int
    height: int
    screen: bool

    def as_json(self) -> dict[str, int | bool]:
        """Return the request for the script."""
        number, counter, capture_ms, _ = dataclasses.astuple(self.marker)
        return {"marker": number, "counter": counter, "time": capture_ms} | {
            "screen": self.screen,
            "width": self.width,
            "height": self.height,
        }


def painted_by_page(requests: list[Request]) -> list[Tile]:
    """Return the frames that the page's painter draws on a plain bright backdrop."""
    ended = subprocess.run(
        [ROOT / "scripts" / "with-node", "node", "--input-type=module", "-e", SCRIPT],
        input=json.dumps([one.as_json() for one in requests]).encode(),
        stdout=subprocess.PIPE,
        check=True,
        timeout=120,
    )
    frames, start = [], 0
    for one in requests:
        planes = []
        for shrunk in (1, 2, 2):
            shape = one.height // shrunk, one.width // shrunk
            planes.append(np.frombuffer(ended.stdout, np.uint8, shape[0] * shape[1], start).reshape(shape))
            start += planes[-1].size
        frames.append(Tile(*planes))
    assert start == len(ended.stdout)
    return frames


def random_markers(count: int) -> list[Marker]:
    """Return random markers, and the smallest and largest one."""
    random = np.random.default_rng(7)
    drawn = zip(
        random.integers(0, 256, count),
        random.integers(0, COUNTER_PERIOD, count),
        random.integers(0, 1 << 22, count),
        strict=True,
    )
    extremes = [Marker(0, 0, 0), Marker(255, COUNTER_PERIOD - 1, (1 << 22) - 1)]
    return extremes + [Marker(int(number), int(counter), int(capture)) for number, counter, capture in drawn]


def test_page_draws_symbols_and_strips_that_are_read() -> None:
    """zxing-cpp, which shares no code with the page, reads each symbol in its frame."""
    markers = random_markers(MARKERS)
    formats = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.DataMatrix)

    frames = painted_by_page([Request(marker, 320, 180, screen=False) for marker in markers])

    symbols = [zxingcpp.read_barcodes(frame.luma, formats=formats) for frame in frames]
    assert [[marker] for marker in markers] == [[symbol_marker(one.bytes) for one in found] for found in symbols]
    strips = StripSampler([Place(0, 0, 320, 180)], frames[0].luma)
    assert [[marker] for marker in markers] == [strips.read(frame.luma) for frame in frames]


def test_page_and_tests_draw_the_same_frames() -> None:
    """In every size, all pixels are equal except those of the backdrop, which the page draws with a canvas."""
    requests = [
        Request(marker, width, height, screen)
        for width, height in SIZES
        for screen in (False, True)
        for marker in random_markers(12)
        if (marker.number >= SCREEN_MARKER) <= screen
    ]

    frames = painted_by_page(requests)

    for request, frame in zip(requests, frames, strict=True):
        expected = Tile(*(np.empty_like(plane) for plane in frame))
        draw_frame(expected, request.marker, screen=request.screen)
        for plane, drawn, shrunk in zip(frame, expected, (1, 2, 2), strict=True):
            painted = plane != plane[-1, -1]
            painted[: request.height // 9 // shrunk] = shrunk == 1
            assert painted[request.height * 2 // 3 // shrunk :].any(), "the face is missing"
            assert np.array_equal(plane[painted], drawn[painted]), request
