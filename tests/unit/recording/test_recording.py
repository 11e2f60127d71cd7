"""A Recording contains a finished file's properties, such as its hash."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from harness.recording.recording import sha256_of
from tests.support.media.recording_file import recording_of
from tests.support.media.scene import Scene, participants

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.parallel


def test_json_of_a_recording_has_the_documented_keys(tmp_path: Path) -> None:
    """In a Recording's JSON, paths are strings and unknown values are null."""
    path = tmp_path / "standup.webm"
    path.write_bytes(b"recorded")

    answer = recording_of(path, Scene(participants=participants("alice")), duration=3.0).as_json()

    assert {
        *("id", "path", "manifest", "participant", "recorder", "type", "mime_type", "codec", "width", "height"),
        *("frame_rate", "duration", "size", "sha256", "started_at", "stop_to_file_ms", "downloaded"),
        *("download_failure", "download_ms", "recovered"),
    } == set(answer)
    assert str(tmp_path / "standup.webm") == answer["path"]
    assert answer["recovered"] is None


def test_sha256_matches_the_file(tmp_path: Path) -> None:
    """The SHA-256 hash is in hexadecimal, and is computed without reading the whole file into memory."""
    content = bytes(range(256)) * 10_000
    (tmp_path / "file").write_bytes(content)

    assert hashlib.sha256(content).hexdigest() == sha256_of(tmp_path / "file")
