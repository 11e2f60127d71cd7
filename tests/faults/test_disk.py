"""When the disk fills up, an alarm is raised first and an error later, and no partial file remains."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from harness import DiskFullError, Participant, RecordConfig, Room
from harness.recording.files.disk import Headroom
from harness.recording.spool.folder import FOLDER
from harness.recording.spool.recover import recover
from harness.server.room_server import RoomServer
from harness.server.spool.spool import Spool
from tests.support.disks import exfat_disk, fill, mounted_disk
from tests.support.goals import Goals
from tests.support.jobs.refused_calls import refusing
from tests.support.program import recorded_bytes, run_harness, running_harness, wait_until
from tests.support.recordings.long_recording import EndlessRecording, begin_recording
from tests.support.reports import check_recording

MB = 1_000_000
# The files of two recordings without statistics.
RECORDED_FILES = {f"{stem}{suffix}" for stem in ("downloaded", "saved") for suffix in (".webm", ".manifest.json")}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a separate disk with a capacity of 64 MB."""
    with mounted_disk(tmp_path / "disk", "size=64M") as disk:
        yield disk


def test_recording_ends_cleanly_after_an_alarm_when_the_disk_fills_up(
    small_disk: Path, new_context: Callable[..., BrowserContext], goals: Goals
) -> None:
    """When disk space runs out, the recording ends with a DiskFullError that contains the valid file."""
    with RoomServer(recordings=small_disk, versions={}) as server:
        server._spool.headroom = Headroom(low=40 * MB, least=20 * MB)
        with Room(server=server, new_context=new_context, recordings=small_disk) as room:
            alice = room.join("alice")
            alice.start_media_recording(recorder="local", record_config=RecordConfig(record_name="full"))
            room.wait(seconds=1)
            filler = fill(small_disk, leave=30 * MB)
            room.wait_for(lambda: alice.get_media_recording().alarm, what="the alarm")
            assert "of disk space is left" in str(alice.get_media_recording().alarm)
            room.wait(seconds=1)
            filler.unlink()
            fill(small_disk, leave=10 * MB)

            with pytest.raises(DiskFullError, match="MB of disk space is left at") as error:
                room.wait(seconds=10)

    recording = error.value.recording
    assert recording is not None
    assert "the disk was nearly full" == recording.recovered
    assert recording.duration > 1.5
    check_recording(recording)
    goals.measured("a disk that fills up", bar="alarm, then a valid file", figure="alarm, then a valid file", met=True)


def test_full_disk_raises_disk_full_error_and_leaves_no_partial_file(
    small_disk: Path, tmp_path: Path, goals: Goals
) -> None:
    """On a full disk, no file gets its final name; once space is free again, the recording can be recovered."""
    spool = Spool(small_disk, {})
    footage = EndlessRecording(tmp_path, rate=30, frame_bytes=20_000)
    active = begin_recording(spool, footage, "full")
    fill(small_disk, leave=6 * MB)

    def record() -> None:
        for number, one in enumerate(footage.slices(60)):
            active.add_chunk(number, active.size, memoryview(one.data))
            active.add_ticks(one.first, one.written)

    with pytest.raises(DiskFullError, match="the disk is full"):
        record()
    with pytest.raises(DiskFullError, match="No space for"):
        active.finish_with_manifest()
    assert active.publish(small_disk) is None
    spool.close()

    assert [] == [*small_disk.glob("*.webm"), *small_disk.glob("*.json")]
    (small_disk / "filler").unlink()
    (recovery,) = recover(small_disk)
    assert recovery.recording is not None, recovery.message
    assert recovery.recording.duration > 3
    assert small_disk / "full.webm" == recovery.recording.path
    goals.measured("a full disk", bar="DiskFullError, no partial file", figure="DiskFullError, no file", met=True)


@contextmanager
def stopped_recording(
    disk: Path, new_context: Callable[..., BrowserContext], *, name: str, seconds: float
) -> Iterator[tuple[Participant, Path]]:
    """Record on a disk without headroom; yield the participant, and the finished file in the spool."""
    with RoomServer(recordings=disk, versions={}) as server:
        server._spool.headroom = Headroom(low=0, least=0)
        with Room(server=server, new_context=new_context, recordings=disk) as room:
            alice = room.join("alice")
            alice.start_media_recording(recorder="local", record_config=RecordConfig(record_name=name))
            room.wait(seconds=seconds)
            alice.stop_media_recording()
            (active,) = server._spool.recordings.values()
            # Wait until the raw bytes have been deleted, because deleting them later would free disk space during the
            # test.
            active.wait_until_safe()
            yield alice, active.path


