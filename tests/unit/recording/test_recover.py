"""Recovery finishes recordings that were left behind by a crash, but does not touch a locked recording."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from harness.errors import RecordingError, SetupError
from harness.recording.manifest import Manifest
from harness.recording.spool.folder import FOLDER
from harness.recording.spool.recover import KILLED, NEVER_DOWNLOADED, recover
from harness.recording.timeline import Member
from harness.server.member_event import MemberEvent
from harness.server.spool.messages import Clock, SpoolHello
from harness.server.spool.spool import Spool
from harness.verification.probe.container import read_structure
from tests.support.disks import mounted_disk

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Never

    from harness.server.spool.active_recording import ActiveRecording

pytestmark = pytest.mark.parallel


def begun(folder: Path, audio_bytes: bytes, name: str = "standup") -> ActiveRecording:
    """Return an active recording into which media bytes have been written."""
    hello = SpoolHello(
        type="hello",
        token="t",  # noqa: S106 - a dummy token
        recorder="all",
        config={"recordType": "audio", "recordName": name},
        mime_type="audio/webm;codecs=opus",
        width=None,
        height=None,
        frame_rate=None,
        clock=Clock(offset=0, error=0.25),
    )
    joins = [MemberEvent(9_000.0, "join", Member(name="alice", marker=0))]
    active = Spool(folder, {"harness": "0"}).begin(hello, participant="alice", room="daily", joins=joins)
    active.log.add_recorder_state("started", 10_000)
    active.add_chunk(0, 0, memoryview(audio_bytes))
    return active


def abandon(active: ActiveRecording) -> None:
    """Leave a recording as a killed program would: the lock is released, but the recording's folder still exists."""
    active.growing_file.end()
    active.close()


def test_abandoned_recording_is_finished_and_published(tmp_path: Path, audio_bytes: bytes) -> None:
    """A recovered recording is complete, and its ``recovered`` field states why the recording was interrupted.

    After recovery, the spool is empty.
    """
    active = begun(tmp_path, audio_bytes)
    abandon(active)

    (recovery,) = recover(tmp_path)

    recording = recovery.recording
    assert recording is not None
    assert tmp_path / "standup.webm" == recording.path
    assert KILLED == recording.recovered
    structure = read_structure(recording.path)
    assert structure is not None
    assert structure.complete
    assert (Member(name="alice", marker=0),) == Manifest.read(recording.manifest).timeline.members
    assert "Recovered" in str(recovery)
    assert "1.0 s" in str(recovery)
    assert not active.folder.path.exists()


def test_locked_recording_is_not_touched(tmp_path: Path, audio_bytes: bytes) -> None:
    """A locked folder is skipped, because another process may be recording into it."""
    active = begun(tmp_path, audio_bytes)

    recoveries = recover(tmp_path)

    assert [] == recoveries
    assert active.folder.raw.exists()
    active.clean()


def test_finished_recording_without_a_download_is_published(tmp_path: Path, audio_bytes: bytes) -> None:
    """Recovery publishes a finished recording that was not downloaded, without changing the recording."""
    active = begun(tmp_path, audio_bytes)
    manifest = active.finish_with_manifest()
    abandon(active)

    (recovery,) = recover(tmp_path)

    assert recovery.recording is not None
    assert NEVER_DOWNLOADED == recovery.recording.recovered
    assert manifest.recording.sha256 == recovery.recording.sha256


def test_published_recording_is_not_published_again(tmp_path: Path, audio_bytes: bytes) -> None:
    """Recovery does not publish a recording that has already been published."""
    active = begun(tmp_path, audio_bytes)
    active.finish_with_manifest()
    active.mark_published()
    abandon(active)

    assert [] == recover(tmp_path)
    assert not active.folder.path.exists()


def test_existing_recording_is_not_overwritten(tmp_path: Path, audio_bytes: bytes) -> None:
    """Recovery does not overwrite an existing recording with the same name."""
    (tmp_path / "standup.webm").write_text("somebody's")
    abandon(begun(tmp_path, audio_bytes))

    (recovery,) = recover(tmp_path)

    assert recovery.recording is not None
    assert "standup-2.webm" == recovery.recording.path.name
    assert "somebody's" == (tmp_path / "standup.webm").read_text()


def test_empty_folder_is_removed(tmp_path: Path, audio_bytes: bytes) -> None:
    """The folder of an empty recording is removed without a report, because there is nothing to save."""
    active = begun(tmp_path, audio_bytes)
    abandon(active)
    active.folder.raw.write_bytes(b"")

    assert [] == recover(tmp_path)
    assert not active.folder.path.exists()


