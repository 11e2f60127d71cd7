"""When the disk fills up, an alarm is raised first and an error later, and no partial file remains."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from harness import DiskFullError, RecordConfig, Room
from harness.recording.files.disk import Headroom, free_bytes
from harness.recording.spool.recover import recover
from harness.server.room_server import RoomServer
from harness.server.spool.spool import Spool
from tests.support.disks import mounted_disk
from tests.support.goals import Goals
from tests.support.recordings.long_recording import EndlessRecording, begin_recording
from tests.support.reports import check_recording

MB = 1_000_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a separate disk with a capacity of 64 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64M", "harness-test", folder], check=False, capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"Mounting a separate disk requires root: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path, *, leave: int) -> Path:
    """Fill the disk with one file so that only ``leave`` bytes remain free; return the file's path."""
    filler = folder / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free_bytes(folder) - leave)
    return filler


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


def test_download_without_disk_space_raises_disk_full_error_and_leaves_no_file(
    small_disk: Path, new_context: Callable[..., BrowserContext]
) -> None:
    """A recording that can't be downloaded stays in the spool until there is enough disk space."""
    with RoomServer(recordings=small_disk, versions={}) as server:
        server._spool.headroom = Headroom(low=0, least=0)
        with Room(server=server, new_context=new_context, recordings=small_disk) as room:
            alice = room.join("alice")
            alice.start_media_recording(recorder="local", record_config=RecordConfig(record_name="late"))
            room.wait(seconds=1.5)
            alice.stop_media_recording()
            (active,) = server._spool.recordings.values()
            # Wait until the raw bytes have been deleted, because deleting them later would free disk space during the
            # test.
            active.wait_until_safe()
            filler = fill(small_disk, leave=8_000)

            with pytest.raises(DiskFullError, match="No space for the download"):
                alice.download_media_recording()

            assert [] == [*small_disk.glob("*.webm"), *small_disk.glob("*.json")]
            filler.unlink()
            recording = alice.download_media_recording()

    assert "late.webm" == recording.path.name
    check_recording(recording)


# Records in a browser whose download folder (TMPDIR) has no space left when the recording is downloaded.
_FULL_TMPDIR = """
import logging, os, sys
from harness import RecordConfig, open_room, verify

logging.basicConfig(level=logging.WARNING)
with open_room(recordings=sys.argv[1]) as room:
    alice = room.join("alice")
    alice.start_media_recording(recorder="local", record_config=RecordConfig(record_name="out"))
    room.wait(seconds=1.5)
    alice.stop_media_recording()
    disk = os.environ["TMPDIR"]
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    with open(f"{disk}/filler", "wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, free - 8192)
    recording = alice.download_media_recording()
    os.unlink(f"{disk}/filler")
    assert verify(recording).ok
print(recording.model_dump_json())
"""


def test_full_folder_for_the_browsers_downloads_is_named_and_the_recording_is_delivered(tmp_path: Path) -> None:
    """The recordings folder has enough space, so the harness takes the recording from the spool without an error."""
    program = [sys.executable, "-c", _FULL_TMPDIR, str(tmp_path)]
    # Chrome creates a socket in TMPDIR, and the path of a socket must be short.
    with tempfile.TemporaryDirectory() as folder, mounted_disk(Path(folder, "disk"), "size=128M") as disk:
        environment = {**os.environ, "TMPDIR": str(disk)}
        done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False, timeout=100)

    assert 0 == done.returncode, done.stderr
    recording = json.loads(done.stdout.splitlines()[-1])
    assert recording["downloaded"] is False
    assert recording["download_failure"].startswith("not enough space for ")
    assert str(disk) in recording["download_failure"]
    assert "the file was taken from the spool" in done.stderr
