"""Finalising: raw bytes as Chrome writes them become a complete WebM on the exact grid, wherever they stop."""

from __future__ import annotations

import itertools
import json
import random
import threading
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import av
import numpy as np
import pytest

from harness.errors import RecordingError
from harness.recording.finalize.copy import RECORDER_AUDIO_DELAY, Finished, Progress, finalize
from harness.recording.finalize.growing_file import GrowingFile, TailReader
from harness.verification.probe.container import read_structure

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from av.container import OutputContainer

    AnyPacket = av.Packet[Any]

pytestmark = pytest.mark.parallel

STEP: Final = 1000 / 30
FRAMES: Final = 90
# The mixer runs before the recorder starts; page time, ms.
ORIGIN: Final = 1_000_000.0
FIRST_TICK: Final = 40
SOUND_PACKET: Final = 60
SOUND_PIECES: Final = 147
# How long frames take from the mixer to the recorder, ms.
WAY: Final = 5.0
CLUSTER: Final = b"\x1f\x43\xb6\x75"


@dataclass(frozen=True)
class Raw:
    """What Chrome would have written, and what went into it.

    ``stamps`` are those of the pictures and of the packets of sound, ms from the recording's zero; ``written`` are
    the write times of the ticks, from number 0.
    """

    data: bytes
    written: list[float]
    started: float
    pictures: list[bytes]
    sounds: list[bytes]
    picture_stamps: list[int]
    sound_stamps: list[int]

    def log(self, lot: int = 8) -> list[str]:
        """Return the lines of the mixer's log."""
        lots = ({"first": at, "written": self.written[at : at + lot]} for at in range(0, len(self.written), lot))
        return [json.dumps(line) for line in ({"recorder": "started", "time": self.started}, *lots)]


def make_raw(folder: Path, *, picture: bool = True) -> Raw:
    """Encode three seconds into WebM as MediaRecorder with a timeslice does: no Duration, no Cues, unknown sizes."""
    dice = random.Random(1)  # noqa: S311 - dice, not secrets
    written = [ORIGIN + number * STEP + 3 * dice.random() for number in range(FIRST_TICK + FRAMES + 5)]
    zero = written[FIRST_TICK] + WAY
    stamps = [round(at + WAY + 3 * dice.random() - zero) for at in written[FIRST_TICK : FIRST_TICK + FRAMES]]
    path = folder / "live.webm"
    with av.open(str(path), "w", format="webm", options={"live": "1", "cluster_time_limit": "300"}) as media:
        pictures = encode_pictures(media) if picture else []
        packets = [(stamp, 0, packet) for stamp, packet in zip(stamps, pictures, strict=False)]
        packets += [(20 + SOUND_PACKET * number, 1, packet) for number, packet in enumerate(encode_sound(media))]
        kept: dict[int, list[tuple[int, bytes]]] = {0: [], 1: []}
        for stamp, kind, packet in sorted(packets, key=lambda entry: entry[:2]):
            kept[kind].append((stamp, bytes(packet)))
            packet.time_base, packet.duration = Fraction(1, 1000), None
            packet.pts = packet.dts = stamp
            media.mux_one(packet)
    return Raw(
        data=with_unknown_sizes(path.read_bytes()),
        written=written,
        started=written[FIRST_TICK] - 5,
        pictures=[data for _, data in kept[0]],
        sounds=[data for _, data in kept[1]],
        picture_stamps=[stamp for stamp, _ in kept[0]],
        sound_stamps=[stamp for stamp, _ in kept[1]],
    )


def encode_pictures(media: OutputContainer) -> list[AnyPacket]:
    """Return the packets of a moving picture, one a frame, with a keyframe a second."""
    stream = media.add_stream("libvpx", rate=30, options={"deadline": "realtime", "cpu-used": "8"})
    stream.width, stream.height, stream.pix_fmt, stream.gop_size = 160, 90, "yuv420p", 30
    packets: list[AnyPacket] = []
    for number in range(FRAMES):
        planes = np.full((135, 160), 128, np.uint8)
        planes[:90] = (np.indices((90, 160)).sum(0) * 2 + 5 * number) % 256
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, 30)
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def encode_sound(media: OutputContainer) -> list[AnyPacket]:
    """Return the packets of a tone, each of 60 ms as Chrome's."""
    stream = media.add_stream("libopus", rate=48_000, layout="mono", options={"frame_duration": str(SOUND_PACKET)})
    packets: list[AnyPacket] = []
    for number in range(SOUND_PIECES):
        wave = np.sin(np.arange(960 * number, 960 * (number + 1)) / 20).astype(np.float32) / 4
        piece = av.AudioFrame.from_ndarray(wave[None], format="flt", layout="mono")
        piece.sample_rate, piece.pts, piece.time_base = 48_000, 960 * number, Fraction(1, 48_000)
        packets += stream.encode(piece)
    return packets


