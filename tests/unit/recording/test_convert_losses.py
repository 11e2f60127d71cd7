"""Every part and property of a recording that a converted file does not have is reported."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import av
import pytest

from harness.recording.conversion.convert import convert
from tests.support.media.tracks import Attachment, AudioTrack, Subtitles, Track, VideoTrack, write_tracks

if TYPE_CHECKING:
    from pathlib import Path

    from harness.recording.config import Target

pytestmark = pytest.mark.parallel

VIDEO, AUDIO = VideoTrack(), AudioTrack()
H264, AAC = VideoTrack(codec="libx264"), AudioTrack(codec="aac")
UNEVEN = (0, 10, 200, 210, 600, 990)


@dataclass(frozen=True)
class Case:
    """A source, the codecs of the converted file, and patterns for the warnings that the conversion must give."""

    name: str
    tracks: tuple[Track, ...]
    to: Target
    codecs: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    suffix: str = "mkv"
    metadata: dict[str, str] = field(default_factory=dict)


CASES = [
    Case("plain", (VIDEO, AUDIO), "mp4", ("h264", "aac")),
    Case("quicktime", (VIDEO, AUDIO), "mov", ("h264", "aac")),
    Case("copy", (VIDEO, AUDIO), "mkv", ("vp8", "opus"), suffix="webm"),
    Case("audio", (AUDIO,), "m4a", ("aac",), suffix="webm"),
    Case("only the audio", (VIDEO, AUDIO), "m4a", ("aac",)),
    Case("audio as WAV", (AAC,), "wav", ("pcm_s16le",), suffix="m4a"),
    Case("audio as MP4", (AUDIO,), "mp4", ("aac",)),
    Case("plain WAV file", (AudioTrack(codec="pcm_s16le"),), "m4a", ("aac",), suffix="wav"),
    Case("stereo WAV file", (AudioTrack(codec="pcm_s16le", layout="stereo"),), "mp4", ("aac",), suffix="wav"),
    Case("WAV file as Matroska", (AudioTrack(codec="pcm_s16le"),), "mkv", ("pcm_s16le",), suffix="wav"),
    Case("video", (VIDEO,), "mp4", ("h264",)),
    Case("variable frame rate", (VideoTrack(times=UNEVEN), AUDIO), "mp4", ("h264", "aac")),
    Case("transport stream", (H264, AAC), "mp4", ("h264", "aac"), suffix="ts"),
    Case("transport stream copied", (H264, AAC), "mkv", ("h264", "aac"), suffix="ts"),
    Case("surround", (AudioTrack(layout="5.1"),), "m4a", ("aac",)),
    Case("two audio tracks", (VIDEO, AUDIO, AUDIO), "mp4", ("h264", "aac"), ("2 audio tracks.* only the first",)),
    Case("two video tracks", (VIDEO, VIDEO), "mp4", ("h264",), ("2 video tracks.* only the first",)),
    Case("two tracks copied", (VIDEO, VIDEO, AUDIO, AUDIO), "mkv", ("vp8", "vp8", "opus", "opus")),
    Case("subtitles", (VIDEO, Subtitles()), "mp4", ("h264",), ("one subtitle track; the new file has none",)),
    Case("subtitles in a copy", (VIDEO, Subtitles()), "mkv", ("vp8",), ("one subtitle track; the new file has none",)),
    Case("attachment", (VIDEO, Attachment()), "mp4", ("h264",), (r"one attachment \(notes.txt\)",)),
    Case("metadata", (AUDIO,), "m4a", ("aac",), ("metadata from the recording: CUSTOM",), "mkv", {"custom": "a"}),
    Case("title", (AUDIO,), "m4a", ("aac",), (), "mkv", {"title": "My call"}),
    Case("language", (AudioTrack(metadata={"language": "fra"}),), "wav", ("pcm_s16le",), ("track.*: language",)),
    Case("ten bits", (VideoTrack(codec="libx264", pix_fmt="yuv420p10le"),), "mp4", ("h264",), ("10 bits per",)),
    Case("full chroma", (VideoTrack(codec="libx264", pix_fmt="yuv444p"),), "mp4", ("h264",), ("yuv444p.* half",)),
    Case(
        "transparency",
        (VideoTrack(pix_fmt="yuva420p", metadata={"alpha_mode": "1"}),),
        "mp4",
        ("h264",),
        ("no transparency",),
        suffix="webm",
    ),
    Case("odd size", (VideoTrack(size=(65, 49)),), "mp4", ("h264",), ("65x49 .* 66x50",)),
    Case(
        "many samples",
        (AudioTrack(codec="pcm_s24le", rate=96_000),),
        "wav",
        ("pcm_s16le",),
        ("96000 samples per second", "more than 16 bits"),
    ),
]


def summary(path: Path) -> tuple[tuple[str, ...], list[float]]:
    """Return the codecs of a file's video and audio tracks, and the lengths of these tracks in seconds."""
    with av.open(str(path)) as media:
        streams = [*media.streams.video, *media.streams.audio]
        codecs = tuple(one.codec_context.codec.canonical_name for one in streams)
        ends = dict.fromkeys((one.index for one in streams), 0.0)
        for packet in media.demux(streams):
            if packet.pts is not None and packet.time_base and packet.size:
                end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                ends[packet.stream.index] = max(ends[packet.stream.index], end)
    return codecs, list(ends.values())


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_conversion_keeps_or_reports_everything(tmp_path: Path, case: Case) -> None:
    """Each source becomes a file of the same length, with exactly the expected warnings."""
    source = write_tracks(tmp_path / f"source.{case.suffix}", *case.tracks, metadata=case.metadata)
    warnings: list[str] = []

    path = convert(source, case.to, tmp_path / f"new.{case.to}", on_warning=warnings.append)

    codecs, lengths = summary(path)
    assert case.codecs == codecs
    assert [pytest.approx(1.0, abs=0.11)] * len(codecs) == lengths
    assert len(case.warnings) == len(warnings), warnings
    for pattern, warning in zip(case.warnings, warnings, strict=True):
        assert re.search(pattern, warning), warning


