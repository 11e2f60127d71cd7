"""If a recording's log files are full, later entries are dropped and counted, and the recording continues."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from harness.errors import DiskFullError
from harness.recording import manifest as manifests
from harness.recording.files.disk import stored_bytes
from harness.recording.files.names import statistics_of
from harness.recording.manifest import LARGEST_MANIFEST, Manifest
from harness.recording.spool.folder import Folder
from harness.recording.timeline import Event, Member, Tile, Timeline
from harness.server.access.limits import ServerLimits
from harness.server.member_event import MemberEvent
from harness.server.room_server import RoomServer
from harness.server.serve_options import ServeOptions
from harness.server.spool.messages import MixerEvent, Statistics
from harness.server.spool.spool import Spool
from tests.support.disks import mounted_disk
from tests.support.sockets import AUDIO_HELLO, CHUNK, receive_answer, sockets
from tests.support.spooling import OFFSET, STARTED, begin, feed, recorded

if TYPE_CHECKING:
    from harness.server.spool.active_recording import ActiveRecording

pytestmark = pytest.mark.parallel

ROOM = STARTED + OFFSET


def connection(number: int) -> Statistics:
    """Return about 2 kB of statistics, like those that a page reports for each connection every second."""
    report: list[dict[str, Any]] = [{"type": "inbound-rtp", "one": "x" * 120, "other": "y" * 120}] * 7
    return Statistics(type="stats", time=ROOM + number, participant="bob", report=report)


def test_statistics_beyond_the_limit_are_dropped_and_the_recording_continues(
    tmp_path: Path, audio_bytes: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """If statistics are dropped, the manifest contains an alarm, and the server logs the number of dropped lines."""
    spool = Spool(tmp_path, {}, max_statistics=20_000)
    active = recorded(spool, audio_bytes)
    for number in range(50):
        active.statistics.add(connection(number))

    manifest = active.finish_with_manifest()

    assert "finished" == active.state
    assert (
        "The WebRTC statistics are no longer being stored: the statistics file has reached the limit of 20000 bytes.",
    ) == manifest.alarms
    stored = statistics_of(active.path).read_text().splitlines()
    assert 0 < len(stored) < 20
    assert any(f"{50 - len(stored)} lines of statistics were dropped" in line for line in caplog.messages)
    spool.close()


def test_chunks_are_accepted_after_the_statistics_limit_is_reached(tmp_path: Path, audio_bytes: bytes) -> None:
    """Statistics that exceed the limit ``notes_bytes`` are dropped, and the recording can still be stopped as usual."""

    async def record(server: RoomServer) -> dict[str, Any]:
        async with sockets(server) as wire:
            inside, welcome = await wire.enter("daily", "alice")
            spool = await wire.open("/spool")
            await spool.send_json({**AUDIO_HELLO, "token": welcome["spool_token"]})
            await receive_answer(spool, "ready")
            message = connection(0).model_dump()
            for number in range(30):
                await spool.send_json(message)
                assert number + 1 == (await receive_answer(spool, "ack"))["acked_seq"]
            await spool.send_bytes(CHUNK.pack(1, 0, 0) + audio_bytes)
            await spool.send_json({"type": "end", "chunks": 1, "bytes": len(audio_bytes)})
            finished = await receive_answer(spool, "finished")
            await inside.close()
            return finished

    with RoomServer(
        recordings=tmp_path, versions={}, options=ServeOptions(limits=ServerLimits(notes_bytes=10_000))
    ) as server:
        finished = asyncio.run(record(server))

    assert "heard.webm" == finished["recording"]["name"]


def test_events_beyond_the_limit_are_dropped_and_the_recording_continues(
    spool: Spool, audio_bytes: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """If events from the page are dropped, only one alarm reports the loss.

    Room events, alarms and recorder states are accepted even after events from the page have been dropped.
    """
    active = begin(spool)
    active.log.add_recorder_state("started", STARTED)
    feed(active, audio_bytes)
    for number in range(20_050):
        active.log.add_event(
            MixerEvent(time=ROOM + number / 100, event="audio", participant="alice", on=bool(number % 2))
        )
    active.log.add_alarm(ROOM + 300, "late")
    active.log.add_member_event(MemberEvent(ROOM + 300, "join", Member(name="late")))
    active.log.add_recorder_state("stopped", STARTED + 900)

    manifest = active.finish_with_manifest()

    assert ("The manifest has reached its limit of page events; later events are missing.", "late") == manifest.alarms
    assert 20_000 == sum(event.event == "audio" for event in manifest.timeline.events)
    assert "late" in {member.name for member in manifest.timeline.members}
    assert pytest.approx(0.9, abs=0.01) == manifest.wall_seconds
    assert any("50 events were dropped" in line for line in caplog.messages)


def test_a_manifest_can_always_be_read_again(spool: Spool, audio_bytes: bytes, tmp_path: Path) -> None:
    """Events that no longer fit into the manifest are dropped, and an alarm reports the loss."""
    active = begin(spool)
    active.log.add_recorder_state("started", STARTED)
    feed(active, audio_bytes)
    tiles = tuple(
        Tile(participant=f"{number:03}" + "\U0001f600" * 197, x=60_000, y=60_000, width=60_000, height=60_000)
        for number in range(64)
    )
    layout = MixerEvent(time=ROOM, event="layout", tiles=tiles)
    for _ in range(1_300):
        active.log.add_event(layout)

    manifest = active.finish_with_manifest()

    path = manifest.recording.manifest
    assert path.stat().st_size <= LARGEST_MANIFEST
    assert manifest == Manifest.read(path)
    (alarm,) = manifest.alarms
    dropped = 1_300 - sum(event.event == "layout" for event in manifest.timeline.events)
    assert dropped > 0
    assert "The manifest has reached its limit of page events" in alarm
    published = active.publish(tmp_path / "kept")
    assert published is not None
    assert Manifest.read(published.manifest).timeline == manifest.timeline


def test_a_manifest_is_filled_up_to_its_limit(
    spool: Spool, audio_bytes: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Events that fit into the manifest are not dropped, although the manifest contains each join and alarm twice."""
    active = recorded(spool, audio_bytes)
    manifest = active.finish_with_manifest()
    members = tuple(Member(name=f"{number:05}" + '"' * 195) for number in range(2_000))
    events = [
        Event(
            at=0.0,
            event=kind,
            participant=f"{number:05}" + '"' * 195 if kind == "join" else None,
            message="\\" * 2000 if kind == "alarm" else None,
        )
        for kind in ("join", "alarm")
        for number in range(2_000)
    ]
    much = manifest.model_copy(update={"timeline": Timeline(members=members, events=tuple(events))})
    for most in (1_300_000, 5_000_000, 12_000_000):
        monkeypatch.setattr(manifests, "LARGEST_MANIFEST", most)
        path = tmp_path / f"{most}.json"

        much.write(path)

        assert (most - 1_100_000) * 0.8 < path.stat().st_size <= most
        assert Manifest.read(path).timeline.events


