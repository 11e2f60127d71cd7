"""Makes real recordings of marked participants without a browser, faults included, for tests to read back."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, Literal

import av
import numpy as np

from harness.recording.config import RecordConfig
from harness.recording.recording import Manifest, Recording, manifest_of, sha256_of
from harness.recording.timeline import Event, Member, Tile, Timeline
from harness.verification.markers.audio_markers import TONES, VOICES, burst
from harness.verification.markers.strip import BRIGHT, DARK, Mark, strip

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.recording.timeline import Interval

SAMPLE_RATE: Final = 48_000
TONE: Final = 0.04
BURST: Final = 0.3
_PACKET: Final = 960


@dataclass(frozen=True, kw_only=True)
class Someone:
    """A synthetic participant; intervals and lags are in seconds.

    ``rate`` is the sender's, in pictures a second; ``counter`` its counter when the recording begins. ``sound_late``
    moves the sound, ``drift_ppm`` stretches it, ``place`` is the tile where the picture is drawn, None its own.
    Of a ``secret`` one the manifest knows nothing. One whose ``marker`` is None carries no marks, as a camera.
    """

    name: str
    marker: int | None
    rate: int = 30
    counter: int = 0
    hidden: tuple[Interval, ...] = ()
    muted: tuple[Interval, ...] = ()
    frozen: tuple[Interval, ...] = ()
    sound_late: float = 0.0
    drift_ppm: float = 0.0
    place: int | None = None
    secret: bool = False


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A recording to make: who is in it, in which form, and what goes wrong with it as a whole.

    ``dropped`` are the numbers of pictures that are not written, ``doubled`` of those that repeat the one before.
    """

    people: tuple[Someone, ...]
    width: int = 320
    height: int = 180
    rate: int = 30
    seconds: float = 3.0
    picture: bool = True
    sound: bool = True
    black: tuple[Interval, ...] = ()
    silent: tuple[Interval, ...] = ()
    dropped: frozenset[int] = frozenset()
    doubled: frozenset[int] = frozenset()
    container: str = "webm"
    codec: str = "libvpx"
    bitrate: int = 2_500_000
    live: bool = False
    recorder: Literal["local", "all"] = "all"

    @property
    def ticks(self) -> int:
        """How many pictures the scene has when none is dropped."""
        return round(self.seconds * self.rate)


def cast(*names: str) -> tuple[Someone, ...]:
    """Return participants with markers from 1 up whose counters are not in step."""
    return tuple(Someone(name=name, marker=number, counter=7 * number) for number, name in enumerate(names, 1))


def changed(scene: Scene, name: str, **changes: Any) -> Scene:
    """Return the scene with one participant changed."""
    people = tuple(replace(one, **changes) if one.name == name else one for one in scene.people)
    return replace(scene, people=people)


def film(path: Path, scene: Scene, *, told: Scene | None = None, told_seconds: float | None = None) -> Recording:
    """Write the scene to ``path`` and beside it the manifest of what was ``told``: by default, exactly that."""
    encode(path, scene)
    told = told or scene
    recording = recording_of(path, told, duration=told_seconds or told.seconds)
    Manifest(
        recording=recording, config=RecordConfig().for_page(), versions={}, timeline=timeline_of(told), ticks=told.ticks
    ).write(recording.manifest)
    return recording


def recording_of(path: Path, told: Scene, *, duration: float) -> Recording:
    """Return the facts of a file as a manifest tells them."""
    return Recording(
        id="r1",
        path=path,
        manifest=manifest_of(path),
        participant=told.people[0].name,
        recorder=told.recorder,
        type="video" if told.picture else "audio",
        mime_type="video/webm" if told.picture else "audio/webm",
        codec={"libvpx": "vp8", "libvpx-vp9": "vp9"}[told.codec] if told.picture else "opus",
        width=told.width if told.picture else None,
        height=told.height if told.picture else None,
        frame_rate=told.rate if told.picture else None,
        duration=duration,
        size=path.stat().st_size,
        sha256=sha256_of(path),
        started_at="2026-11-22T12:00:00Z",
    )


def timeline_of(scene: Scene) -> Timeline:
    """Return the timeline of a scene: everybody from the start, hidden and muted as the scene says."""
    places = tiles(len(scene.people), scene.width, scene.height)
    layout = tuple(
        Tile(participant=one.name, x=x, y=y, width=width, height=height)
        for one, (x, y, width, height) in zip(scene.people, places, strict=True)
        if not one.secret
    )
    public = [one for one in scene.people if not one.secret]
    events = [Event(at=0.0, event="layout", tiles=layout)]
    for one in public:
        for kind, off in (("video", one.hidden), ("audio", one.muted)):
            switches = [(0.0, True), *((at, on) for start, end in off for at, on in ((start, False), (end, True)))]
            events += [
                Event.model_validate({"at": at, "event": kind, "participant": one.name, "on": on})
                for at, on in switches
            ]
    members = tuple(Member(name=one.name, marker=one.marker) for one in public)
    return Timeline(members=members, events=tuple(sorted(events, key=lambda event: event.at)))


