"""When audio is converted, gaps up to a maximum length are filled with silence and reported."""

from __future__ import annotations

import json
import re
import resource
import sys
from typing import TYPE_CHECKING, Any

import av
import pytest

from harness import ConfigError
from harness.cli.main import run
from harness.recording.conversion.convert import convert
from tests.support.media.recording_file import write_media
from tests.support.media.scene import Scene, participants
from tests.support.media.tracks import AudioTrack, write_tracks

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.parallel

SCENE = Scene(participants=participants("alice"), width=160, height=90, frame_rate=10, seconds=3.0)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the bytes of a complete three-second recording."""
    path = tmp_path_factory.mktemp("whole") / "whole.webm"
    write_media(path, SCENE)
    return path.read_bytes()


@pytest.fixture
def source(tmp_path: Path, whole: bytes) -> Path:
    """Return a complete three-second recording."""
    path = tmp_path / "whole.webm"
    path.write_bytes(whole)
    return path


def peak_memory() -> int:
    """Return the peak memory use of the test process and its children, in kB."""
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def with_gap(source: Path, *, seconds: float, kinds: tuple[str, ...] = ("audio",)) -> Path:
    """Copy a file with a gap inserted after the first second."""
    target = source.with_name("gap.mkv")
    with av.open(str(source)) as media, av.open(str(target), "w", format="matroska") as output:
        streams = {one.index: output.add_stream_from_template(one, opaque=True) for one in media.streams}
        for packet in media.demux():
            if packet.pts is None or packet.time_base is None:
                continue
            if packet.pts * packet.time_base >= 1 and packet.stream.type in kinds:
                packet.pts += round(seconds / packet.time_base)
                packet.dts = packet.pts
            packet.stream = streams[packet.stream.index]
            output.mux_one(packet)
    return target


def audio_seconds(path: Path) -> float:
    """Return the duration of a file's audio in seconds."""
    with av.open(str(path)) as media:
        return sum(frame.samples / frame.sample_rate for frame in media.decode(audio=0))


def length_and_start(warning: str) -> tuple[float, float]:
    """Return the length and the start of the gap in a warning, in seconds."""
    found = re.search(r"(?:gap of|pauses for) ([\d.]+) s at ([\d.]+) s", warning)
    assert found, warning
    return float(found[1]), float(found[2])


@pytest.mark.parametrize("to", ["mp4", "wav"])
def test_gap_in_the_audio_is_reported(source: Path, to: Any) -> None:
    """Conversion reports a gap's time and length, and the converted file still has the recording's duration."""
    found: list[str] = []

    path = convert(with_gap(source, seconds=0.3), to, on_warning=found.append)

    (one,) = found
    assert length_and_start(one) == pytest.approx((0.3, 1.0), abs=0.05)
    assert one.endswith("it was filled with silence.")
    assert audio_seconds(path) == pytest.approx(3.3, abs=0.1)


def test_audio_without_a_gap_has_no_warning(source: Path) -> None:
    """Audio without gaps is converted without a warning."""
    found: list[str] = []

    convert(source, "wav", on_warning=found.append)

    assert [] == found


def test_late_audio_is_reported(source: Path) -> None:
    """If audio begins late, the silence that is inserted before the audio is reported."""
    found: list[str] = []
    with_late_audio = with_gap(source, seconds=0)
    with av.open(str(source)) as media, av.open(str(with_late_audio), "w", format="matroska") as output:
        streams = {one.index: output.add_stream_from_template(one, opaque=True) for one in media.streams}
        for packet in media.demux():
            if packet.pts is not None:
                packet.pts += 500 if packet.stream.type == "audio" else 0
                packet.dts = packet.pts
                packet.stream = streams[packet.stream.index]
                output.mux_one(packet)

    convert(with_late_audio, "mp4", on_warning=found.append)

    (one,) = found
    assert length_and_start(one) == pytest.approx((0.5, 0.0), abs=0.03)


