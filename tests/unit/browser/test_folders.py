"""``harness doctor`` examines the folders to which the harness and Chrome write."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from harness.browser.doctor.folders import FolderReport, Purpose, used_folders

pytestmark = pytest.mark.parallel

# Nobody can create files in this folder, not even root.
READ_ONLY = "/proc"


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use an empty home folder, and the default folders in it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "TMPDIR"):
        monkeypatch.delenv(variable, raising=False)


def folder(purpose: Purpose, recordings: Path) -> FolderReport:
    """Examine all folders, and return the report on one of them."""
    return next(one for one in used_folders(recordings) if one.purpose == purpose)


def test_every_folder_is_listed_with_its_variable(tmp_path: Path) -> None:
    """A folder that does not exist yet is writable if it can be created, and is not created."""
    folders = used_folders(tmp_path / "not" / "yet" / "there")

    assert list(get_args(Purpose)) == [one.purpose for one in folders]
    assert ["HARNESS_RECORDINGS", "TMPDIR", "HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", None] == [
        one.variable for one in folders
    ]
    assert [tmp_path / "not" / "yet" / "there", tmp_path, tmp_path / ".config", tmp_path / ".cache"] == [
        one.path for one in folders if one.purpose in {"recordings", "home", "configuration", "cache"}
    ]
    assert all(one.writable and one.free for one in folders[:5])
    assert [] == [one for one in folders if one.blocks_recording]
    assert [] == list(tmp_path.iterdir())


def test_home_that_is_not_writable_is_reported_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folders in the home folder are not writable either, but only the home folder is reported as a problem."""
    monkeypatch.setenv("HOME", READ_ONLY)

    home = folder("home", tmp_path)
    configuration, cache = folder("configuration", tmp_path), folder("cache", tmp_path)

    assert home.problem is not None
    assert home.problem.startswith("/proc is not writable (")
    assert home.problem.endswith("set HOME to a writable folder, for example HOME=/tmp")
    assert (False, None) == (configuration.writable, configuration.problem)
    assert (False, None) == (cache.writable, cache.problem)
    assert not home.blocks_recording


def test_chosen_folder_that_is_not_writable_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a variable selects the folder, the description of the problem names this variable."""
    monkeypatch.setenv("HOME", READ_ONLY)
    monkeypatch.setenv("XDG_CONFIG_HOME", f"{READ_ONLY}/config")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    configuration, cache = folder("configuration", tmp_path), folder("cache", tmp_path)

    assert configuration.problem is not None
    assert "for example XDG_CONFIG_HOME=/tmp" in configuration.problem
    assert (True, None) == (cache.writable, cache.problem)


@pytest.mark.parametrize("path", [READ_ONLY, f"{READ_ONLY}/recordings", __file__, f"{__file__}/recordings"])
def test_recordings_folder_that_is_not_writable_blocks_recording(path: str) -> None:
    """Neither a folder that is not writable nor a file can contain recordings."""
    report = folder("recordings", Path(path))

    assert (False, True) == (report.writable, report.blocks_recording)
    assert "choose another folder with --recordings DIR" in (report.problem or "")


def test_missing_folder_for_temporary_files_blocks_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chrome can't start without the folder that TMPDIR names, although Python would silently use another folder."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "missing"))

    report = folder("temporary files", tmp_path)

    assert tmp_path / "missing" == report.path
    assert report.blocks_recording
    assert "TMPDIR" in (report.problem or "")