def test_download_without_disk_space_raises_disk_full_error_and_leaves_no_file(
    small_disk: Path, new_context: Callable[..., BrowserContext]
) -> None:
    """A recording that can't be downloaded stays in the spool until there is enough disk space."""
    with stopped_recording(small_disk, new_context, name="late", seconds=1.5) as (alice, _):
        filler = fill(small_disk, leave=0)

        with pytest.raises(DiskFullError, match="No space for the download"):
            alice.download_media_recording()

        assert [] == [*small_disk.glob("*.webm"), *small_disk.glob("*.json")]
        filler.unlink()
        recording = alice.download_media_recording()

    assert "late.webm" == recording.path.name
    check_recording(recording)


def test_recording_is_taken_from_the_spool_if_there_is_no_space_for_the_download(
    small_disk: Path, new_context: Callable[..., BrowserContext]
) -> None:
    """A hard link to the finished file needs no space, so a few free pages for the manifest are sufficient."""
    with stopped_recording(small_disk, new_context, name="linked", seconds=3) as (alice, finished):
        assert finished.stat().st_size > 50_000
        fill(small_disk, leave=40_000)

        recording = alice.download_media_recording()

    assert str(recording.download_failure).startswith("not enough space for ")
    assert str(small_disk) in str(recording.download_failure)
    check_recording(recording)


# Records in a browser whose download folder (TMPDIR) has no space left when the recording is downloaded.
_FULL_TMPDIR = """
import logging, os, sys
from pathlib import Path
from harness import RecordConfig, open_room, verify
from tests.support.disks import fill

logging.basicConfig(level=logging.WARNING)
disk = Path(os.environ["TMPDIR"])

with open_room(recordings=sys.argv[1]) as room:
    alice = room.join("alice")
    alice.start_media_recording(recorder="local", record_config=RecordConfig(record_name="out"))
    room.wait(seconds=1.5)
    filler = fill(disk, leave=30_000_000)
    room.wait_for(lambda: alice.get_media_recording().alarm, what="the alarm")
    alarm = alice.get_media_recording().alarm
    assert f"of disk space is left at {disk} (TMPDIR)" in alarm, alarm
    alice.stop_media_recording()
    filler.unlink()
    filler = fill(disk, leave=8192)
    recording = alice.download_media_recording()
    filler.unlink()
    report = verify(recording)
    assert not report.failures, report.failures
print(recording.model_dump_json())
"""


def test_full_folder_for_the_browsers_downloads_is_named_and_the_recording_is_delivered(tmp_path: Path) -> None:
    """First, an alarm names the folder; then, the harness takes the recording from the spool without an error."""
    program = [sys.executable, "-c", _FULL_TMPDIR, str(tmp_path)]
    # Chrome creates a socket in TMPDIR, and the path of a socket must be short.
    with tempfile.TemporaryDirectory() as folder, mounted_disk(Path(folder, "disk"), "size=256M") as disk:
        environment = {**os.environ, "TMPDIR": str(disk)}
        done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False, timeout=100)

    assert 0 == done.returncode, done.stderr
    recording = json.loads(done.stdout.splitlines()[-1])
    assert recording["downloaded"] is False
    assert recording["download_failure"].startswith("not enough space for ")
    assert f"in TMPDIR ({disk}): set TMPDIR to a folder on another disk" in recording["download_failure"]
    assert "the file was taken from the spool" in done.stderr
    assert 1 == done.stderr.count(f"alice: Only 30 MB of disk space is left at {disk} (TMPDIR)")


def test_recording_is_published_on_another_disk_than_the_spools(
    tmp_path: Path, new_context: Callable[..., BrowserContext]
) -> None:
    """A recording that was downloaded and one that is saved when its page closes are copied from the spool's disk."""
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    with mounted_disk(recordings / FOLDER, "size=400M,mode=700") as spool:
        with (
            RoomServer(recordings=recordings, versions={}) as server,
            Room(server=server, new_context=new_context, recordings=recordings) as room,
        ):
            alice = room.join("alice")
            alice.start_media_recording(recorder="local", record_config=RecordConfig(record_name="downloaded"))
            room.wait(seconds=1.5)
            alice.download_media_recording()
            alice.start_media_recording(recorder="local", record_config=RecordConfig(record_name="saved"))
            room.wait(seconds=1.5)
        assert [] == list(spool.iterdir())

    assert ["downloaded", "saved"] == [recording.path.stem for recording in alice.recordings]
    for recording in alice.recordings:
        check_recording(recording)
    # No partial file is left behind.
    assert {FOLDER, *RECORDED_FILES} == {path.name for path in recordings.iterdir()}


