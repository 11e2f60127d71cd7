"""Every line in a recording's files is complete, even if another thread closes the file during a write."""

from __future__ import annotations

import io
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from harness.server.spool.open_folder import JsonLines

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.parallel


class FileClosedWhileItWrites(io.FileIO):
    """A file that another thread tries to close while it is being written to."""

    lines: JsonLines
    closing: threading.Thread

    def write(self, data: Any) -> int:
        """Let another thread try to close the file for 0.2 s, then write."""
        self.closing = threading.Thread(target=self.lines.close)
        self.closing.start()
        self.closing.join(0.2)
        return super().write(data)


def test_a_line_is_written_whole_while_another_thread_closes_the_file(tmp_path: Path) -> None:
    """A log is closed only after the line that is being written is complete.

    Lines that are added after a log was closed are dropped.
    """
    file = FileClosedWhileItWrites(tmp_path / "log.jsonl", "wb")
    file.lines = JsonLines(file)

    file.lines.append({"line": 1})
    file.closing.join()
    file.lines.append({"line": 2})

    assert [{"line": 1}] == [json.loads(line) for line in (tmp_path / "log.jsonl").read_bytes().splitlines()]