def with_unknown_sizes(data: bytes) -> bytes:
    """Return the bytes of a WebM with clusters of unknown size, as Chrome writes them; nothing else moves."""
    changed = bytearray(data)
    at = data.index(CLUSTER)
    while data[at : at + 4] == CLUSTER:
        # One leading bit tells how many bytes a size has; nothing but ones behind it means that it is unknown.
        length = 9 - data[at + 4].bit_length()
        unknown = (1 << 7 * length) - 1
        size = int.from_bytes(data[at + 4 : at + 4 + length]) & unknown
        changed[at + 4 : at + 4 + length] = ((1 << 7 * length) | unknown).to_bytes(length)
        at += 4 + length + size
    return bytes(changed)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Raw:
    """Return three seconds of picture and sound."""
    return make_raw(tmp_path_factory.mktemp("raw"))


@pytest.fixture(scope="module")
def raw_sound(tmp_path_factory: pytest.TempPathFactory) -> Raw:
    """Return three seconds of sound alone."""
    return make_raw(tmp_path_factory.mktemp("raw"), picture=False)


def finish(folder: Path, data: bytes, log: list[str], *, frame_rate: int | None = 30) -> Finished:
    """Finalise what is complete already; the file is ``finished.webm``."""
    (folder / "raw.webm").write_bytes(data)
    (folder / "log.jsonl").write_text("".join(f"{line}\n" for line in log))
    return finalize(
        folder / "raw.webm",
        folder / "log.jsonl",
        folder / "finished.webm",
        frame_rate=frame_rate,
        growing_file=GrowingFile(ended=True),
    )


def edited(folder: Path, raw: Raw, edit: Callable[[AnyPacket, int], bool]) -> bytes:
    """Return the raw bytes with every packet changed, or left out, by ``edit``, which gets its number in its track."""
    (folder / "whole.webm").write_bytes(raw.data)
    counts: dict[int, int] = {}
    with (
        av.open(str(folder / "whole.webm")) as source,
        av.open(str(folder / "edited.webm"), "w", format="webm", options={"live": "1"}) as media,
    ):
        streams = [media.add_stream_from_template(stream) for stream in source.streams]
        for packet in source.demux():
            if packet.pts is None:
                continue
            number = counts[packet.stream.index] = counts.get(packet.stream.index, -1) + 1
            if edit(packet, number):
                packet.stream = streams[packet.stream.index]
                media.mux(packet)
    return (folder / "edited.webm").read_bytes()


def packets_of(path: Path) -> tuple[list[tuple[int, bytes]], list[tuple[int, bytes]]]:
    """Return the packets of picture and sound in a file, each with its time in ms."""
    found: dict[str, list[tuple[int, bytes]]] = {"video": [], "audio": []}
    with av.open(str(path)) as media:
        for packet in media.demux():
            if packet.pts is not None:
                found[packet.stream.type].append((round(packet.pts * packet.time_base * 1000), bytes(packet)))
    return found["video"], found["audio"]


def decoded(path: Path) -> int:
    """Decode a whole file; return how many pictures there were."""
    with av.open(str(path)) as media:
        return sum(isinstance(frame, av.VideoFrame) for frame in media.decode())


def test_raw_bytes_look_like_chromes(raw: Raw, tmp_path: Path) -> None:
    """The material of these tests lacks what a finished file has."""
    (tmp_path / "raw.webm").write_bytes(raw.data)

    structure = read_structure(tmp_path / "raw.webm")

    assert structure
    assert (None, False) == (structure.duration, structure.cues)
    assert len(raw.data.split(CLUSTER)) > 5
    assert raw.data == with_unknown_sizes(raw.data)


