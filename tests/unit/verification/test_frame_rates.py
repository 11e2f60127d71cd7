"""Video with a constant frame rate has no gaps, whereas a varying frame rate causes a warning."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from harness.verification import Report, verify
from harness.verification.values.findings import Finding
from tests.support.media.recording_file import write_recording
from tests.support.media.scene import Scene, participants
from tests.support.media.streams import add_video_stream

pytestmark = [pytest.mark.parallel, pytest.mark.usefixtures("in_process")]

NTSC = Fraction(1000, 1001)
RATES = [
    *(Fraction(rate) for rate in (10, 12, 15, 24, 25, 30, 48, 50, 60, 120)),
    *(rate * NTSC for rate in (24, 30, 60)),
    # These constant rates are not standard frame rates.
    Fraction(25, 2),
    Fraction(273, 10),
    Fraction(2998, 100),
]


def clip(
    path: Path, times: Iterable[float], *, container: str = "webm", codec: str = "libvpx", step: Fraction | None = None
) -> Path:
    """Write gray frames at the given ``times`` in seconds.

    ``step`` is the time base of the file, by default one millisecond, as in WebM.
    """
    base = step or Fraction(1, 1000)
    with av.open(str(path), "w", format=container) as media:
        stream = add_video_stream(media, codec, 30, size=(64, 48))
        stream.time_base = base
        stream.codec_context.time_base = base
        for number, at in enumerate(times):
            frame = av.VideoFrame.from_ndarray(np.full((72, 64), 60 + number % 100, np.uint8), format="yuv420p")
            frame.pts, frame.time_base = round(at / base), base
            media.mux(stream.encode(frame))
        media.mux(stream.encode(None))
    return path


def steady(rate: Fraction, seconds: float = 4.0) -> list[float]:
    """Return the frame times of a file with a constant rate, in seconds."""
    return [float(number / rate) for number in range(round(seconds * rate))]


def gap_of(report: Report) -> Finding:
    """Return the finding of the ``gap`` check."""
    (finding,) = (one for one in report.findings if one.check == "gap")
    return finding


@pytest.mark.parametrize("rate", RATES, ids=lambda rate: f"{float(rate):.3f}")
@pytest.mark.parametrize("seconds", [0.5, 20.0])
def test_file_with_a_constant_rate_has_no_gap(tmp_path: Path, rate: Fraction, seconds: float) -> None:
    """In WebM, times are rounded to milliseconds, which does not count as an irregular frame rate."""
    report = verify(clip(tmp_path / "some.webm", steady(rate, seconds)))

    assert () == report.failures
    assert "passed" == gap_of(report).result
    assert report.media is not None
    assert report.media.video is not None
    assert 0 == report.media.video.missed


@pytest.mark.parametrize("rate", [Fraction(24), Fraction(60), 60 * NTSC], ids=str)
def test_missing_frames_are_found_at_any_rate(tmp_path: Path, rate: Fraction) -> None:
    """The ``gap`` finding states how many frames are missing, and when.

    Without a manifest, the ``gap`` finding does not attribute missing frames to a busy machine.
    """
    times = steady(rate)
    del times[60:63]

    finding = gap_of(verify(clip(tmp_path / "some.webm", times)))

    assert finding.result == "failed"
    assert finding.message.startswith(f"3 frames are missing at {float(rate):.5g} fps. The longest gap is ")
    assert "manifest" not in finding.message
    assert finding.at is not None
    assert finding.at[0] == pytest.approx(times[59], abs=0.001)


def test_frame_off_the_grid_is_found(tmp_path: Path) -> None:
    """At a constant frame rate, even a single frame that is 8 ms late is reported."""
    times = steady(Fraction(25))
    times[50] += 0.008

    finding = gap_of(verify(clip(tmp_path / "some.webm", times)))

    assert finding.result == "failed"
    assert finding.message.startswith(
        "2 of 99 gaps between frames differ by more than 1 ms from a multiple of 40.0 ms (25 fps)"
    )


def test_varying_rate_is_a_warning(tmp_path: Path) -> None:
    """A varying frame rate is not a failure, since phones and screen recorders write frames when they are available."""
    gaps = np.random.default_rng(1).uniform(0.015, 0.09, 80)

    finding = gap_of(verify(clip(tmp_path / "phone.webm", np.cumsum(gaps).tolist())))

    assert "warning" == finding.result
    assert finding.message.startswith("The frame rate varies: gaps between frames last ")
    assert "manifest" not in finding.message


def test_varying_rate_fails_if_a_constant_rate_was_requested(tmp_path: Path) -> None:
    """A varying frame rate is a failure if the manifest states that 30 fps were requested."""
    scene = Scene(participants=participants("alice"), seconds=3.0)
    write_recording(tmp_path / "good.webm", scene)
    path = clip(tmp_path / "standup.webm", np.cumsum(np.random.default_rng(1).uniform(0.015, 0.06, 80)).tolist())
    (tmp_path / "standup.manifest.json").write_text((tmp_path / "good.manifest.json").read_text())

    assert "gap" in {one.check for one in verify(path).failures}


@pytest.mark.parametrize(("suffix", "container"), [("mkv", "matroska"), ("mp4", "mp4")])
def test_frames_stored_out_of_order_do_not_go_backward(tmp_path: Path, suffix: str, container: str) -> None:
    """Frames are checked in display order, because a file stores B-frames after the frames that they depend on."""
    path = clip(
        tmp_path / f"b.{suffix}", steady(Fraction(25)), container=container, codec="libx264", step=Fraction(1, 12_800)
    )
    with av.open(str(path)) as media:
        order = [packet.pts for packet in media.demux() if packet.pts is not None]
    assert order != sorted(order)

    assert () == verify(path).failures


def test_frames_cut_off_by_an_edit_list_are_ignored(tmp_path: Path) -> None:
    """Frames that are marked as not displayed are ignored.

    If a video is cut without re-encoding, some of its frames are marked as not displayed.
    """
    whole = clip(
        tmp_path / "whole.mp4", steady(Fraction(25)), container="mp4", codec="libx264", step=Fraction(1, 12_800)
    )
    path = tmp_path / "cut.mp4"
    with (
        av.open(str(whole)) as media,
        av.open(str(path), "w", format="mp4", options={"avoid_negative_ts": "disabled"}) as output,
    ):
        stream = output.add_stream_from_template(media.streams.video[0], opaque=True)
        for packet in media.demux():
            if packet.pts is None or packet.dts is None:
                continue
            cut = round(1.4 / packet.time_base)
            packet.pts, packet.dts, packet.stream = packet.pts - cut, packet.dts - cut, stream
            output.mux(packet)
    with av.open(str(path)) as media:
        assert any(packet.is_discard for packet in media.demux())

    report = verify(path)

    assert () == report.failures
    assert report.media is not None
    assert 2.6 == pytest.approx(report.media.duration, abs=0.05)
