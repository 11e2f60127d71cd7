"""Provide raw recordings for the tests that finalize them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.recordings.raw_recording import make_raw

if TYPE_CHECKING:
    from tests.support.recordings.raw_recording import Raw


@pytest.fixture(scope="session")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Raw:
    """Return a raw recording with three seconds of video and audio."""
    return make_raw(tmp_path_factory.mktemp("raw"))


@pytest.fixture(scope="session")
def raw_audio(tmp_path_factory: pytest.TempPathFactory) -> Raw:
    """Return a raw recording with three seconds of audio."""
    return make_raw(tmp_path_factory.mktemp("raw"), video=False)
