"""Run a program as a user without an entry in /etc/passwd, as many containers do; only root can do this."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

USER: Final = 12345
_ROOT: Final = Path(__file__).parents[3]
_SWITCH: Final = ("setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups")


def as_user(command: Sequence[str], *, home: str, **environment: str) -> list[str]:
    """Return a command that runs ``command`` as user 12345, with this HOME and these environment variables.

    If the user can't run the tests' own Python, for example because it is installed in root's home folder, the command
    uses another Python of the same version. Without root or a suitable Python, the test is skipped.
    """
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("Running a program as another user requires Linux, setpriv and root.")
    python = _python()
    if python is None:
        pytest.skip(f"User {USER} can run no Python {sys.version_info.major}.{sys.version_info.minor}.")
    variables = [f"{name}={value}" for name, value in {**_variables(), "HOME": home, **environment}.items()]
    return [*_SWITCH, "env", *variables, *(python if part == sys.executable else part for part in command)]


def own_folder(folder: Path) -> Path:
    """Create a folder that belongs to user 12345, and return it."""
    folder.mkdir()
    os.chown(folder, USER, USER)
    return folder


@functools.cache
def _python() -> str | None:
    """Return a Python with which user 12345 can import the harness and its packages, or None."""
    system = shutil.which(f"python{sys.version_info.major}.{sys.version_info.minor}", path="/usr/local/bin:/usr/bin")
    for python in filter(None, (sys.executable, system)):
        variables = [f"{name}={value}" for name, value in _variables().items()]
        command = [*_SWITCH, "env", *variables, python, "-c", "import av, numpy, playwright, harness.cli.main"]
        if subprocess.run(command, cwd="/", capture_output=True, check=False).returncode == 0:
            return python
    return None


def _variables() -> dict[str, str]:
    """Return the variables with which a Python outside the virtual environment finds the harness and its packages."""
    return {
        "PYTHONPATH": f"{_ROOT}:{sysconfig.get_path('purelib')}",
        # The user can't write the files in which coverage is stored.
        "COVERAGE_PROCESS_CONFIG": "",
    }