def test_long_gap_uses_little_memory(source: Path) -> None:
    """Converting a long gap needs little memory, because silence is written in pieces."""
    gap = with_gap(source, seconds=500)
    convert(source, "wav")
    before = peak_memory()

    path = convert(gap, "wav")

    assert audio_seconds(path) == pytest.approx(503, abs=0.2)
    assert peak_memory() - before < 20_000


@pytest.mark.parametrize("to", ["mp4", "wav"])
@pytest.mark.parametrize("seconds", [3_600, 1e9])
@pytest.mark.parametrize("kinds", [("audio",), ("audio", "video")])
def test_jumping_timestamps_are_refused(source: Path, to: Any, seconds: float, kinds: tuple[str, ...]) -> None:
    """If a gap is too long to convert, the error contains the gap's time and length, and explains what to do.

    A conversion that fails leaves no partial file behind.
    """
    gap = with_gap(source, seconds=seconds, kinds=kinds)

    with pytest.raises(ConfigError, match=rf"a gap of {seconds:.1f} s at 1\.\d s, and at most 600 s.*--to mkv"):
        convert(gap, to)

    assert {source, gap} == set(source.parent.iterdir())


def test_gap_stays_a_gap_in_matroska(source: Path) -> None:
    """Conversion to Matroska changes neither the packets nor their times."""
    found: list[str] = []

    path = convert(with_gap(source, seconds=3_600), "mkv", source.with_name("copy.mkv"), on_warning=found.append)

    assert [] == found
    assert audio_seconds(path) == pytest.approx(3.0, abs=0.1)


def test_media_is_not_decoded_in_this_process(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Conversion decodes in another process, so a hostile file can't take over the caller or use up its memory."""

    def opened(*_: object, **__: object) -> None:
        pytest.fail("The file was opened here.")

    monkeypatch.setattr(av, "open", opened)

    path = convert(source, "mp4")

    assert path.stat().st_size > 10_000


@pytest.mark.parametrize(("seconds", "warnings"), [(0.02, 0), (0.06, 1)])
def test_one_lost_packet_is_reported(source: Path, seconds: float, warnings: int) -> None:
    """A gap as long as the longest Opus packets is reported, but one that jitter can cause is not."""
    found: list[str] = []

    convert(with_gap(source, seconds=seconds), "wav", on_warning=found.append)

    assert warnings == len(found)


def test_pause_is_reported(source: Path) -> None:
    """If neither track has data for a while, the warning says so instead of reporting a gap in the audio."""
    found: list[str] = []

    convert(with_gap(source, seconds=2, kinds=("audio", "video")), "mp4", on_warning=found.append)

    (one,) = found
    assert length_and_start(one) == pytest.approx((2.0, 1.0), abs=0.05)
    assert one.startswith("The recording pauses for")


def test_overlapping_audio_is_reported(tmp_path: Path) -> None:
    """If the timestamps start again, as in joined files, the warning states how much audio was left out."""
    part = write_tracks(tmp_path / "part.ts", AudioTrack(codec="aac"))
    joined = tmp_path / "joined.ts"
    joined.write_bytes(2 * part.read_bytes())
    found: list[str] = []

    path = convert(joined, "wav", on_warning=found.append)

    (one,) = found
    assert re.search(r"overlaps itself by [01]\.\d\d s at 0\.\d\d s", one), one
    assert audio_seconds(path) == pytest.approx(1.0, abs=0.1)


def test_command_reports_silence_in_its_output_and_in_json(
    source: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``harness convert`` prints one line for each gap to stderr, and its JSON output has a warning for each gap."""
    gap = with_gap(source, seconds=0.3)
    monkeypatch.setattr(
        sys, "argv", ["harness", "convert", str(gap), "--json", "--output", str(gap.with_suffix(".mp4"))]
    )

    with pytest.raises(SystemExit):
        run()

    out, complaints = capfd.readouterr()
    (warning,) = json.loads(out)["warnings"]
    assert warning.startswith("The audio has a gap of 0.3")
    assert f"harness: {warning}" in complaints
