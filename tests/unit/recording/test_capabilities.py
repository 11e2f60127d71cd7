"""Files are synced and locked if the disk supports this, and each missing feature is logged once."""

from __future__ import annotations

import errno
import fcntl
import os
from typing import TYPE_CHECKING

import pytest

from harness.recording.files import capabilities
from harness.recording.files.capabilities import lock, sync, sync_folder

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Never

pytestmark = pytest.mark.parallel


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the path of a file, and forget what was logged before."""
    capabilities._warn.cache_clear()
    path = tmp_path / "file"
    path.write_text("content")
    return path


def refuse(monkeypatch: pytest.MonkeyPatch, module: object, function: str, number: int) -> None:
    """Make a function fail with an error, as on a disk that does not support it."""

    def fail(*_: object) -> Never:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(module, function, fail)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_disk_that_can_not_sync_is_logged_once(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    """Recordings also work on a disk that can't sync files, but a power failure can damage them."""
    refuse(monkeypatch, os, "fsync", number)

    sync(file)
    sync(file)

    (message,) = caplog.messages
    assert "can't sync files, so a power failure can damage the latest recordings." in message


def test_disk_that_can_not_sync_folders_is_not_logged(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Many disks can sync files but not folders."""
    refuse(monkeypatch, os, "fsync", errno.EINVAL)

    sync_folder(file.parent)

    assert [] == caplog.messages


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_broken_or_full_disk_is_an_error(file: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Network disks report a full disk only when a file is synced."""
    refuse(monkeypatch, os, "fsync", number)

    for function, path in ((sync, file), (sync_folder, file.parent)):
        with pytest.raises(OSError, match=os.strerror(number)):
            function(path)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS])
def test_disk_without_locks_is_logged_once(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    """On a disk without locks, ``lock`` reports that the file is not locked."""
    refuse(monkeypatch, fcntl, "flock", number)

    with file.open("r+b") as opened:
        locked = [lock(opened), lock(opened)]

    assert [False, False] == locked
    (message,) = caplog.messages
    assert "does not support locks" in message


def test_file_can_be_locked_once(file: Path) -> None:
    """A file that is locked can't be locked again until it is closed."""
    with file.open("r+b") as first, file.open("r+b") as second:
        assert lock(first)
        with pytest.raises(BlockingIOError):
            lock(second)
        first.close()
        assert lock(second)
