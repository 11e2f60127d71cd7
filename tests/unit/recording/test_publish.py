"""A recording is either published completely or not at all."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.errors import DiskFullError
from harness.recording.files.names import manifest_of, statistics_of
from harness.recording.manifest import Manifest
from harness.recording.recording import Recording, sha256_of
from harness.recording.spool.publish import publish
from harness.recording.timeline import Timeline
from tests.support.disks import mounted_disk

if TYPE_CHECKING:
    from typing import Never

pytestmark = pytest.mark.parallel


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """Write a finished file with statistics next to it, and return its manifest."""
    path = tmp_path / "spool" / "standup.webm"
    path.parent.mkdir()
    path.write_bytes(b"film")
    statistics_of(path).write_text('{"at": 0}\n')
    recording = Recording(
        id="r1",
        path=path,
        manifest=manifest_of(path),
        participant="alice",
        recorder="all",
        type="audio",
        mime_type="audio/webm;codecs=opus",
        codec="opus",
        width=None,
        height=None,
        frame_rate=None,
        duration=1.0,
        size=4,
        sha256=sha256_of(path),
        started_at="2026-11-22T12:00:00.000+00:00",
    )
    return Manifest(recording=recording, config={}, versions={}, timeline=Timeline())


def names(folder: Path) -> list[str]:
    """Return the names of the files in a folder."""
    return sorted(path.name for path in folder.iterdir())


def test_recording_is_moved_with_its_manifest_and_statistics(manifest: Manifest, tmp_path: Path) -> None:
    """The recording, the manifest and the statistics are published under the first name that is free."""
    kept = tmp_path / "recordings"

    recording = publish(manifest, manifest.recording.path, kept)

    assert ["standup.manifest.json", "standup.stats.jsonl", "standup.webm"] == names(kept)
    assert recording.path.read_bytes() == b"film"
    assert recording == Manifest.read(recording.manifest).recording


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param((shutil, "copyfile"), id="statistics"),
        pytest.param((Manifest, "write"), id="manifest"),
        pytest.param((Manifest, "model_dump_json"), id="half a manifest"),
        pytest.param((Path, "replace"), id="move"),
    ],
)
@pytest.mark.parametrize("failure", [PermissionError(errno.EACCES, "Permission denied"), OSError(errno.EIO, "Error")])
def test_failed_publication_leaves_nothing(
    broken: tuple[Any, str], failure: OSError, manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If publishing a recording fails, the error is raised, and all files that were already published are removed."""
    kept = tmp_path / "recordings"
    kept.mkdir()
    (kept / "standup.manifest.json").write_text("somebody's")

    def fail(*_: Any, **__: Any) -> Never:
        raise failure

    monkeypatch.setattr(*broken, fail)

    with pytest.raises(type(failure)) as raised:
        publish(manifest, manifest.recording.path, kept)

    assert failure is raised.value
    assert ["standup.manifest.json"] == names(kept)
    assert b"film" == manifest.recording.path.read_bytes()


@pytest.mark.parametrize("broken", [(Manifest, "write"), (Path, "replace")])
def test_interrupted_publication_leaves_nothing(
    broken: tuple[Any, str], manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the user presses Ctrl-C before the file has its final name, nothing is published."""

    def interrupt(*_: Any, **__: Any) -> Never:
        raise KeyboardInterrupt

    monkeypatch.setattr(*broken, interrupt)

    with pytest.raises(KeyboardInterrupt):
        publish(manifest, manifest.recording.path, tmp_path / "recordings")

    assert [] == names(tmp_path / "recordings")
    assert b"film" == manifest.recording.path.read_bytes()


def test_recording_is_published_on_another_disk(manifest: Manifest, tmp_path: Path) -> None:
    """The spool and the recordings folder can be on different disks."""
    with mounted_disk(tmp_path / "other", "size=1M") as disk:
        recording = publish(manifest, manifest.recording.path, disk)

        assert ["standup.manifest.json", "standup.stats.jsonl", "standup.webm"] == names(disk)
        assert b"film" == recording.path.read_bytes()
    assert not manifest.recording.path.exists()


def test_full_disk_of_the_recordings_leaves_the_file_in_the_spool(manifest: Manifest, tmp_path: Path) -> None:
    """If the copy does not fit on the other disk, nothing is left there, and the error names the file."""
    path = manifest.recording.path
    path.write_bytes(bytes(2_000_000))
    large = manifest.model_copy(
        update={"recording": manifest.recording.model_copy(update={"size": 2_000_000, "sha256": sha256_of(path)})}
    )
    with mounted_disk(tmp_path / "other", "size=1M") as disk:
        with pytest.raises(DiskFullError, match=f"No space for the recording at {disk / 'standup.webm'}"):
            publish(large, path, disk)

        assert [] == names(disk)
    assert 2_000_000 == path.stat().st_size


def test_unwritable_manifest_leaves_nothing(manifest: Manifest, tmp_path: Path) -> None:
    """A manifest with an unpaired surrogate can't be written, and the error does not blame the disk."""
    broken = manifest.model_copy(update={"room": "\ud83d"})

    with pytest.raises(ValueError, match="surrogates"):
        publish(broken, broken.recording.path, tmp_path / "recordings")

    assert [] == names(tmp_path / "recordings")


def test_manifest_of_another_program_is_not_overwritten(
    manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``publish`` does not remove a manifest that it did not create."""
    kept = tmp_path / "recordings"
    write = Manifest.write

    def late(self: Manifest, path: Path) -> None:
        path.write_text("somebody's")
        write(self, path)

    monkeypatch.setattr(Manifest, "write", late)

    with pytest.raises(FileExistsError):
        publish(manifest, manifest.recording.path, kept)

    assert ["standup.manifest.json"] == names(kept)
    assert "somebody's" == (kept / "standup.manifest.json").read_text()
