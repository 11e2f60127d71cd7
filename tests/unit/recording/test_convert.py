"""Converting a recording to MP4, Matroska or WAV preserves its content."""

import os
import signal
import struct
from pathlib import Path

import av
import numpy as np
import psutil
import pytest

from harness import ConfigError, DiskFullError, verify
from harness.recording.config import Target
from harness.recording.conversion.convert import convert
from harness.recording.conversion.formats import target_of
from harness.recording.conversion.task import length
from harness.recording.files.names import manifest_of
from tests.support.disks import mounted_disk
from tests.support.media.recording_file import write_media, write_recording
from tests.support.media.scene import Scene, participants, with_participant
from tests.support.media.tracks import AudioTrack, VideoTrack, write_tracks
from tests.support.processes import still_running
from tests.support.program import running_harness, wait_until

pytestmark = pytest.mark.parallel

SCENE = Scene(participants=participants("alice", "bob"), width=640, height=360, seconds=4.0)


@pytest.mark.parametrize("to", ["mp4", "mov", "mkv"])
def test_conversion_passes_the_checks_of_its_recording(tmp_path: Path, to: Target) -> None:
    """A converted file passes the participant, timing and smoothness checks against the recording's manifest."""
    recording = write_recording(tmp_path / "take.webm", SCENE)
    before = verify(recording)

    after = verify(convert(recording.path, to))

    after.raise_for_failures()
    assert after.path == tmp_path / f"take.{to}"
    assert before.media is not None
    assert after.media is not None
    assert after.media.duration == pytest.approx(before.media.duration, abs=0.05)
    for one in before.participants:
        again = after.participant(one.name)
        assert (again.video, one.av_offset_ms is None) == (one.video, again.av_offset_ms is None)


@pytest.mark.parametrize("to", ["mp4", "mkv"])
@pytest.mark.parametrize("late", [pytest.param(-0.08, marks=pytest.mark.thorough), 0.08])
def test_conversion_keeps_the_av_offset(tmp_path: Path, to: Target, late: float) -> None:
    """Conversion changes the A/V offset by at most 5 ms, although the new encoder adds a delay."""
    recording = write_recording(tmp_path / "take.webm", with_participant(SCENE, "alice", audio_delay=late))
    before = verify(recording).participant("alice").av_offset_ms

    after = verify(convert(recording.path, to)).participant("alice").av_offset_ms

    assert before is not None
    assert after is not None
    assert after.median == pytest.approx(before.median, abs=5)


@pytest.mark.parametrize("to", ["mp4", "mkv"])
def test_dropped_frames_stay_dropped(tmp_path: Path, to: Target) -> None:
    """During conversion, every frame keeps its timestamp, so gaps in the video are preserved."""
    recording = write_recording(
        tmp_path / "take.webm", Scene(participants=participants("alice"), seconds=3.0, dropped=frozenset({30, 31, 60}))
    )

    report = verify(convert(recording.path, to))

    assert report.media is not None
    assert report.media.video is not None
    assert (87, 3) == (report.media.video.frames, report.media.video.missed)


def test_matroska_has_the_same_packets(tmp_path: Path) -> None:
    """Conversion to Matroska copies the packets without encoding them again."""
    write_media(tmp_path / "take.webm", SCENE)

    converted = convert(tmp_path / "take.webm", "mkv")

    assert packets(tmp_path / "take.webm") == packets(converted)


@pytest.mark.parametrize("to", ["m4a", "wav"])
def test_audio_file_passes_the_checks_of_its_recording(tmp_path: Path, to: Target) -> None:
    """A conversion to an audio format does not fail if the recording also has video."""
    recording = write_recording(tmp_path / "take.webm", SCENE)

    verify(convert(recording.path, to)).raise_for_failures()


def test_wav_has_the_audio_from_zero_on(tmp_path: Path) -> None:
    """The WAV file has 16-bit samples at 48 kHz, and is silent at the same times as the recording."""
    recording = write_recording(
        tmp_path / "take.webm", Scene(participants=participants("alice"), seconds=4.0, silent=((1.0, 2.0),))
    )

    path = convert(recording.path, "wav")

    with av.open(str(path)) as media:
        (stream,) = media.streams.audio
        assert 1 == len(media.streams)
        samples = np.concatenate([frame.to_ndarray()[0] for frame in media.decode(stream)])
        assert ("pcm_s16le", 48_000) == (stream.codec_context.name, stream.codec_context.sample_rate)
    channels = stream.codec_context.layout.nb_channels
    seconds = np.abs(samples[::channels]).astype(float)
    assert seconds.size / 48_000 == pytest.approx(4.0, abs=0.05)
    assert seconds[int(1.1 * 48_000) : int(1.9 * 48_000)].max() < 100 < seconds[:40_000].max()