def test_thousands_of_pauses_are_all_in_the_manifest(spool: Spool, audio_bytes: bytes) -> None:
    """Even if a recording was paused thousands of times, the event times in the manifest exclude all pauses."""
    active = begin(spool)
    active.log.add_recorder_state("started", STARTED)
    feed(active, audio_bytes)
    for number in range(9_000):
        active.log.add_recorder_state("paused", STARTED + 1_000 + number)
        active.log.add_recorder_state("resumed", STARTED + 1_000.5 + number)
    for number in range(1_000):
        active.log.add_event(MixerEvent(time=ROOM + 1_000 + 10 * number, event="audio", participant="alice", on=True))

    manifest = active.finish_with_manifest()

    assert 9_000 == sum(event.event == "pause" for event in manifest.timeline.events)
    # Each pause shortens the recording by half a millisecond.
    last = max(event.at for event in manifest.timeline.events if event.event == "audio")
    assert pytest.approx(10.99 - 4.5, abs=0.01) == last


def test_facts_are_on_the_disk_before_the_first_chunk(
    spool: Spool, audio_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file ``recording.json`` is completely on disk before the first chunk, so it survives a power failure."""
    synced: list[Path] = []
    fsync, replace = os.fsync, Path.replace

    def noted(file: int) -> None:
        fsync(file)
        synced.append(Path(f"/proc/self/fd/{file}").readlink())

    def renamed(path: Path, target: Path) -> Path:
        assert path in synced
        synced.append(target)
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(Path, "replace", renamed)

    active = begin(spool)
    active.add_chunk(0, 0, memoryview(audio_bytes)[:700])

    assert [active.folder.facts_part, active.folder.facts, active.folder.path, spool.root] == synced
    assert active.id == json.loads(active.folder.facts.read_text())["id"]
    assert not active.folder.facts_part.exists()


def fill(path: Path) -> None:
    """Fill up a disk with a single large file at ``path``."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def fill_log(active: ActiveRecording) -> None:
    """Add more events to a recording's log than fit into one disk block."""
    for _ in range(10):
        active.log.add_event(MixerEvent(time=ROOM + 500, event="alarm", message="x" * 2000))


def test_a_log_line_on_a_full_disk_leaves_later_lines_intact(tmp_path: Path, audio_bytes: bytes) -> None:
    """If the disk is full, a partly written log line is removed, so later lines are intact once space is free."""
    with mounted_disk(tmp_path / "disk", "size=1M") as folder:
        spool = Spool(folder, {})
        active = begin(spool)
        active.log.add_recorder_state("started", STARTED)
        feed(active, audio_bytes)
        filler = folder / "filler"
        fill(filler)
        with pytest.raises(DiskFullError):
            fill_log(active)
        filler.unlink()
        active.log.add_event(MixerEvent(time=ROOM + 500, event="audio", participant="alice", on=True))

        manifest = active.finish_with_manifest()

        assert None is manifest.recording.recovered
        assert "audio" == manifest.timeline.events[-1].event
        assert not any("could not be read" in alarm for alarm in manifest.alarms)
        spool.close()


def test_a_sparse_file_counts_only_its_data(tmp_path: Path) -> None:
    """In a sparse file, unallocated ranges at the start, in the middle or at the end don't count as stored bytes."""
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        for at in (1_000_000, 5_000_000):
            file.seek(at)
            file.write(b"x" * 100_000)
        file.truncate(10**12)

    assert 200_000 <= stored_bytes(path) < 400_000


def test_a_file_whose_blocks_are_not_allocated_yet_counts_in_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All bytes of a compressed or newly written file count as stored, even if few of its blocks are allocated.

    ZFS, for example, does not allocate blocks until several seconds after a write.
    """
    path = tmp_path / "fresh"
    path.write_bytes(bytes(3_000_000))
    real = Path.stat

    def stat(one: Path, **options: Any) -> os.stat_result | SimpleNamespace:
        info = real(one, **options)
        return SimpleNamespace(st_size=info.st_size, st_mode=info.st_mode, st_blocks=1) if one == path else info

    monkeypatch.setattr(Path, "stat", stat)
    assert 1 == path.stat().st_blocks

    assert 3_000_000 == stored_bytes(path)


def test_folders_of_recordings_in_progress_are_private(spool: Spool, audio_bytes: bytes) -> None:
    """The spool and all folders in it are private, even if the umask is 0."""
    before = os.umask(0)
    try:
        active = recorded(spool, audio_bytes)
        active.finish_with_manifest()
    finally:
        os.umask(before)

    for folder in (spool.root, active.folder.path, active.folder.results):
        assert 0o700 == folder.stat().st_mode & 0o777
    assert isinstance(active.folder, Folder)
