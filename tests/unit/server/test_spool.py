"""The spool receives recordings in chunks, and finishes, publishes and deletes recordings.

Each recording in the spool has its own locked folder.
"""

from __future__ import annotations

import fcntl
import json
import stat
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from harness.errors import ConfigError, RecordingError
from harness.recording.files.names import default_stem, statistics_of
from harness.recording.machine import LostCpu, LostCpuTime
from harness.recording.manifest import Manifest
from harness.recording.recording import sha256_of
from harness.recording.spool.describe import _wall_time
from harness.recording.spool.folder import Facts, Folder
from harness.recording.timeline import Member
from harness.server.spool.active_recording import GONE
from harness.server.spool.messages import MixerEvent, Statistics
from harness.server.spool.spool import Spool
from harness.verification.probe.container import read_structure
from tests.support.spooling import OFFSET, STARTED, VERSIONS, announce, begin, feed, recorded

if TYPE_CHECKING:
    from pathlib import Path

    from harness.server.spool.active_recording import ActiveRecording

pytestmark = pytest.mark.parallel


def test_a_recordings_folder_is_private(spool: Spool) -> None:
    """A recording's folder must be private, since it contains the participants' video and audio."""
    active = begin(spool)

    assert spool.root == active.folder.path.parent
    assert 0o700 == stat.S_IMODE(active.folder.path.stat().st_mode)


def test_two_recordings_do_not_share_a_folder(spool: Spool) -> None:
    """Each recording gets a random id, and the spool lists all recordings."""
    one, other = begin(spool), begin(spool)

    assert one.folder != other.folder
    assert {one.id: one, other.id: other} == spool.recordings


def test_a_recording_holds_its_lock_until_it_is_closed(spool: Spool) -> None:
    """A recording holds a lock on its folder, so that recovery does not treat it as abandoned."""
    active = begin(spool)

    with active.folder.lock.open("rb") as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        active.close()
        active.close()
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_facts_are_stored_next_to_the_bytes_without_a_token(spool: Spool) -> None:
    """The file ``recording.json`` contains all data that is needed to finish a recording if page and server crash."""
    active = begin(spool, recordName="standup")

    text = active.folder.facts.read_text()

    facts = json.loads(text)
    assert (active.id, "alice", "daily", "standup") == tuple(
        facts[key] for key in ("id", "participant", "room", "stem")
    )
    assert {"recordType": "audio", "recordName": "standup"} == facts["config"]
    assert "secret-token" not in text


def test_chunks_are_written_as_they_arrive(spool: Spool, audio_bytes: bytes) -> None:
    """Every accepted chunk is written to disk immediately, without buffering."""
    active = begin(spool)

    active.add_chunk(0, 0, memoryview(audio_bytes)[:700])
    active.add_chunk(1, 700, memoryview(audio_bytes)[700:1000])

    assert audio_bytes[:1000] == active.folder.raw.read_bytes()
    assert (2, 1000) == (active.chunks, active.size)


@pytest.mark.parametrize(
    ("number", "offset"),
    [
        pytest.param(0, 0, id="the same one again"),
        pytest.param(2, 700, id="one is missing"),
        pytest.param(1, 0, id="it overlaps"),
        pytest.param(1, 701, id="it leaves a hole"),
        pytest.param(1, 2**63, id="it lies far away"),
    ],
)
def test_a_chunk_that_is_not_the_next_one_is_refused(
    spool: Spool, audio_bytes: bytes, number: int, offset: int
) -> None:
    """The error for an unexpected chunk contains the numbers and positions of the expected and the received chunk.

    After an unexpected chunk was refused, the expected chunk is still accepted.
    """
    active = begin(spool)
    active.add_chunk(0, 0, memoryview(audio_bytes)[:700])

    with pytest.raises(
        RecordingError, match=f"Expected chunk 1 at byte 700, got chunk {number} at byte {offset}"
    ) as error:
        active.add_chunk(number, offset, memoryview(b"wrong"))

    assert 10452 == error.value.code
    assert audio_bytes[:700] == active.folder.raw.read_bytes()
    active.add_chunk(1, 700, memoryview(audio_bytes)[700:])


