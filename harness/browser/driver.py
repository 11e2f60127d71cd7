"""Playwright's driver, a Node.js that it brings along: whether it starts here, and what it lacks where it does not."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from typing import Final

from playwright._impl._driver import compute_driver_executable

# A Debian package that is not on every machine, by the library that Node.js is linked to.
_PACKAGES: Final = {"libatomic.so.1": "libatomic1", "libstdc++.so.6": "libstdc++6", "libgcc_s.so.1": "libgcc-s1"}
_ANSWER_SECONDS: Final = 30


@dataclass(frozen=True)
class DriverProblem:
    """Why the driver does not start, and the Debian package that would help, where one is known."""

    reason: str
    package: str | None

    def __str__(self) -> str:
        if self.package:
            remedy = f"Install it as root: apt-get install {self.package}"
        else:
            remedy = "Install Playwright again: pip install --force-reinstall playwright"
        return f"Playwright's driver does not start: {self.reason}. {remedy}"


def driver_problem() -> DriverProblem | None:
    """Return what keeps Playwright's driver from starting; None where it answers."""
    node, *_ = compute_driver_executable()
    try:
        answer = subprocess.run(
            [node, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_ANSWER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return DriverProblem(f"{node}: {getattr(error, 'strerror', None) or error}", None)
    if answer.returncode == 0:
        return None
    if library := re.search(r"(\S+\.so\S*): cannot open shared object file", answer.stderr):
        return DriverProblem(f"the library {library[1]} is missing", _PACKAGES.get(library[1]))
    last = answer.stderr.strip().splitlines()[-1:] or [f"it ended with status {answer.returncode}"]
    return DriverProblem(last[0].rstrip("."), None)
