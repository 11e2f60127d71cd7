"""If the raw bytes end early or the tick log has gaps, finalizing still saves everything that can be read."""

from __future__ import annotations

import itertools
import json
import random
from typing import TYPE_CHECKING

import pytest

from harness.errors import RecordingError
from harness.recording.finalize.copy import finalize
from harness.recording.finalize.growing_file import GrowingFile
from harness.verification.probe.container import read_structure
from tests.support.recordings.raw_recording import (
    CLUSTER,
    FIRST_TICK,
    FRAMES,
    STEP,
    decoded_frames,
    edited,
    finish,
    packets_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.recordings.raw_recording import AnyPacket, Raw

pytestmark = pytest.mark.parallel


def test_file_is_valid_wherever_the_bytes_end(raw: Raw, tmp_path: Path) -> None:
    """Wherever the raw bytes are cut off, the finished file is valid and contains every frame before the cut."""
    dice = random.Random(7)  # noqa: S311 - test data, not secrets
    for cut in sorted(dice.sample(range(4_000, len(raw.data)), 20)):
        finished = finish(tmp_path, raw.data[:cut], raw.log())

        video, _ = packets_of(tmp_path / "finished.webm")
        structure = read_structure(tmp_path / "finished.webm")
        assert structure
        assert structure.complete
        assert structure.duration is not None
        assert raw.video[: len(video)] == [data for _, data in video]
        assert [round(number * STEP) for number in range(len(video))] == [at for at, _ in video]
        assert len(video) == finished.ticks == decoded_frames(tmp_path / "finished.webm")
        # This estimate works because the frames are spread fairly evenly over the bytes.
        assert len(video) > FRAMES * cut / len(raw.data) * 0.5 - 3


@pytest.mark.parametrize(
    "data",
    [b"", b"\x1a", b"not a recording at all" * 1000, bytes(5_000), b"\x1a\x45\xdf\xa3" + b"\xff" * 500],
    ids=["nothing", "one byte", "text", "zeros", "damaged header"],
)
def test_unreadable_bytes_are_refused(data: bytes, tmp_path: Path) -> None:
    """If the raw bytes can't be read, finalizing does not crash, but raises an error with NERTC's error code."""
    with pytest.raises(RecordingError) as failure:
        finish(tmp_path, data, [])

    assert (10453, "RecordingError") == (failure.value.code, failure.value.name)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 1.0])
def test_header_without_a_packet_is_refused(raw: Raw, tmp_path: Path, share: float) -> None:
    """If the raw bytes end before the first block, there is no video or audio to save, and an error is raised."""
    header = raw.data.index(CLUSTER)

    with pytest.raises(RecordingError):
        finish(tmp_path, raw.data[: int(header * share)], raw.log())


def test_garbage_in_the_middle_costs_only_the_frames_after_it(raw: Raw, tmp_path: Path) -> None:
    """If the raw bytes contain garbage, all frames before the garbage are saved."""
    half = len(raw.data) // 2
    damaged = raw.data[:half] + b"\x00garbage" * 500

    finish(tmp_path, damaged, raw.log())

    video, _ = packets_of(tmp_path / "finished.webm")
    assert len(video) > 20
    assert raw.video[: len(video) - 2] == [data for _, data in video][: len(video) - 2]


def test_dropped_frame_stays_a_gap(raw: Raw, tmp_path: Path) -> None:
    """If the encoder drops frames, later frames stay at their ticks, and ``ticks_missed`` counts the dropped frames."""
    gone = {30, 31, 60}
    data = edited(tmp_path, raw, lambda packet, number: packet.stream.type == "audio" or number not in gone)

    finished = finish(tmp_path, data, raw.log())

    video, _ = packets_of(tmp_path / "finished.webm")
    assert [round(number * STEP) for number in range(FRAMES) if number not in gone] == [at for at, _ in video]
    assert (FRAMES, 3) == (finished.ticks, finished.ticks_missed)


def test_skipped_tick_of_the_mixer_stays_a_gap(raw: Raw, tmp_path: Path) -> None:
    """If the mixer skips a tick, its log contains null for this tick, and the finished file has no frame there."""
    missing = 50
    written: list[float | None] = [*raw.written]
    written.insert(FIRST_TICK + missing, None)
    later = [at and at + STEP * (number > FIRST_TICK + missing) for number, at in enumerate(written)]

    def move(packet: AnyPacket, number: int) -> bool:
        if packet.stream.type == "video" and number >= missing:
            packet.pts = packet.dts = (packet.pts or 0) + round(STEP)
        return True

    data = edited(tmp_path, raw, move)
    log = [json.dumps({"recorder": "started", "time": raw.started}), json.dumps({"first": 0, "written": later})]

    finished = finish(tmp_path, data, log)

    video, _ = packets_of(tmp_path / "finished.webm")
    assert [round(number * STEP) for number in range(FRAMES + 1) if number != missing] == [at for at, _ in video]
    assert (FRAMES + 1, 1) == (finished.ticks, finished.ticks_missed)


def test_frames_without_a_log_are_on_a_grid(raw: Raw, tmp_path: Path) -> None:
    """Without the mixer's log of ticks, finalizing spaces the frames evenly."""
    finish(tmp_path, raw.data, [])

    video, _ = packets_of(tmp_path / "finished.webm")
    assert FRAMES == len(video)
    assert {33, 34} == {b - a for (a, _), (b, _) in itertools.pairwise(video)}


def test_torn_line_at_the_end_of_the_log_is_ignored(raw: Raw, tmp_path: Path) -> None:
    """If a server was killed while it was writing the log, the incomplete last line of the log is ignored."""
    (tmp_path / "raw.webm").write_bytes(raw.data)
    (tmp_path / "log.jsonl").write_text("\n".join(raw.log()) + '\n{"first": 144, "writ')

    finished = finalize(
        tmp_path / "raw.webm",
        tmp_path / "log.jsonl",
        tmp_path / "finished.webm",
        frame_rate=30,
        growing_file=GrowingFile(ended=True),
    )

    assert (FRAMES, 0) == (finished.ticks, finished.ticks_missed)
