"""``harness recover`` finishes the recordings in several folders, and can store them in another folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from harness.server.spool.spool import Spool
from tests.support.program import run_harness
from tests.support.spooling import VERSIONS, recorded

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.parallel


def abandon(recordings: Path, name: str, audio_bytes: bytes) -> None:
    """Leave a recording in a folder's spool, as a program that was killed would."""
    recorded(Spool(recordings, VERSIONS), audio_bytes, recordName=name).close()


def test_recordings_of_several_folders_are_stored_in_another_folder(tmp_path: Path, audio_bytes: bytes) -> None:
    """Recordings with the same name do not overwrite each other."""
    for folder in ("one", "two"):
        abandon(tmp_path / folder, "standup", audio_bytes)

    result = run_harness("recover", "one", "two", "--into", "some/where", "--json", folder=tmp_path)

    answer = json.loads(result.stdout)
    assert 0 == result.returncode, result.stderr
    assert (True, []) == (answer["ok"], answer["lost"])
    paths = [str(tmp_path / "some" / "where" / name) for name in ("standup.webm", "standup-2.webm")]
    assert paths == [recording["path"] for recording in answer["recordings"]]


def test_default_folder_is_recordings(tmp_path: Path, audio_bytes: bytes) -> None:
    """Without arguments, the recordings stay in the folder ``recordings``."""
    abandon(tmp_path / "recordings", "standup", audio_bytes)

    result = run_harness("recover", folder=tmp_path)

    assert 0 == result.returncode, result.stderr
    assert f"Recovered {tmp_path / 'recordings' / 'standup.webm'}" in result.stdout


def test_folder_that_can_not_be_created_exits_with_3(tmp_path: Path) -> None:
    """If the folder for the recovered recordings can't be created, one line states the reason and the option."""
    (tmp_path / "file").touch()

    result = run_harness("recover", "--into", "file", folder=tmp_path)

    assert 3 == result.returncode
    message = f"Recordings can't be stored in {tmp_path / 'file'}: File exists. Choose another folder with --into."
    assert message in result.stderr
    assert "Traceback" not in result.stderr
