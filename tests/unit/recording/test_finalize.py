"""Finalizing turns Chrome's raw bytes into a complete WebM file in which each frame has its tick's time."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

import av
import pytest

from harness.recording.finalize.copy import RECORDER_AUDIO_DELAY
from harness.verification.probe.container import read_structure
from tests.support.recordings.raw_recording import (
    AUDIO_PACKET,
    CLUSTER,
    FIRST_TICK,
    FRAMES,
    ORIGIN,
    STEP,
    edited,
    finish,
    packets_of,
    with_unknown_sizes,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.recordings.raw_recording import AnyPacket, Raw

pytestmark = pytest.mark.parallel


def test_raw_bytes_look_like_chromes(raw: Raw, tmp_path: Path) -> None:
    """Like Chrome's raw bytes, the raw bytes in these tests have no Duration or Cues."""
    (tmp_path / "raw.webm").write_bytes(raw.data)

    structure = read_structure(tmp_path / "raw.webm")

    assert structure
    assert (None, False) == (structure.duration, structure.cues)
    assert len(raw.data.split(CLUSTER)) > 5
    assert raw.data == with_unknown_sizes(raw.data)


def test_finished_file_is_complete_and_seekable(raw: Raw, tmp_path: Path) -> None:
    """A finished file has Duration, Cues and SeekHead, and players can seek to the middle of the file."""
    finished = finish(tmp_path, raw.data, raw.log())

    structure = read_structure(tmp_path / "finished.webm")
    assert structure
    assert ("webm", True, True, True) == (
        structure.container,
        structure.complete,
        structure.cues,
        structure.seek_head,
    )
    assert pytest.approx(3.0, abs=0.03) == structure.duration
    assert pytest.approx(structure.duration, abs=0.07) == finished.duration
    assert ("audio", "video") == finished.tracks
    with av.open(str(tmp_path / "finished.webm")) as media:
        media.seek(1_500_000)
        # Keyframes are one second apart, so the last keyframe before 1.5 s is at 1 s.
        assert pytest.approx(1.0, abs=0.05) == next(media.decode(video=0)).time


def test_every_frame_is_on_its_tick(raw: Raw, tmp_path: Path) -> None:
    """In a finished file at 30 fps, frames are 33 or 34 ms apart, and no frame is lost or changed."""
    finished = finish(tmp_path, raw.data, raw.log())

    video, _ = packets_of(tmp_path / "finished.webm")
    assert [round(number * STEP) for number in range(FRAMES)] == [at for at, _ in video]
    assert raw.video == [data for _, data in video]
    assert (FRAMES, 0) == (finished.ticks, finished.ticks_missed)


def test_audio_is_moved_forward_by_the_delay_of_the_recorder(raw: Raw, tmp_path: Path) -> None:
    """Finalizing moves audio 47 ms earlier relative to the frames, and drops audio before the first frame."""
    finish(tmp_path, raw.data, raw.log())

    _, audio = packets_of(tmp_path / "finished.webm")
    times = {data: at for at, data in audio}
    # The tolerance is 4 ms, because the start of the file is estimated as a median of times with up to 3 ms of jitter,
    # and WebM stores times in whole milliseconds.
    shifts = [stamp - times[data] for stamp, data in zip(raw.audio_stamps, raw.audio, strict=True) if data in times]
    assert all(pytest.approx(RECORDER_AUDIO_DELAY, abs=4) == shift for shift in shifts)
    assert raw.audio[1:] == [data for _, data in audio]


def test_first_frame_has_its_time_on_the_page(raw: Raw, tmp_path: Path) -> None:
    """The first frame's time on the page's clock is known, so page times can be converted to times in the file."""
    finished = finish(tmp_path, raw.data, raw.log())

    assert pytest.approx(ORIGIN + FIRST_TICK * STEP, abs=4) == finished.zero_on_page


@pytest.mark.parametrize("length", [1000.0, 1010.0, 988.0])
def test_pause_is_cut_out(raw: Raw, tmp_path: Path, length: float) -> None:
    """After a pause of any length, the file's video continues at the next tick, and its audio stays in sync."""
    paused = raw.written[FIRST_TICK + 50] - 1
    # The mixer keeps running during the pause, so the frame that would have come next is written 30 ticks later.
    later = raw.written[: FIRST_TICK + 50]
    later += [paused + 1 + number * STEP for number in range(30)]
    later += [at + 30 * STEP for at in raw.written[FIRST_TICK + 50 :]]
    states = [("started", raw.started), ("paused", paused), ("resumed", paused + length)]
    log = [json.dumps({"recorder": state, "time": at}) for state, at in states]
    log += [json.dumps({"first": at, "written": later[at : at + 8]}) for at in range(0, len(later), 8)]
    # The recorder's timestamps leave out the pause with millisecond precision, not in whole ticks.
    shift = round(30 * STEP - length)

    def resume(packet: AnyPacket, _: int) -> bool:
        if (packet.pts or 0) >= raw.video_stamps[50]:
            packet.pts = packet.dts = (packet.pts or 0) + shift
        return True

    finished = finish(tmp_path, edited(tmp_path, raw, resume), log)

    video, audio = packets_of(tmp_path / "finished.webm")
    assert [round(number * STEP) for number in range(FRAMES)] == [at for at, _ in video]
    assert (FRAMES, 0) == (finished.ticks, finished.ticks_missed)
    times = {data: at for at, data in audio}
    shifts = [stamp - times[data] for stamp, data in zip(raw.audio_stamps, raw.audio, strict=True) if data in times]
    off = [shift for shift in shifts if abs(shift - RECORDER_AUDIO_DELAY) > 5]
    # An audio packet that overlaps the pause can end up before or after the cut.
    assert len(off) <= 1


def test_audio_without_video_is_a_recording(raw_audio: Raw, tmp_path: Path) -> None:
    """If a recording has no video, the finished file is complete, and its audio keeps its own timestamps."""
    finished = finish(tmp_path, raw_audio.data, [], frame_rate=None)

    _, audio = packets_of(tmp_path / "finished.webm")
    structure = read_structure(tmp_path / "finished.webm")
    assert structure
    assert structure.complete
    assert pytest.approx(structure.duration, abs=0.07) == finished.duration
    assert (("audio",), 0, 0, None) == (
        finished.tracks,
        finished.ticks,
        finished.ticks_missed,
        finished.zero_on_page,
    )
    assert raw_audio.audio == [data for _, data in audio]
    assert {AUDIO_PACKET} == {b - a for (a, _), (b, _) in itertools.pairwise(audio)}


def test_video_without_audio_is_a_recording(raw: Raw, tmp_path: Path) -> None:
    """Video is finalized even if no audio arrived."""
    silent = edited(tmp_path, raw, lambda packet, _: packet.stream.type == "video")

    finished = finish(tmp_path, silent, raw.log())

    assert (("video",), FRAMES) == (finished.tracks, finished.ticks)