def test_late_audio_keeps_its_time(tmp_path: Path) -> None:
    """Conversion inserts silence before audio that begins late, because WAV and AAC store no timestamps."""
    write_media(tmp_path / "whole.webm", Scene(participants=participants("alice"), seconds=4.0))
    shift(tmp_path / "whole.webm", tmp_path / "late.webm", milliseconds=300)

    whole, late = (loudest(convert(tmp_path / f"{name}.webm", "wav")) for name in ("whole", "late"))

    assert late - whole == pytest.approx(0.3, abs=0.01)


def test_progress_is_reported_in_seconds(tmp_path: Path) -> None:
    """Conversion reports its progress from near the beginning to near the end of the recording."""
    write_media(tmp_path / "take.webm", SCENE)
    reported: list[float] = []

    convert(tmp_path / "take.webm", "mkv", on_progress=reported.append)

    assert min(reported) < 0.2
    assert max(reported) == pytest.approx(4.0, abs=0.2)


def test_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    """If the output file of a conversion already exists, it is not changed, and the error explains what to do."""
    write_media(tmp_path / "take.webm", SCENE)
    (tmp_path / "take.mp4").write_text("mine")

    with pytest.raises(ConfigError, match="already exists and will not be overwritten; give another name"):
        convert(tmp_path / "take.webm", "mp4")

    assert "mine" == (tmp_path / "take.mp4").read_text()
    assert {"take.webm", "take.mp4"} == {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "does not exist; give the path"), (b"no media", "can't be converted to mp4")]
)
def test_file_that_is_not_a_recording_is_refused(tmp_path: Path, content: bytes | None, reason: str) -> None:
    """If a file can't be converted, the error has one line, and no partial file is left behind."""
    source = tmp_path / "odd.webm"
    if content is not None:
        source.write_bytes(content)

    with pytest.raises(ConfigError, match=reason):
        convert(source, "mp4")

    assert {source} >= set(tmp_path.iterdir())


def test_video_without_audio_can_not_become_a_wav_file(tmp_path: Path) -> None:
    """If a recording without audio is converted to WAV, the error reports that it has no audio."""
    write_media(tmp_path / "take.webm", Scene(participants=participants("alice"), seconds=0.5, audio=False))

    with pytest.raises(ConfigError, match=r"can't be converted to wav: the recording has no audio\."):
        convert(tmp_path / "take.webm", "wav")

    assert ["take.webm"] == [path.name for path in tmp_path.iterdir()]


def test_conversion_with_another_name_is_verified_with_the_recordings_manifest(tmp_path: Path) -> None:
    """If a converted file has a different name, the recording's manifest can be passed to ``verify``."""
    recording = write_recording(tmp_path / "take.webm", SCENE)

    path = convert(recording.path, "mp4", tmp_path / "for the boss.mp4")

    assert not any(one.check == "unexpected" for one in verify(path).findings)
    assert any(one.check == "unexpected" for one in verify(path, manifest=manifest_of(recording.path)).findings)


def packets(path: Path) -> list[tuple[str, float, bytes]]:
    """Return the media type, time in seconds and bytes of every packet."""
    with av.open(str(path)) as media:
        found = [
            (one.stream.type, float(one.pts * one.time_base), bytes(one))
            for one in media.demux()
            if one.size and one.pts is not None
        ]
    return sorted(found)


def shift(source: Path, target: Path, *, milliseconds: int) -> None:
    """Copy a file, delaying its audio."""
    with av.open(str(source)) as media, av.open(str(target), "w", format="webm") as output:
        streams = {one.index: output.add_stream_from_template(one, opaque=True) for one in media.streams}
        for packet in media.demux():
            if packet.pts is None:
                continue
            if packet.stream.type == "audio":
                packet.pts += milliseconds
                packet.dts = packet.pts
            packet.stream = streams[packet.stream.index]
            output.mux(packet)


def loudest(path: Path) -> float:
    """Return the time of the loudest audio sample, in seconds."""
    with av.open(str(path)) as media:
        samples = np.concatenate([frame.to_ndarray()[0] for frame in media.decode(audio=0)])
    return float(np.argmax(np.abs(samples.astype(float)) > 0.25 * np.abs(samples).max())) / 48_000


def test_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    """A pipe has no known duration, and a request to convert a pipe is refused immediately."""
    os.mkfifo(tmp_path / "pipe.webm")

    assert length(tmp_path / "pipe.webm") is None
    with pytest.raises(ConfigError, match="is not a file"):
        convert(tmp_path / "pipe.webm", "mkv")


