"""The open files of a recording: lines are whole, whoever closes them meanwhile."""

from __future__ import annotations

import json
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from harness.server.spool.open_folder import JsonLines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.parallel


@pytest.fixture
def hurried_threads() -> Iterator[None]:
    """Let Python switch between threads as often as it can, so that a race shows in a fraction of a second."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hurried_threads")
def test_lines_may_be_written_while_another_thread_closes_the_file(tmp_path: Path) -> None:
    """A late line is dropped, and none is torn."""
    for number in range(1500):
        path = tmp_path / f"{number}.jsonl"
        lines = JsonLines(path.open("wb", buffering=0))
        closing = threading.Thread(target=lines.close)
        lines.append({"line": -1})
        closing.start()
        for line in range(100):
            lines.append({"line": line})
        closing.join()

        written = [json.loads(line)["line"] for line in path.read_bytes().splitlines()]
        assert list(range(-1, len(written) - 1)) == written
        assert lines.size == path.stat().st_size