def test_statistics_are_published_next_to_the_recording(spool: Spool, audio_bytes: bytes, tmp_path: Path) -> None:
    """The statistics file contains one line per connection and second.

    Each line of the statistics file has the W3C's field names, and a time relative to the recording's start.
    """
    active = recorded(spool, audio_bytes)
    report = [{"type": "inbound-rtp", "kind": "audio", "packetsLost": 1}]
    active.statistics.add(Statistics(type="stats", time=STARTED + OFFSET + 500, participant="bob", report=report))

    published = active.publish(tmp_path / "kept")

    assert published is not None
    (line,) = statistics_of(published.path).read_text().splitlines()
    assert {"participant": "bob", "report": report} == {k: v for k, v in json.loads(line).items() if k != "at"}
    assert json.loads(line)["at"] == pytest.approx(0.5, abs=0.1)


def test_the_log_has_a_line_for_everything_reported(spool: Spool) -> None:
    """Each line of a recording's log is one JSON object, and is written to disk immediately."""
    active = begin(spool)

    active.log.add_recorder_state("started", STARTED)
    active.add_ticks(8, [1.5, None])
    active.log.add_event(MixerEvent(time=9_500, event="audio", participant="alice", on=True))
    active.log.add_recorder_state("stopped", STARTED + 1_000)

    lines = [json.loads(line) for line in active.folder.log.read_text().splitlines()]
    assert [
        {"member": {"name": "alice", "marker": 0}},
        {"event": {"time": 9_000.0, "event": "join", "participant": "alice"}},
        {"recorder": "started", "time": STARTED},
        {"first": 8, "written": [1.5, None]},
        {"event": {"time": 9_500, "event": "audio", "participant": "alice", "on": True}},
        {"recorder": "stopped", "time": STARTED + 1_000},
    ] == lines


def test_an_ended_recording_is_a_complete_file_with_its_manifest(spool: Spool, audio_bytes: bytes) -> None:
    """The manifest of a finished recording matches the file on disk."""
    active = recorded(spool, audio_bytes, recordName="standup")

    manifest = active.finish_with_manifest()

    recording = manifest.recording
    assert "finished" == active.state
    assert "standup.webm" == recording.path.name
    assert (recording.path.stat().st_size, sha256_of(recording.path)) == (recording.size, recording.sha256)
    structure = read_structure(recording.path)
    assert structure
    assert structure.complete
    assert pytest.approx(structure.duration, abs=0.03) == recording.duration
    assert manifest == Manifest.read(recording.manifest)
    assert ("alice", "all", "audio", "opus", None, VERSIONS) == (
        recording.participant,
        recording.recorder,
        recording.type,
        recording.codec,
        recording.recovered,
        manifest.versions,
    )


def test_events_have_times_on_the_recordings_clock(spool: Spool, audio_bytes: bytes) -> None:
    """The times of events in a manifest are relative to the recorder's start.

    In this test, the room's clock shows 10 s when the recorder starts.
    """
    active = begin(spool)
    active.log.add_recorder_state("started", STARTED)
    active.log.add_event(MixerEvent(time=10_500, event="audio", participant="alice", on=True))
    active.log.add_event(MixerEvent(time=10_750, event="alarm", message="The audio stalled."))
    feed(active, audio_bytes)

    manifest = active.finish_with_manifest()

    assert [(-1.0, "join"), (0.5, "audio"), (0.75, "alarm")] == [
        (event.at, event.event) for event in manifest.timeline.events
    ]
    assert (Member(name="alice", marker=0),) == manifest.timeline.members
    assert (("The audio stalled.",), 0.25) == (manifest.alarms, manifest.clock_error_ms)


def test_lost_cpu_time_is_measured_during_the_recording(spool: Spool, audio_bytes: bytes) -> None:
    """The manifest contains how long the server's control group was throttled, and how much time was stolen."""
    measured = LostCpuTime()

    manifest = recorded(spool, audio_bytes).finish_with_manifest()

    lost = measured.so_far()
    assert (lost.throttled is None) == (manifest.throttled_seconds is None)
    assert (lost.stolen is None) == (manifest.stolen_seconds is None)
    assert (manifest.throttled_seconds or 0.0) <= (lost.throttled or 0.0) + 0.001
    assert (manifest.stolen_seconds or 0.0) <= (lost.stolen or 0.0) + 0.001