def test_finished_file_is_complete_and_seekable(raw: Raw, tmp_path: Path) -> None:
    """Duration, Cues and SeekHead are there, and a seek to the middle lands there."""
    finished = finish(tmp_path, raw.data, raw.log())

    structure = read_structure(tmp_path / "finished.webm")
    assert structure
    assert ("webm", True, True, True) == (
        structure.doc_type,
        structure.complete,
        structure.cues,
        structure.seek_head,
    )
    assert pytest.approx(3.0, abs=0.03) == structure.duration
    assert pytest.approx(structure.duration, abs=0.07) == finished.duration
    assert ("audio", "video") == finished.tracks
    with av.open(str(tmp_path / "finished.webm")) as media:
        media.seek(1_500_000)
        # Keyframes are a second apart, so the one before 1.5 s is at 1 s.
        assert pytest.approx(1.0, abs=0.05) == next(media.decode(video=0)).time


def test_every_frame_is_on_its_tick(raw: Raw, tmp_path: Path) -> None:
    """Gaps are 33 or 34 ms, no picture is lost or changed, and none is owed."""
    finished = finish(tmp_path, raw.data, raw.log())

    pictures, _ = packets_of(tmp_path / "finished.webm")
    assert [round(number * STEP) for number in range(FRAMES)] == [at for at, _ in pictures]
    assert raw.pictures == [data for _, data in pictures]
    assert (FRAMES, 0) == (finished.ticks, finished.ticks_missed)


def test_audio_is_moved_forward_by_the_delay_of_the_recorder(raw: Raw, tmp_path: Path) -> None:
    """Each packet is 47 ms earlier against the pictures, and what came before the first picture is left out."""
    finish(tmp_path, raw.data, raw.log())

    _, sounds = packets_of(tmp_path / "finished.webm")
    kept = {data: at for at, data in sounds}
    # The zero is a median over jitter of 3 ms; times in a WebM are whole milliseconds.
    shifts = [stamp - kept[data] for stamp, data in zip(raw.sound_stamps, raw.sounds, strict=True) if data in kept]
    assert all(pytest.approx(RECORDER_AUDIO_DELAY, abs=4) == shift for shift in shifts)
    assert raw.sounds[1:] == [data for _, data in sounds]


def test_first_frame_has_its_time_on_the_page(raw: Raw, tmp_path: Path) -> None:
    """So the timeline can be put on the file's clock."""
    finished = finish(tmp_path, raw.data, raw.log())

    assert pytest.approx(ORIGIN + FIRST_TICK * STEP, abs=4) == finished.zero_on_page


