"""Provide a spool and a recording's raw bytes for tests that don't use a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.server.spool.spool import Spool
from tests.support.media.recording_file import write_media
from tests.support.media.scene import Scene, participants
from tests.support.spooling import VERSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def audio_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the raw bytes of a recording that contains one second of audio."""
    path = tmp_path_factory.mktemp("raw") / "raw.webm"
    write_media(path, Scene(participants=participants("alice"), seconds=1.0, video=False, live=True))
    return path.read_bytes()


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """Return an empty spool."""
    spool = Spool(tmp_path, VERSIONS)
    yield spool
    spool.close()