def test_noticeable_loss_of_cpu_time_is_logged(
    spool: Spool, audio_bytes: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """When a recording ends, a warning with the recording's name states how much CPU time was lost."""
    lost = LostCpu(seconds=2.0, throttled=1.0, stolen=0.0)
    monkeypatch.setattr(LostCpuTime, "so_far", lambda _: lost)

    active = recorded(spool, audio_bytes)
    manifest = active.finish_with_manifest()

    assert (1.0, 0.0) == (manifest.throttled_seconds, manifest.stolen_seconds)
    assert f"{active.facts.stem}: {lost.warning()}" in caplog.text


def test_joins_from_the_page_are_refused_in_our_own_room(spool: Spool, audio_bytes: bytes) -> None:
    """In the server's own rooms, join and leave events must come from the server, not from a page."""
    active = recorded(spool, audio_bytes)

    with pytest.raises(RecordingError, match="must come from the server"):
        active.log.add_event(MixerEvent(time=STARTED, event="join", participant="mallory"))


def test_joins_from_the_page_are_listed_for_another_applications_call(spool: Spool, audio_bytes: bytes) -> None:
    """In another application's call, a participant who is reported only by the page is listed without a marker."""
    active = begin(spool, presence_from_server=False)
    active.log.add_recorder_state("started", STARTED)
    for name in ("alice", "guest 1"):
        active.log.add_event(MixerEvent(time=STARTED + OFFSET, event="join", participant=name))
    feed(active, audio_bytes)

    timeline = active.finish_with_manifest().timeline

    assert (Member(name="alice", marker=0), Member(name="guest 1")) == timeline.members
    assert ["alice", "guest 1"] == [event.participant for event in timeline.events if event.event == "join"]


def test_manifest_and_log_name_the_fallbacks_of_the_page(
    spool: Spool, audio_bytes: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """When a page announces a recording, the page also names its fallbacks."""
    caplog.set_level("INFO")
    hello = announce().model_copy(update={"fallbacks": ("shared-memory", "gc")})
    active = spool.begin(hello, participant="alice", room="daily", joins=())
    active.log.add_recorder_state("started", STARTED)
    feed(active, audio_bytes)

    manifest = active.finish_with_manifest()

    assert ("shared-memory", "gc") == manifest.fallbacks
    assert any("alice's page uses fallbacks: shared-memory, gc." in line for line in caplog.messages)


def test_finishing_twice_returns_the_same_manifest(spool: Spool, audio_bytes: bytes) -> None:
    """If a recording is finished twice, only the first reason is stored."""
    active = recorded(spool, audio_bytes)

    first, second = active.finish_with_manifest(), active.finish_with_manifest("its page went away")

    assert first is second
    assert first.recording.recovered is None


def test_a_manifest_contains_the_reason_why_a_recording_ended_by_itself(spool: Spool, audio_bytes: bytes) -> None:
    """The manifest's field ``recovered`` contains the reason why the recording ended."""
    active = recorded(spool, audio_bytes)

    manifest = active.finish_with_manifest(GONE)

    assert GONE == manifest.recording.recovered


def test_chunks_are_refused_after_the_end(spool: Spool, audio_bytes: bytes) -> None:
    """A chunk that arrives after the recording has ended is refused, and the file does not change."""
    active = recorded(spool, audio_bytes)
    before = active.finish_with_manifest().recording.sha256

    with pytest.raises(RecordingError, match=r"its state is .finished."):
        active.add_chunk(active.chunks, active.size, memoryview(b"late"))
    assert before == sha256_of(active.path)


def test_a_recording_without_bytes_fails(spool: Spool) -> None:
    """Finishing a recording without bytes always raises an error with NERTC's error code.

    A recording without bytes can be deleted although it can't be finished.
    """
    active = begin(spool)

    for _ in range(2):
        with pytest.raises(RecordingError) as error:
            active.finish_with_manifest()
        assert 10453 == error.value.code
    assert "failed" == active.state
    active.clean()
    assert not active.folder.path.exists()


@pytest.mark.parametrize("name", ["take", "raw", "finished", "log", "lock", "finished.part", "download.part"])
def test_a_recording_may_have_the_name_of_a_spool_file(spool: Spool, audio_bytes: bytes, name: str) -> None:
    """A recording can have any name, even the name of one of the spool's own files."""
    active = recorded(spool, audio_bytes, recordName=name)

    manifest = active.finish_with_manifest()
    # Once the file has been read back, the raw bytes may be removed, but nothing else.
    active.wait_until_safe()

    assert f"{name}.webm" == manifest.recording.path.name
    assert not active.folder.raw.exists()
    assert manifest.recording.sha256 == sha256_of(active.path)


def test_chunks_are_refused_while_the_recording_ends(
    spool: Spool, audio_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chunk that arrives while the recording is being finished is refused.

    Every chunk that was acknowledged before the recording ended is in the finished file.
    """
    active = begin(spool)
    feed(active, audio_bytes[:20_000])
    settled, ended = threading.Event(), threading.Event()
    name = Folder.name

    def slowly(folder: Folder, facts: Facts) -> Path:
        ended.set()
        settled.wait(10)
        return name(folder, facts)

    monkeypatch.setattr(Folder, "name", slowly)
    ending = threading.Thread(target=active.finish_with_manifest)
    ending.start()
    assert ended.wait(10)

    assert "recording" != active.state
    with pytest.raises(RecordingError, match=r"its state is .ending."):
        active.add_chunk(active.chunks, active.size, memoryview(audio_bytes[20_000:21_000]))
    settled.set()
    ending.join()


def test_an_ended_finalizer_answers_at_once(spool: Spool) -> None:
    """Waiting for a finalizer that has already ended returns immediately."""
    active = begin(spool)
    feed(active, bytes(4_000))
    with pytest.raises(RecordingError):
        active.finish()
    answered: list[bool] = []

    active.growing_file.call_when_read(lambda: answered.append(True))

    assert [True] == answered


def test_cleaning_removes_everything_and_can_be_repeated(spool: Spool, audio_bytes: bytes) -> None:
    """Deleting a recording removes its folder, files and lock. Messages about a deleted recording have no effect."""
    active = recorded(spool, audio_bytes)
    active.finish_with_manifest()

    active.clean()
    active.clean()
    active.add_ticks(0, [])

    assert "cleaned" == active.state
    assert not active.folder.path.exists()
    with pytest.raises(RecordingError, match=r"its state is .cleaned."):
        active.add_chunk(active.chunks, active.size, memoryview(b"late"))


def test_cleaning_while_recording_ends_it(spool: Spool, audio_bytes: bytes) -> None:
    """Deleting an active recording stops the finalizer's thread."""
    active = recorded(spool, audio_bytes)

    active.clean()

    assert not active._finalizer._thread.is_alive()
    assert not active.folder.path.exists()


def test_finishing_a_discarded_recording_fails_immediately(spool: Spool, audio_bytes: bytes) -> None:
    """The error for an attempt to finish a discarded recording states that the recording was discarded."""
    active = recorded(spool, audio_bytes)
    active.clean()

    with pytest.raises(RecordingError, match="discarded before it was finished"):
        active.finish_with_manifest()


def test_a_recording_without_a_download_is_published(spool: Spool, audio_bytes: bytes, tmp_path: Path) -> None:
    """A recording that nobody downloaded is moved to the recordings folder.

    The manifest of a recovered recording states why the recording was recovered.
    """
    active = recorded(spool, audio_bytes, recordName="standup")

    published = active.publish(tmp_path / "kept")
    again = active.publish(tmp_path / "kept")

    assert published
    assert (tmp_path / "kept" / "standup.webm", GONE) == (published.path, published.recovered)
    assert published == Manifest.read(published.manifest).recording
    assert again is None
    assert not active.folder.path.exists()


def test_a_recording_without_bytes_is_not_published(spool: Spool, tmp_path: Path) -> None:
    """Publishing a recording without bytes creates no file."""
    active = begin(spool)

    published = active.publish(tmp_path / "kept")

    assert published is None
    assert not (tmp_path / "kept").exists()


def test_an_invalid_configuration_begins_no_recording(spool: Spool) -> None:
    """The server validates a recording's configuration even though the page has already done so."""
    with pytest.raises(ConfigError, match="record_video_frame: 24"):
        begin(spool, recordVideoFrame=24)

    assert not spool.root.exists()
    assert {} == spool.recordings


@pytest.mark.parametrize(("name", "expected"), [("../../etc/passwd", "_.._etc_passwd"), ("x" * 300, "x" * 200)])
def test_a_recordings_name_stays_in_its_folder(spool: Spool, name: str, expected: str) -> None:
    """Recording names are made safe before they become file names."""
    active = begin(spool, recordName=name)

    assert f"{expected}.webm" == active.path.name
    assert active.path.resolve().is_relative_to(active.folder.path.resolve())


def test_a_recording_without_a_name_is_named_after_its_participant_and_time() -> None:
    """By default, the file name of a recording contains the name of the recording participant."""
    assert default_stem("alice").startswith("alice 20")
    assert "/" not in default_stem("al/ice")


@pytest.mark.parametrize(("zone", "minutes"), [("IST-5:30", 330), ("NST+3:30", -210), (":bogus", 0), ("UTC", 0)])
def test_a_recordings_name_contains_the_local_time(monkeypatch: pytest.MonkeyPatch, zone: str, minutes: int) -> None:
    """The file name contains the local time, and the manifest the time in UTC; an unknown time zone means UTC."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        before = datetime.now(tz=UTC)
        stem = default_stem("alice")
        written = _wall_time(before.timestamp() * 1000)
    finally:
        monkeypatch.undo()
        time.tzset()

    named = datetime.strptime(stem, "alice %Y-%m-%d %H.%M.%S").replace(tzinfo=UTC)
    assert 0 <= (named - before.replace(microsecond=0)).total_seconds() - minutes * 60 < 60
    assert before.isoformat(timespec="milliseconds") == written


def test_a_closed_spool_leaves_uncleaned_recordings(tmp_path: Path, audio_bytes: bytes) -> None:
    """After the spool has been closed, the raw bytes can be recovered, since the locks have been released."""
    spool = Spool(tmp_path, VERSIONS)
    active = recorded(spool, audio_bytes)

    spool.close()

    assert audio_bytes == active.folder.raw.read_bytes()
    with active.folder.lock.open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_an_empty_spool_is_removed_when_closed(tmp_path: Path) -> None:
    """Closing an empty spool removes its folder."""
    spool = Spool(tmp_path, VERSIONS)
    begin(spool).clean()

    spool.close()

    assert not spool.root.exists()


def settled(active: ActiveRecording) -> None:
    """Wait until the finished file has been read back."""
    assert active._settling is not None
    active._settling.join()


def test_raw_bytes_are_removed_after_the_file_was_read_back(spool: Spool, audio_bytes: bytes) -> None:
    """When the finished file has been read back, the raw bytes are removed, but the file and its manifest remain."""
    active = recorded(spool, audio_bytes)
    manifest = active.finish_with_manifest()

    settled(active)

    assert not active.folder.raw.exists()
    assert sha256_of(active.path) == manifest.recording.sha256


def test_raw_bytes_stay_when_the_finished_file_lost_packets(
    spool: Spool, audio_bytes: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """If recorded packets are missing from the finished file, a warning is logged, and the raw bytes are kept."""
    active = recorded(spool, audio_bytes)
    active.growing_file.end()
    active._finalizer.result().packets["audio"] += 1
    active.finish()

    settled(active)

    assert active.folder.raw.exists()
    assert "The raw bytes were kept: " in caplog.text


def test_cleaning_does_not_wait_for_the_read_back(spool: Spool, audio_bytes: bytes) -> None:
    """``clean`` deletes a recording at once, because the page already has the file and the disk space may be needed."""
    active = recorded(spool, audio_bytes)
    active.finish()

    active.clean()

    assert not active.folder.path.exists()
