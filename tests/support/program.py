"""Run the command-line program in a separate process, as users and scripts do."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

PROGRAM = [sys.executable, "-m", "harness"]


def run_harness(*arguments: str, folder: Path, prefix: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """Run the program in a folder, and wait until it ends; ``prefix`` is a command that starts the program."""
    command = [*prefix, *PROGRAM, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


@contextlib.contextmanager
def running_harness(*arguments: str, folder: Path, prefix: Sequence[str] = ()) -> Iterator[subprocess.Popen[str]]:
    """Run the program in its own process group, which is stopped afterwards."""
    process = subprocess.Popen(
        [*prefix, *PROGRAM, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_until(condition: object, process: subprocess.Popen[str]) -> None:
    """Wait until the condition is true while the process is running."""
    assert callable(condition)
    while not condition():
        assert process.poll() is None, process.communicate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05)


def recorded_bytes(folder: Path) -> int:
    """Return the total size of the raw files in all spools inside a folder, in bytes."""
    return sum(raw.stat().st_size for raw in folder.rglob("raw.webm"))