def test_title_and_language_are_kept(tmp_path: Path) -> None:
    """Metadata that the new format can store is in the new file."""
    source = write_tracks(
        tmp_path / "source.mkv", AudioTrack(metadata={"language": "fra"}), metadata={"title": "My call"}
    )

    path = convert(source, "mp4")

    with av.open(str(path)) as media:
        assert ("My call", "fra") == (media.metadata["title"], media.streams.audio[0].metadata["language"])


def test_frames_keep_their_uneven_times(tmp_path: Path) -> None:
    """If the frame rate varies, every frame keeps its time."""
    source = write_tracks(tmp_path / "source.webm", VideoTrack(times=UNEVEN), AUDIO)

    path = convert(source, "mp4")

    with av.open(str(path)) as media:
        times = [frame.time for frame in media.decode(video=0)]
    with av.open(str(source)) as media:
        assert [frame.time for frame in media.decode(video=0)] == pytest.approx(times, abs=0.0005)


def test_damaged_packets_are_reported(tmp_path: Path) -> None:
    """If some packets can't be decoded, the rest is converted, and the warning states their number."""
    source, damaged = write_tracks(tmp_path / "source.mkv", H264), tmp_path / "damaged.mkv"
    with av.open(str(source)) as media, av.open(str(damaged), "w") as output:
        stream = output.add_stream_from_template(media.streams.video[0], opaque=True)
        for number, packet in enumerate(media.demux(video=0)):
            if packet.pts is None:
                continue
            written: av.Packet[Any] = packet
            if number in {4, 5}:
                written = av.Packet(b"\xff" * packet.size)
                written.pts, written.dts, written.time_base = packet.pts, packet.dts, packet.time_base
            written.stream = stream
            output.mux(written)
    warnings: list[str] = []

    convert(damaged, "mp4", on_warning=warnings.append)

    assert any("2 packets of the video can't be decoded" in one for one in warnings), warnings
