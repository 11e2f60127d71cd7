"""Other users of the machine can't read the recordings in a Dask worker's folders."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

import pytest

from harness.batch.cluster import _private_folder, _remove_folder, _rescue
from harness.batch.job import ScenarioJob
from harness.errors import SetupError
from harness.scenario import Scenario
from harness.scenario.steps import Join
from harness.server.spool.spool import Spool
from tests.support.spooling import recorded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.parallel


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScenarioJob]:
    """Return a job. During the test, temporary files are created in ``tmp_path``, and the umask is 0."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    job = ScenarioJob(number=3, scenario=Scenario(steps=(Join(join="alice"),)), recordings=tmp_path / "recordings")
    before = os.umask(0)
    yield job
    os.umask(before)


def test_worker_folders_are_private(job: ScenarioJob, tmp_path: Path) -> None:
    """The folders of a batch and of its jobs are private, even if the batch's folder existed and was not private."""
    (tmp_path / "batch").mkdir(mode=0o755)

    one, other = _private_folder("batch", job), _private_folder("batch", job)

    assert one != other
    for folder in (tmp_path / "batch", one, other):
        assert 0o700 == folder.stat().st_mode & 0o777


def test_folder_of_another_user_is_not_used(job: ScenarioJob, tmp_path: Path) -> None:
    """A worker refuses a symbolic link or another user's folder, since others could read or redirect recordings."""
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    (tmp_path / "foreign").mkdir()
    if os.getuid() == 0:
        os.chown(tmp_path / "foreign", 12345, 12345)
        with pytest.raises(SetupError, match="belongs to another user"):
            _private_folder("foreign", job)

    with pytest.raises(SetupError, match="belongs to another user"):
        _private_folder("link", job)

    assert [] == list((tmp_path / "target").iterdir())


def test_recording_that_can_not_be_finished_stays_on_its_worker(audio_bytes: bytes, job: ScenarioJob) -> None:
    """A crashed worker's folder is not removed while it contains an unfinished recording."""
    folder = _private_folder("batch", job)
    recordings = [recorded(Spool(folder / "recordings", {}), audio_bytes, recordName=name) for name in ("good", "bad")]
    for active in recordings:
        active.growing_file.end()
        active.close()
    recordings[1].folder.raw.write_bytes(b"nothing that can be read")

    (rescued,) = _rescue("batch")

    assert ["good.webm"] == [recording.path.name for recording in rescued.recordings]
    assert not _remove_folder(rescued.folder)
    assert b"nothing that can be read" == next(rescued.folder.glob("recordings/.spool/*/raw.webm")).read_bytes()


def test_folder_is_removed_after_everything_was_fetched(tmp_path: Path, audio_bytes: bytes, job: ScenarioJob) -> None:
    """When the folder of a batch's last job is removed, the batch's own folder is also removed."""
    folder = _private_folder("batch", job)
    active = recorded(Spool(folder / "recordings", {}), audio_bytes, recordName="good")
    active.growing_file.end()
    active.close()

    (rescued,) = _rescue("batch")

    assert _remove_folder(rescued.folder)
    assert not (tmp_path / "batch").exists()


def test_worker_that_can_not_create_a_folder_reports_it(job: ScenarioJob, tmp_path: Path) -> None:
    """If a worker can't create its folder, SetupError is raised, and the scenario's outcome contains the reason."""
    (tmp_path / "file").touch()

    with pytest.raises(SetupError, match="Recordings can't be stored in"):
        _private_folder("file", job)
