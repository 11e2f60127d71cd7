"""Low space on any disk that a recording needs raises an alarm once, and too little space ends the recording."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from harness.errors import DiskFullError
from harness.recording.files.disk import Headroom, free_bytes
from harness.recording.files.disk_watch import DiskWatch
from tests.support.disks import mounted_disk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.parallel

MB = 1_000_000


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """Return a recording's folder in the spool."""
    folder = tmp_path / "recordings" / ".spool" / "id"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk with a capacity of about 42 MB, which is smaller than the disk of ``spool``."""
    with mounted_disk(tmp_path / "small", "size=40M") as disk:
        yield disk


def test_low_space_raises_one_alarm(spool: Path) -> None:
    """The spool and the recordings folder are on one disk, so there is one alarm, and it is not repeated."""
    watch = DiskWatch(spool, spool.parents[1], downloads=False)
    headroom = Headroom(low=1 << 60, least=0)

    alarms = watch.check(0, headroom)

    assert [spool] == [alarm.folder for alarm in alarms]
    assert re.fullmatch(
        r"Only \d+ MB of disk space is left\. The recording will end before the disk is full\.", alarms[0].message
    )
    assert [] == watch.check(0, headroom)


def test_too_little_space_in_the_recordings_folder_ends_the_recording(spool: Path, small_disk: Path) -> None:
    """If the recordings folder is on another disk, this disk needs as much space as the recording occupies."""
    watch = DiskWatch(spool, small_disk, downloads=False)

    early = watch.check(1 * MB, Headroom(low=20 * MB, least=10 * MB))
    late = watch.check(25 * MB, Headroom(low=20 * MB, least=10 * MB))

    assert [] == early
    assert [small_disk] == [alarm.folder for alarm in late]
    with pytest.raises(DiskFullError, match=f"of disk space is left at {small_disk}. The recording was ended"):
        watch.check(35 * MB, Headroom(low=20 * MB, least=10 * MB))


def test_too_little_space_for_the_download_is_only_an_alarm(
    spool: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The alarm names TMPDIR; the recording continues, because it can be taken from the spool."""
    monkeypatch.setenv("TMPDIR", str(small_disk))
    watch = DiskWatch(spool, spool.parents[1], downloads=True)
    headroom = Headroom(low=20 * MB, least=10 * MB)

    alarms = [watch.check(size, headroom) for size in (25 * MB, 35 * MB, 36 * MB)]

    assert [0, 1, 0] == [len(some) for some in alarms]
    (alarm,) = alarms[1]
    assert small_disk == alarm.folder
    assert f"left at {small_disk} (TMPDIR)" in alarm.message
    assert alarm.message.endswith("Set TMPDIR to a folder on another disk.")


def test_downloads_of_browsers_on_other_machines_are_not_watched(
    spool: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Browsers on other machines do not store their downloads in this machine's TMPDIR."""
    monkeypatch.setenv("TMPDIR", str(small_disk))
    watch = DiskWatch(spool, spool.parents[1], downloads=False)

    assert [] == watch.check(35 * MB, Headroom(low=20 * MB, least=10 * MB))


@pytest.mark.parametrize("folder", ["missing", "same disk"])
def test_folder_for_downloads_is_only_watched_on_a_disk_of_its_own(
    spool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    """On the spool's disk, the recording ends before the disk is full; a folder that does not exist is ignored."""
    monkeypatch.setenv("TMPDIR", str(tmp_path if folder == "same disk" else tmp_path / "missing"))
    watch = DiskWatch(spool, spool.parents[1], downloads=True)
    free = free_bytes(spool)

    alarms = watch.check(0, Headroom(low=free * 2, least=0))

    assert [spool] == [alarm.folder for alarm in alarms]