def test_unreadable_recording_stays_and_is_reported(tmp_path: Path, audio_bytes: bytes) -> None:
    """A recording that can't be read is not removed, because its bytes may still be useful."""
    active = begun(tmp_path, audio_bytes)
    abandon(active)
    active.folder.raw.write_bytes(b"\x00garbage\n" * 50)

    (recovery,) = recover(tmp_path)

    assert recovery.recording is None
    assert "can't be recovered" in str(recovery)
    assert active.folder.path.exists()


def test_folder_that_can_not_be_locked_stays_and_the_others_are_recovered(tmp_path: Path, audio_bytes: bytes) -> None:
    """If a folder can't be locked, a one-line report contains the folder's path, and other recordings are recovered."""
    odd = tmp_path / FOLDER / "0 odd"
    (odd / "lock").mkdir(parents=True)
    abandon(begun(tmp_path, audio_bytes))

    # The results are sorted, because recordings are recovered in the order of their folders' names, which are random.
    left, recovered = sorted(recover(tmp_path), key=lambda one: one.recording is not None)

    assert left.recording is None
    assert f"{odd} can't be recovered, and was left unchanged: " in str(left)
    assert 1 == len(str(left).splitlines())
    assert (odd / "lock").is_dir()
    assert recovered.recording is not None
    assert recovered.recording.path.is_file()


def test_spool_that_can_not_be_listed_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the spool's folders can't be listed, recovery reports the error in one line."""
    (tmp_path / FOLDER).mkdir()

    def forbidden(path: Path) -> Never:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(type(tmp_path), "iterdir", forbidden)

    (left,) = recover(tmp_path)

    assert left.recording is None
    assert "Permission denied" in str(left)


def test_folder_that_can_not_be_removed_does_not_hide_its_recording(
    tmp_path: Path, audio_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a recording's folder can't be removed, recovery saves the recording, and a second recovery reports nothing."""
    active = begun(tmp_path, audio_bytes)
    abandon(active)

    def stuck(path: Path) -> Never:
        raise PermissionError(errno.EPERM, "Operation not permitted", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", stuck)
        (recovery,) = recover(tmp_path)

    assert recovery.recording is not None
    assert recovery.recording.path.is_file()
    assert f"Remove {active.folder.path}." in str(recovery)
    assert [] == recover(tmp_path)
    assert not active.folder.path.exists()


def test_problem_is_reported_in_one_line(tmp_path: Path, audio_bytes: bytes) -> None:
    """An error message with several lines is joined into a single line."""
    active = begun(tmp_path, audio_bytes)
    abandon(active)
    active.folder.facts.write_text("{")
    active.folder.raw.write_bytes(b"\x00garbage\n" * 50)

    (recovery,) = recover(tmp_path)

    assert recovery.recording is None
    assert 1 == len(str(recovery).splitlines())


PARTS = (
    *(
        "lock",
        "recording.json",
        "raw.webm",
        "log.jsonl",
        "stats.jsonl",
        "finished.part",
        "published",
        "finished",
        "odd",
    ),
    *("finished/standup.webm", "finished/standup.manifest.json", "finished/standup.stats.jsonl"),
)


@pytest.mark.parametrize("part", PARTS)
def test_link_is_never_followed(tmp_path: Path, audio_bytes: bytes, part: str) -> None:
    """A symbolic link's target is neither published nor overwritten.

    A recording's folder that contains a symbolic link is kept and reported.
    """
    folder = begun_and_abandoned(tmp_path, audio_bytes)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("somebody's")
    path = replaced(folder / part)
    path.symlink_to(elsewhere)

    (recovery,) = recover(tmp_path)

    assert recovery.recording is None
    assert f"{path} is neither a regular file nor a folder" in str(recovery)
    assert "somebody's" == elsewhere.read_text()
    assert path.is_symlink()


@pytest.mark.parametrize("part", PARTS)
def test_pipe_is_not_read(tmp_path: Path, audio_bytes: bytes, part: str) -> None:
    """A pipe in a recording's folder is not read, because reading it would block forever."""
    folder = begun_and_abandoned(tmp_path, audio_bytes)
    os.mkfifo(replaced(folder / part))

    (recovery,) = recover(tmp_path)

    assert recovery.recording is None
    assert "can't be recovered" in str(recovery)
    assert (folder / part).is_fifo()


def test_link_in_place_of_a_recordings_folder_is_not_followed(tmp_path: Path, audio_bytes: bytes) -> None:
    """If a recording's folder is a symbolic link, the link is not followed, because its target may still be needed."""
    elsewhere = begun_and_abandoned(tmp_path / "other", audio_bytes)
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "link").symlink_to(elsewhere)

    (recovery,) = recover(tmp_path)

    assert "this path is a link, not a recording's folder" in str(recovery)
    assert (elsewhere / "raw.webm").is_file()


