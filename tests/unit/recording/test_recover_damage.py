"""Recovery saves a recording even if files in its folder are damaged, missing or unrelated to it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import av
import pytest

from harness.recording.files.names import statistics_of
from harness.recording.manifest import Manifest
from harness.recording.recording import sha256_of
from harness.recording.spool.folder import FOLDER
from harness.recording.spool.recover import KILLED, NEVER_DOWNLOADED, recover
from harness.recording.timeline import Member
from harness.server.spool.messages import MixerEvent, Statistics
from harness.server.spool.spool import Spool
from tests.support.recordings.long_recording import EndlessRecording
from tests.support.recordings.long_recording import begin_recording as begin_footage
from tests.support.spooling import OFFSET, STARTED, VERSIONS, recorded

if TYPE_CHECKING:
    from pathlib import Path

    from harness.recording.recording import Recording
    from harness.server.spool.active_recording import ActiveRecording

pytestmark = pytest.mark.parallel

BAD_LINES = (
    pytest.param(b"\x00\xff garbage", id="no text"),
    pytest.param(b'{"recorder": "started"', id="half a line"),
    pytest.param(b"[" * 100_000, id="nested"),
    pytest.param(b"[]", id="a list"),
    pytest.param(b"7", id="a number"),
    pytest.param(b'{"first": "x", "written": 5}', id="ticks"),
    pytest.param(b'{"first": 1' + b"0" * 5_000 + b', "written": []}', id="a large number"),
    pytest.param(b'{"event": 3}', id="an event"),
    pytest.param(b'{"event": {"event": "audio"}}', id="an event without a time"),
    pytest.param(b'{"event": {"time": 1, "event": "dance"}}', id="an unknown event"),
    pytest.param(b'{"member": {"name": 7}}', id="a member"),
    pytest.param(b'{"recorder": "stopped", "time": NaN}', id="a time"),
    pytest.param(b'{"recorder": "stopped", "time": 1e300}', id="a far time"),
    pytest.param(b'{"member": {"name": "' + b"x" * 11_000_000 + b'"}}', id="an endless line"),
)


def abandoned(folder: Path, audio_bytes: bytes) -> ActiveRecording:
    """Return an abandoned recording with an event and statistics."""
    active = recorded(Spool(folder, VERSIONS), audio_bytes, recordName="standup")
    active.log.add_event(MixerEvent(time=STARTED + OFFSET + 500, event="audio", participant="alice", on=True))
    active.statistics.add(
        Statistics(type="stats", time=STARTED + OFFSET + 250, participant="bob", report=[{"type": "x"}])
    )
    active.growing_file.end()
    active.close()
    return active


def saved(recordings: Path) -> Recording:
    """Run recovery, and return the only recording that it saves."""
    (recovery,) = recover(recordings)
    assert recovery.recording is not None, recovery
    assert recovery.recording.path.is_file()
    return recovery.recording


def packets(path: Path) -> list[tuple[str, float, bytes]]:
    """Return the media type, time in seconds and bytes of every packet."""
    with av.open(str(path)) as media:
        return sorted(
            (one.stream.type, float((one.pts or 0) * (one.time_base or 0)), bytes(one))
            for one in media.demux()
            if one.size
        )


def times(path: Path) -> list[tuple[str, float]]:
    """Return the media type and time of every packet."""
    return [(kind, at) for kind, at, _ in packets(path)]


@pytest.mark.parametrize("line", BAD_LINES)
def test_bad_line_in_the_log_is_skipped_and_counted(tmp_path: Path, audio_bytes: bytes, line: bytes) -> None:
    """If a recording's log contains an invalid line, recovery still saves the rest of the recording."""
    active = abandoned(tmp_path, audio_bytes)
    first, rest = active.folder.log.read_bytes().split(b"\n", 1)
    active.folder.log.write_bytes(b"\n".join((first, line, rest)))

    recording = saved(tmp_path)

    assert tmp_path / "standup.webm" == recording.path
    assert f"{KILLED}; 1 line of the log could not be read" == recording.recovered
    timeline = Manifest.read(recording.manifest).timeline
    assert (Member(name="alice", marker=0),) == timeline.members
    assert [(-1.0, "join"), (0.5, "audio")] == [(event.at, event.event) for event in timeline.events]


