"""Files get their final names without overwriting anything, even across disks and on disks without hard links."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.recording.files.placement import link, link_or_copy, move, partial_path, replace
from harness.recording.spool.folder import Folder
from tests.support.disks import exfat_disk, mounted_disk

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.parallel

# Errors with which file systems refuse hard links: FAT, network disks, containers, and overlays.
REFUSALS = [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV, errno.EACCES, errno.EINVAL]


@pytest.fixture
def exfat(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a real file system without hard links."""
    with exfat_disk(tmp_path) as disk:
        yield disk


@pytest.fixture
def other_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a different disk than ``tmp_path``, with a capacity of 1 MB."""
    with mounted_disk(tmp_path / "other", "size=1M") as disk:
        yield disk


@pytest.fixture(params=["links", *REFUSALS, "exfat"])
def disk(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder on a disk with hard links, or on one that refuses them in some way."""
    if request.param == "exfat":
        folder: Path = request.getfixturevalue("exfat")
        return folder
    if request.param != "links":

        def refuse(*_: object, **__: object) -> None:
            raise OSError(request.param, os.strerror(request.param))

        monkeypatch.setattr(os, "link", refuse)
    return tmp_path


def test_real_disk_without_hard_links_refuses_them(exfat: Path) -> None:
    """The disk that the other tests use has no hard links."""
    (exfat / "a").write_text("a")

    assert not link(exfat / "a", exfat / "b")
    assert ["a"] == [path.name for path in exfat.iterdir()]


def test_complete_file_gets_its_final_name(disk: Path) -> None:
    """Moving a file leaves only the file with its final name."""
    partial = partial_path(disk)
    partial.write_text("complete")

    move(partial, disk / "final")

    assert "complete" == (disk / "final").read_text()
    assert not partial.exists()


def test_moved_file_does_not_replace_another(disk: Path) -> None:
    """If the final name is taken, the existing file stays as it is, and the complete file keeps its temporary name."""
    partial = partial_path(disk)
    partial.write_text("complete")
    (disk / "final").write_text("mine")

    with pytest.raises(FileExistsError):
        move(partial, disk / "final")

    assert ("mine", "complete") == ((disk / "final").read_text(), partial.read_text())


def test_name_of_a_dangling_link_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A symbolic link that leads nowhere is neither replaced nor followed, even without hard links."""
    monkeypatch.setattr("harness.recording.files.placement.link", lambda *_: False)
    (tmp_path / "final").symlink_to(tmp_path / "elsewhere")
    partial = partial_path(tmp_path)
    partial.touch()

    with pytest.raises(FileExistsError):
        move(partial, tmp_path / "final")

    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.EIO, "broken disk")])
def test_failed_move_leaves_nothing_under_the_final_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """If renaming is interrupted or fails, the reserved name is free again, and the complete file still exists."""
    monkeypatch.setattr("harness.recording.files.placement.link", lambda *_: False)

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(Path, "replace", fail)
    partial = partial_path(tmp_path)
    partial.write_text("complete")

    with pytest.raises(type(error)):
        move(partial, tmp_path / "final")

    assert [partial] == list(tmp_path.iterdir())


def test_file_is_linked_or_copied(disk: Path) -> None:
    """A second name for a file has the same content, and nothing else is left behind."""
    (disk / "a").write_text("content")

    link_or_copy(disk / "a", disk / "b")

    assert "content" == (disk / "b").read_text()
    assert {"a", "b"} <= {path.name for path in disk.iterdir()}
    assert not [path for path in disk.iterdir() if path.suffix == ".partial"]


def test_copy_does_not_replace_another_file(disk: Path) -> None:
    """If the second name is taken, the existing file stays as it is."""
    (disk / "a").write_text("content")
    (disk / "b").write_text("mine")

    with pytest.raises(FileExistsError):
        link_or_copy(disk / "a", disk / "b")

    assert "mine" == (disk / "b").read_text()
    assert not [path for path in disk.iterdir() if path.suffix == ".partial"]


def test_incomplete_copy_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If copying fails, for example because the disk is full, neither path contains a partial file."""

    def fill(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes()[:3])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("harness.recording.files.placement.link", lambda *_: False)
    monkeypatch.setattr(shutil, "copyfile", fill)
    (tmp_path / "a").write_text("content")

    with pytest.raises(OSError, match="No space left"):
        link_or_copy(tmp_path / "a", tmp_path / "b")

    assert ["a"] == [path.name for path in tmp_path.iterdir()]


def test_spool_copies_a_finished_file(disk: Path) -> None:
    """The spool's second name for a finished file works on every disk, and replaces what a crash left behind."""
    folder = Folder(disk / "folder")
    folder.path.mkdir()
    folder.copied.write_text("left behind")
    (disk / "finished").write_text("content")

    assert "content" == folder.copy(disk / "finished").read_text()


def test_file_is_moved_to_another_disk(tmp_path: Path, other_disk: Path) -> None:
    """A file is copied to another disk under a temporary name, and the original is removed."""
    complete = tmp_path / "complete"
    complete.write_text("complete")

    move(complete, other_disk / "final")

    assert "complete" == (other_disk / "final").read_text()
    assert ["final"] == [path.name for path in other_disk.iterdir()]
    assert not complete.exists()


def test_file_on_another_disk_is_not_replaced(tmp_path: Path, other_disk: Path) -> None:
    """If the final name is taken on the other disk, both files stay as they are."""
    complete = tmp_path / "complete"
    complete.write_text("complete")
    (other_disk / "final").write_text("mine")

    for place in (move, link_or_copy):
        with pytest.raises(FileExistsError):
            place(complete, other_disk / "final")

    assert ("mine", "complete") == ((other_disk / "final").read_text(), complete.read_text())
    assert ["final"] == [path.name for path in other_disk.iterdir()]


def test_file_stays_where_it_is_if_the_other_disk_is_full(tmp_path: Path, other_disk: Path) -> None:
    """If the copy does not fit, nothing is left on the other disk."""
    complete = tmp_path / "complete"
    complete.write_bytes(bytes(2_000_000))

    for place in (move, link_or_copy):
        with pytest.raises(OSError, match="No space left"):
            place(complete, other_disk / "final")

    assert 2_000_000 == complete.stat().st_size
    assert [] == list(other_disk.iterdir())


def test_interrupted_copy_to_another_disk_is_removed(
    tmp_path: Path, other_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If copying is interrupted, the reserved name stays reserved, and the original still exists."""

    def interrupt(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes()[:3])
        raise KeyboardInterrupt

    complete, reserved = tmp_path / "complete", other_disk / "final"
    complete.write_text("complete")
    reserved.touch()
    monkeypatch.setattr(shutil, "copyfile", interrupt)

    with pytest.raises(KeyboardInterrupt):
        replace(complete, reserved)

    assert "complete" == complete.read_text()
    assert [("final", 0)] == [(path.name, path.stat().st_size) for path in other_disk.iterdir()]