@pytest.mark.parametrize(("part", "size"), [("recording.json", 1_000_001), ("log.jsonl", 1_000_000_001)])
def test_file_that_is_too_large_is_not_read(tmp_path: Path, audio_bytes: bytes, part: str, size: int) -> None:
    """A file that is too large to belong to a recording is not read."""
    folder = begun_and_abandoned(tmp_path, audio_bytes)
    with (folder / part).open("ab") as file:
        file.truncate(size)

    (recovery,) = recover(tmp_path)

    assert f"{part} is too large to be read ({size} bytes)" in str(recovery)


def test_endless_line_of_statistics_uses_little_memory(tmp_path: Path, audio_bytes: bytes) -> None:
    """A line of statistics that never ends is read in pieces and skipped."""
    folder = begun_and_abandoned(tmp_path, audio_bytes)
    with (folder / "stats.jsonl").open("wb") as file:
        file.truncate(200_000_000)

    tracemalloc.start()
    (recovery,) = recover(tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert recovery.recording is not None
    assert peak < 50_000_000


def test_moved_recording_is_recovered_with_its_statistics(tmp_path: Path, audio_bytes: bytes) -> None:
    """A recording's statistics are in its own folder, so they are found even after this folder has been moved."""
    active = begun(tmp_path / "before", audio_bytes)
    active.finish_with_manifest()
    (active.folder.path / "finished" / "standup.stats.jsonl").write_text('{"at": 0}\n')
    abandon(active)
    (tmp_path / "before").rename(tmp_path / "after")

    (recovery,) = recover(tmp_path / "after")

    assert recovery.recording is not None
    assert (tmp_path / "after" / "standup.stats.jsonl").is_file()


def begun_and_abandoned(folder: Path, audio_bytes: bytes) -> Path:
    """Return the folder of an abandoned recording, whose lock is not held."""
    active = begun(folder, audio_bytes)
    abandon(active)
    return active.folder.path


def replaced(path: Path) -> Path:
    """Remove the file at this path, and return the path."""
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    return path


def test_folder_without_recordings_has_nothing_to_recover(tmp_path: Path) -> None:
    """If a folder has no spool, there is nothing to recover or report."""
    assert [] == recover(tmp_path / "nothing")


def test_spool_that_is_a_link_is_not_touched(tmp_path: Path, audio_bytes: bytes) -> None:
    """If the spool is a symbolic link, recording is refused, because the link could point to another user's folder."""
    project = tmp_path / "elsewhere" / "project"
    project.mkdir(parents=True)
    (project / "lock").touch()
    (project / "important.txt").write_text("mine")
    (tmp_path / FOLDER).symlink_to(project.parent)

    (left,) = recover(tmp_path)

    assert left.recording is None
    assert f"{tmp_path / FOLDER} can't be recovered, and was left unchanged: this path is a link" in str(left)
    assert "mine" == (project / "important.txt").read_text()
    with pytest.raises(RecordingError, match="is a link, so recordings would be stored somewhere else"):
        begun(tmp_path, audio_bytes)


def test_foreign_folder_is_not_removed(tmp_path: Path) -> None:
    """A folder without recorded bytes is removed only if it contains no unrelated files."""
    foreign = tmp_path / FOLDER / "project"
    foreign.mkdir(parents=True)
    (foreign / "lock").touch()
    (foreign / "important.txt").write_text("mine")

    (left,) = recover(tmp_path)

    assert f"{foreign / 'important.txt'} is not part of a recording" in str(left)
    assert "mine" == (foreign / "important.txt").read_text()


def test_sparse_file_is_not_read(tmp_path: Path, audio_bytes: bytes) -> None:
    """A huge sparse file is not read, because reading it would delay the start of the server by days."""
    active = begun(tmp_path, audio_bytes)
    abandon(active)
    os.truncate(active.folder.raw, 10**13)

    (left,) = recover(tmp_path)

    assert "is a sparse file, so it can't be part of a recording" in str(left)
    assert active.folder.raw.exists()


def test_disk_without_locks_is_recovered_in_the_same_way(
    tmp_path: Path, audio_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without locks, recovery also skips a recording in progress, finishes an abandoned one, and removes its folder."""

    def refuse(*_: object) -> Never:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    active = begun(tmp_path, audio_bytes)

    during = recover(tmp_path)
    abandon(active)
    (recovery,) = recover(tmp_path)

    assert [] == during
    assert recovery.recording is not None, recovery
    assert tmp_path / "standup.webm" == recovery.recording.path
    assert not active.folder.path.exists()


def test_recording_that_another_machine_may_be_making_is_reported(tmp_path: Path, audio_bytes: bytes) -> None:
    """On a network disk without locks, the message names the file to remove if the other program has ended."""
    active = begun(tmp_path, audio_bytes)
    abandon(active)
    owner = active.folder.path / "owner-1"
    owner.write_text('{"pid": 7, "started": "1", "host": "builder", "processes": "another machine"}')

    (left,) = recover(tmp_path)
    owner.unlink()
    (recovery,) = recover(tmp_path)

    assert "left unchanged: process 7 on builder may still be recording into this folder" in str(left)
    assert recovery.recording is not None


@pytest.mark.parametrize("state", ["in progress", "finished", "without properties"])
def test_recording_is_recovered_into_another_folder(tmp_path: Path, audio_bytes: bytes, state: str) -> None:
    """The other folder is created, and the spool is empty afterwards."""
    active = begun(tmp_path / "before", audio_bytes)
    if state == "finished":
        active.finish_with_manifest()
    abandon(active)
    if state == "without properties":
        active.folder.facts.unlink()
    into = tmp_path / "some" / "where"

    (recovery,) = recover(tmp_path / "before", into)

    stem = f"recovered-{active.id}" if state == "without properties" else "standup"
    assert recovery.recording is not None, recovery
    assert into / f"{stem}.webm" == recovery.recording.path
    assert Manifest.read(into / f"{stem}.manifest.json").recording == recovery.recording
    assert {f"{stem}.webm", f"{stem}.manifest.json"} == {path.name for path in into.iterdir()}
    assert not active.folder.path.exists()
    assert [FOLDER] == [path.name for path in (tmp_path / "before").iterdir()]


def test_recovery_into_another_folder_overwrites_nothing(tmp_path: Path, audio_bytes: bytes) -> None:
    """If the other folder contains a recording with the same name, the recovered recording gets a number."""
    into = tmp_path / "into"
    into.mkdir()
    (into / "standup.webm").write_text("somebody's")
    abandon(begun(tmp_path, audio_bytes))

    (recovery,) = recover(tmp_path, into)

    assert recovery.recording is not None
    assert "standup-2.webm" == recovery.recording.path.name
    assert "somebody's" == (into / "standup.webm").read_text()


def test_failed_recovery_into_another_folder_keeps_the_raw_bytes(
    tmp_path: Path, audio_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The raw bytes are removed only after the recording has been published; nothing stays in the other folder."""
    active = begun(tmp_path, audio_bytes)
    abandon(active)

    def fail(*_: object) -> Never:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr("harness.recording.spool.publish.replace", fail)
        (left,) = recover(tmp_path, tmp_path / "into")

    assert left.recording is None
    assert active.folder.raw.read_bytes() == audio_bytes
    assert [] == list((tmp_path / "into").iterdir())
    (recovery,) = recover(tmp_path)
    assert recovery.recording is not None


def test_recording_is_recovered_to_another_disk(tmp_path: Path, audio_bytes: bytes) -> None:
    """If the recording does not fit on the other disk, it stays in the spool, and can be recovered later."""
    active = begun(tmp_path, audio_bytes)
    abandon(active)
    with mounted_disk(tmp_path / "small", "size=8k") as small, mounted_disk(tmp_path / "large", "size=8M") as large:
        (left,) = recover(tmp_path, small)
        (recovery,) = recover(tmp_path, large)

        assert "the disk is full" in str(left)
        assert [] == list(small.iterdir())
        assert recovery.recording is not None, recovery
        assert large / "standup.webm" == recovery.recording.path
        assert recovery.recording.path.is_file()


def test_folder_that_can_not_be_created_is_an_error(tmp_path: Path, audio_bytes: bytes) -> None:
    """If the other folder can't be created, nothing is recovered, and the error names the folder and the option."""
    active = begun(tmp_path, audio_bytes)
    abandon(active)
    (tmp_path / "file").touch()

    with pytest.raises(SetupError, match=f"Recordings can't be stored in {tmp_path / 'file' / 'into'}: .*--into"):
        recover(tmp_path, tmp_path / "file" / "into")

    assert active.folder.raw.exists()
