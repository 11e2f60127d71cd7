"""Plant faults in real recordings, by remuxing packets where possible and otherwise by decoding and re-encoding."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import av
import numpy as np

from harness.recording.files.names import manifest_of
from harness.recording.manifest import Manifest
from harness.recording.recording import Recording, sha256_of
from harness.recording.timeline import VOICES
from harness.verification.markers.audio_signals import TONES
from tests.support.media.streams import add_audio_stream, add_video_stream

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

SAMPLE_RATE: Final = 48_000
_PACKET: Final = 960
# Half the width of the band that is removed around a tone, in Hz.
_NOTCH_HZ: Final = 30.0
# Duration of the fade at each end of a removed tone, in seconds.
_FADE: Final = 0.01
# Minimum gap in samples; MediaRecorder's packets are 60 ms long.
_GAP: Final = 2_160

Planes = Any
Interval = tuple[float, float]


@dataclass(frozen=True)
class DecodedMedia:
    """A decoded recording: one frame per tick as rows of Y, U and V, and the audio as channels by samples."""

    rate: int
    frames: list[NDArray[np.uint8]]
    audio: NDArray[np.float32]
    # The ticks whose frames are not written.
    missing: frozenset[int] = frozenset()

    @property
    def seconds(self) -> float:
        """The duration of the video in seconds."""
        return len(self.frames) / self.rate


def decoded(recording: Recording) -> DecodedMedia:
    """Return a decoded recording; a tick without a frame repeats the previous frame."""
    assert recording.frame_rate is not None
    frames: list[NDArray[np.uint8]] = []
    pieces: list[tuple[int, NDArray[np.float32]]] = []
    with av.open(recording.path) as media:
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=SAMPLE_RATE)
        for packet in media.demux():
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame):
                    at = frame.time or 0.0
                    planes = _planes(frame)
                    while frames and len(frames) < round(at * recording.frame_rate):
                        frames.append(frames[-1])
                    frames.append(planes)
                elif isinstance(frame, av.AudioFrame):
                    start = round((frame.time or 0.0) * SAMPLE_RATE)
                    pieces += [(start, one.to_ndarray().astype(np.float32)) for one in resampler.resample(frame)]
    return DecodedMedia(recording.frame_rate, frames, _joined(pieces))


def _planes(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """Return a frame's rows of Y, U and V."""
    return frame.to_ndarray(format="yuv420p").astype(np.uint8)


def _joined(pieces: list[tuple[int, NDArray[np.float32]]]) -> NDArray[np.float32]:
    """Join blocks of audio. Packet timestamps are off by a few ms, so a block is shifted only after a real gap."""
    joined: list[NDArray[np.float32]] = []
    end = 0
    for start, piece in pieces:
        if not joined or start - end > _GAP:
            joined.append(np.zeros((2, max(0, start - end)), np.float32))
            end = max(end, start)
        joined.append(piece)
        end += piece.shape[1]
    return np.concatenate(joined, axis=1)


def encoded(source: DecodedMedia, path: Path, *, codec: str = "libvpx-vp9", container: str = "webm") -> None:
    """Write decoded media to a file, leaving out the frames of missing ticks."""
    rows, width = source.frames[0].shape
    height = rows * 2 // 3
    with av.open(str(path), "w", format=container) as media:
        video = add_video_stream(media, codec, source.rate, size=(width, height))
        video.bit_rate = 2_500_000
        video.gop_size = 2 * source.rate
        video.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "auto-alt-ref": "0"}
        audio = add_audio_stream(media, "libopus", SAMPLE_RATE, layout="stereo")
        written = 0
        for tick, planes in enumerate(source.frames):
            due = min(source.audio.shape[1], round((tick + 1) / source.rate * SAMPLE_RATE))
            while written + _PACKET <= due:
                piece = np.ascontiguousarray(source.audio[:, written : written + _PACKET])
                samples = av.AudioFrame.from_ndarray(piece, format="fltp", layout="stereo")
                samples.sample_rate, samples.pts, samples.time_base = SAMPLE_RATE, written, Fraction(1, SAMPLE_RATE)
                media.mux(audio.encode(samples))
                written += _PACKET
            if tick not in source.missing:
                frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
                frame.pts, frame.time_base = tick, Fraction(1, source.rate)
                media.mux(video.encode(frame))
        media.mux(video.encode(None))
        media.mux(audio.encode(None))


def remuxed(
    source: Path, path: Path, *, move_audio: Callable[[float], float] = float, until: float = float("inf")
) -> None:
    """Copy all packets. ``move_audio`` maps an audio packet's time to its new time, and ``until`` is the copy's end."""
    with av.open(source) as media, av.open(str(path), "w", format="webm") as target:
        streams = {stream.index: target.add_stream_from_template(stream) for stream in media.streams}
        for packet in media.demux():
            if packet.pts is None or packet.time_base is None or not packet.size:
                continue
            at = float(packet.pts * packet.time_base)
            if packet.stream.type == "audio":
                at = move_audio(at)
            if 0 <= at < until:
                packet.pts = packet.dts = round(at / packet.time_base)
                packet.stream = streams[packet.stream.index]
                target.mux(packet)


