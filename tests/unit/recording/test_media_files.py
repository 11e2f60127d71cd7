"""The installed version of PyAV can open files in every supported format."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from harness.recording.files.formats import open_media
from harness.verification import verify
from harness.verification.probe.probe import probe
from tests.support.media.recording_file import write_recording
from tests.support.media.scene import Scene, participants
from tests.support.media.streams import add_audio_stream, add_video_stream

pytestmark = pytest.mark.parallel

# By suffix: FFmpeg's name for the container, and the encoders of its tracks.
KINDS = {
    "webm": ("webm", "libvpx", "libopus"),
    "mkv": ("matroska", "libvpx", "libopus"),
    "mp4": ("mp4", "libx264", "aac"),
    "mov": ("mov", "libx264", "aac"),
    "m4a": ("ipod", None, "aac"),
    "ts": ("mpegts", "libx264", "aac"),
    "avi": ("avi", "mpeg4", "mp3"),
    "flv": ("flv", "flv", "mp3"),
    "ivf": ("ivf", "libvpx", None),
    "ogg": ("ogg", None, "libopus"),
    "mp3": ("mp3", None, "mp3"),
    "aac": ("adts", None, "aac"),
    "flac": ("flac", None, "flac"),
    "wav": ("wav", None, "pcm_s16le"),
    "w64": ("w64", None, "pcm_s16le"),
    "aiff": ("aiff", None, "pcm_s16be"),
}
SECONDS = 1


def media_file(path: Path, container: str, video: str | None, audio: str | None) -> Path:
    """Write one second of gray frames and noise."""
    with av.open(str(path), "w", format=container) as media:
        frames = add_video_stream(media, video, 25, size=(64, 48)) if video else None
        samples = add_audio_stream(media, audio, 48_000, layout="stereo") if audio else None
        if frames:
            for number in range(25 * SECONDS):
                frame = av.VideoFrame.from_ndarray(np.full((72, 64), 100 + number, np.uint8), format="yuv420p")
                frame.pts, frame.time_base = number, Fraction(1, 25)
                media.mux(frames.encode(frame))
            media.mux(frames.encode(None))
        if samples:
            noise = np.random.default_rng(1).integers(-8000, 8000, (1, 2 * 48_000 * SECONDS)).astype(np.int16)
            piece = av.AudioFrame.from_ndarray(noise, format="s16", layout="stereo")
            piece.sample_rate, piece.pts, piece.time_base = 48_000, 0, Fraction(1, 48_000)
            media.mux(samples.encode(piece))
            media.mux(samples.encode(None))
    return path


@pytest.mark.parametrize("suffix", KINDS)
def test_every_format_is_opened_and_decoded(tmp_path: Path, suffix: str) -> None:
    """In every supported format, all frames and samples are decoded without an error."""
    _, video, audio = KINDS[suffix]
    path = media_file(tmp_path / f"some.{suffix}", *KINDS[suffix])

    streams = probe(path)

    assert not streams.truncated
    assert (25 * SECONDS if video else None) == (streams.video.decoded if streams.video else None)
    assert bool(audio) == bool(streams.audio)
    if streams.audio:
        assert SECONDS == pytest.approx(streams.audio.duration, abs=0.1)
        assert 0 == streams.audio.broken


def test_file_with_metadata_that_is_not_utf8_is_opened(tmp_path: Path) -> None:
    """A media file can be verified and opened even if its metadata is not valid UTF-8."""
    recording = write_recording(tmp_path / "take.webm", Scene(participants=participants("alice"), seconds=2.0))
    data = recording.path.read_bytes()
    assert b"Lavf" in data
    recording.path.write_bytes(data.replace(b"Lavf", b"\xff\xfe\xc3\x28"))
    recording.manifest.unlink()

    report = verify(recording.path)

    assert () == report.failures
    with open_media(recording.path) as media:
        assert ["video", "audio"] == [stream.type for stream in media.streams]


def test_decoder_has_at_most_four_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder has at most four threads, because each thread holds its own frames in memory."""
    path = media_file(tmp_path / "some.webm", *KINDS["webm"])
    monkeypatch.setattr("harness.recording.files.formats.processors", lambda: 64)

    with open_media(path) as media:
        assert [4, 4] == [stream.codec_context.thread_count for stream in media.streams]