def test_fields_of_another_version_are_ignored(tmp_path: Path, audio_bytes: bytes) -> None:
    """Unknown fields in a recording's ``recording.json`` or log are ignored.

    A log line with an unknown field does not count as unreadable.
    """
    active = abandoned(tmp_path, audio_bytes)
    facts = json.loads(active.folder.facts.read_text())
    facts["config"]["zoom"] = 2
    active.folder.facts.write_text(json.dumps(facts | {"mood": "good"}))
    log = active.folder.log.read_text()
    for name in ('"name": ', '"name":', '"participant":', '"recorder":'):
        log = log.replace(name, f'"mood":"good",{name}')
    active.folder.log.write_text(log)

    recording = saved(tmp_path)

    assert (tmp_path / "standup.webm", KILLED, "audio") == (recording.path, recording.recovered, recording.type)
    manifest = Manifest.read(recording.manifest)
    assert ["join", "audio"] == [event.event for event in manifest.timeline.events]
    assert (Member(name="alice", marker=0),) == manifest.timeline.members
    assert 2 == manifest.config["zoom"]


@pytest.mark.parametrize("line", BAD_LINES)
def test_bad_line_in_the_statistics_is_skipped_and_counted(tmp_path: Path, audio_bytes: bytes, line: bytes) -> None:
    """Recovery skips an invalid line of statistics, and publishes all other lines with correct times."""
    active = abandoned(tmp_path, audio_bytes)
    good = active.folder.statistics.read_bytes()
    active.folder.statistics.write_bytes(line + b"\n" + good + b"torn")

    recording = saved(tmp_path)

    assert f"{KILLED}; 1 line of the statistics could not be read" == recording.recovered
    (one,) = statistics_of(recording.path).read_text().splitlines()
    assert ("bob", pytest.approx(0.25, abs=0.1)) == (json.loads(one)["participant"], json.loads(one)["at"])


@pytest.mark.parametrize("damage", [None, b"", b"{", b"\x00garbage\n" * 50, b'{"id": "x"}'])
@pytest.mark.parametrize("part", ["facts", "log"])
def test_recording_without_facts_or_log_is_saved_with_its_own_timestamps(
    tmp_path: Path, audio_bytes: bytes, part: str, damage: bytes | None
) -> None:
    """Without ``recording.json`` or a log, all packets are saved as recovered-ID, but not the participants."""
    active = abandoned(tmp_path, audio_bytes)
    raw = packets(active.folder.raw)
    path: Path = getattr(active.folder, part)
    path.unlink()
    if damage is not None:
        path.write_bytes(damage)

    recording = saved(tmp_path)

    assert tmp_path / f"recovered-{active.id}.webm" == recording.path
    assert f"{KILLED}; {path.name} is missing or damaged" in str(recording.recovered)
    assert raw == packets(recording.path)
    assert "audio" == recording.type
    assert pytest.approx(1.0, abs=0.1) == recording.duration
    manifest = Manifest.read(recording.manifest)
    assert ((), ()) == (manifest.timeline.members, manifest.timeline.events)
    assert recording == manifest.recording
    assert statistics_of(recording.path).is_file()
    assert not active.folder.path.exists()


def footage(folder: Path, recordings: Path) -> ActiveRecording:
    """Return an abandoned recording of four seconds of video and audio."""
    film = EndlessRecording(folder, rate=30)
    active = begin_footage(Spool(recordings, VERSIONS), film, "film")
    for number, one in enumerate(film.slices(4)):
        active.add_chunk(number, active.size, memoryview(one.data))
        active.add_ticks(one.first, one.written)
    active.growing_file.end()
    active.close()
    return active


