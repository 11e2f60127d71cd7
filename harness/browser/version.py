"""Run a program with ``--version``, which also shows whether the program starts."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import os

_ANSWER_SECONDS: Final = 30


def ask_version(executable: str | os.PathLike[str]) -> subprocess.CompletedProcess[str]:
    """Return the output of ``executable --version`` and its exit code.

    Raises OSError if the program can't be started, and SubprocessError if it does not exit in time.
    """
    return subprocess.run(
        [executable, "--version"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_ANSWER_SECONDS,
        check=False,
    )
