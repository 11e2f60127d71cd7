"""Synthetic participants are found anywhere in a frame, and followed from frame to frame."""

from __future__ import annotations

import time
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import av
import numpy as np
import pytest

from harness import verify
from harness.recording.timeline import SCREEN_MARKER, Timeline
from harness.verification.markers.finder.visibility import SeenCells
from harness.verification.markers.marker_reader import MarkerReader
from harness.verification.markers.strip import Marker
from harness.verification.markers.symbol import MODULES, encode_symbols
from harness.verification.probe.tracks import Frame
from tests.support.layouts.drawing import LayoutRenderer, shown_counter, video_frame
from tests.support.layouts.plan import Appearance, Layout, Sender
from tests.support.media.streams import add_video_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.verification.markers.tracks import MarkerTrack

pytestmark = pytest.mark.parallel

_SIZE: Final = (640, 360)
_RATE: Final = 15
# The place in which most tests show a participant: at no usual place, and at no usual size.
_BOX: Final = (211, 97, 251, 141)


def layout_of(*appearances: Appearance, seconds: float = 1.0, size: tuple[int, int] = _SIZE) -> Layout:
    """Return a layout in which each participant's counter starts at a thousand times the marker."""
    markers = dict.fromkeys(one.marker for one in appearances)
    return Layout(
        seed=1,
        kind="free",
        size=size,
        frame_rate=_RATE,
        codec="libvpx",
        kbps=500,
        background="waves",
        senders=tuple(Sender(marker=marker, counter=1000.0 * marker, frame_rate=30, delay=0.0) for marker in markers),
        appearances=appearances,
        seconds=seconds,
    )


def frames_of(layout: Layout, change: Callable[[NDArray[np.uint8], int], None] | None = None) -> Iterator[Frame]:
    """Yield the layout's frames without encoding them. ``change`` changes the luma of a frame, given its number."""
    renderer = LayoutRenderer(layout)
    for tick in range(layout.ticks):
        luma, u, v = renderer.render(tick)
        if change:
            change(luma, tick)
        yield Frame(tick / layout.frame_rate, luma, *layout.size, (u, v))


def read(frames: Iterator[Frame]) -> dict[int, MarkerTrack]:
    """Read all markers in frames without a known layout."""
    reader = MarkerReader(Timeline(), None)
    for frame in frames:
        reader.on_frame(frame)
    return reader.finish()


def counters_of(layout: Layout, marker: int) -> list[int]:
    """Return the counters that each frame shows of a participant."""
    sender = next(one for one in layout.senders if one.marker == marker)
    return [shown_counter(sender, tick / layout.frame_rate) for tick in range(layout.ticks)]


def assert_place(track: MarkerTrack, one: Appearance, number: int = 0) -> None:
    """Assert that a place of a marker is that of an appearance, to within two pixels."""
    span = track.places[number]
    assert span.box == pytest.approx(one.box, abs=2)
    assert (one.turn, one.mirrored) == (span.place.turn, span.place.mirrored)