def test_bytes_are_copied_while_they_come(raw: Raw, tmp_path: Path) -> None:
    """Fed in slices from another thread, the file is the same, and the tracks are known long before the end."""
    growth, progress = GrowingFile(), Progress()
    (tmp_path / "log.jsonl").write_bytes(b"")
    (tmp_path / "raw.webm").write_bytes(b"")
    results: list[Finished] = []

    def work() -> None:
        paths = (tmp_path / name for name in ("raw.webm", "log.jsonl", "fed.webm"))
        results.append(finalize(*paths, frame_rate=30, growing_file=growth, progress=progress))

    worker = threading.Thread(target=work)
    worker.start()
    known_at = None
    lines = [line.encode() + b"\n" for line in raw.log()]
    # Slices of an odd size end in the middle of everything; the log keeps up, in torn lines.
    log = b"".join(lines)
    slices = [raw.data[at : at + 4_999] for at in range(0, len(raw.data), 4_999)]
    with (tmp_path / "raw.webm").open("ab") as data, (tmp_path / "log.jsonl").open("ab") as told:
        for number, piece in enumerate(slices):
            told.write(log[number * len(log) // len(slices) : (number + 1) * len(log) // len(slices)])
            told.flush()
            data.write(piece)
            data.flush()
            growth.grew()
            if known_at is None and progress.tracks == ("audio", "video"):
                known_at = number
            threading.Event().wait(0.002)
    growth.end()
    worker.join(10)

    (fed,) = results
    whole = finish(tmp_path, raw.data, raw.log())
    assert (whole.tracks, whole.ticks, whole.ticks_missed) == (fed.tracks, fed.ticks, fed.ticks_missed)
    pictures, sounds = packets_of(tmp_path / "finished.webm")
    fed_pictures, fed_sounds = packets_of(tmp_path / "fed.webm")
    assert pictures == fed_pictures
    assert [data for _, data in sounds] == [data for _, data in fed_sounds]
    # The zero is a median over what was placed so far.
    assert [pytest.approx(at, abs=2) for at, _ in sounds] == [at for at, _ in fed_sounds]
    assert known_at is not None
    assert known_at < len(slices) / 2


def look(growth: GrowingFile) -> None:
    """Have the finaliser look at all that there is."""
    looked = threading.Event()
    growth.call_when_read(looked.set)
    assert looked.wait(10)


def test_outstanding_frames_are_counted_before_the_stop(raw: Raw, tmp_path: Path) -> None:
    """The finaliser has looked at every byte and tick by then, and looks again when more has come."""
    growth, progress = GrowingFile(), Progress()
    stopped = json.dumps({"recorder": "stopped", "time": raw.written[FIRST_TICK + FRAMES] - 1})
    (tmp_path / "log.jsonl").write_text("".join(f"{line}\n" for line in (*raw.log(), stopped)))
    paths = [tmp_path / name for name in ("raw.webm", "log.jsonl", "fed.webm")]
    half = len(raw.data) // 2
    paths[0].write_bytes(raw.data[:half])
    worker = threading.Thread(
        target=finalize, args=paths, kwargs={"frame_rate": 30, "growing_file": growth, "progress": progress}
    )
    worker.start()

    look(growth)
    early = progress.outstanding
    with paths[0].open("ab") as data:
        data.write(raw.data[half:])
    look(growth)
    late = progress.outstanding
    growth.end()
    worker.join(10)

    assert early is not None
    assert FRAMES / 4 < early < FRAMES * 3 / 4
    assert 0 == late


def test_file_is_valid_wherever_the_bytes_end(raw: Raw, tmp_path: Path) -> None:
    """Cut at twenty places: every picture up to there is in the file and decodes, and the file has an end."""
    dice = random.Random(7)  # noqa: S311 - dice, not secrets
    for cut in sorted(dice.sample(range(4_000, len(raw.data)), 20)):
        finished = finish(tmp_path, raw.data[:cut], raw.log())

        pictures, _ = packets_of(tmp_path / "finished.webm")
        structure = read_structure(tmp_path / "finished.webm")
        assert structure
        assert structure.complete
        assert structure.duration is not None
        assert raw.pictures[: len(pictures)] == [data for _, data in pictures]
        assert [round(number * STEP) for number in range(len(pictures))] == [at for at, _ in pictures]
        assert len(pictures) == finished.ticks == decoded(tmp_path / "finished.webm")
        # Pictures are spread evenly enough over the bytes.
        assert len(pictures) > FRAMES * cut / len(raw.data) * 0.5 - 3


@pytest.mark.parametrize(
    "data",
    [b"", b"\x1a", b"not a recording at all" * 1000, bytes(5_000), b"\x1a\x45\xdf\xa3" + b"\xff" * 500],
    ids=["nothing", "one byte", "text", "zeros", "damaged header"],
)
def test_unreadable_bytes_are_refused(data: bytes, tmp_path: Path) -> None:
    """The error says so in NERTC's code, and nothing crashes."""
    with pytest.raises(RecordingError) as failure:
        finish(tmp_path, data, [])

    assert (10453, "RecordingError") == (failure.value.code, failure.value.name)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 1.0])
def test_header_without_a_packet_is_refused(raw: Raw, tmp_path: Path, share: float) -> None:
    """What was cut before the first block holds neither picture nor sound."""
    header = raw.data.index(CLUSTER)

    with pytest.raises(RecordingError):
        finish(tmp_path, raw.data[: int(header * share)], raw.log())


def test_garbage_in_the_middle_costs_only_the_frames_after_it(raw: Raw, tmp_path: Path) -> None:
    """What came before it is kept."""
    half = len(raw.data) // 2
    damaged = raw.data[:half] + b"\x00garbage" * 500

    finish(tmp_path, damaged, raw.log())

    pictures, _ = packets_of(tmp_path / "finished.webm")
    assert len(pictures) > 20
    assert raw.pictures[: len(pictures) - 2] == [data for _, data in pictures][: len(pictures) - 2]


def test_dropped_frame_stays_a_gap(raw: Raw, tmp_path: Path) -> None:
    """Pictures after it keep their own ticks, and the manifest will say that it is missing."""
    gone = {30, 31, 60}
    data = edited(tmp_path, raw, lambda packet, number: packet.stream.type == "audio" or number not in gone)

    finished = finish(tmp_path, data, raw.log())

    pictures, _ = packets_of(tmp_path / "finished.webm")
    assert [round(number * STEP) for number in range(FRAMES) if number not in gone] == [at for at, _ in pictures]
    assert (FRAMES, 3) == (finished.ticks, finished.ticks_missed)