def test_video_without_facts_gets_them_from_its_bytes(tmp_path: Path) -> None:
    """If ``recording.json`` is missing, size, frame rate and codec are read from the recorded bytes."""
    active = footage(tmp_path, tmp_path / "recordings")
    raw = packets(active.folder.raw)
    active.folder.facts.unlink()

    recording = saved(tmp_path / "recordings")

    assert raw == packets(recording.path)
    assert ("video", "vp8", 320, 180, 30) == (
        recording.type,
        recording.codec,
        recording.width,
        recording.height,
        recording.frame_rate,
    )
    assert pytest.approx(4.0, abs=0.1) == recording.duration


@pytest.mark.parametrize("number", [1, 2, 20])
def test_lost_line_of_ticks_moves_no_frame(tmp_path: Path, number: int) -> None:
    """If a line of ticks is missing from the log, frames and audio keep exactly the same times."""
    footage(tmp_path, tmp_path / "whole")
    whole = times(saved(tmp_path / "whole").path)
    active = footage(tmp_path, tmp_path / "damaged")
    lines = active.folder.log.read_bytes().splitlines()
    assert b'"first"' in lines[number]
    lines[number] = lines[number][:10]
    active.folder.log.write_bytes(b"\n".join(lines) + b"\n")

    recording = saved(tmp_path / "damaged")

    assert "1 line of the log" in str(recording.recovered)
    assert whole == times(recording.path)


def test_video_without_ticks_has_its_own_timestamps(tmp_path: Path) -> None:
    """If the ticks in a recording's log are damaged, the video packets keep their own timestamps.

    If an intact log ends before the first tick, the recording starts at the recorder's start time in the log.
    """
    damaged = footage(tmp_path, tmp_path / "damaged")
    raw = packets(damaged.folder.raw)
    log = damaged.folder.log.read_bytes()
    damaged.folder.log.write_bytes(log.replace(b'"first"', b'"torn'))
    early = footage(tmp_path, tmp_path / "early")
    early.folder.log.write_bytes(log.partition(b'{"first"')[0])

    own, begun = saved(tmp_path / "damaged"), saved(tmp_path / "early")

    assert (f"recovered-{damaged.id}.webm", raw) == (own.path.name, packets(own.path))
    assert ("film.webm", KILLED) == (begun.path.name, begun.recovered)
    assert STARTED == Manifest.read(begun.manifest).zero_ms


def test_audio_before_the_first_frame_is_saved(tmp_path: Path, audio_bytes: bytes) -> None:
    """Recovery saves a recording's audio even if the recording has no frames."""
    active = abandoned(tmp_path, audio_bytes)
    facts = json.loads(active.folder.facts.read_text())
    active.folder.facts.write_text(json.dumps({**facts, "frame_rate": 30, "width": 320, "height": 180}))

    recording = saved(tmp_path)

    assert tmp_path / "standup.webm" == recording.path
    assert pytest.approx(1.0, abs=0.1) == recording.duration
    timeline = Manifest.read(recording.manifest).timeline
    assert [(-1.0, "join"), (0.5, "audio")] == [(event.at, event.event) for event in timeline.events]


FOREIGN = (
    ".DS_Store",
    "Thumbs.db",
    "desktop.ini",
    "._raw.webm",
    "recording.json~",
    ".recording.json.swp",
    "notes/mine.txt",
)


@pytest.mark.parametrize("name", [*FOREIGN, *(f"finished/{name}" for name in (*FOREIGN, "._standup.webm", "a.json"))])
@pytest.mark.parametrize("finished", [True, False])
def test_foreign_file_stays_and_the_recording_is_recovered(
    tmp_path: Path, audio_bytes: bytes, name: str, *, finished: bool
) -> None:
    """Recovery removes only the recording's own files, and the next recovery has nothing to report."""
    active = recorded(Spool(tmp_path, VERSIONS), audio_bytes, recordName="standup")
    if finished:
        active.finish_with_manifest()
    active.growing_file.end()
    active.close()
    foreign = active.folder.path / name
    foreign.parent.mkdir(exist_ok=True, parents=True)
    foreign.write_text("mine")

    (recovery,) = recover(tmp_path)

    assert recovery.recording is not None, recovery
    assert (tmp_path / "standup.webm", NEVER_DOWNLOADED if finished else KILLED) == (
        recovery.recording.path,
        recovery.recording.recovered,
    )
    assert f"{active.folder.path} is kept" in str(recovery)
    left = {path for path in active.folder.path.rglob("*") if path.is_file()}
    assert {foreign} == left
    assert "mine" == foreign.read_text()
    assert [] == recover(tmp_path)
    assert "mine" == foreign.read_text()


