"""Test when free disk space is low, when it ends a recording, and which errors mean that the disk is full."""

import errno
from pathlib import Path

import pytest

from harness.errors import DiskFullError
from harness.recording.files.disk import Headroom, free_bytes, megabytes, room_for

pytestmark = pytest.mark.parallel


def test_headroom_is_enough_on_an_empty_disk(tmp_path: Path) -> None:
    """Free disk space is "enough" if it is above both the limit for an alarm and the limit for an error."""
    assert "enough" == Headroom(low=1, least=0).left(tmp_path, 0)


def test_headroom_is_low_before_it_is_none(tmp_path: Path) -> None:
    """Free disk space below the alarm limit is "low", and free disk space below the error limit is "none"."""
    free = free_bytes(tmp_path)

    assert "low" == Headroom(low=free * 2, least=0).left(tmp_path, 0)
    assert "none" == Headroom(low=free * 2, least=free * 2).left(tmp_path, 0)


def test_download_needs_room_as_well(tmp_path: Path) -> None:
    """A recording needs twice its size on disk, because its downloaded copy needs as much space as the spool."""
    free = free_bytes(tmp_path)

    assert "none" == Headroom(low=0, least=free * 3 // 4).left(tmp_path, free // 2)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_and_used_up_quota_are_disk_full_errors(number: int, tmp_path: Path) -> None:
    """The error for a full disk states what could not be written and where, and explains what to do."""
    with (
        pytest.raises(DiskFullError, match=f"No space for the file at {tmp_path}.*harness recover"),
        room_for("the file", tmp_path),
    ):
        raise OSError(number, "no")


def test_other_errors_are_not_changed(tmp_path: Path) -> None:
    """Other errors, such as a missing file, are not reported as a full disk."""
    with pytest.raises(FileNotFoundError), room_for("the file", tmp_path):
        (tmp_path / "nothing").read_bytes()


def test_sizes_are_shown_in_megabytes() -> None:
    """Sizes are rounded to megabytes."""
    assert "250 MB" == megabytes(250_000_000)
