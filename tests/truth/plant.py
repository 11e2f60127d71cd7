"""Plant faults into real recordings: by remuxing if packets are enough, otherwise by decoding and encoding again."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import av
import numpy as np

from harness.recording.files.names import manifest_of
from harness.recording.manifest import Manifest
from harness.recording.recording import Recording, sha256_of
from harness.verification.markers.audio_markers import TONES, VOICES
from tests.support.media.streams import add_audio_stream, add_video_stream

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

SAMPLE_RATE: Final = 48_000
_PACKET: Final = 960
# What is left of a tone's neighbourhood, and how long the cut fades in and out.
_NOTCH_HZ: Final = 30.0
_FADE: Final = 0.01
# A packet of MediaRecorder holds 60 ms; in samples.
_HOLE: Final = 2_160

Planes = Any
Interval = tuple[float, float]


@dataclass(frozen=True)
class DecodedMedia:
    """A recording, decoded: its pictures as rows of Y, U and V by tick, and its sound (channels by samples)."""

    rate: int
    pictures: list[NDArray[np.uint8]]
    sound: NDArray[np.float32]
    # Ticks whose frame is not written.
    missing: frozenset[int] = frozenset()

    @property
    def seconds(self) -> float:
        """How long its pictures last."""
        return len(self.pictures) / self.rate


def decoded(recording: Recording) -> DecodedMedia:
    """Return a recording in memory; a tick without a picture repeats the one before."""
    assert recording.frame_rate is not None
    pictures: list[NDArray[np.uint8]] = []
    pieces: list[tuple[int, NDArray[np.float32]]] = []
    with av.open(recording.path) as media:
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=SAMPLE_RATE)
        for packet in media.demux():
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame):
                    at = frame.time or 0.0
                    planes = _planes(frame)
                    while pictures and len(pictures) < round(at * recording.frame_rate):
                        pictures.append(pictures[-1])
                    pictures.append(planes)
                elif isinstance(frame, av.AudioFrame):
                    start = round((frame.time or 0.0) * SAMPLE_RATE)
                    pieces += [(start, one.to_ndarray().astype(np.float32)) for one in resampler.resample(frame)]
    return DecodedMedia(recording.frame_rate, pictures, _joined(pieces))


def _planes(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """Return the rows of Y, U and V of a frame."""
    return frame.to_ndarray(format="yuv420p").astype(np.uint8)


def _joined(pieces: list[tuple[int, NDArray[np.float32]]]) -> NDArray[np.float32]:
    """Return blocks of audio in one: timestamps of packets are some ms off, so only a gap moves what follows."""
    joined: list[NDArray[np.float32]] = []
    end = 0
    for start, piece in pieces:
        if not joined or start - end > _HOLE:
            joined.append(np.zeros((2, max(0, start - end)), np.float32))
            end = max(end, start)
        joined.append(piece)
        end += piece.shape[1]
    return np.concatenate(joined, axis=1)


def encoded(film: DecodedMedia, path: Path, *, codec: str = "libvpx-vp9", container: str = "webm") -> None:
    """Write decoded media to a file; a missing tick stays empty."""
    rows, width = film.pictures[0].shape
    height = rows * 2 // 3
    with av.open(str(path), "w", format=container) as media:
        picture = add_video_stream(media, codec, film.rate, size=(width, height))
        picture.bit_rate = 2_500_000
        picture.gop_size = 2 * film.rate
        picture.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "auto-alt-ref": "0"}
        sound = add_audio_stream(media, "libopus", SAMPLE_RATE, layout="stereo")
        written = 0
        for tick, planes in enumerate(film.pictures):
            due = min(film.sound.shape[1], round((tick + 1) / film.rate * SAMPLE_RATE))
            while written + _PACKET <= due:
                piece = np.ascontiguousarray(film.sound[:, written : written + _PACKET])
                samples = av.AudioFrame.from_ndarray(piece, format="fltp", layout="stereo")
                samples.sample_rate, samples.pts, samples.time_base = SAMPLE_RATE, written, Fraction(1, SAMPLE_RATE)
                media.mux(sound.encode(samples))
                written += _PACKET
            if tick not in film.missing:
                frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
                frame.pts, frame.time_base = tick, Fraction(1, film.rate)
                media.mux(picture.encode(frame))
        media.mux(picture.encode(None))
        media.mux(sound.encode(None))


def remuxed(source: Path, path: Path, *, sound: Callable[[float], float] = float, until: float = float("inf")) -> None:
    """Copy the packets: ``sound`` says when a packet of sound at some second is heard, ``until`` cuts what is later."""
    with av.open(source) as media, av.open(str(path), "w", format="webm") as target:
        streams = {stream.index: target.add_stream_from_template(stream) for stream in media.streams}
        for packet in media.demux():
            if packet.pts is None or packet.time_base is None or not packet.size:
                continue
            at = float(packet.pts * packet.time_base)
            if packet.stream.type == "audio":
                at = sound(at)
            if 0 <= at < until:
                packet.pts = packet.dts = round(at / packet.time_base)
                packet.stream = streams[packet.stream.index]
                target.mux(packet)


def told(recording: Recording, path: Path, *, ticks_missed: int | None = None, **changes: Any) -> Recording:
    """Write beside a planted file the manifest of the recording that it was made from, as if it were that very file.

    A film has a picture at every tick: whoever paints one says that its recorder missed none.
    """
    manifest = Manifest.read(recording.manifest)
    facts = {"path": path, "manifest": manifest_of(path), "sha256": sha256_of(path), "size": path.stat().st_size}
    copied = manifest.recording.model_copy(update=facts | changes)
    missed = manifest.ticks_missed if ticks_missed is None else ticks_missed
    manifest.model_copy(update={"recording": copied, "ticks_missed": missed}).write(copied.manifest)
    return copied


# ---- what can go wrong with a picture and with sound ----------------------------------------------------------------


def ticks(film: DecodedMedia, at: Interval) -> range:
    """Return the ticks from one second to another."""
    return range(round(at[0] * film.rate), round(at[1] * film.rate))


def areas(recording: Recording, name: str) -> tuple[tuple[slice, slice], ...]:
    """Return the areas of a participant's tile in the rows of Y, U and V."""
    assert recording.width is not None
    assert recording.height is not None
    timeline = Manifest.read(recording.manifest).timeline
    tile = timeline.tile(name, recording.duration / 2)
    assert tile is not None
    y, x, high, wide = tile.y, tile.x, tile.height, tile.width
    quarter = recording.height // 4
    # Two rows of a small plane make one row of this array, so U and V are reached by their halves.
    rows = [slice(recording.height + part + y // 4, recording.height + part + (y + high) // 4) for part in (0, quarter)]
    half = recording.width // 2
    found = [(slice(y, y + high), slice(x, x + wide))]
    found += [(row, slice(side + x // 2, side + (x + wide) // 2)) for row in rows for side in (0, half)]
    return tuple(found)


def covered(film: DecodedMedia, recording: Recording, name: str, at: Interval) -> DecodedMedia:
    """Return the film with a grey card in place of somebody's picture for a while."""
    pictures = list(film.pictures)
    for tick in ticks(film, at):
        pictures[tick] = pictures[tick].copy()
        pictures[tick][areas(recording, name)[0]] = 60
    return DecodedMedia(film.rate, pictures, film.sound)


def frozen(film: DecodedMedia, recording: Recording, name: str, at: Interval) -> DecodedMedia:
    """Return the film with somebody's picture standing still for a while."""
    pictures = list(film.pictures)
    still = pictures[ticks(film, at)[0]]
    for tick in ticks(film, at):
        pictures[tick] = pictures[tick].copy()
        for area in areas(recording, name):
            pictures[tick][area] = still[area]
    return DecodedMedia(film.rate, pictures, film.sound)


def swapped(film: DecodedMedia, recording: Recording, one: str, other: str) -> DecodedMedia:
    """Return the film with two people in each other's place."""
    pictures = [planes.copy() for planes in film.pictures]
    for planes in pictures:
        for mine, theirs in zip(areas(recording, one), areas(recording, other), strict=True):
            planes[mine], planes[theirs] = planes[theirs].copy(), planes[mine].copy()
    return DecodedMedia(film.rate, pictures, film.sound)


def blackened(film: DecodedMedia, at: Interval) -> DecodedMedia:
    """Return the film with a black picture for a while."""
    pictures = list(film.pictures)
    for tick in ticks(film, at):
        pictures[tick] = np.full_like(pictures[tick], 128)
        pictures[tick][: pictures[tick].shape[0] * 2 // 3] = 16
    return DecodedMedia(film.rate, pictures, film.sound)


def dropped(film: DecodedMedia, every: int) -> DecodedMedia:
    """Return the film without one picture in so many."""
    missing = frozenset(tick for tick in range(len(film.pictures)) if tick % every == every // 2)
    return DecodedMedia(film.rate, film.pictures, film.sound, missing)


def doubled(film: DecodedMedia, every: int) -> DecodedMedia:
    """Return the film with one picture in so many shown twice, in place of the next."""
    pictures = [film.pictures[tick - 1 if tick % every == every // 2 else tick] for tick in range(len(film.pictures))]
    return DecodedMedia(film.rate, pictures, film.sound)


def at_half_rate(film: DecodedMedia) -> DecodedMedia:
    """Return the film with every other picture, at half the rate."""
    return DecodedMedia(film.rate // 2, film.pictures[::2], film.sound)


def smaller(film: DecodedMedia, width: int, height: int) -> DecodedMedia:
    """Return the film in another size."""
    scaled = [
        _planes(av.VideoFrame.from_ndarray(planes, format="yuv420p").reformat(width, height))
        for planes in film.pictures
    ]
    return DecodedMedia(film.rate, scaled, film.sound)


def hushed(film: DecodedMedia, marker: int, at: Interval) -> DecodedMedia:
    """Return the film without somebody's tone for a while."""
    spectrum = np.fft.rfft(film.sound, axis=1)
    hertz = np.fft.rfftfreq(film.sound.shape[1], 1 / SAMPLE_RATE)
    spectrum[:, np.abs(hertz - TONES[marker % VOICES]) < _NOTCH_HZ] = 0
    without = np.fft.irfft(spectrum, film.sound.shape[1], axis=1)
    time = np.arange(film.sound.shape[1]) / SAMPLE_RATE
    share = np.clip(np.minimum(time - at[0], at[1] - time) / _FADE, 0, 1)
    return DecodedMedia(film.rate, film.pictures, (film.sound * (1 - share) + without * share).astype(np.float32))


def silenced(film: DecodedMedia, at: Interval) -> DecodedMedia:
    """Return the film with no sound at all for a while."""
    sound = film.sound.copy()
    sound[:, round(at[0] * SAMPLE_RATE) : round(at[1] * SAMPLE_RATE)] = 0
    return DecodedMedia(film.rate, film.pictures, sound)