def test_foreign_file_stays_when_the_recording_is_removed(spool: Spool, audio_bytes: bytes) -> None:
    """When a server removes a recording, unrelated files in the recording's folder are kept."""
    active = recorded(spool, audio_bytes)
    foreign = active.folder.path / ".DS_Store"
    foreign.write_text("mine")

    active.clean()

    assert [foreign] == list(active.folder.path.iterdir())


def test_folder_without_its_lock_is_recovered(tmp_path: Path, audio_bytes: bytes) -> None:
    """A recording is recovered even without its lock file, because a disk copy can omit such an empty file."""
    active = abandoned(tmp_path, audio_bytes)
    active.folder.lock.unlink()

    assert tmp_path / "standup.webm" == saved(tmp_path).path
    assert not active.folder.path.exists()


@pytest.mark.parametrize("damage", [b"", b"{", b"\x00" * 500])
def test_finished_file_without_its_manifest_is_saved(tmp_path: Path, audio_bytes: bytes, damage: bytes) -> None:
    """A finished file is saved even without a valid manifest, because its raw bytes have already been removed."""
    active = recorded(Spool(tmp_path, VERSIONS), audio_bytes, recordName="standup")
    manifest = active.finish_with_manifest()
    active.close()
    before = packets(active.path)
    manifest.recording.manifest.write_bytes(damage)

    recording = saved(tmp_path)

    assert f"recovered-{active.id}.webm" == recording.path.name
    assert "the manifest is missing, is damaged" in str(recording.recovered)
    assert before == packets(recording.path)
    assert recording.sha256 == sha256_of(recording.path)
    assert not active.folder.path.exists()


def test_truncated_finished_file_is_saved_up_to_its_end(tmp_path: Path, audio_bytes: bytes) -> None:
    """A truncated file does not match its manifest, so it is published as ``recovered-ID.webm``."""
    active = recorded(Spool(tmp_path, VERSIONS), audio_bytes, recordName="standup")
    active.finish_with_manifest()
    active.close()
    data = active.path.read_bytes()
    active.path.write_bytes(data[: len(data) * 2 // 3])

    recording = saved(tmp_path)

    assert f"recovered-{active.id}.webm" == recording.path.name
    assert 0.3 < recording.duration < 1.0


def test_empty_raw_file_does_not_hide_the_finished_file(tmp_path: Path, audio_bytes: bytes) -> None:
    """If a power cut leaves an empty raw file next to the finished file, the finished file is recovered."""
    active = recorded(Spool(tmp_path, VERSIONS), audio_bytes, recordName="standup")
    active.finish_with_manifest()
    active.close()
    active.folder.raw.touch()

    assert tmp_path / "standup.webm" == saved(tmp_path).path


def test_every_folder_is_recovered_although_one_fails(tmp_path: Path, audio_bytes: bytes) -> None:
    """A folder that can't be read is reported in one line, and the recordings in all other folders are recovered."""
    bad = abandoned(tmp_path, audio_bytes)
    bad.folder.raw.write_bytes(b"nothing that can be read")
    good = abandoned(tmp_path, audio_bytes)

    recoveries = {recovery.folder: recovery for recovery in recover(tmp_path)}

    assert recoveries[good.folder.path].recording is not None
    assert recoveries[bad.folder.path].recording is None
    assert bad.folder.raw.is_file()
    assert [bad.folder.path] == list((tmp_path / FOLDER).iterdir())