def test_skipped_tick_of_the_mixer_stays_a_gap(raw: Raw, tmp_path: Path) -> None:
    """The log says null there, and no picture moves into its place."""
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

    pictures, _ = packets_of(tmp_path / "finished.webm")
    assert [round(number * STEP) for number in range(FRAMES + 1) if number != missing] == [at for at, _ in pictures]
    assert (FRAMES + 1, 1) == (finished.ticks, finished.ticks_missed)


@pytest.mark.parametrize("length", [1000.0, 1010.0, 988.0])
def test_pause_is_cut_out(raw: Raw, tmp_path: Path, length: float) -> None:
    """The picture goes on at the next tick, with the sound that was made with it, however long the pause was."""
    paused = raw.written[FIRST_TICK + 50] - 1
    # The mixer's beat goes on: 30 ticks later it writes what would have been the next picture.
    later = raw.written[: FIRST_TICK + 50]
    later += [paused + 1 + number * STEP for number in range(30)]
    later += [at + 30 * STEP for at in raw.written[FIRST_TICK + 50 :]]
    states = [("started", raw.started), ("paused", paused), ("resumed", paused + length)]
    log = [json.dumps({"recorder": state, "time": at}) for state, at in states]
    log += [json.dumps({"first": at, "written": later[at : at + 8]}) for at in range(0, len(later), 8)]
    # The recorder's stamps stand still for as long as it paused, to the millisecond.
    shift = round(30 * STEP - length)

    def resume(packet: AnyPacket, _: int) -> bool:
        if (packet.pts or 0) >= raw.picture_stamps[50]:
            packet.pts = packet.dts = (packet.pts or 0) + shift
        return True

    finished = finish(tmp_path, edited(tmp_path, raw, resume), log)

    pictures, sounds = packets_of(tmp_path / "finished.webm")
    assert [round(number * STEP) for number in range(FRAMES)] == [at for at, _ in pictures]
    assert (FRAMES, 0) == (finished.ticks, finished.ticks_missed)
    kept = {data: at for at, data in sounds}
    shifts = [stamp - kept[data] for stamp, data in zip(raw.sound_stamps, raw.sounds, strict=True) if data in kept]
    off = [shift for shift in shifts if abs(shift - RECORDER_AUDIO_DELAY) > 5]
    # A packet that lies across the pause may go with either side.
    assert len(off) <= 1


def test_frames_without_a_log_are_on_a_grid(raw: Raw, tmp_path: Path) -> None:
    """Raw bytes alone can be recovered."""
    finish(tmp_path, raw.data, [])

    pictures, _ = packets_of(tmp_path / "finished.webm")
    assert FRAMES == len(pictures)
    assert {33, 34} == {b - a for (a, _), (b, _) in itertools.pairwise(pictures)}


def test_torn_line_at_the_end_of_the_log_is_ignored(raw: Raw, tmp_path: Path) -> None:
    """A server that was killed may leave one."""
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


def test_audio_without_video_is_a_recording(raw_sound: Raw, tmp_path: Path) -> None:
    """It has no grid and nothing to be moved against; its file is as complete."""
    finished = finish(tmp_path, raw_sound.data, [], frame_rate=None)

    _, sounds = packets_of(tmp_path / "finished.webm")
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
    assert raw_sound.sounds == [data for _, data in sounds]
    assert {SOUND_PACKET} == {b - a for (a, _), (b, _) in itertools.pairwise(sounds)}


def test_video_without_audio_is_a_recording(raw: Raw, tmp_path: Path) -> None:
    """When sound never came, what did come is kept."""
    silent = edited(tmp_path, raw, lambda packet, _: packet.stream.type == "video")

    finished = finish(tmp_path, silent, raw.log())

    assert (("video",), FRAMES) == (finished.tracks, finished.ticks)


def test_growing_file_ends_only_when_end_is_called(tmp_path: Path) -> None:
    """A reader waits at the end of the file, and gets what came just before the end was said."""
    path = tmp_path / "raw"
    path.write_bytes(b"one")
    growth = GrowingFile()
    tail = TailReader(path, growth)
    first = tail.read(100)
    heard: list[bytes] = []
    reader = threading.Thread(target=lambda: heard.extend([tail.read(100), tail.read(100)]))
    reader.start()

    reader.join(0.05)
    waited = reader.is_alive()
    with path.open("ab") as file:
        file.write(b"two")
    growth.end()
    reader.join(5)
    tail.close()
    tail.close()

    assert (b"one", True, [b"two", b""]) == (first, waited, heard)