def test_file_name_that_is_an_address_to_ffmpeg_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose name looks like a URL is read as a file; FFmpeg does not open the URL."""
    monkeypatch.chdir(tmp_path)
    write_media(tmp_path / "other.webm", SCENE)
    named = Path("file:other.webm")

    assert length(named) is None
    write_media(tmp_path / "take.webm", SCENE)
    (tmp_path / "take.webm").rename(tmp_path / named)
    assert length(named) == pytest.approx(4.0, abs=0.2)


@pytest.mark.parametrize("to", ["mp4", "mkv", "wav"])
def test_file_with_metadata_that_is_not_utf8_is_converted(tmp_path: Path, to: Target) -> None:
    """All frames and samples of a converted file can be decoded."""
    path = tmp_path / "take.webm"
    write_media(path, Scene(participants=participants("alice"), seconds=1.0))
    path.write_bytes(path.read_bytes().replace(b"Lavf", b"\xff\xfe\xfd\xfc"))

    assert 1.0 == pytest.approx(length(path), abs=0.1)
    converted = convert(path, to)

    assert 1.0 == pytest.approx(length(converted), abs=0.1)


def atoms(path: Path) -> list[str]:
    """Return the types of an MP4 file's top-level atoms, in the file's order."""
    found = []
    with path.open("rb") as file:
        while header := file.read(8):
            size, kind = struct.unpack(">I4s", header)
            if size == 1:
                (size,) = struct.unpack(">Q", file.read(8))
                file.seek(-8, os.SEEK_CUR)
            found.append(kind.decode())
            file.seek(size - 8, os.SEEK_CUR)
    return found


@pytest.mark.parametrize("to", ["mp4", "mov", "m4a"])
def test_index_is_at_the_beginning(tmp_path: Path, to: Target) -> None:
    """The index ("moov") precedes the media data ("mdat"), so a player can begin before it has the whole file."""
    source = write_tracks(tmp_path / "take.webm", VideoTrack(), AudioTrack())

    found = atoms(convert(source, to))

    assert found.index("moov") < found.index("mdat")
    assert 1 == found.count("mdat")


@pytest.mark.parametrize(
    ("to", "name", "advice"),
    [
        ("mp4", "take.wav", "use --to wav, or a name that ends with .mp4"),
        ("wav", "take.MP4", "use --to mp4, or a name that ends with .wav"),
        ("mkv", "copy.webm", "use the suffix .mkv"),
    ],
)
def test_name_for_another_format_is_refused(tmp_path: Path, to: Target, name: str, advice: str) -> None:
    """If the new file's suffix stands for another format, the error explains what to do."""
    source = write_tracks(tmp_path / "source.webm", AudioTrack())

    with pytest.raises(ConfigError, match=advice):
        convert(source, to, tmp_path / name)

    assert [source] == list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "to"), [("a.wav", "wav"), ("a.M4A", "m4a"), ("a.video", "mp4"), (None, "mp4")])
def test_format_follows_from_the_name(name: str | None, to: Target) -> None:
    """Without an explicit format, the suffix of the new file determines the format; otherwise, the format is MP4."""
    assert to == target_of(Path(name) if name else None)


def test_longest_possible_name_is_accepted(tmp_path: Path) -> None:
    """The temporary file does not need a longer name than the new file."""
    source = write_tracks(tmp_path / "source.webm", AudioTrack())

    path = convert(source, "wav", tmp_path / f"{'a' * 251}.wav")

    assert path.stat().st_size > 90_000


def test_file_that_appears_during_the_conversion_is_not_overwritten(tmp_path: Path) -> None:
    """If another program creates the output file in the meantime, that file stays as it is."""
    source, target = write_tracks(tmp_path / "source.webm", AudioTrack()), tmp_path / "source.wav"

    with pytest.raises(ConfigError, match="already exists and will not be overwritten"):
        convert(source, "wav", on_progress=lambda _: target.write_text("mine"))

    assert "mine" == target.read_text()
    assert {source, target} == set(tmp_path.iterdir())


def test_full_disk_gives_one_line_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """If the disk becomes full, the error names the new file, and the partial file is removed."""
    source = write_tracks(tmp_path / "source.webm", AudioTrack(seconds=20))

    with mounted_disk(tmp_path / "disk", "size=1M") as disk:
        with pytest.raises(DiskFullError, match=r"No space for .*new.wav: the disk is full") as caught:
            convert(source, "wav", disk / "new.wav")
        assert [] == list(disk.iterdir())

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_command_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    """If a signal ends the command, neither the new file nor a partial file remains."""
    source = write_tracks(tmp_path / "source.webm", AudioTrack(seconds=600))

    with running_harness("convert", str(source), "--to", "m4a", folder=tmp_path) as process:
        wait_until(lambda: any(path.stat().st_size > 10_000 for path in tmp_path.glob(".*.partial")), process)
        children = psutil.Process(process.pid).children()
        process.send_signal(number)
        process.wait(60)
        complaints = process.stderr.read() if process.stderr else ""

    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert "Traceback" not in complaints
    assert [] == still_running(children, within=30)
    assert [source] == list(tmp_path.iterdir())