def tiles(people: int, width: int, height: int) -> list[tuple[int, int, int, int]]:
    """Return the tiles of a grid: x, y, width and height in pixels."""
    columns = math.ceil(math.sqrt(people))
    rows = math.ceil(people / columns)
    wide, high = width // columns // 2 * 2, height // rows // 2 * 2
    found = []
    for index in range(people):
        row, column = divmod(index, columns)
        in_row = min(columns, people - row * columns)
        found.append(
            ((width - in_row * wide) // 2 + column * wide, (height - rows * high) // 2 + row * high, wide, high)
        )
    return found


def encode(path: Path, scene: Scene) -> None:
    """Write the scene to ``path``."""
    options = {"live": "1"} if scene.live else {}
    with av.open(str(path), "w", format=scene.container, options=options) as media:
        picture = media.add_stream(scene.codec, rate=scene.rate) if scene.picture else None
        sound = media.add_stream("libopus", rate=SAMPLE_RATE, layout="mono") if scene.sound else None
        if picture:
            picture.width, picture.height, picture.pix_fmt = scene.width, scene.height, "yuv420p"
            picture.bit_rate = scene.bitrate
            picture.gop_size = 100
            picture.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "auto-alt-ref": "0"}
        samples = mix(scene)
        painter = Painter(scene)
        written = 0
        for tick in range(scene.ticks):
            due = round((tick + 1) / scene.rate * SAMPLE_RATE)
            while sound and written + _PACKET <= due:
                media.mux(sound.encode(_audio_frame(samples, written)))
                written += _PACKET
            if picture and tick not in scene.dropped:
                frame = av.VideoFrame.from_ndarray(painter.paint(tick), format="yuv420p")
                frame.pts, frame.time_base = tick, Fraction(1, scene.rate)
                media.mux(picture.encode(frame))
        for stream in (picture, sound):
            if stream:
                media.mux(stream.encode(None))


def _audio_frame(samples: NDArray[np.float32], start: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(samples[None, start : start + _PACKET], format="flt", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
    return frame


class Painter:
    """Draws the pictures of a scene."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._places = tiles(len(scene.people), scene.width, scene.height)
        rows, columns = np.indices((scene.height, 2 * scene.width))
        self._wall = (90 + 40 * np.sin(rows / 17) + 40 * np.sin(columns / 23)).astype(np.uint8)

    def paint(self, tick: int) -> NDArray[np.uint8]:
        """Return the picture of a tick, as the rows of its three planes."""
        scene = self._scene
        at = (tick - (tick in scene.doubled)) / scene.rate
        planes = np.full((scene.height * 3 // 2, scene.width), 128, np.uint8)
        luma = planes[: scene.height]
        luma[:] = 16 if _within(scene.black, at) else 40
        if _within(scene.black, at):
            return planes
        for index, one in enumerate(scene.people):
            if not _within(one.hidden, at):
                x, y, width, height = self._places[index if one.place is None else one.place]
                wide, high = (width, width * 9 // 16) if width * 9 <= height * 16 else (height * 16 // 9, height)
                left, top = x + (width - wide) // 2, y + (height - high) // 2
                shown = next((start for start, end in one.frozen if start <= at < end), at)
                self._person(luma[top : top + high, left : left + wide], one, shown)
        return planes

    def _person(self, tile: NDArray[np.uint8], one: Someone, at: float) -> None:
        height, width = tile.shape
        number = math.floor(at * one.rate + 1e-6)
        shift = number * 3 % width
        tile[:] = self._wall[:height, shift : shift + width]
        if one.marker is None:
            return
        counter = one.counter + math.floor(number * 30 / one.rate + 1e-6)
        bits = strip(Mark(one.marker, counter, 5_000 + round(number * 1000 / one.rate))).reshape(2, 32)
        rows, columns = np.arange(height // 9) * 18 // height, np.arange(width) * 32 // width
        tile[: height // 9] = np.where(bits, BRIGHT, DARK)[rows][:, columns]


def mix(scene: Scene) -> NDArray[np.float32]:
    """Return the sound of everybody, at 48 kHz."""
    at = np.arange(round((scene.seconds + 1) * SAMPLE_RATE)) / SAMPLE_RATE
    whole = np.zeros(at.size)
    for one in scene.people:
        if one.marker is None:
            continue
        voice = one.marker % VOICES
        sound = TONE * np.sin(2 * np.pi * TONES[voice] * at)
        chirp = BURST * burst(voice).real
        # The first burst is when the counter becomes a multiple of 30.
        first = -one.counter % 30 / 30
        for second in range(math.ceil(scene.seconds)):
            start = round(((first + second) * (1 + one.drift_ppm / 1e6) + one.sound_late) * SAMPLE_RATE)
            if 0 <= start < at.size - chirp.size:
                sound[start : start + chirp.size] += chirp
        for start, end in one.muted:
            sound[(at >= start) & (at < end)] = 0
        whole += sound
    for start, end in scene.silent:
        whole[(at >= start) & (at < end)] = 0
    return whole.astype(np.float32)


def _within(intervals: tuple[Interval, ...], at: float) -> bool:
    return any(start <= at < end for start, end in intervals)
