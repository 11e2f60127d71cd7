"""Run programs as a user who has no entry in /etc/passwd, as containers often do; only root can do this."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

USER = "12345"
# Makes the interpreter's folder accessible if it is in root's home folder, which other users can't open: in a mount
# namespace, an empty folder that contains only the interpreter replaces the home folder.
_SHOW_INTERPRETER = (
    'mount --bind "$1" /mnt && mount -t tmpfs -o mode=755 tmpfs /root && mkdir -p "$1" && mount --move /mnt "$1" && '
    'shift && exec "$@"'
)


def as_user(command: Sequence[str], *, home: str, **environment: str) -> list[str]:
    """Return the command line that runs ``command`` as user 12345, whose environment has ``HOME`` set to ``home``.

    ``environment`` contains further environment variables.
    """
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("Running a program as another user needs root and setpriv.")
    # The user can't write the files in which coverage.py stores its measurements.
    changes = {"HOME": home, "COVERAGE_PROCESS_CONFIG": "", **environment}
    variables = [f"{name}={value}" for name, value in changes.items()]
    as_other = ["setpriv", "--reuid", USER, "--regid", USER, "--clear-groups", "env", *variables, *command]
    if Path(sys.base_prefix).is_relative_to("/root"):
        return ["unshare", "--mount", "sh", "-c", _SHOW_INTERPRETER, "sh", sys.base_prefix, *as_other]
    return as_other


@contextmanager
def shared_folder() -> Iterator[Path]:
    """Create a folder that every user can write, unlike pytest's, and whose path is short; remove it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="harness-", dir="/tmp"))
    folder.chmod(0o777)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