def test_recordings_whose_names_differ_only_in_case_are_both_stored_on_exfat(tmp_path: Path) -> None:
    """The file system exFAT has no hard links, and treats ``Standup.webm`` and ``standup.webm`` as the same name."""
    with exfat_disk(tmp_path, size=500 * MB) as disk:
        paths = []
        for name in ("Standup", "standup"):
            arguments = ("--recorder", "local", "--seconds", "1", "--name", name, "--recordings", str(disk), "--json")
            result = run_harness("record", "alice", *arguments, folder=tmp_path)
            assert result.stdout, result.stderr
            paths.append(Path(json.loads(result.stdout)["recordings"][0]["path"]))
            check_recording(paths[-1])

        assert ["Standup.webm", "standup-2.webm"] == [path.name for path in paths]
        assert set(paths) == set(disk.glob("*.webm"))
        assert [] == [path for path in (disk / FOLDER).rglob("*") if path.is_file()]


def test_recording_works_on_a_disk_without_locks_links_and_syncing(tmp_path: Path) -> None:
    """Some network disks support none of these features; the harness logs each missing feature once."""
    prefix = refusing("flock=ENOLCK", "fsync=EINVAL", "link=EPERM")
    arguments = ("record", "alice", "bob", "--seconds", "2", "--name", "limited", "--json")

    result = run_harness(*arguments, folder=tmp_path, prefix=prefix)

    assert result.stdout, result.stderr
    recording = Path(json.loads(result.stdout)["recordings"][0]["path"])
    check_recording(recording)
    assert 1 == result.stderr.count("can't sync files"), result.stderr
    assert 1 == result.stderr.count("does not support locks"), result.stderr
    assert {"limited.webm", "limited.manifest.json", "limited.stats.jsonl"} == {
        path.name for path in recording.parent.iterdir()
    }


def test_recording_on_a_disk_without_locks_is_recovered_only_after_its_program_ended(tmp_path: Path) -> None:
    """A file in the recording's folder names the process, so recovery does not touch a recording in progress."""
    prefix = refusing("flock=ENOTSUP")
    with running_harness(
        "record", "alice", "--seconds", "60", "--name", "killed", folder=tmp_path, prefix=prefix
    ) as process:
        wait_until(lambda: recorded_bytes(tmp_path) > 50_000, process)
        during = run_harness("recover", folder=tmp_path, prefix=prefix)
        process.kill()

    result = run_harness("recover", "--json", folder=tmp_path, prefix=prefix)

    assert "Nothing to recover." in during.stdout
    assert 0 == result.returncode, result.stderr
    (recording,) = json.loads(result.stdout)["recordings"]
    check_recording(Path(recording["path"]))
    assert [] == list((tmp_path / "recordings" / FOLDER).glob("*"))


def test_recording_on_a_full_disk_is_recovered_into_another_folder(small_disk: Path, tmp_path: Path) -> None:
    """Recovery finishes the recording in the other folder, so it needs no space on the full disk."""
    recordings, into = small_disk / "recordings", tmp_path / "other" / "folder"
    arguments = ("--seconds", "60", "--name", "killed", "--recordings", str(recordings))
    with running_harness("record", "alice", *arguments, folder=tmp_path) as process:
        wait_until(lambda: recorded_bytes(small_disk) > 50_000, process)
        process.kill()
    fill(small_disk, leave=0)

    result = run_harness("recover", str(recordings), "--into", str(into), "--json", folder=tmp_path)

    assert 0 == result.returncode, result.stderr
    (recording,) = json.loads(result.stdout)["recordings"]
    assert str(into / "killed.webm") == recording["path"]
    check_recording(into / "killed.webm")
    assert {"killed.webm", "killed.manifest.json"} == {path.name for path in into.iterdir()}
    assert [] == list((recordings / FOLDER).glob("*"))
