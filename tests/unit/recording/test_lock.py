"""Only one process at a time uses a recording's folder, on disks with and without locks."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from harness.errors import RecordingError
from harness.recording.spool.lock import FolderLock, owner_files

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Never

pytestmark = pytest.mark.parallel

# Locks a folder on a disk without locks, and ends without releasing the lock.
CRASH = """
import errno, fcntl, os, sys
from pathlib import Path
from harness.recording.spool.lock import FolderLock

def refuse(*_):
    raise OSError(errno.ENOLCK, "No locks available")

fcntl.flock = refuse
lock = FolderLock.acquire(Path(sys.argv[1]), new=True)
os._exit(0)
"""

# Contents of a damaged owner file; None means that it is a pipe.
DAMAGED = {
    "empty": b"",
    "incomplete": b"{",
    "impossible": b'{"pid": 0, "started": "1", "host": "builder", "processes": "here"}',
    "not UTF-8": b"\xff",
    "too large": bytes(20_000),
    "a pipe": None,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of the lock file in a recording's folder, which also contains another file."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "raw.webm").touch()
    return folder / "lock"


@pytest.fixture
def without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make locking fail, as on network disks without a lock service."""

    def refuse(*_: object) -> Never:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)


@pytest.fixture(params=["locks", "no locks"])
def _disk(request: pytest.FixtureRequest) -> None:
    """Run the test on a disk with locks and on one without them."""
    if request.param == "no locks":
        request.getfixturevalue("without_locks")


def crash(path: Path) -> subprocess.Popen[bytes]:
    """Make another process lock the folder and crash; the returned process is a zombie until somebody waits for it."""
    process = subprocess.Popen([sys.executable, "-c", CRASH, str(path)])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    return process


@pytest.mark.usefixtures("_disk")
def test_folder_in_use_can_not_be_locked(path: Path) -> None:
    """A folder can be locked again after its lock has been released."""
    first = FolderLock.acquire(path, new=True)

    with pytest.raises(BlockingIOError):
        FolderLock.acquire(path)
    first.close()
    with FolderLock.acquire(path) as second:
        assert not second.closed

    assert first.closed
    assert second.closed
    assert ["lock", "raw.webm"] == sorted(one.name for one in path.parent.iterdir())


@pytest.mark.usefixtures("_disk")
def test_missing_lock_file_is_not_created(path: Path) -> None:
    """Recovery must not create locks, because another process may be removing the folder."""
    with pytest.raises(FileNotFoundError):
        FolderLock.acquire(path)

    assert ["raw.webm"] == [one.name for one in path.parent.iterdir()]


@pytest.mark.usefixtures("_disk")
def test_empty_folder_is_removed_when_the_lock_is_released(path: Path) -> None:
    """On NFS, the folder can't be removed while the lock file is open, even if the lock file was removed."""
    lock = FolderLock.acquire(path, new=True)
    for file in path.parent.iterdir():
        file.unlink()

    lock.close()

    assert not path.parent.exists()


@pytest.mark.usefixtures("without_locks")
def test_lock_of_a_crashed_process_is_taken_over(path: Path) -> None:
    """A process that crashed does not keep the folder locked, even if the process is still a zombie."""
    process = crash(path)

    with FolderLock.acquire(path):
        held = [one.name for one in owner_files(path.parent)]

    process.wait()
    assert ["owner-1", "owner-2"] == held
    assert ["owner-1"] == [one.name for one in owner_files(path.parent)]


@pytest.mark.usefixtures("without_locks")
def test_later_process_with_the_same_id_does_not_hold_the_lock(path: Path) -> None:
    """In a restarted container, the program often has the same process ID as before."""
    with FolderLock.acquire(path, new=True):
        owner = path.parent / "owner-1"
        written = json.loads(owner.read_text())
        owner.write_text(json.dumps(written | {"started": "1"}))

        with FolderLock.acquire(path):
            held = [one.name for one in owner_files(path.parent)]

    assert os.getpid() == written["pid"]
    assert ["owner-1", "owner-2"] == held


@pytest.mark.usefixtures("without_locks")
def test_only_one_of_several_processes_takes_over_a_lock(path: Path) -> None:
    """If many processes recover the same folder at the same time, only one of them gets the lock."""
    crash(path).wait()

    def acquire(_: int) -> FolderLock | None:
        try:
            return FolderLock.acquire(path)
        except BlockingIOError:
            return None

    with ThreadPoolExecutor(max_workers=8) as threads:
        locks = [lock for lock in threads.map(acquire, range(40)) if lock is not None]

    assert 1 == len(locks)
    locks[0].close()


@pytest.mark.usefixtures("_disk")
def test_process_on_another_machine_may_hold_the_lock(path: Path) -> None:
    """A process on another machine can't be examined, so the error names the machine and the file to remove."""
    owner = path.parent / "owner-1"
    path.touch()
    owner.write_text(json.dumps({"pid": 7, "started": "1", "host": "builder", "processes": "another machine"}))

    with pytest.raises(RecordingError, match="process 7 on builder may still be recording into this folder") as error:
        FolderLock.acquire(path)

    assert str(error.value).endswith(f"If that program has ended, remove {owner}.")
    assert ["lock", "owner-1", "raw.webm"] == sorted(one.name for one in path.parent.iterdir())


@pytest.mark.usefixtures("_disk")
@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_damaged_owner_file_is_reported(path: Path, content: bytes | None) -> None:
    """An owner file that can't be read may belong to a running process. A pipe is not read, because it could block."""
    owner = path.parent / "owner-1"
    path.touch()
    if content is None:
        os.mkfifo(owner)
    else:
        owner.write_bytes(content)

    with pytest.raises(RecordingError, match=r"owner-1 is damaged\. If no program is recording"):
        FolderLock.acquire(path)
