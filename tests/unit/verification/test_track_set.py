"""Every track of a file is listed and measured, and the checks examine the default tracks or the chosen one."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from harness.errors import ConfigError
from harness.verification import verify
from harness.verification.probe.track_set import MOST_DECODED, MOST_LISTED
from tests.support.media.streams import add_audio_stream, add_video_stream

if TYPE_CHECKING:
    from pathlib import Path

    from harness.verification import Report
    from harness.verification.values.models import Track

pytestmark = [pytest.mark.parallel, pytest.mark.usefixtures("in_process")]

RATE = 48_000
SECONDS = 2
FORMATS = {
    "webm": ("webm", "libvpx", "libopus"),
    "mkv": ("matroska", "libvpx", "libopus"),
    "mp4": ("mp4", "libx264", "aac"),
    "mov": ("mov", "libx264", "aac"),
    "ts": ("mpegts", "libx264", "aac"),
}


def write(path: Path, kinds: str, *, default: int | None = None) -> Path:
    """Write a file with one track per letter: v for video, b for black video, a for a tone, s for silence.

    A capital letter stands for a track without packets. ``default`` is the index of the only default track.
    """
    container, video_codec, audio_codec = FORMATS[path.suffix[1:]]
    # The MP4 muxer declares a track without packets only in a fragmented file.
    options = {"movflags": "empty_moov"} if kinds != kinds.lower() and path.suffix in {".mp4", ".mov"} else {}
    with av.open(str(path), "w", format=container, options=options) as media:
        streams = [
            add_video_stream(media, video_codec, 30, size=(64, 48))
            if kind in "vbVB"
            else add_audio_stream(media, audio_codec, RATE)
            for kind in kinds
        ]
        for number, stream in enumerate(streams if default is not None else ()):
            stream.disposition = av.stream.Disposition.default if number == default else av.stream.Disposition(0)
        packets = []
        for kind, stream in zip(kinds, streams, strict=True):
            frames = _video(kind) if kind in "vb" else _audio(kind) if kind in "as" else []
            # A codec that was never opened has no parameters, so open it even if the track stays empty.
            stream.codec_context.open(strict=False)
            packets += [packet for frame in (*frames, None) for packet in stream.encode(frame)] if frames else []
        media.start_encoding()
        for packet in sorted(packets, key=lambda packet: (packet.dts or 0) * (packet.time_base or 0)):
            media.mux(packet)
    return path


def _video(kind: str) -> list[av.VideoFrame]:
    frames = []
    for number in range(30 * SECONDS):
        pixels = np.full((72, 64), 128, np.uint8)
        pixels[:48] = 16 if kind == "b" else 60 + number % 100
        frame = av.VideoFrame.from_ndarray(pixels, format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, 30)
        frames.append(frame)
    return frames


def _audio(kind: str) -> list[av.AudioFrame]:
    times = np.arange(RATE * SECONDS) / RATE
    samples = np.sin(2 * np.pi * 440 * times).astype(np.float32) * (0.3 if kind == "a" else 0)
    frames = []
    for start in range(0, samples.size, 960):
        frame = av.AudioFrame.from_ndarray(samples[None, start : start + 960], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
        frames.append(frame)
    return frames


def tracks_of(report: Report) -> tuple[Track, ...]:
    """Return the tracks that a report lists."""
    assert report.media is not None
    return report.media.tracks


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "mov", "ts"])
def test_first_audio_track_that_is_silent_is_named_with_the_track_that_is_not(tmp_path: Path, suffix: str) -> None:
    """Both audio tracks are measured, and the failure names the track that has audio."""
    report = verify(write(tmp_path / f"two.{suffix}", "vsa"))

    assert [("video", None), ("audio", True), ("audio", False)] == [
        (track.kind, track.silent) for track in tracks_of(report)
    ]
    assert [True, True, False] == [track.examined for track in tracks_of(report)]
    (failure,) = report.failures
    assert "silent" == failure.check
    assert "This is track 1. Track 2 is not silent; to examine it, use --track 2." in failure.message


def test_chosen_track_is_examined_instead_of_the_default_one(tmp_path: Path) -> None:
    """The chosen audio track replaces the first one, and the other one is named in a warning."""
    report = verify(write(tmp_path / "two.mkv", "vsa"), track=2)

    assert () == report.failures
    assert [True, False, True] == [track.examined for track in tracks_of(report)]
    assert "two.mkv also contains track 1 (audio, opus, 2.0" in report.warnings[0].message
    assert "silent), which was decoded and measured" in report.warnings[0].message


def test_chosen_video_track_is_examined(tmp_path: Path) -> None:
    """The number of a video track replaces the video, and the audio stays the default one."""
    path = write(tmp_path / "two.mkv", "vba")

    first, second = verify(path), verify(path, track=1)

    assert [None, True] == [
        next((one.examined for one in tracks_of(report) if one.black and one.examined), None)
        for report in (first, second)
    ]
    assert () == first.failures
    assert ["black"] == [one.check for one in second.failures]


def test_default_track_is_examined(tmp_path: Path) -> None:
    """Without a choice, the checks examine the audio track that the file marks as the default one."""
    report = verify(write(tmp_path / "two.mkv", "vsa", default=2))

    assert () == report.failures
    assert [True, False, True] == [track.examined for track in tracks_of(report)]


@pytest.mark.parametrize("number", [1, 7])
def test_track_that_cannot_be_examined_fails_with_the_list_of_tracks(tmp_path: Path, number: int) -> None:
    """If the chosen track does not exist, the report fails with one line that names the existing tracks."""
    report = verify(write(tmp_path / "one.mkv", "a"), track=number)

    message = f"one.mkv has no video or audio track {number} that can be decoded; choose one of these: 0 (audio, opus)."
    assert [message] == [one.message for one in report.failures]


def test_negative_track_is_refused(tmp_path: Path) -> None:
    """A negative number is a usage error."""
    with pytest.raises(ConfigError, match=r"^track: -1 is not valid; give the number of a track, counting from 0\.$"):
        verify(write(tmp_path / "one.mkv", "a"), track=-1)


@pytest.mark.parametrize("suffix", ["webm", "mkv", "mp4", "mov"])
@pytest.mark.parametrize(("kinds", "kind", "number"), [("vA", "audio", 1), ("Va", "video", 0), ("vaA", "audio", 2)])
def test_empty_track_is_the_only_problem(tmp_path: Path, suffix: str, kinds: str, kind: str, number: int) -> None:
    """A track without packets is reported in plain words, and nothing else fails."""
    report = verify(write(tmp_path / f"some.{suffix}", kinds))

    (failure,) = report.failures
    assert f"some.{suffix} declares {kind} (track {number}, " in failure.message
    assert failure.message.endswith(") but contains none.")


def test_file_whose_only_track_is_empty_is_described(tmp_path: Path) -> None:
    """A file that declares one track and has no packets at all can't be read, and the message says why."""
    (failure,) = verify(write(tmp_path / "some.mp4", "A")).failures

    assert "some.mp4 declares audio (track 0, aac) but contains none." == failure.message


def test_number_of_decoded_and_listed_tracks_is_limited(tmp_path: Path) -> None:
    """A file with very many tracks is not decoded completely, and the report says so."""
    path = tmp_path / "many.mkv"
    count = MOST_LISTED + 10
    with av.open(str(path), "w", format="matroska") as media:
        streams = [media.add_stream("pcm_s16le", rate=8000, layout="mono") for _ in range(count)]
        tone = (np.sin(np.arange(8000) / 3) * 9000).astype(np.int16)[None]
        for stream in streams:
            frame = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
            frame.sample_rate, frame.pts = 8000, 0
            media.mux(stream.encode(frame))

    report = verify(path)

    assert MOST_LISTED == len(tracks_of(report))
    assert MOST_DECODED == sum(track.packets is not None for track in tracks_of(report))
    assert any("and 10 more tracks, which could not be examined" in one.message for one in report.unverified)
