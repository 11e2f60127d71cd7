"""A hostile file that is decoded in the confined process harms neither the parent process nor the machine."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from harness.errors import SetupError
from harness.recording.isolation import child
from harness.recording.isolation.child import MEMORY
from harness.recording.isolation.task_process import CrashedError, Message, StuckError, TaskProcess

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.parallel


def messages_of(task: str, partial: Path, **request: object) -> list[Message]:
    """Run a task, and return the messages that it sends."""
    with TaskProcess(f"tests.support.jobs.confined_tasks:{task}", request, partial=partial) as process:
        return list(process.messages())


def test_memory_limit_is_added_to_the_memory_in_use(tmp_path: Path) -> None:
    """A task can allocate almost as much memory as the limit, but not more.

    The memory used by imported modules does not count towards a task's memory limit.
    """
    enough = messages_of("needs_memory", tmp_path / "partial", bytes=MEMORY - 50_000_000)
    too_much = messages_of("needs_memory", tmp_path / "partial", bytes=MEMORY + 10_000_000)

    assert "done" == enough[-1].kind
    assert too_much[-1].failure is not None
    assert "memory" == too_much[-1].failure.kind


def test_open_files_core_files_and_threads_are_limited(tmp_path: Path) -> None:
    """The confined process has limits on open files and threads, and can't write core files."""
    files, core, threads, _ = messages_of("tells_limits", tmp_path / "partial")

    assert (64, 0, 1) == (files.at, core.at, threads.at)


def test_crash_is_reported(tmp_path: Path) -> None:
    """If the confined process crashes, the parent raises an error and continues."""
    with pytest.raises(CrashedError, match="the file crashes the decoder"):
        messages_of("crashes", tmp_path / "partial")


def test_process_without_progress_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the confined process makes no progress, its parent ends it instead of waiting forever."""
    monkeypatch.setattr(child, "_STALLED", 0.2)
    with TaskProcess("tests.support.jobs.confined_tasks:never_ends", {}, partial=tmp_path / "partial") as process:
        messages = process.messages()
        number = int(next(messages).at)
        with pytest.raises(StuckError, match="made no progress"):
            next(messages)

    assert not psutil.pid_exists(number)


def test_bug_in_the_harness_is_not_reported_as_a_crash(tmp_path: Path) -> None:
    """A bug in the harness is reported with the name of the exception."""
    (answer,) = messages_of("has_a_fault", tmp_path / "partial", key="nothing")

    assert answer.failure is not None
    assert ("fault", "KeyError") == (answer.failure.kind, answer.failure.message)


def test_process_that_can_not_start_is_a_setup_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the confined process can't start, the error reports a problem with the process, not with the file."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))

    with pytest.raises(SetupError, match="can't be started"):
        messages_of("crashes", tmp_path / "partial")

    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(SetupError, match="did not start"):
        messages_of("crashes", tmp_path / "partial")


def test_process_ends_with_its_parent_and_removes_its_partial_file(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """If the parent of a confined process is killed, neither the process nor its partial file is left behind."""
    partial = tmp_path / "partial"
    partial.touch()
    code = (
        "import os\n"
        "from pathlib import Path\n"
        "from harness.recording.isolation.task_process import TaskProcess\n"
        "task = 'tests.support.jobs.confined_tasks:never_ends'\n"
        f"with TaskProcess(task, {{}}, partial=Path({str(partial)!r})) as process:\n"
        "    print(int(next(process.messages()).at), flush=True)\n"
        "    os._exit(1)\n"
    )
    command = [sys.executable, "-c", code]
    asker = subprocess.run(command, check=False, capture_output=True, text=True, cwd=pytestconfig.rootpath)
    number = int(asker.stdout)

    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(number).wait(timeout=30)

    assert not partial.exists()


def test_partial_file_is_removed_even_while_progress_is_reported(tmp_path: Path) -> None:
    """If the connection is closed while a task sends a message, the partial file is removed before the process ends."""
    for number in range(10):
        partial = tmp_path / str(number)
        partial.touch()
        with TaskProcess("tests.support.jobs.confined_tasks:reports_progress", {}, partial=partial) as process:
            next(process.messages())
            # This has the same effect as the end of the parent.
            process._child.connection.close()
            process._child.process.wait(60)

        assert not partial.exists()