@pytest.mark.parametrize("turn", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_turned_and_mirrored_participant_is_read_in_every_frame(turn: int, *, mirrored: bool) -> None:
    """The place states how the video was turned and mirrored."""
    x, y, width, height = _BOX
    box = (x, y, height, width) if turn % 2 else _BOX
    one = Appearance(marker=7, box=box, turn=turn, mirrored=mirrored, border=3)
    layout = layout_of(one)

    track = read(frames_of(layout))[7]

    assert counters_of(layout, 7) == track.counters.tolist()
    assert len(track.places) == 1
    assert_place(track, one)
    assert track.places[0].place.stretch == pytest.approx(one.stretch, abs=0.015)


@pytest.mark.parametrize("height", [60, 90, 180, 330])
def test_participant_of_any_size_is_found(height: int) -> None:
    """The smallest video has modules of 1.5 pixels."""
    one = Appearance(marker=3, box=(37, 11, 16 * height // 9, height))
    layout = layout_of(one)

    track = read(frames_of(layout))[3]

    assert counters_of(layout, 3) == track.counters.tolist()
    assert_place(track, one)


def test_cropped_video_is_visible_in_part() -> None:
    """A crop to 4:3 hides an eighth of the video on the left and on the right."""
    one = Appearance(marker=5, box=(120, 60, 240, 180), crop=(0.125, 0.0, 0.125, 0.0))

    (span,) = read(frames_of(layout_of(one)))[5].places

    assert span.box == pytest.approx(one.box, abs=6)
    assert (span.area.left, span.area.right) == pytest.approx((0.125, 0.875), abs=0.02)
    assert span.share == pytest.approx(0.75, abs=0.03)


@pytest.mark.parametrize("label", ["bottom left", "top left", "bottom"])
def test_name_over_the_video_does_not_hide_the_participant(label: str) -> None:
    """If a name covers the strip, the symbol is read."""
    one = Appearance(marker=5, box=(120, 60, 320, 180), label=label, radius=16)
    layout = layout_of(one)

    track = read(frames_of(layout))[5]

    assert counters_of(layout, 5) == track.counters.tolist()
    assert 0.8 < track.places[0].share < 0.99


def test_name_over_a_small_video_hides_only_its_corner() -> None:
    """Next to the symbol, the blurred edge of its card and the name leave few pixels of the video visible."""
    one = Appearance(marker=3, box=(101, 33, 96, 54), label="bottom left")

    (span,) = read(frames_of(layout_of(one)))[3].places

    assert span.box == pytest.approx(one.box, abs=4)


@pytest.mark.parametrize("turn", [1, 3])
@pytest.mark.parametrize("height", [120, 213], ids=["cropped to a square", "whole"])
def test_label_on_the_side_of_a_turned_video_is_not_mistaken_for_a_crop(turn: int, height: int) -> None:
    """A label at one end of the video does not also make the other end seem cropped."""
    box = (100, 60, 120, height)
    cut = 0.21875 if height == 120 else 0.0
    one = Appearance(marker=8, box=box, crop=(0.0, cut, 0.0, cut), turn=turn, border=1, radius=6, label="bottom")

    span = read(frames_of(layout_of(one)))[8].places[0]

    assert span.box[1] == pytest.approx(box[1], abs=5)
    assert one.without_label[3] - 5 <= span.box[3] <= height + 5


def test_similar_video_next_to_a_cropped_one_does_not_belong_to_it() -> None:
    """The small video, which is cropped to 4:3, is in the corner of a large one that has nearly the same colors."""
    large = Appearance(marker=3, box=(0, 0, 640, 360))
    small = Appearance(marker=37, box=(500, 250, 120, 90), crop=(0.125, 0.0, 0.125, 0.0))

    span = read(frames_of(layout_of(large, small)))[37].places[0]

    assert span.box == pytest.approx(small.box, abs=5)


@pytest.mark.parametrize("crop", [(0.0, 0.12, 0.0, 0.12), (0.22, 0.0, 0.22, 0.0)])
@pytest.mark.parametrize("marker", [5, 5 + SCREEN_MARKER])
def test_cropped_video_has_no_faults(crop: tuple[float, float, float, float], marker: int) -> None:
    """The face can be hidden, and what is next to the video is brighter than a shared screen, or darker."""
    one = Appearance(marker=marker, box=(120, 60, 320, 180), crop=crop)

    track = read(frames_of(layout_of(one, seconds=4.0)))[marker]

    assert track.content.faults.size > 20
    assert not track.content.faults.any()


@pytest.mark.parametrize("box", [(100, 40, 240, 180), (30, 50, 400, 180)])
def test_distorted_video_is_measured(box: tuple[int, int, int, int]) -> None:
    """The place states by how much the video is too wide."""
    one = Appearance(marker=9, box=box)

    (span,) = read(frames_of(layout_of(one)))[9].places

    assert one.stretch == pytest.approx(box[2] / box[3] / (16 / 9))
    assert span.place.stretch == pytest.approx(one.stretch, abs=0.015)
    assert span.box == pytest.approx(one.box, abs=2)


def test_large_video_and_thumbnail_are_two_places() -> None:
    """The track describes the large video, and the thumbnail's place is not the main one."""
    large = Appearance(marker=2, box=(0, 0, 480, 270))
    small = Appearance(marker=2, box=(500, 260, 132, 74))
    layout = layout_of(small, large)

    track = read(frames_of(layout))[2]

    assert counters_of(layout, 2) == track.counters.tolist()
    assert [True, False] == [span.main for span in track.places]
    assert_place(track, large, 0)
    assert_place(track, small, 1)


def test_thumbnail_is_the_main_place_until_a_larger_one_appears() -> None:
    """The span of the thumbnail is divided where it stops being the main place."""
    small = Appearance(marker=2, box=(500, 260, 132, 74), end=1.6)
    large = Appearance(marker=2, box=(0, 0, 480, 270), start=0.8, end=1.6)

    track = read(frames_of(layout_of(small, large, seconds=1.6)))[2]

    assert [(True, 132), (True, 480), (False, 132)] == [(one.main, round(one.box[2])) for one in track.places]
    times = [at for span in track.places for at in (span.start, span.end)]
    assert times == pytest.approx([0.0, 0.8, 0.8, 1.6, 0.8, 1.6], abs=0.01)


def test_moved_tile_begins_a_new_span() -> None:
    """No frame is lost when a tile moves, even by less than its size."""
    before = Appearance(marker=4, box=(20, 30, 240, 135), end=0.8)
    after = Appearance(marker=4, box=(90, 80, 240, 135), start=0.8, end=1.6)
    layout = layout_of(before, after, seconds=1.6)

    track = read(frames_of(layout))[4]

    assert counters_of(layout, 4) == track.counters.tolist()
    assert [(0.0, 0.8), (0.8, 1.6)] == [pytest.approx((one.start, one.end), abs=0.01) for one in track.places]
    assert_place(track, before, 0)
    assert_place(track, after, 1)


@pytest.mark.parametrize("box", [(225, 111, 251, 141), (218, 98, 234, 132), (220, 106, 239, 135)])
def test_video_that_moves_a_little_begins_a_new_span_at_the_right_time(box: tuple[int, int, int, int]) -> None:
    """The strip and the symbol could still be read in the old place, and in earlier frames in the new place."""
    before = Appearance(marker=5, box=_BOX, end=1.0)
    after = Appearance(marker=5, box=box, start=1.0, end=2.0)

    track = read(frames_of(layout_of(before, after, seconds=2.0)))[5]

    assert [pytest.approx((0.0, 1.0), abs=0.1), pytest.approx((1.0, 2.0), abs=0.1)] == [
        (span.start, span.end) for span in track.places
    ]
    assert_place(track, before, 0)
    assert_place(track, after, 1)


def test_participant_is_read_from_the_first_frame_on() -> None:
    """Frames before the search that found a participant are read afterwards."""
    other = Appearance(marker=1, box=(0, 0, 240, 135), end=1.5)
    late = Appearance(marker=6, box=(300, 150, 240, 135), start=0.85, end=1.5)
    layout = layout_of(other, late, seconds=1.5)

    tracks = read(frames_of(layout))

    shown = [tick / _RATE for tick in range(layout.ticks) if tick / _RATE >= 0.85]
    assert shown == pytest.approx(tracks[6].times.tolist())


def test_participant_who_is_hidden_for_a_while_is_found_again() -> None:
    """The two spans have the same place."""
    first = Appearance(marker=8, box=_BOX, end=0.8)
    again = Appearance(marker=8, box=_BOX, start=3.4, end=4.0)

    first_span, second_span = read(frames_of(layout_of(first, again, seconds=4.0)))[8].places

    assert (0.0, 0.8) == pytest.approx((first_span.start, first_span.end), abs=0.01)
    assert (3.4, 4.0) == pytest.approx((second_span.start, second_span.end), abs=0.01)
    assert first_span.place == second_span.place


def test_participants_who_swap_their_tiles_are_told_apart() -> None:
    """Each place belongs to one participant before the swap, and to the other one after it."""
    left, right = (10, 100, 240, 135), (330, 100, 240, 135)
    layout = layout_of(
        Appearance(marker=1, box=left, end=0.8),
        Appearance(marker=2, box=right, end=0.8),
        Appearance(marker=1, box=right, start=0.8, end=1.6),
        Appearance(marker=2, box=left, start=0.8, end=1.6),
        seconds=1.6,
    )

    tracks = read(frames_of(layout))

    for marker, boxes in ((1, (left, right)), (2, (right, left))):
        assert [pytest.approx(box, abs=2) for box in boxes] == [span.box for span in tracks[marker].places]
        assert counters_of(layout, marker) == tracks[marker].counters.tolist()


def test_damaged_markers_are_read_where_the_participant_is_known_to_be() -> None:
    """Noise that makes both checksums useless does not hide which of the possible markers is shown."""
    one = Appearance(marker=12, box=(50, 40, 240, 135))
    layout = layout_of(one, seconds=2.0)
    random = np.random.default_rng(1)

    def damage(luma: NDArray[np.uint8], tick: int) -> None:
        if tick >= 5:
            x, y, width, height = one.box
            part = luma[y : y + height, x : x + width]
            part[:] = (128 + 0.35 * (part - 128.0) + random.normal(0, 70, part.shape)).clip(16, 235)

    track = read(frames_of(layout, damage))[12]

    expected = counters_of(layout, 12)
    assert all(expected[frame] == counter for frame, counter in zip(track.numbers, track.counters, strict=True))
    assert track.numbers.size >= 0.9 * layout.ticks


def test_frames_of_another_size_are_searched_anew() -> None:
    """The participant has another place after the recorder has changed the size of its frames."""
    small = layout_of(Appearance(marker=3, box=(31, 17, 240, 135)))
    large = layout_of(Appearance(marker=3, box=(401, 217, 480, 270)), size=(1280, 720))
    large = replace(large, senders=(replace(large.senders[0], counter=3030.0),))
    frames = list(frames_of(small)) + [replace(frame, at=frame.at + 1.0) for frame in frames_of(large)]

    first, second = read(iter(frames))[3].places

    assert first.box == pytest.approx((31, 17, 240, 135), abs=2)
    assert second.box == pytest.approx((401, 217, 480, 270), abs=2)


def _symbol(marker: Marker, module: int) -> NDArray[np.uint8]:
    modules = np.pad(encode_symbols([marker])[0], 1)
    return np.kron(np.where(modules, 30, 225), np.ones((module, module))).astype(np.uint8)


def _gray(rows: int = 360, columns: int = 640) -> NDArray[np.uint8]:
    return np.full((rows, columns), 90, np.uint8)


def test_symbol_that_does_not_change_is_no_participant() -> None:
    """A Data Matrix on a poster may contain six bytes by chance, but its counter does not advance."""
    luma = _gray()
    symbol = _symbol(Marker(9, 77, 1234), 5)
    luma[100 : 100 + symbol.shape[0], 200 : 200 + symbol.shape[1]] = symbol

    assert read(Frame(tick / 15, luma, 640, 360) for tick in range(30)) == {}


def test_symbols_with_random_content_are_no_participants() -> None:
    """Hundreds of valid symbols in each frame neither become participants nor take long."""
    random = np.random.default_rng(3)
    side = 3 * (MODULES + 2)

    def frames() -> Iterator[Frame]:
        for tick in range(15):
            luma = _gray(720, 1280)
            for y in range(0, 720 - side, side + 4):
                for x in range(0, 1280 - side, side + 4):
                    counter, capture = random.integers(1 << 17), random.integers(1 << 22)
                    marker = Marker(int(random.integers(256)), int(counter), int(capture))
                    luma[y : y + side, x : x + side] = _symbol(marker, 3)
            yield Frame(tick / 15, luma, 1280, 720)

    prepared = list(frames())
    started = time.process_time()
    assert read(iter(prepared)) == {}
    assert time.process_time() - started < 6


@pytest.mark.parametrize("kind", ["pixels", "black and white pixels", "blocks"])
def test_noise_is_searched_within_the_reader_s_time_limit(kind: str) -> None:
    """The confined reader may use a second of CPU time per second of video, in addition to ten seconds."""
    random = np.random.default_rng(4)
    shape = (1080, 1920)

    def noise() -> NDArray[np.uint8]:
        if kind == "blocks":
            return np.kron(random.integers(0, 2, (360, 640)) * 200 + 25, np.ones((3, 3))).astype(np.uint8)
        values = random.integers(0, 256, shape, dtype=np.uint8)
        return values if kind == "pixels" else np.where(values > 127, np.uint8(225), np.uint8(25))

    prepared = [Frame(tick / 15, noise(), 1920, 1080) for tick in range(15)]
    started = time.process_time()
    assert read(iter(prepared)) == {}
    assert time.process_time() - started < 3


def test_cells_are_visible_only_if_all_of_them_are() -> None:
    """A rectangle that touches a hidden cell is not visible."""
    cells = np.ones((4, 8), bool)
    cells[1, 5] = False
    seen = SeenCells(cells)

    x, y = np.array([0.25, 0.6, 0.6875, 0.9]), np.array([0.5, 0.45, 0.375, 0.1])

    assert [True, False, False, True] == seen.contain(x, y, 0.2, 0.2).tolist()


def test_place_is_inside_the_frame_of_its_time(tmp_path: Path) -> None:
    """RecordRTC makes its frame higher if the participants no longer fit into it."""
    path = tmp_path / "grown.webm"
    first, second = Appearance(marker=3, box=(0, 0, 640, 360)), Appearance(marker=4, box=(0, 360, 640, 360))
    small, large = layout_of(first), replace(layout_of(first, second), size=(640, 720))
    with av.open(str(path), "w", format="webm") as media:
        stream = add_video_stream(media, "libvpx", _RATE, size=small.size)
        other = av.CodecContext.create("libvpx", "w")
        other.width, other.height, other.pix_fmt, other.time_base = 640, 720, "yuv420p", Fraction(1, _RATE)
        for encoder, layout, begin in ((stream, small, 0), (other, large, small.ticks)):
            for packet in _encoded(encoder, layout, begin):
                packet.stream = stream
                media.mux(packet)

    places = verify(path).participant("marker 4").places

    assert [(0, 360, 640, 360)] == [(one.x, one.y, one.width, one.height) for one in places]


def _encoded(encoder: Any, layout: Layout, begin: int) -> Iterator[av.Packet[Any]]:
    """Yield the packets of a layout's frames, of which the first has the number ``begin``."""
    renderer = LayoutRenderer(layout)
    for tick in range(layout.ticks):
        frame = video_frame(renderer.render(tick))
        frame.pts, frame.time_base = begin + tick, Fraction(1, _RATE)
        yield from encoder.encode(frame)
    yield from encoder.encode(None)
