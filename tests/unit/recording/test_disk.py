"""Test when free disk space is low, whether TMPDIR can be used, and which errors mean that the disk is full."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.errors import DiskFullError
from harness.recording.files.disk import (
    Headroom,
    free_bytes,
    megabytes,
    room_for,
    temporary_folder,
    temporary_problem,
)
from tests.support.disks import mounted_disk, use_up_inodes

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


def test_disk_without_a_fixed_size_is_never_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some network disks report a size of 0 and no free space."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=0, used=0, free=0))

    assert "enough" == Headroom().left(tmp_path, 10**12)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder with a short path, which is the folder for temporary files."""
    with tempfile.TemporaryDirectory(dir="/tmp") as path:
        for name in ("TMP", "TEMP"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("TMPDIR", path)
        yield Path(path)


def test_folder_for_temporary_files_is_chosen_as_playwright_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first variable that is set and not empty counts, even if its folder can't be used."""
    names = ("TEMP", "TMP", "TMPDIR")
    for name in names:
        monkeypatch.setenv(name, "")
    found = [temporary_folder()]
    for name in names:
        monkeypatch.setenv(name, f"/nothing/{name}")
        found.append(temporary_folder())

    assert [Path("/tmp"), Path("/nothing/TEMP"), Path("/nothing/TMP"), Path("/nothing/TMPDIR")] == found


def test_usable_folder_for_temporary_files_has_no_problem(short: Path) -> None:
    """The test of the folder leaves nothing behind."""
    assert temporary_problem() is None
    assert [] == list(short.iterdir())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing", "it does not exist"),
        ("file", "it is not a writable folder (Not a directory)"),
        ("x" * 62, "its path is longer than 62 bytes"),
        ("語" * 20, "its path is longer than 62 bytes"),
    ],
)
def test_unusable_folder_for_temporary_files_is_reported_in_one_sentence(
    short: Path, monkeypatch: pytest.MonkeyPatch, name: str, reason: str
) -> None:
    """The sentence contains the folder, the reason and the variable to change."""
    (short / "file").touch()
    for folder in ("x" * 62, "語" * 20):
        (short / folder).mkdir()
    monkeypatch.setenv("TMPDIR", str(short / name))

    problem = temporary_problem()

    assert problem == (
        f"Chrome can't store temporary files in {short / name}, because {reason}; set TMPDIR to a writable folder with "
        "at least 50 MB of free space and a path of at most 62 bytes."
    )


def test_folder_that_is_not_writable_is_a_problem(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's reason is part of the sentence."""

    def refuse(path: str, *_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr(os, "mkdir", refuse)

    assert f"in {short}, because it is not a writable folder (Permission denied); set" in str(temporary_problem())


def test_full_folder_for_temporary_files_is_a_problem(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk with too little space or without inodes can't be used for temporary files."""
    problems = []
    for name, options in (("space", "size=20M"), ("inodes", "size=100M,nr_inodes=10")):
        with mounted_disk(short / name, options) as disk:
            monkeypatch.setenv("TMPDIR", str(disk))
            if name == "inodes":
                use_up_inodes(disk, leave=0)
            problems.append(str(temporary_problem()))

    assert "because it has only 21 MB of free space; set" in problems[0]
    assert "because it is full; set" in problems[1]
