"""Write a scene as HLS or DASH segments with their playlist, as FFmpeg writes them."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import av

from tests.support.media.audio import SAMPLE_RATE, mix_audio
from tests.support.media.frames import FrameRenderer
from tests.support.media.streams import add_audio_stream, add_video_stream

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.media.scene import Scene

_PACKET: Final = 960
# All segments are one second long, and the playlist lists all of them.
_HLS: Final = {"hls_time": "1", "hls_list_size": "0"}
_FMP4: Final = {"hls_segment_type": "fmp4"}
_SEPARATE: Final = {
    "var_stream_map": "v:0,agroup:audio a:0,agroup:audio,default:yes",
    "master_pl_name": "master.m3u8",
}


def write_hls(folder: Path, scene: Scene, *, fmp4: bool = False, **options: str) -> Path:
    """Write a media playlist with MPEG-TS or fragmented MP4 segments, and return its path."""
    path = folder / "call.m3u8"
    _write(path, "hls", scene, {**_HLS, **(_FMP4 if fmp4 else {}), **options})
    return path


def write_hls_renditions(folder: Path, scene: Scene, *, fmp4: bool = False) -> Path:
    """Write a master playlist with separate renditions of the video and the audio, and return its path."""
    _write(folder / "stream_%v.m3u8", "hls", scene, {**_HLS, **_SEPARATE, **(_FMP4 if fmp4 else {})})
    return folder / "master.m3u8"


def write_dash(folder: Path, scene: Scene, **options: str) -> Path:
    """Write a DASH manifest with one AdaptationSet each for video and audio, and return its path."""
    path = folder / "call.mpd"
    _write(path, "dash", scene, {"seg_duration": "1", **options})
    return path


def _write(path: Path, container: str, scene: Scene, options: dict[str, str]) -> None:
    with av.open(str(path), "w", format=container, options=options) as media:
        video: Any = add_video_stream(media, "libx264", scene.frame_rate, size=(scene.width, scene.height))
        video.bit_rate = scene.bitrate
        video.gop_size = scene.frame_rate
        video.options = {"preset": "ultrafast", "tune": "zerolatency", "sc_threshold": "0"}
        audio = add_audio_stream(media, "aac", SAMPLE_RATE)
        audio.bit_rate = 128_000
        samples = mix_audio(scene)
        renderer = FrameRenderer(scene)
        written = 0
        for tick in range(scene.ticks):
            due = round((tick + 1) / scene.frame_rate * SAMPLE_RATE)
            while written + _PACKET <= due:
                block = av.AudioFrame.from_ndarray(
                    samples[None, written : written + _PACKET], format="fltp", layout="mono"
                )
                block.sample_rate, block.pts, block.time_base = SAMPLE_RATE, written, Fraction(1, SAMPLE_RATE)
                media.mux(audio.encode(block))
                written += _PACKET
            frame = av.VideoFrame.from_ndarray(renderer.render(tick), format="yuv420p")
            frame.pts, frame.time_base = tick, Fraction(1, scene.frame_rate)
            media.mux(video.encode(frame))
        for stream in (video, audio):
            media.mux(stream.encode(None))
