"""Draw and encode planned layouts as other recorders do: scale, crop, mirror, turn and overlay the participants."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import av
import numpy as np

from harness.verification.markers.strip import CAPTURE_BITS, COUNTER_PERIOD, Marker
from tests.support.media.audio import SAMPLE_RATE, mix_audio
from tests.support.media.scene import PlannedParticipant, Scene
from tests.support.media.streams import add_audio_stream, add_video_stream
from tests.support.media.synthetic_frame import Tile, draw_frame

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from tests.support.layouts.plan import Appearance, Layout, Sender

Planes = list["NDArray[np.uint8]"]

_PACKET: Final = 960
_TEXT: Final = 215
_ENCODERS: Final[Mapping[str, Mapping[str, str]]] = {
    # Constant speeds: with some settings, encoders become faster and worse if the machine is busy.
    "libx264": {"preset": "veryfast", "threads": "1"},
    "libvpx": {"deadline": "realtime", "cpu-used": "-8", "lag-in-frames": "0", "auto-alt-ref": "0", "threads": "1"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "auto-alt-ref": "0", "threads": "1"},
}


def write_layout(path: Path, layout: Layout) -> None:
    """Write a layout's file: MP4 with AAC if the codec is H.264, and otherwise WebM with Opus."""
    mp4 = layout.codec == "libx264"
    with av.open(str(path), "w", format="mp4" if mp4 else "webm") as media:
        video = add_video_stream(media, layout.codec, layout.frame_rate, size=layout.size)
        video.bit_rate = 1000 * layout.kbps
        video.gop_size = 4 * layout.frame_rate
        video.options = dict(_ENCODERS[layout.codec])
        audio = add_audio_stream(media, "aac" if mp4 else "libopus", SAMPLE_RATE)
        audio.bit_rate = 64_000
        samples, packet = _audio(layout), 1024 if mp4 else _PACKET
        renderer = LayoutRenderer(layout)
        written = 0
        for tick in range(layout.ticks):
            due = round((tick + 1) / layout.frame_rate * SAMPLE_RATE)
            while written + packet <= due:
                media.mux(audio.encode(_audio_frame(samples[written : written + packet], written, planar=mp4)))
                written += packet
            frame = video_frame(renderer.render(tick))
            frame.pts, frame.time_base = tick, Fraction(1, layout.frame_rate)
            media.mux(video.encode(frame))
        for stream in (video, audio):
            media.mux(stream.encode(None))


def shown_counter(sender: Sender, at: float) -> int:
    """Return the counter of the frame that a recorder shows at a time: the latest frame of the sender."""
    return math.floor((sender.counter + 30 * at) * sender.frame_rate / 30 + 1e-6) * 30 // sender.frame_rate


def video_delay(layout: Layout, sender: Sender) -> float:
    """Return how late the sender's frames are shown, in seconds, because the recorder shows the latest frame.

    This is the median, over the first display of each frame, of the time since the frame's counter was reached.
    """
    shown = [
        (tick / layout.frame_rate, shown_counter(sender, tick / layout.frame_rate)) for tick in range(layout.ticks)
    ]
    fresh = [one for one, before in zip(shown, [(0.0, -1), *shown], strict=False) if one[1] != before[1]]
    return float(np.median([at - (counter - sender.counter) / 30 for at, counter in fresh]))


def _audio(layout: Layout) -> NDArray[np.float32]:
    planned = []
    for sender in layout.senders:
        start, end = sender.present
        muted = ((-1.0, start),) * (start > 0) + ((end, layout.seconds + 2),) * (end < layout.seconds)
        planned.append(
            PlannedParticipant(
                name=str(sender.marker),
                marker=sender.marker,
                counter=math.floor(sender.counter),
                # mix_audio expects a whole counter, so its fraction becomes a part of the delay.
                audio_delay=sender.delay
                + video_delay(layout, sender)
                - (sender.counter - math.floor(sender.counter)) / 30,
                muted=muted,
            )
        )
    return mix_audio(Scene(participants=tuple(planned), seconds=layout.seconds))