def with_manifest(recording: Recording, path: Path, *, ticks_missed: int | None = None, **changes: Any) -> Recording:
    """Write a manifest for a file with a planted fault: the original manifest, with the new file's properties.

    Re-encoded media has a frame at every tick, so callers that re-encode set ``ticks_missed`` to 0.
    """
    manifest = Manifest.read(recording.manifest)
    facts = {"path": path, "manifest": manifest_of(path), "sha256": sha256_of(path), "size": path.stat().st_size}
    copied = manifest.recording.model_copy(update=facts | changes)
    missed = manifest.ticks_missed if ticks_missed is None else ticks_missed
    manifest.model_copy(update={"recording": copied, "ticks_missed": missed}).write(copied.manifest)
    return copied


# ---- faults in video and audio --------------------------------------------------------------------------------------


def ticks(source: DecodedMedia, at: Interval) -> range:
    """Return the ticks of an interval in seconds."""
    return range(round(at[0] * source.rate), round(at[1] * source.rate))


def areas(recording: Recording, name: str) -> tuple[tuple[slice, slice], ...]:
    """Return the areas of a participant's tile in the rows of Y, U and V."""
    assert recording.width is not None
    assert recording.height is not None
    timeline = Manifest.read(recording.manifest).timeline
    tile = timeline.tile(name, recording.duration / 2)
    assert tile is not None
    y, x, high, wide = tile.y, tile.x, tile.height, tile.width
    quarter = recording.height // 4
    # One row of this array contains two rows of U or V, so each half of a row is a separate area.
    rows = [slice(recording.height + part + y // 4, recording.height + part + (y + high) // 4) for part in (0, quarter)]
    half = recording.width // 2
    found = [(slice(y, y + high), slice(x, x + wide))]
    found += [(row, slice(side + x // 2, side + (x + wide) // 2)) for row in rows for side in (0, half)]
    return tuple(found)


def covered(source: DecodedMedia, recording: Recording, name: str, at: Interval) -> DecodedMedia:
    """Return the media with a gray area over a participant's video during an interval."""
    frames = list(source.frames)
    for tick in ticks(source, at):
        frames[tick] = frames[tick].copy()
        frames[tick][areas(recording, name)[0]] = 60
    return DecodedMedia(source.rate, frames, source.audio)


def frozen(source: DecodedMedia, recording: Recording, name: str, at: Interval) -> DecodedMedia:
    """Return the media with a participant's video frozen during an interval."""
    frames = list(source.frames)
    still = frames[ticks(source, at)[0]]
    for tick in ticks(source, at):
        frames[tick] = frames[tick].copy()
        for area in areas(recording, name):
            frames[tick][area] = still[area]
    return DecodedMedia(source.rate, frames, source.audio)


def swapped(source: DecodedMedia, recording: Recording, one: str, other: str) -> DecodedMedia:
    """Return the media with the tiles of two participants swapped."""
    frames = [planes.copy() for planes in source.frames]
    for planes in frames:
        for mine, theirs in zip(areas(recording, one), areas(recording, other), strict=True):
            planes[mine], planes[theirs] = planes[theirs].copy(), planes[mine].copy()
    return DecodedMedia(source.rate, frames, source.audio)


def blackened(source: DecodedMedia, at: Interval) -> DecodedMedia:
    """Return the media with black video during an interval."""
    frames = list(source.frames)
    for tick in ticks(source, at):
        frames[tick] = np.full_like(frames[tick], 128)
        frames[tick][: frames[tick].shape[0] * 2 // 3] = 16
    return DecodedMedia(source.rate, frames, source.audio)


def dropped(source: DecodedMedia, every: int) -> DecodedMedia:
    """Return the media with one out of ``every`` frames removed."""
    missing = frozenset(tick for tick in range(len(source.frames)) if tick % every == every // 2)
    return DecodedMedia(source.rate, source.frames, source.audio, missing)


def doubled(source: DecodedMedia, every: int) -> DecodedMedia:
    """Return the media with one out of ``every`` frames replaced by the previous frame."""
    frames = [source.frames[tick - 1 if tick % every == every // 2 else tick] for tick in range(len(source.frames))]
    return DecodedMedia(source.rate, frames, source.audio)


def at_half_rate(source: DecodedMedia) -> DecodedMedia:
    """Return the media with only every second frame, at half the frame rate."""
    return DecodedMedia(source.rate // 2, source.frames[::2], source.audio)


def smaller(source: DecodedMedia, width: int, height: int) -> DecodedMedia:
    """Return the media scaled to another size."""
    scaled = [
        _planes(av.VideoFrame.from_ndarray(planes, format="yuv420p").reformat(width, height))
        for planes in source.frames
    ]
    return DecodedMedia(source.rate, scaled, source.audio)


def without_tone(source: DecodedMedia, marker: int, at: Interval) -> DecodedMedia:
    """Return the media without a participant's tone during an interval."""
    spectrum = np.fft.rfft(source.audio, axis=1)
    hertz = np.fft.rfftfreq(source.audio.shape[1], 1 / SAMPLE_RATE)
    spectrum[:, np.abs(hertz - TONES[marker % VOICES]) < _NOTCH_HZ] = 0
    without = np.fft.irfft(spectrum, source.audio.shape[1], axis=1)
    time = np.arange(source.audio.shape[1]) / SAMPLE_RATE
    share = np.clip(np.minimum(time - at[0], at[1] - time) / _FADE, 0, 1)
    return DecodedMedia(source.rate, source.frames, (source.audio * (1 - share) + without * share).astype(np.float32))


def silenced(source: DecodedMedia, at: Interval) -> DecodedMedia:
    """Return the media with silent audio during an interval."""
    audio = source.audio.copy()
    audio[:, round(at[0] * SAMPLE_RATE) : round(at[1] * SAMPLE_RATE)] = 0
    return DecodedMedia(source.rate, source.frames, audio)
