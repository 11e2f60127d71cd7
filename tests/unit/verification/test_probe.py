"""Test ``probe``, which reads a file's structure and packets, and decodes its video and audio."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from harness.verification.probe.container import read_structure
from harness.verification.probe.probe import UnreadableError, probe
from harness.verification.probe.tracks import AudioBlock, Frame
from tests.support.media.frames import FrameRenderer
from tests.support.media.recording_file import write_media
from tests.support.media.scene import Scene, participants

pytestmark = pytest.mark.parallel

SCENE = Scene(participants=participants("alice"), seconds=2.0)


class RecordingSink:
    """A sink that stores the times of frames and audio blocks."""

    def __init__(self) -> None:
        self.frame_times: list[float] = []
        self.audio_times: list[float] = []
        self.samples = 0

    def on_frame(self, frame: Frame) -> None:
        """Store the time of a frame."""
        self.frame_times.append(frame.at)

    def on_audio(self, block: AudioBlock) -> None:
        """Store the time of a block of audio."""
        self.audio_times.append(block.at)
        self.samples += block.samples.size


@pytest.fixture(scope="module")
def webm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a complete WebM file that lasts two seconds."""
    path = tmp_path_factory.mktemp("probe") / "standup.webm"
    write_media(path, SCENE)
    return path


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a live WebM file, that is, a file without an index whose clusters have an unknown size."""
    path = tmp_path_factory.mktemp("probe") / "live.webm"
    write_media(path, Scene(participants=SCENE.participants, seconds=2.0, live=True))
    return path


def test_structure_of_a_finished_webm_is_read(webm: Path) -> None:
    """A finished WebM file has a DocType, Duration, Cues and SeekHead."""
    structure = read_structure(webm)

    assert structure is not None
    assert structure.container == "webm"
    assert structure.duration == pytest.approx(2.0, abs=0.05)  # The tolerance allows for an Opus packet of 20 ms.
    assert (structure.cues, structure.seek_head, structure.complete) == (True, True, True)


def test_structure_of_a_live_webm_is_read(live: Path) -> None:
    """A live WebM file counts as complete, although it has no Duration or Cues."""
    structure = read_structure(live)

    assert structure is not None
    assert (structure.duration, structure.cues, structure.complete) == (None, False, True)


def test_structure_of_a_truncated_webm_is_incomplete(webm: Path, tmp_path: Path) -> None:
    """A file with an incomplete last element is reported as truncated."""
    cut = tmp_path / "cut.webm"
    cut.write_bytes(webm.read_bytes()[:20_000])

    structure = read_structure(cut)

    assert structure is not None
    assert not structure.complete


def test_sinks_receive_every_frame_and_all_audio_once(webm: Path) -> None:
    """The sinks receive 60 frames and two seconds of audio, each with its time relative to the start of the file."""
    sink = RecordingSink()

    streams = probe(webm, video_sinks=[sink], audio_sinks=[sink])

    assert sink.frame_times == pytest.approx(np.arange(60) / 30, abs=0.0006)  # WebM times are whole milliseconds.
    assert sink.samples / 48_000 == pytest.approx(2.0, abs=0.021)  # The tolerance is one packet.
    assert streams.video is not None
    assert streams.video.times == pytest.approx(sink.frame_times)
    assert streams.video.sizes == ((0.0, 320, 180),)
    assert (streams.container, streams.truncated, streams.seekable) == ("webm", False, True)


def test_mp4_named_webm_is_probed_as_mp4(tmp_path: Path) -> None:
    """The container format is determined from the bytes, not from the file name."""
    path = tmp_path / "standup.webm"
    write_media(path, Scene(participants=SCENE.participants, seconds=1.0, container="mp4", codec="libvpx-vp9"))

    streams = probe(path)

    assert streams.container == "mp4"
    assert streams.video is not None
    assert (streams.video.codec, streams.video.times.size) == ("vp9", 30)


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_single_track_is_probed(tmp_path: Path, kind: str) -> None:
    """A file that contains only video or only audio is read like any other file."""
    path = tmp_path / "standup.webm"
    write_media(path, Scene(participants=SCENE.participants, seconds=2.0, video=kind == "video", audio=kind == "audio"))

    streams = probe(path)

    assert (kind == "video", kind == "audio") == (streams.video is not None, streams.audio is not None)
    assert streams.seekable


def test_change_of_the_frame_size_is_recorded_with_its_time(tmp_path: Path) -> None:
    """A change of the frame size is found in the decoded frames, since the header contains only the first size."""
    path = tmp_path / "resized.webm"
    with av.open(str(path), "w", format="webm") as media:
        stream = media.add_stream("libvpx", rate=30)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        other = av.CodecContext.create("libvpx", "w")
        other.width, other.height, other.pix_fmt, other.time_base = 160, 90, "yuv420p", Fraction(1, 30)
        for encoder, width, first in ((stream, 320, 0), (other, 160, 10)):
            renderer = FrameRenderer(Scene(participants=participants("alice"), width=width, height=width * 9 // 16))
            frames = [av.VideoFrame.from_ndarray(renderer.render(tick), format="yuv420p") for tick in range(10)]
            for tick, frame in enumerate(frames, first):
                frame.pts, frame.time_base = tick, Fraction(1, 30)
            for packet in [packet for frame in (*frames, None) for packet in encoder.encode(frame)]:
                packet.stream = stream
                media.mux(packet)

    streams = probe(path)

    assert streams.video is not None
    before, after = streams.video.sizes
    assert (0.0, 320, 180) == before
    assert (1 / 3, 160, 90) == pytest.approx(after, abs=0.001)


def test_truncated_file_is_read_to_its_last_block(webm: Path, tmp_path: Path) -> None:
    """If a file is cut off in the middle, about half of its frames can still be read."""
    cut = tmp_path / "cut.webm"
    data = webm.read_bytes()
    cut.write_bytes(data[: len(data) // 2])

    streams = probe(cut)

    assert streams.video is not None
    assert 10 < streams.video.decoded < 50


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"# A readme\n" * 200, "not a readable media file"),
        (bytes(5000), "not a readable media file"),
        (b"\x1a\x45\xdf\xa3" + bytes(range(256)) * 20, "not a readable media file"),
        (b"\x1a\x45\xdf\xa3\x01\xff\xff\xff\xff\xff\xff\xff", "not a readable media file"),
    ],
)
def test_file_that_is_not_media_is_refused_in_one_line(tmp_path: Path, data: bytes, message: str) -> None:
    """The error for a file that can't be read contains the file name and the reason."""
    path = tmp_path / "bad.webm"
    path.write_bytes(data)

    with pytest.raises(UnreadableError, match=rf"^bad\.webm.*{message}.*\.$") as error:
        probe(path)

    assert "\n" not in str(error.value)