def _audio_frame(samples: NDArray[np.float32], start: int, *, planar: bool) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(samples[None], format="fltp" if planar else "flt", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
    return frame


def video_frame(planes: Planes) -> av.VideoFrame:
    """Return a frame with the given Y, U and V planes, for an encoder."""
    return av.VideoFrame.from_ndarray(
        np.concatenate([plane.reshape(-1) for plane in planes]).reshape(-1, planes[0].shape[1]), format="yuv420p"
    )


class LayoutRenderer:
    """Draws a layout's frames."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._senders = {sender.marker: sender for sender in layout.senders}
        self._background = _background(layout)
        # The recorder draws large videos first, so that small ones are on top.
        self._shown = sorted(layout.appearances, key=lambda one: -one.box[2] * one.box[3])

    def render(self, tick: int) -> Planes:
        """Return the Y, U and V planes of a frame."""
        at = tick / self._layout.frame_rate
        planes = [plane.copy() for plane in self._background]
        for one in self._shown:
            if one.start <= at < one.end:
                sender = self._senders[one.marker]
                _show(planes, one, draw_video(sender.marker, shown_counter(sender, at), one.size))
        return planes


def draw_video(marker: int, counter: int, size: tuple[int, int]) -> Planes:
    """Return the synthetic camera's frame with this counter."""
    width, height = size
    planes = [np.empty((high, wide), np.uint8) for wide, high in _sizes(width, height)]
    captured = (5000 + round(counter * 1000 / 30)) % (1 << CAPTURE_BITS)
    draw_frame(Tile(*planes), Marker(marker, counter % COUNTER_PERIOD, captured))
    return planes


def _show(planes: Planes, one: Appearance, video: Planes) -> None:
    """Draw a participant's video into the planes of the frame."""
    x, y, width, height = one.box
    frame_height, frame_width = planes[0].shape
    if one.border:
        _fill(
            planes, (x - one.border, y - one.border, width + 2 * one.border, height + 2 * one.border), (180, 100, 160)
        )
    left, top, right, bottom = one.crop
    for plane, shown, shrunk in zip(planes, video, (1, 2, 2), strict=True):
        turned = np.rot90(shown[:, ::-1] if one.mirrored else shown, -one.turn)
        high, wide = turned.shape
        part = turned[round(top * high) : round((1 - bottom) * high), round(left * wide) : round((1 - right) * wide)]
        columns = slice(x // shrunk, min((x + width) // shrunk, frame_width // shrunk))
        rows = slice(y // shrunk, min((y + height) // shrunk, frame_height // shrunk))
        target = plane[rows, columns]
        scaled = _scaled(part, target.shape[1], target.shape[0])
        mask = _rounded(target.shape[1], target.shape[0], one.radius // shrunk)
        target[mask] = scaled[mask]
    _write(planes, one)


def _scaled(plane: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(plane), format="gray")
    shrinks = width < plane.shape[1]
    scaled: Any = frame.reformat(width, height, interpolation="AREA" if shrinks else "BILINEAR")
    return np.asarray(scaled.to_ndarray())


@lru_cache(maxsize=256)
def _rounded(width: int, height: int, radius: int) -> NDArray[np.bool_]:
    radius = min(radius, width // 4, height // 4)
    y, x = np.indices((height, width)) + 0.5
    across = np.maximum(0, np.maximum(radius - x, x - (width - radius)))
    down = np.maximum(0, np.maximum(radius - y, y - (height - radius)))
    return np.asarray(across**2 + down**2 <= radius**2) if radius else np.ones((height, width), bool)


def _write(planes: Planes, one: Appearance) -> None:
    """Draw a name on a dark label over the video."""
    if one.label_box is None:
        return
    x, y, wide, high = one.label_box
    _fill(planes, one.label_box, (40, 128, 128))
    text = planes[0][y + high // 4 : y + 3 * high // 4, x + high // 3 : x + min(wide, 4 * high) - high // 3]
    columns = np.arange(text.shape[1])
    text[:, (columns * 7 // max(1, high)) % 3 > 0] = _TEXT


def _fill(planes: Planes, box: tuple[int, int, int, int], color: tuple[int, int, int]) -> None:
    x, y, width, height = box
    for plane, value, shrunk in zip(planes, color, (1, 2, 2), strict=True):
        plane[max(0, y // shrunk) : (y + height) // shrunk, max(0, x // shrunk) : (x + width) // shrunk] = value


def _background(layout: Layout) -> Planes:
    width, height = layout.size
    planes = [np.full((high, wide), 128, np.uint8) for wide, high in _sizes(width, height)]
    planes[0][:] = {"black": 16, "gray": 52, "light": 210, "waves": 80, "text": 235}[layout.background]
    y, x = np.indices((height, width))
    if layout.background == "waves":
        planes[0][:] = 90 + 40 * np.sin(y / 17) + 40 * np.sin(x / 23)
    elif layout.background == "text":
        random = np.random.default_rng(layout.seed)
        letters = random.random((height // 12 + 1, width // 3 + 1)) < 0.4
        planes[0][(y % 12 < 7) & np.kron(letters, np.ones((12, 3), bool))[:height, :width]] = 40
    return planes


def _sizes(width: int, height: int) -> tuple[tuple[int, int], ...]:
    half = (width // 2, height // 2)
    return ((width, height), half, half)
