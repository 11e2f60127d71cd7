"""Check whether Playwright's driver (a bundled Node.js) starts on this machine; if not, find out what is missing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from subprocess import SubprocessError
from typing import Final

from playwright._impl._driver import compute_driver_executable

from harness.browser.version import ask_version

# Debian packages for libraries that Node.js requires and that some machines lack.
_PACKAGES: Final = {"libatomic.so.1": "libatomic1", "libstdc++.so.6": "libstdc++6", "libgcc_s.so.1": "libgcc-s1"}


@dataclass(frozen=True)
class DriverProblem:
    """The reason why the driver does not start, and, if known, the Debian package that would fix the problem."""

    reason: str
    package: str | None

    def __str__(self) -> str:
        if self.package:
            remedy = f"Install the missing library as root: apt-get install {self.package}"
        else:
            remedy = "Reinstall Playwright: pip install --force-reinstall playwright"
        return f"Playwright's driver failed to start: {self.reason}. {remedy}"


def driver_problem() -> DriverProblem | None:
    """Return the reason why Playwright's driver does not start, or None if it starts."""
    node, *_ = compute_driver_executable()
    try:
        answer = ask_version(node)
    except (OSError, SubprocessError) as error:
        return DriverProblem(f"{node}: {getattr(error, 'strerror', None) or error}", None)
    if answer.returncode == 0:
        return None
    if library := re.search(r"(\S+\.so\S*): cannot open shared object file", answer.stderr):
        return DriverProblem(f"the library {library[1]} is missing", _PACKAGES.get(library[1]))
    last = answer.stderr.strip().splitlines()[-1:] or [f"the driver exited with status {answer.returncode}"]
    return DriverProblem(last[0].rstrip("."), None)
